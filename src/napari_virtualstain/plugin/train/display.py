"""Display of a training, running or finished: curves, held-out images, folds, remarks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QVBoxLayout, QWidget

from ..kit.controls import note
from .outcome_view import OutcomeView
from .patches import PatchView

if TYPE_CHECKING:
    from .plot import TrainingPlot

_MOST_REMARKS = 3


class TrainingDisplay(QWidget):
    """Display of the events of a training, or of all trainings of a cross-validation."""

    def __init__(self) -> None:
        super().__init__()
        self._curve: TrainingPlot | None = None
        self.pictures = PatchView()
        self.outcome = OutcomeView(self.pictures.show_preview)
        self.fold_scores = note(name="fold_scores")
        self.fold_scores.setToolTip("Scores of each part by the model that had not seen it")
        self.remarks = note(name="remarks")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.outcome)
        for widget in (self.pictures, self.fold_scores, self.remarks):
            layout.addWidget(widget)
        self.clear()

    @property
    def curve(self) -> TrainingPlot:
        """The curves, made when they are first needed: importing pyqtgraph takes a while."""
        if self._curve is None:
            from .plot import TrainingPlot

            self._curve = TrainingPlot()
            layout = self.layout()
            layout.insertWidget(layout.indexOf(self.outcome) + 1, self._curve, 1)
        return self._curve

    def clear(self) -> None:
        """Forget the training before."""
        self._judged: list[str] = []
        self._remarked: list[str] = []
        if self._curve is not None:
            self._curve.begin()
        self.pictures.clear()
        self.outcome.clear()
        self._write()

    def follow(self, event: Any) -> None:
        """Show an event of :func:`napari_virtualstain.training.cross_validation_events`."""
        from ...training import (
            FoldFinished,
            FoldStarted,
            StepFinished,
            TrainingPrepared,
            Validated,
        )

        self.setVisible(True)
        if isinstance(event, TrainingPrepared):
            self.curve.set_baselines(event.baselines)
        elif isinstance(event, StepFinished):
            self.curve.add_loss(event.step, event.loss)
        elif isinstance(event, Validated):
            self.curve.add_scores(event.step, event.scores)
            self.pictures.show_preview(event.preview)
        elif isinstance(event, FoldStarted):
            self.curve.begin(event.text)
        elif isinstance(event, FoldFinished):
            self._judged.append(event.text)
            self._write()

    def remark(self, text: str) -> None:
        """Add a line, once: each fold finds the same."""
        if text not in self._remarked:
            self._remarked.append(text)
            self._write()

    def _write(self) -> None:
        for label, lines in (
            (self.fold_scores, self._judged),
            (self.remarks, self._remarked[-_MOST_REMARKS:]),
        ):
            label.setText("\n".join(lines))
            label.setVisible(bool(lines))
