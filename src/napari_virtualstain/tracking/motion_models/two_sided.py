"""Two-sided link likelihood from forward and backward filters.

Once a movie has been linked for the first time, every detection has a likely future.
Run through time backwards, the same filters turn that future into a density over the
place and the last displacement that lead to it, and over the motions. A link between a
past and a future is then as probable as their product, integrated::

    evidence = Σₖ P(k | past) P(k | future) / P(k) ∫ past(x, v) · future(x, v) / prior(v) dx dv

An object that always moved in large steps does not become one that hardly moves, and
a velocity goes on: on dense Brownian movies this halves the wrong links. The motion
``v(t+1) = φ v(t) + noise`` is the same backwards, so the filters can be shared.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from ..detections import Detections, FloatArray, IntArray
from . import mixture as motions
from .mixture import MixtureState, MotionMixture, log_sum


@dataclass(frozen=True, slots=True)
class FutureDensity:
    """Density of place and arriving displacement given the future.

    Place and velocity are (2, n, K), the rest (n, K). With ``m`` the mean and ``A`` the inverse
    covariance along one axis; the prior of the displacement is divided out of
    ``information_velocity`` and ``constant``.
    """

    place: FloatArray
    velocity: FloatArray
    inverse_place: FloatArray
    inverse_cross: FloatArray
    inverse_velocity: FloatArray
    information_velocity: FloatArray
    constant: FloatArray

    def take(self, index: IntArray) -> FutureDensity:
        """Return the densities at `index`."""
        return FutureDensity(
            *(getattr(self, field.name).take(index, axis=-2) for field in fields(self))
        )


def future_density(state: MixtureState, mixture: MotionMixture) -> FutureDensity:
    """Return densities of states that were filtered from the other side."""
    phi, prior_variance = mixture.persistence, mixture.displacement_variance
    variance = phi**2 * state.var_velocity + mixture.step_variance
    cross = -phi * state.covariance
    determinant = np.maximum(state.var_place * variance - cross**2, 1e-300)
    inverse_velocity = state.var_place / determinant
    scale = np.log(2 * np.pi * prior_variance) - np.log(determinant) - 2 * np.log(2 * np.pi)
    ratio = np.log(np.maximum(state.weight, 1e-12)) - np.log(mixture.prior)
    return FutureDensity(
        place=state.place,
        velocity=-phi * state.velocity,
        inverse_place=variance / determinant,
        inverse_cross=-cross / determinant,
        inverse_velocity=inverse_velocity,
        information_velocity=np.maximum(inverse_velocity - 1 / prior_variance, 0.0),
        constant=scale + ratio,
    )


def log_evidence(
    past: MixtureState,
    tails: IntArray,
    future: FutureDensity,
    heads: IntArray,
    mixture: MotionMixture,
) -> FloatArray:
    """Return the log evidence that each tail continues as each head.

    Parameters
    ----------
    past : MixtureState
        Predicted states.
    tails, heads : ndarray of shape (E,)
        Index pairs into `past` and `future`.
    future : FutureDensity
        Of the detections.
    mixture : MotionMixture
        The motions.

    Returns
    -------
    ndarray of shape (E,)
        Comparable with the log density of a new object that has the same future.
    """
    parts = [
        _log_evidence(past.take(tails[part]), future.take(heads[part]), mixture)
        for part in motions.blocks(len(tails))
    ]
    return np.concatenate(parts) if parts else np.zeros(0)


def _log_evidence(past: MixtureState, future: FutureDensity, mixture: MotionMixture) -> FloatArray:
    """Return the log evidence of pairs, one after the other in `past` and `future`."""
    prior = mixture.displacement_variance
    a11, a12, a22 = future.inverse_place, future.inverse_cross, future.inverse_velocity
    l22 = future.information_velocity
    p11, p12, p22 = past.var_place, past.covariance, past.var_velocity
    p = np.maximum(p11 * p22 - p12**2, 0.0)
    d = 1 + p11 * a11 + 2 * p12 * a12 + p22 * l22 + p * (a11 * l22 - a12**2)
    m11, m12, m22 = p11 + p * l22, p12 - p * a12, p22 + p * a11
    exponent = np.zeros_like(p)
    for axis in (0, 1):
        here = past.velocity[axis]
        dx = future.place[axis] - past.place[axis]
        dv = future.velocity[axis] - here
        g1, g2 = a11 * dx + a12 * dv, a12 * dx + a22 * dv
        exponent -= g1 * dx + g2 * dv - here**2 / prior
        g2 += here / prior
        exponent += (m11 * g1**2 + 2 * m12 * g1 * g2 + m22 * g2**2) / d
    weight = np.maximum(past.weight, 1e-12) / d
    return log_sum(future.constant + 0.5 * exponent, weight)


def states_along(
    detections: Detections,
    track_ids: IntArray,
    mixture: MotionMixture,
    *,
    backwards: bool = False,
    surprise: FloatArray | None = None,
) -> MixtureState:
    """Return the filtered state of each detection given its track so far.

    Parameters
    ----------
    detections : Detections
        All of them, n in number.
    track_ids : ndarray of shape (n,)
        Track of each.
    mixture : MotionMixture
        The motions.
    backwards : bool
        Whether time runs backwards, so that "so far" is the future.
    surprise : ndarray of shape (n,), optional
        Filled with the log density of each detection given those before it.
    """
    before = neighbours_in_track(track_ids, backwards=backwards)
    states = motions.start(detections.position_um, mixture)
    parts, interval = detections.slices(), detections.frame_step
    for frame, part in reversed(parts) if backwards else parts:
        seen = np.arange(part.start, part.stop)
        seen = seen[before[seen] >= 0]
        for block in motions.blocks(len(seen)):
            here = seen[block]
            steps = np.abs(frame - detections.frame[before[here]]) // interval
            come = motions.advance(states.take(before[here]), mixture)
            for missed in range(1, int(steps.max())):
                late = np.flatnonzero(steps > missed)
                come.put(late, motions.advance(come.take(late), mixture))
            place = detections.position_um[here]
            if surprise is not None:
                everyone = np.arange(len(here))
                surprise[here] = motions.log_likelihood(
                    come, everyone, place, mixture.noise_variance
                )
            states.put(here, motions.correct(come, place, mixture.noise_variance))
    return states


def neighbours_in_track(track_ids: IntArray, *, backwards: bool = False) -> IntArray:
    """Return of each detection the one before it in its track (after it, backwards), or -1.

    Examples
    --------
    >>> neighbours_in_track(np.array([1, 2, 1, 1]))
    array([-1, -1,  0,  2])
    """
    order = np.argsort(track_ids, kind="stable")
    same = track_ids[order][1:] == track_ids[order][:-1]
    found = np.full(len(track_ids), -1, np.int64)
    if backwards:
        found[order[:-1][same]] = order[1:][same]
    else:
        found[order[1:][same]] = order[:-1][same]
    return found
