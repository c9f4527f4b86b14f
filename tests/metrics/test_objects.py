"""Scores of labels: hand-counted cases, invariances, bad input."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_virtualstain.errors import InputError
from napari_virtualstain.metrics import (
    boundary_f1,
    evaluate_labels,
    match_objects,
    object_scores,
)


def _squares(*corners: tuple[int, int], side: int = 6, size: int = 40) -> np.ndarray:
    labels = np.zeros((size, size), np.int32)
    for number, (y, x) in enumerate(corners, start=1):
        labels[y : y + side, x : x + side] = number
    return labels


def test_scores_of_a_case_counted_by_hand() -> None:
    truth = _squares((2, 2), (2, 20), (20, 2))
    # the first exactly, the second half beside (IoU 1/3), the third missed, one invented
    guess = _squares((2, 2), (2, 23), (30, 30))
    scores = object_scores(guess, truth)
    assert scores["precision"] == scores["recall"] == scores["f1"] == pytest.approx(1 / 3)
    assert scores["ap"] == pytest.approx(1 / 5)
    assert scores["pq"] == pytest.approx(1 / 3)
    assert scores["matched_iou"] == 1
    assert scores["iou"] == pytest.approx((36 + 18) / (36 + 54 + 36 + 36))
    background = 1600 - (36 + 54 + 36 + 36)
    outside = background / (1600 - (36 + 18))
    assert scores["miou"] == pytest.approx((scores["iou"] + outside) / 2)
    assert object_scores(guess, truth, iou_threshold=0.3)["f1"] == pytest.approx(2 / 3)


def test_low_thresholds_match_one_to_one() -> None:
    truth = _squares((2, 2), side=10)
    halves = truth.copy()
    halves[:, 7:] *= 2
    matches = match_objects(halves, truth, iou_threshold=0.3)
    assert len(matches.iou) == 1
    assert matches.iou[0] == pytest.approx(0.5)


@given(seed=st.integers(0, 2**16))
@settings(max_examples=20, deadline=None)
def test_numbers_of_labels_mean_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    first, second = rng.integers(0, 6, (2, 12, 12))
    names = np.concatenate([[0], rng.permutation(np.arange(1, 6)) + 100])
    for name, value in object_scores(first, second).items():
        assert object_scores(names[first], second)[name] == pytest.approx(value, nan_ok=True)


@given(seed=st.integers(0, 2**16))
@settings(max_examples=20, deadline=None)
def test_matches_agree_with_a_count_pair_by_pair(seed: int) -> None:
    rng = np.random.default_rng(seed)
    first = np.kron(rng.integers(0, 5, (6, 6)), np.ones((3, 3), int))
    second = np.where(rng.random(first.shape) < 0.15, 0, first)
    matches = match_objects(first, second)
    expected = set()
    for one in set(np.unique(first)) - {0}:
        for other in set(np.unique(second)) - {0}:
            a, b = first == one, second == other
            if (a & b).sum() / (a | b).sum() >= 0.5:
                expected.add((int(one), int(other)))
    assert set(zip(matches.predicted.tolist(), matches.reference.tolist(), strict=True)) == expected


def test_touching_objects_that_were_not_separated_cost_outline() -> None:
    truth = _squares((4, 4), (4, 10), side=6)
    merged = (truth > 0).astype(int)
    assert boundary_f1(truth, truth) == 1
    assert boundary_f1(merged, truth, tolerance_px=0.5) < 0.95
    assert boundary_f1(np.roll(truth, 5, axis=0), truth) < boundary_f1(np.roll(truth, 1, 0), truth)


def test_empty_frames() -> None:
    empty, one = _squares(), _squares((3, 3))
    assert all(
        math.isnan(object_scores(empty, empty)[name]) for name in ("f1", "pq", "iou", "boundary_f1")
    )
    assert object_scores(empty, empty)["miou"] == 1
    assert object_scores(one + 1, one + 1)["miou"] == 1
    missed = object_scores(empty, one)
    assert (missed["f1"], missed["recall"], missed["boundary_f1"]) == (0, 0, 0)
    assert math.isnan(missed["precision"])


def test_one_row_a_frame() -> None:
    movie = np.stack([_squares((2, 2)), _squares((9, 9))])
    table = evaluate_labels(movie, movie[:, ::1], groups=["a", "b"])
    assert table[["frame", "group", "f1"]].to_numpy().tolist() == [[0, "a", 1.0], [1, "b", 1.0]]


def test_bad_labels_get_a_plain_message() -> None:
    one = _squares((3, 3))
    with pytest.raises(InputError, match="expected the same"):
        object_scores(one[1:], one)
    with pytest.raises(InputError, match="not an intensity or a probability"):
        object_scores(one * 0.5, one)
    with pytest.raises(InputError, match="whole numbers, 0 for background"):
        object_scores(-one, one)
    with pytest.raises(InputError, match=r"in \(0, 1\]"):
        object_scores(one, one, iou_threshold=0)
    with pytest.raises(InputError, match=r"in \(0, 1\]"):
        object_scores(one, one, iou_threshold=1.01)
    assert object_scores(one, one, iou_threshold=1)["f1"] == 1
    with pytest.raises(InputError, match="3 groups for 1 frames"):
        evaluate_labels(one, one, groups=["a", "b", "c"])


def test_panoptic_quality_weighs_what_was_found_by_its_iou() -> None:
    # one object found at an IoU of 0.6, one missed, one invented
    reference = np.array([[1] * 10 + [0] * 5 + [2] * 4])
    predicted = np.array([[1] * 6 + [0] * 5 + [3] * 3 + [0] * 5])
    scores = object_scores(predicted, reference)
    assert scores["matched_iou"] == pytest.approx(0.6)
    assert scores["f1"] == pytest.approx(1 / 2)
    assert scores["ap"] == pytest.approx(1 / 3)
    assert scores["pq"] == pytest.approx(0.6 / 2)  # sum of IoU over (TP + FP / 2 + FN / 2)
