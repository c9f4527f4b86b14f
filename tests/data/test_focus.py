"""Sharpness of fluorescence."""

from __future__ import annotations

import numpy as np
import pytest

from napari_virtualstain.data.foreground import sharpness


@pytest.mark.parametrize("level", [0.0, 1.0, 1000.0])
def test_a_flat_image_has_none_and_noise_has_nearly_all(level: float) -> None:
    assert sharpness(np.full((32, 32), level)) == 0.0
    assert sharpness(level + np.random.default_rng(0).normal(size=(64, 64))) > 0.5
