"""Saving and opening in the inspector: the table, whole sessions, tracks of other programs."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QFileDialog

from ....errors import InputError, VirtualStainError
from ....progress import counted
from ...contributions.track_readers import format_of, read_tracks
from ...kit.jobs import error_text
from ...layers.description import unwrap
from ..host import Host
from ..summary_rows import PENDING
from .session import ENDING, read_session, save_session
from .verdict_table import read_verdicts, with_link_verdicts


class Keeping:
    """Files of the inspector; errors appear in the dock.

    Parameters
    ----------
    host : Host
        Whose tracks are saved.
    flush : callable
        Brings the layer up to date with the latest edits.
    """

    def __init__(self, host: Host, flush: Callable[[], None]) -> None:
        self._host, self._flush = host, flush
        self._file: Path | None = None
        self._waiting: Path | None = None
        host.model.loaded.connect(self._on_loaded)

    def save_again(self) -> None:
        """Bring the table that was saved up to date."""
        if self._file is not None:
            self._write(self._file)

    def save(self, path: Path) -> None:
        """Write the table to `path`, and from now on again after each verdict and edit."""
        self._write(path)
        if self._file is not None:
            count = len(self._host.model.table)
            self._host.say(f"Saved {count} tracks as {path.name}; it is kept up to date.")

    def _write(self, path: Path) -> None:
        from ....io import write_table

        try:
            model = self._host.model
            write_table(path, with_link_verdicts(model.table, model.link_verdicts), overwrite=True)
        except (VirtualStainError, OSError) as error:
            no_more = " The table is kept up to date no more." if self._file == path else ""
            self._file = None
            self._host.say_later(f"{error_text(error)}{no_more}")
            return
        self._file = path

    def ask_where_to_save(self) -> None:
        """Ask for a file, and save the table there."""
        path, _ = QFileDialog.getSaveFileName(
            self._host.window(), "Save table", "tracks_table.csv", "CSV (*.csv)"
        )
        if path:
            self.save(Path(path))

    def ask_for_session(self, *, save: bool) -> None:
        """Ask where a session is, and save it there or open it."""
        if save:
            name = f"inspected{ENDING}"
            path, _ = QFileDialog.getSaveFileName(
                self._host.window(), "Save session", name, f"Session (*{ENDING})"
            )
        else:
            path = QFileDialog.getExistingDirectory(
                self._host.window(), f"Open session (*{ENDING})"
            )
        if path and save:
            self.save_session(Path(path))
        elif path:
            self.open_session(Path(path))

    def ask_for_tracks(self) -> None:
        """Ask for a file of tracks, and open it without napari's question which reader to take."""
        kinds = "*.csv *.xml *.geff zarr.json .zattrs res_track.txt man_track.txt"
        path, _ = QFileDialog.getOpenFileName(
            self._host.window(), "Open tracks", "", f"Tracks ({kinds})"
        )
        if path:
            self.open_tracks(Path(path))

    def open_tracks(self, path: Path) -> None:
        """Add the tracks of a CSV, TrackMate XML, GEFF or Cell Tracking Challenge folder.

        A table with verdicts, as :meth:`save` writes it, gives them to the tracks on show.
        """
        if format_of(path) == "verdicts":
            self.take_verdicts(path)
            return
        inside = path.name in ("zarr.json", ".zattrs", "res_track.txt", "man_track.txt")
        path = path.parent if inside else path
        try:
            if format_of(path) is None:
                raise InputError(
                    f"{path.name} holds no tracks that are known here: expected a CSV with "
                    "track_id and frame, TrackMate XML, GEFF, or a Cell Tracking Challenge folder."
                )
            layers = [one for one in read_tracks(str(path)) if one[0] is not None]
            if not layers:
                raise InputError(f"The tracks of {path.name} are open already.")
        except (VirtualStainError, OSError) as error:
            self._host.say(error_text(error))
            return
        for data, looks, kind in layers:
            added = getattr(self._host.viewer, f"add_{kind}")(data, **looks)
        self._host.take(unwrap(added))

    def when_listed(self, path: Path) -> None:
        """Give the tracks the verdicts of a table, now or once they are listed."""
        if self._is_listed():
            self.take_verdicts(path)
        else:
            self._waiting = path
            self._host.say(f"{path.name} holds verdicts. Open their tracks: they are given then.")

    def take_verdicts(self, path: Path) -> None:
        """Give the tracks on show the verdicts of a table."""
        host = self._host
        if not len(host.model.tracks):
            self.when_listed(path)
            return
        try:
            given = read_verdicts(path, host.model.tracks)
        except (VirtualStainError, OSError) as error:
            host.say(error_text(error))
            return
        host.model.judge_several(given.tracks, given.links)
        count = len(given.tracks) + len(given.links)
        text = f"{counted(count, 'verdict')} taken from {path.name}."
        if given.strangers:
            text += f" {given.strangers} of other tracks or places were left out."
        host.say(text)

    def _is_listed(self) -> bool:
        """Whether tracks are listed and judged: their log is open then."""
        table = self._host.model.table
        return len(table) > 0 and not (table["motion"] == PENDING).any()

    def _on_loaded(self) -> None:
        if self._waiting is not None and self._is_listed():
            path, self._waiting = self._waiting, None
            QTimer.singleShot(0, partial(self.take_verdicts, path))  # after the counts are said

    def save_session(self, path: Path) -> None:
        """Write layers, edits and verdicts to a folder that opens again on another day."""
        self._flush()
        self._host.keep_settings()
        try:
            written = save_session(self._host.viewer, path)
        except (VirtualStainError, OSError) as error:
            self._host.say(error_text(error))
            return
        self._host.say(f"Saved the session as {written.name}. Drop that folder on napari to go on.")

    def open_session(self, path: Path) -> None:
        """Add the layers of a session; its tracks are listed at once."""
        try:
            layers = read_session(path)
        except (VirtualStainError, OSError) as error:
            self._host.say(error_text(error))
            return
        for data, looks, kind in layers:
            getattr(self._host.viewer, f"add_{kind}")(data, **looks)
