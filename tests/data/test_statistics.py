"""Numbers by which a movie is held against the training images."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy import ndimage

from napari_virtualstain.data import deviations, image_statistics, summarise_statistics


def _image(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    texture = ndimage.gaussian_filter(rng.normal(size=(128, 128)), 3)
    return texture / texture.std() + rng.normal(0, 0.2, (128, 128))


def test_noise_is_measured_apart_from_structure() -> None:
    assert image_statistics(_image(0)).noise_sd == pytest.approx(0.2, rel=0.1)


def test_white_noise_has_a_flat_spectrum() -> None:
    power = image_statistics(np.random.default_rng(0).normal(size=(256, 256))).log_power
    assert np.ptp(power) < 0.2


def test_same_kind_is_near_and_foreign_kinds_are_far() -> None:
    summary = summarise_statistics(image_statistics(_image(seed)) for seed in range(12))
    json.dumps(summary)
    near = deviations(image_statistics(_image(99)), summary)
    assert max(near.values()) < 2.5
    blurred = deviations(image_statistics(ndimage.gaussian_filter(_image(99), 3)), summary)
    assert blurred["texture"] > 5
    assert blurred["noise"] > 5
    inverted = deviations(image_statistics(np.exp(_image(99)) - 1), summary)
    assert inverted["histogram"] > 5


def test_card_without_statistics_judges_nothing() -> None:
    assert deviations(image_statistics(_image(0)), {}) == {}
