from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_virtualstain.errors import InputError
from napari_virtualstain.inference import stain
from napari_virtualstain.models import Inputs, read_card
from napari_virtualstain.plugin.preferences import preferences
from napari_virtualstain.plugin.train import TrainWidget
from napari_virtualstain.plugin.train_job import TrainRequest, collect_pairs
from napari_virtualstain.training import PlaneReading

from .models import save_generator

SCALE = {"scale": (2.0, 0.08, 0.08), "units": ("s", "um", "um"), "axis_labels": ("t", "y", "x")}


@pytest.fixture(autouse=True)
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VIRTUALSTAIN_MODELS", str(tmp_path / "models"))
    return save_generator(tmp_path / "models" / "tiny.safetensors")


@pytest.fixture
def widget(qtbot: Any, viewer_model: Any) -> TrainWidget:
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(0)
    glow = gaussian_filter(rng.random((8, 64, 96)), (0, 2, 2)).astype(np.float32)
    glow = (glow - glow.min()) * 1000
    bright = (200 - 0.1 * glow + rng.normal(0, 1, glow.shape)).astype(np.float32)
    viewer_model.add_image(bright, name="cell bright-field", **SCALE)
    viewer_model.add_image(glow, name="cell fluorescence", **SCALE)
    made = TrainWidget(viewer_model)
    qtbot.addWidget(made)
    made.start_from.value = "tiny"
    made.steps.setValue(6)
    made.crop.setValue(32)
    made.batch.setValue(2)
    return made


@pytest.mark.slow
def test_training_draws_its_curve_and_lists_the_model(
    widget: TrainWidget, wait_for: Any, models: Path
) -> None:
    assert widget.bright_field.currentText() == "cell bright-field"
    assert widget.fluorescence.currentText() == "cell fluorescence"
    widget.viewer.dims.set_point(0, 2.0 * 3)
    widget.run_button.click()
    wait_for(widget, timeout_s=200)
    assert widget.state == "done", widget.status_label.text()
    assert widget.curve.losses
    assert widget.curve.scores
    assert (models.parent / "my-model.safetensors").exists()
    assert widget.start_from.combo.findText("my-model") >= 0
    assert "already" in widget.run_button.toolTip()
    before, after = (
        widget.viewer.layers[f"cell bright-field [{kind} training]"] for kind in ("before", "after")
    )
    source = widget.viewer.layers["cell bright-field"]
    expected = stain(source.data, str(models), pixel_size_um=0.08)[3]
    np.testing.assert_allclose(before.data[0], expected, rtol=1e-4)
    np.testing.assert_allclose(after.translate, (6.0, 0.0, 0.0))
    assert after.data.shape == (1, 64, 96)


def _request(**changes: Any) -> TrainRequest:
    movie = np.arange(8 * 20 * 30, dtype=float).reshape(8, 20, 30)
    settings: dict[str, Any] = {
        "bright_field": movie,
        "fluorescence": movie + 1,
        "rectangles": (),
        "by": "time",
        "pixel_size_um": 0.08,
        "preset": "recommended",
        "changes": {},
        "output": Path("model.safetensors"),
        "axes": "tyx",
        "preferences": preferences(),
    }
    return TrainRequest(**{**settings, **changes})


def test_the_last_frames_are_held_out_and_the_report_says_what_that_means() -> None:
    pairs = collect_pairs(_request(), PlaneReading(1))
    assert pairs.groups == ("first frames",) * 6 + ("last frames",) * 2
    assert any("same cells" in remark for remark in pairs.notes)


def test_each_region_is_a_group_of_its_own() -> None:
    pairs = collect_pairs(
        _request(by="region", rectangles=((0, 0, 10, 10), (5, 10, 20, 30))), PlaneReading(1)
    )
    assert pairs.group_names == ("region 0", "region 1")
    assert len(pairs) == 16
    assert pairs.fluorescence[1].shape == (15, 20)


