"""What the segment dock does with corrections, widths and settings that change while it runs."""

from __future__ import annotations

import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import QPoint
from qtpy.QtWidgets import QPushButton

from napari_virtualstain.errors import CancelledError, InputError
from napari_virtualstain.plugin.kit import step
from napari_virtualstain.plugin.kit.jobs import Outcome
from napari_virtualstain.plugin.segment import dock as dock_module
from napari_virtualstain.plugin.segment.dock import SegmentWidget
from napari_virtualstain.plugin.segment.fine_tuning_job import FineTuneRequest
from napari_virtualstain.plugin.segment.job import Started
from napari_virtualstain.plugin.segment.layer import Corrections

from .conftest import SCALE, labels_of

pytestmark = pytest.mark.usefixtures("models")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[FineTuneRequest]:
    """Return what fine-tunings are asked for; none is done."""
    found: list[FineTuneRequest] = []

    def refuse(wanted: FineTuneRequest, _context: Any) -> Any:
        found.append(wanted)
        raise InputError("not in a test")

    monkeypatch.setattr(dock_module, "fine_tuning_job", refuse)
    return found


def _paint(widget: SegmentWidget, *frames: int) -> None:
    layer = labels_of(widget)
    layer.brush_size = 4
    for frame in frames:
        layer.paint((frame, 70, 80), 9)


def test_corrected_frames_are_learnt_from_and_the_visible_one_is_pictured(
    segmented: SegmentWidget,
    wait_for: Any,
    movie: np.ndarray,
    models: Path,
    asked: list[FineTuneRequest],
) -> None:
    segmented.learn()  # nothing was painted
    assert not segmented.state.is_active
    _paint(segmented, 4, 1, 2)
    segmented.viewer.dims.set_point(0, 2.0 * 2)
    segmented.learn_button.click()
    wait_for(segmented)
    assert "not in a test" in segmented.status_label.text()
    [wanted] = asked
    for image, labels, frame in zip(wanted.images, wanted.labels, (1, 4, 2), strict=True):
        np.testing.assert_array_equal(image, movie[frame])
        np.testing.assert_array_equal(labels, labels_of(segmented).data[frame])
        assert labels[70, 80] == 9
    assert wanted.init == str(models)
    assert wanted.pixel_size_um == 0.08
    assert wanted.output.name == "cell corrected.safetensors"


def test_corrections_of_a_part_lie_where_that_part_lies_in_the_movie(
    widget: SegmentWidget, wait_for: Any, movie: np.ndarray, asked: list[FineTuneRequest]
) -> None:
    widget.region.kind.value = "range"
    widget.region.first.setValue(2)
    widget.region.last.setValue(4)
    widget.run_button.click()
    wait_for(widget, "done")
    _paint(widget, 1)
    widget.learn()
    wait_for(widget)
    np.testing.assert_array_equal(asked[0].images[0], movie[3])


def test_painted_planes_are_those_of_arrays_and_of_slices() -> None:
    heard: list[bool] = []
    corrections = Corrections(lambda: heard.append(True))
    rows = (np.array([3, 4]), np.array([5, 5]))
    layer = SimpleNamespace(data=np.zeros((4, 3, 9, 9)))

    def painted(*indices: Any) -> set[tuple[int, ...]]:
        corrections.planes.clear()
        corrections._on_paint(SimpleNamespace(source=layer, value=[((*indices, *rows), 0, 1)]))
        return corrections.planes

    assert painted(np.array([2, 2]), np.array([1, 1])) == {(2, 1)}
    assert painted(slice(1, 3), np.array([0, 0])) == {(1, 0), (2, 0)}
    assert painted(slice(None), np.array([2, 2])) == {(t, 2) for t in range(4)}
    assert painted(np.array([0, 3]), np.array([1, 1])) == {(0, 1), (3, 1)}
    assert len(heard) == 4


@pytest.mark.parametrize("done", [0, 1, 5, 6])
def test_what_a_cancel_leaves_says_how_much_is_finished(
    widget: SegmentWidget, monkeypatch: pytest.MonkeyPatch, done: int
) -> None:
    monkeypatch.setattr(widget.runner, "start", lambda *_: None)
    widget.run_button.click()
    widget.on_items([Started(np.ones((6, 80, 96), np.int32), "bright", "")])
    widget.on_items([(frame,) for frame in range(done)])
    widget.on_end(Outcome(error=CancelledError("cancelled")))
    made = [layer.name for layer in widget.viewer.layers][1:]
    name = "segmented · cell [mitochondria]"
    if done in (0, 6):  # an empty layer is of no use, and a full one is finished
        assert made == ([name] if done else [])
    else:
        assert made == [f"{name} ({done} of 6 frames)"]


