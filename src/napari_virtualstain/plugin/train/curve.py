"""Points of a curve in a box of pixels."""

from __future__ import annotations

import numpy as np

_MOST_POINTS = 400


def scaled(values: list[tuple[float, float]], width: int, height: int) -> np.ndarray:
    """Return points (x, y) in a box of `width` and `height`, y upwards, thinned where many.

    Examples
    --------
    >>> scaled([(0, 1.0), (10, 3.0)], 100, 50).tolist()
    [[0.0, 50.0], [100.0, 0.0]]
    """
    points = np.asarray(values, float)
    points = points[np.isfinite(points).all(axis=1)]
    if not len(points):
        return np.zeros((0, 2))
    points = points[:: max(1, len(points) // _MOST_POINTS)]
    low, high = points.min(axis=0), points.max(axis=0)
    span = np.where(high > low, high - low, 1.0)
    unit = (points - low) / span
    return np.column_stack([unit[:, 0] * width, (1 - unit[:, 1]) * height])
