"""Append-only log of edits, verdicts and random samples, one JSON object a line.

Each line is on the disk before the edit is shown, so that a killed program loses nothing; a last
line that was cut short is ignored. A line names its tracks by a place where each of them was (an
anchor: frame, y, x), so that it can be repeated on tracks of the same movie that were computed
again and have other numbers. The first line identifies the movie; the log of another one is
refused.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import InputError, OutputError
from . import edits
from .editable import Change, EditableTracks

Record = dict[str, Any]
FORMAT = "virtualstain-edits"
_TRACKS = ("track_id", "first", "second")
_LISTS = ("parents", "children")
_NEAR_PX = 2.0
VERDICT, LINK_VERDICT, SAMPLE = "verdict", "link_verdict", "sample"
ACTIONS: dict[str, Callable[..., Change]] = {
    made.__name__: made
    for made in (
        edits.cut,
        edits.join,
        edits.swap,
        edits.delete,
        edits.remove_detection,
        edits.add_detection,
        edits.move,
        edits.fill_gaps,
        edits.add_event,
        edits.accept_event,
        edits.reject_event,
        edits.move_event,
    )
}


class EditLog:
    """Log file of edits and verdicts.

    Parameters
    ----------
    path : str or Path
        The file; it is made with the first line that is appended.
    movie : dict
        What identifies the movie, as :func:`movie_identity` returns it.

    Raises
    ------
    InputError
        The file is the log of another movie, or no log.
    """

    def __init__(self, path: str | Path, movie: dict[str, Any]) -> None:
        self.path = Path(path)
        self._movie = movie
        self._lines = _read(self.path)
        if self._lines:
            _check(self._lines[0], movie, self.path)

    def append(self, record: Record) -> None:
        """Write a record to the disk.

        Raises
        ------
        OutputError
            The file cannot be written.
        """
        new = [record] if self._lines else [self._header(), record]
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a+b") as file:
                _end_line(file)
                for one in new:
                    timed = {**one, "time": datetime.now(UTC).isoformat(timespec="seconds")}
                    file.write((json.dumps(timed, ensure_ascii=False) + "\n").encode())
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise OutputError(
                f"The edit cannot be written to {self.path} ({error.strerror or error}). Make room "
                "or choose another file with *Save session*."
            ) from error
        self._lines += new

    def records(self) -> list[Record]:
        """Return what holds: edits and verdicts that were not undone, then the latest sample."""
        done: list[Record] = []
        undone: list[Record] = []
        sample: list[Record] = []
        for record in self._lines[1:]:
            action = record.get("do")
            if action == "undo" and done:
                undone.append(done.pop())
            elif action == "redo" and undone:
                done.append(undone.pop())
            elif action == "clear":
                done, undone, sample = [], [], []
            elif action == SAMPLE:  # drawn, not edited: undo passes it by
                sample = [record]
            elif action in (*ACTIONS, VERDICT, LINK_VERDICT):
                done.append(record)
                undone = []
        return done + sample

    def _header(self) -> Record:
        return {"format": FORMAT, "version": 1, "movie": self._movie}


@dataclass(frozen=True, slots=True)
class Replay:
    """Result of repeating a log.

    Attributes
    ----------
    changes : list of Change
        Edits that were made, in their order.
    verdicts : dict of int to str
        Verdict of each track that has one.
    links : dict of (int, int) to str
        Verdict of each link that has one: its track, and the frame that it leads to.
    sample : dict or None
        The random sample that was drawn last, as it was logged, with the numbers of today's tracks.
    failed : list of str
        What could not be repeated, and why.
    """

    changes: list[Change]
    verdicts: dict[int, str]
    failed: list[str]
    links: dict[tuple[int, int], str] = field(default_factory=dict)
    sample: Record | None = None


def perform(tracks: EditableTracks, action: str, **arguments: Any) -> tuple[Change, Record]:
    """Edit `tracks` and return the change and the record for the log.

    Parameters
    ----------
    tracks : EditableTracks
        To be edited.
    action : str
        Key of :data:`ACTIONS`.
    **arguments
        Of that function.
    """
    record: Record = {"do": action, **{k: _plain(v) for k, v in arguments.items()}}
    record["anchors"] = {str(one): anchor(tracks, one) for one in _named(record) if one in tracks}
    if "place" in record:
        event = tracks.events[record["place"]]
        parents = [p for p in edits.members(event.get("parents")) if p in tracks]
        record["event"] = {"kind": event["kind"], "frame": int(event["frame"])}
        record["anchors"] |= {str(p): anchor(tracks, p) for p in parents}
        record["event"]["parents"] = parents
    return ACTIONS[action](tracks, **arguments), record


def anchor(tracks: EditableTracks, track_id: int) -> list[float]:
    """Return frame, y and x of the middle row of a track, pixels."""
    rows = tracks.rows_of(track_id)
    row = rows[len(rows) // 2]
    place = (tracks[name][row] for name in ("frame", "y_px", "x_px"))
    return [round(float(value), 3) for value in place]


def replay(records: Iterable[Record], tracks: EditableTracks) -> Replay:
    """Repeat edits and verdicts; what does not fit any more is left out and said."""
    changes: list[Change] = []
    verdicts: dict[int, str] = {}
    links: dict[tuple[int, int], str] = {}
    failed: list[str] = []
    sample: Record | None = None
    for record in records:
        try:
            if record["do"] == SAMPLE:
                sample = _sample_of_today(record, tracks)
                continue
            known = {
                int(name): _resolve(tracks, int(name), place)
                for name, place in record.get("anchors", {}).items()
            }
            if record["do"] == VERDICT:
                verdicts[known[int(record["track_id"])]] = str(record["verdict"])
                continue
            if record["do"] == LINK_VERDICT:
                link = known[int(record["track_id"])], int(record["frame"])
                links[link] = str(record["verdict"])
                continue
            arguments = _renamed(record, known, tracks)
            changes.append(ACTIONS[record["do"]](tracks, **arguments))
        except (InputError, KeyError, TypeError, ValueError, IndexError) as error:
            failed.append(f"{record.get('do')}: {error}")
    return Replay(changes, verdicts, failed, links, sample)


def movie_identity(movie: Any) -> dict[str, Any]:
    """Return what identifies a movie: its shape and the hash of pixels of three frames.

    Parameters
    ----------
    movie : array (T, ..., Y, X)
        Numpy or lazy; three planes are read.
    """
    import hashlib

    digest = hashlib.sha256()
    for frame in sorted({0, len(movie) // 2, len(movie) - 1}):
        plane = movie[frame]
        plane = np.asarray(plane[(0,) * (plane.ndim - 2)])
        digest.update(np.ascontiguousarray(plane[::7, ::7]).astype(np.float64).tobytes())
    return {"shape": [int(n) for n in movie.shape], "sha256": digest.hexdigest()[:32]}


def _named(record: Record) -> list[int]:
    single = [record[name] for name in _TRACKS if name in record]
    return single + [one for name in _LISTS for one in record.get(name, [])]


def _resolve(tracks: EditableTracks, track_id: int, place: list[float]) -> int:
    frame, y_px, x_px = place
    if track_id in tracks:
        row = tracks.row_at(track_id, int(frame))
        if row is not None:
            away = np.hypot(tracks["y_px"][row] - y_px, tracks["x_px"][row] - x_px)
            if away <= _NEAR_PX:
                return track_id
    found = tracks.nearest(int(frame), y_px, x_px)
    if found is None or found[1] > _NEAR_PX:
        raise InputError(
            f"no track is within {_NEAR_PX:g} px of y {y_px:g}, x {x_px:g} in frame {frame:g}"
        )
    return found[0]


def _sample_of_today(record: Record, tracks: EditableTracks) -> Record:
    """Return a logged sample with the numbers that its tracks have now; lost ones are left out."""
    items = []
    for (track_id, frame), place in zip(record["items"], record["places"], strict=True):
        try:
            items.append([_resolve(tracks, int(track_id), place), int(frame)])
        except InputError:
            continue  # the rest of the sample is as random as before
    return {**record, "items": items}


def _renamed(record: Record, known: dict[int, int], tracks: EditableTracks) -> dict[str, Any]:
    ours = ("do", "anchors", "event", "time", "mask")
    arguments = {name: value for name, value in record.items() if name not in ours}
    for name in _TRACKS:
        if name in arguments:
            track_id = int(arguments[name])
            arguments[name] = known.get(track_id, track_id)
            if track_id not in known and track_id in tracks:
                arguments[name] = tracks.next_id()  # it was a new track then
    for name in _LISTS:
        if name in arguments:
            arguments[name] = [known[int(one)] for one in arguments[name]]
    if int(arguments.get("number") or 0) in tracks:
        arguments["number"] = tracks.next_id()
    if "event" in record:
        arguments["place"] = _place_of(record["event"], known, tracks)
    return arguments


def _place_of(wanted: Record, known: dict[int, int], tracks: EditableTracks) -> int:
    parents = {known[int(one)] for one in wanted["parents"]}
    for place, event in enumerate(tracks.events):
        near = abs(int(event["frame"]) - wanted["frame"]) <= 1
        same = event["kind"] == wanted["kind"] and near
        if same and parents & set(edits.members(event.get("parents"))):
            return place
    raise InputError(f"there is no {wanted['kind']} near frame {wanted['frame']} any more")


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value


def _read(path: Path) -> list[Record]:
    if not path.exists():
        return []
    lines: list[Record] = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            record = json.loads(line)
        except json.JSONDecodeError:
            continue  # a line that a crash cut short
        if isinstance(record, dict):
            lines.append(record)
    if not lines or lines[0].get("format") != FORMAT:
        raise InputError(
            f"{path} is no log of edits: its first line does not say so. Choose another file, or "
            "move it away."
        )
    return lines


def _check(header: Record, movie: dict[str, Any], path: Path) -> None:
    if header.get("movie") != movie:
        given, own = header.get("movie", {}).get("shape"), movie.get("shape")
        raise InputError(
            f"{path} is the log of another movie: that one is {given}, this one {own}, and their "
            "pixels differ. Open the movie that was edited, or move the log away."
        )


def _end_line(file: Any) -> None:
    """Close a line that a crash left open, so that the next one can be read."""
    if file.seek(0, os.SEEK_END):
        file.seek(-1, os.SEEK_END)
        if file.read(1) != b"\n":
            file.write(b"\n")
