"""Overlap of moved masks, beside sets of pixels."""

from __future__ import annotations

import numpy as np
import pytest

from napari_virtualstain.tracking.mask_pixels import MaskPixels

PIXEL_UM = 0.1


def _masks(*labels: np.ndarray) -> tuple[MaskPixels, list[set[tuple[int, int]]]]:
    """Return the objects of some frames, also as sets of (row, column)."""
    places = [np.argwhere(frame == value) for frame in labels for value in np.unique(frame)[1:]]
    masks = MaskPixels(
        np.cumsum([0, *map(len, places)]),
        *np.concatenate(places).astype(np.int32).T,
        centre_um=np.array([some.mean(axis=0) * PIXEL_UM for some in places]),
        pixel_size_um=PIXEL_UM,
        at_border=np.zeros(len(places), bool),
    )
    return masks, [set(map(tuple, some.tolist())) for some in places]


@pytest.mark.parametrize("shift", [(0, 0), (3, -2), (-4, 1), (30, 30)])
def test_the_overlap_is_that_of_sets_of_pixels_also_at_the_rim(shift: tuple[int, int]) -> None:
    rng = np.random.default_rng(4)
    frames = [np.kron(rng.permutation(12).reshape(3, 4), np.ones((4, 4), int)) for _ in range(2)]
    masks, sets = _masks(*frames)
    before, after = np.arange(11), np.arange(11, 22)
    tails, heads = (some.ravel() for some in np.indices((11, 11)))
    expected_um = masks.centre_um[before] + np.multiply(shift, PIXEL_UM)
    found = masks.overlap(before, expected_um, tails, after, heads)
    for tail, head, share in zip(tails, heads, found, strict=True):
        moved = {(row + shift[0], column + shift[1]) for row, column in sets[tail]}
        other = sets[after[head]]
        assert share == pytest.approx(len(moved & other) / len(moved | other))


def test_without_pairs_there_is_no_overlap() -> None:
    masks, _ = _masks(np.eye(3, dtype=int))
    none = np.zeros(0, int)
    assert masks.overlap(none, np.zeros((0, 2)), none, np.array([0]), none).shape == (0,)
