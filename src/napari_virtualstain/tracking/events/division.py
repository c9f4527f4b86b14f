"""Division and fusion from positions alone: two objects that part from the middle of one.

When an object divides, both daughters leave it in opposite directions, farther than it ever moves
otherwise. So a triple of a parent and two daughters is weighed by how well the daughters' middle
lies on the parent and how usual their distance is, against the chance that the parent goes on as
one of them with an unusual step while something else begins, or is found again, just there::

    odds = D · p(middle | parent) · p(distance) / (p(step) · p(begins here))

How often (D), how exactly and how far apart things divide is estimated from the movie. What keeps
a movie without divisions free of them is a comparison with decoys: the same triples with the
second part turned by a right angle about the first. Chance and broken tracks make as many good
decoys as good triples; divisions do not, and only what the triples have more counts for D, once
it exceeds the spread of such counts. So a lone division cannot be separated from chance without
masks.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial import cKDTree
from scipy.special import expit

from ...settings import DivisionTuning
from ..detections import Detections, FloatArray, IntArray
from ..motion_models.two_sided import neighbours_in_track

_ROUNDS = 12
_LOG_PLANE = 1.5 * np.log(2 * np.pi)


@dataclass(frozen=True, slots=True)
class Triples:
    """Candidates, a parent with two daughters each; indices of detections, shape (n,).

    ``sibling`` is what the parent goes on as (or another beginning), ``child`` begins;
    ``late`` is in how many frames after the parent both had been seen.
    """

    parent: IntArray
    sibling: IntArray
    child: IntArray
    late: IntArray

    def __len__(self) -> int:
        return len(self.parent)

    def take(self, index: IntArray) -> Triples:
        """Return the triples at `index`."""
        return Triples(
            *(side[index] for side in (self.parent, self.sibling, self.child, self.late))
        )


@dataclass(frozen=True, slots=True)
class Evidence:
    """Evidence of n triples; the first of three rows is as seen, two are decoys.

    Attributes
    ----------
    off : ndarray of shape (3, n)
        Squared distance of the middle of the daughters from the parent.
    alone : ndarray of shape (3, n)
        Log density of the daughters if nothing divided.
    log_apart : ndarray of shape (n,)
        Logarithm of the distance between the daughters.
    late : ndarray of shape (n,)
        Frames from parent to daughters.
    appearance : ndarray of shape (n, g)
        Differences of features between the daughters, to the parent, and to all objects.
    """

    off: FloatArray
    alone: FloatArray
    log_apart: FloatArray
    late: IntArray
    appearance: FloatArray


@dataclass(frozen=True, slots=True)
class DivisionModel:
    """Division model of a movie; lengths in micrometres.

    Attributes
    ----------
    rate : float
        Divisions a detection.
    middle_variance : float
        Of the middle of the daughters about the parent, along an axis.
    log_apart, log_spread : float
        Mean and spread of the logarithm of the distance between the daughters.
    appearance, appearance_spread : ndarray of shape (g,)
        Mean and spread of the appearance.
    """

    rate: float
    middle_variance: float
    log_apart: float
    log_spread: float
    appearance: FloatArray
    appearance_spread: FloatArray


def divisions(
    found: Detections,
    track_ids: IntArray,
    step_um: float,
    tuning: DivisionTuning,
    *,
    backwards: bool = False,
) -> tuple[Triples, FloatArray]:
    """Return triples that may be divisions (fusions, backwards) and their probabilities.

    Parameters
    ----------
    found : Detections
        n of them.
    track_ids : ndarray of shape (n,)
        Track of each.
    step_um : float
        How far objects go in a frame, along an axis.
    tuning : DivisionTuning
        What is believed before the movie is seen.
    backwards : bool
        Whether time runs backwards.
    """
    links = _Links(found, track_ids, step_um, backwards, tuning)
    triples = _candidates(found, track_ids, step_um, backwards, tuning)
    triples = triples.take(_hopeful(found, triples, links))
    if len(triples) == 0:
        return triples, np.zeros(0)
    evidence = _evidence(found, triples, links)
    usual = DivisionModel(
        tuning.prior_rate,
        tuning.middle_variance * links.scale,
        float(np.log(tuning.apart_in_steps * step_um)),
        tuning.apart_log_spread,
        *_middle(evidence.appearance),
    )
    members = [np.unique(m, return_inverse=True)[1] for m in (triples.child, triples.parent)]
    model, odds = usual, np.zeros((3, len(triples)))
    for _ in range(_ROUNDS):
        odds = _log_odds(model, usual, evidence, tuning.appearance_cap)
        weight, *decoys = (_best_of_each(expit(row), members) for row in odds)
        model = _learnt(usual, evidence, weight, tuning)
        false = float(np.mean([some.sum() for some in decoys]))
        surplus = float(weight.sum()) - false
        if surplus <= tuning.significance * np.sqrt(weight.sum() + false):
            return triples, np.zeros(len(triples))
        model = replace(model, rate=surplus / len(found))
    return triples, np.asarray(expit(odds[0]))


def _middle(appearance: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return median and spread of each column, not thrown off by the few divisions."""
    middle = np.median(appearance, axis=0)
    spread = 1.4826 * np.median(np.abs(appearance - middle), axis=0)
    return middle, np.maximum(spread, 1e-3)


