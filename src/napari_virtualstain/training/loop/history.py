"""The history of a training: a table of losses and scores over the steps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from ...io import write_table


class History:
    """Rows of ``history.csv``, rewritten as a whole so that a torn line cannot happen.

    Parameters
    ----------
    path : Path
        The CSV file.
    rows : list of dict, optional
        From a checkpoint.
    """

    def __init__(self, path: Path, rows: list[dict[str, Any]] | None = None) -> None:
        self.path = path
        self.rows: list[dict[str, Any]] = list(rows or [])

    def add(self, step: int, **values: float) -> None:
        """Add values of a step; several calls for one step fill one row."""
        if not self.rows or self.rows[-1]["step"] != step:
            self.rows.append({"step": step})
        self.rows[-1] |= values

    def write(self) -> None:
        """Write the table to disk."""
        write_table(self.path, pd.DataFrame(self.rows), overwrite=True)
