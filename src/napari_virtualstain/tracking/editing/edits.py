"""Track edits: cut, join, swap, delete, add, move, fill, and the events between them.

Each function edits :class:`EditableTracks` and returns the change, which can be undone. Who
came from whom and the events follow: a link hangs at the end of the parent, and where that end
moves or vanishes, so does the link.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from ...errors import InputError
from .editable import Change, EditableTracks, Event

EVENT_KINDS = ("fission", "fusion")


def cut(tracks: EditableTracks, track_id: int, frame: int, number: int | None = None) -> Change:
    """End a track before `frame`; the rest becomes track `number`, or a new one.

    Raises
    ------
    InputError
        The track does not go on from before `frame`.

    Examples
    --------
    >>> import pandas as pd
    >>> rows = pd.DataFrame({"track_id": 1, "frame": [0, 1, 2], "y_px": 0.0, "x_px": 0.0})
    >>> tracks = EditableTracks(rows, {2: [1]})
    >>> change = cut(tracks, 1, 1, 3)
    >>> tracks.to_frame()["track_id"].tolist(), tracks.parents
    ([1, 3, 3], {2: [3]})
    """
    begins, ends = tracks.extent(track_id)
    if not begins < frame <= ends:
        raise InputError(
            f"Track {track_id} is seen in frames {begins} to {ends}, and frame {frame} is to be "
            "the first of its second part. Go to a later frame of the track."
        )
    number = tracks.next_id() if number is None else number
    with tracks.change(f"Cut track {track_id} before frame {frame}; it goes on as {number}") as c:
        rows = tracks.rows_of(track_id)
        tracks.assign(rows[tracks["frame"][rows] >= frame], number)
        _rename_parent(tracks, track_id, number, tracks.children(track_id))
        _sure(tracks, number, frame)
        _settle(tracks, (track_id, number))
    return c


def join(tracks: EditableTracks, first: int, second: int) -> Change:
    """Make two tracks one, under the number of the earlier.

    Raises
    ------
    InputError
        Both are seen in one frame.
    """
    earlier, later = sorted((first, second), key=tracks.extent)
    ends, begins = tracks.extent(earlier)[1], tracks.extent(later)[0]
    if first == second or begins <= ends:
        raise InputError(
            f"Track {earlier} is seen until frame {ends}, track {later} from frame {begins} on: "
            "one mitochondrion cannot be in two places. Cut one of them first."
        )
    with tracks.change(f"Joined tracks {first} and {second} as {earlier}") as change:
        _forget(tracks, later, as_child=True)
        _orphan(tracks, earlier)
        tracks.assign(tracks.rows_of(later), earlier)
        _rename_parent(tracks, later, earlier, tracks.children(later))
        _sure(tracks, earlier, begins)
        _settle(tracks, (earlier, later))
    return change


def swap(tracks: EditableTracks, first: int, second: int, frame: int) -> Change:
    """Exchange the parts of two tracks from `frame` on, children included.

    Raises
    ------
    InputError
        Neither goes on in `frame` or later, or they are the same.
    """
    own = tracks.rows_of(first)[tracks["frame"][tracks.rows_of(first)] >= frame]
    other = tracks.rows_of(second)[tracks["frame"][tracks.rows_of(second)] >= frame]
    if first == second or not (len(own) or len(other)):
        raise InputError(
            f"From frame {frame} on there is nothing to swap between tracks {first} and {second}. "
            "Choose two tracks and a frame that one of them reaches."
        )
    with tracks.change(f"Swapped tracks {first} and {second} from frame {frame} on") as change:
        spare = tracks.next_id()
        ours, theirs = tracks.children(first), tracks.children(second)
        if len(own):
            tracks.assign(own, spare)
        if len(other):
            tracks.assign(other, first)
        if len(own):
            tracks.assign(own, second)
        # an end that does not go on any more takes its children along; one that now does loses them
        _rename_parent(tracks, first, spare, ours) if len(own) else _orphan(tracks, first)
        _rename_parent(tracks, second, first, theirs) if len(other) else _orphan(tracks, second)
        if len(own):
            _rename_parent(tracks, spare, second, ours)
        for track_id in (first, second):
            if track_id in tracks:
                _sure(tracks, track_id, frame)
            else:
                _forget(tracks, track_id)
        _settle(tracks, (first, second))
    return change


def delete(tracks: EditableTracks, track_id: int) -> Change:
    """Remove a track, its links and its events.

    Raises
    ------
    InputError
        It is the only one.
    """
    rows = tracks.rows_of(track_id)
    if len(tracks) == 1:
        raise InputError(f"Track {track_id} is the only one. Remove the layer instead.")
    with tracks.change(f"Deleted track {track_id}") as change:
        _forget(tracks, track_id)
        tracks.remove(rows)
    return change


def remove_detection(tracks: EditableTracks, track_id: int, frame: int) -> Change:
    """Remove what a track is in one frame.

    Raises
    ------
    InputError
        The track is not there, or only there.
    """
    row = tracks.row_at(track_id, frame)
    if row is None or len(tracks.rows_of(track_id)) == 1:
        raise InputError(
            f"Track {track_id} is {'not' if row is None else 'only'} in frame {frame}. "
            "Go to one of its frames, or delete the track."
        )
    with tracks.change(f"Removed track {track_id} from frame {frame}") as change:
        tracks.remove(row)
        _settle(tracks, (track_id,))
    return change


def add_detection(tracks: EditableTracks, track_id: int, frame: int, **values: Any) -> Change:
    """Add a row to a track, which is made if there is none of this number.

    Parameters
    ----------
    tracks : EditableTracks
        To be edited.
    track_id, frame : int
        Whose, and where.
    **values
        ``y_px x_px`` and other columns.

    Raises
    ------
    InputError
        The track is in this frame already, or the place is incomplete.
    """
    lacking = [n for n in ("z_px", "y_px", "x_px") if n in tracks.columns and n not in values]
    if lacking:
        raise InputError(f"A detection without {', '.join(lacking)} has no place. Say where it is.")
    if track_id in tracks and (row := tracks.row_at(track_id, frame)) is not None:
        if "interpolated" not in tracks.columns or not tracks["interpolated"][row]:
            raise InputError(
                f"Track {track_id} is in frame {frame} already. Move it, or choose no track to "
                "begin a new one."
            )
        return move(tracks, track_id, frame, **values)
    with tracks.change(f"Added track {track_id} to frame {frame}") as change:
        sure = {"quality": 1.0, "interpolated": False}
        tracks.add({**sure, **values, "track_id": track_id, "frame": frame})
        _settle(tracks, (track_id,))
    return change


def move(tracks: EditableTracks, track_id: int, frame: int, **values: Any) -> Change:
    """Put a track somewhere else in one frame; it counts as seen there then.

    Raises
    ------
    InputError
        The track is not in this frame.
    """
    row = tracks.row_at(track_id, frame)
    if row is None:
        raise InputError(f"Track {track_id} is not in frame {frame}. Add a detection instead.")
    with tracks.change(f"Moved track {track_id} in frame {frame}") as change:
        for name, value in {"quality": 1.0, "interpolated": False, **values}.items():
            tracks.put(name, row, value)
        _settle(tracks, (track_id,))
    return change


def fill_gaps(tracks: EditableTracks, track_id: int) -> Change:
    """Add the frames in which a track is missing, on straight lines, marked as interpolated.

    Raises
    ------
    InputError
        It misses none.
    """
    rows = tracks.rows_of(track_id)
    frames = tracks["frame"][rows]
    missing = np.setdiff1d(np.arange(frames[0], frames[-1] + 1), frames)
    if not len(missing):
        raise InputError(
            f"Track {track_id} has no frame to fill: where it was not seen, it is interpolated "
            "already."
            if "interpolated" in tracks.columns and tracks["interpolated"][rows].any()
            else f"Track {track_id} has no gap to fill."
        )
    between = [n for n in ("z_px", "y_px", "x_px", "area_um2") if n in tracks.columns]
    with tracks.change(f"Filled {len(missing)} frames of track {track_id}") as change:
        lines = {name: np.interp(missing, frames, tracks[name][rows]) for name in between}
        for place, frame in enumerate(missing):
            values: dict[str, Any] = {str(name): line[place] for name, line in lines.items()}
            marks = {"track_id": track_id, "frame": int(frame), "interpolated": True}
            tracks.add({"quality": 0.5, **values, **marks})
        _settle(tracks, (track_id,))
    return change


def add_event(
    tracks: EditableTracks, kind: str, frame: int, parents: list[int], children: list[int]
) -> Change:
    """Say that tracks divided or fused in `frame`, the first frame of the children.

    Raises
    ------
    InputError
        The kind is unknown, or the numbers of parents and children do not fit it.
    """
    fits = {"fission": len(parents) == 1 and len(children) == 2}
    fits["fusion"] = len(parents) == 2 and len(children) == 1
    if kind not in fits or not fits[kind]:
        raise InputError(
            f"A {kind} from {len(parents)} into {len(children)} tracks: expected a fission of one "
            "into two or a fusion of two into one. Select one parent and two children, or two "
            "parents and one child."
        )
    for track_id in (*parents, *children):
        tracks.rows_of(track_id)
    y_px, x_px = (float(tracks[n][tracks.rows_of(children[0])[0]]) for n in ("y_px", "x_px"))
    event = {"kind": kind, "frame": frame, "y_px": y_px, "x_px": x_px, "probability": 1.0}
    event |= {"parents": _written(parents), "children": _written(children), "status": "accepted"}
    with tracks.change(f"Added a {kind} in frame {frame}") as change:
        for child in children:
            tracks.set_parents(child, list(parents))
        tracks.set_events([*tracks.events, event])
        _settle(tracks, children)
    return change


def accept_event(tracks: EditableTracks, place: int) -> Change:
    """Mark an event as seen and right."""
    event = tracks.events[place]
    with tracks.change(f"Accepted the {event['kind']} in frame {event['frame']}") as change:
        tracks.set_events(_replaced(tracks.events, place, {**event, "status": "accepted"}))
    return change


def reject_event(tracks: EditableTracks, place: int) -> Change:
    """Remove an event and the links that it stood for; the tracks stay."""
    event = tracks.events[place]
    parents, children = members(event.get("parents")), members(event.get("children"))
    with tracks.change(f"Rejected the {event['kind']} in frame {event['frame']}") as change:
        for child in children:
            kept = [p for p in tracks.parents.get(child, []) if p not in parents]
            tracks.set_parents(child, kept)
        tracks.set_events([e for i, e in enumerate(tracks.events) if i != place])
        _settle(tracks, [child for child in children if child in tracks])
    return change


def move_event(tracks: EditableTracks, place: int, frame: int) -> Change:
    """Let an event happen in another frame, where all its parents end and all its children begin.

    The frames between go from the one track of the event (the parent of a fission, the child of a
    fusion) to the nearer of the two others, or from that one to it. The second of the two is
    continued by interpolated positions where it was not seen; what it was on the wrong side of the
    event becomes a track of its own, so that no detection is lost.

    Raises
    ------
    InputError
        A track of the event would have no frame left.
    """
    event = tracks.events[place]
    parents, children = members(event.get("parents")), members(event.get("children"))
    single, several = (parents, children) if len(parents) == 1 else (children, parents)
    low, high = sorted((frame, int(event["frame"])))
    if low == high:
        raise InputError(f"The {event['kind']} is in frame {frame} already. Go to another frame.")
    for track_id in (*single, *several):
        frames = tracks["frame"][tracks.rows_of(track_id)]
        if ((frames >= low) & (frames < high)).all():
            raise InputError(
                f"The event cannot move to frame {frame}: track {track_id} would have no frames "
                f"left, it is seen in {frames[0]} to {frames[-1]}. Choose a frame within the lives "
                "of its tracks."
            )
    gives = (frame < event["frame"]) == (single is parents)
    near, *others = _nearest_first(tracks, single[0], several)
    with tracks.change(f"Moved the {event['kind']} to frame {frame}") as change:
        giver, taker = (single[0], near) if gives else (near, single[0])
        tracks.assign(_between(tracks, giver, low, high), taker)
        made = []
        for other in others:
            if gives:
                _continue(tracks, single[0], other, range(low, high))
            elif len(rows := _between(tracks, other, low, high)):
                made.append(tracks.next_id())
                tracks.assign(rows, made[-1])
                change.text += f"; what track {other} was on the other side is {made[-1]}"
        tracks.set_events(_replaced(tracks.events, place, {**event, "frame": frame}))
        _settle(tracks, (*single, *several, *made))
    return change


def _between(tracks: EditableTracks, track_id: int, low: int, high: int) -> Any:
    """Return the rows of a track from frame `low` to before `high`."""
    rows = tracks.rows_of(track_id)
    frames = tracks["frame"][rows]
    return rows[(frames >= low) & (frames < high)]


def _nearest_first(tracks: EditableTracks, single: int, several: list[int]) -> list[int]:
    """Return tracks sorted by the smallest distance between their ends and those of `single`."""
    y_px, x_px = tracks["y_px"], tracks["x_px"]
    ends = tracks.rows_of(single)[[0, -1]]

    def away(track_id: int) -> float:
        own = tracks.rows_of(track_id)[[-1, 0]]
        return float(np.hypot(y_px[own] - y_px[ends], x_px[own] - x_px[ends]).min())

    return sorted(several, key=away)


def _continue(tracks: EditableTracks, single: int, other: int, frames: range) -> None:
    """Let a track be there in `frames` too, on the straight way to the end of another."""
    if "interpolated" not in tracks.columns:
        return
    own, theirs = tracks.rows_of(other), tracks.rows_of(single)
    is_before = frames[0] < tracks["frame"][own[0]]
    ends = (theirs[-1], own[0]) if is_before else (own[-1], theirs[0])
    missing = [f for f in frames if tracks.row_at(other, f) is None]
    times = tracks["frame"][list(ends)]
    names = ["y_px", "x_px", *(["z_px"] if "z_px" in tracks.columns else [])]
    for frame in missing:
        place = {name: float(np.interp(frame, times, tracks[name][list(ends)])) for name in names}
        tracks.add({"track_id": other, "frame": frame, "interpolated": True, **place})


def members(text: object) -> list[int]:
    """Return the tracks that a cell of an event names.

    Examples
    --------
    >>> members("3;7"), members("")
    ([3, 7], [])
    """
    return [int(part) for part in str(text or "").split(";") if part]


def _written(track_ids: Iterable[int]) -> str:
    return ";".join(map(str, track_ids))


def _replaced(events: list[Event], place: int, event: Event) -> list[Event]:
    return [event if i == place else one for i, one in enumerate(events)]


def _rename_parent(tracks: EditableTracks, old: int, new: int, children: list[int]) -> None:
    """Let `new` be the parent of these children of `old`, in the graph and the events."""
    for child in children:
        of = tracks.parents.get(child, [])
        tracks.set_parents(child, [new if p == old else p for p in of])
    concerned = set(children)
    renamed = []
    for event in tracks.events:
        parents = members(event.get("parents"))
        # an event whose children are gone from the table belongs to the end of the track too
        if old in parents and (concerned & set(members(event.get("children"))) or not children):
            event = {**event, "parents": _written(new if p == old else p for p in parents)}
        renamed.append(event)
    if renamed != tracks.events:
        tracks.set_events(renamed)


def _forget(tracks: EditableTracks, track_id: int, *, as_child: bool = False) -> None:
    """Remove a track from the graph and the events; `as_child`: only as somebody's child."""
    tracks.set_parents(track_id, [])
    _without(tracks, "children", track_id)
    if not as_child:
        _orphan(tracks, track_id)


