"""What images look like in numbers, to tell whether a model fits a microscope.

The numbers are taken of *normalised* images, as the network sees them. A model card
holds their mean and spread over the training frames; a new movie is held against it.
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


def summarise_statistics(statistics: Iterable[ImageStatistics]) -> dict[str, Any]:
    """Return mean and spread over images, as plain values for a model card.

    Examples
    --------
    >>> images = np.random.default_rng(0).normal(size=(3, 64, 64))
    >>> summarise_statistics(image_statistics(image) for image in images)["images"]
    3
    """
    vectors = np.array([item.vector() for item in statistics])
    if not vectors.size:
        return {}
    return {
        "images": len(vectors),
        "quantiles_at": list(QUANTILES),
        "bands": BANDS,
        "mean": [round(float(v), 5) for v in vectors.mean(0)],
        "sd": [round(float(v), 5) for v in vectors.std(0)],
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
        Root mean squares ``histogram``, ``texture`` and ``noise``; about 1 for an image like the
        training images. Empty when the card has no summary.

    Notes
    -----
    Spreads are floored (0.1 for quantiles, 0.1 for powers of ten), since a handful of training
    frames of one cell would otherwise call any other cell foreign.

    Examples
    --------
    >>> images = np.random.default_rng(0).normal(size=(5, 64, 64))
    >>> numbers = [image_statistics(image) for image in images]
    >>> deviations(numbers[0], summarise_statistics(numbers))["texture"] < 2
    True
    """
    if not summary:
        return {}
    mean, spread = np.array(summary["mean"]), np.array(summary["sd"])
    z = (statistics.vector() - mean) / np.maximum(spread, 0.1)
    first = len(summary["quantiles_at"])
    parts = {"histogram": z[:first], "texture": z[first:-1], "noise": z[-1:]}
    return {name: float(np.sqrt(np.mean(part**2))) for name, part in parts.items()}


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
