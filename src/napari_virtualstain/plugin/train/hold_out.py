"""The form rows with which is chosen what a training is judged on."""

from __future__ import annotations

from typing import Literal

from qtpy.QtCore import QObject, Signal
from qtpy.QtWidgets import QFormLayout

from ..kit.controls import Choice, IntegerBox, add_row, check_box, note
from .settings import ALLOW_SHARED, TrainSettings

_IN_TURN = " in turn"


class HoldOutChoice(QObject):
    """Rows `Hold out` and `Folds`, and the leave to judge on pixels that also train.

    Parameters
    ----------
    form : QFormLayout
        Receives the rows.
    """

    changed = Signal()

    def __init__(self, form: QFormLayout) -> None:
        super().__init__()
        self.kind = Choice(
            [
                ("the last frames", "time"),
                ("the last region", "region"),
                ("frames in turn", f"time{_IN_TURN}"),
                ("regions in turn", f"region{_IN_TURN}"),
            ]
        )
        tooltip = (
            "What the model never sees and is judged on; another cell is the honest choice. In "
            "turn (cross-validation): each part is judged by a model that has not seen it, and "
            "the model that you get has learnt from all"
        )
        add_row(form, "Hold out", self.kind, tooltip, name="hold_out")
        self.count = IntegerBox(5, 2, 99)
        tooltip = (
            "Into how many parts the frames or regions are dealt, at most; one model is trained "
            "without each, and one on all"
        )
        self._count_label = add_row(form, "Folds", self.count, tooltip, name="folds")
        self._meaning = note(name="folds_meaning")
        form.addRow(self._meaning)
        self.shared = check_box(
            ALLOW_SHARED,
            "Judge even where a held-out image shares pixels with those that train; the card then "
            "says that the score tells nothing of new cells",
            name="allow_shared",
        )
        form.addRow("", self.shared)
        self.setParent(self.kind)  # dies with the dock, in the GUI thread
        self.kind.currentIndexChanged.connect(self._on_changed)
        self.count.valueChanged.connect(self._on_changed)
        self.shared.toggled.connect(self._on_changed)
        self.follow(0, 0)

    @property
    def by(self) -> Literal["time", "region"]:
        """What is held out: frames or a region."""
        return "time" if self.kind.value.startswith("time") else "region"

    @property
    def folds(self) -> int | None:
        """How many parts are held out in turn at most; None holds the last one out, once."""
        return self.count.value() if self.kind.value.endswith(_IN_TURN) else None

    def load(self, settings: TrainSettings) -> None:
        """Show what settings hold out."""
        self.kind.value = settings.by + (_IN_TURN if settings.folds else "")
        self.count.setValue(settings.folds or self.count.value())
        self.shared.setChecked(settings.allow_leakage)

    def _on_changed(self, _value: object) -> None:
        self.changed.emit()

    def follow(self, parts: int, steps: int) -> None:
        """Say what is going to be trained on `parts` frames or regions in `steps` steps each."""
        asked = self.folds
        for widget in (self.count, self._count_label, self._meaning):
            widget.setVisible(asked is not None)
        if asked is not None:
            folds = max(2, min(asked, parts))
            self._meaning.setText(
                f"Cross-validation: {folds} models are judged, each on what it has not seen; one "
                f"more, trained on all, is kept. {folds + 1} trainings of {steps} steps."
            )
