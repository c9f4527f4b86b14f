from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari.layers import Image
from qtpy.QtCore import Qt

from napari_virtualstain.plugin.layers.colours import dim
from napari_virtualstain.plugin.layers.description import provenance
from napari_virtualstain.plugin.stain.dock import StainWidget

SCALE = {"scale": (2.0, 0.1, 0.1), "units": ("s", "um", "um"), "axis_labels": ("t", "y", "x")}
NAME = "comparison"


@pytest.fixture(autouse=True)
def _no_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIRTUALSTAIN_MODELS", str(tmp_path / "models"))


def _movie(value: float) -> np.ndarray:
    return np.full((3, 20, 40), value)


@pytest.fixture
def viewer(viewer_model: Any) -> Any:
    """Return a viewer with a bright-field of 0.5, a stain of 1 and an outline."""
    limits = {"contrast_limits": (0, 1)}
    viewer_model.add_image(_movie(0.5), name="cell", **limits, **SCALE)
    viewer_model.add_image(
        _movie(1),
        name="stained · cell [fluorescence]",
        colormap="green",
        blending="additive",
        metadata=provenance("stain", "cell", kind="fluorescence"),
        **limits,
        **SCALE,
    )
    viewer_model.add_labels(_movie(0).astype(int), name="outlines", **SCALE)
    dim(viewer_model.layers["cell"])
    return viewer_model


@pytest.fixture
def widget(qtbot: Any, viewer: Any) -> StainWidget:
    made = StainWidget(viewer)
    qtbot.addWidget(made)
    made.source.value = viewer.layers["cell"]
    return made


def _add_true(widget: StainWidget, **changes: Any) -> Any:
    settings = {
        "name": "cell mCherry",
        "colormap": "magenta",
        "contrast_limits": (0, 1),
        "visible": False,
        **SCALE,
        **changes,
    }
    data = settings.pop("data", _movie(1))
    return widget.viewer.add_image(data, **settings)


def _ends(widget: StainWidget) -> list[str]:
    return [label.text() for label in widget.compare.labels if not label.isHidden()]


def _seen(widget: StainWidget) -> list[str]:
    layers = widget.viewer.layers
    return [layer.name for layer in layers if isinstance(layer, Image) and layer.visible]


def test_each_end_is_named_after_the_image_that_it_shows(widget: StainWidget) -> None:
    slider = widget.compare.slider
    assert _ends(widget) == ["bright-field", "virtual"]
    slider.setValue(slider.maximum())
    assert _seen(widget) == ["stained · cell [fluorescence]"]
    _add_true(widget)
    assert widget.true_layer.currentText() == "cell mCherry"
    assert _ends(widget) == ["bright-field", "virtual", "true"]
    slider.setValue(slider.maximum())
    assert _seen(widget) == ["cell mCherry"]
    widget.true_layer.setCurrentText("none")
    assert _ends(widget) == ["bright-field", "virtual"]
    assert slider.value() == slider.maximum()
    assert _seen(widget) == ["stained · cell [fluorescence]"]
    slider.setValue(0)
    assert _seen(widget) == ["cell"]


def test_names_stand_at_the_ends_of_the_slider_and_between_them(widget: StainWidget) -> None:
    def sides() -> list[str]:
        names = ("Left", "HCenter", "Right")
        shown = [label for label in widget.compare.labels if not label.isHidden()]
        return [n for label in shown for n in names if label.alignment() & _SIDES[n]]

    assert sides() == ["Left", "Right"]
    _add_true(widget)
    assert sides() == ["Left", "HCenter", "Right"]


_SIDES = {side: getattr(Qt.AlignmentFlag, f"Align{side}") for side in ("Left", "HCenter", "Right")}


def test_the_true_layer_counts_as_soon_as_it_is_chosen(widget: StainWidget) -> None:
    _add_true(widget, name="other")
    assert _ends(widget) == ["bright-field", "virtual"]
    widget.true_layer.setCurrentText("other")
    assert _ends(widget) == ["bright-field", "virtual", "true"]
    widget.compare.slider.setValue(widget.compare.slider.maximum())
    assert _seen(widget) == ["other"]


@pytest.mark.parametrize(("value", "columns"), [(25, 10), (50, 20), (75, 30)])
def test_a_swipe_shows_the_two_images_left_and_right_of_a_column(
    widget: StainWidget, value: int, columns: int
) -> None:
    _add_true(widget)
    widget.compare.slider.setValue(100 + value)
    assert _seen(widget) == [NAME]
    picture = widget.viewer.layers[NAME].data
    assert (picture[:, :columns] == (255, 0, 255)).all()  # true, magenta
    assert (picture[:, columns:] == (0, 255, 0)).all()  # virtual, green
    widget.compare.slider.setValue(value)
    picture = widget.viewer.layers[NAME].data
    assert (picture[:, :columns] == (0, 255, 0)).all()
    # bright-field as bright as it is without a stain on it
    np.testing.assert_allclose(picture[:, columns:].astype(float), 127.5, atol=1)


def test_images_of_other_places_times_and_pixels_are_compared_where_they_lie(
    widget: StainWidget,
) -> None:
    """True fluorescence of the right half only, with pixels of twice the size, of one frame."""
    _add_true(
        widget,
        data=np.ones((1, 10, 10)),
        scale=(2.0, 0.2, 0.2),
        translate=(4.0, 0.05, 2.05),
    )
    widget.true_layer.setCurrentText("cell mCherry")
    widget.viewer.dims.set_point(0, 4.0)
    widget.compare.slider.setValue(199)
    picture = widget.viewer.layers[NAME].data
    assert not picture[:, :20].any()
    assert (picture[:, 20:39] == (255, 0, 255)).all()
    widget.viewer.dims.set_point(0, 0.0)
    widget.compare.follow()
    assert not widget.viewer.layers[NAME].data[:, :39].any()  # not a frame of another time


