"""The level of an image where nothing shines."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, minimum_filter

from ..errors import InputError, shown

Background = float | Literal["percentile", "local"] | None


def subtract_background(
    image: NDArray[Any],
    background: Background,
    *,
    percentile: float = 5.0,
    radius_px: float = 25.0,
) -> NDArray[Any]:
    """Return an image minus its background, not below 0.

    Parameters
    ----------
    image : ndarray of shape (Y, X), float
        Intensities.
    background : float, "percentile", "local" or None
        A number of counts, such as the offset of the camera; a percentile of the image;
        a slowly varying level, which also takes away haze; or nothing.
    percentile : float
        Which percentile, 0 to 100.
    radius_px : float
        Scale of the local level: larger than any mitochondrion is wide.

    Returns
    -------
    ndarray of shape (Y, X)

    Raises
    ------
    InputError
        An unknown method, or a number that is not finite.

    Examples
    --------
    >>> subtract_background(np.array([[90.0, 110.0]]), 100.0)
    array([[ 0., 10.]])
    """
    if background is None:
        return image
    level: NDArray[Any] | float
    method = background if isinstance(background, str) else None
    if method == "percentile":
        if not 0 <= percentile <= 100:
            raise InputError(f"The percentile is {percentile}: expected 0 to 100.")
        level = float(np.percentile(image, percentile))
    elif method == "local":
        level = _local_level(image, radius_px)
    elif isinstance(background, (int, float, np.number)) and np.isfinite(background):
        level = float(background)
    else:
        raise InputError(
            f"background is {shown(repr(background))}: expected a number of counts, 'percentile', "
            "'local' or None."
        )
    return np.asarray(np.maximum(image - level, 0), dtype=image.dtype)


def _local_level(image: NDArray[Any], radius_px: float) -> NDArray[Any]:
    """Return a smooth surface under the image: the minimum about each pixel, blurred."""
    if not np.isfinite(radius_px) or radius_px < 1:
        raise InputError(f"The radius is {radius_px} pixels: expected at least 1.")
    # The noise is smoothed first, otherwise the minimum is one of its extremes.
    smooth = gaussian_filter(image, 1.5, mode="reflect")
    lowest = minimum_filter(smooth, size=2 * round(radius_px) + 1, mode="reflect")
    return np.asarray(gaussian_filter(lowest, radius_px, mode="reflect"))
