from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog

from napari_virtualstain import evaluate
from napari_virtualstain.plugin.evaluate.common_part import CommonPart
from napari_virtualstain.plugin.evaluate.dock import EvaluateWidget
from napari_virtualstain.plugin.layers.description import provenance

SCALE = {"scale": (2.0, 0.08, 0.08), "units": ("s", "um", "um"), "axis_labels": ("t", "y", "x")}


@pytest.fixture
def widget(qtbot: Any, viewer_model: Any) -> EvaluateWidget:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 255, (3, 64, 64)).astype(np.uint8)
    viewer_model.add_image(truth, name="cell mCherry", **SCALE)
    made = (truth + rng.normal(0, 20, truth.shape)).astype(np.float32)
    viewer_model.add_image(made, name="cell [fluorescence]", **SCALE)
    dock = EvaluateWidget(viewer_model)
    qtbot.addWidget(dock)
    return dock


def test_the_table_is_the_engines_and_goes_to_the_frame(
    widget: EvaluateWidget, wait_for: Any, tmp_path: Path
) -> None:
    assert widget.predicted.currentText() == "cell [fluorescence]"
    assert widget.reference.currentText() == "cell mCherry"
    widget.run_button.click()
    wait_for(widget, "done")
    layers = widget.viewer.layers
    expected = evaluate(layers[1].data, layers[0].data, pixel_size_um=0.08)
    np.testing.assert_allclose(widget.table.frame["pearson"], expected["pearson"])
    widget.table.row_entered.emit(2)
    assert widget.viewer.dims.point[0] == pytest.approx(4.0)
    (tmp_path / "metrics.csv").write_text("of an earlier run")
    widget.save(tmp_path / "metrics.csv")
    np.testing.assert_allclose(pd.read_csv(tmp_path / "metrics.csv")["ssim"], expected["ssim"])


def test_a_report_is_written_where_asked(
    widget: EvaluateWidget, wait_for: Any, tmp_path: Path
) -> None:
    widget.write_report(tmp_path / "report")
    wait_for(widget, "done", "failed")
    assert widget.state == "done", widget.status_label.text()
    assert (tmp_path / "report" / "report.html").exists()


def test_unlike_layers_are_not_compared(widget: EvaluateWidget) -> None:
    widget.reference.value = widget.viewer.add_image(np.zeros((3, 10, 10)), name="small")
    assert "unlike pixel sizes" in widget.run_button.toolTip()
    widget.reference.value = widget.predicted.value
    assert "Both layers are the same" in widget.run_button.toolTip()


def test_a_stain_is_not_evaluated_against_its_own_bright_field(widget: EvaluateWidget) -> None:
    truth, made = widget.viewer.layers
    made.metadata.update(provenance("stain", "cell bf", kind="fluorescence"))
    light = widget.viewer.add_image(np.ones((3, 64, 64)), name="cell bf", **SCALE)
    widget.reference.value = light
    assert not widget.run_button.isEnabled()
    assert "'cell bf' is the bright-field" in widget.run_button.toolTip()
    widget.reference.value = truth
    assert widget.run_button.isEnabled()


def _scored(widget: EvaluateWidget, wait_for: Any) -> pd.DataFrame:
    widget.run_button.click()
    wait_for(widget, "done", "failed")
    assert widget.state == "done", widget.status_label.text()
    return widget.table.frame


def test_regions_and_single_frames_are_compared_where_they_lie(
    widget: EvaluateWidget, wait_for: Any
) -> None:
    truth, made = (widget.viewer.layers[place] for place in (0, 1))
    part = made.data[1:2, 8:40, 20:60]
    place = {**SCALE, "translate": (2.0, 8 * 0.08, 20 * 0.08)}
    widget.predicted.value = widget.viewer.add_image(part, name="part", **place)
    table = _scored(widget, wait_for)
    expected = evaluate(part, truth.data[1:2, 8:40, 20:60], pixel_size_um=0.08)
    np.testing.assert_allclose(table["pearson"], expected["pearson"])
    assert "Compared where both lie" in widget.summary.text()
    widget.table.row_entered.emit(0)
    assert widget.viewer.dims.point[0] == pytest.approx(2.0)
    widget.predicted.value.translate = (2.0, 8.5 * 0.08, 20 * 0.08)
    widget._on_layers()
    assert "displaced by" in widget.status_label.text()
    widget.predicted.value.translate = (2.0, 80.0, 0)
    widget._on_layers()
    assert "lie beside each other" in widget.status_label.text()


