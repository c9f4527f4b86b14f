"""Results on fixed inputs beside the figures that are stored for them in ``tests/figures``.

What a seed gives, and what a released model makes of an image, stay the same from version to
version: published sets and studies depend on it. A change that is meant is recorded with::

    VIRTUALSTAIN_STORE_FIGURES=1 pytest tests/ROOM/test_stored_FILE.py

and its commit says why. Tolerances leave room for the rounding of another processor only.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path(__file__).parent / "figures"


def of_array(name: str, values: Any) -> dict[str, float]:
    """Return mean, spread, roughness and an off-centre moment along each axis of an array."""
    array = np.asarray(values, np.float64)
    found = {f"{name} mean": float(array.mean()), f"{name} sd": float(array.std())}
    for axis, length in enumerate(array.shape):
        if length > 1:
            found[f"{name} step {axis}"] = float(np.abs(np.diff(array, axis=axis)).mean())
            wave = np.cos(np.arange(length) * 0.7 + 0.3)
            along = np.moveaxis(array, axis, -1) - array.mean()
            found[f"{name} wave {axis}"] = float(np.abs((along * wave).mean(-1)).mean())
    return found


def of_table(name: str, table: Any) -> dict[str, float]:
    """Return number of rows, and mean and spread of each column of numbers."""
    numbers = table.select_dtypes(["number", "bool"]).astype(np.float64)
    found = {f"{name} rows": float(len(numbers))}
    for column in sorted(numbers):
        known = numbers[column].dropna()
        found[f"{name} {column} known"] = float(len(known))
        if len(known):
            found[f"{name} {column} mean"] = float(known.mean())
            found[f"{name} {column} sd"] = float(known.std(ddof=0))
    return found


def check_figures(name: str, found: Mapping[str, float], *, tolerance: float = 1e-3) -> None:
    """Compare with ``figures/NAME.json``, each relative to its size or to 1e-6.

    Raises
    ------
    AssertionError
        A figure differs, is missing or is new; all of them are named.
    """
    path = FOLDER / f"{name}.json"
    if os.environ.get("VIRTUALSTAIN_STORE_FIGURES"):
        rounded = {key: float(f"{value:.7g}") for key, value in found.items()}
        path.write_text(json.dumps(rounded, indent=1) + "\n", encoding="utf-8")
    stored = json.loads(path.read_text(encoding="utf-8"))
    assert sorted(found) == sorted(stored)
    differing = [
        f"{key}: {found[key]:.7g}, stored {value:.7g}"
        for key, value in stored.items()
        if not abs(found[key] - value) <= tolerance * max(abs(value), 1e-3)
    ]
    assert not differing, "\n".join(differing)
