"""The follower of the default mode: a mixture of motions and honest likelihoods.

A pairing costs minus the log of its likelihood ratio: how probable the detection is as
the next sight of this object, over how probable it is as something new. The
likelihood holds the log-determinant that the Mahalanobis distance alone leaves out,
without which lost tracks with a wide prediction steal detections.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import mixture as motions
from .detections import Detections, FloatArray, IntArray
from .mixture import MotionMixture


@dataclass(frozen=True, slots=True)
class LinkModel:
    """What the likelihood of a link needs to know of a movie.

    Attributes
    ----------
    mixture : MotionMixture
        How objects move.
    log_new : float
        Log density, per square micrometre, of detections that begin a track.
    log_missed : float
        Log probability that an object is missed in a frame.
    """

    mixture: MotionMixture
    log_new: float
    log_missed: float


class MixtureFollower:
    """Mixture-of-motions filters of all objects (a ``Follower``)."""

    limit = 0.0

    def __init__(self, model: LinkModel) -> None:
        self.model = model
        self.state = motions.start(np.zeros((0, 2)), model.mixture)

    def __len__(self) -> int:
        return len(self.state)

    @property
    def expected(self) -> FloatArray:
        """Mean predicted positions, shape (N, 2)."""
        return self.state.expected

    @property
    def reach_um(self) -> float:
        """Radius beyond which a link is less likely than a new object."""
        return 2.0 * self.model.mixture.reach_um

    def advance(self) -> None:
        """Predict one frame ahead."""
        self.state = motions.advance(self.state, self.model.mixture)

    def costs(
        self, tails: IntArray, heads: IntArray, seen: Detections, missed: IntArray
    ) -> FloatArray:
        """Return minus the log likelihood ratio of each pair."""
        model = self.model
        likelihood = motions.log_likelihood(
            self.state, tails, seen.position_um[heads], model.mixture.noise_variance
        )
        return model.log_new - model.log_missed * missed - likelihood

    def correct(self, tails: IntArray, heads: IntArray, seen: Detections) -> None:
        """Update the paired objects."""
        before = self.state.take(tails)
        noise = self.model.mixture.noise_variance
        self.state.put(tails, motions.correct(before, seen.position_um[heads], noise))

    def add(self, heads: IntArray, seen: Detections) -> None:
        """Begin new objects."""
        born = motions.start(seen.position_um[heads], self.model.mixture)
        self.state = self.state.joined(born)

    def keep(self, mask: np.ndarray) -> None:
        """Forget the objects outside `mask`."""
        self.state = self.state.take(mask)
