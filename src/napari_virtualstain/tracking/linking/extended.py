"""Link likelihood of the default mode: mixture of motions, appearance, mask overlap.

A pairing costs minus the log of its likelihood ratio: how probable the detection is as
the next sight of this object, over how probable it is as something new. The
likelihood holds the log-determinant that the Mahalanobis distance alone leaves out,
without which lost tracks with a wide prediction steal detections.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..detections import Detections, FloatArray, IntArray
from ..motion_models import mixture as motions
from ..motion_models.mixture import MixtureState, MotionMixture
from ..motion_models.two_sided import future_density, log_evidence
from .appearance import Appearance


@dataclass(frozen=True, slots=True)
class LinkModel:
    """Parameters of a movie for the likelihood of a link.

    Attributes
    ----------
    mixture : MotionMixture
        How objects move.
    log_new : float
        Log density, per square micrometre, of detections that begin a track.
    log_missed : float
        Log probability that an object is missed in a frame.
    hopeless_log_ratio : float
        What the future can add to the log likelihood of a link, at most.
    appearance : Appearance or None
        Change of appearance from frame to frame; None while that is not known.
    """

    mixture: MotionMixture
    log_new: float
    log_missed: float
    hopeless_log_ratio: float
    appearance: Appearance | None = None


class MixtureFollower:
    """Mixture-of-motions filters of all objects (a ``Follower``).

    Parameters
    ----------
    model : LinkModel
        What is known of the movie.
    future : MixtureState, optional
        State of every detection of the movie given what came after it in a first linking.
    """

    limit = 0.0
    cost_to_log = 1.0

    def __init__(self, model: LinkModel, future: MixtureState | None = None) -> None:
        self.model = model
        self.future = future
        self.state = motions.start(np.zeros((0, 2)), model.mixture)
        self.last = np.zeros(0, np.int64)
        self.features = np.zeros((0, 0))

    def __len__(self) -> int:
        return len(self.state)

    @property
    def expected(self) -> FloatArray:
        """Mean predicted positions, shape (N, 2)."""
        return self.state.expected

    @property
    def reach_um(self) -> float:
        """How far from there to look."""
        return self.model.mixture.reach_um

    def advance(self) -> None:
        """Predict one frame ahead."""
        motions.advance(self.state, self.model.mixture, in_place=True)

    def costs(
        self, tails: IntArray, heads: IntArray, seen: Detections, missed: IntArray
    ) -> FloatArray:
        """Return minus the log likelihood ratio of each pair."""
        model = self.model
        noise = model.mixture.noise_variance
        place = seen.position_um[heads]
        likelihood = motions.log_likelihood(self.state, tails, place, noise)
        if self.future is not None:
            likelihood = self._from_both_sides(likelihood, tails, heads, seen)
        turn = motions.log_turn(self.state, tails, place, model.mixture)
        likelihood = np.logaddexp(likelihood, turn)
        if model.appearance is not None:
            likelihood += model.appearance.log_ratio(
                self.features[tails], seen.features[heads]
            ) + model.appearance.log_overlap_ratio(
                self.last, self.state.expected, tails, seen, heads
            )
        return model.log_new - model.log_missed * missed - likelihood

    def _from_both_sides(
        self, forwards: FloatArray, tails: IntArray, heads: IntArray, seen: Detections
    ) -> FloatArray:
        """Return the evidence of the pairs that are not hopeless by their past alone."""
        if self.future is None:
            return forwards
        hopeful = np.flatnonzero(forwards > self.model.log_new - self.model.hopeless_log_ratio)
        evidence = np.full(len(tails), -np.inf)
        evidence[hopeful] = log_evidence(
            self.state,
            tails[hopeful],
            future_density(self.future.take(seen.number), self.model.mixture),
            heads[hopeful],
            self.model.mixture,
        )
        return evidence

    def correct(self, tails: IntArray, heads: IntArray, seen: Detections) -> None:
        """Update the paired objects."""
        noise = self.model.mixture.noise_variance
        motions.correct_some(self.state, tails, seen.position_um[heads], noise)
        self.last[tails] = seen.number[heads]
        if len(tails):
            self.features[tails] = seen.features[heads]

    def add(self, heads: IntArray, seen: Detections) -> None:
        """Begin new objects."""
        born = motions.start(seen.position_um[heads], self.model.mixture)
        self.state = self.state.joined(born)
        self.last = np.concatenate([self.last, seen.number[heads]])
        features = seen.features[heads]
        known = self.features if len(self.features) else np.zeros((0, features.shape[1]))
        self.features = np.concatenate([known, features])

    def keep(self, mask: np.ndarray) -> None:
        """Forget the objects outside `mask`."""
        self.state = self.state.take(np.flatnonzero(mask))
        self.last, self.features = self.last[mask], self.features[mask]
