"""Scores of the place of mitochondria, and of the intensities there.

Most of a field is background, and most scores are decided by it. Masks are Otsu's, each
image by its own threshold, so that a wrong gain or offset costs nothing here.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from skimage.filters import threshold_otsu

from .comparable import Image, as_image, as_pair, is_constant
from .similarity import nrmse, pearson, ssim_map

Mask = npt.NDArray[np.bool_]


def otsu_mask(image: npt.ArrayLike) -> Mask | None:
    """Return the pixels above Otsu's threshold, or None for a constant image.

    Parameters
    ----------
    image : array_like

    Examples
    --------
    >>> otsu_mask([[0, 0, 1, 9, 9]]).tolist()
    [[False, False, False, True, True]]
    """
    values = as_image(image)
    return None if is_constant(values) else np.asarray(values > threshold_otsu(values))


def mask_iou(predicted: npt.ArrayLike, reference: npt.ArrayLike) -> float:
    """Return intersection over union of the two Otsu masks; NaN if either is constant.

    Parameters
    ----------
    predicted, reference : array_like, equal shapes

    Examples
    --------
    >>> mask_iou([[0, 5, 5, 0]], [[0, 0, 9, 0]])
    0.5
    """
    first, second = (otsu_mask(image) for image in as_pair(predicted, reference))
    if first is None or second is None:
        return math.nan
    return float((first & second).sum() / (first | second).sum())


def foreground_scores(
    predicted: npt.ArrayLike,
    reference: npt.ArrayLike,
    *,
    data_range: float,
    foreground: Mask | None = None,
    similarity: Image | None = None,
) -> dict[str, float]:
    """Return Pearson, SSIM and NRMSE over the reference's foreground only.

    Parameters
    ----------
    predicted, reference : array_like, shape (Y, X)
    data_range : float
        Largest minus smallest possible intensity.
    foreground : ndarray of bool, shape (Y, X), optional
        Where to look; by default the reference's Otsu mask.
    similarity : ndarray, shape (Y, X), optional
        :func:`ssim_map` of the pair, where that is at hand.

    Returns
    -------
    dict
        ``foreground_pearson``, ``foreground_ssim``, ``foreground_nrmse`` and
        ``foreground_fraction``; NaN where there is no foreground.

    Examples
    --------
    >>> import numpy as np
    >>> image = np.random.default_rng(0).random((16, 16))
    >>> round(foreground_scores(image, image, data_range=1)["foreground_ssim"], 6)
    1.0
    """
    first, second = as_pair(predicted, reference)
    mask = otsu_mask(second) if foreground is None else np.asarray(foreground, dtype=bool)
    if mask is None or not mask.any():
        names = ("foreground_pearson", "foreground_ssim", "foreground_nrmse")
        return {**dict.fromkeys(names, math.nan), "foreground_fraction": 0.0}
    if similarity is None:
        similarity = ssim_map(first, second, data_range=data_range)
    return {
        "foreground_pearson": pearson(first[mask], second[mask]),
        "foreground_ssim": float(similarity[mask].mean()),
        "foreground_nrmse": nrmse(first[mask], second[mask]),
        "foreground_fraction": float(mask.mean()),
    }


def brightness_jumps(movie: npt.ArrayLike) -> Image:
    """Return how much each frame's brightness jumps out of its neighbours'.

    Parameters
    ----------
    movie : array_like, shape (T, Y, X)

    Returns
    -------
    ndarray, shape (T,), float64
        ``|m[t] - (m[t-1] + m[t+1]) / 2|`` over the mean of the movie, with m the mean of
        a frame. Bleaching, which is smooth, gives nothing. NaN for the first and the last frame.

    Examples
    --------
    >>> import numpy as np
    >>> brightness_jumps(np.ones((4, 2, 2)) * np.array([1, 1, 2, 0])[:, None, None])[1:3].tolist()
    [0.5, 1.5]
    """
    frames = as_image(movie, "movie")
    return jumps_of_means(frames.reshape(len(frames), -1).mean(axis=1))


def jumps_of_means(means: Image) -> Image:
    """Return :func:`brightness_jumps` from the mean of each frame, shape (T,).

    Examples
    --------
    >>> import numpy as np
    >>> jumps_of_means(np.array([1.0, 2.0, 1.0]))[1].item()
    0.75
    """
    jumps = np.full(len(means), math.nan)
    level = abs(float(means.mean())) if len(means) else 0.0
    if level:
        jumps[1:-1] = np.abs(means[1:-1] - (means[:-2] + means[2:]) / 2) / level
    return jumps
