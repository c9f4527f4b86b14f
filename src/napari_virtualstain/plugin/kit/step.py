"""The dock that each step of the pipeline is built on.

A form that scrolls, and below it, always on screen, the run and cancel buttons, a bar
and one line that says what is going on. One function, :meth:`StepWidget.render`, sets
every enabled, visible and text from the state, so that the two never disagree.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from napari.utils.notifications import show_error
from qtpy.QtCore import QEvent, Qt, Signal
from qtpy.QtWidgets import (
    QAbstractSpinBox,
    QApplication,
    QCheckBox,
    QComboBox,
    QHBoxLayout,
    QLineEdit,
    QProgressBar,
    QPushButton,
    QSlider,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from ...progress import Progress, duration_text
from ..layers.renaming import Renames
from .cleanup import Cleanup, delete_soon
from .controls import FormArea, button, note, plain_tooltip
from .dock_place import can_open_docks, open_dock, share_place
from .jobs import JobRunner, JobState, Outcome, Work, error_text
from .layer_choice import LayerChoice
from .mnemonics import give_mnemonics

_TAB = Qt.FocusPolicy.TabFocus
# napari's themes show the focus in text fields only; this blue stands out from both
_FRAMED = (QComboBox, QAbstractSpinBox, QLineEdit, QPushButton, QTableView)
_FOCUS_RULES: dict[type[QWidget], str] = {
    **dict.fromkeys(_FRAMED, "*:focus { border: 1px solid #3d8eea; }"),
    **dict.fromkeys((QCheckBox, QSlider), "*:focus { background-color: rgba(61, 142, 234, 90); }"),
}


@dataclass(frozen=True, slots=True)
class NextStep:
    """The step that usually follows.

    Attributes
    ----------
    text : str
        Of the button.
    display_name : str
        Of the dock, as in napari's menu.
    runs : bool
        Whether the button also starts the step, with the settings that its dock shows.
    """

    text: str
    display_name: str
    runs: bool = False

    @property
    def tooltip(self) -> str:
        """What the button does."""
        also = " and run it on this result; settings can be changed there" if self.runs else ""
        return f"Open {self.display_name}{also}"


class StepWidget(QWidget):
    """Base of the docks.

    Subclasses fill :attr:`form`, answer :meth:`why_not`, return their work from
    :meth:`prepare` and take its results in :meth:`on_items` and :meth:`on_result`.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        Injected by napari.
    """

    state_changed = Signal(object)
    title = "Step"
    tab_title = "Step"
    next_step: ClassVar[NextStep | None] = None
    run_text = "Run"
    run_tooltip = "Run this step (Ctrl+Enter while the dock has the focus)"
    # what to do in the dock in place of an option of the command line that an error names
    controls: ClassVar[Mapping[str, str]] = {}

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__()
        self.viewer = napari_viewer
        self.cleanup = Cleanup()
        self._choices: list[LayerChoice] = []
        self._closed = False
        self._began = 0.0
        self.runner = JobRunner(self)
        self._runners = [self.runner]
        self._build()
        self._connect()

    def why_not(self) -> str | None:
        """Return why the step cannot run now, as advice; None when it can."""
        return None

    def prepare(self) -> Work:
        """Return the work, with all that it needs copied from the widgets.

        The worker never sees a widget, the viewer or a layer.
        """
        raise NotImplementedError

    def on_items(self, items: list[Any]) -> None:
        """Show partial results."""

    def on_result(self, value: Any) -> str | None:
        """Show the result; the text returned becomes the status line."""
        return None

    def on_end(self, outcome: Outcome) -> None:
        """Do what must follow success, failure and cancelling alike."""

    def result_layer(self) -> Any:
        """Return the layer that the next step works on, None while there is none."""
        return None

    def take(self, layer: Any) -> None:
        """Choose `layer`, which the step before has made, as the one to work on."""

    def took_text(self) -> str:
        """Return how long the job has taken, for instance ``"12 s"``."""
        seconds = time.monotonic() - self._began
        return f"{seconds:.1f} s" if seconds < 10 else duration_text(seconds)

    def go_on(self) -> None:
        """Open the next step on this result, and start it where that is what the button says."""
        step = self.next_step
        if step is None or not can_open_docks(self.viewer):
            return
        layer, dock = self.result_layer(), open_dock(self.viewer, step.display_name)
        if layer is not None:
            dock.take(layer)
        if step.runs:
            dock.run()

    @property
    def state(self) -> JobState:
        """What the dock is doing: idle, running, cancelling, done or failed."""
        return self.runner.state

    @property
    def working(self) -> JobState:
        """What *Cancel* would stop: the step, or the smaller work beside it."""
        return next((r.state for r in self._runners if r.state.is_active), self.state)

    def run(self) -> None:
        """Start the step, as the run button does."""
        if self.state.is_active:
            return
        if (reason := self.why_not()) is not None:
            self.say(reason)
            return
        try:
            work = self.prepare()
        except Exception as error:  # shown in the dock, where the user looks
            self.say(error_text(error, self.controls))
            return
        self.say(f"{self.title}: starting")
        self._began = time.monotonic()
        self.runner.start(work, self.title)

    def cancel(self) -> None:
        """Stop the step, as the cancel button does; what is finished stays."""
        for runner in self._runners:
            runner.cancel()

    def say(self, text: str) -> None:
        """Show `text` in the status line."""
        self.status_label.setText(text)

    def add_runner(self) -> JobRunner:
        """Return a runner beside that of the step; bar, line and *Cancel* serve it too."""
        runner = JobRunner(self)
        runner.state_changed.connect(self._on_beside)
        runner.progressed.connect(self._on_progress)
        self._runners.append(runner)
        self.cleanup.add(runner.canceller())
        return runner

    def add_choice(self, choice: LayerChoice) -> LayerChoice:
        """Keep a layer drop-down in step with the viewer."""
        self._choices.append(choice)
        choice.chosen.connect(self._on_beside)
        return choice

    def reset_choices(self, event: Any = None) -> None:
        """Follow the viewer's layers; napari calls this for docked widgets too."""
        if self._closed:
            return
        for choice in self._choices:
            # a layer that is added during a run is not what the run works on
            choice.refresh(keep=self.state.is_active)
        self.render()

    def render(self) -> None:
        """Set every button and bar from the state."""
        state, working, reason = self.state, self.working, self.why_not()
        self.run_button.setEnabled(not state.is_active and reason is None)
        self.run_button.setToolTip(plain_tooltip(reason or self.run_tooltip))
        self.cancel_button.setEnabled(working is JobState.RUNNING)
        self.cancel_button.setText("Cancelling…" if working is JobState.CANCELLING else "Cancel")
        self.cancel_button.setToolTip(
            "Stop; what is finished is kept (Esc)" if working.is_active else "Nothing is running"
        )
        self.bar.setVisible(working.is_active)
        self.next_button.setVisible(self._has_next(working))
        if working is JobState.IDLE and reason is not None:
            self.say(reason)

    def event(self, event: Any) -> bool:
        """Tear down when the dock is removed, which tells a widget nothing else."""
        if event.type() == QEvent.Type.ParentChange and self.parent() is None:
            self.tear_down()
        return bool(super().event(event))

    def showEvent(self, event: Any) -> None:
        """Give each control its letter and its turn: the form from top to bottom, then run."""
        super().showEvent(event)
        share_place(self, self.tab_title)
        give_mnemonics(self, spared=(self.run_button, self.cancel_button, self.next_button))
        within = [w for w in self.body.findChildren(QWidget) if w.focusPolicy() & _TAB]
        chain, widget = [], self.body.nextInFocusChain()
        while widget is not None and widget is not self.body:
            chain.append(widget)
            widget = widget.nextInFocusChain()
        if last := [widget for widget in chain if widget in within]:
            self.setTabOrder(last[-1], self.run_button)
            self.setTabOrder(self.run_button, self.cancel_button)
            self.setTabOrder(self.cancel_button, self.next_button)

    def keyPressEvent(self, event: Any) -> None:
        """Run with Ctrl+Enter, cancel with Esc."""
        key, held = event.key(), event.modifiers()
        if key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and (
            held & Qt.KeyboardModifier.ControlModifier
        ):
            self.run()
        elif key == Qt.Key.Key_Escape and self.working.is_active:
            self.cancel()
        else:
            super().keyPressEvent(event)

    def tear_down(self) -> None:
        """Stop the job and let go of the viewer; may be called twice."""
        if not self._closed:
            self._closed = True
            for runner in self._runners:
                runner.abandon()
            self.cleanup.run()
            if self.parent() is None:
                delete_soon(self)

    def _build(self) -> None:
        outer = QVBoxLayout(self)
        outer.setContentsMargins(6, 6, 6, 6)
        outer.setSpacing(6)
        self.body = QWidget()
        self.form = QVBoxLayout(self.body)
        self.form.setContentsMargins(0, 0, 4, 0)  # fields do not touch the scroll bar
        self.form.setSpacing(6)
        self.area = FormArea(self.body)
        outer.addWidget(self.area, 1)
        self.bar = QProgressBar()
        self.bar.setObjectName("progress_bar")
        self.bar.setTextVisible(False)
        self.bar.setMaximumHeight(8)
        # the form must not move up and down with work that lasts a moment
        room = self.bar.sizePolicy()
        room.setRetainSizeWhenHidden(True)
        self.bar.setSizePolicy(room)
        self.status_label = note(name="status_label")
        self.run_button = QPushButton(self.run_text)
        self.run_button.setObjectName("run_button")
        self.cancel_button = QPushButton("Cancel")
        self.cancel_button.setObjectName("cancel_button")
        step = self.next_step
        self.next_button = button(
            f"{step.text} ›" if step else "",
            step.tooltip if step else "No step follows this one",
            self.go_on,
            name="next_button",
        )
        self.next_button.setVisible(False)
        buttons = QHBoxLayout()
        buttons.addWidget(self.run_button, 1)
        buttons.addWidget(self.cancel_button, 0)
        outer.addWidget(self.bar)
        outer.addWidget(self.status_label)
        outer.addWidget(self.next_button)
        outer.addLayout(buttons)

    def _connect(self) -> None:
        self.run_button.clicked.connect(self._on_run)
        self.cancel_button.clicked.connect(self._on_cancel)
        self.runner.state_changed.connect(self._on_state)
        self.runner.progressed.connect(self._on_progress)
        self.runner.produced.connect(self.on_items)
        self.runner.conclude = self._conclude
        events = self.viewer.layers.events
        renames = Renames(self.viewer)
        for emitter in (events.inserted, events.removed):
            self.cleanup.connect(emitter, renames.note)
        for emitter in (events.inserted, events.removed, events.reordered):
            self.cleanup.connect(emitter, self.reset_choices)
        if hasattr(events, "renamed"):  # napari 0.7 and newer
            self.cleanup.connect(events.renamed, renames.follow)
            self.cleanup.connect(events.renamed, self.reset_choices)
        # The window's death leaves no time for slots of this widget: see Cleanup.
        self.cleanup.add(self.runner.canceller())
        self.destroyed.connect(self.cleanup.run)
        QApplication.instance().focusChanged.connect(self._show_focus)

    def _show_focus(self, _before: QWidget | None, focused: QWidget | None) -> None:
        """Mark a control while it has the focus.

        A style sheet of the whole dock would be looked at for each widget within, which takes a
        quarter of the dock's creation.
        """
        if focused is None or not self.isAncestorOf(focused):
            return
        own = focused.styleSheet()
        rule = next((rule for kind, rule in _FOCUS_RULES.items() if isinstance(focused, kind)), "")
        if rule not in own:
            own = f"* {{ {own} }}" if own and "{" not in own else own
            focused.setStyleSheet(f"{own} {rule}")

    def _on_run(self, _checked: bool) -> None:
        self.run()

    def _on_cancel(self, _checked: bool) -> None:
        self.cancel()

    def _on_beside(self, _value: object = None) -> None:
        self.render()

    def _on_state(self, state: JobState) -> None:
        self.render()
        self.state_changed.emit(state)

    def _has_next(self, working: JobState) -> bool:
        """Whether there is a result, and a window in which the next step can open."""
        return (
            working is JobState.DONE
            and self.next_step is not None
            and self.result_layer() is not None
            and can_open_docks(self.viewer)
        )

    def _on_progress(self, progress: Progress) -> None:
        if self.working is JobState.RUNNING:
            self.say(str(progress))
        fraction = progress.fraction
        self.bar.setRange(0, 0 if fraction is None else 1000)
        if fraction is not None:
            self.bar.setValue(round(1000 * fraction))

    def _conclude(self, outcome: Outcome) -> Outcome:
        if outcome.error is None:
            try:
                self.say(self.on_result(outcome.value) or f"{self.title}: done")
            except Exception as error:  # a result that cannot be shown is a failure too
                outcome = Outcome(error=error)
        if outcome.cancelled:
            self.say("Cancelled. What was finished by then has been kept.")
        elif outcome.error is not None:
            text = error_text(outcome.error, self.controls)
            self.say(text)
            if outcome.expected:
                show_error(f"{self.title}: {text}")
        self.on_end(outcome)
        return outcome
