"""Image statistics that decide whether a model fits a microscope.

The numbers are taken of *normalised* images, as the network sees them. A model card
holds their mean and spread over the training frames; a new movie is held against it.

What is compared are few *features* of these numbers that neither gain nor offset of a camera
changes: the shape of the histogram, the fall of the spectrum, and the noise. They vary together
from frame to frame, so distances are Mahalanobis distances: on the published H9c2 pairs this
tells a 1.5-fold magnification from another cell, which single spreads do not. A loss of focus
moves the spectrum in one direction only, and is looked for along it
(``benchmarks/staining_fit.py``).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import fft, ndimage

QUANTILES = (0.1, 1.0, 5.0, 25.0, 50.0, 75.0, 95.0, 99.0, 99.9)
BANDS = 12
_FEWEST = 1e-6
_TEXTURE_BANDS = [0, 2, 4, 6, BANDS - 1]
# a slight loss of focus and a strong one, chosen with benchmarks/staining_fit.py
_BLURS_PX = (1.35, 1.75)


@dataclass(frozen=True, slots=True)
class ImageStatistics:
    """Numbers of one normalised image.

    Attributes
    ----------
    quantiles : tuple of float
        At the percentages of :data:`QUANTILES`.
    log_power : tuple of float
        log10 of the mean spectral power in :data:`BANDS` equal bands from 0 to 0.5 cycles
        a pixel, as a share of the whole.
    noise_sd : float
        Standard deviation of the pixel noise, from the finest differences.
    """

    quantiles: tuple[float, ...]
    log_power: tuple[float, ...]
    noise_sd: float

    def vector(self) -> NDArray[np.float64]:
        """Return all numbers one after the other, (N,)."""
        return np.array([*self.quantiles, *self.log_power, np.log10(self.noise_sd + _FEWEST)])


def image_statistics(image: ArrayLike) -> ImageStatistics:
    """Return the numbers of one normalised image of shape (Y, X).

    Examples
    --------
    >>> stats = image_statistics(np.random.default_rng(0).normal(0, 2, (128, 128)))
    >>> 1.9 < stats.noise_sd < 2.1
    True
    """
    values = np.nan_to_num(np.asarray(image, dtype=np.float64))
    return ImageStatistics(
        quantiles=tuple(float(q) for q in np.percentile(values, QUANTILES)),
        log_power=_band_powers(values),
        noise_sd=_noise_sd(values),
    )


def fit_features(statistics: ImageStatistics) -> dict[str, NDArray[np.float64]]:
    """Return the features by which an image is compared, in groups.

    Returns
    -------
    dict
        ``histogram``: the outer quantiles about the median, over the quartile distance,
        through asinh. ``texture``: powers of ten that the spectrum rises from band to
        band. ``noise``: log10 of the noise over the quartile distance.

    Examples
    --------
    >>> image = np.random.default_rng(0).normal(size=(64, 64))
    >>> one, other = (fit_features(image_statistics(i)) for i in (image, 5 * image + 100))
    >>> all(np.allclose(one[group], other[group]) for group in one)
    True
    """
    quantiles, power = np.array(statistics.quantiles), np.array(statistics.log_power)
    lower, median, upper = quantiles[3:6]
    # 1.349 quartile distances are a standard deviation of a normal distribution
    spread = (upper - lower) / 1.349 or 1.0
    outer = np.arcsinh((np.delete(quantiles, (3, 4, 5)) - median) / spread)
    noise = np.log10(statistics.noise_sd / spread + _FEWEST)
    return {
        "histogram": outer,
        "texture": np.diff(power[_TEXTURE_BANDS]),
        "noise": np.array([noise]),
    }


def summarise_statistics(statistics: Iterable[ImageStatistics]) -> dict[str, Any]:
    """Return mean and spread over images, as plain values for a model card.

    Examples
    --------
    >>> images = np.random.default_rng(0).normal(size=(3, 64, 64))
    >>> summarise_statistics(image_statistics(image) for image in images)["images"]
    3
    """
    items = list(statistics)
    if not items:
        return {}
    vectors = np.array([item.vector() for item in items])
    features = [fit_features(item) for item in items]
    return {
        "images": len(vectors),
        "quantiles_at": list(QUANTILES),
        "bands": BANDS,
        "mean": [round(float(v), 5) for v in vectors.mean(0)],
        "sd": [round(float(v), 5) for v in vectors.std(0)],
        "features": {
            group: _moments(np.array([feature[group] for feature in features]))
            for group in features[0]
        },
    }


def deviations(statistics: ImageStatistics, summary: dict[str, Any]) -> dict[str, float]:
    """Return how far an image lies from the training images, in their spreads.

    Parameters
    ----------
    statistics : ImageStatistics
        Of the image.
    summary : dict
        Of :func:`summarise_statistics`, from the model card.

    Returns
    -------
    dict
        Distances ``histogram``, ``texture`` and ``noise``; about 1 for an image like the
        training images. And ``focus``, how far an image has less detail in the way that a blur
        makes it; 0 for one as sharp. Empty when the card has no summary.

    Notes
    -----
    Mahalanobis distances, divided by the root of the number of features. Spreads are floored,
    more so for few images, since a handful of training frames of one cell would otherwise call
    any other cell foreign.

    Examples
    --------
    >>> images = np.random.default_rng(0).normal(size=(5, 64, 64))
    >>> numbers = [image_statistics(image) for image in images]
    >>> deviations(numbers[0], summarise_statistics(numbers))["texture"] < 2
    True
    """
    known = summary.get("features", {})
    found = fit_features(statistics)
    count = int(summary.get("images", 1))
    distances = {
        group: _distance(found[group], known[group], count) for group in found if group in known
    }
    if "texture" in known:
        distances["focus"] = max(0.0, _blur(found["texture"], summary))
    return distances


def feature_shifts(statistics: ImageStatistics, summary: dict[str, Any]) -> dict[str, float]:
    """Return by how much each group of features lies above the training images, on the mean.

    Positive ``histogram`` means a longer bright side, positive ``texture`` more fine
    structure, positive ``noise`` more noise, positive ``focus`` less detail.

    Examples
    --------
    >>> images = np.random.default_rng(0).normal(size=(5, 64, 64))
    >>> known = summarise_statistics(image_statistics(image) for image in images)
    >>> smooth = image_statistics(ndimage.gaussian_filter(images[0], 2))
    >>> feature_shifts(smooth, known)["texture"] < 0
    True
    """
    known = summary.get("features", {})
    found = fit_features(statistics)
    shifts = {
        group: float(np.mean(values - np.array(known[group]["mean"])))
        for group, values in found.items()
        if group in known
    }
    if "texture" in known:
        shifts["focus"] = _blur(found["texture"], summary)
    return shifts


def _moments(values: NDArray[np.float64]) -> dict[str, Any]:
    centred = values - values.mean(0)
    covariance = centred.T @ centred / len(values)
    return {
        "mean": [round(float(v), 5) for v in values.mean(0)],
        "covariance": [[round(float(v), 7) for v in row] for row in covariance],
    }


def _distance(values: NDArray[np.float64], known: dict[str, Any], images: int) -> float:
    difference = values - np.array(known["mean"])
    within = np.linalg.solve(_covariance(known, images), difference)
    return float(np.sqrt(difference @ within / len(values)))


def _covariance(known: dict[str, Any], images: int) -> NDArray[np.float64]:
    covariance = np.array(known["covariance"])
    return covariance + (0.05**2 + 0.1 / max(1, images)) * np.eye(len(covariance))


def _blur(texture: NDArray[np.float64], summary: dict[str, Any]) -> float:
    """Return how many spreads a texture has moved as a blur of the training images would move it.

    Matched filters, of which the largest answer counts: the directions are those of the mean
    training image blurred by :data:`_BLURS_PX` pixels before its noise, which the camera adds, is
    added.
    """
    known, start = summary["features"]["texture"], len(QUANTILES)
    usual = 10.0 ** np.array(summary["mean"][start : start + BANDS])
    frequency = (np.arange(BANDS) + 0.5) / (2 * BANDS)
    covariance = _covariance(known, int(summary.get("images", 1)))
    moved = texture - np.array(known["mean"])
    answers = []
    for blur_px in _BLURS_PX:
        passed = np.exp(-((2 * np.pi * blur_px * frequency) ** 2))
        blurred = np.maximum(usual - usual[-1], 0) * passed + usual[-1]
        direction = np.diff(np.log10(blurred / usual)[_TEXTURE_BANDS])
        within = np.linalg.solve(covariance, direction)
        answers.append(within @ moved / np.sqrt(within @ direction + 1e-12))
    return float(max(answers))


def _band_powers(image: NDArray[np.float64]) -> tuple[float, ...]:
    window = np.outer(np.hanning(image.shape[0]), np.hanning(image.shape[1]))
    power = np.abs(fft.rfft2((image - image.mean()) * window)) ** 2
    radius = np.hypot(fft.fftfreq(image.shape[0])[:, None], fft.rfftfreq(image.shape[1])[None, :])
    band = np.minimum((radius / 0.5 * BANDS).astype(int), BANDS)
    sums = np.bincount(band.ravel(), power.ravel(), BANDS + 1)[:BANDS]
    counts = np.bincount(band.ravel(), minlength=BANDS + 1)[:BANDS]
    means = sums / np.maximum(counts, 1)
    total = float(means.sum())
    if total <= 0:
        return (0.0,) * BANDS
    return tuple(float(v) for v in np.log10(means / total + 1e-9))


def _noise_sd(image: NDArray[np.float64]) -> float:
    """Return the noise after Immerkaer (1996), with a robust mean."""
    kernel = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], float)
    residual = ndimage.convolve(image, kernel, mode="mirror") / 6
    return float(1.4826 * np.median(np.abs(residual)))
