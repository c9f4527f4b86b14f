"""Pairs and regions of the Train dock, as a hand chooses and draws them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from scipy.ndimage import gaussian_filter

from napari_virtualstain.plugin.train.dock import TrainWidget
from napari_virtualstain.plugin.train.drawn_regions import COLOURS, HELD_OUT, TRAIN
from napari_virtualstain.plugin.train.job import collect_pairs
from napari_virtualstain.plugin.train.kept_training import keep, kept_pairs, restore
from napari_virtualstain.training import PlaneReading, training_folder

SCALE = {"units": ("s", "um", "um"), "axis_labels": ("t", "y", "x")}


def _movies(frames: int = 8, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    glow = np.exp(gaussian_filter(rng.normal(size=(frames, 64, 96)), (0, 2, 2)) * 12)
    return rng.normal(100, 5, glow.shape).astype("f4"), glow.astype("f4")


def _dock(qtbot: Any, viewer: Any) -> TrainWidget:
    made = TrainWidget(viewer)
    qtbot.addWidget(made)
    made.start_from.value = "tiny"
    return made


@pytest.fixture
def widget(qtbot: Any, viewer_model: Any) -> TrainWidget:
    for name, data in zip(("one", "one GFP"), _movies(), strict=True):
        viewer_model.add_image(data, name=name, scale=(2.0, 0.08, 0.08), **SCALE)
    return _dock(qtbot, viewer_model)


def test_a_region_drawn_at_once_counts_and_is_an_outline(widget: TrainWidget) -> None:
    widget.pairs.new_regions.click()
    layer = widget.shapes.value
    assert widget.viewer.layers.selection.active is layer
    assert layer.mode == "add_rectangle"
    layer.add_rectangles([[4, 4], [60, 40]])
    layer.add_polygons([[4, 50], [60, 50], [60, 90]])
    assert "2 regions x 8 frames = 16 pairs, region 2 held out" in widget.pairs.summary.text()
    assert np.all(layer.face_color[:, 3] == 0)
    layer.selected_data = {0}
    widget.pairs.hold_button.click()
    assert "region 1 held out" in widget.pairs.summary.text()
    from napari.utils.colormaps.standardize_color import transform_color

    for row, role in enumerate((HELD_OUT, TRAIN)):
        np.testing.assert_allclose(layer.edge_color[row], transform_color(COLOURS[role])[0])
    pairs = collect_pairs(widget._request_now(), PlaneReading(1))
    assert pairs.masks[0] is None
    assert 0.4 < pairs.masks[1].mean() < 0.6


def test_the_regions_of_a_killed_training_come_back_in_another_window(
    widget: TrainWidget, tmp_path: Path
) -> None:
    widget.pairs.new_regions.click()
    drawn = widget.shapes.value
    drawn.add_rectangles([[4, 4], [60, 40]])
    drawn.add_polygons([[4, 50], [60, 50], [60, 90]])
    drawn.selected_data = {0}
    widget.pairs.hold_button.click()
    output = tmp_path / "mine.safetensors"
    settings = widget._request_now().settings
    keep(output, kept_pairs(widget.pairs.rows), settings, lambda: None)
    later = ViewerModel()
    (found,) = restore(training_folder(output), later)
    for role, layer in (("bright_field", "one"), ("fluorescence", "one GFP")):
        np.testing.assert_array_equal(found[role].data, widget.viewer.layers[layer].data)
    regions = found["shapes"]
    assert regions.name == drawn.name
    assert list(regions.shape_type) == ["rectangle", "polygon"]
    for there, here in zip(regions.data, drawn.data, strict=True):
        np.testing.assert_allclose(there, here)
    np.testing.assert_allclose(regions.scale, drawn.scale)
    np.testing.assert_allclose(regions.edge_color, drawn.edge_color)
    assert np.all(regions.face_color[:, 3] == 0)


def test_a_new_training_of_an_old_name_keeps_its_own_images(
    widget: TrainWidget, tmp_path: Path
) -> None:
    output, settings = tmp_path / "mine.safetensors", widget._request_now().settings
    for changed in (0, 1):
        for layer in widget.viewer.layers:
            layer.data = layer.data + changed
        kept = kept_pairs(widget.pairs.rows)
        for _ in range(2):  # the second time nothing is written
            keep(output, kept, settings, lambda: None)
        (found,) = restore(training_folder(output), ViewerModel())
        for role, layer in (("bright_field", "one"), ("fluorescence", "one GFP")):
            np.testing.assert_array_equal(found[role].data, widget.viewer.layers[layer].data)


@pytest.mark.parametrize(
    ("draw", "said"),
    [
        (lambda layer: layer.add_rectangles([[4, 4], [12, 40]]), "at least 16 x 16"),
        (lambda layer: layer.add_rectangles([[200, 4], [260, 40]]), "outside the image"),
        (lambda layer: layer.add_paths([[4, 4], [60, 40]]), "has no inside"),
    ],
)
def test_what_cannot_be_used_is_said_before_training(
    widget: TrainWidget, draw: Any, said: str
) -> None:
    widget.pairs.new_regions.click()
    layer = widget.shapes.value
    layer.add_rectangles([[4, 4], [60, 40]])
    assert widget.run_button.isEnabled()
    draw(layer)
    assert not widget.run_button.isEnabled()
    assert "Region 2" in widget.status_label.text()
    assert said in widget.status_label.text()
    layer.selected_data = {1}
    layer.remove_selected()
    assert widget.run_button.isEnabled()


def test_a_region_may_hold_for_its_own_frame_alone(widget: TrainWidget) -> None:
    widget.pairs.each_frame.setChecked(True)
    widget.pairs.new_regions.click()
    layer = widget.shapes.value
    for frame, left in ((1, 4), (5, 50)):
        corners = [(4, left), (4, left + 40), (60, left + 40), (60, left)]
        layer.add_rectangles([[frame, *corner] for corner in corners])
    assert "2 regions on their frames = 2 pairs, region 2 held out" in widget.pairs.summary.text()
    pairs = collect_pairs(widget._request_now(), PlaneReading(1))
    assert pairs.groups == ("region 1", "region 2")
    movie = widget.bright_field.value.data
    np.testing.assert_array_equal(pairs.bright_field[0][0], movie[1, 4:61, 4:45])
    np.testing.assert_array_equal(pairs.bright_field[1][0], movie[5, 4:61, 50:91])


def test_sparse_fluorescence_is_paired_by_time(qtbot: Any, viewer_model: Any) -> None:
    light, glow = _movies(16)
    viewer_model.add_image(light, name="bf", scale=(2.0, 0.08, 0.08), **SCALE)
    viewer_model.add_image(
        glow[2::4], name="GFP", scale=(8.0, 0.08, 0.08), translate=(4.0, 0, 0), **SCALE
    )
    widget = _dock(qtbot, viewer_model)
    assert "4 frames (of bright-field frames 2, 6, 10, 14)" in widget.pairs.summary.text()
    pairs = collect_pairs(widget._request_now(), PlaneReading(1))
    np.testing.assert_array_equal(pairs.bright_field[1][0], light[6])
    np.testing.assert_array_equal(pairs.fluorescence[1], glow[6])
    three = collect_pairs(widget._request_now(), PlaneReading(3, "t"))
    np.testing.assert_array_equal(three.bright_field[1], light[5:8])
    viewer_model.layers["GFP"].translate = (20.0, 0, 0)
    widget.reset_choices()
    widget.pairs.changed.emit()
    assert "their times do not fit" in widget.status_label.text()


def test_pairs_are_cells_of_their_own(widget: TrainWidget, qtbot: Any) -> None:
    for name, data in zip(("two", "two GFP"), _movies(3, seed=1), strict=True):
        widget.viewer.add_image(data, name=name, scale=(2.0, 0.08, 0.08), **SCALE)
    assert widget.bright_field.currentText() == "one"
    widget.pairs.add_button.click()
    row = widget.pairs.rows[1]
    assert (row.bright_field.currentText(), row.fluorescence.currentText()) == ("two", "two GFP")
    assert "pair 'two' held out" in widget.pairs.summary.text()
    pairs = collect_pairs(widget._request_now(), PlaneReading(1))
    assert pairs.group_names == pairs.movies[:1] + pairs.movies[-1:] == ("one", "two")
    assert len(pairs) == 11
    row.bright_field.value = widget.bright_field.value
    assert "'one' is in two pairs" in widget.status_label.text()
    assert not widget.run_button.isEnabled()
    widget.pairs.remove_button.click()
    assert widget.run_button.isEnabled()


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_fluorescence_is_never_proposed_as_the_bright_field(
    qtbot: Any, viewer_model: Any, order: tuple[int, int]
) -> None:
    """Names say nothing here: the pixels do."""
    layers = list(zip(("a", "b"), _movies(), strict=True))
    for place in order:
        viewer_model.add_image(layers[place][1], name=layers[place][0])
    widget = _dock(qtbot, viewer_model)
    assert (widget.bright_field.currentText(), widget.fluorescence.currentText()) == ("a", "b")
    viewer_model.layers.remove("a")
    assert widget.bright_field.value is None


def test_layers_of_unlike_size_and_one_layer_twice_are_named(widget: TrainWidget) -> None:
    widget.viewer.add_image(np.zeros((8, 32, 96)), name="small")
    widget.fluorescence.value = widget.viewer.layers["small"]
    assert "(8, 64, 96)" in widget.status_label.text()
    assert "(8, 32, 96)" in widget.status_label.text()
    widget.fluorescence.value = widget.bright_field.value
    assert "'one' is chosen twice" in widget.status_label.text()


def _overlapping_crops() -> np.ndarray:
    """Return frames in which the lower half shows what the upper half of the next frame shows."""
    field = np.random.default_rng(3).integers(0, 4000, (64 + 7 * 32, 96)).astype("u2")
    return np.stack([field[32 * k : 32 * k + 64] for k in range(8)])


def test_regions_that_show_the_same_pixels_are_refused_before_training(
    qtbot: Any, viewer_model: Any
) -> None:
    """The crops of a published sample overlap; it was said half a minute after Train."""
    scale = (2.0, 0.08, 0.08)
    viewer_model.add_image(_movies()[0], name="one", scale=scale, **SCALE)
    viewer_model.add_image(_overlapping_crops(), name="one GFP", scale=scale, **SCALE)
    widget = _dock(qtbot, viewer_model)
    widget.pairs.new_regions.click()
    layer = widget.shapes.value
    layer.add_rectangles([[0, 0], [31, 90]])
    widget.hold_out.kind.value = "region"
    layer.add_rectangles([[32, 0], [63, 90]])
    qtbot.wait_until(lambda: "the model would be judged on" in widget.status_label.text())
    text = widget.status_label.text()
    assert "Region 2 of 'one' in frame 0" in text or "egion 1 of 'one' in frame" in text
    assert "100% of the pixels" in text
    assert not widget.run_button.isEnabled()
    widget.hold_out.shared.click()  # on purpose
    assert widget.run_button.isEnabled()
    widget.hold_out.shared.click()
    qtbot.wait_until(lambda: not widget.run_button.isEnabled())
    layer.selected_data = {1}
    layer.remove_selected()
    layer.add_rectangles([[0, 60], [63, 90]])
    qtbot.wait_until(lambda: not widget.run_button.isEnabled())
    widget.hold_out.kind.value = "time"
    assert widget.run_button.isEnabled() is True


def test_regions_apart_stay_allowed_after_the_search(widget: TrainWidget, qtbot: Any) -> None:
    widget.pairs.new_regions.click()
    layer = widget.shapes.value
    layer.add_rectangles([[4, 4], [60, 40]])
    layer.add_rectangles([[4, 50], [60, 90]])
    states: list[Any] = []
    widget.shared_check._runner.state_changed.connect(lambda state: states.append(state.value))
    qtbot.wait_until(lambda: "done" in states)
    assert widget.run_button.isEnabled()
    assert widget.status_label.text() == "Ready to train."


@pytest.mark.parametrize(
    ("size_um", "said"),
    [(0.08, ""), (0.09, "the layer states 0.08"), (0.0805, "")],
)
def test_a_pixel_size_other_than_the_layers_is_said(
    widget: TrainWidget, size_um: float, said: str
) -> None:
    widget.pixel_size.setValue(size_um)
    shown = "Pixel size says" in widget.pairs.summary.text()
    assert shown == bool(said)
    assert said in widget.pairs.summary.text()


@pytest.mark.parametrize(("size_um", "is_said"), [(0.074, False), (0.07, True), (0.1, True)])
def test_a_pixel_size_other_than_the_models_is_said(
    qtbot: Any, viewer_model: Any, size_um: float, is_said: bool
) -> None:
    for name, data in zip(("one", "one GFP"), _movies(), strict=True):
        viewer_model.add_image(data, name=name, scale=(2.0, size_um, size_um), **SCALE)
    widget = _dock(qtbot, viewer_model)
    assert widget.start_from.card.pixel_size_um == 0.08
    assert ("was trained at 0.08 µm" in widget.pairs.summary.text()) == is_said
    widget.fine_tune.click()
    assert "was trained at" not in widget.pairs.summary.text()


def test_a_single_held_out_frame_is_the_last_frame(qtbot: Any, viewer_model: Any) -> None:
    for name, data in zip(("one", "one GFP"), _movies(4), strict=True):
        viewer_model.add_image(data, name=name, scale=(2.0, 0.08, 0.08), **SCALE)
    widget = _dock(qtbot, viewer_model)
    assert widget.pairs.summary.text().endswith("the last frame held out")


def test_planes_of_stacks_over_time_are_counted_as_planes(qtbot: Any, viewer_model: Any) -> None:
    geometry = {"scale": (2.0, 0.3, 0.08, 0.08), "axis_labels": ("t", "z", "y", "x")}
    for name, data in zip(("one", "one GFP"), _movies(12), strict=True):
        viewer_model.add_image(data.reshape(4, 3, 64, 96), name=name, **geometry)
    text = _dock(qtbot, viewer_model).pairs.summary.text()
    assert text.startswith("12 planes = 12 pairs")
    assert text.endswith("the last frame held out")
