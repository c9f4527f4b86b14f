"""Richardson-Lucy deconvolution with mirrored borders."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from ..errors import InputError, shown
from .blur import Blur, make_blur


def richardson_lucy(
    image: ArrayLike,
    psf: ArrayLike,
    *,
    iterations: int = 20,
    dtype: DTypeLike | None = None,
) -> NDArray[Any]:
    """Return the deconvolved image.

    Parameters
    ----------
    image : array_like of shape (Y, X) or (N, Y, X)
        Intensities of any real type; each of the N images is treated by itself. Values
        below 0 count as 0.
    psf : array_like of shape (odd, odd)
        Point spread function; it is divided by its sum.
    iterations : int
        Number of iterations; 10 to 20 suit noisy wide-field images.
    dtype : dtype, optional
        float32 or float64. None: that of a float32 image, float64 for all others.

    Returns
    -------
    ndarray of the shape of `image`
        Non-negative, of the flux of `image`.

    Raises
    ------
    InputError
        NaN or infinity, a wrong number of dimensions, an even or negative kernel.

    Notes
    -----
    ``x <- x H^T(y / Hx)`` from the constant mean of y (Richardson 1972, Lucy 1974). The
    first iteration from a constant is the blurred image itself. With a symmetric kernel
    and mirrored borders H^T = H and H 1 = 1: flux is kept to rounding, a constant stays a
    constant up to the rim, and the Poisson likelihood never falls. Other kernels keep
    these nearly, since what leaves over the rim returns elsewhere.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_virtualstain.optics import gibson_lanni_psf
    >>> point = np.zeros((9, 9))
    >>> point[2:7, 2:7] = gibson_lanni_psf()
    >>> sharp = richardson_lucy(point, gibson_lanni_psf(), iterations=30)
    >>> bool(sharp[4, 4] > 4 * point[4, 4]), round(float(sharp.sum()), 6)
    (True, 1.0)
    """
    kernel = checked_kernel(psf)
    if not isinstance(iterations, (int, np.integer)) or iterations < 1:
        raise InputError(f"iterations is {iterations!r}: expected a whole number of at least 1.")
    observed = checked_image(image, dtype)
    stack = observed[None] if observed.ndim == 2 else observed
    restored = np.empty_like(stack)
    shape = stack.shape[1], stack.shape[2]
    estimate, ratio = (make_blur(kernel, shape, stack.dtype) for _ in range(2))
    for one, out in zip(stack, restored, strict=True):
        _restore(one, estimate, ratio, int(iterations), out)
    return restored[0] if observed.ndim == 2 else restored


def _restore(
    observed: NDArray[Any], estimate: Blur, ratio: Blur, iterations: int, out: NDArray[Any]
) -> None:
    """Iterate, and write the last estimate to `out`."""
    peak = float(observed.max())
    if peak == 0:
        out[...] = 0
        return
    # Rounding in a transform can give zero or less where nothing shines.
    floor = peak * (1e-12 if out.dtype == np.float32 else 1e-15)
    # A mean taken in float32 would make the result depend on the order of the pixels.
    estimate.source[...] = observed.mean(dtype=np.float64)
    for _ in range(iterations):
        estimate.forward(out)
        np.maximum(out, floor, out=out)
        np.divide(observed, out, out=ratio.source)
        ratio.adjoint(out)
        np.multiply(estimate.source, out, out=estimate.source)
    np.maximum(estimate.source, 0, out=out)


def checked_kernel(psf: ArrayLike) -> NDArray[np.float64]:
    """Return `psf` as float64 with sum 1.

    Raises
    ------
    InputError
        It is not two-dimensional with odd sides, finite, non-negative and above zero.
    """
    try:
        kernel = np.asarray(psf, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"The PSF is a {type(psf).__name__}: expected numbers of shape (Y, X)."
        ) from error
    if kernel.ndim != 2 or any(extent % 2 == 0 for extent in kernel.shape):
        raise InputError(
            f"The PSF has shape {kernel.shape}: expected two dimensions with an odd number of "
            "pixels each, such as (5, 5); an even kernel would shift the image."
        )
    if not np.isfinite(kernel).all() or (kernel < 0).any() or kernel.sum() <= 0:
        raise InputError(
            "The PSF holds NaN, infinite or negative values, or only zeros: expected "
            "non-negative numbers. gibson_lanni_psf makes one."
        )
    return np.asarray(kernel / kernel.sum())


def checked_image(image: ArrayLike, dtype: DTypeLike | None = None) -> NDArray[Any]:
    """Return `image` in floating point, clipped at 0.

    Raises
    ------
    InputError
        It is empty, complex, of a wrong number of dimensions, or holds NaN or infinity.
    """
    given = np.asarray(image)
    if given.ndim not in (2, 3) or given.size == 0:
        raise InputError(
            f"The image has shape {given.shape}: expected (Y, X) or (N, Y, X) with at least "
            "one pixel. Select a channel and a plane first."
        )
    if given.dtype.kind not in "buif":
        raise InputError(f"The image is of type {given.dtype}: expected real numbers.")
    values = given.astype(_floating_type(given, dtype))
    if not np.isfinite(values).all():
        bad = int(values.size - np.isfinite(values).sum())
        raise InputError(
            f"The image holds {bad} pixels that are NaN or infinite, and one would spread over "
            "all others. Replace them, for instance with numpy.nan_to_num."
        )
    np.maximum(values, 0, out=values)
    return values


def _floating_type(image: NDArray[Any], dtype: DTypeLike | None) -> np.dtype[Any]:
    """Return the asked type, or that of a float32 image, or float64."""
    if dtype is None:
        return np.dtype(np.float32 if image.dtype == np.float32 else np.float64)
    try:
        wanted = np.dtype(dtype)
    except (TypeError, ValueError):
        wanted = np.dtype(object)
    if wanted not in (np.float32, np.float64):
        raise InputError(f"dtype is {shown(repr(dtype))}: expected float32 or float64.")
    return wanted
