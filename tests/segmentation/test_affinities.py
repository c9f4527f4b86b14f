from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from napari_virtualstain.segmentation import affinities
from napari_virtualstain.segmentation.affinities import merge_fragments, step_directions
from napari_virtualstain.segmentation.fine_tuning import SEGMENTATION_DEFAULTS

from .shapes import bar, same_partition
from .test_instances import wiggles

STEPS = tuple(tuple(step) for step in SEGMENTATION_DEFAULTS["steps"])


def exact_pairs(truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What a perfect network would say: an oracle written pixel by pixel."""
    height, width = truth.shape
    same = np.zeros((len(STEPS), height, width), np.float32)
    contact = np.zeros(truth.shape, np.float32)
    for y, x in np.argwhere(truth):
        for k, (dy, dx) in enumerate(STEPS):
            if 0 <= y + dy < height and 0 <= x + dx < width:
                same[k, y, x] = truth[y + dy, x + dx] == truth[y, x]
        near = truth[max(0, y - 2) : y + 3, max(0, x - 2) : x + 3]
        contact[y, x] = ((near > 0) & (near != truth[y, x])).any()
    return contact, same[:, truth > 0]


def overlap(labels: np.ndarray, object_mask: np.ndarray) -> float:
    return max(
        (object_mask & (labels == value)).sum() / (object_mask | (labels == value)).sum()
        for value in np.unique(labels[object_mask])
    )


def test_perfect_pairs_join_the_arms_of_a_crossing():
    truth = np.where(bar(90), 2, np.where(bar(0), 1, 0))
    labels = merge_fragments(truth > 0, *exact_pairs(truth), STEPS)
    # the bar below lies in two parts that touch nowhere: only long steps can join them
    assert labels.max() == 2
    assert overlap(labels, truth == 1) > 0.9
    assert overlap(labels, truth == 2) > 0.9


def test_perfect_pairs_part_what_lies_side_by_side():
    truth = np.zeros((40, 60), np.int32)
    truth[10:15, 5:55], truth[15:20, 5:55] = 1, 2
    labels = merge_fragments(truth > 0, *exact_pairs(truth), STEPS)
    assert labels.max() == 2
    assert overlap(labels, truth == 1) > 0.9


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000), area=st.integers(0, 60))
def test_labels_cover_the_mask_whatever_the_network_says(seed, area):
    rng = np.random.default_rng(seed)
    mask = wiggles(seed)
    contact = rng.random(mask.shape).astype(np.float32)
    same = rng.random((len(STEPS), mask.sum())).astype(np.float32)
    labels = merge_fragments(mask, contact, same, STEPS, min_area_px=area)
    assert ((labels > 0) == mask).all()
    assert np.array_equal(np.unique(labels[mask]), np.arange(1, labels.max() + 1))


def test_doubt_everywhere_keeps_nothing_together_and_trust_all():
    mask = bar(0)
    contact = np.zeros(mask.shape, np.float32)
    ones = np.ones((len(STEPS), mask.sum()), np.float32)
    assert merge_fragments(mask, contact, ones, STEPS).max() == 1
    assert merge_fragments(mask, contact, 0 * ones, STEPS).max() > 1
    assert merge_fragments(mask, contact, 0 * ones, STEPS, min_area_px=1e9).max() == 1


@pytest.mark.parametrize(
    ("probability", "options", "is_whole"),
    [(0.45, {}, False), (0.55, {}, True), (0.45, {"merge_above": 0.4}, True)],
)
def test_pieces_are_merged_above_a_mean_probability_of_one_half(
    probability: float, options: dict, is_whole: bool
) -> None:
    """Also few pairs suffice: the mean counts, not the sum."""
    mask = np.zeros((9, 24), bool)
    mask[3:6, 3:21] = True
    contact = np.zeros(mask.shape, np.float32)
    contact[:, 12] = 1.0  # so that there are two pieces
    step = STEPS[:1]
    same = np.full((1, mask.sum()), probability, np.float32)
    labels = merge_fragments(mask, contact, same, step, **options)
    assert (labels.max() == 1) == is_whole


def test_nothing_in_nothing_out():
    mask = np.zeros((20, 30), bool)
    same = np.zeros((len(STEPS), 0), np.float32)
    assert not merge_fragments(mask, np.zeros(mask.shape, np.float32), same, STEPS).any()


def test_the_order_of_numbers_in_the_truth_does_not_matter():
    truth = np.where(bar(90), 2, np.where(bar(30), 1, 0))
    other = np.where(truth > 0, 3 - truth, 0)
    one = merge_fragments(truth > 0, *exact_pairs(truth), STEPS)
    assert same_partition(one, merge_fragments(other > 0, *exact_pairs(other), STEPS))


@pytest.mark.parametrize("length", [3, 7, 12])
def test_steps_have_their_length_and_span_half_a_turn(length):
    steps = np.array(step_directions([length], [8]))
    assert np.hypot(*steps.T) == pytest.approx(length, abs=0.8)
    assert len({tuple(step) for step in steps.tolist()} | {tuple(-s) for s in steps}) == 16


@pytest.mark.parametrize("size", [3, 25, 60])
def test_the_depth_is_the_distance_to_the_background(size: int) -> None:
    """Thin, deeper than the steps that are tried, and nearly all foreground."""
    mask = np.zeros((70, 80), bool)
    mask[2 : 2 + size, 4 : 4 + size] = mask[60:, 70:] = True
    mask[8, 10] = False
    expected = ndimage.distance_transform_edt(mask)[mask]
    np.testing.assert_array_equal(affinities._depth(mask), expected)


def test_pairs_are_those_of_the_mask_the_first_pixel_too() -> None:
    mask = np.array([[1, 1, 0], [1, 0, 1]], bool)
    partners = list(affinities._partners(mask, [(0, 1), (1, 0), (0, -1), (1, 1)]))
    found = [list(zip(*(side.tolist() for side in pair), strict=True)) for pair in partners]
    # pixels in reading order: 0 1 / 2 . 3
    assert found == [[(0, 1)], [(0, 2)], [(1, 0)], [(1, 3)]]
