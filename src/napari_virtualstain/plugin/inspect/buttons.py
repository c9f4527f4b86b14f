"""Buttons of the track inspector, and what its keys do."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

from qtpy.QtWidgets import QMenu, QPushButton, QToolButton, QWidget

from ...progress import counted
from ...tracking import VERDICTS
from ..kit.controls import Choice, button, in_row
from .host import Host
from .keeping.files import Keeping
from .mending.mending import Mending

_NARROW = 60  # four beside each other in a narrow dock


class Desk(Host, Protocol):
    """Interface of the dock to its buttons."""

    def step(self, direction: int) -> None:
        """Go to the next (1) or previous (-1) doubtful track."""

    def judge(self, verdict: str) -> None:
        """Give the chosen track a verdict."""

    def undo(self) -> None:
        """Take the latest edit or verdict back."""

    def redo(self) -> None:
        """Make again what was undone."""

    def show_workspace(self) -> None:
        """Bring film and plots to the front."""

    def show_sample(self, shown: bool) -> None:
        """Show or hide the controls of the random sample."""


class InspectorButtons:
    """Buttons for going through tracks, judging, mending and undoing.

    Parameters
    ----------
    dock : Desk
        Does what they ask for.
    mending : Mending
        Edits the chosen track.
    keeping : Keeping
        Saves and opens.
    parent : QWidget
        Owner of the menu.

    Attributes
    ----------
    rows : tuple of QWidget
        To be put below each other.
    partner : Choice
        The track to join with.
    """

    def __init__(self, dock: Desk, mending: Mending, keeping: Keeping, parent: QWidget) -> None:
        self._dock, self._mending, self._saving, self._parent = dock, mending, keeping, parent
        self._needing_track: list[tuple[QPushButton, str]] = []
        self.partner = Choice()
        self.partner.setObjectName("partner")
        self.partner.setAccessibleName("Track to join with")
        self.partner.setToolTip(
            "Tracks that end before or begin after the chosen one, nearest first"
        )
        tooltip = "Make the chosen track and the one beside this button one (J)"
        self._join = self._on_track("Join with", tooltip, self._join_partner)
        on_track = self._on_track
        cut = on_track(
            "Cut here",
            "End the track before this frame; the rest becomes a new track (C)",
            mending.cut,
        )
        swap = on_track("Swap", "Swap two selected tracks from this frame on (X)", mending.swap)
        delete = on_track("Delete", "Remove the chosen track (Del)", mending.delete)
        fill = on_track("Fill gap", "Fill the frames in which the track is missing", mending.fill)
        remove = on_track("Not here", "Remove the track from this frame", mending.remove_here)
        split = on_track("Split", "Split the mask at its narrowest place (M)", mending.split)
        self._add = self._placing("Add…", "add", "Click a missed mitochondrion (A)")
        self._move = self._placing(
            "Move…", "move", "Click the position of the mitochondrion in this frame"
        )
        self._needing_track.append((self._move, self._move.toolTip()))
        tooltip = "Save the table with its verdicts, and keep the file up to date"
        keep = self._keeping(tooltip)
        show = button("Film", "Show the film and the plots", dock.show_workspace)
        self.rows: tuple[QWidget, ...] = (
            in_row(*self._travelling(), show, stretch=None),
            in_row(*self._verdicts(), self._sampling(), stretch=None),
            in_row(self._join, self.partner, stretch=1),
            in_row(cut, swap, fill, delete, stretch=None),
            in_row(self._add, self._move, split, remove, stretch=None),
            in_row(*self._undo_and_redo(), keep, stretch=None),
        )
        for made in (one for row in self.rows for one in row.findChildren(QPushButton)):
            made.setMinimumWidth(min(made.sizeHint().width(), _NARROW))
        mending.placing_ended.connect(self.end_placing)

    def render(self, *, is_chosen: bool) -> None:
        """Enable what can be done, with and without a chosen track; else say why not."""
        for made, tooltip in self._needing_track:
            made.setEnabled(is_chosen)
            made.setToolTip(tooltip if is_chosen else "Choose a track first")
        if is_chosen and not self.partner.count():
            self._join.setEnabled(False)
            self._join.setToolTip("No track ends before this one begins, or begins after it")
        selection = self._dock.model.selection
        self._back.setEnabled(selection.can_go_back)
        self._forward.setEnabled(selection.can_go_forward)

    def render_undo(self) -> None:
        """Enable undo and redo, and say what they would do."""
        model = self._dock.model
        for made, text, key in (
            (self._undo, model.undo_text, "Ctrl+Z"),
            (self._redo, model.redo_text, "Ctrl+Shift+Z"),
        ):
            made.setEnabled(bool(text))
            made.setToolTip(
                f"{made.text().replace('&', '')}: {text} ({key})" if text else "Nothing"
            )

    def follow(self, track_id: int | None) -> None:
        """List what the chosen track can be joined with."""
        self.partner.clear()
        model = self._dock.model
        if track_id is None:
            return
        for near in model.partners(track_id).to_dict("records"):
            gap = int(near["gap"])
            frames = counted(gap, "frame") if gap else "directly"
            frames += " after" if near["after"] else " before"
            away = near["distance_px"] * model.scale.per_pixel
            track = int(near["track_id"])
            text = f"{track}: {frames}, {away:.2g} {model.scale.length_unit} away"
            self.partner.addItem(text, track)

    def end_placing(self) -> None:
        """Let go of the buttons that wait for a click on the canvas."""
        for made in (self._add, self._move):
            blocked = made.blockSignals(True)
            made.setChecked(False)
            made.blockSignals(blocked)

    def _join_partner(self) -> None:
        self._mending.join(self.partner.value)

    def _verdicts(self) -> list[QPushButton]:
        dock = self._dock
        return [
            self._on_track(text, f"Verdict for the chosen track ({key})", partial(dock.judge, text))
            for key, text in zip("123", VERDICTS, strict=True)
        ]

    def _sampling(self) -> QPushButton:
        made = QPushButton("Sample")
        made.setObjectName("sample")
        made.setToolTip("Judge a random sample: how many of all tracks are right?")
        made.setCheckable(True)
        made.setAutoDefault(False)
        made.toggled.connect(self._dock.show_sample)
        return made

    def _travelling(self) -> tuple[QPushButton, ...]:
        dock = self._dock
        previous = button("◀ Prev", "Previous doubtful track (P)", lambda: dock.step(-1))
        following = button("Next ▶", "Next doubtful track (N)", lambda: dock.step(1), name="next")
        selection = dock.model.selection
        self._back = button(
            "↶", "Previous track of the history (Alt+Left)", selection.back, name="back"
        )
        self._forward = button(
            "↷", "Next track of the history (Alt+Right)", selection.forward, name="forward"
        )
        for made in (self._back, self._forward):
            made.setMaximumWidth(30)
        return previous, following, self._back, self._forward

    def _undo_and_redo(self) -> tuple[QPushButton, QPushButton]:
        self._undo = button("Undo", "Nothing", self._dock.undo, name="undo")
        self._redo = button("Redo", "Nothing", self._dock.redo, name="redo")
        for made in (self._undo, self._redo):
            made.setEnabled(False)
        return self._undo, self._redo

    def _keeping(self, tooltip: str) -> QToolButton:
        """Return the menu of what is saved and opened."""
        keeping = self._saving
        menu = QMenu(self._parent)
        for text, slot in (
            ("Table and verdicts as CSV…", keeping.ask_where_to_save),
            ("Open tracks…", keeping.ask_for_tracks),
            ("Save session…", partial(keeping.ask_for_session, save=True)),
            ("Open session…", partial(keeping.ask_for_session, save=False)),
        ):
            menu.addAction(text, slot)
        made = QToolButton()
        made.setText("Save…")
        made.setObjectName("keep")
        made.setToolTip(f"{tooltip}; or save and open a whole session")
        made.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        made.setMenu(menu)
        return made

    def _on_track(self, text: str, tooltip: str, slot: Callable[[], Any]) -> QPushButton:
        made = button(text, tooltip, slot, name=text.lower().replace(" ", "_"))
        self._needing_track.append((made, tooltip))
        return made

    def _placing(self, text: str, kind: str, tooltip: str) -> QPushButton:
        made = QPushButton(text)
        made.setObjectName(f"{kind}_by_click")
        made.setToolTip(tooltip)
        made.setCheckable(True)
        made.setAutoDefault(False)

        def on(checked: bool) -> None:
            self.end_placing()
            made.blockSignals(True)
            made.setChecked(checked)
            made.blockSignals(False)
            self._mending.begin_placing(kind if checked else None)

        made.toggled.connect(on)
        return made

    def stop_placing(self) -> None:
        """Wait for no click any more."""
        if self._mending.placing is not None:
            self.end_placing()
            self._mending.begin_placing(None)
            self._dock.say("Nothing was placed.")

    def keys(self) -> dict[str, Callable[[], Any]]:
        """Return what each key does."""
        dock, mending, selection = self._dock, self._mending, self._dock.model.selection
        return {
            "N": lambda: dock.step(1),
            "P": lambda: dock.step(-1),
            "C": mending.cut,
            "J": self._join_partner,
            "X": mending.swap,
            "M": mending.split,
            "A": lambda: self._add.setChecked(True),
            "Del": mending.delete,
            "Alt+Left": selection.back,
            "Alt+Right": selection.forward,
            "Ctrl+Z": dock.undo,
            "Ctrl+Shift+Z": dock.redo,
            "Esc": self.stop_placing,
            **{key: partial(dock.judge, v) for key, v in zip("123", VERDICTS, strict=True)},
        }