def _evidence(found: Detections, triples: Triples, links: _Links) -> Evidence:
    place, appearance = found.position_um, found.features[:, _telling(found.feature_names)]
    parent, sibling, child = place[triples.parent], place[triples.sibling], place[triples.child]
    across = child - sibling
    seen = [child, *(sibling + _turned(across, sign) for sign in (1, -1))]
    a, b, w = appearance[triples.sibling], appearance[triples.child], appearance[triples.parent]
    usual = np.median(appearance, axis=0)
    return Evidence(
        off=np.stack([(((sibling + some) / 2 - parent) ** 2).sum(axis=1) for some in seen]),
        alone=np.stack([links.log_alone(triples, some) for some in seen]),
        log_apart=_log_length(across),
        late=triples.late,
        appearance=np.column_stack([b - a, (a + b) / 2 - w, w - usual]),
    )


def _telling(columns: tuple[str, ...]) -> list[int]:
    """Return the columns of size and brightness, not the same twice."""
    size = "log_area" if "log_area" in columns else "log_box"
    return [k for k, name in enumerate(columns) if name in (size, "log_intensity")]


def _hopeful(found: Detections, triples: Triples, links: _Links) -> IntArray:
    """Return the triples that learning might make divisions of, themselves or their decoys."""
    place, tuning = found.position_um, links.tuning
    parent, sibling, child = place[triples.parent], place[triples.sibling], place[triples.child]
    across = child - sibling
    best = np.full(len(triples), -np.inf)
    for some in (child, *(sibling + _turned(across, sign) for sign in (1, -1))):
        off = (((sibling + some) / 2 - parent) ** 2).sum(axis=1)
        middle = -0.5 * off / (tuning.largest_middle_spread**2 * links.scale) - np.log(links.scale)
        steps = np.logaddexp(links.log_step(parent, sibling), links.log_step(parent, some))
        best = np.maximum(best, middle - steps)
    odds = best - 2 * _log_length(across) - np.log(links.begins)
    return np.flatnonzero(odds > tuning.hopeless_log_odds)


def _log_length(offset: FloatArray) -> FloatArray:
    return np.asarray(np.log(np.maximum(np.linalg.norm(offset, axis=1), 1e-9)))


def _turned(offset: FloatArray, sign: int) -> FloatArray:
    return sign * np.column_stack([-offset[:, 1], offset[:, 0]])


def _best_of_each(probability: FloatArray, members: list[IntArray]) -> FloatArray:
    """Return the probabilities with all but the best of each child and of each parent at 0."""
    kept = probability
    for group in members:
        best = np.zeros(int(group.max()) + 1)
        np.maximum.at(best, group, kept)
        kept = np.where(kept == best[group], kept, 0.0)
    return kept


