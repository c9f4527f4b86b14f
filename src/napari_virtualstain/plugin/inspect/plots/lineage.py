"""The family of a track as lanes over time, without Qt."""

from __future__ import annotations

from dataclasses import dataclass

from ....tracking import EditableTracks

_MOST = 200


@dataclass(frozen=True, slots=True)
class Life:
    """One track in the family.

    Attributes
    ----------
    track_id, first, last : int
        Which, and its first and last frame.
    lane : float
        How far down it is drawn.
    parents : tuple of int
        Of the family.
    """

    track_id: int
    first: int
    last: int
    lane: float
    parents: tuple[int, ...]


def family(tracks: EditableTracks, track_id: int) -> list[Life]:
    """Return all tracks connected to one by fission and fusion, earliest first.

    Examples
    --------
    >>> import pandas as pd
    >>> rows = pd.DataFrame({"track_id": [1, 2, 3], "frame": [0, 1, 1], "y_px": 0.0, "x_px": 0.0})
    >>> [(life.track_id, life.lane) for life in family(EditableTracks(rows, {2: [1], 3: [1]}), 1)]
    [(1, 0.5), (2, 0.0), (3, 1.0)]
    """
    children: dict[int, list[int]] = {}
    for child, of in tracks.parents.items():
        for parent in of:
            children.setdefault(parent, []).append(child)
    members = _connected(tracks, track_id, children)
    roots = [m for m in members if not any(p in members for p in tracks.parents.get(m, []))]
    lanes: dict[int, float] = {}
    free = 0.0

    def place(one: int) -> None:
        nonlocal free
        if one in lanes:
            return
        lanes[one] = -1.0  # a circle ends here
        below = [c for c in sorted(children.get(one, [])) if c in members and c not in lanes]
        for child in below:
            place(child)
        if below:
            lanes[one] = (lanes[below[0]] + lanes[below[-1]]) / 2
            # a parent of a fusion would lie on its only child's lane, with the other parent
            if len(below) == 1 and len(tracks.parents.get(below[0], [])) > 1:
                lanes[one] = free
                free += 1
        else:
            lanes[one] = free
            free += 1

    for root in roots or members[:1]:
        place(root)
    return [
        Life(m, *tracks.extent(m), lanes.get(m, 0.0), tuple(tracks.parents.get(m, [])))
        for m in members
    ]


def _connected(tracks: EditableTracks, track_id: int, children: dict[int, list[int]]) -> list[int]:
    found = [track_id]
    seen = {track_id}
    for one in found:
        for other in (*tracks.parents.get(one, []), *children.get(one, [])):
            if other not in seen and other in tracks and len(found) < _MOST:
                seen.add(other)
                found.append(other)
    return sorted(found, key=lambda m: (tracks.extent(m)[0], m))
