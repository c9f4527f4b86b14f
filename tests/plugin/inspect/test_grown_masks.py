"""Masks of a click and halves of a mask, on both sides of each number."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import ndimage

from napari_virtualstain.plugin.inspect.mask_book import Patch
from napari_virtualstain.plugin.inspect.mending.grow_mask import grown, halves
from napari_virtualstain.plugin.inspect.mending.mending import Mending, _middle
from napari_virtualstain.tracking import EditableTracks


def _source(image: np.ndarray) -> Any:
    return SimpleNamespace(data=image[None], offset=(0, 0))


def _spot(height: float = 100.0, sigma: float = 3.0, at: tuple[int, int] = (60, 60)) -> np.ndarray:
    image = np.zeros((120, 120), np.float32)
    image[at] = 1.0
    image = ndimage.gaussian_filter(image, sigma)
    return 10 + height * image / image.max()


def _is_disc(patch: Any, radius: float) -> bool:
    rows, columns = np.indices(patch.mask.shape) - patch.mask.shape[0] // 2
    return bool((patch.mask == (np.hypot(rows, columns) <= radius)).all())


def test_a_mask_reaches_half_way_down_from_the_peak() -> None:
    patch = grown(_source(_spot(sigma=5.0)), 0, 60, 60, 2.0)
    # half of a Gaussian is at 1.177 sigma; smoothing widens 5 to 5.05 px
    assert patch.mask.sum() == pytest.approx(np.pi * (1.177 * 5.05) ** 2, rel=0.05)
    assert (patch.frame, patch.top, patch.left) == (0, 20, 20)


@pytest.mark.parametrize(("away", "is_grown"), [(3, True), (5, False)])
def test_the_peak_is_looked_for_within_three_pixels(away: int, is_grown: bool) -> None:
    image = np.full((120, 120), 10.0, np.float32)
    image[56:65, 60 + away : 60 + away + 4] = 100.0
    patch = grown(_source(image), 0, 60, 60, 2.0)
    assert _is_disc(patch, 2.0) != is_grown


@pytest.mark.parametrize(("largest", "share"), [(np.inf, 0.5), (95, 0.6), (70, 0.7), (45, 0.8)])
def test_a_mask_that_is_too_large_is_cut_higher(largest: float, share: float) -> None:
    image = _spot(sigma=5.0)
    patch = grown(_source(image), 0, 60, 60, 2.0, largest_px=largest)
    assert patch.mask.sum() <= largest
    expected = np.pi * 2 * np.log(1 / share) * 5.05**2
    assert patch.mask.sum() == pytest.approx(expected, rel=0.1)


def test_the_highest_cut_is_at_nine_tenths() -> None:
    image = _spot(sigma=5.0)
    assert 15 < grown(_source(image), 0, 60, 60, 2.0, largest_px=25).mask.sum() <= 25


def test_where_no_mask_is_small_enough_there_is_a_disc() -> None:
    assert _is_disc(grown(_source(_spot(sigma=5.0)), 0, 60, 60, 3.0, largest_px=10), 3.0)


@pytest.mark.parametrize(("radius_px", "is_grown"), [(20, True), (26, False)])
def test_a_mask_has_at_most_a_quarter_of_the_window(radius_px: int, is_grown: bool) -> None:
    rows, columns = np.indices((120, 120)) - 60
    image = np.where(np.hypot(rows, columns) <= radius_px, 100.0, 10.0).astype(np.float32)
    assert _is_disc(grown(_source(image), 0, 60, 60, 3.0), 3.0) != is_grown


@pytest.mark.parametrize(("side", "is_grown"), [(3, True), (2, False)])
def test_a_mask_has_at_least_eight_pixels(side: int, is_grown: bool) -> None:
    image = np.full((120, 120), 10.0, np.float32)
    image[60 : 60 + side, 60 : 60 + side] = 100.0
    assert _is_disc(grown(_source(image), 0, 60, 60, 4.0), 4.0) != is_grown


@pytest.mark.parametrize(("brighter", "is_grown"), [(1.8, True), (2.4, False)])
def test_a_shoulder_of_something_much_brighter_is_not_its_mask(
    brighter: float, is_grown: bool
) -> None:
    image = np.zeros((120, 120), np.float32)
    image[50:71, 56:65] = 100.0
    image[50:71, 65:74] = 100.0 * brighter
    assert _is_disc(grown(_source(image), 0, 60, 59, 3.0), 3.0) != is_grown


def test_others_are_left_out_and_dark_places_get_a_disc() -> None:
    taken = np.zeros((120, 120), int)
    taken[:, 61:] = 7
    patch = grown(_source(_spot(sigma=5.0)), 0, 60, 60, 2.0, taken=taken)
    assert patch.mask.any()
    assert not patch.mask[:, 41:].any()
    assert _is_disc(grown(_source(np.full((120, 120), 5.0)), 0, 60, 60, 2.0), 2.0)
    assert _is_disc(grown(_source(_spot()), 1, 60, 60, 2.0), 2.0)  # after the last frame
    assert _is_disc(grown(None, 0, 60, 60, 2.0), 2.0)
    # all near the click belongs to others
    everywhere = np.ones((120, 120), int)
    assert not grown(_source(_spot()), 0, 60, 60, 2.0, taken=everywhere).mask.any()


@pytest.mark.parametrize(("pixels", "is_cut"), [(7, False), (8, True)])
def test_a_mask_of_eight_pixels_is_cut_in_halves(pixels: int, is_cut: bool) -> None:
    mask = np.zeros((5, 12), bool)
    mask[2, 1 : 1 + pixels] = True
    parts = halves(mask)
    assert (parts is not None) == is_cut
    if parts is not None:
        assert (parts[0] ^ parts[1]).sum() == pixels
        assert parts[0].sum() >= parts[1].sum() >= 2


@pytest.mark.parametrize("is_turned", [False, True])
@pytest.mark.parametrize("waist", [14, 26])
def test_a_mask_is_cut_at_its_waist(waist: int, is_turned: bool) -> None:
    mask = np.zeros((12, 44), bool)
    mask[3:9, 2:42] = True
    mask[:, waist : waist + 3] = False
    mask[5, waist : waist + 3] = True
    larger, smaller = halves(mask.T if is_turned else mask) or (mask, mask)
    ends = waist + 1 - 2, 42 - waist - 2
    assert larger.sum() == pytest.approx(6 * max(ends), abs=9)
    assert smaller.sum() == pytest.approx(6 * min(ends), abs=9)
    assert not (larger & smaller).any()


@pytest.mark.parametrize(
    ("areas_px", "usual"),
    [
        ([np.pi * 25] * 10, (5.0, 2 * np.pi * 25)),
        ([np.pi * 4.1] * 10, (4.1**0.5, 60.0)),
        ([np.pi * 3.9] * 10, (2.0, 60.0)),
        ([31.0] * 10, ((31 / np.pi) ** 0.5, 62.0)),
        ([0.0, np.nan, np.pi * 25], (5.0, 2 * np.pi * 25)),
        (np.linspace(100, 200, 101), ((150 / np.pi) ** 0.5, 2 * 195.0)),
        ([], (4.0, np.inf)),
    ],
)
def test_usual_sizes_are_those_of_the_tracks(areas_px: Any, usual: tuple[float, float]) -> None:
    size_um = 0.1
    tracks = pd.DataFrame({"area_um2": np.asarray(areas_px, float) * size_um**2})
    model = SimpleNamespace(tracks=tracks, scale=SimpleNamespace(per_pixel=size_um))
    mending = Mending(SimpleNamespace(model=model), list)
    assert mending._usual_sizes() == pytest.approx(usual)
    model.tracks = tracks.drop(columns="area_um2")
    assert mending._usual_sizes() == (4.0, np.inf)


def test_measures_of_a_mask_are_its_area_and_extent() -> None:
    tracks = EditableTracks(
        pd.DataFrame(
            {
                "track_id": [1], "frame": [0], "y_px": [0.0], "x_px": [0.0],
                "area_um2": [1.0], "height_um": [1.0], "width_um": [1.0], "label": [4],
            }
        )
    )  # fmt: skip
    masks = SimpleNamespace(by_track=False, new_label=lambda frame: 10 + frame)
    model = SimpleNamespace(tracks=tracks, masks=masks, scale=SimpleNamespace(per_pixel=0.1))
    mending = Mending(SimpleNamespace(model=model), list)
    mask = np.zeros((9, 9), bool)
    mask[2:5, 1:7] = True
    measures = {"area_um2": 0.18, "height_um": 0.3, "width_um": 0.6}
    patch = Patch(3, 20, 30, mask)
    assert mending._measures(patch) == pytest.approx(measures)
    assert mending._measures(patch, is_new=True) == pytest.approx({**measures, "label": 13})
    masks.by_track = True
    assert mending._measures(patch, is_new=True) == pytest.approx(measures)
    assert _middle(patch) == {"y_px": 23.0, "x_px": 33.5}


def test_masks_grow_from_the_brightest_plane_and_from_where_the_image_lies() -> None:
    image = _spot()
    flat = grown(_source(image), 0, 60, 60, 2.0).mask
    assert flat.sum() > 30
    stack = np.stack([np.full_like(image, 10.0), image, np.full_like(image, 10.0)])
    assert (grown(_source(stack), 0, 60, 60, 2.0).mask == flat).all()
    moved = SimpleNamespace(data=_spot(at=(65, 52))[None], offset=(5.0, -8.0))
    assert (grown(moved, 0, 60, 60, 2.0).mask == flat).all()
    for frame in (-1, 1):  # outside of the movie
        assert _is_disc(grown(_source(image), frame, 60, 60, 2.0), 2.0)
    patch = grown(_source(image), 0, 60.6, 59.4, 2.0)
    assert (patch.top, patch.left) == (61 - 40, 59 - 40)
