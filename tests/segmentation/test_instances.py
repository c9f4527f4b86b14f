from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from napari_virtualstain.errors import InputError
from napari_virtualstain.segmentation import split_instances
from napari_virtualstain.segmentation.skeleton import FREE_END, Branch, SkeletonGraph
from napari_virtualstain.segmentation.skeleton_split import _collinear_pairs, split_along_skeleton

from .shapes import FLIPS, bar, cross, disc, empty, letter_y, ring, same_partition


def count(mask: np.ndarray, **options: object) -> int:
    return int(split_instances(mask, **options).max())


def wiggles(seed: int, number: int = 9, size: int = 96) -> np.ndarray:
    """A mask of smooth blobs and lines, touching and crossing at random."""
    generator = np.random.default_rng(seed)
    mask = np.zeros((size, size), bool)
    for _ in range(number):
        angle = generator.uniform(0, 2 * np.pi) + np.cumsum(generator.normal(0, 0.15, 30))
        path = generator.uniform(5, size - 5, 2) + np.cumsum(np.c_[np.sin(angle), np.cos(angle)], 0)
        y, x = np.round(path).astype(int).clip(0, size - 1).T
        mask[y, x] = True
    return ndimage.binary_dilation(mask, iterations=2)


@pytest.mark.parametrize("shape", [disc(), ring(), bar(0), bar(37), bar(90)])
def test_one_simple_object_stays_one(shape):
    assert count(shape) == 1
    assert ((split_instances(shape) > 0) == shape).all()


@pytest.mark.parametrize("angle", [50, 70, 90])
def test_crossing_tubules_come_apart_into_the_two_bars(angle):
    labels = split_instances(cross(angle))
    assert labels.max() == 2
    for tubule in (bar(0), bar(angle)):
        overlaps = [
            (tubule & (labels == value)).sum() / (tubule | (labels == value)).sum()
            for value in (1, 2)
        ]
        assert max(overlaps) > 0.85


def test_a_side_branch_comes_off_the_straight_tubule():
    labels = split_instances(bar(0) | bar(90, one_sided=True))
    assert labels.max() == 2
    through = [value for value in (1, 2) if (bar(0) & (labels == value)).sum() > 0.9 * bar(0).sum()]
    assert len(through) == 1


def test_a_symmetric_y_is_cut_only_where_arms_do_not_continue_each_other():
    labels = split_instances(letter_y())
    assert labels.max() in (2, 3)
    assert ((labels > 0) == letter_y()).all()


def test_short_spurs_do_not_split_a_rod():
    rod = bar(0)
    rod[35:38, 40:42] = True
    assert count(rod) == 1


@pytest.mark.parametrize(("length", "objects"), [(2, 1), (3, 2)])
def test_a_side_branch_longer_than_eleven_tenths_of_the_width_is_an_object(length, objects):
    mask = empty()
    mask[40, 10:70] = mask[40 - length : 40, 40] = True  # lines that are two pixels wide
    assert count(mask, min_area_um2=0) == objects


@pytest.mark.parametrize(("length", "objects"), [(2, 2), (3, 3)])
def test_two_that_cross_share_a_bridge_no_longer_than_they_are_wide(length, objects):
    mask = empty()
    for step in range(20):
        mask[[40 - step, 40 + step], 30 - step] = True
        mask[[40 - step, 40 + step], 31 + length + step] = True
    mask[40, 30 : 32 + length] = True
    assert count(mask, min_area_um2=0) == objects


def test_a_tail_comes_off_its_ring():
    labels = split_instances(ring() | np.roll(bar(0, half=15, one_sided=True), 18, axis=1))
    assert labels.max() == 2


def test_none_keeps_connected_components():
    mask = cross()
    mask[2:6, 2:8] = True
    assert count(mask, split="none") == 2


