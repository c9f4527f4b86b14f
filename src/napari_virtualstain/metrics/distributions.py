"""Scores of the distribution of intensities, wherever they are in the image.

Definitions (the paper states none): 256 bins over a stated range, values outside it
counted in the end bins, one added to each count, natural logarithm, and the direction
KL(reference || predicted). Without smoothing the divergence is infinite as soon as one
bin is empty; with a tiny constant the constant decides the value.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.stats import entropy

from ..errors import InputError
from .comparable import Image, as_image, as_pair

Range = tuple[float, float]
BINS = 256


def reference_range(reference: npt.ArrayLike) -> Range:
    """Return the 0.1 and 99.9 percentiles, or a range around a constant.

    Examples
    --------
    >>> import numpy as np
    >>> reference_range(np.zeros(4))
    (-0.5, 0.5)
    """
    low, high = np.percentile(as_image(reference, "reference"), (0.1, 99.9))
    if low == high:
        return float(low) - 0.5, float(high) + 0.5
    return float(low), float(high)


def histogram(
    image: npt.ArrayLike, *, value_range: Range, bins: int = BINS
) -> npt.NDArray[np.int64]:
    """Return the pixels a bin; values outside the range fall in the end bins.

    Parameters
    ----------
    image : array_like
    value_range : (float, float)
        Lower edge of the first bin and upper edge of the last.
    bins : int

    Raises
    ------
    InputError
        The range is empty or not finite, or there are no bins.

    Examples
    --------
    >>> histogram([[0.1, 0.9, 7.0]], value_range=(0, 1), bins=2).tolist()
    [1, 2]
    """
    return _indices_count(_bin_indices(as_image(image), value_range, bins), bins)


def kl_divergence(
    predicted: npt.ArrayLike,
    reference: npt.ArrayLike,
    *,
    value_range: Range | None = None,
    bins: int = BINS,
) -> float:
    """Return KL(reference || predicted) of the intensity histograms in nats, >= 0.

    Parameters
    ----------
    predicted, reference : array_like, equal shapes
    value_range : (float, float), optional
        Range of the histogram, for instance (0, 255); by default the reference's 0.1 to
        99.9 percentiles.
    bins : int

    Examples
    --------
    >>> kl_divergence([[1, 2]], [[2, 1]], value_range=(0, 4))
    0.0
    """
    p, q = _smoothed(predicted, reference, value_range, bins)
    return max(0.0, float(entropy(p, q)))


def js_divergence(
    predicted: npt.ArrayLike,
    reference: npt.ArrayLike,
    *,
    value_range: Range | None = None,
    bins: int = BINS,
) -> float:
    """Return the Jensen-Shannon divergence of the histograms in nats, in [0, ln 2].

    Symmetric and bounded, so that no smoothing decides its value. Parameters as in
    :func:`kl_divergence`.

    Examples
    --------
    >>> js_divergence([[1, 2]], [[2, 1]], value_range=(0, 4))
    0.0
    """
    p, q = _smoothed(predicted, reference, value_range, bins)
    middle = (p + q) / 2
    return max(0.0, float((entropy(p, middle) + entropy(q, middle)) / 2))


def intensity_confusion(
    predicted: npt.ArrayLike,
    reference: npt.ArrayLike,
    *,
    value_range: Range | None = None,
    bins: int = 64,
    per_row: bool = False,
) -> npt.NDArray[np.float64]:
    """Return the joint histogram of true (rows) and predicted (columns) intensity.

    Parameters
    ----------
    predicted, reference : array_like, equal shapes
    value_range : (float, float), optional
        Range of both axes; by default the reference's 0.1 to 99.9 percentiles.
    bins : int
    per_row : bool
        Make each row sum to 1 (what becomes of one true intensity) instead of the whole.

    Returns
    -------
    ndarray, shape (bins, bins), float64
        Sums to 1, or each row that holds pixels does.

    Notes
    -----
    After Christiansen et al., Cell 2018.

    Examples
    --------
    >>> intensity_confusion([[0, 1]], [[0, 1]], value_range=(0, 1), bins=2).tolist()
    [[0.5, 0.0], [0.0, 0.5]]
    """
    first, second = as_pair(predicted, reference)
    value_range = value_range or reference_range(second)
    rows, columns = (_bin_indices(image, value_range, bins) for image in (second, first))
    joint = np.bincount(rows * bins + columns, minlength=bins * bins).reshape(bins, bins)
    if not per_row:
        return np.asarray(joint / joint.sum(), dtype=np.float64)
    return np.asarray(joint / np.maximum(joint.sum(axis=1, keepdims=True), 1), dtype=np.float64)


def _smoothed(
    predicted: npt.ArrayLike, reference: npt.ArrayLike, value_range: Range | None, bins: int
) -> tuple[Image, Image]:
    """Return the distributions of reference and predicted with one pixel more a bin."""
    first, second = as_pair(predicted, reference)
    value_range = value_range or reference_range(second)
    counts = [histogram(image, value_range=value_range, bins=bins) + 1 for image in (second, first)]
    return counts[0] / counts[0].sum(), counts[1] / counts[1].sum()


def _bin_indices(image: Image, value_range: Range, bins: int) -> npt.NDArray[np.int64]:
    low, high = map(float, value_range)
    if not (np.isfinite([low, high]).all() and low < high and bins > 0):
        raise InputError(
            f"The histogram has {bins} bins over {value_range}: expected at least one bin and "
            "a range (low, high) with low < high, for instance (0, 255)."
        )
    position = (np.clip(image.ravel(), low, high) - low) / (high - low) * bins
    return np.minimum(position.astype(np.int64), bins - 1)


def _indices_count(indices: npt.NDArray[np.int64], bins: int) -> npt.NDArray[np.int64]:
    return np.bincount(indices, minlength=bins).astype(np.int64)
