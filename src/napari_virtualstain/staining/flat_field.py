"""Division of a frame by its slow illumination field.

A lamp that is off its axis, or a field stop that drifts, makes a frame brighter on one side. The
field is the quadratic surface through the medians of blocks, in which the structure of cells
hardly shows; each frame has its own, so that one that drifts is followed.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_BLOCKS = 16  # along each side
_ROUNDS = 3
_OUTLIER = 3.0  # standard deviations from the surface
_RANGE = (0.2, 5.0)  # of the field, of mean 1: darker corners hold no signal to restore


def flattened(plane: NDArray[Any]) -> NDArray[np.float32]:
    """Return a whole frame divided by its illumination field of mean 1.

    Parameters
    ----------
    plane : ndarray of shape (Y, X)
        Counts of a camera. A frame that is not brighter than 0 everywhere is returned as it is,
        as is one of less than 16 pixels a side.

    Examples
    --------
    >>> y, x = np.indices((64, 64)) / 64
    >>> bool(np.ptp(flattened(1000 * (1 + 0.3 * x))) < 1)
    True
    """
    values = np.asarray(plane, np.float32)
    if min(values.shape) < _BLOCKS:
        return values
    rows, columns = (np.array_split(np.arange(length), _BLOCKS) for length in values.shape)
    with np.errstate(invalid="ignore"):
        levels = np.array(
            [[np.median(values[r[0] : r[-1] + 1, c[0] : c[-1] + 1]) for c in columns] for r in rows]
        )
    if not np.isfinite(levels).all() or levels.min() <= 0:
        return values
    y, x = (
        np.array([part.mean() for part in parts]) / length
        for parts, length in zip((rows, columns), values.shape, strict=True)
    )
    weights = _surface(levels, y, x)
    field = _evaluated(weights, *(np.arange(n) / n for n in values.shape))
    field = np.clip(field / field.mean(), *_RANGE)
    flat: NDArray[np.float32] = (values / field).astype(np.float32)
    return flat


def _terms(y: NDArray[Any], x: NDArray[Any]) -> NDArray[np.float64]:
    """Return the terms of a quadratic surface at each place of a grid, (6, Y, X)."""
    rows, columns = np.meshgrid(y, x, indexing="ij")
    one = np.ones_like(rows)
    return np.stack([one, rows, columns, rows**2, rows * columns, columns**2])


def _surface(levels: NDArray[Any], y: NDArray[Any], x: NDArray[Any]) -> NDArray[np.float64]:
    """Return the weights of the terms, blocks that stand out left aside."""
    terms, heights = _terms(y, x).reshape(6, -1).T, levels.ravel()
    kept = np.ones(len(heights), bool)
    for _ in range(_ROUNDS):
        weights = np.linalg.lstsq(terms[kept], heights[kept], rcond=None)[0]
        rest = heights - terms @ weights
        spread = 1.4826 * np.median(np.abs(rest[kept]))
        kept = np.abs(rest) <= max(_OUTLIER * spread, 1e-6 * abs(heights).max())
        if kept.sum() < len(heights) / 2:
            break
    return np.asarray(weights)


def _evaluated(
    weights: NDArray[np.float64], y: NDArray[Any], x: NDArray[Any]
) -> NDArray[np.float32]:
    # a row at a time in one dimension: six full planes of a large frame would cost memory
    one, down, across, down2, both, across2 = weights
    along_y = (one + down * y + down2 * y**2)[:, None]
    along_x = (across * x + across2 * x**2)[None, :]
    return np.asarray(along_y + along_x + both * y[:, None] * x[None, :], np.float32)
