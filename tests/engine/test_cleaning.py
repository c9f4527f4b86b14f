from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_virtualstain.engine.cleaning import fill_non_finite
from napari_virtualstain.engine.resampling import resample, resampled_shape
from napari_virtualstain.errors import InputError


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 999), share=st.floats(0, 1))
def test_filled_pixels_lie_within_their_finite_surroundings(seed: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    plane = rng.normal(1000, 5, (24, 30))
    missing = rng.random(plane.shape) < share
    plane[missing] = rng.choice([np.nan, np.inf, -np.inf], missing.sum())
    filled, count = fill_non_finite(plane, fallback=1000.0)
    assert count == missing.sum()
    assert np.isfinite(filled).all()
    np.testing.assert_allclose(filled[~missing], plane[~missing])
    if not missing.all():
        assert filled.min() >= plane[~missing].min() - 1e-6
        assert filled.max() <= plane[~missing].max() + 1e-6


def test_a_finite_plane_is_not_copied() -> None:
    plane = np.ones((4, 4))
    assert fill_non_finite(plane)[0] is plane


def test_resampling_there_and_back_keeps_smooth_images_in_place() -> None:
    y, x = np.mgrid[:60, :80].astype(np.float32)
    image = np.sin(y / 9) + np.cos(x / 7)
    for size in (0.05, 0.08, 0.13):
        shape = resampled_shape(image.shape, size, 0.08)
        back = resample(resample(image, shape), image.shape)
        assert np.abs(back - image)[4:-4, 4:-4].max() < 0.02


def test_nearly_equal_pixel_sizes_are_left_alone() -> None:
    assert resampled_shape((60, 80), 0.081, 0.08) == (60, 80)


def test_a_dead_pixel_gets_the_value_of_its_neighbours_and_not_of_the_wider_field() -> None:
    ramp = np.add.outer(np.arange(40.0) ** 2, np.zeros(40))
    holed = ramp.copy()
    holed[30, 20] = np.nan
    filled, count = fill_non_finite(holed)
    assert count == 1
    assert abs(filled[30, 20] - ramp[30, 20]) < 3  # rows differ by 60, the field by 1500


@pytest.mark.parametrize(("reach", "least"), [(2, 95), (10, 95), (30, 30)])
def test_a_gap_gets_the_nearest_values_that_the_narrowest_width_reaches(
    reach: int, least: float
) -> None:
    # a rim of 100 four pixels wide around a gap in a field of 0, of which little must be seen:
    # with 4 pixels for 1, 8 for 4 or 32 for 16 the middle would be half as bright
    plane = np.zeros((141, 141))
    plane[66 - reach : 75 + reach, 66 - reach : 75 + reach] = 100.0
    plane[70 - reach : 71 + reach, 70 - reach : 71 + reach] = np.nan
    filled, _ = fill_non_finite(plane)
    assert filled[70, 70] > least


@pytest.mark.parametrize(("reach", "filled_with"), [(50, 100.0), (70, 7.0)])
def test_pixels_without_a_finite_one_within_about_60_get_the_fallback(
    reach: int, filled_with: float
) -> None:
    plane = np.full((161, 161), 100.0)
    plane[80 - reach : 81 + reach, 80 - reach : 81 + reach] = np.nan
    filled, _ = fill_non_finite(plane, fallback=7.0)
    assert filled[80, 80] == pytest.approx(filled_with)


@pytest.mark.parametrize(("size_um", "side"), [(0.0815, 100), (0.0785, 100), (0.083, 104)])
def test_pixel_sizes_within_two_per_cent_count_as_equal(size_um: float, side: int) -> None:
    assert resampled_shape((100, 100), size_um, 0.08) == (side, side)


@pytest.mark.parametrize(("factor", "side"), [(15.9, 159), (1 / 15.9, 1)])
def test_sizes_up_to_sixteen_times_apart_are_bridged(factor: float, side: int) -> None:
    assert resampled_shape((10, 10), factor * 0.08, 0.08) == (side, side)
    with pytest.raises(InputError, match="at most 16 times can be bridged"):
        resampled_shape((10, 10), factor**1.01 * 0.08, 0.08)
