"""Weight maps: the weight of each pixel of a fluorescence image in training.

Most pixels of a fluorescence image are noise on a dark background, and plain L1 spends
most of its effort there. The paper multiplies the error with a map derived from the
target; its Fig. 6 compares five, and the deconvolution by the microscope's PSF won.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import InputError, check_choice, check_kind
from .background import Background, subtract_background
from .blur import make_blur
from .deconvolution import checked_image, checked_kernel, richardson_lucy
from .gibson_lanni import gibson_lanni_psf

WeightKind = Literal["psf_deconvolution", "psf_convolution", "gaussian", "logit", "binary", "none"]
Maximum = Literal["max", "robust"]
Normalisation = Literal["max", "mean"]
Map = NDArray[np.float32]
ROBUST_PERCENTILE = 99.9


def weight_map(
    fluorescence: ArrayLike,
    kind: WeightKind = "psf_deconvolution",
    *,
    psf: ArrayLike | None = None,
    iterations: int = 20,
    background: Background = None,
    background_percentile: float = 5.0,
    maximum: Maximum = "max",
    normalise: Normalisation = "max",
    floor: float = 0.0,
    sigma_px: float = 1.0,
) -> Map:
    """Return the weight of each pixel of a target image.

    Compute it once for a whole frame, before cropping: borders then matter least and all
    crops share one scale. It may be flipped and turned with the image.

    Parameters
    ----------
    fluorescence : array_like of shape (Y, X) or (N, Y, X)
        Target images; each of the N has its own map.
    kind : str
        ``psf_deconvolution`` (the paper's choice), ``psf_convolution``, ``gaussian``,
        ``logit`` (sigmoid about Otsu's threshold in units of the standard deviation),
        ``binary`` (above Otsu's threshold) or ``none`` (1 everywhere).
    psf : array_like of shape (odd, odd), optional
        For the two PSF kinds; None is :func:`gibson_lanni_psf` with its defaults.
    iterations : int
        Of Richardson-Lucy.
    background : float, "percentile", "local" or None
        What to subtract first, see :func:`subtract_background`. The strongest lever:
        it doubles the weight of mitochondria relative to their surroundings.
    background_percentile : float
        For ``"percentile"``.
    maximum : str
        Divide by the ``"max"`` (paper) or, ``"robust"``, by the 99.9th percentile and
        clip at 1, so that one bright spot does not dim all others.
    normalise : str
        ``"max"``: values in [0, 1]. ``"mean"``: then scaled to mean 1, so that the
        weight of the term in a loss does not depend on how much of the image is dark.
    floor : float
        Smallest weight, 0 to 1; above 0 also the background keeps a gradient.
    sigma_px : float
        Of the 5x5 Gaussian.

    Returns
    -------
    ndarray of the shape of `fluorescence`, float32

    Raises
    ------
    InputError
        An unknown name, a number out of range, NaN in the image, a bad kernel.

    Notes
    -----
    Eq. 2 of the paper, on the *target*: W = RL(y, psf) / max RL(y, psf).

    Examples
    --------
    >>> image = np.zeros((16, 16))
    >>> image[8, 4:12] = 100
    >>> weight = weight_map(image, floor=0.05)
    >>> float(weight.max()), round(float(weight.min()), 3)
    (1.0, 0.05)
    """
    check_choice(kind, get_args(WeightKind), "kind")
    check_choice(maximum, get_args(Maximum), "maximum")
    check_choice(normalise, get_args(Normalisation), "normalise")
    check_kind(floor, (int, float, np.number), "floor", "a number from 0 to 1")
    if not 0 <= floor <= 1:
        raise InputError(f"floor is {floor}: expected a number from 0 to 1.")
    images = checked_image(fluorescence, np.float32)
    kernel = _kernel(kind, psf, sigma_px)
    stack = images[None] if images.ndim == 2 else images
    maps = np.empty_like(stack)
    for image, out in zip(stack, maps, strict=True):
        shine = subtract_background(image, background, percentile=background_percentile)
        raw = _raw_map(shine, kind, kernel, iterations)
        # Two maps are made on the scale of 0 to 1; the others are intensities.
        scaled = raw if kind in ("binary", "logit", "none") else _scaled(raw, maximum)
        out[...] = floor + (1 - floor) * scaled
        if normalise == "mean" and out.any():
            out /= out.mean(dtype=np.float64)
    return maps[0] if images.ndim == 2 else maps


def _kernel(kind: str, psf: ArrayLike | None, sigma_px: float) -> NDArray[np.float64]:
    if kind == "gaussian":
        if not np.isfinite(sigma_px) or sigma_px <= 0:
            raise InputError(f"sigma_px is {sigma_px}: expected a positive number of pixels.")
        line = np.exp(-0.5 * (np.arange(-2, 3) / sigma_px) ** 2)
        return checked_kernel(np.outer(line, line))
    return gibson_lanni_psf() if psf is None else checked_kernel(psf)


def _raw_map(
    image: NDArray[Any], kind: str, kernel: NDArray[np.float64], iterations: int
) -> NDArray[Any]:
    if kind == "none":
        return np.ones_like(image)
    if kind in ("binary", "logit"):
        return _threshold_map(image, smooth=kind == "logit")
    if kind == "psf_deconvolution":
        return richardson_lucy(image, kernel, iterations=iterations)
    blurred = np.empty_like(image)
    blur = make_blur(kernel, (image.shape[0], image.shape[1]), image.dtype)
    blur.source[...] = image
    blur.forward(blurred)
    np.maximum(blurred, 0, out=blurred)
    return blurred


def _threshold_map(image: NDArray[Any], *, smooth: bool) -> NDArray[Any]:
    from skimage.filters import threshold_otsu

    spread = float(image.std(dtype=np.float64))
    if spread == 0:
        # Nothing stands out of a constant image, and Otsu's threshold is undefined there.
        return np.full_like(image, 0.5 if smooth else 0.0)
    whole = np.rint(image)
    # Counts get one bin a grey level, as their integer image would; 256 bins of other
    # edges move the threshold by a level.
    counts = bool((whole == image).all()) and float(image.max()) < 2**16
    threshold = float(threshold_otsu(whole.astype(np.int32) if counts else image))
    if not smooth:
        return np.asarray(image > threshold, dtype=image.dtype)
    return np.asarray(1 / (1 + np.exp((threshold - image) / spread)), dtype=image.dtype)


def _scaled(raw: NDArray[Any], maximum: str) -> NDArray[Any]:
    top = float(raw.max())
    if maximum == "robust":
        # In an almost empty image the percentile can be 0; then the maximum has to do.
        top = float(np.percentile(raw, ROBUST_PERCENTILE)) or top
    return np.clip(raw / top, 0, 1) if top > 0 else np.zeros_like(raw)
