"""Paper's linking, eq. 1: bounding boxes, constant velocity, Mahalanobis distance.

The state of a box is ``[u, v, s, r, u', v', s']``: centre, area, aspect ratio and the
velocities of the first three. A pairing costs the squared Mahalanobis distance of the
measured ``[u, v, s, r]`` from the prediction, and is possible inside a chi-square gate.
The paper states neither noise nor gate; both are taken from the movie here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import chi2

from ...settings import PaperTuning
from ..detections import Detections, FloatArray, IntArray
from ..motion_models import kalman

TRANSITION = np.eye(7) + np.eye(7, k=4)
OBSERVATION = np.eye(4, 7)


@dataclass(frozen=True, slots=True)
class BoxNoise:
    """Noise of the paper's filter; diagonal matrices, lengths in micrometres.

    Attributes
    ----------
    process : ndarray of shape (7, 7)
        ``Q``.
    observation : ndarray of shape (4, 4)
        ``R``.
    initial : ndarray of shape (7, 7)
        Covariance of a new box, whose velocity is not known.
    """

    process: FloatArray
    observation: FloatArray
    initial: FloatArray


def box_noise(step_um: float, area_um2: float, tuning: PaperTuning) -> BoxNoise:
    """Return noise for steps of `step_um` (standard deviation along an axis, per frame).

    Parameters
    ----------
    step_um : float
        How far an object goes in a frame.
    area_um2 : float
        Typical area.
    tuning : PaperTuning
        Errors and changes in units of these two.
    """
    noise = (tuning.place_error_in_steps * step_um) ** 2
    place, area = step_um**2, (tuning.area_error * area_um2) ** 2
    velocity = tuning.velocity_change * place
    process = [place, place, tuning.area_change * area, tuning.ratio_change]
    process += [velocity, velocity, tuning.growth_change * area]
    observation = [noise, noise, area, tuning.ratio_variance]
    initial = [*observation, place, place, tuning.first_growth * area]
    return BoxNoise(np.diag(process), np.diag(observation), np.diag(initial))


class BoxFollower:
    """Kalman filters of the paper for all boxes at once (a ``Follower``).

    Parameters
    ----------
    noise : BoxNoise
        Noise of the filters.
    gate_probability : float
        Part of the true links inside the gate, four degrees of freedom.
    """

    cost_to_log = 0.5

    def __init__(self, noise: BoxNoise, gate_probability: float = 0.9997) -> None:
        self.noise = noise
        self.limit = float(chi2.ppf(gate_probability, 4))
        self.mean = np.zeros((0, 7))
        self.covariance = np.zeros((0, 7, 7))

    def __len__(self) -> int:
        return len(self.mean)

    @property
    def expected(self) -> FloatArray:
        """Predicted centres, shape (N, 2)."""
        return self.mean[:, :2]

    @property
    def reach_um(self) -> float:
        """Radius that holds the gate of every box."""
        widest = self.covariance[:, :2, :2].max(initial=0.0) + self.noise.observation[0, 0]
        return float(np.sqrt(self.limit * widest))

    def advance(self) -> None:
        """Predict one frame ahead."""
        self.mean, self.covariance = kalman.predict(
            self.mean, self.covariance, TRANSITION, self.noise.process
        )

    def costs(
        self, tails: IntArray, heads: IntArray, seen: Detections, missed: IntArray
    ) -> FloatArray:
        """Return squared Mahalanobis distances."""
        expected, spread = kalman.innovation(
            self.mean, self.covariance, OBSERVATION, self.noise.observation
        )
        return kalman.squared_mahalanobis(boxes(seen)[heads], expected[tails], spread[tails])

    def correct(self, tails: IntArray, heads: IntArray, seen: Detections) -> None:
        """Update the paired boxes."""
        self.mean[tails], self.covariance[tails] = kalman.update(
            self.mean[tails],
            self.covariance[tails],
            boxes(seen)[heads],
            OBSERVATION,
            self.noise.observation,
        )

    def add(self, heads: IntArray, seen: Detections) -> None:
        """Begin new boxes at rest."""
        born = np.zeros((len(heads), 7))
        born[:, :4] = boxes(seen)[heads]
        self.mean = np.concatenate([self.mean, born])
        initial = np.tile(self.noise.initial, (len(heads), 1, 1))
        self.covariance = np.concatenate([self.covariance, initial])

    def keep(self, mask: np.ndarray) -> None:
        """Forget the boxes outside `mask`."""
        self.mean, self.covariance = self.mean[mask], self.covariance[mask]


def boxes(seen: Detections) -> FloatArray:
    """Return ``[u, v, s, r]`` of each detection; area and ratio 1 where no box is known."""
    measured = np.ones((len(seen), 4))
    measured[:, :2] = seen.position_um
    if seen.box_um is not None:
        height, width = np.maximum(seen.box_um, 1e-9).T
        measured[:, 2], measured[:, 3] = height * width, width / height
    return measured
