"""What shows a training while it runs: curves, a held-out picture, folds, remarks."""

from __future__ import annotations

from typing import Any

import numpy as np
from qtpy.QtWidgets import QVBoxLayout, QWidget

from ..inspect.film import FilmStrip
from ..kit.controls import note
from .curve import TrainingCurve

_MOST_REMARKS = 3


class TrainingDisplay(QWidget):
    """Follows the events of a training, or of all trainings of a cross-validation."""

    def __init__(self) -> None:
        super().__init__()
        self.curve = TrainingCurve()
        self.pictures = FilmStrip()
        self.pictures.setToolTip("A held-out image: bright-field, virtual, true")
        self.fold_scores = note(name="fold_scores")
        self.fold_scores.setToolTip("What the models that had not seen these parts scored there")
        self.remarks = note(name="remarks")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.curve, 1)
        for widget in (self.pictures, self.fold_scores, self.remarks):
            layout.addWidget(widget)
        self.clear()

    def clear(self) -> None:
        """Forget the training before."""
        self._judged: list[str] = []
        self._remarked: list[str] = []
        self.curve.begin()
        self.pictures.clear()
        self._write()

    def follow(self, event: Any) -> None:
        """Show an event of :func:`napari_virtualstain.training.cross_validation_events`."""
        from ...training import FoldFinished, FoldStarted, StepFinished, Validated

        if isinstance(event, StepFinished):
            self.curve.add_loss(event.step, event.loss)
        elif isinstance(event, Validated):
            self.curve.add_score(event.step, event.scores.get("bandpass_pearson", np.nan))
            shown = event.preview
            self.pictures.show_pictures(
                [shown.bright_field, shown.virtual, shown.fluorescence],
                ["input", "virtual", "true"],
            )
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
