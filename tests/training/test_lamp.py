"""Training normalises as staining does: light that changes from frame to frame is no contrast."""

from __future__ import annotations

import numpy as np

from napari_virtualstain.data import CorrelativePairs
from napari_virtualstain.training import TrainingConfig
from napari_virtualstain.training.preparation import prepare


def _prepared(light, dark, planes: int = 1):
    pairs = CorrelativePairs.from_arrays(
        list(light),
        list(dark),
        groups=list("aabb"),
        movies=["one"] * 4,
        pixel_size_um=0.08,
    )
    config = TrainingConfig(
        name="tiny",
        architecture={"name": "unet", "arguments": {"widths": [6, 8], "convolutions": 1}},
        steps=2,
        crop_size=32,
        inputs={"planes": planes},
    )
    made = prepare(pairs, config, stride=2)
    return [pair.normalised()[:2] for pair in (*made.train, *made.validation)]


def test_light_that_changes_trains_as_steady_light() -> None:
    rng = np.random.default_rng(0)
    light = 1000 + 30 * rng.normal(size=(4, 48, 48))
    dark = 50 + rng.gamma(2, 20, (4, 48, 48))
    level = np.array([0, 400, -200, 900])[:, None, None]
    for steady, changing in zip(
        _prepared(light, dark), _prepared(light + level, dark + level / 10), strict=True
    ):
        for expected, found in zip(steady, changing, strict=True):
            np.testing.assert_allclose(found, expected, atol=1e-3)


def test_each_neighbouring_plane_has_its_own_level() -> None:
    rng = np.random.default_rng(1)
    light = 1000 + 30 * rng.normal(size=(4, 3, 48, 48))
    dark = 50 + rng.gamma(2, 20, (4, 48, 48))
    shifted = light + np.array([0, 300, -500])[:, None, None]
    for steady, changing in zip(
        _prepared(light, dark, 3), _prepared(shifted, dark, 3), strict=True
    ):
        np.testing.assert_allclose(changing[0], steady[0], atol=1e-3)
