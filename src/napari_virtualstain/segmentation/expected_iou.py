"""Cut of a probability map with the largest expected IoU.

One half is the right cut where the network is sure. Where an image is blurred, as virtual
fluorescence is in places that the bright-field does not decide, hardly a pixel reaches
one half, and a mask cut there is nearly empty, though the map says well enough where the
mitochondria are likely. If p are true probabilities, a mask M overlaps the truth with an
expected IoU of about sum(p in M) / (|M| + sum(p outside M)); the best M holds all pixels
above some cut, which is found by trying all (Lipton et al., ECML 2014, for F1).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

_LEVELS = 1000


def best_cut(probability: ArrayLike, lowest: float = 0.0) -> float:
    """Return the cut, at most one half, of the largest expected IoU with the truth.

    Parameters
    ----------
    probability : array_like of float in [0, 1]
        Of foreground.
    lowest : float
        No cut is below.

    Returns
    -------
    float
        One half where nothing is found at all.

    Examples
    --------
    >>> best_cut([0.01, 0.02, 0.99, 0.98])
    0.5
    >>> best_cut([0.01, 0.3, 0.3, 0.1])
    0.3
    """
    iou = _iou_by_cut(probability)
    if not iou.max() > 0:
        return 0.5
    best = (_LEVELS - 1 - int(iou.argmax())) / _LEVELS
    return float(np.clip(best, lowest, 0.5))


def expected_iou(probability: ArrayLike) -> float:
    """Return the expected IoU with the truth of the mask at the best cut, 0 to 1.

    Of two maps of one image, that with the larger one rests on the surer network.

    Parameters
    ----------
    probability : array_like of float in [0, 1]
        Of foreground.

    Examples
    --------
    >>> expected_iou([0.0, 1.0, 1.0]) > expected_iou([0.3, 0.6, 0.6])
    True
    """
    return float(_iou_by_cut(probability).max())


def _iou_by_cut(probability: ArrayLike) -> NDArray[np.float64]:
    """Return the expected IoU at each cut, the highest cut first."""
    values = np.asarray(probability, np.float32).ravel()
    level = (values * _LEVELS).astype(np.int32).clip(0, _LEVELS - 1)
    count = np.bincount(level, minlength=_LEVELS)[::-1].cumsum()
    expected = np.bincount(level, values, minlength=_LEVELS)[::-1].cumsum()
    iou: NDArray[np.float64] = expected / np.maximum(count + expected[-1] - expected, 1e-9)
    return iou


def recentred(logits: NDArray[np.float32], cut: float) -> NDArray[np.float32]:
    """Return `logits` shifted such that the probability `cut` becomes one half.

    Examples
    --------
    >>> recentred(np.zeros(1, np.float32), 0.5)
    array([0.], dtype=float32)
    """
    return logits - np.float32(np.log(cut / (1 - cut)))


def sigmoid(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the probabilities of logits of any shape.

    Examples
    --------
    >>> sigmoid(np.zeros(1, np.float32))
    array([0.5], dtype=float32)
    """
    values = np.float32(0.5) * logits
    # in place: passes over the memory take longer than the arithmetic
    np.tanh(values, out=values)
    values += 1.0
    values *= 0.5
    return values
