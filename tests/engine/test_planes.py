"""Planes of an image and their neighbours: places against numpy, reading against slices."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest

from napari_virtualstain.engine.planes import Planes, outward, planes_of
from napari_virtualstain.models import Inputs

STACK = np.arange(2 * 4 * 3 * 5).reshape(2, 4, 3, 5)


@pytest.mark.parametrize("index", range(8))
def test_numbers_are_flat_indices_over_all_but_y_and_x(index: int) -> None:
    planes = Planes(STACK, "tzyx")
    assert len(planes) == 8
    assert planes.plane_shape == (3, 5)
    assert planes.place(index) == np.unravel_index(index, (2, 4))
    assert planes.number(planes.place(index)) == index
    np.testing.assert_array_equal(planes.plane(index), STACK.reshape(8, 3, 5)[index])


@pytest.mark.parametrize("is_lazy", [False, True])
@pytest.mark.parametrize(
    ("axes", "inputs", "index", "expected"),
    [
        ("tzyx", Inputs(planes=3, axis="z"), 0, [0, 0, 1]),
        ("tzyx", Inputs(planes=3, axis="z"), 3, [2, 3, 3]),
        ("tzyx", Inputs(planes=3, axis="z"), 4, [4, 4, 5]),
        ("tzyx", Inputs(planes=3, axis="t"), 1, [1, 1, 5]),
        ("tzyx", Inputs(planes=3, axis="z", step=2), 6, [4, 6, 7]),
        ("tzyx", Inputs(), 6, [6]),
        ("tcyx", Inputs(planes=3, axis="z"), 5, [5, 5, 5]),
    ],
)
def test_neighbours_lie_along_the_axis_that_the_model_reads(
    axes: str, inputs: Inputs, index: int, expected: list[int], is_lazy: bool
) -> None:
    array = da.from_array(STACK, chunks=(1, 1, 3, 5)) if is_lazy else STACK
    planes = Planes(array, axes, inputs)
    assert planes.neighbours(index) == expected
    np.testing.assert_array_equal(planes.read(index), STACK.reshape(8, 3, 5)[expected])
    np.testing.assert_array_equal(planes.in_memory(), STACK)


def test_chosen_frames_keep_their_neighbours_of_the_movie() -> None:
    inputs = Inputs(planes=3, axis="t")
    movie = Planes(np.arange(6)[:, None, None] * np.ones((6, 2, 2)), "tyx", inputs)
    chosen = Planes(movie.array[[1, 4]], "tyx", inputs, whole=movie, frames=(1, 4))
    assert chosen.read(1)[:, 0, 0].tolist() == [3, 4, 5]
    assert [plane[0, 0] for plane in chosen.sample(3)] == [plane[0, 0] for plane in movie.sample(3)]


def test_a_single_image_has_one_plane() -> None:
    planes = Planes(STACK[0, 0], "yx")
    assert (len(planes), planes.number(()), planes.place(0)) == (1, 0, ())


def test_the_axis_is_taken_only_where_nobody_named_it() -> None:
    inputs = Inputs(planes=3, axis="z")
    assert planes_of(STACK[0], "tyx", inputs, assumed=True).axes == "zyx"
    with pytest.warns(UserWarning, match="stands in for its neighbours"):
        assert planes_of(STACK[0], "tyx", inputs, assumed=False).axes == "tyx"
    with pytest.warns(UserWarning, match="stands in for its neighbours"):
        assert planes_of(STACK, "tcyx", inputs, assumed=True).axes == "tcyx"


def test_what_is_near_comes_first_and_of_two_the_later() -> None:
    assert list(outward((3, 2), (1, 0))) == [(1, 0), (2, 0), (1, 1), (0, 0), (2, 1), (0, 1)]
