"""Sharpness of fluorescence."""

from __future__ import annotations

import numpy as np
import pytest

from napari_virtualstain.data.foreground import in_focus, sharpness


@pytest.mark.parametrize("level", [0.0, 1.0, 1000.0])
def test_a_flat_image_has_none_and_noise_has_nearly_all(level: float) -> None:
    assert sharpness(np.full((32, 32), level)) == 0.0
    assert sharpness(level + np.random.default_rng(0).normal(size=(64, 64))) > 0.5


@pytest.mark.parametrize(
    ("others", "sharpest_tenth"),
    [([1.0] * 9, 1.0), ([0.5] * 7 + [1.0] * 2, 1.0), ([0.5] * 9, 0.5)],
)
def test_frames_half_as_sharp_as_the_sharpest_tenth_are_in_focus(
    others: list[float], sharpest_tenth: float
) -> None:
    groups = ["cell"] * 10 + ["another"]
    for share, is_sharp in ((0.51, True), (0.49, False)):
        found = in_focus([*others, share * sharpest_tenth, 3.0], groups)
        assert found.tolist() == [True] * 9 + [is_sharp, True]
