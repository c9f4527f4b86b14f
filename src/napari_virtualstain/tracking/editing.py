"""Editing of tracks: cut, join, delete; without Qt and without the viewer.

Every function returns a new state and leaves the old one as it is, so that undoing is
going back to it. Who came from whom and the events follow: a link hangs at the end of
the parent, and where that end moves or vanishes, so does the link.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..errors import InputError


@dataclass(frozen=True, slots=True)
class TrackState:
    """Tracks as the inspector holds them.

    Attributes
    ----------
    rows : DataFrame
        ``track_id frame y_px x_px`` and the layer's features, sorted by track and frame; a
        row keeps its index through every edit.
    graph : dict of int to list of int
        Parents of each track that has some.
    events : DataFrame
        Fissions and fusions, ``kind frame parents children`` and more; may be empty.
    """

    rows: pd.DataFrame
    graph: dict[int, list[int]]
    events: pd.DataFrame


def cut(state: TrackState, track_id: int, frame: int, number: int) -> TrackState:
    """Return the state in which a track ends before `frame` and goes on as `number`.

    Raises
    ------
    InputError
        The track does not go on from before `frame`.

    Examples
    --------
    >>> rows = pd.DataFrame({"track_id": 1, "frame": [0, 1, 2], "y_px": 0.0, "x_px": 0.0})
    >>> state = cut(TrackState(rows, {2: [1]}, pd.DataFrame()), 1, 1, 3)
    >>> state.rows["track_id"].tolist(), state.graph
    ([1, 3, 3], {2: [3]})
    """
    rows = state.rows.copy()
    own = rows["track_id"] == track_id
    begins, ends = _extent(state, track_id)
    if not begins < frame <= ends:
        raise InputError(
            f"Track {track_id} is seen in frames {begins} to {ends}, and frame {frame} is to be "
            "the first of its second part. Go to a later frame of the track."
        )
    rows.loc[own & (rows["frame"] >= frame), "track_id"] = number
    graph = {child: _swapped(parents, track_id, number) for child, parents in state.graph.items()}
    events = _in_events(state.events, "parents", track_id, number)
    return _settled(rows, graph, events, number)


def join(state: TrackState, first: int, second: int) -> TrackState:
    """Return the state in which two tracks are one, under the number of the earlier.

    Raises
    ------
    InputError
        Both are seen in one frame.
    """
    earlier, later = sorted((first, second), key=lambda track: _extent(state, track))
    ends, begins = _extent(state, earlier)[1], _extent(state, later)[0]
    if first == second or begins <= ends:
        raise InputError(
            f"Track {earlier} is seen until frame {ends}, track {later} from frame {begins} on: "
            "one mitochondrion cannot be in two places. Cut one of them first."
        )
    rows = state.rows.copy()
    rows.loc[rows["track_id"] == later, "track_id"] = earlier
    graph = {
        child: _swapped([p for p in parents if p != earlier], later, earlier)
        for child, parents in state.graph.items()
        if child != later
    }
    events = _without(_without(state.events, "parents", earlier), "children", later)
    events = _in_events(events, "parents", later, earlier)
    return _settled(rows, graph, events, earlier, seam=begins)


def delete(state: TrackState, track_id: int) -> TrackState:
    """Return the state without a track.

    Raises
    ------
    InputError
        It is the only one.
    """
    rows = state.rows[state.rows["track_id"] != track_id].copy()
    if rows.empty:
        raise InputError(f"Track {track_id} is the only one. Remove the layer instead.")
    graph = {
        child: [p for p in parents if p != track_id]
        for child, parents in state.graph.items()
        if child != track_id
    }
    events = _without(_without(state.events, "parents", track_id), "children", track_id)
    return _settled(rows, graph, events)


def partners(state: TrackState, track_id: int, most: int = 8) -> pd.DataFrame:
    """Return the tracks that `track_id` could be joined with, the likeliest first.

    Returns
    -------
    DataFrame
        ``track_id gap distance_px after``: frames without either, how far apart the ends
        are, and whether the other comes after it.
    """
    ordered = state.rows.sort_values("frame", kind="stable")
    firsts = ordered.drop_duplicates("track_id").set_index("track_id")
    lasts = ordered.drop_duplicates("track_id", keep="last").set_index("track_id")
    begin, end = firsts.loc[track_id], lasts.loc[track_id]
    tables = []
    for others, own, after in (
        (firsts[firsts["frame"] > end["frame"]], end, True),
        (lasts[lasts["frame"] < begin["frame"]], begin, False),
    ):
        gap = (others["frame"] - own["frame"]).abs() - 1
        distance = np.hypot(others["y_px"] - own["y_px"], others["x_px"] - own["x_px"])
        tables.append(pd.DataFrame({"gap": gap, "distance_px": distance, "after": after}))
    found = pd.concat(tables)
    nearest = (found["distance_px"] + found["gap"]).sort_values(kind="stable").index[:most]
    return found.loc[nearest].reset_index()


def _extent(state: TrackState, track_id: int) -> tuple[int, int]:
    frames = state.rows.loc[state.rows["track_id"] == track_id, "frame"]
    if frames.empty:
        raise InputError(f"There is no track {track_id}. Choose one in the table.")
    return int(frames.min()), int(frames.max())


def _settled(
    rows: pd.DataFrame,
    graph: dict[int, list[int]],
    events: pd.DataFrame,
    track_id: int | None = None,
    *,
    seam: int | None = None,
) -> TrackState:
    """Return the state with all columns in agreement.

    What a person has decided is sure: the row at `seam` of `track_id`, or its first, gets
    the quality 1.
    """
    rows = rows.sort_values(["track_id", "frame"], kind="stable")
    if track_id is not None:
        own = rows.index[rows["track_id"] == track_id]
        place = own[rows.loc[own, "frame"] == seam] if seam is not None else own[:1]
        for name, value in (("quality", 1.0), ("reason", "")):
            if name in rows:
                rows.loc[place, name] = value
    graph = {child: parents for child, parents in graph.items() if parents}
    if "parent" in rows:
        parent = rows["track_id"].map({child: parents[0] for child, parents in graph.items()})
        rows["parent"] = parent.fillna(0).astype(int)
    return TrackState(rows, graph, events)


def _swapped(tracks: list[int], old: int, new: int) -> list[int]:
    return [new if track == old else track for track in tracks]


def _members(text: object) -> list[int]:
    return [int(part) for part in str(text).split(";") if part]


def _in_events(events: pd.DataFrame, column: str, old: int, new: int) -> pd.DataFrame:
    """Return events that name another track in `column`."""
    if column not in events:
        return events
    named = [";".join(map(str, _swapped(_members(text), old, new))) for text in events[column]]
    return events.assign(**{column: named})


def _without(events: pd.DataFrame, column: str, track_id: int) -> pd.DataFrame:
    """Return the events that do not name a track in `column`."""
    if column not in events:
        return events
    return events[[track_id not in _members(text) for text in events[column]]]