def _log_odds(
    model: DivisionModel, usual: DivisionModel, evidence: Evidence, cap: float
) -> FloatArray:
    """Return the log odds of the triples and of their decoys, shape (3, n)."""
    variance = model.middle_variance * evidence.late
    middle = -0.5 * evidence.off / variance - np.log(2 * np.pi * variance)
    unusual = (evidence.log_apart - model.log_apart) / model.log_spread
    # a log-normal distance in any direction, as a density in the plane
    apart = -0.5 * unusual**2 - np.log(model.log_spread) - 2 * evidence.log_apart - _LOG_PLANE
    appearance = _log_normal(evidence.appearance, model) - _log_normal(evidence.appearance, usual)
    alike = np.clip(appearance.sum(axis=1), -cap, cap)
    return np.asarray(np.log(model.rate) + middle + apart + alike - evidence.alone)


def _log_normal(appearance: FloatArray, model: DivisionModel) -> FloatArray:
    unusual = (appearance - model.appearance) / model.appearance_spread
    # heavy tails: a wrong area must not veto
    return np.asarray(-2 * np.log1p(unusual**2 / 3) - np.log(model.appearance_spread))


def _learnt(
    usual: DivisionModel, evidence: Evidence, weight: FloatArray, tuning: DivisionTuning
) -> DivisionModel:
    """Return what triples with `weight` look like, `usual` being worth a few of them."""
    belief = tuning.prior_divisions
    total = weight.sum() + belief

    def mean(values: FloatArray, before: FloatArray | float) -> FloatArray:
        return np.asarray((belief * np.asarray(before) + weight @ values) / total)

    log_apart = mean(evidence.log_apart, usual.log_apart)
    spread = mean((evidence.log_apart - log_apart) ** 2, tuning.apart_log_variance)
    variance = mean(evidence.off[0] / evidence.late / 2, usual.middle_variance)
    widest = tuning.largest_middle_spread**2 * usual.middle_variance / tuning.middle_variance
    appearance = mean(evidence.appearance, usual.appearance)
    appearance_variance = mean((evidence.appearance - appearance) ** 2, usual.appearance_spread**2)
    return DivisionModel(
        rate=0.0,
        middle_variance=min(float(variance), widest),
        log_apart=float(log_apart),
        log_spread=float(np.sqrt(spread)),
        appearance=appearance,
        appearance_spread=np.sqrt(appearance_variance),
    )


