"""Foreground share and sharpness of an image.

The paper leaves out crops with less than 20 % mitochondria; the authors' code counts
pixels above the frame's mean plus one standard deviation and asks for 14 %.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage


def foreground_mask(fluorescence: ArrayLike) -> NDArray[np.bool_]:
    """Return the pixels brighter than the frame's mean plus one standard deviation.

    Parameters
    ----------
    fluorescence : array of shape (Y, X)
        A whole frame: the threshold is the frame's, not the crop's.

    Examples
    --------
    >>> foreground_mask([[0, 0, 0], [0, 9, 0]]).sum()
    np.int64(1)
    """
    image = np.asarray(fluorescence, dtype=np.float64)
    return image > foreground_threshold(image)


def foreground_threshold(fluorescence: ArrayLike) -> float:
    """Return the frame's mean plus one standard deviation.

    Examples
    --------
    >>> foreground_threshold([[0.0, 2.0]])
    2.0
    """
    image = np.asarray(fluorescence, dtype=np.float64)
    unknown = np.isnan(image)
    known = image[~unknown] if unknown.any() else image
    return float(known.mean() + known.std())


def window_fractions(mask: NDArray[np.bool_], size: int, step: int = 1) -> NDArray[np.float32]:
    """Return the foreground fraction of square windows, by their corner.

    Parameters
    ----------
    mask : ndarray of shape (Y, X)
        Foreground.
    size : int
        Side of the window, pixels.
    step : int
        Pixels from one corner to the next, along both axes.

    Returns
    -------
    ndarray of shape (ceil((Y - size + 1) / step), ceil((X - size + 1) / step))

    Examples
    --------
    >>> window_fractions(np.eye(3, dtype=bool), 2).tolist()
    [[0.5, 0.25], [0.25, 0.5]]
    """
    columns = _window_sums(mask, size, step).T
    counts = _window_sums(np.ascontiguousarray(columns), size, step).T
    return (counts / size**2).astype(np.float32)


def _window_sums(values: NDArray[Any], size: int, step: int) -> NDArray[np.int32]:
    """Return the sums of `size` pixels of a row, from each `step`-th pixel on."""
    sums = np.zeros((values.shape[0], values.shape[1] + 1), np.int32)
    np.cumsum(values, axis=1, out=sums[:, 1:])
    return sums[:, size::step] - sums[:, :-size:step]


@dataclass(frozen=True, slots=True)
class ForegroundWindows:
    """Windows of a frame that have enough foreground, counted row by row.

    Attributes
    ----------
    size : int
        Side of a window, pixels.
    least : float
        Smallest foreground fraction.
    threshold : float
        Foreground is brighter.
    counts : ndarray of shape (Y - size + 1,), int64
        Windows whose corner lies in this row or above.

    Examples
    --------
    >>> windows = ForegroundWindows.of(np.eye(3), 2, 0.5)
    >>> len(windows), windows.corner(np.eye(3), 1)
    (2, (1, 1))
    """

    size: int
    least: float
    threshold: float
    counts: NDArray[np.int64]

    @classmethod
    def of(cls, fluorescence: NDArray[np.generic], size: int, least: float) -> ForegroundWindows:
        """Return the windows of a whole frame (Y, X)."""
        image = np.asarray(fluorescence, dtype=np.float64)
        threshold = foreground_threshold(image)
        fractions = window_fractions(image > threshold, size)
        return cls(size, least, threshold, (fractions >= least).sum(1).cumsum())

    def __len__(self) -> int:
        return int(self.counts[-1])

    def corner(self, fluorescence: NDArray[np.generic], number: int) -> tuple[int, int]:
        """Return row and column of a window; they are numbered row by row from 0."""
        row = int(np.searchsorted(self.counts, number, side="right"))
        before = int(self.counts[row - 1]) if row else 0
        rows = np.asarray(fluorescence[row : row + self.size], dtype=np.float64)
        fractions = window_fractions(rows > self.threshold, self.size)[0]
        passing = np.flatnonzero(fractions >= self.least)
        return row, int(passing[number - before])


def middle(image: NDArray[np.generic], size: int = 512) -> NDArray[np.generic]:
    """Return the middle of an image, at most `size` pixels high and wide.

    Examples
    --------
    >>> middle(np.arange(5)[None], 3).tolist()
    [[1, 2, 3]]
    """
    return image[middle_part(image.shape, size)]


def middle_part(shape: Sequence[int], largest: int | None) -> tuple[slice, slice]:
    """Return rows and columns of the middle of an image (Y, X), at most so many; None is all.

    Examples
    --------
    >>> middle_part((2, 5), 3)
    (slice(0, 2, None), slice(1, 4, None))
    """
    kept = [size if largest is None else min(size, largest) for size in shape]
    starts = [(size - length) // 2 for size, length in zip(shape, kept, strict=True)]
    rows, columns = (slice(s, s + n) for s, n in zip(starts, kept, strict=True))
    return rows, columns


def sharpness(fluorescence: ArrayLike) -> float:
    """Return how much of an image's contrast is fine, 0 (out of focus) to 1.

    The ratio of the variance between Gaussian scales of 1 and 3 pixels to the variance
    below 1 pixel's scale: noise is left out of both, and gain and offset cancel.

    Parameters
    ----------
    fluorescence : array of shape (Y, X)

    Examples
    --------
    >>> image = np.random.default_rng(0).normal(size=(64, 64))
    >>> sharpness(image) > sharpness(ndimage.gaussian_filter(image, 4))
    True
    """
    image = np.asarray(fluorescence, dtype=np.float64)
    smooth = ndimage.gaussian_filter(image, 1, mode="mirror")
    variance = float(smooth.var())
    if variance <= 0:
        return 0.0
    fine = smooth - ndimage.gaussian_filter(image, 3, mode="mirror")
    return min(1.0, float(fine.var()) / variance)


def in_focus(sharpnesses: ArrayLike, groups: ArrayLike) -> NDArray[np.bool_]:
    """Return which frames are largely in focus, compared within their group.

    A frame counts as out of focus when its sharpness is below half of the 90th
    percentile of its group's.

    Parameters
    ----------
    sharpnesses : array of shape (N,)
        Of :func:`sharpness`.
    groups : array of shape (N,)
        Group of each frame.

    Examples
    --------
    >>> in_focus([0.4, 0.1, 0.38], ["a", "a", "a"]).tolist()
    [True, False, True]
    """
    values, names = np.asarray(sharpnesses, float), np.asarray(groups)
    result = np.ones(values.shape, bool)
    for name in np.unique(names):
        member = names == name
        result[member] = values[member] >= 0.5 * np.percentile(values[member], 90)
    return result


def sampling_weights(
    focused: NDArray[np.bool_], out_of_focus_share: float | None
) -> NDArray[np.float64]:
    """Return the probability with which each frame is drawn.

    Parameters
    ----------
    focused : ndarray of shape (N,)
        Of :func:`in_focus`.
    out_of_focus_share : float or None
        Wanted share of draws from frames out of focus; None leaves them as they are.

    Examples
    --------
    >>> sampling_weights(np.array([True, True, False]), 0.2).round(2).tolist()
    [0.4, 0.4, 0.2]
    """
    count = len(focused)
    if out_of_focus_share is None or focused.all() or not focused.any():
        return np.full(count, 1 / count)
    share = np.where(focused, 1 - out_of_focus_share, out_of_focus_share)
    weights: NDArray[np.float64] = share / np.where(focused, focused.sum(), (~focused).sum())
    return weights
