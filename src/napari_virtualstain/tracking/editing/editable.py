"""Editable store of tracks, with an inverse for every change.

Rows never move: a row keeps its number through every edit, a removed row is only marked as
such, and an index holds the rows of each track in the order of their frames. An edit touches
the rows of the tracks it names and nothing else, so that it and its undoing take the same
short time among fifty tracks and among fifty thousand.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ...errors import InputError

Rows = NDArray[np.int64]
Event = dict[str, Any]
_SPARE = 1024


@dataclass(slots=True)
class Change:
    """Change made by an edit, in both directions.

    Attributes
    ----------
    text : str
        What was done, for a person.
    steps : list of tuple
        Kind, place, value of before, value of after.
    """

    text: str
    steps: list[tuple[str, Any, Any, Any]] = field(default_factory=list)

    @property
    def tracks(self) -> frozenset[int]:
        """Tracks whose rows, parents or neighbours in the graph changed."""
        named: set[int] = set()
        for kind, place, before, after in self.steps:
            if kind in ("index", "parents"):
                named.add(int(place))
            if kind == "parents":
                named.update(before or ())
                named.update(after or ())
        return frozenset(named)


class EditableTracks:
    """Rows, kinship and events of tracks, with constant-time look-ups and invertible edits.

    Parameters
    ----------
    rows : DataFrame
        At least ``track_id frame y_px x_px``, one row per track and frame.
    parents : mapping of int to list of int
        Parents of each track that has some.
    events : DataFrame or None
        Fissions and fusions, ``kind frame parents children`` and more.
    um_per_s : float
        Speed of one pixel a frame, for the column ``speed_um_per_s``.

    Examples
    --------
    >>> rows = pd.DataFrame({"track_id": 1, "frame": [0, 1], "y_px": 0.0, "x_px": [0.0, 1.0]})
    >>> tracks = EditableTracks(rows, {})
    >>> with tracks.change("Move") as change:
    ...     tracks.put("x_px", tracks.rows_of(1)[1:], 5.0)
    >>> tracks.track(1)["x_px"].tolist()
    [0.0, 5.0]
    >>> tracks.revert(change)
    >>> tracks.track(1)["x_px"].tolist()
    [0.0, 1.0]
    """

    def __init__(
        self,
        rows: pd.DataFrame,
        parents: Mapping[int, list[int]] | None = None,
        events: pd.DataFrame | None = None,
        *,
        um_per_s: float = 1.0,
    ) -> None:
        self.um_per_s = um_per_s
        self._size = len(rows)
        self._columns = {str(name): _roomy(rows[name]) for name in rows.columns}
        self._alive = np.zeros(self._size + _SPARE, bool)
        self._alive[: self._size] = True
        self._index = _split(self["track_id"], self["frame"])
        self._by_frame = _split(self["frame"], self["track_id"])
        self.parents = {int(c): [int(p) for p in of] for c, of in (parents or {}).items() if of}
        records = [] if events is None else events.to_dict("records")
        self.events: list[Event] = [{str(k): v for k, v in one.items()} for one in records]
        self._event_columns = [] if events is None else [str(name) for name in events.columns]
        self._open: Change | None = None
        self._ends: tuple[NDArray[np.int64], Rows, Rows] | None = None

    def __len__(self) -> int:
        return len(self._index)

    def __contains__(self, track_id: int) -> bool:
        return track_id in self._index

    def __getitem__(self, column: str) -> NDArray[Any]:
        """Return a column, removed rows included; see :meth:`rows_of` for the numbers."""
        return self._columns[column][: self._size]

    @property
    def columns(self) -> list[str]:
        """Names of the columns."""
        return list(self._columns)

    @property
    def track_ids(self) -> list[int]:
        """All tracks in ascending order."""
        return sorted(self._index)

    @property
    def row_count(self) -> int:
        """Number of rows that are not removed."""
        return int(self._alive[: self._size].sum())

    def alive_rows(self) -> Rows:
        """Return the numbers of all rows that are not removed."""
        return np.flatnonzero(self._alive[: self._size])

    def next_id(self) -> int:
        """Return a number that no track has or had."""
        ids = self["track_id"]
        return 1 + max(int(ids.max()) if len(ids) else 0, *self._index, *self.parents, 0)

    def rows_of(self, track_id: int) -> Rows:
        """Return the row numbers of a track in the order of their frames.

        Raises
        ------
        InputError
            There is no such track.
        """
        if track_id not in self._index:
            raise InputError(f"There is no track {track_id}. Choose one in the table.")
        return self._index[track_id]

    def row_at(self, track_id: int, frame: int) -> int | None:
        """Return the row of a track in a frame, None where it is not there."""
        rows = self.rows_of(track_id)
        place = int(np.searchsorted(self["frame"][rows], frame))
        found = place < len(rows) and self["frame"][rows[place]] == frame
        return int(rows[place]) if found else None

    def extent(self, track_id: int) -> tuple[int, int]:
        """Return the first and the last frame of a track."""
        frames = self["frame"][self.rows_of(track_id)]
        return int(frames[0]), int(frames[-1])

    def track(self, track_id: int) -> pd.DataFrame:
        """Return the rows of a track in the order of their frames."""
        return self._table(self.rows_of(track_id))

    def several(self, track_ids: Iterable[int]) -> pd.DataFrame:
        """Return the rows of some tracks, one track after the other, by frame."""
        parts = [self.rows_of(track_id) for track_id in track_ids]
        return self._table(np.concatenate(parts) if parts else np.zeros(0, np.int64))

    def frame_rows(self, frame: int) -> Rows:
        """Return the row numbers of a frame."""
        rows = self._by_frame.get(int(frame), np.zeros(0, np.int64))
        return rows[self._alive[rows]]

    def children(self, track_id: int) -> list[int]:
        """Return the tracks that have `track_id` among their parents."""
        return [child for child, of in self.parents.items() if track_id in of]

    def ends(self) -> tuple[NDArray[np.int64], Rows, Rows]:
        """Return all tracks, and their first and last rows."""
        if self._ends is not None:
            return self._ends
        count = len(self._index)
        ids = np.fromiter(self._index, np.int64, count)
        first = np.fromiter((rows[0] for rows in self._index.values()), np.int64, count)
        last = np.fromiter((rows[-1] for rows in self._index.values()), np.int64, count)
        self._ends = ids, first, last
        return self._ends

    def nearest(
        self, frame: int, y_px: float, x_px: float, *, tail: int = 0
    ) -> tuple[int, float] | None:
        """Return the track nearest to a place and its distance in pixels, None in an empty frame.

        Parameters
        ----------
        frame : int
            Frame to look in.
        y_px, x_px : float
            Place.
        tail : int
            Number of earlier frames whose positions count too, as far as a tail is drawn.
        """
        parts = [self.frame_rows(one) for one in range(frame - tail, frame + 1)]
        rows = np.concatenate(parts)
        if not len(rows):
            return None
        away = np.hypot(self["y_px"][rows] - y_px, self["x_px"][rows] - x_px)
        best = int(np.argmin(away))
        return int(self["track_id"][rows[best]]), float(away[best])

    def near(self, frame: int, y_px: float, x_px: float, within_px: float, tail: int) -> int | None:
        """Return the track at a place: present in this frame, else with a tail that passes."""
        for reach in (0, tail):
            found = self.nearest(frame, y_px, x_px, tail=reach)
            if found is not None and found[1] <= within_px:
                return found[0]
        return None

    def to_frame(self) -> pd.DataFrame:
        """Return all rows, sorted by track and frame; the index is the row number."""
        parts = [self._index[track] for track in self.track_ids]
        return self._table(np.concatenate(parts) if parts else np.zeros(0, np.int64))

    def events_frame(self) -> pd.DataFrame:
        """Return the events as a table."""
        return pd.DataFrame(self.events, columns=None if self.events else self._event_columns)

    @contextmanager
    def change(self, text: str) -> Iterator[Change]:
        """Record what happens inside as one change; an exception takes it all back."""
        if self._open is not None:
            raise RuntimeError("edits cannot be nested")
        self._open = change = Change(text)
        try:
            yield change
        except BaseException:
            self.revert(change)
            raise
        finally:
            self._open = None

    def put(self, column: str, rows: Any, values: Any) -> None:
        """Set cells of a column; one that the tracks lack is left alone."""
        if column not in self._columns:
            return
        rows = np.atleast_1d(np.asarray(rows, np.int64))
        before = self._columns[column][rows].copy()
        self._do("cells", (column, rows), before, np.broadcast_to(values, rows.shape).copy())

    def assign(self, rows: Any, track_id: int) -> None:
        """Give rows to a track, which is made if need be.

        Raises
        ------
        InputError
            The track is in one of these frames already.
        """
        rows = np.atleast_1d(np.asarray(rows, np.int64))
        touched = {int(owner) for owner in self["track_id"][rows]}
        for owner in touched:
            self._reindex(owner, np.setdiff1d(self._index[owner], rows))
        self.put("track_id", rows, track_id)
        self._reindex(track_id, np.concatenate([self._index.get(track_id, rows[:0]), rows]))

    def remove(self, rows: Any) -> None:
        """Remove rows."""
        rows = np.atleast_1d(np.asarray(rows, np.int64))
        for owner in {int(owner) for owner in self["track_id"][rows]}:
            self._reindex(owner, np.setdiff1d(self._index[owner], rows))
        self._do("alive", rows, True, False)

    def add(self, values: Mapping[str, Any]) -> int:
        """Add a row and return its number; columns that are not given are empty."""
        row = self._size
        self._grow()
        for name, column in self._columns.items():
            column[row] = values[name] if name in values else _empty(column.dtype)
        self._alive[row] = False
        frame = int(values["frame"])
        self._by_frame[frame] = np.append(self._by_frame.get(frame, np.zeros(0, np.int64)), row)
        self._do("alive", np.array([row]), False, True)
        track_id = int(values["track_id"])
        self._reindex(track_id, np.append(self._index.get(track_id, np.zeros(0, np.int64)), row))
        return row

    def set_parents(self, child: int, parents: list[int]) -> None:
        """Set the parents of a track; an empty list for none."""
        before = self.parents.get(child)
        if (before or []) != parents:
            self._do("parents", child, before, list(parents) or None)

    def set_events(self, events: list[Event]) -> None:
        """Replace the events."""
        self._do("events", None, self.events, list(events))

    def revert(self, change: Change) -> None:
        """Take a change back; it must be the latest that holds."""
        for kind, place, before, _ in reversed(change.steps):
            self._set(kind, place, before)

    def repeat(self, change: Change) -> None:
        """Make a change again that was taken back."""
        for kind, place, _, after in change.steps:
            self._set(kind, place, after)

    def _do(self, kind: str, place: Any, before: Any, after: Any) -> None:
        if self._open is None:
            raise RuntimeError("an edit outside of change() could not be undone")
        self._open.steps.append((kind, place, before, after))
        self._set(kind, place, after)

    def _set(self, kind: str, place: Any, value: Any) -> None:
        if kind == "cells":
            self._columns[place[0]][place[1]] = value
        elif kind == "alive":
            self._alive[place] = value
        elif kind == "events":
            self.events = value
        else:
            self._ends = None
            store: dict[int, Any] = self._index if kind == "index" else self.parents
            if value is None:
                store.pop(place, None)
            else:
                store[place] = value

    def _reindex(self, track_id: int, rows: Rows) -> None:
        frames = self["frame"][rows]
        order = np.argsort(frames, kind="stable")
        if (np.diff(frames[order]) == 0).any():
            raise InputError(
                f"Track {track_id} would be in one frame twice: one mitochondrion cannot be in "
                "two places. Cut or delete one of them first."
            )
        before = self._index.get(track_id)
        self._do("index", track_id, before, rows[order] if len(rows) else None)

    def _table(self, rows: Rows) -> pd.DataFrame:
        table = {name: column[rows] for name, column in self._columns.items()}
        return pd.DataFrame(table, index=rows)

    def _grow(self) -> None:
        if self._size == len(self._alive):
            more = max(_SPARE, self._size // 8)
            self._alive = np.concatenate([self._alive, np.zeros(more, bool)])
            for name, column in self._columns.items():
                spare = np.full(more, _empty(column.dtype), column.dtype)
                self._columns[name] = np.concatenate([column, spare])
        self._size += 1


def _roomy(values: pd.Series) -> NDArray[Any]:
    """Return the values with spare room behind them, texts as objects."""
    column = values.to_numpy()
    if not isinstance(column, np.ndarray) or column.dtype.kind not in "biuf":
        column = np.asarray(column, object)
    return np.concatenate([column, np.full(_SPARE, _empty(column.dtype), column.dtype)])


def _empty(kind: np.dtype[Any]) -> Any:
    return {"f": np.nan, "O": ""}.get(kind.kind, 0)


def _split(keys: NDArray[Any], within: NDArray[Any]) -> dict[int, Rows]:
    """Return the row numbers of each key, sorted by `within`."""
    order = np.lexsort((within, keys))
    values, starts = np.unique(keys[order], return_index=True)
    rows = np.split(order, starts[1:])
    return {int(key): some for key, some in zip(values, rows, strict=True)} if len(keys) else {}
