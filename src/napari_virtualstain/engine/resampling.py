"""Resampling of planes to the pixel size that a model was trained on, and back.

The networks know structures by their size in pixels, so a frame at 65 nm must be
brought to the 80 nm of the training images first. Interpolation is bicubic (Keys 1981,
a = -0.5), the kernel widened when pixels become larger so that nothing aliases; pixel
areas, not centres, are aligned, so that the field of view stays the same. It is that of
``torch.nn.functional.interpolate(mode="bicubic", antialias=True)``, but a part of a plane
can be made alone and has, bit for bit, the values that it has in the whole.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .tiling import Box

_SAME = 0.02
_LARGEST_FACTOR = 16.0
_LARGEST_PLANE = 2**30


def resampled_shape(
    shape: tuple[int, int], pixel_size_um: float, wanted_um: float
) -> tuple[int, int]:
    """Return the shape that a plane has at another pixel size.

    Parameters
    ----------
    shape : (Y, X)
        Of the plane as it is.
    pixel_size_um, wanted_um : float
        Its pixel size and the wanted one, micrometres. Sizes within two per cent
        count as equal: a model does not notice, and interpolation would only blur.

    Raises
    ------
    InputError
        The two differ more than 16 times, or the result could not be held.

    Examples
    --------
    >>> resampled_shape((100, 200), 0.16, 0.08)
    (200, 400)
    """
    factor = pixel_size_um / wanted_um
    if abs(factor - 1) <= _SAME:
        return shape
    if not 1 / _LARGEST_FACTOR <= factor <= _LARGEST_FACTOR:
        raise InputError(
            f"The image's pixel size {pixel_size_um:g} µm is {max(factor, 1 / factor):.3g} times "
            f"{'larger' if factor > 1 else 'smaller'} than the model's {wanted_um:g} µm; at most "
            f"{_LARGEST_FACTOR:g} times can be bridged. Check its unit (micrometres), or take a "
            "model trained at this magnification."
        )
    height, width = (max(1, round(length * factor)) for length in shape)
    if height * width > _LARGEST_PLANE:
        raise InputError(
            f"A frame of {shape[0]} x {shape[1]} pixels of {pixel_size_um:g} µm becomes {height} x "
            f"{width} at the model's {wanted_um:g} µm, more than can be held. Check the pixel "
            "size, or crop the frame."
        )
    return height, width


def resample(plane: NDArray[np.float32], shape: tuple[int, int]) -> NDArray[np.float32]:
    """Return the plane interpolated to `shape`, over the same field of view.

    Parameters
    ----------
    plane : ndarray of shape (..., Y, X), float32
    shape : (Y, X)

    Examples
    --------
    >>> resample(np.ones((4, 6), np.float32), (2, 3)).round(5).tolist()
    [[1.0, 1.0, 1.0], [1.0, 1.0, 1.0]]
    """
    height, width = plane.shape[-2:]
    return Resampling((height, width), (shape[0], shape[1])).of_whole(plane)


@dataclass(frozen=True, slots=True)
class Resampling:
    """Interpolation of planes, whole or in part, to another shape.

    Attributes
    ----------
    shape : (Y, X)
        Of the planes as they are.
    wanted : (Y, X)
        Of the result.

    Examples
    --------
    >>> halved = Resampling((8, 8), (4, 4))
    >>> halved.reads(Box(0, 1, 2, 3))
    Box(top=0, bottom=5, left=1, right=8)
    """

    shape: tuple[int, int]
    wanted: tuple[int, int]

    def reads(self, part: Box) -> Box:
        """Return the box of the plane that determines a box of the result."""
        if self.shape == self.wanted:
            return part
        rows = _taps(self.shape[0], self.wanted[0], part.top, part.bottom)[1]
        columns = _taps(self.shape[1], self.wanted[1], part.left, part.right)[1]
        return Box(rows.start, rows.stop, columns.start, columns.stop)

    def of_whole(self, plane: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the plane, (..., Y, X), in the wanted shape; itself if it has that shape."""
        return self.of_part(plane, Box.whole(self.shape), Box.whole(self.wanted))

    def of_part(self, values: NDArray[np.float32], given: Box, part: Box) -> NDArray[np.float32]:
        """Return a box of the result from as much of the plane as it reads.

        Parameters
        ----------
        values : ndarray of shape (..., Y, X), float32
            The box `given` of the plane.
        given : Box
            Holds at least :meth:`reads` of `part`.
        part : Box
            Of the result.
        """
        read = values[(..., *self.reads(part).within(given).slices)]
        if self.shape == self.wanted:
            return read
        rows = _taps(self.shape[0], self.wanted[0], part.top, part.bottom)[0]
        columns = _taps(self.shape[1], self.wanted[1], part.left, part.right)[0]
        made = np.empty((*read.shape[:-2], *part.shape), np.float32)
        for index in np.ndindex(read.shape[:-2]):
            # a sparse product adds each pixel's terms in one order wherever the pixel lies
            made[index] = (columns @ (rows @ read[index]).T).T
        return made


def _taps(length: int, wanted: int, start: int, stop: int) -> tuple[Any, slice]:
    """Return the matrix that makes pixels start to stop of an axis, and what it is applied to."""
    from scipy import sparse  # a third of a second that an image of the model's pixel size saves

    whole = _matrix(length, wanted)
    first, last = whole.indptr[start], whole.indptr[stop]
    # not the first and the last: a pixel that falls on another reads that one alone
    columns = whole.indices[first:last]
    low, high = int(columns.min()), int(columns.max()) + 1
    part = (
        whole.data[first:last],
        columns - low,
        whole.indptr[start : stop + 1] - first,
    )
    return sparse.csr_array(part, shape=(stop - start, high - low)), slice(low, high)


@functools.lru_cache(maxsize=8)
def _matrix(length: int, wanted: int) -> Any:
    """Return the sparse matrix (wanted, length) of the interpolation along one axis."""
    from scipy import sparse

    step = length / wanted
    widening = max(step, 1.0)
    centres = (np.arange(wanted) + 0.5) * step
    first = np.maximum(np.floor(centres - 2 * widening + 0.5).astype(int), 0)
    columns = first[:, None] + np.arange(math.ceil(4 * widening) + 1)
    weights = _keys((columns + 0.5 - centres[:, None]) / widening) * (columns < length)
    weights /= weights.sum(axis=1, keepdims=True)
    used = weights != 0
    ends = np.concatenate([[0], np.cumsum(used.sum(axis=1))])
    return sparse.csr_array(
        (weights[used].astype(np.float32), columns[used], ends), shape=(wanted, length)
    )


def _keys(distance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the cubic kernel of Keys with a = -0.5, zero from 2 on."""
    x = np.abs(distance)
    near = (1.5 * x - 2.5) * x * x + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return np.where(x < 1, near, np.where(x < 2, far, 0.0))