def _orphan(tracks: EditableTracks, track_id: int) -> None:
    """Remove a track from the graph and the events as a parent."""
    for child in tracks.children(track_id):
        tracks.set_parents(child, [p for p in tracks.parents[child] if p != track_id])
        _settle(tracks, (child,))
    _without(tracks, "parents", track_id)


def _without(tracks: EditableTracks, column: str, track_id: int) -> None:
    kept = [e for e in tracks.events if track_id not in members(e.get(column))]
    if len(kept) != len(tracks.events):
        tracks.set_events(kept)


def _sure(tracks: EditableTracks, track_id: int, frame: int) -> None:
    """Let the link into `frame` be sure: a person has decided it."""
    rows = tracks.rows_of(track_id)
    row = rows[int(np.searchsorted(tracks["frame"][rows], frame)) :][:1]
    tracks.put("quality", row, 1.0)
    tracks.put("reason", row, "")


def _settle(tracks: EditableTracks, track_ids: Iterable[int]) -> None:
    """Let the columns that follow from others agree with them."""
    affected = {t for t in track_ids if t in tracks}
    affected |= {child for t in set(track_ids) for child in tracks.children(t) if child in tracks}
    for track_id in affected:
        rows = tracks.rows_of(track_id)
        of = tracks.parents.get(track_id, [])
        tracks.put("parent", rows, of[0] if of else 0)
        tracks.put("length_frames", rows, len(rows))
        if "speed_um_per_s" in tracks.columns:
            tracks.put("speed_um_per_s", rows, _speed(tracks, rows))


def _speed(tracks: EditableTracks, rows: Any) -> Any:
    """Return the speed of each row as the distance from the row before, the first as the next."""
    frames, scale = tracks["frame"][rows], tracks.um_per_s
    steps = np.hypot(np.diff(tracks["y_px"][rows]), np.diff(tracks["x_px"][rows]))
    speed = steps / np.diff(frames) * scale
    return np.concatenate([speed[:1], speed]) if len(speed) else np.zeros(len(rows))
