"""Colours of a layer on the pixels of another one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from napari.layers import Image
from napari.utils.colormaps import ensure_colormap

from napari_virtualstain.plugin.layers.visible_colours import rendered, shown_index

WHERE = {"axis_labels": ("t", "y", "x")}


def _grey(viewer: Any, data: Any, **more: Any) -> Any:
    return viewer.add_image(np.asarray(data, float), colormap="gray", **{**WHERE, **more})


@pytest.mark.parametrize(
    ("gamma", "shown"), [(1.0, [0, 0, 127, 255, 255]), (2.0, [0, 0, 63, 255, 255])]
)
def test_grey_levels_lie_between_the_limits(
    viewer_model: Any, gamma: float, shown: list[int]
) -> None:
    layer = _grey(viewer_model, [[[0, 10, 15, 20, 99]]], contrast_limits=(10, 20), gamma=gamma)
    picture = rendered(viewer_model, layer, layer)
    assert picture.shape == (1, 5, 3)
    assert picture[0, :, 1].tolist() == shown


def test_missing_pixels_are_black(viewer_model: Any) -> None:
    layer = _grey(viewer_model, [[[np.nan, 20]]], contrast_limits=(10, 20))
    assert rendered(viewer_model, layer, layer)[0, :, 0].tolist() == [0, 255]


def test_a_layer_without_the_frame_on_show_is_black(viewer_model: Any) -> None:
    longer = _grey(viewer_model, np.ones((5, 2, 3)), contrast_limits=(0, 1))
    shorter = _grey(viewer_model, np.ones((2, 2, 3)), contrast_limits=(0, 1), translate=(1, 0, 0))
    seen = []
    for frame in range(5):
        viewer_model.dims.set_point(0, frame)
        seen.append(bool(rendered(viewer_model, shorter, longer).any()))
        assert rendered(viewer_model, longer, longer).all()
    assert seen == [False, True, True, False, False]
    viewer_model.dims.set_point(0, 2)
    assert shown_index(viewer_model, shorter) == (1,)


def test_pixels_are_taken_where_they_lie_and_none_beside(viewer_model: Any) -> None:
    large = _grey(viewer_model, np.zeros((1, 4, 6)), contrast_limits=(0, 255))
    part = _grey(
        viewer_model,
        np.arange(10, 130, 20).reshape(1, 2, 3),
        contrast_limits=(0, 255),
        translate=(0, 1, 2),
    )
    expected = np.zeros((4, 6), int)
    expected[1:3, 2:5] = np.arange(10, 130, 20).reshape(2, 3)
    np.testing.assert_array_equal(rendered(viewer_model, part, large)[..., 0], expected)
    coarse = Image(part.data, scale=(1, 2, 2), contrast_limits=(0, 255), colormap="gray", **WHERE)
    finer = rendered(viewer_model, coarse, large)[..., 0]
    assert finer[0].tolist() == [10, 10, 30, 50, 50, 50]
    assert finer[:, 0].tolist() == [10, 10, 70, 0]


def test_a_layer_with_more_axes_than_the_viewer_shows_its_first_frame(viewer_model: Any) -> None:
    viewer_model.add_image(np.zeros((4, 6)))
    deep = Image(np.zeros((3, 4, 6)), **WHERE)
    assert shown_index(viewer_model, deep) == (0,)
    flat = viewer_model.add_image(np.zeros((4, 6)))
    assert shown_index(viewer_model, flat) == ()


def test_another_colormap_may_be_asked_for(viewer_model: Any) -> None:
    layer = _grey(viewer_model, [[[0, 20]]], contrast_limits=(0, 20))
    green = ensure_colormap("green")
    assert rendered(viewer_model, layer, layer, green)[0, 1].tolist() == [0, 255, 0]
    assert rendered(viewer_model, layer, layer)[0, 1].tolist() == [255, 255, 255]
