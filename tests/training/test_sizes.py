"""Sizes that a training chooses: crops, steps, folds, and what is held out and judged."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from napari_virtualstain.data import CorrelativePairs
from napari_virtualstain.data.splits import _chosen_groups, _within_one_group
from napari_virtualstain.errors import InputError
from napari_virtualstain.normalisation import FittedNormalisation
from napari_virtualstain.training import TrainingConfig, preparation
from napari_virtualstain.training.cross_validation import _folds
from napari_virtualstain.training.finishing import _judged
from napari_virtualstain.training.preparation import (
    PreparedTraining,
    _fitting_crop,
    _median,
    _with_margin,
    _without_stretched_noise,
)


def _pairs(*sizes: tuple[int, int], groups: Any = None) -> CorrelativePairs:
    images = [np.random.default_rng(0).random(size) for size in sizes]
    return CorrelativePairs.from_arrays(images, images, groups=groups)


@pytest.mark.parametrize(
    ("wanted", "stride", "size"),
    [(256, 8, 96), (64, 8, 64), (63, 8, 56), (100, 8, 96), (4, 8, 8), (256, 128, 128)],
)
def test_crops_are_multiples_of_the_stride_within_the_smallest_frame(
    wanted: int, stride: int, size: int
) -> None:
    assert _fitting_crop(_pairs((100, 200), (120, 99)), wanted, stride) == size


@pytest.mark.parametrize(("rotation_deg", "frame", "side"), [(0, 200, 64), (20, 66, 66)])
def test_crops_that_are_turned_have_a_margin_within_the_frame(
    rotation_deg: float, frame: int, side: int
) -> None:
    config = TrainingConfig(augmentation={"rotation_deg": rotation_deg})
    assert _with_margin(_pairs((frame, 300)), 64, config) == side
    roomy = _with_margin(_pairs((300, 300)), 64, config)
    assert (roomy > 80) == (rotation_deg > 0)
    assert _with_margin(_pairs((50, 300)), 64, config) == 64


def test_an_empty_field_is_not_stretched_to_a_full_one() -> None:
    maps = [FittedNormalisation(float(n), scale) for n, scale in enumerate([1.0, 2.0, 3.0, 0.1])]
    assert [m.scale for m in _without_stretched_noise(maps)] == pytest.approx([1, 2, 3, 0.3])
    typical = _median(maps[:3])
    assert (typical.offset, typical.scale) == (1.0, 2.0)


@pytest.mark.parametrize(
    ("size", "count", "judged"), [(2**12, 40, 40), (2**20, 40, 16), (2**22, 40, 8), (2**22, 5, 5)]
)
def test_of_very_many_pixels_an_even_choice_is_judged(size: int, count: int, judged: int) -> None:
    pair = SimpleNamespace(fluorescence=SimpleNamespace(size=size))
    chosen = _judged(SimpleNamespace(validation=[pair] * count))
    assert len(chosen) == judged
    assert (chosen[0], chosen[-1]) == (0, count - 1)


@pytest.mark.parametrize(
    ("given", "pairs", "pixels", "steps"),
    [
        ({"steps": 7, "init": "mito-h9c2"}, 100, 10**9, 7),
        ({"epochs": 3, "batch_size": 8}, 20, 0, 8),
        ({"epochs": 0.01}, 1, 0, 1),
        ({"crop_size": 64}, 1, 64**2, 500),
        ({"crop_size": 64}, 1, 100 * 64**2, 1000),
        ({"crop_size": 64, "init": "mito-h9c2"}, 1, 100 * 64**2, 500),
        ({"crop_size": 64}, 1, 10_000 * 64**2, 3000),
    ],
)
def test_steps_grow_with_the_root_of_the_data(
    given: dict[str, Any], pairs: int, pixels: int, steps: int
) -> None:
    usual: dict[str, Any] = {"steps": None, "epochs": None, "init": ""}
    config = TrainingConfig().model_copy(update={**usual, **given})
    assert config.step_count(pairs, pixels) == steps


def _of_groups(*counts: int) -> CorrelativePairs:
    groups = [f"cell {number}" for number, count in enumerate(counts) for _ in range(count)]
    return _pairs(*[(32, 32)] * len(groups), groups=groups)


def test_folds_hold_about_as_many_pairs_each() -> None:
    folds = _folds(_of_groups(4, 3, 2, 1), 2)
    assert folds == (("cell 0", "cell 3"), ("cell 1", "cell 2"))
    assert len(_folds(_of_groups(1, 1, 1), 5)) == 3  # the usual number is cut to the groups
    named = [["cell 0"], ["cell 1", "cell 2"]]
    assert _folds(_of_groups(1, 1, 1), named) == (("cell 0",), ("cell 1", "cell 2"))


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (1, "expected two or more"),
        (6, "6 folds of 3 groups"),
        ([], "A fold without groups"),
        ([["cell 0"], []], "A fold without groups"),
        ([["cell 9"]], "There is no group 'cell 9'"),
        ([["cell 0"], ["cell 0"]], "is in two folds"),
    ],
)
def test_folds_that_cannot_be_made_are_refused(wanted: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        _folds(_of_groups(1, 1, 1), wanted)


def test_one_group_has_no_folds() -> None:
    with pytest.raises(InputError, match="needs two groups"):
        _folds(_of_groups(4), 2)


@pytest.mark.parametrize("seed", range(6))
def test_held_out_groups_come_closest_to_the_share_and_some_train(seed: int) -> None:
    even = _chosen_groups([f"{n}" for n in range(8)], 0.25, seed)
    assert len(even) == 2
    assert _chosen_groups(["large"] * 9 + ["small"], 0.1, seed) == {"small"}
    assert len(_chosen_groups(["a", "b"], 0.9, seed)) == 1


@pytest.mark.parametrize(
    ("count", "fraction", "held"), [(8, 0.25, 2), (8, 0.01, 1), (8, 1.0, 7), (2, 0.9, 1)]
)
def test_of_one_cell_the_last_pairs_follow_the_training(
    count: int, fraction: float, held: int
) -> None:
    split = _within_one_group(_of_groups(count), fraction, (), ())
    assert len(split.validation) == held
    assert split.validation[-1] == count - 1
    assert len(split.train) == count - held
    assert not split.independent


@pytest.mark.parametrize(("count", "looked_at"), [(1, 1), (200, 200), (399, 399), (400, 200)])
def test_statistics_of_a_card_are_of_all_images_or_of_at_least_200(
    monkeypatch: pytest.MonkeyPatch, count: int, looked_at: int
) -> None:
    monkeypatch.setattr(preparation, "image_statistics", lambda image: image)
    monkeypatch.setattr(preparation, "summarise_statistics", lambda images: len(list(images)))
    pair = SimpleNamespace(bright_field=np.zeros((1, 4, 4)), input_maps=(FittedNormalisation(),))
    training = SimpleNamespace(train=[pair] * count, pairs=SimpleNamespace(planes=1))
    assert PreparedTraining.input_statistics(training) == looked_at
