"""Frame-by-frame linking, shared by all modes.

A *follower* knows where its objects are expected and what a pairing costs;
:class:`OnlineLinker` keeps identities, lets unseen objects coast, and asks the
assignment. Frames may come as they are taken; only objects that can still be seen
again are held.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from ...settings import LinkTuning
from ..detections import Detections, FloatArray, IntArray
from .assignment import assign, candidate_pairs
from .link_quality import LinkEvidence, link_probabilities


class Follower(Protocol):
    """Motion model: predicted states of the objects that are followed."""

    limit: float
    """Cost of leaving both a track and a detection alone."""
    cost_to_log: float
    """What turns a cost into minus a log likelihood ratio."""

    def __len__(self) -> int: ...

    @property
    def expected(self) -> FloatArray:
        """Expected positions, shape (N, 2)."""

    @property
    def reach_um(self) -> float:
        """How far from there to look."""

    def advance(self) -> None:
        """Go one frame ahead."""

    def costs(
        self, tails: IntArray, heads: IntArray, seen: Detections, missed: IntArray
    ) -> FloatArray:
        """Return the cost of each pair; `missed` frames lie between."""

    def correct(self, tails: IntArray, heads: IntArray, seen: Detections) -> None:
        """Take in what was seen."""

    def add(self, heads: IntArray, seen: Detections) -> None:
        """Begin to follow new objects."""

    def keep(self, mask: np.ndarray) -> None:
        """Forget the others."""


class OnlineLinker:
    """Frame-by-frame linker, which gives each detection its track id.

    Parameters
    ----------
    follower : Follower
        Motion model.
    max_gap : int
        Frames in a row that an object may be missing.
    search_radius_um : float or None
        Farthest that an object goes in one frame; it grows with the square root of a gap.
    probability_rounds : int
        Of belief propagation, for the probability of each link.
    """

    def __init__(
        self,
        follower: Follower,
        max_gap: int = 3,
        search_radius_um: float | None = None,
        probability_rounds: int = LinkTuning().probability_rounds,
    ) -> None:
        self.follower = follower
        self.max_gap = max_gap
        self.search_radius_um = search_radius_um
        self.probability_rounds = probability_rounds
        self._frame: int | None = None
        self._track_id = np.zeros(0, np.int64)
        self._last_frame = np.zeros(0, np.int64)
        self._last_place = np.zeros((0, 2))
        self._next = 0
        self.evidence: LinkEvidence | None = None

    @property
    def followed(self) -> int:
        """Number of objects held in memory."""
        return len(self._track_id)

    def push(self, frame: int, seen: Detections) -> IntArray:
        """Return the track number of each detection of `frame`, shape (len(seen),)."""
        self._go_to(frame)
        self.evidence = LinkEvidence.empty(len(seen))
        tails, heads = self._pair(frame, seen)
        track_ids = np.full(len(seen), -1, np.int64)
        track_ids[heads] = self._track_id[tails]
        self.follower.correct(tails, heads, seen)
        self._last_frame[tails] = frame
        self._last_place[tails] = seen.position_um[heads]
        self._begin(frame, seen, track_ids)
        return track_ids

    def refine(self, finer: int) -> None:
        """Count time in frames `finer` times as short from now on."""
        self._last_frame = self._last_frame * finer
        self._frame = None if self._frame is None else self._frame * finer

    def _go_to(self, frame: int) -> None:
        steps = 0 if self._frame is None else frame - self._frame
        self._frame = frame
        keep = frame - self._last_frame <= self.max_gap + 1
        if not keep.all():
            self.follower.keep(keep)
            self._track_id, self._last_frame = self._track_id[keep], self._last_frame[keep]
            self._last_place = self._last_place[keep]
        for _ in range(steps if len(self._track_id) else 0):
            self.follower.advance()

    def _pair(self, frame: int, seen: Detections) -> tuple[IntArray, IntArray]:
        reach = self.follower.reach_um
        tails, heads = candidate_pairs(self.follower.expected, seen.position_um, reach)
        gap = frame - self._last_frame[tails]
        if self.search_radius_um is not None:
            gone = ((seen.position_um[heads] - self._last_place[tails]) ** 2).sum(axis=1)
            near = gone <= self.search_radius_um**2 * gap
            tails, heads, gap = tails[near], heads[near], gap[near]
        if len(tails) == 0:
            return tails, heads
        costs = self.follower.costs(tails, heads, seen, gap - 1)
        shape = (len(self._track_id), len(seen))
        chosen = assign(tails, heads, costs, shape, self.follower.limit)
        if self.evidence is not None:
            self._weigh(tails, heads, costs, chosen, gap - 1)
        return tails[chosen], heads[chosen]

    def _weigh(
        self,
        tails: IntArray,
        heads: IntArray,
        costs: FloatArray,
        chosen: IntArray,
        missed: IntArray,
    ) -> None:
        """Note how probable each choice is among its alternatives."""
        evidence = self.evidence
        if evidence is None:
            return
        ratios = (self.follower.limit - costs) * self.follower.cost_to_log
        shape = (len(self._track_id), len(evidence.probability))
        probability, alone = link_probabilities(
            tails, heads, ratios, shape, self.probability_rounds
        )
        evidence.probability[:] = alone
        evidence.probability[heads[chosen]] = probability[chosen]
        evidence.log_ratio[heads[chosen]] = ratios[chosen]
        evidence.missed[heads[chosen]] = missed[chosen]

    def _begin(self, frame: int, seen: Detections, track_ids: IntArray) -> None:
        new = np.flatnonzero(track_ids < 0)
        track_ids[new] = np.arange(self._next, self._next + len(new))
        self._next += len(new)
        self.follower.add(new, seen)
        self._track_id = np.concatenate([self._track_id, track_ids[new]])
        self._last_frame = np.concatenate([self._last_frame, np.full(len(new), frame)])
        self._last_place = np.concatenate([self._last_place, seen.position_um[new]])
