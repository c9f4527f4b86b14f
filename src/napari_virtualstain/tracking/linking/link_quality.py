"""Link quality: probability of a link among all alternatives.

In one frame, each track goes on as at most one detection and each detection continues at
most one track. The probability of one link under all such pairings is found by belief
propagation (Williams and Lau, 2014), which is exact on trees and converges in general.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from ...settings import LinkTuning
from ..detections import FloatArray, IntArray

_LARGEST_LOG = 30.0


def link_probabilities(
    rows: IntArray,
    columns: IntArray,
    log_ratios: FloatArray,
    shape: tuple[int, int],
    rounds: int = LinkTuning().probability_rounds,
) -> tuple[FloatArray, FloatArray]:
    """Return the probability of each link, and of each column to be linked with nothing.

    Parameters
    ----------
    rows, columns : ndarray of shape (E,)
        Candidate pairs.
    log_ratios : ndarray of shape (E,)
        Log likelihood ratio of each pair against leaving both alone.
    shape : (int, int)
        Numbers of rows and columns.
    rounds : int
        Of belief propagation.

    Returns
    -------
    ndarray of shape (E,), ndarray of shape (columns,)

    Examples
    --------
    >>> pair = np.zeros(1, int)
    >>> link_probabilities(pair, pair, np.log([3.0]), (1, 1))[0]
    array([0.75])
    """
    weight = np.exp(np.clip(log_ratios, -_LARGEST_LOG, _LARGEST_LOG))
    back = np.ones(len(rows))
    for _ in range(rounds):
        offer = weight * back
        forth = weight / (1 + np.bincount(rows, offer, shape[0])[rows] - offer)
        back = 1 / (1 + np.bincount(columns, forth, shape[1])[columns] - forth)
    offer = weight * back
    taken = 1 + np.bincount(rows, offer, shape[0])
    alone = 1 / (1 + np.bincount(columns, forth, shape[1])) if len(rows) else np.ones(shape[1])
    return offer / taken[rows], alone


@dataclass(frozen=True, slots=True)
class LinkEvidence:
    """Evidence of the link that leads to each of n detections.

    Attributes
    ----------
    probability : ndarray of shape (n,)
        Of the link; of a beginning, for the first of a track.
    log_ratio : ndarray of shape (n,)
        Log likelihood ratio of the link.
    missed : ndarray of shape (n,)
        Frames missed before it.
    """

    probability: FloatArray
    log_ratio: FloatArray
    missed: IntArray

    @classmethod
    def empty(cls, count: int) -> LinkEvidence:
        """Return evidence of nothing, to be filled."""
        return cls(np.ones(count), np.zeros(count), np.zeros(count, np.int64))


def quality(
    first: LinkEvidence,
    last: LinkEvidence,
    agree: np.ndarray,
    begins: np.ndarray,
    tuning: LinkTuning,
) -> FloatArray:
    """Return the calibrated probability that each detection's link is right, shape (n,).

    Parameters
    ----------
    first, last : LinkEvidence
        Of the linking forwards, and of the one from both sides.
    agree : ndarray of bool, shape (n,)
        Whether both linked it to the same detection.
    begins : ndarray of bool, shape (n,)
        Whether a track begins there.
    tuning : LinkTuning
        The regression.
    """
    features = np.column_stack(
        [
            logit(last.probability),
            logit(first.probability) * agree,
            np.clip(last.log_ratio, 0, 15),
            agree,
            np.minimum(last.missed, 2),
        ]
    )
    odds = features @ np.array(tuning.quality_weights) + tuning.quality_bias
    return np.where(begins, last.probability, expit(odds))


def logit(probability: FloatArray) -> FloatArray:
    """Return log odds, within ±8."""
    inside = np.clip(probability, 3.4e-4, 1 - 3.4e-4)
    return np.asarray(np.log(inside / (1 - inside)))


def reasons(
    table_quality: FloatArray,
    last: LinkEvidence,
    agree: np.ndarray,
    begins: np.ndarray,
    tuning: LinkTuning,
) -> np.ndarray:
    """Return in words why each link is doubtful, empty where it is not."""
    doubtful = table_quality < tuning.doubtful_quality
    text = np.full(len(table_quality), "", dtype=object)
    for wrong, word in (
        (last.probability < tuning.rival_probability, "another object is as near"),
        (~agree & ~begins, "past and future disagree"),
        ((last.log_ratio < tuning.unusual_log_ratio) & ~begins, "unusual step"),
        ((last.missed > 0) & ~begins, "after a gap"),
    ):
        here = wrong & doubtful
        text[here] = [f"{old}; {word}" if old else word for old in text[here]]
    text[begins & doubtful] = "may continue another track"
    return text
