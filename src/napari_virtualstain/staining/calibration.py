"""Calibration of a stated uncertainty on cells that were held out.

A stated standard deviation is calibrated if, over many pixels, errors fall within the
interval that should hold a share p of them, p of the time, for every p. Errors are taken
as Laplace-distributed, as the networks' training does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import InputError

_LEVELS = tuple(float(p) for p in np.round(np.arange(0.05, 1.0, 0.05), 2))


@dataclass(frozen=True, slots=True)
class Calibration:
    """Comparison of stated uncertainties with the errors.

    Attributes
    ----------
    factor : float
        By which the stated deviation is to be multiplied; for
        ``card.inference["uncertainty_factor"]``.
    expected, observed, observed_after : tuple of float
        Shares of pixels that should lie, and do lie, within the intervals, as stated and
        with `factor`.
    error_before, error_after : float
        Mean distance of observed from expected.
    rank_correlation : float
        Spearman's, of deviation and absolute error: whether the map says *where*.
    """

    factor: float
    expected: tuple[float, ...]
    observed: tuple[float, ...]
    observed_after: tuple[float, ...]
    error_before: float
    error_after: float
    rank_correlation: float


def calibrate(predicted: ArrayLike, reference: ArrayLike, deviation: ArrayLike) -> Calibration:
    """Return how well stated deviations fit the errors, and the factor that mends them.

    Parameters
    ----------
    predicted, reference, deviation : arrays of one shape
        In the same units; of cells that were held out from training.

    Raises
    ------
    InputError
        Shapes differ, or no pixel can be used.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> truth, stated = np.zeros(20000), np.full(20000, 0.5)
    >>> round(calibrate(rng.laplace(0, 2**-0.5, 20000), truth, stated).factor, 1)
    2.0
    """
    error, stated = _usable(predicted, reference, deviation)
    ratios = np.abs(error) / stated
    # the factor that makes the median of |error| right is blind to a few gross errors
    factor = float(np.median(ratios)) / _half_width(0.5)
    observed, after = _coverage(ratios), _coverage(ratios / factor)
    return Calibration(
        factor=factor,
        expected=_LEVELS,
        observed=observed,
        observed_after=after,
        error_before=_mean_distance(observed),
        error_after=_mean_distance(after),
        rank_correlation=_rank_correlation(stated, np.abs(error)),
    )


def label_trust(
    labels: ArrayLike, fluorescence: ArrayLike, uncertainty: ArrayLike
) -> dict[int, float]:
    """Return for each label how far its signal stands above its uncertainty, in [0, 1].

    Parameters
    ----------
    labels : array of shape (Y, X), int
    fluorescence, uncertainty : arrays of shape (Y, X)
        As :func:`stain` returns them.

    Notes
    -----
    ``s^2 / (s^2 + u^2)`` with s the mean brightness above the median of the background
    and u the mean uncertainty of the object: 0.5 where they are equal.

    Examples
    --------
    >>> labels = np.array([[0, 0, 1, 2]])
    >>> label_trust(labels, [[0, 0, 3, 1]], [[1, 1, 1, 1]])
    {1: 0.9, 2: 0.5}
    """
    from scipy import ndimage

    marks = np.asarray(labels)
    image, deviation = np.asarray(fluorescence, float), np.asarray(uncertainty, float)
    if not marks.shape == image.shape == deviation.shape:
        raise InputError(
            f"Labels {marks.shape}, fluorescence {image.shape} and uncertainty {deviation.shape} "
            "must have one shape."
        )
    numbers = [int(n) for n in np.unique(marks) if n > 0]
    outside = image[marks == 0]
    background = float(np.median(outside)) if outside.size else float(image.min())
    signal = np.maximum(ndimage.mean(image - background, marks, numbers), 0.0)
    doubt = np.asarray(ndimage.mean(deviation, marks, numbers))
    share = signal**2 / np.maximum(signal**2 + doubt**2, 1e-30)
    return {number: round(float(s), 6) for number, s in zip(numbers, share, strict=True)}


def _usable(
    predicted: ArrayLike, reference: ArrayLike, deviation: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    arrays: list[Any] = [np.asarray(a, np.float64) for a in (predicted, reference, deviation)]
    if not arrays[0].shape == arrays[1].shape == arrays[2].shape:
        raise InputError(
            f"Predicted {arrays[0].shape}, reference {arrays[1].shape} and deviation "
            f"{arrays[2].shape} must have one shape."
        )
    good = np.isfinite(arrays[0]) & np.isfinite(arrays[1]) & (arrays[2] > 0)
    if not good.any():
        raise InputError("No pixel has finite values and a positive deviation to calibrate with.")
    return (arrays[0] - arrays[1])[good], arrays[2][good]


def _half_width(level: float) -> float:
    """Half the width of the central interval of a Laplace distribution of deviation 1."""
    return float(-np.log(1 - level) / np.sqrt(2))


def _coverage(ratios: NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(float(np.mean(ratios <= _half_width(level))) for level in _LEVELS)


def _mean_distance(observed: tuple[float, ...]) -> float:
    return float(np.mean(np.abs(np.array(observed) - np.array(_LEVELS))))


def _rank_correlation(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    from scipy import stats

    if np.ptp(one) == 0 or np.ptp(other) == 0:
        return 0.0
    step = max(1, one.size // 200_000)
    return float(stats.spearmanr(one[::step], other[::step]).statistic)
