"""Splitting of channels: from the menu of napari, each channel where it lies."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from napari.layers import Image, Labels

from napari_virtualstain.plugin.layers.channels import (
    SPLIT,
    channels_of,
    has_channels,
    split_channels,
)

GEOMETRY = {
    "scale": (2.0, 1.0, 0.08, 0.08),
    "units": ("s", "pixel", "um", "um"),
    "axis_labels": ("t", "c", "y", "x"),
    "translate": (0, 0, 3, 4),
}


def _pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (5, 2, 16, 20)).astype(np.uint8)


def test_each_channel_has_its_pixels_its_axes_and_its_place() -> None:
    turned = np.eye(4)
    turned[2:, 2:] = [[0.8, -0.6], [0.6, 0.8]]
    sheared = np.eye(4)
    sheared[2, 3] = 0.5
    whole = Image(_pixels(), rotate=turned, shear=sheared, **GEOMETRY)
    made = channels_of(whole)
    assert len(made) == 2
    for index, channel in enumerate(made):
        np.testing.assert_array_equal(channel.data, whole.data[:, index])
        assert tuple(channel.axis_labels) == ("t", "y", "x")
        assert [str(unit) for unit in channel.units] == ["second", "micrometer", "micrometer"]
        expected = np.delete(whole.data_to_world((3, index, 7, 11)), 1)
        np.testing.assert_allclose(channel.data_to_world((3, 7, 11)), expected)


@pytest.mark.parametrize(
    ("layer", "is_offered"),
    [
        (Image(_pixels(), **GEOMETRY), True),
        (Image(np.zeros((2, 8, 9)), axis_labels=("c", "y", "x")), True),
        (Image(np.zeros((2, 8, 9)), axis_labels=("t", "y", "x")), False),
        (Image(np.zeros((2, 8, 9, 3), np.uint8), axis_labels=("c", "y", "x"), rgb=True), False),
        (Image([np.zeros((2, 8, 8)), np.zeros((2, 4, 4))], axis_labels=("c", "y", "x")), False),
        (Labels(np.zeros((2, 8, 9), int), axis_labels=("c", "y", "x")), False),
    ],
)
def test_images_in_grey_with_a_channel_axis_are_split(layer: Any, is_offered: bool) -> None:
    assert has_channels(layer) == is_offered


def test_the_chosen_layer_is_split_and_kept_hidden(viewer_model: Any) -> None:
    viewer_model.add_image(_pixels(), name="first", **GEOMETRY)
    viewer_model.add_image(_pixels(), name="second", **GEOMETRY)
    split_channels(viewer_model)
    names = [layer.name for layer in viewer_model.layers]
    assert names == ["first", "second", "second channel 0", "second channel 1"]
    assert [layer.visible for layer in viewer_model.layers] == [True, False, True, True]
    split_channels(viewer_model)  # a channel is chosen now: the next that is in view is split
    assert [layer.name for layer in viewer_model.layers][4:] == [
        "first channel 0",
        "first channel 1",
    ]


def test_without_channels_it_says_so(viewer_model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    module = "napari_virtualstain.plugin.layers.channels"
    monkeypatch.setattr(f"{module}.show_info", said.append)
    viewer_model.add_image(np.zeros((5, 16, 20)))
    # of single lines there are no images
    viewer_model.add_image(np.zeros((5, 20)), axis_labels=("c", "x"))
    split_channels(viewer_model)
    assert len(viewer_model.layers) == 2
    assert "No layer has channels" in said[0]


@pytest.mark.gui
def test_the_menu_that_the_docks_name_is_there_and_splits(
    make_napari_viewer: Any, qtbot: Any
) -> None:
    viewer = make_napari_viewer()
    viewer.add_image(_pixels(), name="movie", **GEOMETRY)
    _, dock = viewer.window.add_plugin_dock_widget("napari-virtualstain", "Virtual staining")
    assert SPLIT in dock.status_label.text()
    menu = viewer.window._qt_window.menuBar()
    for name in SPLIT.split(" > "):
        actions = menu.actions()
        [action] = [a for a in actions if a.text().replace("&", "").startswith(name)]
        menu = action.menu()
    action.trigger()
    qtbot.waitUntil(lambda: len(viewer.layers) == 3)
    assert dock.source.currentText() == "movie channel 0"
    assert dock.run_button.isEnabled()
