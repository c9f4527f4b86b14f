"""Objects that pass over each other: one mask for a while, and two again.

Two objects that meet look like a fusion and a fission shortly after, with the same two sizes
before and after. Such a *clump* is taken apart again and both keep their identity.
"""

from __future__ import annotations

import numpy as np

from ..detections import IntArray
from .candidates import Event, LinkedMovie


def untangle_clumps(movie: LinkedMovie, events: list[Event]) -> tuple[IntArray, list[Event]]:
    """Return names in which passing objects keep theirs, and the events that are left.

    Parameters
    ----------
    movie : LinkedMovie
        Linked detections.
    events : list of Event
        From :func:`find_events`.
    """
    names = movie.names.copy()
    dropped: set[int] = set()
    fusions = [i for i, event in enumerate(events) if event.kind == "fusion"]
    fissions = np.array([i for i, e in enumerate(events) if e.kind == "fission"], np.int64)
    frame = movie.detections.frame // movie.detections.frame_step
    ends = frame[[events[j].whole for j in fissions]]
    for i in sorted(fusions, key=lambda k: int(frame[events[k].whole])):
        lasted = ends - frame[events[i].whole] + 1
        short = (lasted >= 1) & (lasted <= movie.tuning.events.clump_frames)
        for j, frames in zip(fissions[short].tolist(), lasted[short].tolist(), strict=True):
            if j not in dropped and _is_clump(movie, names, events[i], events[j], frames):
                _reconnect(movie, names, events[i], events[j])
                dropped |= {i, j}
                break
    return names, [event for i, event in enumerate(events) if i not in dropped]


def _is_clump(
    movie: LinkedMovie, names: IntArray, fusion: Event, fission: Event, lasted: int
) -> bool:
    """Return whether two objects met and parted `lasted` frames later, with their sizes unchanged.

    They were two for longer than one: what is in pieces for a moment is one object.
    """
    if names[fission.whole] != names[fusion.whole]:
        return False
    if min(_seen(movie, names, fusion.parts, -1) + _seen(movie, names, fission.parts, 1)) < lasted:
        return False
    area = movie.detections.area_um2
    before, after = (np.log(area[list(event.parts)]) for event in (fusion, fission))
    straight, crossed = (np.abs(before - after[order]).max() for order in ([0, 1], [1, 0]))
    return bool(min(straight, crossed) < movie.tuning.events.clump_size_tolerance)


def _seen(movie: LinkedMovie, names: IntArray, parts: tuple[int, int], sign: int) -> list[int]:
    """Return how often the track of each part is seen from there on (back, for sign -1)."""
    frame = movie.detections.frame
    return [int(((names == names[p]) & (sign * (frame - frame[p]) >= 0)).sum()) for p in parts]


def _reconnect(movie: LinkedMovie, names: IntArray, fusion: Event, fission: Event) -> None:
    """Give the parts after a clump the names of those before it."""
    found = movie.detections
    area, place, tuning = np.log(found.area_um2), found.position_um, movie.tuning.events
    cost = [
        sum(
            (area[a] - area[b]) ** 2 / tuning.clump_size_variance
            + ((place[a] - place[b]) ** 2).sum() / (tuning.clump_steps * movie.step_um) ** 2
            for a, b in zip(fusion.parts, parts, strict=True)
        )
        for parts in (fission.parts, fission.parts[::-1])
    ]
    parts = fission.parts if cost[0] <= cost[1] else fission.parts[::-1]
    wanted = [int(names[a]) for a in fusion.parts]
    middle = names == names[fusion.whole]
    clump = middle & (found.frame >= found.frame[fusion.whole])
    clump &= found.frame <= found.frame[fission.whole]
    tails = [(names == names[b]) & (found.frame >= found.frame[b]) for b in parts]
    for tail, name in zip(tails, wanted, strict=True):
        names[tail] = name
    larger = wanted[int(np.argmax([found.area_um2[a] for a in fusion.parts]))]
    names[clump] = larger
