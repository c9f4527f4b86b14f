"""Calibrated event probability, from persistence and end-to-end position.

Two mitochondria that touch below the resolution and part again look like a fission, last as long as
one, and keep their areas. They lie anyhow, though, while the daughters of one tubule lie end to
end, so that together they are as long as both are. How much that says, beside
appearance, how long all three last and how calm the outlines of the movie are, is a logistic
regression on simulated movies, which ``benchmarks/tracking_simulator.py --calibration`` checks on
others.
"""

from __future__ import annotations

import numpy as np
from scipy.special import expit, logit

from ...settings import EventTuning
from ..detections import FloatArray
from ..mask_pixels import MaskPixels


def log_length_ratio(masks: MaskPixels, daughters: tuple[int, int]) -> float:
    """Return the logarithm of how much longer two daughters are, end to end, than as they lie.

    Parameters
    ----------
    masks : MaskPixels
        Pixels of all objects.
    daughters : (int, int)
        Objects.

    Returns
    -------
    float
        About 0 for two rods one behind the other, 0.7 side by side; less when they are apart.
    """
    one, other = (masks.length_px(part) for part in daughters)
    return float(np.log((one + other) / masks.length_px(*daughters)))


def event_probability(
    appearance: FloatArray, real: FloatArray, calm: float, ratio: FloatArray, tuning: EventTuning
) -> FloatArray:
    """Return the calibrated probability of n events, shape (n,).

    Parameters
    ----------
    appearance, real : ndarray of shape (n,)
        Probability by appearance, and that parent and daughters are things that last.
    calm : float
        Part of all changes of the movie that last.
    ratio : ndarray of shape (n,)
        From :func:`log_length_ratio`.
    tuning : EventTuning
        The regression.
    """
    known = np.column_stack([appearance, real, np.full(len(appearance), calm)])
    least, most = np.array(tuning.probability_least), np.array(tuning.probability_most)
    evidence = np.clip(np.column_stack([logit(known), ratio]), least, most)
    weights = np.array(tuning.probability_weights)
    return np.asarray(expit(evidence @ weights + tuning.probability_bias))
