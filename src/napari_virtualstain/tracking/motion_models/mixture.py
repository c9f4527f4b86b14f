"""Mixture of motion models, filtered for all objects at once.

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

from ...settings import MotionTuning
from ..detections import FloatArray, IntArray

# objects, or pairs, at a time
_BLOCK = 400


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
    turn_share : float
        Share of the steps at which an object forgets how it moved.
    """

    persistence: FloatArray
    step_variance: FloatArray
    displacement_variance: FloatArray
    prior: FloatArray
    transition: FloatArray
    noise_variance: float
    reach_um: float
    turn_share: float = MotionTuning().turn_share


@dataclass(slots=True)
class MixtureState:
    """K filters of each of N objects.

    Attributes
    ----------
    values : ndarray of shape (8, N, K)
        Position y and x, last displacement y and x; variance of the position along one
        axis, its covariance with the displacement, variance of the displacement; probability
        of each motion. One array, so that objects are picked in one go.
    """

    values: FloatArray

    def __len__(self) -> int:
        return int(self.values.shape[1])

    @property
    def place(self) -> FloatArray:
        """Position (y, x), shape (2, N, K)."""
        return self.values[0:2]

    @property
    def velocity(self) -> FloatArray:
        """Last displacement (y, x), shape (2, N, K)."""
        return self.values[2:4]

    @property
    def var_place(self) -> FloatArray:
        """Variance of the position along one axis, shape (N, K)."""
        return np.asarray(self.values[4])

    @property
    def covariance(self) -> FloatArray:
        """Covariance of position and displacement, shape (N, K)."""
        return np.asarray(self.values[5])

    @property
    def var_velocity(self) -> FloatArray:
        """Variance of the displacement, shape (N, K)."""
        return np.asarray(self.values[6])

    @property
    def weight(self) -> FloatArray:
        """Probability of each motion, shape (N, K)."""
        return np.asarray(self.values[7])

    def take(self, index: IntArray) -> MixtureState:
        """Return the states at `index`."""
        return MixtureState(self.values.take(index, axis=1))

    def put(self, index: IntArray, other: MixtureState) -> None:
        """Replace the states at `index`."""
        self.values[:, index] = other.values

    def joined(self, other: MixtureState) -> MixtureState:
        """Return these states followed by `other`."""
        return MixtureState(np.concatenate([self.values, other.values], axis=1))

    @property
    def expected(self) -> FloatArray:
        """Mean position, shape (N, 2)."""
        return np.asarray(np.einsum("nk,ank->na", self.weight, self.place))


def start(position_um: FloatArray, mixture: MotionMixture) -> MixtureState:
    """Return states of objects seen for the first time at `position_um`, shape (N, 2)."""
    values = np.zeros((8, len(position_um), len(mixture.prior)))
    values[0:2] = position_um.T[:, :, None]
    values[4] = mixture.noise_variance
    values[6] = mixture.displacement_variance
    values[7] = mixture.prior
    return MixtureState(values)


def advance(state: MixtureState, mixture: MotionMixture, *, in_place: bool = False) -> MixtureState:
    """Return the states one frame later."""
    phi = mixture.persistence
    values = state.values if in_place else np.empty_like(state.values)
    for part in blocks(len(state)):
        old, new = state.values[:, part], values[:, part]
        np.multiply(old[2:4], phi, out=new[2:4])
        np.add(old[0:2], new[2:4], out=new[0:2])
        carried = phi * old[5]
        new[6] = phi**2 * old[6] + mixture.step_variance
        np.add(carried, new[6], out=new[5])
        new[4] = old[4] + carried + new[5]
        np.matmul(old[7], mixture.transition, out=new[7])
    return MixtureState(values)


def correct(state: MixtureState, position_um: FloatArray, noise_variance: float) -> MixtureState:
    """Return the states after each object was seen at `position_um`, shape (N, 2)."""
    values = np.empty_like(state.values)
    for part in blocks(len(state)):
        old, new = state.values[:, part], values[:, part]
        spread = old[4] + noise_variance
        gain_place, gain_velocity = old[4] / spread, old[5] / spread
        missed = position_um[part].T[:, :, None] - old[0:2]
        unlikely = (missed[0] ** 2 + missed[1] ** 2) / spread
        unlikely -= unlikely.min(axis=1, keepdims=True)
        weight = old[7] / spread * np.exp(-0.5 * unlikely)
        weight /= weight.sum(axis=1, keepdims=True)
        np.maximum(weight, 1e-6, out=weight)
        np.add(old[0:2], gain_place * missed, out=new[0:2])
        np.add(old[2:4], gain_velocity * missed, out=new[2:4])
        left = 1 - gain_place
        np.multiply(left, old[4], out=new[4])
        np.multiply(left, old[5], out=new[5])
        np.subtract(old[6], gain_velocity * old[5], out=new[6])
        np.divide(weight, weight.sum(axis=1, keepdims=True), out=new[7])
    return MixtureState(values)


def correct_some(
    state: MixtureState, index: IntArray, position_um: FloatArray, noise_variance: float
) -> None:
    """Correct the states at `index` in place, objects seen at `position_um`, (len(index), 2)."""
    for part in blocks(len(index)):
        some = index[part]
        state.put(some, correct(state.take(some), position_um[part], noise_variance))


def blocks(count: int) -> list[slice]:
    """Return slices that cover `count` rows, so many at once that they stay in the cache."""
    return [slice(k, min(k + _BLOCK, count)) for k in range(0, count, _BLOCK)]


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
    height = state.weight / (2 * np.pi * spread)
    narrow = -0.5 / spread
    y, x = state.place
    density = np.empty(len(tails))
    for part in blocks(len(tails)):
        some, where = tails[part], position_um[part]
        squared = np.square(where[:, :1] - y.take(some, axis=0))
        squared += np.square(where[:, 1:] - x.take(some, axis=0))
        squared *= narrow.take(some, axis=0)
        np.exp(squared, out=squared)
        np.einsum("ek,ek->e", squared, height.take(some, axis=0), out=density[part])
    # what underflows is out of the question, as any log below the one of a new object
    return np.asarray(np.log(np.maximum(density, 1e-300)))


def log_turn(
    state: MixtureState, tails: IntArray, position_um: FloatArray, mixture: MotionMixture
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
    mixture : MotionMixture
        Its noise and its share of sudden turns.
    """
    weight = state.weight
    speed = np.square(state.velocity).sum(axis=0)
    spread = np.einsum("nk,nk->n", weight, state.var_place + 0.5 * speed) + mixture.noise_variance
    left = np.einsum("nk,ank->na", weight, state.place - state.velocity)
    offset = position_um - left[tails]
    squared = offset[:, 0] ** 2 + offset[:, 1] ** 2
    constant = np.log(mixture.turn_share / (2 * np.pi * spread))
    return np.asarray(constant[tails] - 0.5 * squared / spread[tails])


def log_sum(logs: FloatArray, weight: FloatArray) -> FloatArray:
    """Return the log of the weighted sum of exponentials over the last axis."""
    top = logs.max(axis=-1)
    return np.asarray(top + np.log(np.einsum("ek,ek->e", np.exp(logs - top[:, None]), weight)))
