from __future__ import annotations

import gc
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qtpy.QtWidgets import QPushButton

from napari_virtualstain.plugin.kit.jobs import JobContext
from napari_virtualstain.plugin.segment.dock import SegmentWidget
from napari_virtualstain.plugin.segment.fine_tuning_job import FineTuneRequest, fine_tuning_job
from napari_virtualstain.segmentation import SegmenterTraining, segment

from .conftest import SCALE, labels_of

pytestmark = pytest.mark.usefixtures("models")


def test_labels_equal_the_engine_and_lie_on_their_source(
    segmented: SegmentWidget, movie: np.ndarray, models: Path
) -> None:
    layer, source = labels_of(segmented), segmented.viewer.layers["cell [fluorescence]"]
    np.testing.assert_array_equal(
        layer.data, segment(movie, models, pixel_size_um=0.08, device="cpu")
    )
    assert len(np.unique(layer.data[0])) == 3
    np.testing.assert_allclose(layer.translate, source.translate)
    assert [str(u) for u in layer.units] == [str(u) for u in source.units]
    assert layer.metadata["virtualstain"]["settings"]["threshold"] == 0.5


def test_the_threshold_acts_at_once_without_the_network(
    segmented: SegmentWidget, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = segmented._session
    monkeypatch.setattr(
        session.segmenter._made.segmenter, "maps", lambda *_, **__: pytest.fail("network")
    )
    segmented.settings["threshold"].value = 0.9
    qtbot.waitUntil(lambda: len(np.unique(labels_of(segmented).data[2])) == 2, timeout=5000)
    qtbot.waitUntil(
        lambda: all(len(np.unique(plane)) == 2 for plane in labels_of(segmented).data), timeout=5000
    )
    assert labels_of(segmented).metadata["virtualstain"]["settings"]["threshold"] == 0.9


@pytest.mark.skipif(sys.platform == "darwin", reason="has Apple graphics")
def test_a_run_that_fails_at_once_leaves_no_empty_layer(
    widget: SegmentWidget, wait_for: Any
) -> None:
    widget.device.value = "mps"
    widget.run_button.click()
    wait_for(widget)
    said = widget.status_label.text()
    assert said.startswith("Apple graphics (mps) is not available. This machine has: ")
    assert said.endswith("processor (cpu). Choose one of these, or automatic (auto).")
    assert [layer.name for layer in widget.viewer.layers] == ["cell [fluorescence]"]
    widget.device.value = "cpu"
    widget.run_button.click()
    wait_for(widget)
    layer, before = labels_of(widget), np.array(labels_of(widget).data)
    widget.device.value = "mps"
    widget.run_button.click()
    wait_for(widget)
    assert len(widget.viewer.layers) == 2
    assert layer.visible
    np.testing.assert_array_equal(layer.data, before)
    assert before.any()


def test_outlining_anew_is_told_and_can_be_cancelled(
    segmented: SegmentWidget, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    segmenter = segmented._session.segmenter
    original, seen = segmenter.labels, []
    before = labels_of(segmented).data.copy()

    def labels(*arguments: Any) -> Any:
        seen.append(arguments)
        while len(seen) > 2 and not segmenter.cancel.cancelled:
            time.sleep(0.005)
        return original(*arguments)

    monkeypatch.setattr(segmenter, "labels", labels)
    segmented.settings["threshold"].value = 0.9
    qtbot.waitUntil(lambda: "outlining again: frame 2/6" in segmented.status_label.text())
    assert segmented.cancel_button.isEnabled()
    assert not segmented.bar.isHidden()
    segmented.cancel_button.click()
    qtbot.waitUntil(lambda: not segmented.working.is_active, timeout=5000)
    assert not segmented.cancel_button.isEnabled()
    assert segmented.bar.isHidden()
    assert "keep their former outlines" in segmented.status_label.text()
    changed = (labels_of(segmented).data != before).any(axis=(1, 2))
    # the visible frame and the next
    assert changed.tolist() == [False, False, True, True, False, False]
    monkeypatch.setattr(segmenter, "labels", original)
    segmented.settings["threshold"].value = 0.88
    qtbot.waitUntil(lambda: "All frames" in segmented.status_label.text(), timeout=5000)
    assert (labels_of(segmented).data != before).any(axis=(1, 2)).all()


def test_no_garbage_is_collected_while_a_plane_is_cut(
    segmented: SegmentWidget, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full collection with torch holds the lock of Python, and so the window, for long."""
    enabled: list[bool] = []
    segmenter = segmented._session.segmenter
    original = segmenter.labels

    def labels(*arguments: Any) -> Any:
        enabled.append(gc.isenabled())
        return original(*arguments)

    monkeypatch.setattr(segmenter, "labels", labels)
    segmented.settings["threshold"].value = 0.9
    qtbot.waitUntil(lambda: len(enabled) == 6, timeout=5000)
    qtbot.waitUntil(lambda: not segmented.cutter.state.is_active, timeout=5000)
    assert not any(enabled)
    qtbot.waitUntil(gc.isenabled, timeout=5000)  # the frame shown is measured next, likewise


def test_width_and_turns_reach_the_network_and_the_record(
    widget: SegmentWidget, wait_for: Any, movie: np.ndarray, models: Path
) -> None:
    widget.settings["width_um"].value = 2.0
    widget.settings["average"].value = True
    widget.run_button.click()
    wait_for(widget, "done")
    layer = labels_of(widget)
    expected = segment(movie, models, pixel_size_um=0.08, width_um=2.0, average=True, device="cpu")
    np.testing.assert_array_equal(layer.data, expected)
    assert (layer.data != segment(movie, models, pixel_size_um=0.08, device="cpu")).any()
    made = layer.metadata["virtualstain"]["settings"]
    assert (made["width_um"], made["average"]) == (2.0, True)
    widget.settings["width_um"].value = 0
    assert "Press Segment" in widget.status_label.text()


def test_painted_frames_keep_their_corrections(segmented: SegmentWidget, qtbot: Any) -> None:
    layer = labels_of(segmented)
    segmented.viewer.dims.set_point(0, 2.0 * 1)
    layer.brush_size = 4
    layer.paint((1, 70, 80), 9)
    segmented.settings["threshold"].value = 0.9
    qtbot.waitUntil(lambda: len(np.unique(layer.data[5])) == 2, timeout=5000)
    qtbot.waitUntil(lambda: not segmented.cutter.state.is_active, timeout=5000)
    assert layer.data[1, 70, 80] == 9
    assert (layer.data[1, 50:60, 39:59] > 0).all()


def test_the_table_measures_the_visible_frame_and_follows_thelabels_of(
    segmented: SegmentWidget, qtbot: Any
) -> None:
    table = segmented.table
    qtbot.waitUntil(lambda: len(table.frame) == 2, timeout=5000)
    np.testing.assert_allclose(table.frame["area_um2"], 200 * 0.08**2)
    layer = labels_of(segmented)
    table.selectRow(1)
    assert layer.selected_label == table.frame["label"].iloc[1]
    layer.selected_label = int(table.frame["label"].iloc[0])
    assert table.row == 0
    assert list(layer.features["index"]) == list(table.frame["label"])


def test_the_table_follows_time(segmented: SegmentWidget, qtbot: Any) -> None:
    """regionprops#17: a table that shows another frame than the viewer."""
    segmented.viewer.dims.set_point(0, 2.0 * 4)
    qtbot.waitUntil(lambda: segmented.measures.measured == (4,), timeout=5000)
    column = segmented.table.frame["x_px"].to_numpy()
    np.testing.assert_allclose(sorted(column), sorted([23.5, 45.5]), atol=0.51)


def test_the_table_tells_the_trust_where_there_is_an_uncertainty(
    widget: SegmentWidget, wait_for: Any, qtbot: Any, movie: np.ndarray
) -> None:
    error = np.full(movie.shape, 0.1, np.float32)
    error[:, 45:65] = 0.6
    place = {"translate": (0, 3, 4), **SCALE}
    widget.viewer.add_image(error[:2], name="cell [uncertainty]", **place)
    widget.viewer.add_image(error, name="cell [uncertainty] [1]", **place)
    widget.source.value = widget.viewer.layers["cell [fluorescence]"]
    widget.run_button.click()
    wait_for(widget, "done")
    qtbot.waitUntil(lambda: len(widget.table.frame) == 2, timeout=5000)
    rows = widget.table.frame.sort_values("y_px")
    np.testing.assert_allclose(rows["trust"], [1 / 1.01, 0.5], atol=1e-6)


def test_no_mitochondria_end_in_advice(
    widget: SegmentWidget, wait_for: Any, viewer_model: Any
) -> None:
    widget.source.value = viewer_model.add_image(np.zeros((2, 32, 32)), name="dark", **SCALE)
    widget.run_button.click()
    wait_for(widget, "done")
    assert "No mitochondrion was found" in widget.status_label.text()


def test_a_missing_pixel_size_is_asked_for(widget: SegmentWidget, viewer_model: Any) -> None:
    widget.source.value = viewer_model.add_image(np.zeros((2, 32, 32)), name="plain")
    assert "does not state its pixel size" in widget.sampling.remark.text()
    widget.source.value = viewer_model.layers["cell [fluorescence]"]
    assert widget.status_label.text() == "Ready to segment."


def test_deleting_the_labels_ends_the_session(segmented: SegmentWidget, qtbot: Any) -> None:
    segmented.viewer.layers.remove("segmented · cell [mitochondria]")
    assert segmented.table.frame.empty
    segmented.settings["threshold"].value = 0.8
    qtbot.wait(100)
    assert not segmented.cutter.state.is_active
    assert segmented.table.frame.empty


def test_corrections_go_straight_into_a_model_that_is_then_chosen(
    segmented: SegmentWidget, wait_for: Any, models: Path
) -> None:
    assert not segmented.learn_button.isEnabled()
    assert "brush" in segmented.learn_button.toolTip()
    layer = labels_of(segmented)
    layer.brush_size = 6
    layer.paint((2, 70, 80), 9)
    assert segmented.learn_button.isEnabled()
    segmented.learn(SegmenterTraining(steps=2, crop=32, batch_size=1))
    wait_for(segmented, timeout_s=120)
    assert segmented.state == "done", segmented.status_label.text()
    assert (models.parent / "cell corrected.safetensors").exists()
    assert segmented.model.combo.currentText() == "cell corrected"
    image, before, after, corrected = segmented.pictures.pictures
    assert before.shape == after.shape == image.shape == layer.data.shape[-2:]
    assert corrected[70, 80]
    assert not before[70, 80]
    assert layer.data[2, 70, 80] == 9


def test_no_corrected_frame_is_scored_by_a_model_that_learnt_from_its_neighbour(
    models: Path, movie: np.ndarray, tmp_path: Path
) -> None:
    frames = tuple(movie[:4])
    labels = tuple((frame > frame.mean()).astype(np.int32) for frame in frames)
    settings = SegmenterTraining(steps=1, crop=32, batch_size=1)
    output = tmp_path / "corrected.safetensors"
    request = FineTuneRequest(frames, labels, str(models), 0.1, output, 1, settings)
    tuned = fine_tuning_job(request, JobContext())
    assert tuned.result.card.split["by"] == "block of 64 pixels"
    assert [picture.shape for picture in tuned.pictures] == [frames[0].shape] * 4


@pytest.mark.parametrize(("width_px", "shown_um"), [(12, 1.2), (4, 0.0)])
def test_width_is_offered_from_a_measurement_of_the_visible_frame(
    qtbot: Any, viewer_model: Any, width_px: int, shown_um: float
) -> None:
    movie = np.zeros((2, 96, 96))
    movie[1, 40 : 40 + width_px, 8:88] = 100
    units = ("s", "um", "um")
    viewer_model.add_image(
        movie, name="gfp", scale=(2, 0.1, 0.1), units=units, axis_labels=("t", "y", "x")
    )
    dock = SegmentWidget(viewer_model)
    qtbot.addWidget(dock)
    viewer_model.dims.set_point(0, 2.0)
    dock.findChild(QPushButton, "measure_width").click()
    qtbot.waitUntil(lambda: "µm wide" in dock.status_label.text(), timeout=20000)
    assert dock.settings["width_um"].value == pytest.approx(shown_um, abs=0.2)


def test_a_width_of_noise_is_not_set(qtbot: Any, viewer_model: Any) -> None:
    noise = np.random.default_rng(0).normal(100, 5, (96, 96))
    viewer_model.add_image(noise, name="gfp", scale=(0.1, 0.1), units="um", axis_labels=("y", "x"))
    dock = SegmentWidget(viewer_model)
    qtbot.addWidget(dock)
    dock.settings["width_um"].value = 0.9
    dock.findChild(QPushButton, "measure_width").click()
    qtbot.waitUntil(lambda: "Unsure" in dock.status_label.text(), timeout=20000)
    assert dock.settings["width_um"].value == 0.9


def test_a_first_frame_that_takes_minutes_is_announced(
    widget: SegmentWidget, held: threading.Event, wait_for: Any, qtbot: Any
) -> None:
    widget.run_button.click()
    said = "segmenting: frame 0/6"
    qtbot.waitUntil(lambda: widget.status_label.text() == said, timeout=20000)
    held.set()
    wait_for(widget, "done")
