"""Replacement of pixels that are not finite, so that they do not spread.

One NaN would blacken everything within the reach of the network. Dead pixels and
padding of registered movies make them common.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .warnings import NonFiniteWarning

_SIGMAS = (1.0, 4.0, 16.0)


def fill_non_finite(plane: NDArray[Any], fallback: float = 0.0) -> tuple[NDArray[Any], int]:
    """Return the plane with every NaN and infinity replaced, and how many there were.

    Parameters
    ----------
    plane : ndarray of shape (Y, X)
        Returned itself, not a copy, if it is finite.
    fallback : float
        For pixels without a finite one within about 60 pixels.

    Notes
    -----
    A gap gets the Gaussian-weighted mean of its finite surroundings, with the smallest
    of three widths that reaches any.

    Examples
    --------
    >>> filled, count = fill_non_finite(np.array([[1.0, np.nan, 1.0]]))
    >>> filled.tolist(), count
    ([[1.0, 1.0, 1.0]], 1)
    """
    if plane.dtype.kind != "f":
        return plane, 0
    finite = np.isfinite(plane)
    count = int(plane.size - np.count_nonzero(finite))
    if not count:
        return plane, 0
    from scipy import ndimage  # few images have gaps

    # float64 and centred: sums of 32-bit counts would lose the digits that matter
    centre = float(np.median(plane[finite])) if finite.any() else fallback
    values = np.where(finite, plane, centre).astype(np.float64) - centre
    missing = ~finite
    filled = values.copy()
    for sigma in _SIGMAS:
        if not missing.any():
            break
        weight = ndimage.gaussian_filter(finite.astype(np.float64), sigma)
        total = ndimage.gaussian_filter(np.where(finite, values, 0.0), sigma)
        reached = missing & (weight > 1e-6)
        filled[reached] = total[reached] / weight[reached]
        missing &= ~reached
    filled[missing] = fallback - centre
    return (filled + centre).astype(plane.dtype), count


def fill_planes(planes: NDArray[Any], fallbacks: Sequence[float]) -> NDArray[Any]:
    """Return planes, (C, Y, X), each filled, with a warning if anything was missing.

    Examples
    --------
    >>> fill_planes(np.ones((1, 2, 2)), [0.0]).tolist()
    [[[1.0, 1.0], [1.0, 1.0]]]
    """
    filled = [
        fill_non_finite(plane, fallback) for plane, fallback in zip(planes, fallbacks, strict=True)
    ]
    count = sum(count for _, count in filled)
    if count:
        warnings.warn(
            f"Pixels of a frame that are NaN or infinite ({count}) were replaced by the mean of "
            "their finite neighbours.",
            NonFiniteWarning,
            stacklevel=2,
        )
    return np.stack([plane for plane, _ in filled])
