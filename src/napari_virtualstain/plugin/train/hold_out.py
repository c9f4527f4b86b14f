"""Form rows for choosing the held-out data."""

from __future__ import annotations

from typing import Literal

from qtpy.QtCore import QObject, Signal
from qtpy.QtWidgets import QFormLayout

from ..kit.controls import Choice, IntegerBox, add_row, check_box, note
from .settings import ALLOW_SHARED, HeldOutBy, TrainSettings

_IN_TURN = " in turn"


class HoldOutChoice(QObject):
    """Rows `Hold out` and `Folds`, and the permission to judge on pixels that also train.

    Until the user chooses, the most independent part there is is proposed: another pair,
    another region, later frames.

    Parameters
    ----------
    form : QFormLayout
        Receives the rows.
    """

    changed = Signal()

    def __init__(self, form: QFormLayout) -> None:
        super().__init__()
        self._picked = False
        self.kind = Choice(
            [
                ("the last frames", "time"),
                ("marked or last region", "region"),
                ("the last pair", "pair"),
                ("frames in turn", f"time{_IN_TURN}"),
                ("regions in turn", f"region{_IN_TURN}"),
                ("pairs in turn", f"pair{_IN_TURN}"),
            ]
        )
        self.setParent(self.kind)  # dies with the dock, in the GUI thread
        tooltip = (
            "What the model never sees and is judged on; only another cell says something about "
            "the next cell. In turn (cross-validation): each part is judged by a model that has "
            "not seen it, and the model that you get is trained on all"
        )
        label = add_row(form, "Hold out", self.kind, tooltip, name="hold_out")
        self._rows = (label, self.kind)
        self._is_shown = True
        self.count = IntegerBox(5, 2, 99)
        tooltip = (
            "Into how many parts frames, regions or pairs are dealt, at most; one model is "
            "trained without each, and one on all"
        )
        self._count_label = add_row(form, "Folds", self.count, tooltip, name="folds")
        self._meaning = note(name="folds_meaning")
        form.addRow(self._meaning)
        self.shared = check_box(
            ALLOW_SHARED,
            "Judge even where a held-out image shares pixels with those that train; the card then "
            "says that the score says nothing about new cells",
            name="allow_shared",
        )
        form.addRow("", self.shared)
        self.kind.currentIndexChanged.connect(self._on_picked)
        self.kind.currentIndexChanged.connect(self._on_changed)
        self.count.valueChanged.connect(self._on_changed)
        self.shared.toggled.connect(self._on_changed)
        self.follow(0, "")

    def show_rows(self, shown: bool) -> None:
        """Show the rows, or hide them where simulated scenes judge."""
        self._is_shown = shown
        for widget in (*self._rows, self.shared):
            widget.setVisible(shown)

    @property
    def by(self) -> HeldOutBy:
        """What is held out: frames, regions or a pair."""
        kinds: dict[str, HeldOutBy] = {"time": "time", "region": "region", "pair": "pair"}
        return kinds[self.kind.value.removesuffix(_IN_TURN)]

    @property
    def folds(self) -> int | None:
        """How many parts are held out in turn at most; None holds one out, once."""
        return self.count.value() if self.kind.value.endswith(_IN_TURN) else None

    def load(self, settings: TrainSettings) -> None:
        """Show what settings hold out."""
        self._picked = True
        self.kind.value = settings.by + (_IN_TURN if settings.folds else "")
        self.count.setValue(settings.folds or self.count.value())
        self.shared.setChecked(settings.allow_leakage)

    def suggest(self, by: Literal["time", "region", "pair"]) -> None:
        """Choose what to hold out, unless the user has."""
        if not self._picked and self.folds is None and self.by != by:
            blocked = self.kind.blockSignals(True)
            self.kind.value = by
            self.kind.blockSignals(blocked)

    def follow(self, parts: int, each: str) -> None:
        """Say what is going to be trained on `parts` frames, regions or pairs.

        Parameters
        ----------
        parts : int
            How many there are.
        each : str
            How long each training is, such as ``"500 steps"``.
        """
        asked = self.folds
        for widget in (self.count, self._count_label, self._meaning):
            widget.setVisible(asked is not None and self._is_shown)
        if asked is not None:
            folds = max(2, min(asked, parts))
            self._meaning.setText(
                f"Cross-validation: {folds} models are judged, each on what it has not seen; one "
                f"more, trained on all, is kept. {folds + 1} trainings of {each}."
            )

    def _on_picked(self, _index: int) -> None:
        self._picked = True

    def _on_changed(self, _value: object) -> None:
        self.changed.emit()