@pytest.mark.parametrize("pixel_size_um", [0.05, 0.08])
def test_log_separates_two_touching_discs(pixel_size_um):
    """Of 0.2 to 0.3 um in radius, as small mitochondria are."""
    two = np.roll(disc(4), -5, axis=1) | np.roll(disc(4), 5, axis=1) | bar(0, half=4, width=2)
    assert count(two, split="none") == 1
    assert count(two, split="log", pixel_size_um=pixel_size_um) == 2


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), split=st.sampled_from(["skeleton", "log", "none"]))
def test_flips_and_turns_of_the_mask_turn_the_labels(seed, split):
    mask = wiggles(seed)
    labels = split_instances(mask, split=split)
    for flip in FLIPS:
        turned = split_instances(flip(mask), split=split)
        if split == "log":  # watershed decides ties by scan order: only the count is fixed
            assert turned.max() == labels.max()
        else:
            assert same_partition(turned, flip(labels))


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 10_000), area=st.floats(0, 1), split=st.sampled_from(["skeleton", "none"])
)
def test_labels_cover_the_mask_but_for_small_objects_of_their_own(seed, area, split):
    mask = wiggles(seed)
    labels = split_instances(mask, min_area_um2=area, pixel_size_um=0.1, split=split)
    areas = np.bincount(labels.ravel())[1:]
    assert (areas >= area / 0.01).all()
    assert np.array_equal(np.unique(labels), np.arange(labels.max() + 1))
    whole, number = ndimage.label(mask, structure=np.ones((3, 3)))
    for value in range(1, number + 1):
        inside = labels[whole == value]
        assert (inside > 0).all() or (not inside.any() and inside.size < area / 0.01)


def test_an_arm_of_exactly_the_smallest_area_is_an_object() -> None:
    mask = bar(0) | bar(90, one_sided=True)
    values, areas = np.unique(split_along_skeleton(mask)[mask], return_counts=True)
    for more, is_kept in ((0, True), (1, False)):
        found = split_along_skeleton(mask, min_area_px=int(areas.min()) + more)
        assert (len(np.unique(found[mask])) == len(values)) == is_kept


def test_the_last_piece_stays_however_small() -> None:
    labels = split_along_skeleton(cross(), min_area_px=1e9)
    assert (labels[cross()] == labels.max()).all()
    assert labels.max() > 0


def test_probabilities_are_cut_at_the_threshold():
    probability = np.where(disc(), 0.6, 0.1)
    assert count(probability, threshold=0.5) == 1
    assert count(probability, threshold=0.7) == 0


def test_stacks_are_treated_plane_by_plane():
    stack = np.stack([disc(), cross(), empty()])
    labels = split_instances(stack)
    assert [int(plane.max()) for plane in labels] == [1, 2, 0]
    assert np.array_equal(labels[1], split_instances(cross()))


@pytest.mark.parametrize("shape", [(0, 0), (1, 1), (1, 30), (3, 0, 5)])
def test_degenerate_sizes_give_empty_or_whole_labels(shape):
    labels = split_instances(np.ones(shape, bool), min_area_um2=0)
    assert labels.shape == shape
    assert (labels > 0).all()


@pytest.mark.parametrize(
    ("image", "options", "message"),
    [
        (np.ones(5, bool), {}, "expected"),
        (np.full((5, 5), np.nan), {}, "NaN"),
        (np.full((5, 5), 3.0), {}, "0 to 1"),
        (np.ones((5, 5), complex), {}, "type"),
        (disc(), {"split": "watershed"}, "skeleton, log, none"),
        (disc(), {"min_area_um2": -1}, "min_area_um2"),
        (disc(), {"min_area_um2": np.nan}, "min_area_um2"),
        (disc(), {"pixel_size_um": -0.1}, "pixel size"),
        (disc().astype(float), {"threshold": 2}, "threshold"),
    ],
)
def test_bad_input_is_named(image, options, message):
    with pytest.raises(InputError, match=message):
        split_instances(image, **options)


@pytest.mark.parametrize(("bend", "pairs"), [(64, 1), (66, 0)])
def test_branches_continue_each_other_up_to_a_bend_of_65_degrees(bend: float, pairs: int) -> None:
    along = np.arange(1.0, 12.0)[:, None]
    angle = np.deg2rad(bend)
    ways = (np.array([[0.0, -1.0]]), np.array([[np.sin(angle), np.cos(angle)]]))
    branches = tuple(Branch(along * way, (0, FREE_END), False) for way in ways)
    graph = SkeletonGraph(branches, (np.zeros((1, 2), int),))
    assert len(_collinear_pairs(graph, [(0, 0), (1, 0)], width=4.0)) == pairs
