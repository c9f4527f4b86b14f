"""Instances from kept maps: every object is in one place."""

from __future__ import annotations

import numpy as np
import pytest

from napari_virtualstain.segmentation.maps import SegmentationMaps


def _maps(foreground: np.ndarray, inner: np.ndarray) -> SegmentationMaps:
    """Return maps in which all pixels that touch belong together."""
    logits = np.full((3, *inner.shape), 9.0, np.float32)
    logits[0] = -9.0
    size = {"pixel_size_um": 0.1, "inner_pixel_size_um": 0.1}
    return SegmentationMaps.compact(foreground, inner, logits, ((0, 1), (1, 0)), **size)


@pytest.mark.parametrize("least_um2", [0.05, 0.005])
def test_a_part_too_small_to_count_is_no_piece_of_its_neighbour(least_um2: float) -> None:
    inner = np.zeros((24, 24), np.float32)
    inner[4:10, 4:10] = 0.9
    inner[18, 18:20] = 0.9  # 0.02 square micrometres
    labels = _maps(inner, inner).labels(min_area_um2=least_um2)
    assert (labels[4:10, 4:10] == 1).all()
    assert set(labels[18, 18:20]) == {0 if least_um2 == 0.05 else 2}
    assert (labels > 0).sum() == 36 + 2 * (least_um2 < 0.02)


@pytest.mark.parametrize(("columns", "objects"), [(4, 1), (5, 2)])
def test_objects_count_from_a_twentieth_of_a_square_micrometre(columns: int, objects: int) -> None:
    inner = np.zeros((24, 24), np.float32)
    inner[4:10, 4:10] = 0.9
    inner[18, 10 : 10 + columns] = 0.9  # pixels of 0.01 square micrometres
    assert _maps(inner, inner).labels().max() == objects


def test_an_object_seen_at_full_size_only_is_one_of_its_own() -> None:
    inner = np.zeros((24, 24), np.float32)
    inner[4:10, 4:10] = 0.9
    full = inner.copy()
    full[16:20, 16:20] = 0.6
    labels = _maps(full, inner).labels()
    assert set(labels[4:10, 4:10].ravel()) == {1}
    assert set(labels[16:20, 16:20].ravel()) == {2}


def test_pairs_are_kept_where_the_probability_is_above_a_fiftieth() -> None:
    inner = np.array([[0.0, 0.019, 0.021, 0.5]], np.float32)
    maps = SegmentationMaps.compact(inner, inner, np.zeros((2, 1, 4), np.float32), ((0, 1),))
    assert maps.support.tolist() == [2, 3]


@pytest.mark.parametrize(("across", "objects"), [(-9.0, 2), (9.0, 1)])
def test_pairs_of_one_step_suffice_to_part_and_to_join(across: float, objects: int) -> None:
    inner = np.zeros((14, 24), np.float32)
    inner[4:10, 4:20] = 0.9
    logits = np.full((2, *inner.shape), 9.0, np.float32)
    logits[0] = -9.0
    logits[0, :, 11:13] = 9.0
    logits[1, :, 11] = across
    maps = SegmentationMaps.compact(inner, inner, logits, ((0, 1),))
    assert maps.labels().max() == objects
