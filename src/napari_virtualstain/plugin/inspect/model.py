"""The tracks that are inspected: table, selection, verdicts, edits with undo, and their log.

Knows neither Qt nor napari. Views listen to the signals and change nothing by themselves.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from psygnal import Signal

from ...errors import VirtualStainError
from ...tracking import Change, EditableTracks, EditLog, editing
from .mask_book import MaskBook, Patch, Pixels
from .selection import Selection
from .summary_rows import (
    Scale,
    judge_some,
    places_of,
    put_column,
    summarise,
    typical_step,
    with_judged,
)

_MOST_UNDOS = 1000
Link = tuple[int, int]  # track, and the frame that the link leads to


@dataclass(frozen=True, slots=True)
class _Lines:
    """Lines of the table before and after an edit, and the tracks that they are of."""

    scope: list[int]
    before: pd.DataFrame
    after: pd.DataFrame


@dataclass(slots=True)
class _Done:
    """Undoable step: an edit with its pixels, or a verdict on a track or a link."""

    text: str
    change: Change | None = None
    pixels: list[Pixels] = field(default_factory=list)
    verdict: tuple[int, str, str] | None = None
    link: tuple[Link, str, str] | None = None
    chosen: tuple[int | None, int | None] = (None, None)
    with_last: bool = False
    lines: _Lines | None = None


class InspectorModel:
    """Everything that the track inspector shows and edits.

    Attributes
    ----------
    tracks : EditableTracks
        The tracks.
    table : DataFrame
        One row per track, see :func:`summarise`.
    selection : Selection
        What is looked at.
    verdicts : dict of int to str
        Verdict of each track that has one.
    link_verdicts : dict of (int, int) to str
        Verdict of each link that has one: its track, and the frame that it leads to.
    masks : MaskBook or None
        The masks of the tracks.
    log : EditLog or None
        Where edits and verdicts are written as they are made.
    """

    loaded = Signal()
    edited = Signal(object)  # tracks concerned
    judged = Signal(object)  # track
    undo_changed = Signal()

    def __init__(self, say: Callable[[str], None] = lambda text: None) -> None:
        self._say = say
        self.selection = Selection()
        self.selection.exists = lambda track_id: track_id in self.tracks
        self.masks: MaskBook | None = None
        self.log: EditLog | None = None
        self.clear()

    def clear(self) -> None:
        """Forget all tracks."""
        empty = pd.DataFrame({"track_id": [], "frame": [], "y_px": [], "x_px": []})
        kinds = {"track_id": np.int64, "frame": np.int64, "y_px": float, "x_px": float}
        self.load(EditableTracks(empty.astype(kinds)), pd.DataFrame(), Scale(None, None), {})

    def load(
        self,
        tracks: EditableTracks,
        table: pd.DataFrame,
        scale: Scale,
        verdicts: dict[int, str],
        link_verdicts: dict[Link, str] | None = None,
    ) -> None:
        """Take other tracks; what could be undone is forgotten.

        Parameters
        ----------
        tracks : EditableTracks
            The tracks.
        table : DataFrame
            Their summary.
        scale : Scale
            Pixel size and interval.
        verdicts : dict of int to str
            Kept and filled by the model: that of the layer.
        link_verdicts : dict of (int, int) to str, optional
            Likewise.
        """
        self.tracks, self.scale, self.verdicts = tracks, scale, verdicts
        self.link_verdicts = {} if link_verdicts is None else link_verdicts
        self._typical_step = typical_step(tracks, scale)
        self._undo: list[_Done] = []
        self._redo: list[_Done] = []
        self.masks = self.log = None
        self.table = self._with_verdicts(table)
        self._places = places_of(self.table)
        self.selection.forget()
        self.loaded.emit()
        self.undo_changed.emit()

    def take_judged(self, judged: pd.DataFrame) -> None:
        """Fill in what was found while the table was on show already; see :func:`with_judged`.

        Tracks that were edited meanwhile keep what was found after the edit.
        """
        if not len(self.table):
            return
        self.table = with_judged(self.table, judged)
        self._places = places_of(self.table)
        for done in (*self._undo, *self._redo):
            if done.lines is not None:
                done.lines = replace(
                    done.lines,
                    before=with_judged(done.lines.before, judged),
                    after=with_judged(done.lines.after, judged),
                )
        self.loaded.emit()

    @property
    def undo_text(self) -> str:
        """What undo takes back, empty if nothing."""
        return self._undo[-1].text if self._undo else ""

    @property
    def redo_text(self) -> str:
        """What redo makes again, empty if nothing."""
        return self._redo[-1].text if self._redo else ""

    def row_of(self, track_id: int | None) -> int | None:
        """Return the number of a track's row in the table."""
        return None if track_id is None else self._places.get(track_id)

    def rows(self, track_id: int) -> pd.DataFrame:
        """Return the rows of a track in the order of their frames."""
        return self.tracks.track(track_id)

    def choose(self, track_id: int | None, frame: int | None = None) -> None:
        """Choose a track and a frame; without one the frame stays if the track is there."""
        if track_id is not None and track_id not in self.tracks:
            track_id = None
        self.selection.choose(track_id, frame)

    def track_under(
        self, frame: int, y_px: float, x_px: float, within_px: float, tail: int
    ) -> int | None:
        """Return the track whose mask, position or tail covers a place, or None."""
        if self.masks is not None:
            found = self.masks.track_at(self.tracks, frame, y_px, x_px)
            if found is not None:
                return found
        return self.tracks.near(frame, y_px, x_px, within_px, tail)

    def partners(self, track_id: int) -> pd.DataFrame:
        """Return the tracks that this one could be joined with, most probable first."""
        return editing.partners(self.tracks, track_id)

    def judge(self, track_id: int, verdict: str) -> None:
        """Give a track a verdict; empty takes it back."""
        done, record = self._verdict(track_id, verdict)
        self._put_verdict(track_id, verdict)
        self._push(done, record)

    def judge_several(self, verdicts: dict[int, str], links: dict[Link, str]) -> None:
        """Give tracks and links verdicts; they are undone one by one."""
        for track_id, verdict in verdicts.items():
            if self.verdicts.get(track_id, "") != verdict:
                done, record = self._verdict(track_id, verdict)
                self.verdicts[track_id] = verdict
                self._push(done, record)
        for link, verdict in links.items():
            if self.link_verdicts.get(link, "") != verdict and link[0] in self.tracks:
                self.judge_link(link, verdict)
        self.table = self._with_verdicts(self.table)
        self.loaded.emit()

    def judge_link(self, link: Link, verdict: str) -> None:
        """Give the link of a track into a frame a verdict; empty takes it back."""
        track_id, frame = link
        before = self.link_verdicts.get(link, "")
        text = f"{verdict or 'no verdict'} for the link of track {track_id} into frame {frame}"
        places = {str(track_id): editing.anchor(self.tracks, track_id)}
        record = {"do": editing.LINK_VERDICT, "track_id": track_id, "frame": frame}
        self._put_link_verdict(link, verdict)
        done = _Done(text, link=(link, before, verdict))
        self._push(done, {**record, "verdict": verdict, "anchors": places})

    def note_sample(self, record: dict[str, Any]) -> None:
        """Write a random sample to the log, with a place of each of its tracks."""
        places = [editing.anchor(self.tracks, int(track)) for track, _ in record["items"]]
        self._write({"do": editing.SAMPLE, **record, "places": places})

    def edit(
        self,
        action: str,
        *,
        chosen: int | None = None,
        patch: Patch | None = None,
        with_last: bool = False,
        text: str = "",
        **arguments: Any,
    ) -> Change:
        """Mend tracks; see :data:`editing.ACTIONS` for the actions and their arguments.

        Parameters
        ----------
        action : str
            What is done.
        chosen : int or None
            The track to choose then, None for the one that was chosen if it is still there.
        patch : Patch or None
            Mask of the detection that is added or moved.
        with_last : bool
            Whether this and the edit before are undone and redone together.
        text : str
            Of the undo, in place of the action's own.
        **arguments
            Of the action.

        Raises
        ------
        InputError
            It cannot be done; nothing has changed then.
        """
        before = (self.selection.track_id, self.selection.frame)
        change, record = editing.perform(self.tracks, action, **arguments)
        if patch is not None:
            record["mask"] = patch.to_record()
        pixels = self._paint(change, patch, arguments)
        done = _Done(text or change.text, change, pixels, chosen=before, with_last=with_last)
        done.lines = self._summarised(change.tracks)
        self._after(change.tracks, done.lines, done.lines.after, chosen)
        self._push(done, record)
        return change

    def undo(self) -> str:
        """Take the latest edit or verdict back; return what it was, empty if there is none."""
        if not self._undo:
            return ""
        done = self._undo.pop()
        self._redo.append(done)
        self._travel(done, forward=False)
        self._write({"do": "undo"})
        return self.undo() if done.with_last else done.text

    def redo(self) -> str:
        """Make again what was undone last; return what it was, empty if there is none."""
        if not self._redo:
            return ""
        done = self._redo.pop()
        self._undo.append(done)
        self._travel(done, forward=True)
        self._write({"do": "redo"})
        return self.redo() if self._redo and self._redo[-1].with_last else done.text

    def replay(self, records: list[dict[str, Any]]) -> editing.Replay:
        """Repeat what a log holds; it can be undone edit by edit."""
        result = editing.Replay([], {}, [])
        concerned: set[int] = set()
        for record in records:
            one = editing.replay([record], self.tracks)
            result.failed.extend(one.failed)
            result.verdicts.update(one.verdicts)
            for change in one.changes:
                patch = Patch.from_record(record["mask"]) if "mask" in record else None
                pixels = self._paint(change, patch, record)
                concerned |= change.tracks
                self._undo.append(_Done(change.text, change, pixels))
                result.changes.append(change)
            for track_id, verdict in one.verdicts.items():
                before = self.verdicts.get(track_id, "")
                self.verdicts[track_id] = verdict
                given = (track_id, before, verdict)
                self._undo.append(_Done(f"{verdict} for track {track_id}", verdict=given))
            for link, verdict in one.links.items():
                change_of = (link, self.link_verdicts.get(link, ""), verdict)
                self.link_verdicts[link] = verdict
                result.links[link] = verdict
                self._undo.append(_Done(f"{verdict} for a link", link=change_of))
            result = replace(result, sample=one.sample or result.sample)
        lines = self._summarised(frozenset(concerned))
        self._after(frozenset(concerned), lines, lines.after, None)
        self.table = self._with_verdicts(self.table)
        self.loaded.emit()
        self.undo_changed.emit()
        return result

    def _paint(
        self, change: Change, patch: Patch | None, arguments: dict[str, Any]
    ) -> list[Pixels]:
        if self.masks is None:
            return []
        pixels = self.masks.follow(change, self.tracks)
        if patch is not None:
            track_id = int(arguments["track_id"])
            row = self.tracks.row_at(track_id, patch.frame)
            value = self.masks.value(self.tracks, row) if row is not None else 0
            if value:
                pixels += self.masks.erase(patch.frame, value)
                pixels += self.masks.paint(patch, value)
        self.masks.refresh()
        return pixels

    def _travel(self, done: _Done, *, forward: bool) -> None:
        if done.verdict is not None:
            track_id, before, after = done.verdict
            self._put_verdict(track_id, after if forward else before)
        if done.link is not None:
            link, before, after = done.link
            self._put_link_verdict(link, after if forward else before)
        if done.change is not None:
            if forward:
                self.tracks.repeat(done.change)
            else:
                self.tracks.revert(done.change)
            if self.masks is not None and done.pixels:
                self.masks.put(done.pixels, forward=forward)
                self.masks.refresh()
            # a replayed edit has no lines of its own: many were summarised together
            lines = done.lines or self._summarised(done.change.tracks)
            shown = lines.after if forward or done.lines is None else lines.before
            chosen = None if forward else done.chosen[0]
            self._after(done.change.tracks, lines, shown, chosen)
        self.undo_changed.emit()

    def _after(
        self, concerned: frozenset[int], lines: _Lines, shown: pd.DataFrame, chosen: int | None
    ) -> None:
        """Bring table and selection up to date after an edit."""
        self._put_lines(lines.scope, shown)
        wanted = chosen if chosen is not None else self.selection.track_id
        if wanted is not None and wanted not in self.tracks:
            wanted = None
        frame = self.selection.frame
        self.edited.emit(concerned)
        # the same number may be another track now: everybody must look again
        self.selection.choose(wanted, frame, renew=True)

    def _summarised(self, concerned: frozenset[int]) -> _Lines:
        """Return the table rows of the changed tracks and their relatives, before and after."""
        kin = {c for t in concerned for c in self.tracks.children(t)}
        kin |= {p for t in concerned for p in self.tracks.parents.get(t, [])}
        scope = sorted(concerned | kin)
        present = [t for t in scope if t in self.tracks]
        before = self.table.iloc[[self._places[t] for t in scope if t in self._places]]
        if not present:
            return _Lines(scope, before, before[:0])
        rows = self.tracks.several(present)
        judged = judge_some(self.tracks, present, self.scale)
        after = summarise(rows, self.tracks, self.scale, self._typical_step, judged)
        return _Lines(scope, before, after.reindex(columns=self.table.columns))

    def _put_lines(self, scope: list[int], lines: pd.DataFrame) -> None:
        """Replace the lines of some tracks in the table, where they are; new ones come first."""
        table, lines = self.table, self._with_verdicts(lines.copy())
        ids = [int(t) for t in lines["track_id"]]
        known = [i for i, t in enumerate(ids) if t in self._places]
        places = [self._places[ids[i]] for i in known]
        for name in table.columns if known else []:
            column = table[name].to_numpy(copy=True)
            column[places] = lines[name].to_numpy()[known]
            put_column(table, name, column)
        gone = [self._places[t] for t in scope if t in self._places and t not in ids]
        if gone:
            table = table.drop(index=gone)
        if len(known) < len(ids):
            new = [i for i in range(len(ids)) if i not in known]
            table = pd.concat([lines.iloc[new], table])
        if gone or len(known) < len(ids):
            table = table.reset_index(drop=True)
            self._places = places_of(table)
        self.table = table

    def _with_verdicts(self, table: pd.DataFrame) -> pd.DataFrame:
        if len(table):
            given = [self.verdicts.get(int(t), "") for t in table["track_id"]]
            put_column(table, "verdict", np.array(given, object))
        return table

    def _verdict(self, track_id: int, verdict: str) -> tuple[_Done, dict[str, Any]]:
        """Return a verdict as it can be undone, and as the log holds it."""
        before = self.verdicts.get(track_id, "")
        text = f"{verdict or 'no verdict'} for track {track_id}"
        places = {str(track_id): editing.anchor(self.tracks, track_id)}
        record = {"do": "verdict", "track_id": track_id, "verdict": verdict, "anchors": places}
        return _Done(text, verdict=(track_id, before, verdict)), record

    def _put_verdict(self, track_id: int, verdict: str) -> None:
        if verdict:
            self.verdicts[track_id] = verdict
        else:
            self.verdicts.pop(track_id, None)
        if (row := self.row_of(track_id)) is not None:
            column = self.table["verdict"].to_numpy(copy=True)
            column[row] = verdict
            put_column(self.table, "verdict", column)
        self.judged.emit(track_id)

    def _put_link_verdict(self, link: Link, verdict: str) -> None:
        if verdict:
            self.link_verdicts[link] = verdict
        else:
            self.link_verdicts.pop(link, None)
        self.judged.emit(link[0])

    def _push(self, done: _Done, record: dict[str, Any]) -> None:
        self._undo = [*self._undo[-_MOST_UNDOS:], done]
        self._redo = []
        self._write(record)
        self.undo_changed.emit()

    def _write(self, record: dict[str, Any]) -> None:
        if self.log is None:
            return
        try:
            self.log.append(record)
        except VirtualStainError as error:
            self._say(str(error))
            self.log = None
