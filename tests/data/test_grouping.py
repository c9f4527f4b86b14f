"""Groups of stacks whose names are mere numbers."""

from __future__ import annotations

import numpy as np
import pytest

from napari_virtualstain.data.grouping import groups_of_stacks


@pytest.mark.parametrize(("alike", "groups"), [(0.7, ("1", "1")), (0.3, ("1", "2"))])
def test_stacks_that_look_half_alike_are_of_one_cell(alike: float, groups: tuple[str, str]) -> None:
    one, other = np.random.default_rng(0).normal(size=(2, 1, 128, 128))
    mixed = alike * one + np.sqrt(1 - alike**2) * other
    assert groups_of_stacks(["1.tif", "2.tif"], [one, mixed]) == groups
