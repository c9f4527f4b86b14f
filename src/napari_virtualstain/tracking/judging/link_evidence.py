"""Evidence against each link of a table of tracks, from positions and appearance alone.

Whoever made the tracks, a link is doubtful where another pairing of the same detections explains
the movement nearly as well, where the step is unusual for the track, where objects are crowded,
after a gap, and where area or intensity jump; and more so in a movie whose tracks often break, miss
frames, or waver in area. All of this is in units of the track's own steps, so
that pixels, micrometres and frame intervals make no difference.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.spatial import cKDTree

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

_NEIGHBOURS = 3
_WORTH_THREADS = 2000
# degrees of freedom of Student's t: steps have heavier tails than a Gaussian
_TAIL = 5.0
# how many links of the movie weigh as much as the track's own
_PRIOR_LINKS = 4.0
# squared distance, in squared steps, from which two objects cannot be mistaken for each other
_REACH = 60.0
# log likelihood ratio of alternatives, at most and at least
_UNLIKELY, _LIKELY = 30.0, -15.0
# median of a chi-square of 2 degrees of freedom
_MEDIAN_CHI_SQUARE = 1.386
# estimates of a movie are clipped to the range of the movies of the fit: log share of broken ends,
# share of links over a gap, median change of log area
_RESTLESS, _GAPPY, _UNSTEADY = (-6.0, -0.5), 0.3, (0.02, 0.4)
_TINY = 1e-12
_APPEARANCE = ("area_um2", "intensity")
FEATURES = (
    "swap",
    "end",
    "surprise",
    "next_surprise",
    "crowding",
    "reach",
    "gap",
    "appearance",
    "short",
    "outermost",
    "contact",
    "turnover",
    "masked",
    "resized",
    "merged",
    "restless",
    "gappy",
    "unsteady",
)


@dataclass(frozen=True, slots=True)
class Links:
    """Links of a table of tracks.

    Attributes
    ----------
    source, target : ndarray of shape (L,)
        Rows of the table that are joined.
    features : ndarray of shape (L, F)
        Evidence, in the order of ``FEATURES``.
    repeated : ndarray of bool, shape (L,)
        Whether both rows are of one frame, which no object can be in twice.
    """

    source: IntArray
    target: IntArray
    features: FloatArray
    repeated: NDArray[np.bool_]


def link_evidence(table: pd.DataFrame, pixel_size_um: float = 1.0) -> Links:
    """Return the links of `table`, sorted by track and frame, with the evidence against each.

    Parameters
    ----------
    table : DataFrame
        ``track_id frame`` and ``y_um x_um`` (or ``y_px x_px``); ``area_um2``, ``intensity`` and
        ``interpolated`` are used where they are there. Rows in any order.
    pixel_size_um : float
        Scale of positions that are in pixels; areas are compared with distances.
    """
    movie = _Movie(table, pixel_size_um)
    source, target = movie.rows[movie.a], movie.rows[movie.b]
    repeated = movie.frame[movie.a] == movie.frame[movie.b]
    return Links(source, target, movie.features(), repeated)


class _Movie:
    """Rows that were seen, in order, with their neighbours in time and space."""

    def __init__(self, table: pd.DataFrame, pixel_size_um: float) -> None:
        unit, scale = ("um", 1.0) if "y_um" in table else ("px", pixel_size_um)
        names = [name for name in (f"z_{unit}", f"y_{unit}", f"x_{unit}") if name in table]
        place = table[names].to_numpy(np.float64) * scale
        seen = np.asarray(np.isfinite(place).all(axis=1))
        if "interpolated" in table:
            seen &= ~table["interpolated"].to_numpy(bool)
        track, frame = (table[name].to_numpy(np.int64) for name in ("track_id", "frame"))
        order = np.lexsort((frame, track))
        self.rows = order[seen[order]]
        count = len(self.rows)
        frame = _counted(frame[self.rows])
        self.track = np.unique(track[self.rows], return_inverse=True)[1]
        # row `count` stands for nobody, here and below
        self.frame = np.append(frame, -1)
        self.place = np.vstack([place[self.rows], np.full(place.shape[1], np.nan)])
        self.a = np.flatnonzero(self.track[1:] == self.track[:-1])
        self.b = self.a + 1
        self.next, self.before = np.full(count + 1, count), np.full(count + 1, count)
        self.next[self.a], self.before[self.b] = self.b, self.a
        self.gap = np.ones(count + 1)
        self.gap[self.a] = np.maximum(self.frame[self.b] - self.frame[self.a], 1)
        self.step = np.zeros(self.place.shape)
        self.step[self.a] = self.place[self.b] - self.place[self.a]
        self.velocity = self.step / self.gap[:, None]
        self.appearance = _appearance(table, self.rows)
        self.radius = np.zeros(count + 1)
        if "area_um2" in table:
            area = np.nan_to_num(table["area_um2"].to_numpy(np.float64)[self.rows])
            self.radius[:-1] = np.sqrt(np.maximum(area, 0) / np.pi)
        self._learn_motion()
        self.near, self.density = self._neighbours()

    def _learn_motion(self) -> None:
        """Estimate the persistence of each track's velocity and the spread around it."""
        count, track = len(self.rows), self.track
        many = int(track.max(initial=-1)) + 1
        middle = np.flatnonzero((self.next < count) & (self.before < count))
        speed = np.sqrt((self.velocity[self.a] ** 2).sum(axis=1))
        limit = 4 * (np.median(speed) if len(speed) else 1.0) + _TINY
        v = _clipped(self.velocity[middle], limit)
        u = _clipped(self.velocity[self.before[middle]], limit)
        dot = np.bincount(track[middle], (v * u).sum(axis=1), many)
        power = np.bincount(track[middle], 0.5 * (v**2 + u**2).sum(axis=1), many)
        overall = dot.sum() / (power.sum() + _TINY**2)
        prior = _PRIOR_LINKS * (power.sum() / max(len(middle), 1) + _TINY**2)
        persistence = np.clip((dot + prior * overall) / (power + prior), -0.6, 0.98)
        self.persistence = np.append(persistence[track], overall)
        residual = self._residual_from_past(np.arange(count + 1)) * self.gap
        residual[self.next == count] = 0.0
        known = residual[self.a]
        typical = np.median(known) / _MEDIAN_CHI_SQUARE if len(known) else 1.0
        if typical <= 0:
            typical = known.mean() if len(known) and known.mean() > 0 else 1.0
        self.typical = float(typical)
        # a link is judged by the others of its track
        capped = np.minimum(residual, 30 * typical)
        total = np.bincount(track[self.a], capped[self.a], many)
        others = np.append(np.bincount(track[self.a], minlength=many)[track], 0) - 1
        own = np.append(total[track], 0.0) - capped
        prior = _PRIOR_LINKS * typical
        weight = np.maximum(others, 0) + _PRIOR_LINKS
        self.spread = (own / self.place.shape[1] + prior) / weight

    def _residual_from_past(self, rows: IntArray) -> FloatArray:
        """Return the squared residual of the velocities that leave `rows`."""
        earlier = self.before[rows]
        return self._residual(
            self.velocity[rows],
            self.velocity[earlier],
            earlier < len(self.rows),
            self.persistence[rows],
        )

    @staticmethod
    def _residual(
        v: FloatArray, u: FloatArray, known: NDArray[np.bool_], alpha: FloatArray
    ) -> FloatArray:
        """Return the squared residual of velocity `v` after `u`."""
        after = ((v - alpha[:, None] * u) ** 2).sum(axis=1)
        return np.asarray(
            np.where(known, after, (v**2).sum(axis=1) * (1 - np.clip(alpha, 0, 1) ** 2))
        )

    def _cost(self, source: IntArray, target: IntArray, of: IntArray) -> FloatArray:
        """Return minus log likelihood of going from `source` to `target`, seen from track `of`.

        What comes before the source and after the target is part of it.
        """
        count = len(self.rows)
        gap = np.maximum(self.frame[target] - self.frame[source], 1)
        v = (self.place[target] - self.place[source]) / gap[:, None]
        alpha, spread = self.persistence[of], self.spread[of]
        earlier, later = self.before[source], target
        first = self._residual(v, self.velocity[earlier], earlier < count, alpha)
        cost = _student(first * gap, spread)
        goes_on = self.next[later] < count
        second = ((self.velocity[later] - alpha[:, None] * v) ** 2).sum(axis=1)
        return cost + np.where(goes_on, _student(second * self.gap[later], spread), 0.0)

    def _neighbours(self) -> tuple[IntArray, FloatArray]:
        """Return the nearest others of each row in its frame, and the density around it."""
        count = len(self.rows)
        near = np.full((count + 1, _NEIGHBOURS + 1), count)
        density = np.zeros(count + 1)
        frame = self.frame[:-1]
        order = np.argsort(frame, kind="stable")
        begin = np.flatnonzero(np.diff(frame[order], prepend=-1))
        for here in np.split(order, begin[1:]) if count else []:
            if len(here) < 2:
                continue
            most = min(_NEIGHBOURS + 1, len(here))
            tree = cKDTree(self.place[here], balanced_tree=False, compact_nodes=False)
            # threads cost more to start than a few places take
            threads = -1 if len(here) > _WORTH_THREADS else 1
            found = tree.query(self.place[here], k=most, workers=threads)
            distance, index = (np.asarray(one) for one in found)
            near[here, :most] = here[index]
            density[here] = (most - 1) / (np.pi * np.maximum(distance[:, -1], 1e-12) ** 2)
        near[near == np.arange(count + 1)[:, None]] = count
        return near, density

    def features(self) -> FloatArray:
        """Return the evidence against each link."""
        count, a, b = len(self.rows), self.a, self.b
        if not len(a):
            return np.zeros((0, len(FEATURES)))
        own, appearance, gap = self._cost(a, b, a), self._appearance_cost(a, b), self.gap[a]
        swap, end = self._alternatives(own + appearance)
        contact, turnover = self._surroundings()
        surprise = _student(self._residual_from_past(a) * gap, self.spread[a])
        density = np.maximum(0.5 * (self.density[a] + self.density[b]), _TINY / self.typical)
        step = (self.step[a] ** 2).sum(axis=1) + 1e-3 * self.typical
        first, last = self.frame[:-1].min(), self.frame.max()
        begins = (self.before[a] == count) & (self.frame[a] > first)
        ends = (self.next[b] == count) & (self.frame[b] < last)
        columns = {
            "swap": swap,
            "end": end,
            "surprise": surprise,
            "next_surprise": own - surprise,
            "crowding": np.log(density * self.spread[a] * gap),
            "reach": np.log(density * step),
            "gap": np.minimum(gap - 1, 3),
            "appearance": appearance,
            "short": 1 / np.bincount(self.track)[self.track[a]],
            "outermost": begins.astype(float) + ends,
            "contact": np.minimum(contact, 3),
            "turnover": turnover,
            **self._sizes(),
            **self._of_the_movie(),
        }
        return np.column_stack([columns[name] for name in FEATURES])

    def _alternatives(self, own: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return how much less likely the best swap is, and the best end or begin of a track."""
        count, a, b, frame = len(self.rows), self.a, self.b, self.frame
        first, last = frame[:-1].min(), frame.max()
        cost = np.zeros(count + 1)
        cost[a] = own
        long = np.zeros(count + 1)
        step = (self.step[a] ** 2).sum(axis=1)
        long[a] = step
        long[b] = np.maximum(long[b], step)
        swap, end = np.full(len(a), _UNLIKELY), np.full(len(a), _UNLIKELY)
        for near_a, near_b in zip(self.near[a].T, self.near[b].T, strict=True):
            for n, m in ((near_a, self.next[near_a]), (self.before[near_b], near_b)):
                pair = (n < count) & (m < count) & (n != a)
                # who is missing in one of the frames cannot take the place
                pair &= (frame[n] < frame[b]) & (frame[m] > frame[a])
                pair &= self._within_reach(a, n, long) | self._within_reach(b, m, long)
                where = np.flatnonzero(pair)
                i, j, p, q = a[where], b[where], n[where], m[where]
                other = self._cost(i, q, i) + self._cost(p, j, p)
                other += self._appearance_cost(i, q) + self._appearance_cost(p, j)
                swap[where] = np.minimum(swap[where], other - cost[i] - cost[p])
            ended = (near_a < count) & (self.next[near_a] == count) & (frame[near_a] < last)
            where = np.flatnonzero(ended)
            other = self._cost(near_a[where], b[where], near_a[where])
            other += self._appearance_cost(near_a[where], b[where])
            end[where] = np.minimum(end[where], other - own[where])
            begun = (near_b < count) & (self.before[near_b] == count) & (frame[near_b] > first)
            where = np.flatnonzero(begun)
            other = self._cost(a[where], near_b[where], a[where])
            other += self._appearance_cost(a[where], near_b[where])
            end[where] = np.minimum(end[where], other - own[where])
        return np.maximum(swap, _LIKELY), np.maximum(end, _LIKELY)

    def _surroundings(self) -> tuple[FloatArray, FloatArray]:
        """Return how close the next mask is, and how many tracks nearby begin or end."""
        count, a, b, frame = len(self.rows), self.a, self.b, self.frame
        first, last = frame[:-1].min(), frame.max()
        contact, turnover = np.zeros(len(a)), np.zeros(len(a))
        for here, change, edge in ((a, self.next, last), (b, self.before, first)):
            for n in self.near[here].T:
                turnover += (n < count) & (change[n] == count) & (frame[n] != edge)
                if self.radius.any():
                    apart = np.sqrt(((self.place[n] - self.place[here]) ** 2).sum(axis=1))
                    touch = (self.radius[n] + self.radius[here]) / np.maximum(apart, _TINY)
                    contact = np.fmax(contact, np.where(n < count, touch, 0.0))
        return contact, turnover

    def _sizes(self) -> dict[str, FloatArray]:
        """Return whether areas are known, how they change, and how well a merge explains it."""
        a, b, area = self.a, self.b, self.radius**2
        masked = (area[a] > 0) & (area[b] > 0)
        count, safe = len(self.rows), np.maximum(area, _TINY)
        alone = np.abs(np.log(safe[b] / safe[a]))
        together = alone.copy()
        for near_a, near_b in zip(self.near[a].T, self.near[b].T, strict=True):
            ended = (near_a < count) & (self.next[near_a] == count)
            whole = np.abs(np.log(safe[b] / (safe[a] + np.where(ended, area[near_a], 0.0))))
            begun = (near_b < count) & (self.before[near_b] == count)
            parts = np.abs(np.log((safe[b] + np.where(begun, area[near_b], 0.0)) / safe[a]))
            together = np.minimum(together, np.minimum(whole, parts))
        return {
            "masked": masked.astype(float),
            "resized": np.where(masked, np.minimum(alone, 2), 0.0),
            "merged": np.where(masked, np.minimum(alone - together, 2), 0.0),
        }

    def _of_the_movie(self) -> dict[str, FloatArray]:
        """Return how often tracks of the movie break and miss frames, and how areas waver."""
        count, frame, a = len(self.rows), self.frame[:-1], self.a
        broken = (self.before[:count] == count) & (frame > frame.min())
        broken = broken.sum() + ((self.next[:count] == count) & (frame < frame.max())).sum()
        area = self.radius**2
        known = a[(area[a] > 0) & (area[a + 1] > 0)]
        wavers = np.abs(np.log(area[known + 1] / area[known]))
        of_all = {
            "restless": np.log((broken + 1) / (2 * len(a) + 2)).clip(*_RESTLESS),
            "gappy": min(float((self.gap[a] > 1).mean()), _GAPPY),
            "unsteady": np.log(np.median(wavers).clip(*_UNSTEADY)) if len(known) else 0.0,
        }
        return {name: np.full(len(a), value, np.float64) for name, value in of_all.items()}

    def _within_reach(self, one: IntArray, other: IntArray, long: FloatArray) -> NDArray[np.bool_]:
        """Return whether two objects are so near that one could be mistaken for the other.

        `long` is the square of the longest step next to each row.
        """
        apart = ((self.place[one] - self.place[other]) ** 2).sum(axis=1)
        reach = _REACH * (self.spread[one] + self.spread[other]) + 4 * (long[one] + long[other])
        return np.asarray(apart < reach)

    def _appearance_cost(self, source: IntArray, target: IntArray) -> FloatArray:
        if not self.appearance.shape[1]:
            return np.zeros(len(source))
        change = self.appearance[target] - self.appearance[source]
        return np.asarray(np.nansum(_student(change**2, np.ones(1), 1), axis=1))


def _appearance(table: pd.DataFrame, rows: IntArray) -> FloatArray:
    """Return logarithms of area and intensity in units of their usual change, shape (n + 1, C)."""
    columns = []
    track = table["track_id"].to_numpy()[rows]
    for name in _APPEARANCE:
        if name not in table:
            continue
        value = table[name].to_numpy(np.float64)[rows]
        value = np.log(np.where(value > 0, value, np.nan))
        change = np.diff(value)[track[1:] == track[:-1]]
        change = change[np.isfinite(change)]
        usual = 1.4826 * np.median(np.abs(change)) if len(change) else 0.0
        if usual > 1e-9:
            columns.append(np.append(value / max(usual, 0.02), np.nan))
    return np.column_stack(columns) if columns else np.zeros((len(rows) + 1, 0))


def _counted(frame: IntArray) -> IntArray:
    """Return frames in units of the step between them, counted from 0."""
    numbers = np.unique(frame)
    step = int(np.gcd.reduce(np.diff(numbers))) if len(numbers) > 1 else 1
    return np.asarray((frame - frame.min()) // max(step, 1)) if len(frame) else frame


def _student(square: FloatArray, spread: FloatArray, axes: int = 2) -> FloatArray:
    return np.asarray(0.5 * (_TAIL + axes) * np.log1p(square / (_TAIL * spread)))


def _clipped(v: FloatArray, limit: float) -> FloatArray:
    size = np.sqrt((v**2).sum(axis=1, keepdims=True))
    return np.asarray(v * np.minimum(1, limit / np.maximum(size, 1e-300)))
