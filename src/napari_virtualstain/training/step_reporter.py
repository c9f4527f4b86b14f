"""Progress of a training by its steps, with the time left."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..progress import Progress, ProgressCallback, check_progress
from .training_events import FoldStarted, StepFinished, TrainingEvent, TrainingPrepared

_FIRST_PACE = 4  # steps after the first, which also loads and builds; as the pacing plans


@dataclass(slots=True)
class StepReporter:
    """Progress of a training, or of all trainings of a cross-validation together.

    The time left is stated from the fifth step on, and is never more than the minutes given.

    Parameters
    ----------
    progress : callable or None
        Receives a :class:`napari_virtualstain.progress.Progress` after each step.
    minutes : float or None
        Time limit of each training.
    """

    progress: ProgressCallback | None
    minutes: float | None = None
    _text: str = field(default="training", init=False)
    _number: int = field(default=1, init=False)
    _trainings: int = field(default=1, init=False)
    _first: tuple[int, float] | None = field(default=None, init=False)
    _step_s: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        check_progress(self.progress)

    def follow(self, event: TrainingEvent) -> None:
        """Report a step; notice which training begins."""
        if isinstance(event, FoldStarted):
            self._text, self._number = event.text, event.number
            self._trainings = event.folds + 1
        elif isinstance(event, TrainingPrepared):
            self._first = None
        elif isinstance(event, StepFinished):
            self._measure(event)
            if self.progress is not None:
                self.progress(self._reached(event))

    def _measure(self, event: StepFinished) -> None:
        if self._first is None:
            self._first = (event.step, event.seconds)
        made = event.step - self._first[0]
        if made >= _FIRST_PACE:
            self._step_s = (event.seconds - self._first[1]) / made

    def _reached(self, event: StepFinished) -> Progress:
        done = (self._number - 1) * event.steps + event.step
        limit_s = None
        if self.minutes is not None:
            limit_s = 60 * self.minutes * (self._trainings - self._number + 1) - event.seconds
        return Progress(
            done,
            self._trainings * event.steps,
            "step",
            self._text,
            elapsed_s=self._step_s * done,
            limit_s=limit_s,
        )
