"""Log of edits beside the movie: its place, and the repetition of an earlier one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from platformdirs import user_data_path
from qtpy.QtWidgets import QVBoxLayout, QWidget

from ....errors import InputError
from ....progress import counted
from ....tracking import EditLog, editing
from ...kit.controls import button, in_row, note
from ..host import Host
from .session import movie_path

ENDING = ".edits.jsonl"
_MARK = "edit_log"


def log_path(movie: Path | None, identity: dict[str, Any]) -> Path:
    """Return where the edits of a movie are written: beside it, else in the user's data folder."""
    if movie is not None and os.access(movie.parent, os.W_OK):
        return movie.with_name(movie.name + ENDING)
    name = identity.get("sha256") or "unknown_movie"
    return Path(user_data_path("napari-virtualstain")) / "edits" / f"{name}{ENDING}"


def newest(path: Path) -> tuple[Path, Path]:
    """Return the latest log of a series, and the name of the one after it."""
    numbered = path.with_name
    stem = path.name.removesuffix(ENDING)
    number, latest = 2, path
    while (candidate := numbered(f"{stem}.{number}{ENDING}")).exists():
        latest, number = candidate, number + 1
    return latest, (candidate if latest.exists() else path)


class LogNotice(QWidget):
    """A question above the table: repeat the edits of an earlier day, or start a new log."""

    def __init__(self) -> None:
        super().__init__()
        self.text = note(name="log_notice")
        self.apply = button("Repeat them", "Repeat these edits and verdicts", lambda: None)
        self.apply.setObjectName("repeat_edits")
        self.leave = button(
            "Begin afresh", "Keep the old log as it is and start a new one", lambda: None
        )
        self.leave.setObjectName("begin_afresh")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.text)
        layout.addWidget(in_row(self.apply, self.leave, stretch=None))
        self.hide()


class FoundLog:
    """Log of the movie on show, repeated when the user says so.

    Parameters
    ----------
    host : Host
        Whose edits are written.
    notice : LogNotice
        Asks.
    """

    def __init__(self, host: Host, notice: LogNotice) -> None:
        self._host, self._notice = host, notice
        self._identity: dict[str, Any] = {}
        self._old: EditLog | None = None
        self._layer: Any = None
        notice.apply.clicked.connect(lambda _checked=False: self.repeat())
        notice.leave.clicked.connect(lambda _checked=False: self.begin_afresh())

    def open(self, layer: Any, movie: Any, identity: dict[str, Any]) -> str:
        """Open the log that belongs to a movie; ask where it holds edits of another session.

        Returns
        -------
        str
            What the user should know, empty for nothing.
        """
        self._layer, self._identity, self._old = layer, identity, None
        self._notice.hide()
        given = layer.metadata.get(_MARK)
        if given is not None:
            self._use(Path(given))
            return ""
        self._base = log_path(movie_path(movie), identity)
        latest, following = newest(self._base)
        try:
            log = EditLog(latest, identity)
        except InputError as error:
            self._use(following)
            return f"{error} A new log is begun as {following.name}."
        records = log.records()
        if not records:
            self._use(latest)
            return ""
        self._old = log
        done = [record["do"] for record in records]
        verdicts = done.count(editing.VERDICT) + done.count(editing.LINK_VERDICT)
        edits = len(done) - verdicts - done.count(editing.SAMPLE)
        when = str(records[-1].get("time", ""))[:10]
        self._notice.text.setText(
            f"{counted(edits, 'edit')} and {counted(verdicts, 'verdict')} of this movie were kept, "
            f"the last on {when}."
        )
        self._notice.text.setToolTip(str(latest))
        self._notice.show()
        # edits made before the user has decided must not mix with the old ones
        self._use(following)
        return ""

    def repeat(self) -> None:
        """Repeat the edits and verdicts of the log that was found, and go on writing to it."""
        old, host = self._old, self._host
        self._notice.hide()
        if old is None:
            return
        self._old = None
        host.model.log = None
        result = host.model.replay(old.records())
        self._use(old.path)
        verdicts = len(result.verdicts) + len(result.links)
        done = f"{counted(len(result.changes), 'edit')} and {counted(verdicts, 'verdict')}"
        text = f"Repeated {done}."
        if result.sample is not None:
            host.take_sample(result.sample)
        if result.failed:
            text += f" {len(result.failed)} do not fit these tracks: {result.failed[0]}."
        host.say(text)

    def begin_afresh(self) -> None:
        """Leave the old log alone."""
        self._old = None
        self._notice.hide()

    def _use(self, path: Path) -> None:
        try:
            self._host.model.log = EditLog(path, self._identity)
        except InputError as error:
            self._host.say(str(error))
            return
        self._layer.metadata[_MARK] = str(path)
