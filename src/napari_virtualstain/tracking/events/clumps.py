"""Clumps: objects that pass over each other, one mask for a while and two again.

Two objects that meet look like a fusion and a fission shortly after, with the same two sizes
before and after. Such a *clump* is taken apart again and both keep their identity.
"""

from __future__ import annotations

import numpy as np

from ..detections import IntArray
from .candidates import Event, LinkedMovie


def untangle_clumps(movie: LinkedMovie, events: list[Event]) -> tuple[IntArray, list[Event]]:
    """Return track ids in which passing objects keep theirs, and the events that are left.

    Parameters
    ----------
    movie : LinkedMovie
        Linked detections.
    events : list of Event
        From :func:`find_events`.
    """
    track_ids = movie.track_ids.copy()
    dropped: set[int] = set()
    fusions = [i for i, event in enumerate(events) if event.kind == "fusion"]
    fissions = np.array([i for i, e in enumerate(events) if e.kind == "fission"], np.int64)
    frame = movie.detections.frame // movie.detections.frame_step
    ends = frame[[events[j].parent for j in fissions]]
    for i in sorted(fusions, key=lambda k: int(frame[events[k].parent])):
        lasted = ends - frame[events[i].parent] + 1
        short = (lasted >= 1) & (lasted <= movie.tuning.events.clump_frames)
        for j, frames in zip(fissions[short].tolist(), lasted[short].tolist(), strict=True):
            if j not in dropped and _is_clump(movie, track_ids, events[i], events[j], frames):
                _reconnect(movie, track_ids, events[i], events[j])
                dropped |= {i, j}
                break
    return track_ids, [event for i, event in enumerate(events) if i not in dropped]


def _is_clump(
    movie: LinkedMovie, track_ids: IntArray, fusion: Event, fission: Event, lasted: int
) -> bool:
    """Return whether two objects met and parted `lasted` frames later, with their sizes unchanged.

    They were two for longer than one: what is in fragments for a moment is one object.
    """
    if track_ids[fission.parent] != track_ids[fusion.parent]:
        return False
    if (
        min(
            _seen(movie, track_ids, fusion.daughters, -1)
            + _seen(movie, track_ids, fission.daughters, 1)
        )
        < lasted
    ):
        return False
    area = movie.detections.area_um2
    before, after = (np.log(area[list(event.daughters)]) for event in (fusion, fission))
    straight, crossed = (np.abs(before - after[order]).max() for order in ([0, 1], [1, 0]))
    return bool(min(straight, crossed) < movie.tuning.events.clump_size_tolerance)


def _seen(
    movie: LinkedMovie, track_ids: IntArray, daughters: tuple[int, int], sign: int
) -> list[int]:
    """Return how often the track of each part is seen from there on (back, for sign -1)."""
    frame = movie.detections.frame
    return [
        int(((track_ids == track_ids[p]) & (sign * (frame - frame[p]) >= 0)).sum())
        for p in daughters
    ]


def _reconnect(movie: LinkedMovie, track_ids: IntArray, fusion: Event, fission: Event) -> None:
    """Give the daughters after a clump the track ids of those before it."""
    found = movie.detections
    area, place, tuning = np.log(found.area_um2), found.position_um, movie.tuning.events
    cost = [
        sum(
            (area[a] - area[b]) ** 2 / tuning.clump_size_variance
            + ((place[a] - place[b]) ** 2).sum() / (tuning.clump_steps * movie.step_um) ** 2
            for a, b in zip(fusion.daughters, daughters, strict=True)
        )
        for daughters in (fission.daughters, fission.daughters[::-1])
    ]
    daughters = fission.daughters if cost[0] <= cost[1] else fission.daughters[::-1]
    wanted = [int(track_ids[a]) for a in fusion.daughters]
    middle = track_ids == track_ids[fusion.parent]
    clump = middle & (found.frame >= found.frame[fusion.parent])
    clump &= found.frame <= found.frame[fission.parent]
    tails = [(track_ids == track_ids[b]) & (found.frame >= found.frame[b]) for b in daughters]
    for tail, name in zip(tails, wanted, strict=True):
        track_ids[tail] = name
    larger = wanted[int(np.argmax([found.area_um2[a] for a in fusion.daughters]))]
    track_ids[clump] = larger