@pytest.mark.parametrize("stale", [True, False])
def test_fluorescence_at_some_frames_shows_where_the_model_went_stale(
    qtbot: Any, viewer_model: Any, wait_for: Any, stale: bool
) -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 255, (24, 48, 48)).astype(np.float32)
    noise = (
        rng.normal(0, 60, truth.shape)
        * np.where(np.arange(24) >= 15, 4 if stale else 1, 1)[:, None, None]
    )
    viewer_model.add_image((truth + noise).astype("f4"), name="cell [fluorescence]", **SCALE)
    sparse = {**SCALE, "scale": (6.0, 0.08, 0.08)}
    viewer_model.add_image(truth[::3], name="cell mCherry", **sparse)
    widget = EvaluateWidget(viewer_model)
    qtbot.addWidget(widget)
    table = _scored(widget, wait_for)
    assert len(table) == 8
    times, values = widget.control.curves["bandpass_pearson"].getData()
    np.testing.assert_allclose(times, np.arange(8) * 6.0)
    np.testing.assert_allclose(values, table["bandpass_pearson"])
    assert "in frames 0, 3, 6" in widget.summary.text()
    if stale:
        assert widget.control.mark.value() == pytest.approx(30.0)
        assert "went stale at second 30" in widget.control.sentence.text()
    else:
        assert widget.control.mark is None
        assert "fits as well" in widget.control.sentence.text()
    widget.table.row_entered.emit(5)
    assert viewer_model.dims.point[0] == pytest.approx(30.0)


def test_the_stain_and_its_bright_field_are_never_proposed_as_the_truth(
    qtbot: Any, viewer_model: Any
) -> None:
    images = np.random.default_rng(0).random((3, 2, 64, 64))
    light = viewer_model.add_image(images[0], name="cell", **SCALE)
    made = provenance("stain", "cell", kind="fluorescence")
    viewer_model.add_image(images[1], name="stained · cell [fluorescence]", metadata=made, **SCALE)
    dock = EvaluateWidget(viewer_model)
    qtbot.addWidget(dock)
    dock.show()
    assert dock.predicted.currentText() == "stained · cell [fluorescence]"
    assert dock.reference.value is None
    assert dock.reference.placeholderText() == "choose true fluorescence"
    assert "Two layers are needed" in dock.status_label.text()
    # chosen by hand, the reason is said
    dock.reference.value = light
    assert "is the bright-field" in dock.status_label.text()
    dock.reference._picked_by_hand = False
    truth = viewer_model.add_image(images[2], name="red", **SCALE)
    dock.reset_choices()
    assert dock.reference.value is truth
    assert dock.run_button.isEnabled()


@pytest.mark.parametrize(("model", "is_said"), [("mito-h9c2", True), ("other", False)])
def test_a_sample_that_trained_the_model_is_said_with_its_honest_score(
    qtbot: Any, viewer_model: Any, wait_for: Any, model: str, is_said: bool
) -> None:
    truth = np.random.default_rng(0).random((2, 64, 64), np.float32)
    known = provenance("sample", "public", also_trained={"mito-h9c2": "Pearson 0.61"})
    viewer_model.add_image(truth, name="cell bright-field", metadata=known, **SCALE)
    viewer_model.add_image(truth, name="cell mCherry", metadata=known, **SCALE)
    stained = provenance("stain", "cell bright-field", model=model)
    viewer_model.add_image(
        truth**2, name="stained · cell bright-field [fluorescence]", metadata=stained, **SCALE
    )
    dock = EvaluateWidget(viewer_model)
    qtbot.addWidget(dock)
    dock.reference.value = viewer_model.layers["cell mCherry"]
    dock.run_button.click()
    wait_for(dock, "done")
    text = "This cell also trained mito-h9c2. A model that had not seen it: Pearson 0.61."
    assert (text in dock.summary.text()) == is_said


def test_a_row_of_sparse_stacks_goes_to_its_frame_and_plane(
    qtbot: Any, viewer_model: Any, wait_for: Any
) -> None:
    """Fluorescence of frames 0 and 3, planes 1 and 2."""
    names = {"units": ("s", "um", "um", "um"), "axis_labels": ("t", "z", "y", "x")}
    stack = np.random.default_rng(0).random((6, 3, 40, 40), np.float32)
    scale = (2.0, 0.5, 0.08, 0.08)
    viewer_model.add_image(stack, name="cell [fluorescence]", scale=scale, **names)
    viewer_model.add_image(
        stack[::3, 1:] ** 2,
        name="cell mCherry",
        scale=(6.0, *scale[1:]),
        translate=(0, 0.5, 0, 0),
        **names,
    )
    widget = EvaluateWidget(viewer_model)
    qtbot.addWidget(widget)
    assert len(_scored(widget, wait_for)) == 4
    assert widget.control.isHidden()  # of planes there is no curve over time
    seen = []
    for row in range(4):
        widget.table.choose(row)
        qtbot.keyClick(widget.table, Qt.Key.Key_Return)
        seen.append(viewer_model.dims.point[:2])
    np.testing.assert_allclose(seen, [(0, 0.5), (0, 1), (6, 0.5), (6, 1)])
    viewer_model.layers.clear()
    before = viewer_model.dims.point
    qtbot.keyClick(widget.table, Qt.Key.Key_Return)
    assert viewer_model.dims.point == before


