"""Regions that are stained with the values of the whole frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .resampling import Resampling
from .tiling import Box

PlaneSlices = tuple[slice, slice]


@dataclass(frozen=True, slots=True)
class View:
    """A region of a frame with all that the network looks at for it.

    Attributes
    ----------
    shape : (Y, X)
        Of the whole frame.
    inner : (Y, X)
        Of the whole frame at the model's pixel size.
    kept : Box
        The region, in pixels of the frame.
    computed : Box
        What the network is given, in pixels of the model.
    read : Box
        What that is made of, in pixels of the frame.

    Examples
    --------
    >>> view = view_of((64, 64), (128, 128), (slice(0, 8), slice(8, 16)), halo=8, stride=4)
    >>> view.computed, view.read
    (Box(top=0, bottom=32, left=0, right=48), Box(top=0, bottom=18, left=0, right=26))
    """

    shape: tuple[int, int]
    inner: tuple[int, int]
    kept: Box
    computed: Box
    read: Box

    def to_model(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return what the network is given, from the box `read`, both (..., Y, X)."""
        return Resampling(self.shape, self.inner).of_part(values, self.read, self.computed)

    def from_model(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the region in pixels of the frame, from the box `computed`."""
        return Resampling(self.inner, self.shape).of_part(values, self.computed, self.kept)


def view_of(
    shape: tuple[int, int],
    inner: tuple[int, int],
    region: PlaneSlices | None,
    *,
    halo: int | None,
    stride: int,
    whole_rows: bool = False,
    whole_columns: bool = False,
) -> View:
    """Return the view for a region of a frame.

    Parameters
    ----------
    shape, inner : (Y, X)
        Of the frame as it is, and at the model's pixel size.
    region : (slice, slice) or None
        Rows and columns in pixels of the frame; None is the whole frame.
    halo, stride : int
        Of the network; a halo of None means that it sees the whole frame.
    whole_rows, whole_columns : bool
        Whether what is computed must be as wide, or as high, as the frame.

    Raises
    ------
    InputError
        The region holds no pixel of the frame.

    Examples
    --------
    >>> view_of((64, 64), (64, 64), (slice(0, 8), slice(8, 16)), halo=8, stride=4).computed
    Box(top=0, bottom=20, left=0, right=28)
    """
    kept = Box.whole(shape)
    if region is not None:
        rows, columns = (
            part.indices(length)[:2] for part, length in zip(region, shape, strict=True)
        )
        kept = Box(*rows, *columns)
        if min(kept.shape) < 1:
            raise InputError(
                f"The region of rows {rows[0]} to {rows[1]} and columns {columns[0]} to "
                f"{columns[1]} holds no pixel of a frame of {shape[0]} x {shape[1]}."
            )
    needed = Resampling(inner, shape).reads(kept)
    top, bottom = _grown(needed.top, needed.bottom, inner[0], halo, stride, whole_columns)
    left, right = _grown(needed.left, needed.right, inner[1], halo, stride, whole_rows)
    computed = Box(top, bottom, left, right)
    return View(shape, inner, kept, computed, Resampling(shape, inner).reads(computed))


def _grown(
    start: int, stop: int, length: int, halo: int | None, stride: int, whole: bool
) -> tuple[int, int]:
    """Return a span with its halo, which begins on the grid of the frame and of the mirrored one.

    The network counts its grid from the beginning of a frame; of a mirrored one, that is the
    end. A span may so end within a cell of the other grid, which is then wrong as a whole.
    """
    if halo is None or whole:
        return 0, length
    margin = halo + stride
    after = max(0, length - stop - margin) // stride * stride
    return max(0, start - margin) // stride * stride, length - after
