"""Times, colours and enlargement of figures."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from napari.utils.colormaps import Colormap

from napari_virtualstain.plugin.figure.dock import FigureWidget
from napari_virtualstain.plugin.figure.overlays import clock_text, colour_of, time_text


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
