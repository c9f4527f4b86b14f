from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from napari.layers import Image, Shapes
from qtpy.QtWidgets import QWidget

from napari_virtualstain.engine import outward
from napari_virtualstain.errors import InputError
from napari_virtualstain.plugin.kit.controls import new_form
from napari_virtualstain.plugin.kit.layer_region import (
    bounding_box,
    frame_range,
    visible_frame,
    whole,
)
from napari_virtualstain.plugin.kit.region_choice import FRAME, RANGE, SHAPES, WHOLE, RegionChoice


@given(st.integers(1, 9), st.integers(1, 4), st.data())
def test_outward_visits_everything_once_and_never_comes_nearer_again(
    frames: int, planes: int, data: Any
) -> None:
    centre = (data.draw(st.integers(0, frames - 1)), data.draw(st.integers(0, planes - 1)))
    visited = list(outward((frames, planes), centre))
    assert sorted(visited) == sorted(np.ndindex(frames, planes))
    distances = [abs(t - centre[0]) + abs(z - centre[1]) for t, z in visited]
    assert distances == sorted(distances)
    assert visited[0] == centre


def test_outward_of_a_single_plane_is_that_plane() -> None:
    assert list(outward((), ())) == [()]


def test_the_visible_frame_follows_scale_and_translation(viewer_model: Any) -> None:
    layer = viewer_model.add_image(np.zeros((10, 6, 8)), scale=(2.5, 1, 1), translate=(5.0, 0, 0))
    viewer_model.dims.set_point(0, 5.0 + 2.5 * 7)
    assert visible_frame(viewer_model, layer).slices[0] == slice(7, 8)


@pytest.mark.parametrize(
    ("place", "frame"), [(0, 0), (2, 0), (3, 1), (4, 2), (9, 2)]
)  # frames 2, 3 and 4 of the longer movie
def test_beyond_its_ends_a_layer_shows_its_first_or_last_frame(
    viewer_model: Any, place: int, frame: int
) -> None:
    viewer_model.add_image(np.zeros((10, 6, 8)))
    layer = viewer_model.add_image(np.zeros((3, 6, 8)), translate=(2, 0, 0))
    viewer_model.dims.set_point(0, place)
    assert visible_frame(viewer_model, layer).slices[0] == slice(frame, frame + 1)


def test_a_frame_range_names_the_frames_that_exist() -> None:
    layer = Image(np.zeros((10, 6, 8)), name="movie")
    assert frame_range(layer, 2, 4).shape == (3, 6, 8)
    with pytest.raises(InputError, match="has frames 0 to 9"):
        frame_range(layer, 2, 10)
    with pytest.raises(InputError, match="no time axis"):
        frame_range(Image(np.zeros((6, 8))), 0, 0)


def test_shapes_in_micrometres_select_the_right_pixels() -> None:
    layer = Image(np.zeros((4, 60, 80)), scale=(2, 0.1, 0.1), translate=(0, 1, 2))
    world = np.array([[0, 2.0, 3.0], [0, 2.0, 4.0], [0, 3.0, 4.0], [0, 3.0, 3.0]])
    for shapes in (
        Shapes([world]),
        Shapes(
            [np.array([layer.world_to_data(point) for point in world])],
            scale=layer.scale,
            translate=layer.translate,
        ),
        Shapes([world[:, 1:]]),
    ):
        region = bounding_box(layer, shapes)
        assert region.slices == (slice(0, 4), slice(10, 21), slice(10, 21))


def test_shapes_beside_the_image_and_none_at_all_are_explained() -> None:
    layer = Image(np.zeros((60, 80)))
    beside = Shapes([np.array([[100.0, 100], [100, 110], [110, 110], [110, 100]])])
    with pytest.raises(InputError, match="outside the image"):
        bounding_box(layer, beside)
    with pytest.raises(InputError, match="is empty"):
        bounding_box(layer, Shapes(ndim=2))


def test_the_whole_is_everything() -> None:
    assert whole((4, 5)).shape == (4, 5)
    assert whole((4, 5)).offset == (0, 0)


def test_each_kind_of_region_has_its_rows_and_its_pixels(qtbot: Any, viewer_model: Any) -> None:
    body = QWidget()
    body.setLayout(new_form())
    qtbot.addWidget(body)
    layer = viewer_model.add_image(np.zeros((10, 60, 80)), name="movie")
    viewer_model.dims.set_point(0, 4)
    choice = RegionChoice(viewer_model, body.layout())
    choice.follow(layer)
    choice.first.setValue(2)
    choice.last.setValue(5)
    body.show()
    expected = {
        WHOLE: (False, False, slice(0, 10)),
        FRAME: (False, False, slice(4, 5)),
        RANGE: (True, False, slice(2, 6)),
    }
    for kind, (frames, shapes, times) in expected.items():
        choice.kind.value = kind
        assert (choice.first.isVisible(), choice.shapes.isVisible()) == (frames, shapes)
        assert choice.region_of(layer).slices == (times, slice(0, 60), slice(0, 80))
        assert choice.why_not() is None
    choice.kind.value = SHAPES
    assert (choice.first.isVisible(), choice.shapes.isVisible()) == (False, True)
    assert choice.shapes.currentText() == "draw a Shapes layer"
    with pytest.raises(InputError, match="Draw a rectangle"):
        choice.region_of(layer)
    box = np.array([[0.0, 10, 20], [0, 10, 30], [0, 25, 30], [0, 25, 20]])
    viewer_model.add_shapes([box])
    choice.shapes.refresh()
    assert choice.why_not() is None
    assert choice.region_of(layer).slices == (slice(0, 10), slice(10, 26), slice(20, 31))
    choice.follow(None)
    assert (choice.first.maximum(), choice.last.maximum()) == (0, 0)
    body.hide()
