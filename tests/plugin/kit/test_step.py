"""Behaviour that all docks share: states, buttons, teardown. A window opens where it matters."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from napari.layers import Image
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QHBoxLayout, QLineEdit, QWidget

from napari_virtualstain.errors import InputError
from napari_virtualstain.plugin.kit import step
from napari_virtualstain.plugin.kit.jobs import JobContext, Work
from napari_virtualstain.plugin.kit.layer_choice import LayerChoice
from napari_virtualstain.plugin.kit.step import NextStep, StepWidget
from napari_virtualstain.progress import Progress, Reporter


class SlowWidget(StepWidget):
    """Counts tiles until it is told to stop, then notes that its thread has ended."""

    title = "Slow step"

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__(napari_viewer)
        self.ended = threading.Event()
        self.source = self.add_choice(
            LayerChoice(napari_viewer, lambda layer: isinstance(layer, Image), role="bright_field")
        )
        self.form.addWidget(self.source)
        self.error: Exception | None = None
        self.tiles = 10_000
        self.items: list[int] = []
        self.render()

    def why_not(self) -> str | None:
        return None if self.source.value is not None else "Load a movie first."

    def prepare(self) -> Work:
        error, tiles, ended = self.error, self.tiles, self.ended

        def work(context: JobContext) -> Iterator[int]:
            reporter = Reporter(tiles, "tile", "counting", context.progress, context.cancel)
            try:
                for number in range(tiles):
                    time.sleep(0.005)
                    reporter.advance()
                    yield number
                if error is not None:
                    raise error
            finally:
                ended.set()

        return work

    def on_items(self, items: list[int]) -> None:
        self.items.extend(items)


@pytest.fixture
def widget(qtbot: Any, viewer_model: Any) -> SlowWidget:
    viewer_model.add_image(np.zeros((3, 8, 8)), name="movie")
    made = SlowWidget(viewer_model)
    qtbot.addWidget(made)
    return made


def test_the_parts_have_the_names_that_others_rely_on(widget: SlowWidget) -> None:
    assert widget.run_button.objectName() == "run_button"
    assert widget.cancel_button.objectName() == "cancel_button"
    assert widget.status_label.objectName() == "status_label"
    assert widget.state == "idle"


def test_run_and_cancel_through_the_buttons(widget: SlowWidget, qtbot: Any, wait_for: Any) -> None:
    states: list[str] = []
    widget.state_changed.connect(states.append)
    qtbot.mouseClick(widget.run_button, Qt.MouseButton.LeftButton)
    assert widget.state == "running"
    assert not widget.run_button.isEnabled()
    assert widget.cancel_button.isEnabled()
    qtbot.waitUntil(lambda: "counting: tile" in widget.status_label.text(), timeout=5000)
    qtbot.mouseClick(widget.cancel_button, Qt.MouseButton.LeftButton)
    assert widget.state == "cancelling"
    assert widget.cancel_button.text() == "Cancelling…"
    wait_for(widget, "idle", timeout_s=1)
    assert states == ["running", "cancelling", "idle"]
    assert "Cancelled" in widget.status_label.text()
    assert widget.items == list(range(len(widget.items)))
    assert widget.run_button.isEnabled()


def test_a_job_that_ends_is_done_and_can_run_again(
    widget: SlowWidget, qtbot: Any, wait_for: Any
) -> None:
    widget.tiles = 5
    for _ in range(2):
        widget.run_button.click()
        wait_for(widget, "done")
    assert widget.items == [0, 1, 2, 3, 4] * 2


def test_an_expected_error_is_told_in_the_dock(
    widget: SlowWidget, wait_for: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr("napari_virtualstain.plugin.kit.step.show_error", told.append)
    widget.tiles, widget.error = 2, InputError("The pixel size is -1 µm: correct it.")
    widget.run_button.click()
    wait_for(widget, "failed")
    assert widget.status_label.text() == "The pixel size is -1 µm: correct it."
    assert told == ["Slow step: The pixel size is -1 µm: correct it."]
    assert widget.run_button.isEnabled()


def test_out_of_memory_comes_with_advice(widget: SlowWidget, qtbot: Any, wait_for: Any) -> None:
    """torch's out-of-memory error is a RuntimeError, which superqt loses."""
    widget.tiles, widget.error = 2, RuntimeError("CUDA out of memory. Tried to allocate 9 GiB")
    with qtbot.captureExceptions():
        widget.run_button.click()
        wait_for(widget, "failed")
    assert "smaller tile" in widget.status_label.text()


