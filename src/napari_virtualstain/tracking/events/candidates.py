"""Candidates for fission and fusion, from masks and areas.

Both are the same question, asked forwards and backwards in time. A track that begins
beside an object asks whether it came out of it. The answer is a log odds that adds up

* where the two daughters lie: on the mask of the parent (grown a little), their common centre
  on its centre;
* what they weigh: the areas of the daughters add up to the parent, and the part that goes on
  became smaller (Mitometer's conservation of area).

Whether daughters and parent last is a matter of all changes of a movie (:mod:`.persistence`), and
objects that pass over each other are recognised in :mod:`.clumps`. A fusion is a fission with time
reversed: its *parent* is the one object, its *daughters* the two.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from scipy.spatial import cKDTree
from scipy.special import expit, logit

from ...settings import TrackTuning
from ..detections import Detections, FloatArray, IntArray
from ..linking.result import Linking
from ..mask_pixels import MaskPixels
from ..motion_models.two_sided import neighbours_in_track
from .division import divisions


@dataclass(frozen=True, slots=True)
class Event:
    """Fission, one object becoming two, or fusion, the same with time reversed.

    Attributes
    ----------
    kind : str
        ``fission`` or ``fusion``.
    parent : int
        Detection of the one object, next to the event.
    daughters : tuple of int
        Detections of the two.
    probability : float
        That it happened.
    """

    kind: str
    parent: int
    daughters: tuple[int, int]
    probability: float


@dataclass(frozen=True, slots=True)
class LinkedMovie:
    """Linked detections, with what events are judged by.

    Attributes
    ----------
    detections : Detections
        n of them.
    track_ids : ndarray of shape (n,)
        Track of each.
    masks : MaskPixels or None
        Their pixels.
    step_um : float
        How far objects go in a frame.
    tuning : TrackTuning
        Numbers that decide about events.
    """

    detections: Detections
    track_ids: IntArray
    masks: MaskPixels | None
    step_um: float
    tuning: TrackTuning = field(default_factory=TrackTuning)

    @classmethod
    def of(cls, linked: Linking, tuning: TrackTuning) -> LinkedMovie:
        """Return the movie of what was linked; of outlines, rest is a step of a quarter pixel."""
        least = linked.masks.pixel_size_um / 4 if linked.masks else 0.0
        step = max(linked.step_um, least)
        return cls(linked.detections, linked.track_ids, linked.masks, step, tuning)

    def with_track_ids(self, track_ids: IntArray) -> LinkedMovie:
        """Return the movie with other track ids."""
        return replace(self, track_ids=track_ids)

    @property
    def radius_um(self) -> FloatArray:
        """Radius of a disc of the same area, shape (n,)."""
        return np.sqrt(self.detections.area_um2 / np.pi)


def find_events(movie: LinkedMovie) -> list[Event]:
    """Return fissions and fusions, surest first, none in conflict with another.

    Parameters
    ----------
    movie : LinkedMovie
        Without areas, events are recognised from positions alone.
    """
    if len(movie.detections) == 0 or movie.step_um <= 0:
        return []
    found = _partings(movie, backwards=False) + _partings(movie, backwards=True)
    if np.isfinite(movie.detections.area_um2).all():
        found += _splits(movie, backwards=False) + _splits(movie, backwards=True)
    found.sort(key=lambda event: -event.probability)
    kept: list[Event] = []
    used: set[tuple[str, str, int]] = set()
    for event in found:
        roles = {(event.kind, "parent", event.parent)} | {
            (event.kind, "part", part) for part in event.daughters
        }
        if not roles & used:
            used |= roles
            kept.append(event)
    return kept


def _partings(movie: LinkedMovie, *, backwards: bool) -> list[Event]:
    """Return pairs that parted from the middle of one object, from positions."""
    triples, probability = divisions(
        movie.detections,
        movie.track_ids,
        movie.step_um,
        movie.tuning.divisions,
        backwards=backwards,
    )
    area = movie.detections.area_um2
    with np.errstate(divide="ignore", invalid="ignore"):
        change = np.log((area[triples.sibling] + area[triples.child]) / area[triples.parent])
    unlikely = (
        0.5 * np.nan_to_num(change / movie.tuning.events.area_log_spread, posinf=9, neginf=-9) ** 2
    )
    probability = expit(logit(probability) - unlikely)
    kind = "fusion" if backwards else "fission"
    return [
        Event(
            kind,
            int(triples.parent[k]),
            (int(triples.sibling[k]), int(triples.child[k])),
            float(probability[k]),
        )
        for k in np.flatnonzero(probability >= movie.tuning.events.least_probability)
    ]


def _splits(movie: LinkedMovie, *, backwards: bool) -> list[Event]:
    """Return what may have split, in the direction of time that is asked for."""
    found = movie.detections
    before = neighbours_in_track(movie.track_ids, backwards=backwards)
    after = neighbours_in_track(movie.track_ids, backwards=not backwards)
    sign = -found.frame_step if backwards else found.frame_step
    edge = found.frame.max() if backwards else found.frame.min()
    by_frame = dict(found.slices())
    events = []
    for frame, part in found.slices():
        if frame == edge or frame - sign not in by_frame:
            continue
        here = np.arange(part.start, part.stop)
        young = here[before[here] < 0]
        parents = np.arange(by_frame[frame - sign].start, by_frame[frame - sign].stop)
        for child, parent in _nearby(movie, young, parents):
            sibling = _sibling(
                movie, child, parent, after[parent], young, found.frame[parent] + sign
            )
            if sibling is None:
                continue
            goes_on = bool(after[parent] == sibling)
            odds = _log_odds(movie, parent, (sibling, child), goes_on)
            probability = float(expit(odds))
            if probability >= movie.tuning.events.least_probability:
                kind = "fusion" if backwards else "fission"
                events.append(Event(kind, int(parent), (int(sibling), int(child)), probability))
    return events


def _nearby(movie: LinkedMovie, young: IntArray, parents: IntArray) -> list[tuple[int, int]]:
    """Return (child, parent) that lie close enough to be worth a look."""
    if len(young) == 0 or len(parents) == 0:
        return []
    radius, tuning = movie.radius_um, movie.tuning.events
    reach = tuning.reach_in_radii * radius[parents].max() + tuning.reach_in_steps * movie.step_um
    reach += radius[young].max()
    place = movie.detections.position_um
    near = cKDTree(place[young]).query_ball_tree(cKDTree(place[parents]), reach)
    return [(int(young[i]), int(parents[j])) for i, some in enumerate(near) for j in some]


def _sibling(
    movie: LinkedMovie, child: int, parent: int, goes_on: int, young: IntArray, frame: int
) -> int | None:
    """Return the other part: what the parent goes on as, or another young one beside it."""
    if goes_on >= 0:
        return int(goes_on) if movie.detections.frame[goes_on] == frame else None
    others = young[young != child]
    if len(others) == 0:
        return None
    place, area = movie.detections.position_um, movie.detections.area_um2
    middle = (place[others] * area[others, None] + place[child] * area[child]) / (
        area[others] + area[child]
    )[:, None]
    off = np.linalg.norm(middle - place[parent], axis=1)
    best = int(np.argmin(off))
    return int(others[best]) if others[best] > child else None


def place_of(movie: LinkedMovie, event: Event) -> FloatArray:
    """Return the place of an event, (y, x) in µm: between the daughters' masks, or the parent's."""
    if movie.masks is None:
        return np.asarray(movie.detections.position_um[event.parent])
    return movie.masks.between(*event.daughters)


def _log_odds(movie: LinkedMovie, parent: int, daughters: tuple[int, int], goes_on: bool) -> float:
    """Return the log odds that `parent` became `daughters`."""
    return (
        movie.tuning.events.prior_log_odds
        + _area_odds(movie, parent, daughters, goes_on)
        + _place_odds(movie, parent, daughters, goes_on)
        + _overlap_odds(movie, parent, daughters)
    )


def _area_odds(movie: LinkedMovie, parent: int, daughters: tuple[int, int], goes_on: bool) -> float:
    area, tuning = movie.detections.area_um2, movie.tuning.events
    spread = tuning.split_area_spread
    together = np.log((area[daughters[0]] + area[daughters[1]]) / area[parent]) / spread
    kept = -0.5 * together**2
    if not goes_on:
        most = tuning.both_new_log_odds
        return float(np.clip(kept + most, tuning.least_log_odds, most))
    alone = -0.5 * (np.log(area[daughters[0]] / area[parent]) / spread) ** 2
    return float(
        np.clip(kept, -tuning.largest_misfit, 0) - np.clip(alone, -tuning.largest_misfit, 0)
    )


def _place_odds(
    movie: LinkedMovie, parent: int, daughters: tuple[int, int], goes_on: bool
) -> float:
    """Return the log odds of the common centre: on the parent, or anywhere around it."""
    place, area = movie.detections.position_um, movie.detections.area_um2
    tuning = movie.tuning.events
    share = area[daughters[0]] / (area[daughters[0]] + area[daughters[1]])
    middle = share * place[daughters[0]] + (1 - share) * place[daughters[1]]
    radius = movie.radius_um[parent]
    spread = movie.step_um + tuning.centre_in_radii * radius
    off = ((middle - place[parent]) ** 2).sum() / (2 * spread**2)
    if not goes_on:
        most = tuning.both_new_log_odds
        return float(np.clip(most - off, tuning.least_log_odds, most))
    alone = ((place[daughters[0]] - place[parent]) ** 2).sum() / (2 * spread**2)
    gain = min(alone, tuning.largest_misfit) - min(off, tuning.largest_misfit)
    return float(np.clip(gain, tuning.least_log_odds, tuning.most_place_log_odds))


def _overlap_odds(movie: LinkedMovie, parent: int, daughters: tuple[int, int]) -> float:
    """Return the log odds of how much of the daughters lies on the parent."""
    tuning = movie.tuning.events
    shares, odds = tuning.overlap_shares, tuning.overlap_log_odds
    if movie.masks is None:
        place, radius, most = movie.detections.position_um, movie.radius_um, tuning.near_log_odds
        gone = max(
            np.linalg.norm(place[part] - place[parent]) - radius[parent] for part in daughters
        )
        return float(np.clip(most - gone / (movie.step_um + 0.5 * radius[parent]), odds[0], most))
    if movie.masks.at_border[list(daughters)].all():
        return tuning.outside_log_odds
    grown = tuning.growth_in_radii * movie.radius_um[parent] + movie.step_um
    share = min(movie.masks.share_near(part, parent, grown) for part in daughters)
    return float(np.interp(share, shares, odds))


def cut_at_events(
    movie: LinkedMovie, events: list[Event]
) -> tuple[IntArray, dict[int, list[int]], list[tuple[Event, list[int], list[int]]]]:
    """Return track ids that change at events, the graph, and (event, parents, children) of each.

    Parameters
    ----------
    movie : LinkedMovie
        Linked detections.
    events : list of Event
        Those to believe.
    """
    found = movie.detections
    track_ids = movie.track_ids.copy()
    for event in events:
        here = (
            found.frame
            >= found.frame[event.daughters[0] if event.kind == "fission" else event.parent]
        )
        goes_on = event.daughters if event.kind == "fission" else (event.parent,)
        held = [event.parent] if event.kind == "fission" else list(event.daughters)
        for detection in goes_on:
            if track_ids[detection] in track_ids[held]:
                track_ids[here & (track_ids == track_ids[detection])] = track_ids.max() + 1
    graph: dict[int, list[int]] = {}
    families = []
    for event in events:
        parent, daughters = (
            int(track_ids[event.parent]),
            [int(track_ids[part]) for part in event.daughters],
        )
        parents, children = (
            ([parent], daughters) if event.kind == "fission" else (daughters, [parent])
        )
        for child in children:
            graph[child] = sorted({*graph.get(child, []), *parents})
        families.append((event, parents, children))
    return track_ids, graph, families
