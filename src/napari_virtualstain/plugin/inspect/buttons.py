"""Buttons and keys of the track inspector."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from qtpy.QtGui import QKeySequence, QShortcut
from qtpy.QtWidgets import QPushButton, QWidget

from ...tracking import VERDICTS
from ..kit.controls import Choice, button, in_row

if TYPE_CHECKING:
    import pandas as pd

    from .dock import InspectorWidget


class InspectorButtons:
    """Going through, judging, mending, undoing; each with its key.

    Parameters
    ----------
    dock : InspectorWidget
        Does what they ask for.

    Attributes
    ----------
    rows : tuple of QWidget
        To be put below each other.
    partner : Choice
        The track to join with.
    """

    def __init__(self, dock: InspectorWidget) -> None:
        self._dock = dock
        self._needing_track: list[tuple[QPushButton, str]] = []
        previous = button("◀ Previous", "Previous risky track (P)", lambda: dock.step(-1))
        following = button("Next ▶", "Next risky track (N)", lambda: dock.step(1), name="next")
        verdicts = [
            self._on_track(text, f"Verdict for the chosen track ({key})", partial(dock.judge, text))
            for key, text in zip("123", VERDICTS, strict=True)
        ]
        tooltip = "End the track before the visible frame; a new track goes on from it (C)"
        cut = self._on_track("Cut here", tooltip, dock.cut)
        delete = self._on_track("Delete", "Remove the chosen track (Del)", dock.delete)
        tooltip = "Make the chosen track and the one beside this button one (J)"
        self._join = self._on_track("Join with", tooltip, dock.join)
        self.partner = Choice()
        self.partner.setObjectName("partner")
        self.partner.setAccessibleName("Track to join with")
        self.partner.setToolTip(
            "Tracks that end before or begin after the chosen one, nearest first"
        )
        tooltip = "Save table and verdicts, then keep them up to date"
        save = button("Save CSV…", tooltip, dock.ask_where_to_save)
        self.rows: tuple[QWidget, ...] = (
            in_row(previous, following, stretch=None),
            in_row(*verdicts, stretch=None),
            in_row(self._join, self.partner, stretch=1),
            in_row(cut, delete, stretch=None),
            in_row(*self._undo_and_redo(), save, stretch=None),
        )
        self._add_keys()

    def render(self, *, is_chosen: bool) -> None:
        """Enable what can be done, with and without a chosen track; else say why not."""
        for made, tooltip in self._needing_track:
            made.setEnabled(is_chosen)
            made.setToolTip(tooltip if is_chosen else "Choose a track first")
        if is_chosen and not self.partner.count():
            self._join.setEnabled(False)
            self._join.setToolTip("No track ends before this one begins, or begins after it")

    def offer_partners(self, partners: pd.DataFrame | None, pixel_size_um: float) -> None:
        """List what the chosen track can be joined with.

        Parameters
        ----------
        partners : DataFrame or None
            Of :func:`.editing.partners`; None while no track is chosen.
        pixel_size_um : float
            Micrometres a pixel.
        """
        self.partner.clear()
        for near in [] if partners is None else partners.to_dict("records"):
            frames = f"{near['gap']} frames {'after' if near['after'] else 'before'}"
            away_um = near["distance_px"] * pixel_size_um
            track = int(near["track_id"])
            self.partner.addItem(f"{track}: {frames}, {away_um:.2g} µm away", track)

    def _undo_and_redo(self) -> tuple[QPushButton, QPushButton]:
        stack = self._dock.undo_stack
        tooltip = "Undo the last verdict or edit (Ctrl+Z)"
        undo = button("Undo", tooltip, stack.undo, name="undo")
        redo = button("Redo", "Redo it (Ctrl+Shift+Z)", stack.redo, name="redo")
        for made, signal in ((undo, stack.canUndoChanged), (redo, stack.canRedoChanged)):
            made.setEnabled(False)
            signal.connect(made.setEnabled)
        return undo, redo

    def _on_track(self, text: str, tooltip: str, slot: Callable[[], Any]) -> QPushButton:
        made = button(text, tooltip, slot, name=text.lower().replace(" ", "_"))
        self._needing_track.append((made, tooltip))
        return made

    def _add_keys(self) -> None:
        dock = self._dock
        keys: dict[str, Callable[[], Any]] = {
            "N": lambda: dock.step(1),
            "P": lambda: dock.step(-1),
            "C": dock.cut,
            "J": dock.join,
            "Del": dock.delete,
            "Ctrl+Z": dock.undo_stack.undo,
            "Ctrl+Shift+Z": dock.undo_stack.redo,
            **{key: partial(dock.judge, v) for key, v in zip("123", VERDICTS, strict=True)},
        }
        for key, slot in keys.items():
            # only while the dock has the focus: napari's own keys stay as they are
            shortcut = QShortcut(QKeySequence(key), dock)
            shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            shortcut.activated.connect(slot)
