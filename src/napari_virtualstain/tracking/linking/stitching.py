"""Gap closing: joins of track ends that a step longer than the motion allows for broke.

A mitochondrion that rested for a minute may be pulled ten times as far as ever before
within one frame. Its likelihood under any motion estimated from the movie is nil, yet nobody
doubts who it is when nothing else is around. So what is left is judged by chance: how
many beginnings of tracks would lie as near to this end if they had nothing to do with it?
"""

from __future__ import annotations

import numpy as np

from ...settings import JoinTuning
from ..detections import Detections, FloatArray, IntArray
from .assignment import assign, candidate_pairs


def stitch(
    found: Detections,
    track_ids: IntArray,
    *,
    max_gap: int,
    step_um: float,
    search_radius_um: float | None = None,
    kin: frozenset[int] = frozenset(),
    tuning: JoinTuning | None = None,
) -> tuple[IntArray, FloatArray]:
    """Return track ids after joining, and the chance that each such join is one of strangers.

    Parameters
    ----------
    found : Detections
        n of them.
    track_ids : ndarray of shape (n,)
        Track of each.
    max_gap : int
        Frames in a row that an object may be missing.
    step_um : float
        Typical step.
    search_radius_um : float or None
        Farthest that an object goes in one frame.
    kin : frozenset of int
        Tracks that take part in a fission or fusion, which are left as they are.
    tuning : JoinTuning, optional
        Chance, length, distance and change of size up to which ends are joined.

    Returns
    -------
    ndarray of shape (n,), ndarray of shape (n,)
        The chance is NaN except at the first detection after a join.
    """
    tuning = tuning or JoinTuning()
    chance = np.full(len(track_ids), np.nan)
    if len(track_ids) == 0 or step_um <= 0:
        return track_ids, chance
    first, last = _ends(track_ids, kin, tuning.least_length)
    frame, place = found.frame // found.frame_step, found.position_um
    ended = last[frame[last] < frame.max()]
    begun = first[frame[first] > frame.min()]
    if len(ended) == 0 or len(begun) == 0:
        return track_ids, chance
    extent = np.maximum(np.ptp(place, axis=0), step_um).prod()
    density = len(begun) / (np.ptp(frame) * extent)
    tails, heads = candidate_pairs(place[ended], place[begun], tuning.longest_steps * step_um)
    gap = frame[begun[heads]] - frame[ended[tails]]
    good = (gap >= 1) & (gap <= max_gap + 1)
    tails, heads, gap = tails[good], heads[good], gap[good]
    squared = ((place[begun[heads]] - place[ended[tails]]) ** 2).sum(axis=1)
    expected = np.pi * squared * density * gap
    sized = bool(np.isfinite(found.area_um2).all())
    possible = expected < (tuning.chance_sized if sized else tuning.chance)
    if search_radius_um is not None:
        possible &= squared <= search_radius_um**2 * gap
    possible &= _alike(found, ended[tails], begun[heads], tuning.size_change)
    tails, heads, expected = tails[possible], heads[possible], expected[possible]
    cost = np.log(np.maximum(expected, 1e-12))
    chosen = assign(tails, heads, cost, (len(ended), len(begun)), limit=0.0)
    joined = track_ids.copy()
    for k in chosen[np.argsort(frame[begun[heads[chosen]]])]:
        head = begun[heads[k]]
        joined[joined == joined[head]] = joined[ended[tails[k]]]
        chance[head] = expected[k]
    return joined, chance


def _ends(track_ids: IntArray, kin: frozenset[int], least: int) -> tuple[IntArray, IntArray]:
    """Return first and last detection of each track that may be joined."""
    tracks, first, counts = np.unique(track_ids, return_index=True, return_counts=True)
    last = len(track_ids) - 1 - np.unique(track_ids[::-1], return_index=True)[1]
    free = (counts >= least) & ~np.isin(tracks, sorted(kin))
    return first[free], last[free]


def _alike(found: Detections, before: IntArray, after: IntArray, largest: float) -> np.ndarray:
    """Return whether sizes fit, where they are known."""
    with np.errstate(divide="ignore", invalid="ignore"):
        change = np.abs(np.log(found.area_um2[after] / found.area_um2[before]))
    return np.asarray(~(change > largest))
