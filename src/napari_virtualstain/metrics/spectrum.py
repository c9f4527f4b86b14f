"""Fourier ring correlation: the smallest size at which two images agree."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import fft
from scipy.signal.windows import tukey

from ..axes import check_positive
from ..errors import InputError
from .comparable import as_pair

CRITERION = 1 / 7
BAND_UM = (0.33, 2.0)


def fourier_ring_correlation(
    predicted: npt.ArrayLike,
    reference: npt.ArrayLike,
    *,
    pixel_size_um: float = 0.08,
    rings: int | None = None,
) -> pd.DataFrame:
    """Return the correlation of the two spectra ring by ring up to Nyquist's frequency.

    Parameters
    ----------
    predicted, reference : array_like, shape (Y, X), at least 8 x 8
    pixel_size_um : float
        Size of a pixel, micrometres.
    rings : int, optional
        Number of rings, by default half the shorter side.

    Returns
    -------
    DataFrame
        One row a ring: ``frequency_per_um``, ``size_um`` (its inverse), ``correlation``
        in [-1, 1] (NaN where a ring has no power), ``samples``.

    Raises
    ------
    InputError
        The images are not two-dimensional, or too small.

    Notes
    -----
    FRC(f) = Re Σ P R* / sqrt(Σ|P|² Σ|R|²) over the ring f (van Heel 1982), after taking
    the mean off and a Tukey window over a quarter of each side.

    Examples
    --------
    >>> import numpy as np
    >>> image = np.random.default_rng(0).random((32, 32))
    >>> bool(fourier_ring_correlation(image, image).correlation.min() > 0.999)
    True
    """
    first, second = as_pair(predicted, reference)
    if first.ndim != 2 or min(first.shape) < 8:
        raise InputError(
            f"The images have shape {first.shape}: Fourier ring correlation needs (Y, X) of at "
            "least 8 x 8 pixels."
        )
    pixel = check_positive(pixel_size_um, "pixel size", "µm") or 1.0
    ring, count = _ring_of_each_sample(first.shape, rings or min(first.shape) // 2)
    spectra = [_spectrum(image) for image in (first, second)]
    cross = _ring_sums((spectra[0] * spectra[1].conj()).real, ring, count)
    power = [_ring_sums(np.abs(spectrum) ** 2, ring, count) for spectrum in spectra]
    scale = np.sqrt(power[0] * power[1])
    frequency = (np.arange(count) + 0.5) / count / (2 * pixel)
    return pd.DataFrame(
        {
            "frequency_per_um": frequency,
            "size_um": 1 / frequency,
            "correlation": np.divide(
                cross, scale, out=np.full(count, math.nan), where=scale > 1e-12 * scale.max()
            ).clip(-1, 1),
            "samples": _ring_sums(np.ones(ring.shape), ring, count).astype(int),
        }
    )


def frc_summary(curve: pd.DataFrame, *, band_um: tuple[float, float] = BAND_UM) -> dict[str, float]:
    """Return the mean correlation of a band of sizes, and the smallest size that agrees.

    Parameters
    ----------
    curve : DataFrame
        From :func:`fourier_ring_correlation`.
    band_um : (float, float)
        Smallest and largest structure of the mean, micrometres.

    Returns
    -------
    dict
        ``frc``: mean over the band; ``frc_size_um``: where the curve first falls below 1/7,
        Nyquist's size where it never does, NaN where it never was above.

    Examples
    --------
    >>> import numpy as np
    >>> image = np.random.default_rng(0).random((32, 32))
    >>> frc_summary(fourier_ring_correlation(image, image))["frc_size_um"]
    0.16
    """
    inside = curve[(curve.size_um >= band_um[0]) & (curve.size_um <= band_um[1])]
    mean = float(inside.correlation.mean()) if len(inside) else math.nan
    below = np.flatnonzero(~(curve.correlation.to_numpy() > CRITERION))
    if not len(below):
        half_ring = curve.frequency_per_um.iloc[0]
        return {
            "frc": mean,
            "frc_size_um": float(1 / (curve.frequency_per_um.iloc[-1] + half_ring)),
        }
    size = math.nan if below[0] == 0 else float(curve.size_um.iloc[below[0] - 1])
    return {"frc": mean, "frc_size_um": size}


def _spectrum(image: npt.NDArray[np.float64]) -> npt.NDArray[np.complex128]:
    window = np.outer(*(tukey(side, 0.5) for side in image.shape))
    return np.asarray(fft.fft2((image - image.mean()) * window), dtype=np.complex128)


def _ring_of_each_sample(shape: tuple[int, ...], rings: int) -> tuple[npt.NDArray[np.int64], int]:
    """Return each sample's ring, -1 beyond Nyquist's frequency, and the number of rings."""
    y, x = fft.fftfreq(shape[0])[:, None], fft.fftfreq(shape[1])[None, :]
    ring = np.floor(np.hypot(y, x) * 2 * rings).astype(np.int64)
    ring[ring >= rings] = -1
    return ring, rings


def _ring_sums(
    values: npt.NDArray[np.float64], ring: npt.NDArray[np.int64], count: int
) -> npt.NDArray[np.float64]:
    inside = ring >= 0
    sums = np.bincount(ring[inside], weights=values[inside], minlength=count)
    return sums.astype(np.float64)
