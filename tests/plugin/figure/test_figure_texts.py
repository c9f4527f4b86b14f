"""Times, colours and enlargement of figures."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from napari.utils.colormaps import Colormap

from napari_virtualstain.errors import InputError
from napari_virtualstain.plugin.figure.dock import FigureWidget
from napari_virtualstain.plugin.figure.overlays import (
    Annotations,
    annotated,
    clock_text,
    colour_of,
    overlay_of,
    shown_images,
    time_text,
)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (59.5, "59.5 s"),
        (60, "01:00 min"),
        (3599, "59:59 min"),
        (3600, "1:00:00 h"),
        (7322.4, "2:02:02 h"),
    ],
)
def test_times_are_seconds_minutes_or_hours(seconds: float, text: str) -> None:
    assert clock_text(seconds) == text


@pytest.mark.parametrize(
    ("brightest", "is_white"),
    [((0.5, 0.5, 0.5), True), ((0.5, 0.5, 0.508), True), ((0.5, 0.5, 0.512), False)],
)
def test_dimmed_greys_are_written_in_white(
    viewer_model: Any, brightest: tuple[float, float, float], is_white: bool
) -> None:
    colours = Colormap([[0, 0, 0, 1], [*brightest, 1]], name="made")
    layer = viewer_model.add_image(np.eye(4), colormap=colours)
    assert (colour_of(layer) == (1.0, 1.0, 1.0, 1.0)) == is_white
    if not is_white:
        assert colour_of(layer) == pytest.approx((*brightest, 1.0), abs=0.005)


@pytest.mark.parametrize(
    ("units", "step_s", "text"),
    [("s", 5.0, "15 s"), ("s", 30.0, "01:30 min"), ("", 1.0, "frame 3")],
)
def test_the_time_is_that_of_the_frame_from_the_first_on(
    viewer_model: Any, units: str, step_s: float, text: str
) -> None:
    scale = {"scale": (step_s, 0.1, 0.1), "translate": (20.0, 0, 0), "axis_labels": ("t", "y", "x")}
    if units:
        scale["units"] = (units, "um", "um")
    viewer_model.add_image(np.zeros((6, 8, 8)), **scale)
    viewer_model.dims.set_point(0, 20.0 + 3 * step_s)
    assert time_text(viewer_model) == text


def test_images_without_time_have_none(viewer_model: Any) -> None:
    viewer_model.add_image(np.zeros((8, 8)))
    assert time_text(viewer_model) == ""


@pytest.mark.parametrize(
    ("shape", "times"),
    [
        ((200, 500), 5),
        ((600, 400), 2),
        ((680, 680), 1),
        ((660, 900), 2),
        ((3000, 4000), 1),
        ((500, 900, 3), 2),  # a colour image
    ],
)
def test_figures_are_enlarged_to_about_a_thousand_pixels(
    qtbot: Any, viewer_model: Any, shape: tuple[int, ...], times: int
) -> None:
    dock = FigureWidget(viewer_model)
    qtbot.addWidget(dock)
    assert dock._scale() == 1
    viewer_model.add_image(np.zeros(shape))
    assert dock._scale() == times
    dock.magnification.setValue(3)
    assert dock._scale() == 3


def test_the_time_is_that_of_the_lowest_visible_movie(qtbot: Any, viewer_model: Any) -> None:
    deep = {"axis_labels": ("z", "t", "y", "x"), "scale": (1, 5, 1, 1)}
    units = {"units": ("pixel", "s", "pixel", "pixel")}
    viewer_model.add_labels(np.zeros((2, 4, 8, 8), int), **deep, **units)
    hidden = viewer_model.add_image(np.zeros((2, 4, 8, 8)), visible=False, **deep, **units)
    viewer_model.add_image(np.zeros((8, 8)))
    plain = viewer_model.add_image(np.zeros((4, 8, 8)), axis_labels=("t", "y", "x"))
    viewer_model.dims.set_point(1, 2)
    assert shown_images(viewer_model)[-1] is plain
    assert time_text(viewer_model) == "frame 2"
    dock = FigureWidget(viewer_model)
    qtbot.addWidget(dock)
    assert dock._time_axis() == 1
    hidden.visible = True
    viewer_model.dims.set_point(1, 10)
    assert time_text(viewer_model) == "10 s"
    hidden.visible = plain.visible = False
    with pytest.raises(InputError, match="No visible image has a time axis"):
        dock._time_axis()


def _looks(overlay: Any) -> list[Any]:
    names = ("visible", "position", "box", "box_color", "color", "text", "colored")
    known = [str(getattr(overlay, name, None)) for name in names]
    return [*known, float(overlay.font_size)]


@pytest.mark.parametrize("name", ["scale_bar", "time", "names"])
def test_only_the_ticked_annotations_are_drawn_and_all_is_put_back(
    viewer_model: Any, name: str
) -> None:
    layer = viewer_model.add_image(np.zeros((4, 8, 8)), axis_labels=("t", "y", "x"), colormap="red")
    hidden = viewer_model.add_image(np.zeros((4, 8, 8)), visible=False)
    viewer_model.dims.set_point(0, 3)
    overlays = {
        "scale_bar": overlay_of(viewer_model, "scale_bar"),
        "time": overlay_of(viewer_model, "text"),
        "names": layer.name_overlay,
    }
    overlays["scale_bar"].position = "top_left"  # as the user has it
    before = [_looks(overlay) for overlay in overlays.values()]
    ticked = {**dict.fromkeys(overlays, False), name: True}
    with pytest.raises(RuntimeError), annotated(viewer_model, Annotations(**ticked)):
        assert [key for key, overlay in overlays.items() if overlay.visible] == [name]
        assert overlays[name].box
        corners = {"scale_bar": "bottom_right", "time": "top_right", "names": "top_left"}
        assert overlays[name].position == corners[name]
        np.testing.assert_allclose(overlays[name].box_color, (0, 0, 0, 1))
        seen = (1, 0, 0, 1) if name == "names" else (1, 1, 1, 1)
        np.testing.assert_allclose(overlays[name].color, seen)
        assert overlays["time"].text == ("frame 3" if name == "time" else "")
        assert not hidden.name_overlay.visible
        raise RuntimeError("no picture")
    assert [_looks(overlay) for overlay in overlays.values()] == before


def test_images_without_a_time_are_drawn_without_one(viewer_model: Any) -> None:
    viewer_model.add_image(np.zeros((8, 8)))
    with annotated(viewer_model, Annotations()):
        assert not overlay_of(viewer_model, "text").visible
        assert overlay_of(viewer_model, "scale_bar").visible
        assert overlay_of(viewer_model, "scale_bar").colored


def test_why_no_figure_can_be_made_is_said(qtbot: Any, viewer_model: Any) -> None:
    dock = FigureWidget(viewer_model)
    qtbot.addWidget(dock)
    assert dock.status_label.text().startswith("Nothing is shown")
    assert dock.path_edit.text().endswith("figure.png")
    viewer_model.add_image(np.zeros((8, 8)))
    assert dock.status_label.text() == "Pictures need napari's window."
    assert all(box.isChecked() for box in (dock.scale_bar, dock.time, dock.names))
    assert (dock.what.value, dock.frames.value) == ("image", False)