def test_what_cannot_be_held_out_is_refused() -> None:
    with pytest.raises(InputError, match="at least two rectangles"):
        collect_pairs(_request(by="region", rectangles=((0, 0, 10, 10),)), PlaneReading(1))
    with pytest.raises(InputError, match="at least 4"):
        collect_pairs(
            _request(bright_field=np.zeros((2, 20, 30)), fluorescence=np.zeros((2, 20, 30))),
            PlaneReading(1),
        )


@pytest.mark.slow
def test_a_z_stack_trains_with_the_planes_above_and_below_like_the_command(
    widget: TrainWidget, wait_for: Any, models: Path
) -> None:
    rng = np.random.default_rng(1)
    stack = {"scale": (0.3, 0.08, 0.08), "units": ("um",) * 3, "axis_labels": ("z", "y", "x")}
    for name in ("stack bright-field", "stack fluorescence"):
        widget.viewer.add_image(rng.random((4, 64, 96), np.float32) * 1000, name=name, **stack)
    regions = [[[0, 0], [0, 40], [64, 40], [64, 0]], [[0, 48], [0, 96], [64, 96], [64, 48]]]
    scale = {"scale": (0.08, 0.08), "units": ("um", "um"), "axis_labels": ("y", "x")}
    widget.viewer.add_shapes(regions, shape_type="rectangle", name="cells", **scale)
    assert widget.planes.currentText() == "one, as the model"
    widget.fine_tune.setChecked(False)
    widget.bright_field.value = widget.viewer.layers["stack bright-field"]
    widget.fluorescence.value = widget.viewer.layers["stack fluorescence"]
    assert (widget.planes.asked, widget.planes.axis) == (3, "z")
    assert "Hold out a region" in widget.run_button.toolTip()
    widget.by.value = "region"
    widget.shapes.value = widget.viewer.layers["cells"]
    widget.run_button.click()
    wait_for(widget, timeout_s=200)
    assert widget.state == "done", widget.status_label.text()
    card = read_card(models.parent / "my-model.safetensors")
    assert card.inputs == Inputs(planes=3, axis="z")
    assert "stack bright-field [after training]" in widget.viewer.layers
    widget.fine_tune.setChecked(True)
    widget.start_from.value = "my-model"
    assert widget.planes.currentText() == "3, above and below, as the model"
    assert widget.planes.asked is None


def test_the_second_rectangle_that_is_drawn_makes_training_possible(widget: TrainWidget) -> None:
    widget.by.value = "region"
    place = {"scale": (0.08, 0.08), "units": ("um", "um"), "axis_labels": ("y", "x")}
    drawn = widget.viewer.add_shapes(None, ndim=2, name="cells", **place)
    widget.shapes.value = drawn
    drawn.add_rectangles([[0, 0], [30, 30]])
    assert "1 region was drawn" in widget.run_button.toolTip()
    drawn.add_rectangles([[30, 40], [60, 80]])
    assert widget.run_button.isEnabled()
    drawn.selected_data = {1}
    drawn.remove_selected()
    assert not widget.run_button.isEnabled()


def test_what_was_chosen_stays_while_the_layers_do(widget: TrainWidget) -> None:
    assert widget.pixel_size.value() == 0.08
    widget.fine_tune.setChecked(False)
    assert (widget.planes.asked, widget.planes.axis) == (1, "z")
    widget.planes.value = (3, "t")
    widget.pixel_size.setValue(0.1)
    widget.name.setText("another")
    widget.by.value = "region"
    assert (widget.planes.asked, widget.planes.axis) == (3, "t")
    assert widget.pixel_size.value() == 0.1


def test_reasons_are_given_while_training_is_impossible(widget: TrainWidget) -> None:
    widget.by.value = "region"
    assert "rectangles" in widget.run_button.toolTip()
    widget.by.value = "time"
    widget.name.setText("tiny")
    assert "already" in widget.run_button.toolTip()
    widget.name.setText("")
    assert "name" in widget.run_button.toolTip()
