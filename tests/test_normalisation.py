"""Normalisation: inverse, invariances, degenerate frames."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from napari_virtualstain.errors import InputError
from napari_virtualstain.normalisation import (
    SAMPLED_FRAMES,
    ComputedOnce,
    FittedNormalisation,
    Normalisation,
    spread_evenly,
)

KINDS = ["none", "fixed", "mean_sd", "median_sd", "median_mad", "percentile"]
FITTED = KINDS[2:]


@pytest.mark.parametrize("kind", KINDS)
@given(seed=st.integers(0, 99), gain=st.floats(0.01, 300), offset=st.floats(-1e4, 1e4))
@settings(max_examples=25)
def test_invert_undoes_apply(kind: str, seed: int, gain: float, offset: float) -> None:
    movie = np.random.default_rng(seed).normal(offset, gain, (2, 9, 7))
    fitted = Normalisation(kind=kind, offset=5.0, scale=2.0).fit(movie)
    again = fitted.invert(fitted.apply(movie))
    np.testing.assert_allclose(again, movie, rtol=1e-5, atol=1e-4 * gain + 1e-3)


@pytest.mark.parametrize("kind", FITTED)
@given(seed=st.integers(0, 99), gain=st.floats(0.1, 100), offset=st.floats(-1e3, 1e3))
@settings(max_examples=25)
def test_camera_gain_and_offset_do_not_matter(
    kind: str, seed: int, gain: float, offset: float
) -> None:
    movie = np.random.default_rng(seed).gamma(2.0, 1.0, (2, 9, 7))
    other = gain * movie + offset
    rule = Normalisation(kind=kind)
    np.testing.assert_allclose(
        rule.fit(other).apply(other), rule.fit(movie).apply(movie), atol=2e-3
    )


def test_values_against_numpy() -> None:
    x = np.random.default_rng(0).gamma(2.0, 30.0, (40, 50)).astype(np.uint16)
    robust = 1.4826 * np.median(np.abs(x - np.median(x)))
    expected = {
        "mean_sd": (x.mean(), x.std()),
        "median_sd": (np.median(x), x.std()),
        "median_mad": (np.median(x), robust),
        "percentile": (np.percentile(x, 1), np.percentile(x, 99) - np.percentile(x, 1)),
    }
    for kind, (offset, scale) in expected.items():
        fitted = Normalisation(kind=kind).fit(x)
        assert (fitted.offset, fitted.scale) == pytest.approx((offset, scale))


@pytest.mark.parametrize("kind", FITTED)
@pytest.mark.parametrize("value", [0.0, 65535.0, -3.7])
def test_constant_frames_become_zero_and_say_so(kind: str, value: float) -> None:
    frame = np.full((8, 8), value)
    fitted = Normalisation(kind=kind).fit(frame)
    assert fitted.constant
    assert np.abs(fitted.apply(frame)).max() < 1e-6


def test_nan_and_infinity_are_left_out_of_the_fit() -> None:
    frame = np.arange(64.0).reshape(8, 8)
    holed = frame.copy()
    holed[0, 0], holed[7, 7] = np.nan, np.inf
    rule = Normalisation(kind="median_mad")
    assert rule.fit(holed).offset == pytest.approx(rule.fit(frame).offset, abs=1)
    with pytest.raises(InputError, match="no finite value"):
        rule.fit(np.full((3, 3), np.nan))
    with pytest.raises(InputError, match="no finite value"):
        rule.fit([])


def test_sparse_frame_does_not_blow_up() -> None:
    frame = np.zeros((32, 32))
    frame[3, 4] = 100.0
    fitted = Normalisation(kind="median_mad").fit(frame)
    assert np.abs(fitted.apply(frame)).max() < 100


def test_movie_as_array_as_list_and_as_generator_agree() -> None:
    movie = np.random.default_rng(1).normal(size=(3, 20, 20))
    rule = Normalisation(kind="mean_sd")
    assert rule.fit(movie) == rule.fit(list(movie)) == rule.fit(frame for frame in movie)


def test_large_frames_are_sampled_closely_enough() -> None:
    frame = np.random.default_rng(2).normal(100, 7, (1024, 1024))
    fitted = Normalisation(kind="mean_sd").fit(frame)
    assert (fitted.offset, fitted.scale) == pytest.approx((100, 7), rel=0.01)


@pytest.mark.parametrize("side", [256, 1024, 2048])
def test_stripes_do_not_hide_between_the_sampled_pixels(side: int) -> None:
    frame = np.zeros((side, side))
    frame[:, ::2] = 100
    fitted = Normalisation(kind="mean_sd").fit(frame)
    assert (fitted.offset, fitted.scale) == pytest.approx((50, 50), rel=0.01)


def test_percentiles_must_be_ordered() -> None:
    with pytest.raises(ValidationError, match="below"):
        Normalisation(kind="percentile", low=90, high=10)


def _raw(frames: int = 6, seed: int = 0) -> np.ndarray:
    """Return raw camera frames: a contrast of 3 % on a level of 20,000."""
    return 20_000 * (1 + 0.03 * np.random.default_rng(seed).normal(size=(frames, 32, 32)))


@pytest.mark.parametrize("kind", FITTED)
def test_a_level_of_each_frame_and_one_scale(kind: str) -> None:
    steady = _raw()
    jumping = steady + np.array([0, 5000, -3000, 900, -7000, 40])[:, None, None]
    rule = Normalisation(kind=kind)
    expected = rule.fit(steady).apply_to_planes(steady)
    np.testing.assert_allclose(rule.fit(jumping).apply_to_planes(jumping), expected, atol=1e-3)


@pytest.mark.parametrize("kind", FITTED)
def test_a_lamp_that_flickers_leaves_nine_tenths_of_the_contrast(kind: str) -> None:
    steady, rule = _raw(), Normalisation(kind=kind)
    lamp = (1 + 0.1 * np.array([1, -1, 1, -1, 1, -1]))[:, None, None]
    fitted = rule.fit(steady * lamp)
    contrast = fitted.apply_to_planes(steady * lamp).std((1, 2))
    expected = rule.fit(steady).apply_to_planes(steady).std((1, 2))
    assert np.mean(contrast / expected) > 0.95
    assert ((contrast / expected > 0.86) & (contrast / expected < 1.14)).all()


@pytest.mark.parametrize("kind", ["mean_sd", "median_sd", "median_mad"])
@pytest.mark.parametrize("odd", ["black", "white", "half saturated", "constant", "debris"])
def test_odd_frames_do_not_count(kind: str, odd: str) -> None:
    movie = _raw(7)
    rest = np.delete(movie, 3, axis=0)
    if odd == "black":
        movie[3] = np.random.default_rng(1).normal(100, 2, (32, 32))
    elif odd == "half saturated":
        movie[3] = np.where(movie[3] > 20_000, 65_535, movie[3])
    elif odd == "debris":
        movie[3] = 20_000 + 20 * (movie[3] - 20_000)
    else:
        movie[3] = 65_535 if odd == "white" else 20_000
    rule = Normalisation(kind=kind)
    fitted, expected = rule.fit(movie), rule.fit(rest)
    assert fitted.scale == pytest.approx(expected.scale, rel=0.05)
    assert fitted.offset == pytest.approx(expected.offset, abs=0.1 * expected.scale)


def test_where_most_frames_are_dark_the_bright_ones_count() -> None:
    movie = _raw(6)
    movie[::2] = np.random.default_rng(1).normal(100, 2, (3, 32, 32))
    movie[1] = np.random.default_rng(2).normal(100, 2, (32, 32))
    assert Normalisation(kind="mean_sd").fit(movie).scale == pytest.approx(600, rel=0.05)


@pytest.mark.parametrize(("contrast", "counts"), [(0.22, False), (0.28, True)])
def test_a_dim_frame_is_dark_below_a_quarter_of_the_contrast(contrast: float, counts: bool) -> None:
    bright, dim = _raw(1)[0], 100 + contrast * (_raw(1, 1)[0] - 20_000)
    spread = Normalisation(kind="mean_sd").fit(np.stack([bright, dim])).scale
    expected = (bright.std() + dim.std()) / 2 if counts else bright.std()
    assert spread == pytest.approx(expected)


def test_one_frame_of_great_contrast_makes_no_dark_frame_count() -> None:
    usual, dark = _raw(1), 0.01 * _raw(1, 1)
    double, glaring = (20_000 + times * (_raw(1, 2) - 20_000) for times in (2, 100))
    fitted = Normalisation(kind="mean_sd").fit(np.concatenate([usual, double, glaring, dark]))
    assert fitted.scale == pytest.approx(double.std())


@pytest.mark.parametrize(("depth", "counts"), [(1.8, True), (2.2, False)])
def test_a_flat_frame_is_dark_two_contrasts_below_the_others(depth: float, counts: bool) -> None:
    bright = _raw(2)
    flat = 20_000 + 0.1 * (_raw(1, 1)[0] - 20_000) - depth * 600
    spreads = [*bright.std((1, 2)), flat.std()]
    fitted = Normalisation(kind="mean_sd").fit(np.stack([*bright, flat]))
    expected = np.median(spreads) if counts else np.mean(spreads[:2])
    assert fitted.scale == pytest.approx(expected)


@pytest.mark.parametrize(("share", "counts"), [(0.2, True), (0.3, False)])
def test_a_frame_is_clipped_from_a_quarter_of_its_pixels(share: float, counts: bool) -> None:
    whole, clipped = _raw(1)[0], _raw(1, 1)[0]
    clipped = np.minimum(clipped, np.quantile(clipped, 1 - share))
    spread = Normalisation(kind="mean_sd").fit(np.stack([whole, clipped])).scale
    expected = (whole.std() + clipped.std()) / 2 if counts else whole.std()
    assert spread == pytest.approx(expected)


def test_frames_that_are_all_clipped_are_used_all_the_same() -> None:
    frame = np.zeros((10, 10))
    frame[::3] = 50
    assert not Normalisation(kind="mean_sd").fit(np.stack([frame, frame])).constant


def test_the_range_of_fluorescence_is_that_of_the_frames_that_hold_some() -> None:
    movie = np.random.default_rng(0).normal(100, 2, (10, 64, 64))
    movie[:3, 20:40, 20:40] += 1000
    fitted = Normalisation(kind="percentile", low=10, high=99.8).fit(movie)
    assert fitted.scale == pytest.approx(1000, rel=0.02)


def test_noise_of_whole_numbers_does_not_make_the_level_flicker() -> None:
    rng = np.random.default_rng(0)
    frames = np.round(rng.normal(66.5, 8.0, (40, 256, 256))).astype(np.uint8)
    fitted = Normalisation(kind="median_mad").fit(frames)
    levels = np.array([fitted.for_plane(frame).offset for frame in frames])
    assert levels.std() < 0.01 * fitted.scale
    assert np.median(frames, axis=(1, 2)).std() > 5 * levels.std()  # what it would be without


@given(seed=st.integers(0, 99), gain=st.floats(0.1, 100), offset=st.floats(-1e3, 1e3))
@settings(max_examples=25)
def test_levels_follow_gain_and_offset(seed: int, gain: float, offset: float) -> None:
    frame = np.random.default_rng(seed).integers(0, 12, (9, 7)).astype(float)
    rule = Normalisation(kind="median_sd")
    level = rule.fit(frame).level
    assert rule.fit(gain * frame + offset).level == pytest.approx(gain * level + offset, abs=1e-6)


def test_a_plane_without_a_number_has_the_offset_of_the_movie() -> None:
    fitted = Normalisation(kind="mean_sd").fit(_raw())
    assert fitted.for_plane(np.full((4, 4), np.nan)).offset == fitted.offset


def test_a_lazy_normalisation_is_fitted_once_and_travels_as_numbers() -> None:
    calls: list[int] = []

    def fit() -> FittedNormalisation:
        calls.append(1)
        return FittedNormalisation(3.0, 2.0)

    lazy = ComputedOnce(fit)
    assert not calls
    again = pickle.loads(pickle.dumps(lazy))
    assert again.value == lazy.value == FittedNormalisation(3.0, 2.0)
    assert calls == [1]


def test_samples_reach_from_the_first_to_the_last() -> None:
    assert spread_evenly(4, 10) == [0, 3, 6, 9]
    assert spread_evenly(16, 3) == [0, 1, 2]
    assert len(set(spread_evenly(SAMPLED_FRAMES, 1000))) == 16


@pytest.mark.parametrize("kind", FITTED)
def test_a_movie_of_one_whole_numbered_frame_has_the_offset_of_the_frame(kind: str) -> None:
    frame = np.random.default_rng(0).integers(60, 73, (32, 33)).astype(np.uint8)
    fitted = Normalisation(kind=kind).fit(frame)
    assert fitted.for_plane(frame).offset == pytest.approx(fitted.offset, abs=1e-9)


@pytest.mark.parametrize("level", [1e4, -1e4])
@pytest.mark.parametrize(("deviation", "is_constant"), [(2e-3, False), (5e-4, True)])
def test_a_spread_below_the_rounding_of_32_bits_is_none(
    level: float, deviation: float, is_constant: bool
) -> None:
    frame = level + deviation * (-1.0) ** np.add.outer(np.arange(16), np.arange(16))
    assert Normalisation(kind="mean_sd").fit(frame[None]).constant == is_constant


@pytest.mark.parametrize(("deviation", "is_constant"), [(1.2e-7, False), (0.8e-7, True)])
def test_a_spread_around_nought_is_none_below_the_rounding_of_one(
    deviation: float, is_constant: bool
) -> None:
    frame = 0.01 + deviation * (-1.0) ** np.add.outer(np.arange(16), np.arange(16))
    assert Normalisation(kind="mean_sd").fit(frame[None]).constant == is_constant


@pytest.mark.parametrize(
    ("kind", "level"), [("mean_sd", np.mean), ("median_mad", np.median), ("percentile", None)]
)
def test_the_level_of_a_plane_is_its_mean_median_or_low_percentile(kind: str, level) -> None:
    frames = np.random.default_rng(0).gamma(1.0, 20.0, (4, 64, 64))
    fitted = Normalisation(kind=kind, low=10.0, high=99.0).fit(frames)
    other = np.random.default_rng(1).gamma(0.5, 30.0, (64, 64))
    moved = (fitted.for_plane(other + 7).offset - fitted.for_plane(other).offset) / 7
    assert moved == pytest.approx(1, rel=1e-3)
    levels = [float(level(f) if level else np.percentile(f, 10)) for f in (other, *frames)]
    expected = fitted.offset + levels[0] - np.median(levels[1:])
    assert fitted.for_plane(other).offset == pytest.approx(expected, rel=0.02)