def _candidates(
    found: Detections, track_ids: IntArray, step_um: float, backwards: bool, tuning: DivisionTuning
) -> Triples:
    after = neighbours_in_track(track_ids, backwards=not backwards)
    rate = -found.frame_step if backwards else found.frame_step
    time = found.frame // rate
    begin = _lasting_beginnings(track_ids, time, tuning.lasting_frames)
    reach = tuning.reach_in_steps * step_um
    place = found.position_um
    parts = {frame // rate: part for frame, part in found.slices()}
    tables = []
    for now in np.unique(time[begin]).tolist():
        young = begin[time[begin] == now]
        for gap in range(1, tuning.late_frames + 1):
            if now - gap not in parts:
                continue
            part = parts[now - gap]
            near = np.asarray(
                cKDTree(place[part]).query(
                    place[young],
                    k=np.arange(1, min(tuning.nearest, part.stop - part.start) + 1),
                    distance_upper_bound=reach,
                )[1]
            )
            which, column = np.nonzero(near < part.stop - part.start)
            pairs = np.column_stack([near[which, column] + part.start, young[which]])
            tables.append(
                _with_siblings(pairs, after, young, time, place, reach, tuning.late_frames)
            )
    table = np.concatenate(tables) if tables else np.zeros((0, 4), np.int64)
    return Triples(*table[track_ids[table[:, 0]] != track_ids[table[:, 2]]].T)


def _with_siblings(
    pairs: IntArray,
    after: IntArray,
    young: IntArray,
    time: IntArray,
    place: FloatArray,
    reach: float,
    latest: int,
) -> IntArray:
    """Return rows (parent, sibling, child, late) of pairs (parent, child)."""
    sibling = after[pairs[:, 0]]
    goes_on = sibling >= 0
    some = np.column_stack([pairs[:, 0], sibling, pairs[:, 1]])[goes_on]
    parent, child = pairs[~goes_on].T
    near = np.linalg.norm(place[parent][:, None] - place[young][None], axis=2) < reach
    which, other = np.nonzero(near & (young[None] > child[:, None]))
    both = np.column_stack([parent[which], young[other], child[which]])
    rows = np.concatenate([some, both])
    late = np.maximum(time[rows[:, 1]], time[rows[:, 2]]) - time[rows[:, 0]]
    return np.asarray(np.column_stack([rows, late])[late <= latest])


def _lasting_beginnings(track_ids: IntArray, time: IntArray, least: int) -> IntArray:
    """Return the sorted first detections of tracks that last, none of the first frame."""
    order = np.lexsort((time, track_ids))
    starts = np.flatnonzero(np.diff(track_ids[order], prepend=-1))
    count = np.diff([*starts, len(track_ids)])
    first = order[starts]
    last_time = time[order[starts + count - 1]]
    lasting = (count >= least) | ((last_time == time.max()) & (count >= 1))
    return np.asarray(np.sort(first[lasting & (time[first] > time.min())]))


class _Links:
    """Likelihood that objects continue, begin and are found again without division."""

    def __init__(
        self,
        found: Detections,
        track_ids: IntArray,
        step_um: float,
        backwards: bool,
        tuning: DivisionTuning,
    ) -> None:
        self.tuning = tuning
        sign = -1 if backwards else 1
        self.place = found.position_um
        self.time = sign * (found.frame // found.frame_step)
        self.after = neighbours_in_track(track_ids, backwards=not backwards)
        self.begin = _lasting_beginnings(track_ids, self.time, tuning.lasting_frames)
        self.scale = step_um**2
        extent = np.maximum(np.ptp(self.place, axis=0), step_um).prod()
        frames = int(np.ptp(self.time))
        self.begins = (len(self.begin) + 1) / (extent * max(frames, 1))
        ends = np.flatnonzero((self.after < 0) & (self.time < self.time.max()))
        order = np.lexsort((self.time, track_ids))
        tracks, count = np.unique(track_ids, return_counts=True)
        long_enough = count[np.searchsorted(tracks, track_ids[ends])] >= 2
        self.ends = ends[long_enough]
        self.ending = (len(self.ends) + 1) / len(order)
        self.reach = tuning.lost_reach_in_steps * step_um
        scaled = self.time[self.ends] * self.reach / tuning.lost_frames
        place = np.column_stack([self.place[self.ends], scaled])
        self.tree = cKDTree(place) if len(self.ends) else None

    def log_step(self, before: FloatArray, after: FloatArray) -> FloatArray:
        """Return the log density of a step, with heavy tails."""
        squared = ((after - before) ** 2).sum(axis=-1) / self.scale
        tail = self.tuning.step_tail
        return np.asarray(
            -(tail / 2 + 1) * np.log1p(squared / tail) - np.log(2 * np.pi * self.scale)
        )

    def log_begins(self, place: FloatArray, when: IntArray, but: IntArray) -> FloatArray:
        """Return the log density of something beginning here, or being found again."""
        density = np.full(len(place), self.begins)
        if self.tree is not None:
            there = cKDTree(np.column_stack([place, when * self.reach / self.tuning.lost_frames]))
            pairs = self.tree.sparse_distance_matrix(
                there, self.reach, p=np.inf, output_type="ndarray"
            )
            end, here = self.ends[pairs["i"]], pairs["j"]
            lost = (when[here] > self.time[end]) & (end != but[here])
            end, here = end[lost], here[lost]
            again = np.exp(self.log_step(self.place[end], place[here]))
            density += self.tuning.lost_share * np.bincount(here, again, len(place))
        return np.asarray(np.log(density))

    def log_alone(self, triples: Triples, child: FloatArray) -> FloatArray:
        """Return the log density of both daughters when the parent did not divide."""
        parent, sibling = self.place[triples.parent], self.place[triples.sibling]
        when = self.time
        new = self.log_begins(child, when[triples.child], triples.parent)
        also = self.log_begins(sibling, when[triples.sibling], triples.parent)
        either = np.logaddexp(
            self.log_step(parent, sibling) + new, self.log_step(parent, child) + also
        )
        ends = self.after[triples.parent] < 0
        neither = np.log(self.ending) + new + also
        return np.where(ends, np.logaddexp(either, neither), either)
