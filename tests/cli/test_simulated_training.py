"""Frames and optics that ``train --simulate-like`` takes from a movie."""

from __future__ import annotations

import numpy as np
import pytest

from napari_virtualstain.cli.simulated_training import frames_of, usual_immersion
from napari_virtualstain.io import Stack


def _stack(shape: tuple[int, ...], axes: str) -> Stack:
    return Stack(np.arange(np.prod(shape)).reshape(shape), axes)


@pytest.mark.parametrize(("frames", "taken"), [(1, 1), (12, 12), (13, 12), (40, 12)])
def test_up_to_a_dozen_frames_are_looked_at(frames: int, taken: int) -> None:
    stack = _stack((frames, 2, 3), "tyx")
    found = frames_of(stack)
    assert len(found) == taken
    np.testing.assert_array_equal(found[0], stack.data[0])
    np.testing.assert_array_equal(found[-1], stack.data[-1])


@pytest.mark.parametrize(("planes", "middle"), [(3, 1), (4, 2)])
def test_of_z_stacks_the_middle_plane_is_looked_at(planes: int, middle: int) -> None:
    movie = _stack((2, planes, 2, 3), "tzyx")
    for frame, found in enumerate(frames_of(movie)):
        np.testing.assert_array_equal(found, movie.data[frame, middle])
    stack = _stack((planes, 2, 3), "zyx")
    np.testing.assert_array_equal(frames_of(stack), [stack.data[middle]])


@pytest.mark.parametrize(
    ("na", "index"), [(0.99, 1.0), (1.0, 1.33), (1.27, 1.33), (1.28, 1.515), (1.45, 1.515)]
)
def test_the_medium_follows_the_aperture(na: float, index: float) -> None:
    assert usual_immersion(na) == index
