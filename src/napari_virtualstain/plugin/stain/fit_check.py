"""The light that says before staining whether a model fits a movie."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QObject
from qtpy.QtWidgets import QLabel

from ...hooks import add_on_name
from ..kit.jobs import JobContext, JobRunner, Outcome
from ..kit.settling import debouncer
from ..kit.worker_threads import import_torch
from ..layers.description import axes_of
from .fit_light import checking_text, fit_text
from .job import FitChecked

_SETTLE_MS = 500


class FitCheck(QObject):
    """Comparison of a layer with what a model was trained on, repeated when either changes.

    Parameters
    ----------
    text : QLabel
        Shows the light; it is hidden while there is nothing to check.
    """

    def __init__(self, text: QLabel) -> None:
        super().__init__(text)
        self._text = text
        self._asked: tuple[Any, ...] | None = None
        self._checked: tuple[Any, ...] | None = None
        self.runner = JobRunner(self)
        self.runner.conclude = self._conclude
        self._settle = debouncer(self, _SETTLE_MS, self._start)

    def follow(self, layer: Any, model: str | None, pixel_size_um: float) -> None:
        """Check `layer` soon, unless it is what was checked last."""
        if layer is None or model is None or add_on_name(model) is not None:
            self._asked = None
            self._text.setVisible(False)
            return
        asked = (layer, id(layer.data), axes_of(layer), model, round(pixel_size_um, 6))
        if asked != self._asked:
            self._asked = asked
            self._text.setText(checking_text())
            self._text.setVisible(True)
        if asked != self._checked:
            self._settle.throttle()

    def show(self, checked: FitChecked) -> None:
        """Show what the run itself has found, which counts more."""
        self._settle.cancel()
        self._checked = self._asked
        self._text.setText(fit_text(checked.level, checked.reasons))
        self._text.setVisible(True)

    def stop(self) -> None:
        """Leave it at what was found."""
        self._settle.cancel()
        self.runner.abandon()

    def pause(self) -> None:
        """Leave the processor to the run, which checks too."""
        self._settle.cancel()
        self.runner.cancel()

    def resume(self) -> None:
        """Go on with the check that a run has paused and not answered itself."""
        if self._asked != self._checked:
            self._settle.throttle()

    def _start(self) -> None:
        if self.runner.state.is_active:
            self._settle.throttle()
            return
        if self._asked is None:
            return
        asked = self._asked
        layer, _, axes, model, size_um = asked
        data = layer.data

        def work(context: JobContext) -> Any:
            import_torch(context.cancel)
            from ...staining import assess_fit

            report = assess_fit(data, model, size_um, axes=axes, most_frames=4)
            return asked, FitChecked(report.level, tuple(report.reasons))

        self.runner.start(work, "Check the model")

    def _conclude(self, outcome: Outcome) -> Outcome:
        if outcome.error is None:
            asked, checked = outcome.value
            if asked == self._asked:
                self.show(checked)
        else:
            self._text.setVisible(False)  # the run itself will say what is wrong
        return outcome