@pytest.mark.parametrize(
    ("frames", "is_whole", "text"),
    [
        ((0, 2), True, ""),
        ((), False, " Compared where both lie."),
        (range(8), False, " Compared where both lie, in frames 0, 1, 2, 3, 4, 5, 6, 7."),
        (range(9), False, " Compared where both lie, in frames 0, 1, 2, 3, 4, 5, 6, 7, …."),
    ],
)
def test_what_was_left_out_is_said_with_up_to_eight_frames(
    frames: Any, is_whole: bool, text: str
) -> None:
    common = CommonPart("tyx", (), (), tuple(frames), (), is_whole)
    assert EvaluateWidget._compared_text(SimpleNamespace(_common=common)) == text


@pytest.mark.parametrize(("side", "is_baseline"), [(64, True), (63, False)])
def test_the_bright_field_is_a_baseline_where_it_has_the_pixels_of_the_stain(
    widget: EvaluateWidget, monkeypatch: pytest.MonkeyPatch, side: int, is_baseline: bool
) -> None:
    given: dict[str, Any] = {}
    monkeypatch.setattr(
        "napari_virtualstain.pipeline.score_movie", lambda *_, **options: given.update(options)
    )
    context = SimpleNamespace(progress=None, cancel=None)
    widget.prepare()(context)
    assert given["bright_field"] is None
    widget.viewer.layers[1].metadata.update(provenance("stain", "light"))
    light = np.ones((3, side, side))
    widget.viewer.add_image(light, name="light", **SCALE)
    widget.prepare()(context)
    assert (given["bright_field"] is not None) == is_baseline
    widget.predicted.value.translate = (2.0, 0, 0)  # one frame later: two are common
    widget.prepare()(context)
    assert not is_baseline or given["bright_field"].data.shape == (2, 64, 64)


def test_without_a_known_interval_scores_are_drawn_over_frames(
    qtbot: Any, viewer_model: Any, wait_for: Any
) -> None:
    truth = np.random.default_rng(0).random((24, 48, 48), np.float32)
    for name, image in (("cell mCherry", truth), ("cell [fluorescence]", truth**2)):
        viewer_model.add_image(image, name=name, scale=(2.0, 1.0, 1.0))  # in pixels, as napari does
    widget = EvaluateWidget(viewer_model)
    qtbot.addWidget(widget)
    _scored(widget, wait_for)
    np.testing.assert_array_equal(widget.control.curves["pearson"].getData()[0], np.arange(24))
    assert widget.control.plot.getAxis("bottom").labelText == "frame"


def test_the_pixel_size_is_of_the_layer_that_is_there_and_then_of_the_truth(
    qtbot: Any, viewer_model: Any
) -> None:
    widget = EvaluateWidget(viewer_model)
    qtbot.addWidget(widget)
    image = np.random.default_rng(0).random((3, 48, 48), np.float32)
    for name, size in (("cell [fluorescence]", 0.2), ("cell mCherry", 0.1)):
        viewer_model.add_image(image, name=name, **{**SCALE, "scale": (2.0, size, size)})
        assert widget.pixel_size.value() == size


def test_scores_stand_first_and_are_saved_where_asked(
    qtbot: Any,
    viewer_model: Any,
    wait_for: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    truth = np.random.default_rng(0).random((1, 48, 48), np.float32)
    scale = {**SCALE, "scale": (2.0, 0.2, 0.2)}
    viewer_model.add_image(truth, name="cell mCherry", **scale)
    viewer_model.add_image(truth**2, name="cell [fluorescence]", **scale)
    widget = EvaluateWidget(viewer_model)
    qtbot.addWidget(widget)
    assert widget.status_label.text() == "Ready to evaluate."
    assert widget.pixel_size.value() == 0.2
    assert not widget.save_button.isEnabled()
    assert widget.save_button.toolTip() == "Evaluate first"
    assert list(_scored(widget, wait_for))[:3] == ["frame", "bandpass_pearson", "pearson"]
    assert widget.status_label.text() == "Scored 1 frame."
    assert widget.save_button.toolTip() == "Save the table"
    answers = [("", ""), (str(tmp_path / "none" / "m.txt"), ""), (str(tmp_path / "m.csv"), "")]
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: answers.pop(0))
    said = []
    for _ in range(3):
        qtbot.mouseClick(widget.save_button, Qt.MouseButton.LeftButton)
        said.append(widget.status_label.text())
    assert said[0] == "Scored 1 frame."
    assert said[2] == f"Saved {tmp_path / 'm.csv'}."
    assert len(pd.read_csv(tmp_path / "m.csv")) == 1
    (tmp_path / "folder").write_text("")
    answers.append((str(tmp_path / "folder" / "m.csv"), ""))
    qtbot.mouseClick(widget.save_button, Qt.MouseButton.LeftButton)
    assert "folder" in widget.status_label.text()
    assert not widget.status_label.text().startswith("Saved")