def test_a_result_that_cannot_be_shown_fails_and_is_told(
    widget: SlowWidget, wait_for: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_virtualstain.plugin.kit.step.show_error", lambda text: None)

    def refuse(value: Any) -> str:
        raise InputError("no room")

    monkeypatch.setattr(widget, "on_result", refuse)
    widget.tiles = 1
    widget.run_button.click()
    wait_for(widget, "failed")
    assert widget.status_label.text() == "no room"


def test_a_disabled_button_says_why(widget: SlowWidget) -> None:
    widget.viewer.layers.clear()
    assert not widget.run_button.isEnabled()
    assert widget.run_button.toolTip() == "Load a movie first."
    assert widget.status_label.text() == "Load a movie first."
    widget.viewer.add_image(np.zeros((3, 8, 8)))
    assert widget.run_button.isEnabled()


def test_the_keyboard_runs_and_cancels(widget: SlowWidget, qtbot: Any, wait_for: Any) -> None:
    qtbot.keyClick(widget, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    assert widget.state == "running"
    qtbot.keyClick(widget, Qt.Key.Key_Escape)
    wait_for(widget, "idle", timeout_s=1)


def test_enter_alone_and_escape_at_rest_do_nothing(widget: SlowWidget, qtbot: Any) -> None:
    qtbot.keyClick(widget, Qt.Key.Key_Return)
    qtbot.keyClick(widget, Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
    assert widget.state == "idle"
    widget.say("Ready.")
    qtbot.keyClick(widget, Qt.Key.Key_Escape)
    assert (widget.state, widget.status_label.text()) == ("idle", "Ready.")


def test_what_cannot_begin_is_said_and_nothing_runs(
    widget: SlowWidget, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> Work:
        raise InputError("The folder is gone (--output).")

    monkeypatch.setattr(widget, "prepare", refuse)
    widget.run()
    assert (widget.state, widget.status_label.text()) == ("idle", "The folder is gone.")
    widget.viewer.layers.clear()
    widget.say("")
    widget.run()
    assert widget.status_label.text() == "Load a movie first."


@pytest.mark.parametrize(
    ("progress", "maximum", "value"),
    [
        (Progress(3, 0, "frame", "staining"), 0, None),  # a bar that only says that it lives
        (Progress(1, 4, "frame", "staining"), 1000, 250),
        (Progress(4, 4, "frame", "staining"), 1000, 1000),
    ],
)
def test_the_bar_moves_as_far_as_is_known(
    widget: SlowWidget, wait_for: Any, progress: Progress, maximum: int, value: int | None
) -> None:
    widget.run_button.click()
    widget.runner.progressed.emit(progress)
    assert widget.bar.maximum() == maximum
    if value is not None:
        assert widget.bar.value() == value
    assert widget.status_label.text() == str(progress)
    assert not widget.bar.isHidden()
    widget.cancel()
    widget.say("Stopping.")
    widget.runner.progressed.emit(progress)  # it was on its way
    assert widget.status_label.text() == "Stopping."
    wait_for(widget, "idle")
    assert widget.bar.isHidden()


def test_work_beside_the_step_has_the_bar_and_the_cancel_button(
    widget: SlowWidget, qtbot: Any, wait_for: Any
) -> None:
    beside = widget.add_runner()
    seen = threading.Event()

    def look(context: JobContext) -> None:
        while not context.cancel.cancelled:
            context.progress(Progress(1, 2, "frame", "looking"))
            time.sleep(0.005)
        seen.set()

    assert widget.cancel_button.toolTip() == "Nothing is running"
    beside.start(look)
    assert widget.cancel_button.isEnabled()
    assert widget.cancel_button.toolTip().startswith("Stop; what is finished is kept")
    assert widget.run_button.isEnabled()  # the step itself does not run
    qtbot.waitUntil(lambda: "looking" in widget.status_label.text(), timeout=5000)
    assert not widget.bar.isHidden()
    qtbot.mouseClick(widget.cancel_button, Qt.MouseButton.LeftButton)
    assert widget.cancel_button.text() == "Cancelling…"
    assert not widget.cancel_button.isEnabled()
    qtbot.waitUntil(lambda: not beside.state.is_active, timeout=5000)
    assert seen.is_set()
    assert (widget.state, widget.bar.isHidden()) == ("idle", True)
    assert widget.cancel_button.text() == "Cancel"


def test_the_source_may_vanish_mid_run(widget: SlowWidget, qtbot: Any, wait_for: Any) -> None:
    widget.tiles = 40
    widget.run_button.click()
    qtbot.wait(50)
    widget.viewer.layers.clear()
    wait_for(widget, "done")
    assert len(widget.items) == 40
    assert not widget.run_button.isEnabled()


def _docked(viewer: Any) -> SlowWidget:
    viewer.add_image(np.zeros((3, 8, 8)))
    widget = SlowWidget(viewer)
    viewer.window.add_dock_widget(widget, name="Slow")
    return widget


@pytest.mark.gui
def test_a_layer_that_is_added_in_mid_run_does_not_change_the_choice(
    widget: SlowWidget, wait_for: Any
) -> None:
    widget.run_button.click()
    widget.viewer.add_image(np.zeros((3, 8, 8)), name="another bright-field")
    assert widget.source.currentText() == "movie"
    widget.cancel_button.click()
    wait_for(widget, "idle")
    widget.viewer.add_image(np.zeros((3, 8, 8)), name="third bright-field")
    assert widget.source.currentText() != "movie"  # newer layers are proposed again


def test_layers_reach_the_drop_down_of_a_docked_widget(make_napari_viewer: Any) -> None:
    viewer = make_napari_viewer()
    widget = _docked(viewer)
    viewer.layers[0].name = "renamed"
    assert widget.source.currentText() == "renamed"
    viewer.layers.clear()
    assert widget.source.value is None


@pytest.mark.gui
@pytest.mark.parametrize("strict", ["0", "1"])
def test_removing_the_dock_mid_run_stops_the_thread(
    make_napari_viewer: Any, qtbot: Any, monkeypatch: pytest.MonkeyPatch, strict: str
) -> None:
    monkeypatch.setenv("NAPARI_ENSURE_PLUGIN_MAIN_THREAD", strict)
    viewer = make_napari_viewer(strict_qt=True)
    widget = _docked(viewer)
    widget.run_button.click()
    qtbot.wait(50)
    viewer.window.remove_dock_widget(widget)
    assert widget.ended.wait(1)
    assert widget.state == "idle"
    viewer.add_image(np.zeros((3, 8, 8)))  # napari still calls reset_choices
    with qtbot.waitSignal(widget.destroyed):
        widget.deleteLater()


@pytest.mark.gui
def test_closing_the_viewer_mid_run_stops_the_thread(make_napari_viewer: Any, qtbot: Any) -> None:
    viewer = make_napari_viewer(strict_qt=True)
    widget = _docked(viewer)
    ended = widget.ended
    widget.run_button.click()
    qtbot.wait(50)
    del widget
    viewer.close()
    assert ended.wait(1)


@pytest.mark.gui
def test_napari_knows_of_the_running_task_and_can_stop_it(
    make_napari_viewer: Any, qtbot: Any, wait_for: Any
) -> None:
    viewer = make_napari_viewer()
    widget = _docked(viewer)
    widget.run_button.click()
    manager = viewer.window._task_status_manager
    qtbot.waitUntil(manager.is_busy, timeout=2000)
    assert any("Slow step" in text for text in manager.get_status())
    manager.cancel_all()
    wait_for(widget, "idle", timeout_s=1)
    assert not manager.is_busy()


def test_tab_goes_from_a_control_that_was_made_late_to_run(qtbot: Any, viewer_model: Any) -> None:
    made, late, beyond = SlowWidget(viewer_model), QLineEdit(), QLineEdit()
    made.form.addWidget(late)
    window = QWidget()
    side_by_side = QHBoxLayout(window)
    side_by_side.addWidget(made)
    side_by_side.addWidget(beyond)
    qtbot.addWidget(window)
    window.show()
    following = [late]
    while following[-1] is not made.next_button:
        following.append(following[-1].nextInFocusChain())
        assert len(following) < 100
    passed = (made.source, made.run_button, made.cancel_button, beyond)
    assert [w for w in following if w in passed] == [made.run_button, made.cancel_button]


@pytest.mark.parametrize(("runs", "has_layer"), [(True, True), (False, True), (True, False)])
def test_the_next_step_takes_the_result_and_runs_where_the_button_says_so(
    qtbot: Any, viewer_model: Any, monkeypatch: pytest.MonkeyPatch, runs: bool, has_layer: bool
) -> None:
    done: list[Any] = []
    following = SimpleNamespace(take=done.append, run=lambda: done.append("run"))
    monkeypatch.setattr(step, "can_open_docks", lambda _viewer: True)
    monkeypatch.setattr(step, "open_dock", lambda _viewer, name: done.append(name) or following)
    layer = viewer_model.add_image(np.zeros((3, 8, 8)))

    class Chained(SlowWidget):
        next_step = NextStep("Segment", "Segment mitochondria", runs=runs)

        def result_layer(self) -> Any:
            return layer if has_layer else None

    widget = Chained(viewer_model)
    qtbot.addWidget(widget)
    assert widget.next_button.text() == "Segment ›"
    assert widget.next_button.toolTip().startswith("Open Segment mitochondria")
    assert ("run it on this result" in widget.next_button.toolTip()) == runs
    widget.go_on()
    expected: list[Any] = ["Segment mitochondria"]
    assert done == [*expected, *[layer] * has_layer, *["run"] * runs]
    monkeypatch.setattr(step, "can_open_docks", lambda _viewer: False)
    widget.go_on()
    last = SlowWidget(viewer_model)  # after which nothing follows
    qtbot.addWidget(last)
    monkeypatch.setattr(step, "can_open_docks", lambda _viewer: True)
    last.go_on()
    assert done.count("Segment mitochondria") == 1
    assert last.next_button.toolTip() == "No step follows this one"


def test_a_removed_dock_listens_no_more(qtbot: Any, viewer_model: Any) -> None:
    viewer_model.add_image(np.zeros((3, 8, 8)), name="movie")
    window = QWidget()
    qtbot.addWidget(window)
    made = SlowWidget(viewer_model)
    made.setParent(window)
    listening = len(viewer_model.layers.events.inserted.callbacks)
    made.tear_down()
    assert len(viewer_model.layers.events.inserted.callbacks) < listening
    made.tear_down()  # the window tells it, too
    viewer_model.add_image(np.zeros((3, 8, 8)), name="bright bf")
    made.reset_choices()
    assert made.source.currentText() == "movie"
    assert made.parent() is window  # still of the window, which deletes it


def test_a_dock_ends_when_it_loses_its_window_and_not_when_it_gets_one(
    qtbot: Any, viewer_model: Any
) -> None:
    first, second = QWidget(), QWidget()
    qtbot.addWidget(first)
    qtbot.addWidget(second)
    made = SlowWidget(viewer_model)
    listening = len(viewer_model.layers.events.inserted.callbacks)
    for window in (first, second):
        made.setParent(window)
        assert len(viewer_model.layers.events.inserted.callbacks) == listening
    with qtbot.waitSignal(made.destroyed, timeout=5000):
        made.setParent(None)
        assert len(viewer_model.layers.events.inserted.callbacks) < listening
