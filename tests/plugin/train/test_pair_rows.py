"""Rows of pairs and their buttons: what each of them does to layers, regions and roles."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from qtpy.QtWidgets import QComboBox

from napari_virtualstain.plugin.train.dock import TrainWidget
from napari_virtualstain.plugin.train.drawn_regions import HELD_OUT, TRAIN, roles_of

from .conftest import SCALE, add_pair, draw_regions, open_dock, smooth_pair


@pytest.fixture
def widget(qtbot: Any, viewer_model: Any) -> TrainWidget:
    add_pair(viewer_model, smooth_pair())
    return open_dock(qtbot, viewer_model)


def _add_second(widget: TrainWidget, frames: int = 8) -> None:
    for image, name in zip(smooth_pair(), ("bf 2", "GFP 2"), strict=True):
        widget.viewer.add_image(image[:frames] + 1, name=name, **SCALE)
    widget.pairs.add_button.click()


def test_rows_are_numbered_and_the_last_can_be_removed_but_not_the_first(
    widget: TrainWidget,
) -> None:
    pairs = widget.pairs
    assert pairs.remove_button.isHidden()
    pairs.remove()
    assert len(pairs.rows) == 1
    _add_second(widget)
    assert not pairs.remove_button.isHidden()
    names = {box.objectName() for box in widget.findChildren(QComboBox)}
    assert {"bright_field", "fluorescence_2", "shapes_2"} <= names
    assert "bright_field_1" not in names
    pairs.remove_button.click()
    assert len(pairs.rows) == 1
    assert pairs.remove_button.isHidden()


def test_a_row_that_lacks_a_layer_is_named_where_there_are_several(widget: TrainWidget) -> None:
    widget.fluorescence.setCurrentText("none")
    assert widget.status_label.text().startswith("Two layers are needed")
    widget.fluorescence.setCurrentText("GFP")
    _add_second(widget)
    widget.pairs.rows[1].fluorescence.setCurrentText("none")
    assert widget.status_label.text().startswith("Pair 2: Two layers are needed")
    widget.pairs.rows[1].fluorescence.setCurrentText("GFP")
    assert "'GFP' is in two pairs. Choose other layers for pair 2" in widget.status_label.text()
    widget.pairs.rows[1].fluorescence.setCurrentText("GFP 2")
    assert widget.run_button.isEnabled(), widget.status_label.text()


def test_pairs_of_one_name_are_told_apart(widget: TrainWidget) -> None:
    _add_second(widget)
    made = widget.viewer.layers["bf 2"]
    made.name = "bf [fluorescence]"  # that of a saved stain
    widget.pairs.changed.emit()
    assert [source.name for source in widget.pairs.sources()] == ["bf", "bf (2)"]


def test_a_proposal_stays_when_other_layers_come_and_follows_when_its_layer_goes(
    widget: TrainWidget,
) -> None:
    layers = widget.viewer.layers
    widget.viewer.add_image(smooth_pair()[0], name="new bright-field", **SCALE)
    widget.viewer.add_image(smooth_pair()[1], name="new fluorescence", **SCALE)
    assert (widget.bright_field.currentText(), widget.fluorescence.currentText()) == ("bf", "GFP")
    layers.remove("GFP")
    assert widget.fluorescence.currentText() == "new fluorescence"
    layers.remove("bf")
    assert widget.bright_field.currentText() == "new bright-field"


def test_buttons_give_the_selected_regions_their_role(widget: TrainWidget) -> None:
    pairs, said = widget.pairs, widget.status_label.text
    assert not pairs.train_button.isEnabled()
    assert not pairs.hold_button.isEnabled()
    pairs.new_regions.click()
    assert said().startswith("Draw rectangles on the image")
    assert not pairs.hold_button.isEnabled()  # nothing is drawn
    widget.shapes.value.add_rectangles([[2, 2], [60, 30]])
    assert pairs.hold_button.isEnabled()
    assert pairs.train_button.isEnabled()
    layer = widget.shapes.value
    layer.add_rectangles([[2, 32], [60, 60]])
    layer.add_rectangles([[2, 62], [60, 90]])
    layer.selected_data = set()
    pairs.give(HELD_OUT)
    assert roles_of(layer) == [TRAIN] * 3
    layer.selected_data = {0, 2}
    said_before: list[str] = []
    widget.pairs._say = said_before.append
    pairs.hold_button.click()
    assert said_before == ["2 regions: held out."]
    assert roles_of(layer) == [HELD_OUT, TRAIN, HELD_OUT]
    layer.selected_data = {2}
    pairs.train_button.click()
    assert said_before[-1] == "1 region: train."
    assert roles_of(layer) == [HELD_OUT, TRAIN, TRAIN]
    layer.selected_data = set()
    pairs.train_button.click()
    assert said_before[-1].startswith("Select regions in the viewer first")


def test_regions_of_the_second_pair_can_be_marked_and_are_drawn_on_its_bright_field(
    widget: TrainWidget,
) -> None:
    _add_second(widget)
    assert widget.hold_out.by == "pair"
    widget.pairs.new_regions.click()
    second = widget.pairs.rows[1].shapes.value
    assert second.name == "regions · bf 2 [regions]"
    assert widget.shapes.value is None
    second.add_rectangles([[2, 2], [60, 30]])
    second.add_rectangles([[2, 40], [60, 90]])
    assert widget.pairs.hold_button.isEnabled()
    assert widget.hold_out.by == "pair"
    second.selected_data = {0}
    widget.pairs.hold_button.click()
    assert roles_of(second) == [HELD_OUT, TRAIN]
    # who marks a region wants regions to judge
    assert widget.hold_out.by == "region"
    assert "region 1 of bf 2 held out" in widget.pairs.summary.text()


def test_without_a_bright_field_nothing_can_be_drawn(qtbot: Any, viewer_model: Any) -> None:
    dock = TrainWidget(viewer_model)
    qtbot.addWidget(dock)
    said: list[str] = []
    dock.pairs._say = said.append
    dock.pairs.new_regions.click()
    assert said == ["Choose the bright-field first; regions are drawn on it."]
    assert len(viewer_model.layers) == 0


def test_simulated_pairs_need_one_row_and_no_regions(widget: TrainWidget) -> None:
    _add_second(widget)
    pairs = widget.pairs
    pairs.simulate_box.click()
    assert len(pairs.rows) == 1
    hidden = (pairs.add_button, pairs.new_regions, pairs.each_frame, widget.fluorescence)
    assert not any(one.isVisibleTo(widget) for one in hidden)
    assert widget.registration_section.isHidden()
    pairs.simulate_box.click()
    assert len(pairs.rows) == 1
    assert all(one.isVisibleTo(widget) for one in hidden)
    assert not widget.registration_section.isHidden()


def test_frames_in_turn_are_as_many_as_the_shortest_pair_has(widget: TrainWidget) -> None:
    _add_second(widget, frames=5)
    widget.hold_out.kind.value = "time in turn"
    widget.hold_out.count.setValue(7)
    assert "Cross-validation: 5 models are judged" in widget.hold_out._meaning.text()
    widget.steps.setValue(60)
    assert "6 trainings of 60 steps" in widget.hold_out._meaning.text()
    widget.steps.setValue(0)
    widget.effort.minutes.setValue(3)
    assert "6 trainings of at most 3 min" in widget.hold_out._meaning.text()
    widget.effort.minutes.setValue(0)
    assert "as many steps as the data is worth" in widget.hold_out._meaning.text()


def test_shapes_that_were_let_go_change_nothing(widget: TrainWidget) -> None:
    layer = draw_regions(widget)
    assert "2 regions" in widget.pairs.summary.text()
    widget.shapes.setCurrentText("none")
    heard: list[int] = []
    widget.pairs.changed.connect(lambda: heard.append(1))
    layer.add_rectangles([[2, 2], [40, 40]])
    assert heard == []
    assert "whole images" in widget.pairs.summary.text()


def test_regions_of_one_frame_are_drawn_in_a_layer_with_frames(widget: TrainWidget) -> None:
    widget.pairs.new_regions.click()
    assert widget.shapes.value.ndim == 2
    widget.pairs.each_frame.setChecked(True)
    widget.pairs.new_regions.click()
    layer = widget.shapes.value
    assert layer.ndim == 3
    np.testing.assert_allclose(layer.scale, widget.bright_field.value.scale)
