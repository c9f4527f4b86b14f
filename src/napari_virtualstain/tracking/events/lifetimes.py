"""Lifetimes of objects and of segmentation artefacts.

A segmenter cuts one mitochondrion in two for a frame, or paints two as one. Each such fragment
looks like a fission and, when it is over, like a fusion. What gives them away is that they do not
last. An event made of a parent and two daughters needs three objects; it is an artefact when one of
the three is likelier one::

    odds of an artefact = (1 - π) / π · mean of P(lasted so long | artefact) / P(… | thing)

Things end at one rate, which is estimated from the tracks of the movie. Most artefacts are gone
after a frame, some kinds later, so that an old one is less likely to end than a young one (a
beta-geometric law). π, the part of such changes that are real, is estimated from the changes: where
outlines are calm, two frames are enough; where they change from frame to frame, an event must last
longer than artefacts do there. Parts that touch have a π of their own: a line drawn through a heap
of mitochondria moves more readily than a gap, unless the masks are those of somebody who can tell.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from scipy.special import expit, logit, logsumexp

from ...settings import PersistenceTuning
from ..detections import FloatArray, IntArray

_ROUNDS = 20


@dataclass(frozen=True, slots=True)
class Changes:
    """Evidence of n changes of one object into two, or two into one.

    Attributes
    ----------
    appearance : ndarray of shape (n,)
        Probability of each by its appearance alone.
    frames : ndarray of int, shape (n, 3)
        How long the parent and both daughters lasted.
    ended, undone : ndarray of bool, shape (n, 3)
        Whether they ended then (otherwise the movie did), and by undoing the change, for which
        things would need another event.
    touching : ndarray of shape (n,)
        Part of the frames in which the two daughters touch.
    seen : int
        Objects of the movie, counted in every frame.
    """

    appearance: FloatArray
    frames: IntArray
    ended: np.ndarray
    undone: np.ndarray
    touching: FloatArray
    seen: int


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """Rate at which objects of a movie end, and its number of artefacts.

    Attributes
    ----------
    thing : float
        Probability to end in a frame.
    artefacts : (float, float)
        Number of those that were found before and joined, of daughters apart and touching.
    tuning : PersistenceTuning
        What is believed before the movie is seen.
    """

    thing: float = 0.01
    artefacts: tuple[float, float] = (0.0, 0.0)
    tuning: PersistenceTuning = field(default_factory=PersistenceTuning)

    def judge(self, changes: Changes) -> tuple[FloatArray, FloatArray]:
        """Return how probably each change is real, and its doubts.

        Parameters
        ----------
        changes : Changes
            n of them.

        Returns
        -------
        ndarray of shape (n,), ndarray of shape (n, 3)
            The doubts are log ratios of artefact against thing, of the parent and the daughters.
        """
        usual, worth = self.tuning.real_share, self.tuning.real_weight
        kinds = np.stack([1 - changes.touching, changes.touching])
        weight = changes.appearance * kinds
        real, share = np.full(len(changes.appearance), usual), np.full(2, usual)
        doubts = np.zeros(changes.frames.shape)
        for _ in range(_ROUNDS):
            doubts = self._doubts(changes, float(changes.appearance @ real))
            real = expit(logit(share @ kinds) - logsumexp(doubts, axis=1, b=1 / 3))
            among = weight.sum(axis=1) + self.artefacts + worth
            share = (weight @ real + usual * worth) / among
        return real, doubts

    def calm(self, changes: Changes, real: FloatArray) -> float:
        """Return which part of all changes is `real`, those that were joined among them."""
        usual, worth = self.tuning.real_share, self.tuning.real_weight
        among = changes.appearance.sum() + sum(self.artefacts) + worth
        return float((changes.appearance @ real + usual * worth) / among)

    def joined(self, touching: FloatArray) -> Lifetimes:
        """Return what is known when artefacts, some of whose daughters touch, have been joined."""
        apart, touch = self.artefacts
        count = float(touching.sum())
        return replace(self, artefacts=(apart + len(touching) - count, touch + count))

    def _doubts(self, changes: Changes, true: float) -> FloatArray:
        """Return log ratios of artefact against thing, shape (n, 3)."""
        tuning = self.tuning
        events, objects = tuning.repeated_events, tuning.observed_objects
        again = min((true + events) / (changes.seen + objects), self.thing)
        ends = np.where(changes.undone, np.log(again), np.log(self.thing))
        thing = (changes.frames - 1) * np.log1p(-self.thing) + np.where(changes.ended, ends, 0.0)
        longer = tuning.life_touching - tuning.life_apart
        life = tuning.life_apart + longer * changes.touching[:, None]
        return np.asarray(log_lasts(changes.frames, changes.ended, life) - thing)


def log_lasts(frames: IntArray, ended: np.ndarray, life: FloatArray | float) -> FloatArray:
    """Return the log probability of artefacts to last `frames`, and at least that if not `ended`.

    Examples
    --------
    >>> np.exp(log_lasts(np.array([1, 1, 3]), np.array([False, True, False]), 2.0)).round(2)
    array([1. , 0.5, 0.3])
    """
    lasts = np.log(life * (life + 1) / ((life + frames - 1) * (life + frames)))
    return np.asarray(lasts + np.where(ended, np.log(2 / (life + frames + 1)), 0.0))


def learn_lifetimes(frames: IntArray, ended: np.ndarray, tuning: PersistenceTuning) -> Lifetimes:
    """Return how soon things end, from the lengths of all tracks of a movie, artefacts among them.

    Parameters
    ----------
    frames : ndarray of int, shape (n,)
        How long each track lasts.
    ended : ndarray of bool, shape (n,)
        Whether it ended before the movie did.
    tuning : PersistenceTuning
        What is believed before the movie is seen.

    Examples
    --------
    >>> ended = np.array([True, True, False])
    >>> model = learn_lifetimes(np.array([1, 2, 50]), ended, PersistenceTuning())
    >>> round(model.thing, 2)
    0.01
    """
    ends, trials = tuning.ends, tuning.observed_frames
    model, share = Lifetimes(ends / trials, tuning=tuning), 0.5
    for _ in range(_ROUNDS):
        thing = (frames - 1) * np.log1p(-model.thing) + np.where(ended, np.log(model.thing), 0.0)
        odds = log_lasts(frames, ended, tuning.life_touching) - thing + np.log(share / (1 - share))
        things = expit(-odds)
        share = float((len(frames) - things.sum() + 1) / (len(frames) + 2))
        risked = things @ np.where(ended, frames, frames - 1) + trials
        model = replace(model, thing=float((things @ ended + ends) / risked))
    return model
