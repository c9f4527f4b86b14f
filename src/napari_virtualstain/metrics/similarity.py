"""Scores of one image against its reference, pixel by pixel.

All of them compute in float64 and take the range of the data as an argument where they
depend on it. SSIM and PSNR say little without it: two independent noise images reach an
SSIM of 0.82 at a data range of 1 and 0.04 at 0.1.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.metrics import structural_similarity

from ..axes import check_positive
from ..errors import InputError
from .comparable import Image, as_pair, is_constant

SSIM_WINDOW = 11
FINE_UM, COARSE_UM = 0.08, 0.64


def pearson(predicted: npt.ArrayLike, reference: npt.ArrayLike) -> float:
    """Return Pearson's correlation of the pixels in [-1, 1]; NaN if either is constant.

    Parameters
    ----------
    predicted, reference : array_like, equal shapes

    Examples
    --------
    >>> round(pearson([[0, 1, 2]], [[1, 3, 5]]), 6)
    1.0
    """
    first, second = as_pair(predicted, reference)
    if is_constant(first) or is_constant(second):
        return math.nan
    first, second = first - first.mean(), second - second.mean()
    # norms first, so that neither tiny nor huge intensities leave the range of float64
    first, second = first / np.linalg.norm(first), second / np.linalg.norm(second)
    return float(np.clip(np.sum(first * second), -1.0, 1.0))


def band_pass(
    image: Image,
    *,
    pixel_size_um: float = 0.08,
    fine_um: float = FINE_UM,
    coarse_um: float = COARSE_UM,
) -> Image:
    """Return the structure of `image` between two sizes: Gauss(fine) minus Gauss(coarse).

    Parameters
    ----------
    image : ndarray, shape (Y, X), float64
    pixel_size_um : float
        Size of a pixel, micrometres.
    fine_um, coarse_um : float
        Standard deviations of the two Gaussians, micrometres. The defaults are 1 and 8
        pixels at 80 nm: noise and the envelope of the cell both fall out. Where a pixel is
        larger than `fine_um`, the band begins at one pixel; from `coarse_um` on it is empty,
        and the result zero.

    Raises
    ------
    InputError
        A size is not positive, or fine is not below coarse.

    Examples
    --------
    >>> import numpy as np
    >>> float(abs(band_pass(np.full((16, 16), 7.0))).max()) < 1e-12
    True
    """
    pixel = check_positive(pixel_size_um, "pixel size", "µm") or FINE_UM
    if not 0 < fine_um < coarse_um:
        raise InputError(
            f"The band is {fine_um} to {coarse_um} µm: expected 0 < fine < coarse, "
            f"for instance {FINE_UM} and {COARSE_UM}."
        )
    # below one pixel there is noise alone
    fine_px, coarse_px = max(fine_um / pixel, 1.0), coarse_um / pixel
    if fine_px >= coarse_px:
        return np.zeros(np.shape(image))
    fine = ndimage.gaussian_filter(image, fine_px)
    coarse = ndimage.gaussian_filter(image, coarse_px)
    return np.asarray(fine - coarse, dtype=np.float64)


def bandpass_pearson(
    predicted: npt.ArrayLike, reference: npt.ArrayLike, *, pixel_size_um: float = 0.08
) -> float:
    """Return Pearson's correlation of the fine structure; NaN if either has none.

    Plain Pearson mostly sees that the thick part of a cell is bright. This one compares
    what lies between 1 and 8 pixels at 80 nm: the mitochondria themselves.

    Parameters
    ----------
    predicted, reference : array_like, shape (Y, X)
    pixel_size_um : float
        Size of a pixel, micrometres. The band is 0.08 to 0.64 µm, or begins at one pixel where
        pixels are coarser; from 0.64 µm on there is none, and the result is NaN.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> one, other = rng.random((2, 128, 128))       # nothing in common but an envelope
    >>> envelope = 2 * np.hanning(128) * np.hanning(128)[:, None]
    >>> round(pearson(one + envelope, other + envelope), 1)
    0.8
    >>> round(bandpass_pearson(one + envelope, other + envelope), 1)
    0.3
    """
    first, second = as_pair(predicted, reference)
    return pearson(
        band_pass(first, pixel_size_um=pixel_size_um),
        band_pass(second, pixel_size_um=pixel_size_um),
    )


def ssim_map(predicted: npt.ArrayLike, reference: npt.ArrayLike, *, data_range: float) -> Image:
    """Return the structural similarity around each pixel, Wang et al. 2004.

    Gaussian window of 1.5 pixels cut at 11 x 11, population covariance.

    Parameters
    ----------
    predicted, reference : array_like, shape (Y, X), at least 11 x 11
    data_range : float
        Largest minus smallest possible intensity.

    Raises
    ------
    InputError
        Unlike or too small images, or a data range that is not positive.

    Examples
    --------
    >>> import numpy as np
    >>> image = np.random.default_rng(0).random((16, 16))
    >>> float(ssim_map(image, image, data_range=1).min()) > 1 - 1e-12
    True
    """
    first, second = as_pair(predicted, reference)
    if first.ndim != 2 or min(first.shape) < SSIM_WINDOW:
        raise InputError(
            f"The images have shape {first.shape}: SSIM needs (Y, X) of at least "
            f"{SSIM_WINDOW} x {SSIM_WINDOW} pixels. Colour images: give one channel."
        )
    _, full = structural_similarity(
        first,
        second,
        data_range=check_positive(data_range, "data range", "intensity units"),
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        full=True,
    )
    return np.asarray(full, dtype=np.float64)


def ssim(predicted: npt.ArrayLike, reference: npt.ArrayLike, *, data_range: float) -> float:
    """Return the mean structural similarity without the 5 pixels at the rim.

    See :func:`ssim_map` for the parameters. A camera offset inflates it: adding 100 to
    both images at the same data range raises it.

    Examples
    --------
    >>> import numpy as np
    >>> image = np.random.default_rng(0).random((16, 16))
    >>> round(ssim(image, image, data_range=1), 6)
    1.0
    """
    return mean_without_rim(ssim_map(predicted, reference, data_range=data_range))


def mean_without_rim(similarity: Image) -> float:
    """Return the mean of an SSIM map without the 5 pixels where the window sticks out.

    Examples
    --------
    >>> import numpy as np
    >>> mean_without_rim(np.pad(np.ones((1, 1)), 5))
    1.0
    """
    rim = SSIM_WINDOW // 2
    return float(similarity[rim:-rim, rim:-rim].mean())


def psnr(predicted: npt.ArrayLike, reference: npt.ArrayLike, *, data_range: float) -> float:
    """Return the peak signal-to-noise ratio in dB; infinity for equal images.

    Parameters
    ----------
    predicted, reference : array_like, equal shapes
    data_range : float
        Largest minus smallest possible intensity.

    Notes
    -----
    10 log10(R² / MSE) in float64. In uint8 the differences wrap and no image can fall
    below 24 dB.

    Examples
    --------
    >>> round(psnr([[0.0, 0.1]], [[0.0, 0.0]], data_range=1), 3)
    23.01
    """
    first, second = as_pair(predicted, reference)
    span = check_positive(data_range, "data range", "intensity units") or 1.0
    error = float(np.sqrt(np.mean((first - second) ** 2)))
    return 20 * math.log10(span / error) if error else math.inf


def nrmse(
    predicted: npt.ArrayLike,
    reference: npt.ArrayLike,
    *,
    normalisation: Literal["sd", "range", "euclidean"] = "sd",
) -> float:
    """Return the root mean square error in units of the reference; NaN where that is 0.

    Parameters
    ----------
    predicted, reference : array_like, equal shapes
    normalisation : {"sd", "range", "euclidean"}
        Divide by the reference's standard deviation (then 1 is what the best constant
        reaches), its maximum minus minimum, or its root mean square.

    Examples
    --------
    >>> nrmse([[2, 2]], [[1, 3]])
    1.0
    """
    first, second = as_pair(predicted, reference)
    if normalisation == "sd":
        scale = 0.0 if is_constant(second) else float(second.std())
    elif normalisation == "range":
        scale = float(np.ptp(second))
    elif normalisation == "euclidean":
        scale = float(np.sqrt(np.mean(second**2)))
    else:
        raise InputError(
            f"The normalisation is {normalisation!r}: expected 'sd', 'range' or 'euclidean'."
        )
    error = float(np.sqrt(np.mean((first - second) ** 2)))
    return error / scale if scale else math.nan
