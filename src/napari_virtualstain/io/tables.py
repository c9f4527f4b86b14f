"""Write tables and text so that they are whole or not there."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from .output import atomic_path

if TYPE_CHECKING:
    import pandas as pd


def write_text_atomically(path: str | Path, text: str, *, overwrite: bool = False) -> Path:
    """Write text in UTF-8 and return its path.

    Parameters
    ----------
    path : str or Path
        File to write; its folder is made if need be.
    text : str
        Content.
    overwrite : bool
        Whether an existing file may be replaced.

    Raises
    ------
    OutputExistsError, OutputError
        See :func:`check_output`.

    Examples
    --------
    >>> import tempfile
    >>> file = write_text_atomically(Path(tempfile.mkdtemp()) / "note.txt", "µm")
    >>> file.read_text(encoding="utf-8")
    'µm'
    """
    path = Path(path)
    with (
        atomic_path(path, overwrite=overwrite) as temporary,
        temporary.open("w", encoding="utf-8", newline="") as file,
    ):
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    return path


def write_table(path: str | Path, frame: pd.DataFrame, *, overwrite: bool = False) -> Path:
    r"""Write a table as CSV without its index and return its path.

    Numbers are written so that reading them gives the same numbers.

    Parameters
    ----------
    path : str or Path
        CSV file to write; its folder is made if need be.
    frame : DataFrame
        One row a line.
    overwrite : bool
        Whether an existing file may be replaced.

    Raises
    ------
    OutputExistsError, OutputError
        See :func:`check_output`.

    Examples
    --------
    >>> import tempfile, pandas as pd
    >>> file = Path(tempfile.mkdtemp()) / "tracks.csv"
    >>> write_table(file, pd.DataFrame({"track_id": [1], "y_um": [0.1]})).read_text()
    'track_id,y_um\n1,0.1\n'
    """
    text = frame.to_csv(index=False, lineterminator="\n")
    return write_text_atomically(path, text, overwrite=overwrite)
