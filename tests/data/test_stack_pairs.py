"""Pairs of the planes of stacks, with neighbours along one axis."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest

from napari_virtualstain.data import stack_pairs
from napari_virtualstain.errors import InputError

STACK = np.arange(5.0)[:, None, None] * np.ones((5, 8, 8))


def _planes(**options: object) -> list[list[float]]:
    pairs = stack_pairs(STACK, STACK, "z", plane_axis="z", **options)
    return [np.asarray(image)[:, 0, 0].tolist() for image in pairs.bright_field]


def test_neighbours_at_the_ends_are_repeated() -> None:
    assert _planes() == [[0], [1], [2], [3], [4]]
    assert _planes(planes=3) == [[0, 0, 1], [0, 1, 2], [1, 2, 3], [2, 3, 4], [3, 4, 4]]
    assert _planes(planes=3, plane_step=2)[1:4] == [[0, 1, 3], [0, 2, 4], [1, 3, 4]]
    assert _planes(planes=5)[1:4] == [[0, 0, 1, 2, 3], [0, 1, 2, 3, 4], [1, 2, 3, 4, 4]]


def test_planes_with_all_their_neighbours_are_not_copied() -> None:
    pairs = stack_pairs(STACK, STACK, "z", planes=3, plane_axis="z")
    views = [np.shares_memory(image, STACK) for image in pairs.bright_field]
    assert views == [False, True, True, True, False]


def test_lazy_stacks_give_the_same_planes() -> None:
    lazy = da.from_array(STACK, chunks=(1, 8, 8))
    for planes in (1, 3):
        pairs = stack_pairs(lazy, lazy, "z", planes=planes, plane_axis="z")
        found = [np.asarray(image)[:, 0, 0].tolist() for image in pairs.bright_field]
        assert found == _planes(planes=planes)
        assert [float(np.asarray(image)[0, 0]) for image in pairs.fluorescence] == [0, 1, 2, 3, 4]


def test_sparse_fluorescence_keeps_the_neighbours_of_the_movie() -> None:
    movie = np.stack([STACK, STACK + 10], axis=1)  # t, z
    pairs = stack_pairs(movie, movie[[1, 3]], "tz", planes=3, plane_axis="t", frames=(1, 3))
    assert [image[:, 0, 0].tolist() for image in pairs.bright_field] == [
        [0, 1, 2], [10, 11, 12], [2, 3, 4], [12, 13, 14],
    ]  # fmt: skip
    assert pairs.names == ("_t001_z000", "_t001_z001", "_t003_z000", "_t003_z001")


def test_neighbours_along_an_axis_that_is_not_there_are_refused() -> None:
    with pytest.raises(InputError, match="3 planes along z were asked for"):
        stack_pairs(STACK, STACK, "t", planes=3, plane_axis="z")
    assert len(stack_pairs(STACK, STACK, "t", planes=1, plane_axis="z")) == 5
