"""Common frames and pixels of two layers, on both sides of each tolerance."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from napari.layers import Image

from napari_virtualstain.errors import InputError
from napari_virtualstain.plugin.evaluate.common_part import CommonPart, common_part


def _layer(
    shape: tuple[int, ...] = (4, 6, 8),
    scale: tuple[float, ...] = (2.0, 0.1, 0.1),
    translate: tuple[float, ...] = (0.0, 0.0, 0.0),
) -> Any:
    data = np.arange(np.prod(shape)).reshape(shape)
    axes = "tyx"[-len(shape) :]
    return Image(data, scale=scale, translate=translate, axis_labels=tuple(axes), name="layer")


def _values(part: CommonPart, first: Any, second: Any) -> tuple[np.ndarray, np.ndarray]:
    return part.of_first(first.data), part.of_second(second.data)


def test_equal_layers_have_all_in_common() -> None:
    part = common_part(_layer(), _layer())
    assert part.is_whole
    assert (part.axes, part.frames, part.times) == ("tyx", (0, 1, 2, 3), (0.0, 2.0, 4.0, 6.0))


def test_without_time_there_are_no_frames() -> None:
    first = _layer((6, 8), (0.1, 0.1), (0.0, 0.0))
    part = common_part(first, first)
    assert part.is_whole
    assert (part.axes, part.frames, part.times) == ("yx", (), ())


@pytest.mark.parametrize("shift", [2, -2])
def test_a_region_is_compared_where_it_lies(shift: int) -> None:
    first = _layer()
    second = _layer((4, 6, 5), translate=(0.0, 0.0, 0.1 * shift))
    part = common_part(first, second)
    one, other = _values(part, first, second)
    if shift > 0:
        np.testing.assert_array_equal(one, first.data[:, :, 2:7])
        np.testing.assert_array_equal(other, second.data)
    else:
        np.testing.assert_array_equal(one, first.data[:, :, :3])
        np.testing.assert_array_equal(other, second.data[:, :, 2:])
    assert not part.is_whole


def test_regions_of_equal_size_at_other_places_are_not_whole() -> None:
    assert not common_part(_layer(), _layer(translate=(0.0, 0.1, 0.0))).is_whole


@pytest.mark.parametrize(("shift", "fits"), [(7, True), (8, False), (-4, True), (-5, False)])
def test_one_common_column_suffices(shift: int, fits: bool) -> None:
    first, second = _layer(), _layer((4, 6, 5), translate=(0.0, 0.0, 0.1 * shift))
    if fits:
        assert common_part(first, second).of_first(first.data).shape == (4, 6, 1)
    else:
        with pytest.raises(InputError, match="lie beside each other along x"):
            common_part(first, second)


@pytest.mark.parametrize(("pixels", "fits"), [(0.28, True), (0.32, False), (-0.32, False)])
def test_places_may_differ_by_three_tenths_of_a_pixel(pixels: float, fits: bool) -> None:
    second = _layer((4, 5, 8), translate=(0.0, 0.1 * pixels, 0.0))
    if fits:
        assert common_part(_layer(), second).first[1] == slice(0, 5)
    else:
        with pytest.raises(InputError, match=f"displaced by {pixels:.2f} pixels along y"):
            common_part(_layer(), second)


@pytest.mark.parametrize(("size", "fits"), [(1.009, True), (1.011, False), (0.989, False)])
def test_pixel_sizes_may_differ_by_a_hundredth(size: float, fits: bool) -> None:
    second = _layer((4, 5, 8), scale=(2.0, 0.1 * size, 0.1))
    if fits:
        common_part(_layer(), second)
    else:
        with pytest.raises(InputError, match="unlike pixel sizes along y"):
            common_part(_layer(), second)


def test_layers_of_one_shape_go_together_though_one_states_no_scale() -> None:
    part = common_part(_layer(), _layer(scale=(1.0, 1.0, 1.0)))
    assert part.is_whole
    assert part.times == (0.0, 2.0, 4.0, 6.0)


def test_sparse_fluorescence_is_compared_with_the_frames_of_its_times() -> None:
    first, second = _layer((9, 6, 8)), _layer((2, 6, 8), scale=(8.0, 0.1, 0.1))
    part = common_part(first, second)
    assert (part.frames, part.times) == ((0, 4), (0.0, 8.0))
    one, other = _values(part, first, second)
    np.testing.assert_array_equal(one, first.data[[0, 4]])
    np.testing.assert_array_equal(other, second.data)


@pytest.mark.parametrize(("start_s", "frames"), [(6.9, (3,)), (7.1, None), (-0.9, (0,))])
def test_a_frame_counts_within_half_an_interval(
    start_s: float, frames: tuple[int, ...] | None
) -> None:
    second = _layer((1, 6, 8), translate=(start_s, 0.0, 0.0))
    if frames is None:
        with pytest.raises(InputError, match="no frame of the same time"):
            common_part(_layer(), second)
    else:
        assert common_part(_layer(), second).frames == frames


def test_movies_that_begin_later_share_their_later_frames() -> None:
    part = common_part(_layer(), _layer(translate=(4.0, 0.0, 0.0)))
    assert part.frames == (2, 3)
    assert part.second[0].tolist() == [0, 1]
    assert part.times == (4.0, 6.0)
    assert not part.is_whole


def test_planes_of_a_part_are_counted_through_depth_then_time() -> None:
    first = Image(np.zeros((9, 3, 6, 8)), scale=(2, 1, 1, 1), axis_labels=tuple("tzyx"))
    second = Image(
        np.zeros((2, 2, 6, 8)),
        scale=(8, 1, 1, 1),
        translate=(0, 1, 0, 0),
        axis_labels=tuple("tzyx"),
    )
    part = common_part(first, second)
    places = [part.plane_of_first(first.data, place) for place in range(4)]
    assert places == [(0, 1), (0, 2), (4, 1), (4, 2)]
    flat = _layer((6, 8), (0.1, 0.1), (0.0, 0.0))
    assert common_part(flat, flat).plane_of_first(flat.data, 0) == ()


def test_unlike_axes_are_refused() -> None:
    with pytest.raises(InputError, match="unlike axes, tyx and yx"):
        common_part(_layer(), _layer((6, 8), (0.1, 0.1), (0.0, 0.0)))