def test_moving_in_time_moves_the_picture_too(widget: StainWidget, qtbot: Any) -> None:
    movie = _movie(0)
    movie[2] = 1
    widget.viewer.layers["stained · cell [fluorescence]"].data = movie
    widget.viewer.dims.set_point(0, 0.0)
    widget.compare.slider.setValue(50)
    picture = widget.viewer.layers[NAME]
    assert not picture.data[:, :20].any()
    widget.viewer.dims.set_point(0, 4.0)
    qtbot.waitUntil(lambda: (picture.data[:, :20] == (0, 255, 0)).all(), timeout=2000)


def test_the_picture_of_the_comparison_is_listed_in_no_dock(widget: StainWidget) -> None:
    widget.compare.slider.setValue(50)
    assert NAME in widget.viewer.layers
    for choice in (widget.source, widget.true_layer):
        texts = [choice.itemText(place) for place in range(choice.count())]
        assert not any(NAME in text for text in texts), texts


@pytest.mark.parametrize("value", [0, 40, 100, 150, 200])
def test_no_layer_stays_invisible_after_a_comparison(widget: StainWidget, value: int) -> None:
    _add_true(widget)
    before = [(layer.name, layer.visible, layer.opacity) for layer in widget.viewer.layers]
    colours = widget.viewer.layers["cell"].colormap.name
    assert not widget.compare.back_button.isEnabled()
    widget.compare.slider.setValue(200 - value or 1)
    widget.compare.slider.setValue(value)
    widget.compare.back_button.click()
    after = [
        (layer.name, layer.visible, layer.opacity)
        for layer in widget.viewer.layers
        if layer.name != NAME
    ]
    assert after == before
    assert widget.viewer.layers["cell"].colormap.name == colours
    assert _seen(widget) == ["cell", "stained · cell [fluorescence]"]


def test_a_removed_dock_leaves_the_layers_as_they_were(viewer: Any) -> None:
    dock = StainWidget(viewer)  # deletes itself when it is removed
    dock.source.value = viewer.layers["cell"]
    dock.compare.slider.setValue(100)
    assert not viewer.layers["cell"].visible
    dock.tear_down()
    assert viewer.layers["cell"].visible


def test_blinking_shows_virtual_and_true_in_turn(widget: StainWidget, qtbot: Any) -> None:
    _add_true(widget)
    widget.compare.blink_button.click()
    assert _seen(widget) == ["cell mCherry"]
    qtbot.waitUntil(lambda: _seen(widget) == ["stained · cell [fluorescence]"], timeout=3000)
    qtbot.waitUntil(lambda: _seen(widget) == ["cell mCherry"], timeout=3000)
    widget.compare.back_button.click()
    assert not widget.compare.blink_button.isChecked()
    qtbot.wait(800)
    assert _seen(widget) == ["cell", "stained · cell [fluorescence]"]


def test_outlines_stay_above_the_picture_and_the_choice_of_layer_too(widget: StainWidget) -> None:
    layers = widget.viewer.layers
    layers.selection.active = layers["outlines"]
    widget.compare.slider.setValue(30)
    assert layers.index(NAME) == layers.index("outlines") - 1
    assert layers.selection.active is layers["outlines"]
    assert layers["outlines"].visible


def test_there_is_nothing_to_compare_before_staining(qtbot: Any, viewer_model: Any) -> None:
    viewer_model.add_image(_movie(1), name="cell", **SCALE)
    made = StainWidget(viewer_model)
    qtbot.addWidget(made)
    assert not made.compare.slider.isEnabled()
    assert not made.compare.blink_button.isEnabled()
    assert _ends(made) == ["bright-field"]


def test_deleting_the_picture_ends_the_comparison(widget: StainWidget) -> None:
    widget.compare.slider.setValue(50)
    assert _seen(widget) == [NAME]
    widget.viewer.layers.remove(widget.viewer.layers[NAME])
    assert not widget.compare.is_comparing
    assert widget.compare.slider.value() == 0
    assert _seen(widget) == ["cell", "stained · cell [fluorescence]"]
    widget.compare.slider.setValue(50)
    assert _seen(widget) == [NAME]


@pytest.mark.parametrize("first", [0, -1])
def test_nothing_is_left_of_a_comparison_whose_layers_are_all_deleted(
    widget: StainWidget, qtbot: Any, first: int
) -> None:
    _add_true(widget)
    widget.compare.slider.setValue(50)
    layers = widget.viewer.layers
    while layers:
        layers.remove(layers[first])
    qtbot.wait(100)
    assert list(layers) == []


def test_the_picture_lies_where_the_bright_field_lies(widget: StainWidget) -> None:
    """Of another movie with as many pixels, other pixel sizes and another place."""
    widget.compare.slider.setValue(50)
    other = {"scale": (2.0, 0.3, 0.3), "translate": (0.0, 5.0, 7.0), "contrast_limits": (0, 1)}
    names = ("dish", "stained · dish [fluorescence]")
    for name, step in zip(
        names, (None, provenance("stain", "dish", kind="fluorescence")), strict=True
    ):
        widget.viewer.add_image(_movie(1), name=name, metadata=step, **{**SCALE, **other})
    widget.source.value = widget.viewer.layers["dish"]
    widget.compare.slider.setValue(51)
    picture = widget.viewer.layers[NAME]
    assert tuple(picture.scale) == (0.3, 0.3)
    assert tuple(picture.translate) == (5.0, 7.0)
