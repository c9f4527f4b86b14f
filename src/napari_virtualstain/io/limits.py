"""Limits on what a file may declare, checked before space is made for it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..errors import ImageFileError, shown

MAX_PLANES = 2_000_000  # a week at three frames a second
MAX_PLANE_BYTES = 2**29  # 16,384 x 16,384 px of 16 bits


def check_extent(path: str | Path, shape: Sequence[int], dtype: np.dtype) -> None:  # type: ignore[type-arg]
    """Refuse an image of more planes, or larger ones, than a microscope makes.

    Raises
    ------
    ImageFileError
        No pixels, more than two million planes, or planes of more than half a gigabyte.

    Examples
    --------
    >>> check_extent("movie.tif", (100, 512, 512), np.dtype("uint16"))
    """
    if 0 in shape or any(length < 0 for length in shape):
        raise ImageFileError(f"{shown(path)} holds no pixels (shape {tuple(shape)}).")
    planes = math.prod(shape[:-2])
    plane_bytes = math.prod(shape[-2:]) * dtype.itemsize
    if planes > MAX_PLANES or plane_bytes > MAX_PLANE_BYTES:
        raise ImageFileError(
            f"{shown(path)} declares {planes:,} planes of {plane_bytes / 1e6:,.3g} MB: expected at "
            f"most {MAX_PLANES:,} planes of {MAX_PLANE_BYTES / 1e6:,.0f} MB. It is damaged or must "
            "be cut."
        )
