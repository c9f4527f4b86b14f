"""How mitochondria move: a mixture of motions, followed for all objects at once.

Some mitochondria diffuse, each at its own rate; some ride along microtubules; most
change between these. One Kalman filter cannot be right for all of them, and a
wrong one loses identities: constant velocity fails on diffusing objects, a random walk
on driven ones. So each object is followed by K filters, one for each *motion*, and
each motion has a probability that its fit to the steps so far decides.

One motion is an autoregressive step along each axis, with ``v`` the last displacement::

    v(t+1) = persistence · v(t) + noise of variance step_variance
    x(t+1) = x(t) + v(t+1)

Persistence 0 is a random walk, close to 1 is constant velocity, below 0 is a walk that
turns back (confined, or viscoelastic). The axes share one covariance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .detections import FloatArray, IntArray

# part of the steps at which an object forgets how it moved
_TURNS = 0.01


@dataclass(frozen=True, slots=True)
class MotionMixture:
    """The K motions of a movie; lengths in micrometres, times in frames.

    Attributes
    ----------
    persistence : ndarray of shape (K,)
        Part of a displacement that carries over to the next frame.
    step_variance : ndarray of shape (K,)
        Variance of the rest, along one axis.
    displacement_variance : ndarray of shape (K,)
        Variance of a displacement along one axis before anything is known of the object.
    prior : ndarray of shape (K,)
        How common each motion is.
    transition : ndarray of shape (K, K)
        Probability to go from one motion to another in a frame.
    noise_variance : float
        Variance of a measured position, along one axis.
    reach_um : float
        How far from its expected place an object is looked for.
    """

    persistence: FloatArray
    step_variance: FloatArray
    displacement_variance: FloatArray
    prior: FloatArray
    transition: FloatArray
    noise_variance: float
    reach_um: float


@dataclass(slots=True)
class MixtureState:
    """K filters of each of N objects.

    Attributes
    ----------
    place, velocity : ndarray of shape (N, K, 2)
        Position (y, x) and last displacement.
    var_place, covariance, var_velocity : ndarray of shape (N, K)
        Covariance along one axis.
    weight : ndarray of shape (N, K)
        Probability of each motion.
    """

    place: FloatArray
    velocity: FloatArray
    var_place: FloatArray
    covariance: FloatArray
    var_velocity: FloatArray
    weight: FloatArray

    def __len__(self) -> int:
        return len(self.place)

    def take(self, index: IntArray | np.ndarray) -> MixtureState:
        """Return the states at `index` (indices or mask)."""
        return MixtureState(
            self.place[index],
            self.velocity[index],
            self.var_place[index],
            self.covariance[index],
            self.var_velocity[index],
            self.weight[index],
        )

    def put(self, index: IntArray, other: MixtureState) -> None:
        """Replace the states at `index`."""
        self.place[index] = other.place
        self.velocity[index] = other.velocity
        self.var_place[index] = other.var_place
        self.covariance[index] = other.covariance
        self.var_velocity[index] = other.var_velocity
        self.weight[index] = other.weight

    def joined(self, other: MixtureState) -> MixtureState:
        """Return these states followed by `other`."""
        return MixtureState(
            np.concatenate([self.place, other.place]),
            np.concatenate([self.velocity, other.velocity]),
            np.concatenate([self.var_place, other.var_place]),
            np.concatenate([self.covariance, other.covariance]),
            np.concatenate([self.var_velocity, other.var_velocity]),
            np.concatenate([self.weight, other.weight]),
        )

    @property
    def expected(self) -> FloatArray:
        """Mean position, shape (N, 2)."""
        return np.asarray(np.einsum("nk,nka->na", self.weight, self.place))


def start(position_um: FloatArray, mixture: MotionMixture) -> MixtureState:
    """Return states of objects seen for the first time at `position_um`, shape (N, 2)."""
    n, k = len(position_um), len(mixture.prior)
    return MixtureState(
        place=np.repeat(position_um[:, None, :], k, axis=1),
        velocity=np.zeros((n, k, 2)),
        var_place=np.full((n, k), mixture.noise_variance),
        covariance=np.zeros((n, k)),
        var_velocity=np.tile(mixture.displacement_variance, (n, 1)),
        weight=np.tile(mixture.prior, (n, 1)),
    )


def advance(state: MixtureState, mixture: MotionMixture) -> MixtureState:
    """Return the states one frame later."""
    phi, q = mixture.persistence, mixture.step_variance
    velocity = phi[:, None] * state.velocity
    carried = phi * state.covariance
    var_velocity = phi**2 * state.var_velocity + q
    covariance = carried + var_velocity
    return MixtureState(
        place=state.place + velocity,
        velocity=velocity,
        var_place=state.var_place + 2 * carried + var_velocity,
        covariance=covariance,
        var_velocity=var_velocity,
        weight=state.weight @ mixture.transition,
    )


def correct(state: MixtureState, position_um: FloatArray, noise_variance: float) -> MixtureState:
    """Return the states after each object was seen at `position_um`, shape (N, 2)."""
    spread = state.var_place + noise_variance
    gain_place, gain_velocity = state.var_place / spread, state.covariance / spread
    missed = position_um[:, None, :] - state.place
    squared = missed[..., 0] ** 2 + missed[..., 1] ** 2
    logs = np.log(np.maximum(state.weight, 1e-300)) - np.log(spread) - 0.5 * squared / spread
    weight = np.exp(logs - logs.max(axis=1, keepdims=True))
    weight = np.maximum(weight / weight.sum(axis=1, keepdims=True), 1e-6)
    return MixtureState(
        place=state.place + gain_place[..., None] * missed,
        velocity=state.velocity + gain_velocity[..., None] * missed,
        var_place=(1 - gain_place) * state.var_place,
        covariance=(1 - gain_place) * state.covariance,
        var_velocity=state.var_velocity - gain_velocity * state.covariance,
        weight=weight / weight.sum(axis=1, keepdims=True),
    )


def log_likelihood(
    state: MixtureState, tails: IntArray, position_um: FloatArray, noise_variance: float
) -> FloatArray:
    """Return the log density of being seen at `position_um`, one value for each of `tails`.

    Parameters
    ----------
    state : MixtureState
        Predicted states.
    tails : ndarray of shape (E,)
        Which object each pair is about.
    position_um : ndarray of shape (E, 2)
        Where that object would have been seen.
    """
    spread = state.var_place + noise_variance
    constant = np.log(np.maximum(state.weight, 1e-300)) - np.log(2 * np.pi * spread)
    offset = position_um[:, None, :] - state.place[tails]
    squared = offset[..., 0] ** 2 + offset[..., 1] ** 2
    logs = constant[tails] - 0.5 * squared / spread[tails]
    return log_sum(logs)


def log_turn(
    state: MixtureState, tails: IntArray, position_um: FloatArray, noise_variance: float
) -> FloatArray:
    """Return the log density of objects that forget how they moved, and go anywhere as fast.

    Filters believe in their motion; a wall, an obstacle or a kinesin that lets go ends it
    within one frame. Without this way out such an object would count as a new one.

    Parameters
    ----------
    state : MixtureState
        Predicted states.
    tails, position_um
        As for :func:`log_likelihood`.
    """
    weight = state.weight
    speed = state.velocity[..., 0] ** 2 + state.velocity[..., 1] ** 2
    spread = (weight * (state.var_place + 0.5 * speed)).sum(axis=1) + noise_variance
    left = np.einsum("nk,nka->na", weight, state.place - state.velocity)
    offset = position_um - left[tails]
    squared = offset[:, 0] ** 2 + offset[:, 1] ** 2
    constant = np.log(_TURNS / (2 * np.pi * spread))
    return np.asarray(constant[tails] - 0.5 * squared / spread[tails])


def log_sum(logs: FloatArray) -> FloatArray:
    """Return the log of the sum of exponentials over the last axis."""
    top = logs.max(axis=-1)
    return np.asarray(top + np.log(np.exp(logs - top[..., None]).sum(axis=-1)))