def test_a_threshold_that_is_moved_while_the_network_runs_counts(
    widget: SegmentWidget, held: threading.Event, wait_for: Any, qtbot: Any
) -> None:
    widget.run_button.click()
    qtbot.waitUntil(lambda: len(widget.viewer.layers) == 2, timeout=20000)
    widget.settings["threshold"].value = 0.9
    qtbot.wait(80)
    held.set()
    wait_for(widget, "done")
    layer = labels_of(widget)
    # the dim bar is below the new threshold
    qtbot.waitUntil(lambda: all(plane.max() == 1 for plane in layer.data), timeout=5000)
    assert layer.metadata["virtualstain"]["settings"]["threshold"] == 0.9


def test_of_several_changes_in_a_row_the_last_one_counts(
    segmented: SegmentWidget, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    segmenter, go_on = segmented._session.segmenter, threading.Event()
    original, layer = segmenter.labels, labels_of(segmented)

    def slow(*request: Any) -> Any:
        go_on.wait(30)
        return original(*request)

    monkeypatch.setattr(segmenter, "labels", slow)
    layer.visible = False  # as below the labels that keep their number
    segmented.settings["threshold"].value = 0.9
    qtbot.waitUntil(lambda: segmented.cutter.state.is_active, timeout=5000)
    assert layer.visible
    segmented.settings["threshold"].value = 0.4
    qtbot.wait(80)
    go_on.set()
    qtbot.waitUntil(lambda: "All frames" in segmented.status_label.text(), timeout=5000)
    assert all(len(np.unique(plane)) == 3 for plane in layer.data)
    assert layer.metadata["virtualstain"]["settings"]["threshold"] == 0.4
    assert not segmented.cutter.state.is_active


def test_a_new_cut_that_fails_says_why(
    segmented: SegmentWidget, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_request: Any) -> Any:
        raise InputError("the file is gone")

    monkeypatch.setattr(segmented._session.segmenter, "labels", broken)
    segmented.settings["threshold"].value = 0.9
    qtbot.waitUntil(lambda: segmented.status_label.text() == "the file is gone", timeout=5000)


def test_a_single_image_has_no_next_step(
    qtbot: Any, viewer_model: Any, wait_for: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(step, "can_open_docks", lambda _viewer: True)
    image = np.zeros((40, 48), np.float32)
    image[10:20, 10:30] = 1.0
    viewer_model.add_image(image, name="cell", scale=(0.08, 0.08), units="um")
    dock = SegmentWidget(viewer_model)
    qtbot.addWidget(dock)
    dock.model.value, dock.device.value = "bright", "cpu"
    dock.run_button.click()
    wait_for(dock, "done")
    assert dock.result_layer() is not None
    assert dock.next_button.isHidden()
    viewer_model.add_image(np.stack([image] * 2), name="film", **SCALE)
    dock.source.value = viewer_model.layers["film"]
    dock.run_button.click()
    wait_for(dock, "done")
    assert not dock.next_button.isHidden()


def test_a_width_is_measured_once_at_a_time_and_not_of_nothing(
    qtbot: Any, viewer_model: Any
) -> None:
    dock = SegmentWidget(viewer_model)
    qtbot.addWidget(dock)
    button = dock.findChild(QPushButton, "measure_width")
    assert dock.source.currentText() == "stain a movie first"
    button.click()  # there is no layer
    assert dock.status_label.text().startswith("Stain a movie first")
    viewer_model.add_image(np.zeros((2, 48, 48)), name="dark", **SCALE)
    for _ in range(2):
        button.click()
    qtbot.waitUntil(lambda: "No width was found" in dock.status_label.text(), timeout=20000)
    viewer_model.add_image(np.full((2, 48, 48), np.nan), name="missing", **SCALE)
    dock.source.value = viewer_model.layers["missing"]
    dock.say("")
    button.click()
    qtbot.waitUntil(lambda: bool(dock.status_label.text()), timeout=20000)
    assert dock.settings["width_um"].value == 0


def test_before_the_first_run_settings_of_the_network_are_only_noted(
    widget: SegmentWidget,
) -> None:
    widget.settings["width_um"].value = 1.0
    widget.settings["threshold"].value = 0.7
    assert widget.status_label.text() == "Ready to segment."
    assert widget.pictures.isHidden()
    assert not widget.learn_button.isEnabled()


def test_the_button_that_measures_stands_below_the_width(widget: SegmentWidget) -> None:
    widget.show()
    width = widget.settings["width_um"].native
    button = widget.findChild(QPushButton, "measure_width")
    places = [one.mapTo(widget, QPoint(0, 0)).y() for one in (width, button)]
    below = widget.advanced.mapTo(widget, QPoint(0, 0)).y()
    assert places[0] < places[1] < below


def test_the_canvas_is_drawn_when_the_visible_plane_is_labelled(
    segmented: SegmentWidget, qtbot: Any
) -> None:
    layer, drawn = labels_of(segmented), []
    assert layer.opacity == 1.0  # thin outlines are seen in full colour
    qtbot.waitUntil(lambda: bool(layer.visible), timeout=2000)
    layer.events.set_data.connect(lambda _event: drawn.append(True))
    segmented.on_items([(0,), (1,)])
    assert drawn == []
    segmented.on_items([(2,)])
    assert drawn


def test_labels_that_were_deleted_leave_an_empty_table(
    segmented: SegmentWidget, qtbot: Any
) -> None:
    table, measuring = segmented.table, segmented.measures.runner
    qtbot.waitUntil(lambda: len(table.frame) == 2, timeout=5000)
    qtbot.waitUntil(lambda: not measuring.state.is_active, timeout=5000)
    shown = list(table.frame.columns)
    assert shown[:3] == ["label", "shape_class", "area_um2"]  # what tells most stands first
    assert {"y_px", "x_px"} <= set(shown)
    assert "frame" not in shown  # it is that of the viewer
    assert len(set(shown)) == len(shown)
    layer = labels_of(segmented)
    segmented.viewer.layers.remove(layer)
    assert table.frame.empty
    layer.selected_label = 2  # the layer lives on in the clipboard
    assert table.row is None
    segmented.measures.measure()
    segmented.measures.measure_if_moved()
    assert not measuring.state.is_active
    assert segmented.result_layer() is None


def test_a_frame_that_is_reached_while_another_is_measured_is_measured_too(
    segmented: SegmentWidget, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_virtualstain.plugin.segment import measuring

    qtbot.waitUntil(lambda: segmented.measures.measured == (2,), timeout=5000)
    qtbot.waitUntil(lambda: not segmented.measures.runner.state.is_active, timeout=5000)
    go_on, looked, original = threading.Event(), [], measuring.measured

    def slow(*planes: Any, **options: Any) -> Any:
        looked.append(planes[0])
        go_on.wait(20)
        return original(*planes, **options)

    monkeypatch.setattr(measuring, "measured", slow)
    for frame in (3, 4, 5):
        segmented.viewer.dims.set_point(0, 2.0 * frame)
    qtbot.waitUntil(lambda: len(looked) == 1, timeout=5000)
    go_on.set()
    qtbot.waitUntil(lambda: segmented.measures.measured == (5,), timeout=5000)
    qtbot.waitUntil(lambda: not segmented.measures.runner.state.is_active, timeout=5000)
    assert len(looked) == 2  # the frames in between were only passed
    segmented.viewer.dims.set_point(0, 2.0 * 5)
    segmented.measures.measure_if_moved()
    assert not segmented.measures.runner.state.is_active


def test_a_measurement_that_fails_says_why(
    segmented: SegmentWidget, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_virtualstain.plugin.segment import measuring

    qtbot.waitUntil(lambda: not segmented.measures.runner.state.is_active, timeout=5000)

    def broken(*_planes: Any, **_options: Any) -> Any:
        raise InputError("cannot be measured")

    monkeypatch.setattr(measuring, "measured", broken)
    segmented.viewer.dims.set_point(0, 0.0)
    qtbot.waitUntil(lambda: segmented.status_label.text() == "cannot be measured", timeout=5000)
