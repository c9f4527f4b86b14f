"""Persistence of fissions and fusions: real events and segmentation artefacts.

An event is real when its appearance says so, the parent before and both daughters after it last
(see :mod:`.lifetimes`), and the daughters lie end to end. What does not last are fragments of one
object, which keep its identity.

Two mitochondria that touch below the resolution and part again look like a fission, last as long as
one, and keep their areas. They lie anyhow, though, while the daughters of one tubule lie end to
end, so that together they are as long as both are. The weight of that beside appearance, the life
of all three and the calmness of the outlines is a logistic regression on simulated movies, which
``benchmarks/tracking_simulator.py --calibration`` checks on others.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from scipy.special import expit, logit

from ...settings import EventTuning
from ..detections import FloatArray, IntArray
from ..mask_pixels import MaskPixels
from .candidates import Event, LinkedMovie
from .lifetimes import Changes, Lifetimes, learn_lifetimes


@dataclass(frozen=True, slots=True)
class Fragment:
    """Fragment of an object, which looks like an object of its own.

    Attributes
    ----------
    fragment, of : int
        Detections of the fragment and of the other part.
    frames : int
        For how many detections of its track.
    sign : int
        Whether forwards (1) or backwards (-1) in time.
    """

    fragment: int
    of: int
    frames: int
    sign: int


def lasting_events(
    movie: LinkedMovie, events: list[Event], known: Lifetimes | None = None
) -> tuple[list[Event], list[Fragment], Lifetimes]:
    """Return the events that are left, with their probabilities, and the fragments of objects.

    Parameters
    ----------
    movie : LinkedMovie
        Linked detections.
    events : list of Event
        By their appearance.
    known : Lifetimes, optional
        What an earlier call on the same movie returned, before fragments were joined.

    Returns
    -------
    list of Event, list of Fragment, Lifetimes
    """
    if not events:
        return [], [], known or Lifetimes(tuning=movie.tuning.persistence)
    tracks = _Tracks(movie, events)
    model = known or learn_lifetimes(*tracks.lengths(), movie.tuning.persistence)
    changes = tracks.changes(events, movie.masks)
    real, doubts = model.judge(changes)
    lasting = changes.appearance * real
    probability = _probability(events, movie, changes, real, model)
    kept, fragments, joined = [], [], []
    for k, event in enumerate(events):
        if lasting[k] >= movie.tuning.events.least_probability:
            if probability[k] >= movie.tuning.events.least_listed_probability:
                kept.append(replace(event, probability=float(probability[k])))
            continue
        # of two that came and went together, the one that began is the fragment
        which = 2 if doubts[k, 2] >= doubts[k, 1] else 1
        if doubts[k, which] > max(doubts[k, 0], 0.0):
            sign = 1 if event.kind == "fission" else -1
            fragment, other = event.daughters[which - 1], event.daughters[2 - which]
            fragments.append(Fragment(fragment, other, int(changes.frames[k, which]), sign))
            joined.append(k)
    return kept, fragments, model.joined(changes.touching[joined])


def _probability(
    events: list[Event],
    movie: LinkedMovie,
    changes: Changes,
    real: FloatArray,
    model: Lifetimes,
) -> FloatArray:
    """Return the probability of each event by everything that is known of it."""
    if movie.masks is None:
        return changes.appearance * real
    ratio = np.array([log_length_ratio(movie.masks, event.daughters) for event in events])
    calm = model.calm(changes, real)
    return event_probability(changes.appearance, real, calm, ratio, movie.tuning.events)


class _Tracks:
    """Extent of each track in time, and where events cut it."""

    def __init__(self, movie: LinkedMovie, events: list[Event]) -> None:
        self.found, self.track_ids, self.tuning = (
            movie.detections,
            movie.track_ids,
            movie.tuning.events,
        )
        self.order = order = np.argsort(self.track_ids, kind="stable")
        self.tracks, self.first, self.count = np.unique(
            self.track_ids[order], return_index=True, return_counts=True
        )
        self.place = np.empty(len(order), np.int64)
        self.place[order] = np.arange(len(order)) - np.repeat(self.first, self.count)
        self.edges = (self.found.frame.min(), self.found.frame.max())
        last = self.first + self.count - 1
        self.begins, self.ends = self.found.frame[order[self.first]], self.found.frame[order[last]]
        self.parents: dict[tuple[str, int], list[int]] = {}
        self.partners: dict[tuple[str, frozenset[int]], list[int]] = {}
        for event in events:
            self.parents.setdefault((event.kind, int(self.track_ids[event.parent])), []).append(
                event.parent
            )
            pair = frozenset(self.track_ids[list(event.daughters)].tolist())
            self.partners.setdefault((event.kind, pair), []).extend(event.daughters)

    def lengths(self) -> tuple[IntArray, np.ndarray]:
        """Return how many frames each track lasts, and whether it ended before the movie did."""
        return self.count, (self.begins > self.edges[0]) & (self.ends < self.edges[1])

    def changes(self, events: list[Event], masks: MaskPixels | None) -> Changes:
        """Return what the events are judged by."""
        frames, ended, undone = np.array([self._lives(event) for event in events]).transpose(
            2, 0, 1
        )
        return Changes(
            np.array([event.probability for event in events]),
            frames,
            ended.astype(bool),
            undone.astype(bool),
            np.array([self._touching(event, masks) for event in events]),
            len(self.track_ids),
        )

    def _lives(self, event: Event) -> list[tuple[int, bool, bool]]:
        """Return how long parent and daughters lasted, whether they ended, and by undoing it."""
        sign = 1 if event.kind == "fission" else -1
        other = "fusion" if event.kind == "fission" else "fission"
        pair = frozenset(self.track_ids[list(event.daughters)].tolist())
        cuts = [
            self.parents.get((other, int(self.track_ids[event.parent])), []),
            self.partners.get((other, pair), []),
            self.partners.get((other, pair), []),
        ]
        signs = (-sign, sign, sign)
        three = zip((event.parent, *event.daughters), signs, cuts, strict=True)
        return [self._life(which, way, cut) for which, way, cut in three]

    def _touching(self, event: Event, masks: MaskPixels | None) -> float:
        """Return in which part of the frames near the event its daughters touch."""
        if masks is None:
            return 0.0
        sign = 1 if event.kind == "fission" else -1
        here = [self._from(part, sign) for part in event.daughters]
        both = [(a, b) for a, b in product(*here) if self.found.frame[a] == self.found.frame[b]]
        return float(
            np.mean([masks.gap_px(a, b) <= self.tuning.touching_px for a, b in both] or [False])
        )

    def _from(self, which: int, sign: int) -> IntArray:
        """Return the detections of a track from one on, in the frames that are looked at."""
        place = self.place[which] + sign * np.arange(self.tuning.watched_frames)
        track = np.searchsorted(self.tracks, self.track_ids[which])
        inside = place[(place >= 0) & (place < self.count[track])]
        return np.asarray(self.order[self.first[track] + inside])

    def _life(self, which: int, sign: int, cuts: list[int]) -> tuple[int, bool, bool]:
        track = np.searchsorted(self.tracks, self.track_ids[which])
        left = self.count[track] - self.place[which] if sign > 0 else self.place[which] + 1
        mine = [
            abs(self.place[cut] - self.place[which]) + 1
            for cut in cuts
            if self.track_ids[cut] == self.track_ids[which]
            and sign * (self.place[cut] - self.place[which]) >= 0
        ]
        if mine and min(mine) <= left:
            return int(min(mine)), True, True
        edge = (
            self.ends[track] == self.edges[1] if sign > 0 else self.begins[track] == self.edges[0]
        )
        return int(left), not bool(edge), False


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
