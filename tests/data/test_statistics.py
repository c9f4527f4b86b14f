"""Numbers by which a movie is held against the training images."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy import ndimage

from napari_virtualstain.data import (
    deviations,
    feature_shifts,
    image_statistics,
    summarise_statistics,
)


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


def test_a_blur_under_the_same_noise_is_told_by_its_direction() -> None:
    def image(seed: int, blur: float) -> np.ndarray:
        rng = np.random.default_rng(seed)
        detail, cell, noise = rng.normal(size=(3, 256, 256))
        optics = 12 * ndimage.gaussian_filter(detail, 1.5) + 60 * ndimage.gaussian_filter(cell, 12)
        return ndimage.gaussian_filter(optics, blur) + 0.2 * noise

    summary = summarise_statistics(image_statistics(image(seed, 0)) for seed in range(12))

    def shifts(blur: float) -> list[float]:
        blurred = [image_statistics(image(seed, blur)) for seed in range(50, 56)]
        return [feature_shifts(each, summary)["focus"] for each in blurred]

    assert np.abs(shifts(0)).max() < 2.4
    assert min(shifts(1.5) + shifts(2) + shifts(3)) > 2.4
    crisp = image(60, 0) + 2 * (image(60, 0) - image(60, 1))
    assert feature_shifts(image_statistics(crisp), summary)["focus"] < 0
    assert deviations(image_statistics(crisp), summary)["focus"] == 0


def test_card_without_statistics_judges_nothing() -> None:
    assert deviations(image_statistics(_image(0)), {}) == {}
