"""Normalisation: inverse, invariances, degenerate frames."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from napari_virtualstain.errors import InputError
from napari_virtualstain.normalisation import Normalisation

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


def test_percentiles_must_be_ordered() -> None:
    with pytest.raises(ValidationError, match="below"):
        Normalisation(kind="percentile", low=90, high=10)
