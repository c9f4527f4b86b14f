"""Scores of one pair: the pinned numbers of the project's notes, properties, and bad input."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from scipy.stats import pearsonr

from napari_virtualstain.errors import InputError
from napari_virtualstain.metrics import (
    bandpass_pearson,
    brightness_jumps,
    foreground_scores,
    fourier_ring_correlation,
    frc_summary,
    histogram,
    intensity_confusion,
    js_divergence,
    kl_divergence,
    mask_iou,
    nrmse,
    pearson,
    psnr,
    ssim,
    ssim_map,
)

ALL = {
    "pearson": pearson,
    "bandpass_pearson": bandpass_pearson,
    "ssim": lambda p, r: ssim(p, r, data_range=1),
    "psnr": lambda p, r: psnr(p, r, data_range=1),
    "kl": kl_divergence,
    "js": js_divergence,
    "nrmse": nrmse,
    "mask_iou": mask_iou,
    "frc": fourier_ring_correlation,
    "foreground": lambda p, r: foreground_scores(p, r, data_range=1),
}


@pytest.fixture(scope="module")
def pair() -> tuple[np.ndarray, np.ndarray]:
    """Return (reference, predicted): two rings of a closed formula, made without randomness."""
    n = 64
    yy, xx = np.mgrid[:n, :n] / n
    a = 0.1 + 0.8 * np.exp(-(((np.hypot(xx - 0.5, yy - 0.5) - 0.25) / 0.04) ** 2))
    b = np.clip(
        0.15
        + 0.7 * np.exp(-(((np.hypot(xx - 0.52, yy - 0.5) - 0.25) / 0.06) ** 2))
        + 0.02 * np.sin(37 * xx) * np.cos(29 * yy),
        0,
        1,
    )
    return a, b


def test_pinned_ssim(pair) -> None:
    a, b = pair
    assert ssim(b, a, data_range=1) == pytest.approx(0.735068, abs=1e-6)
    assert ssim_map(b, a, data_range=1).mean() == pytest.approx(0.770175, abs=1e-6)
    assert ssim(b, a, data_range=np.ptp(a)) == pytest.approx(0.712476, abs=1e-6)
    # SSIM knows no shift of the intensities: on [-1, 1] the luminance term is another
    assert ssim(2 * b - 1, 2 * a - 1, data_range=2) == pytest.approx(0.646192, abs=1e-6)
    assert ssim(*(np.round(255 * x).astype(np.uint8) for x in (b, a)), data_range=255) == (
        pytest.approx(0.734656, abs=2e-4)
    )


def test_pinned_errors_and_correlation(pair) -> None:
    a, b = pair
    assert psnr(b, a, data_range=1) == pytest.approx(18.614937, abs=1e-6)
    assert pearson(b, a) == pytest.approx(0.911493, abs=1e-6)
    assert pearson(b, a) == pytest.approx(pearsonr(a.ravel(), b.ravel()).statistic, abs=1e-12)
    assert nrmse(b, a) * a.std() == pytest.approx(math.sqrt(0.0137564), abs=1e-6)


def test_pinned_divergences(pair) -> None:
    a, b = pair
    unit = {"value_range": (0.0, 1.0)}
    assert kl_divergence(b, a, **unit) == pytest.approx(5.455678, abs=1e-6)
    assert kl_divergence(a, b, **unit) == pytest.approx(2.436047, abs=1e-6)
    assert kl_divergence(b, a, bins=64, **unit) == pytest.approx(5.876208, abs=1e-6)
    assert js_divergence(b, a, **unit) == pytest.approx(0.467684, abs=1e-6)
    joint = intensity_confusion(b, a, bins=8, **unit)
    assert np.trace(joint) == pytest.approx(0.059814, abs=1e-6)
    np.testing.assert_allclose(
        joint * a.size, np.histogram2d(a.ravel(), b.ravel(), bins=8, range=[(0, 1)] * 2)[0]
    )


def test_bandpass_pearson_is_the_difference_of_gaussians_at_80_nm(pair) -> None:
    a, b = pair
    bands = [ndimage.gaussian_filter(x, 1) - ndimage.gaussian_filter(x, 8) for x in (a, b)]
    expected = np.corrcoef(bands[0].ravel(), bands[1].ravel())[0, 1]
    assert bandpass_pearson(b, a) == pytest.approx(expected, abs=1e-12)


def test_bandpass_pearson_keeps_its_physical_size(pair) -> None:
    a, b = (ndimage.gaussian_filter(x, 2) for x in pair)
    fine = bandpass_pearson(*(ndimage.zoom(x, 2, order=1) for x in (b, a)), pixel_size_um=0.04)
    assert fine == pytest.approx(bandpass_pearson(b, a), abs=0.01)


@pytest.mark.parametrize(("pixel_size_um", "sigmas"), [(0.16, (1, 4)), (0.5, (1, 1.28))])
def test_bandpass_pearson_begins_at_one_pixel_where_pixels_are_coarse(
    pair, pixel_size_um, sigmas
) -> None:
    a, b = (ndimage.gaussian_filter(x, 1) for x in pair)
    bands = [np.subtract(*(ndimage.gaussian_filter(x, sigma) for sigma in sigmas)) for x in (a, b)]
    expected = np.corrcoef(bands[0].ravel(), bands[1].ravel())[0, 1]
    assert bandpass_pearson(b, a, pixel_size_um=pixel_size_um) == pytest.approx(expected, abs=1e-9)


def test_bandpass_pearson_has_no_band_from_064_um_on(pair) -> None:
    a, b = pair
    assert math.isfinite(bandpass_pearson(b, a, pixel_size_um=0.63))
    assert math.isnan(bandpass_pearson(b, a, pixel_size_um=0.64))
    assert math.isnan(bandpass_pearson(b, a, pixel_size_um=1.0))


def test_bandpass_pearson_does_not_see_the_envelope() -> None:
    rng = np.random.default_rng(1)
    envelope = ndimage.gaussian_filter(rng.random((128, 128)), 24)
    envelope /= envelope.std()
    textures = [ndimage.gaussian_filter(rng.random((128, 128)), 1.5) for _ in range(2)]
    first, second = (envelope + 0.2 * texture / texture.std() for texture in textures)
    assert pearson(first, second) > 0.95
    assert abs(bandpass_pearson(first, second)) < 0.3


def test_psnr_does_not_wrap_as_uint8_does() -> None:
    truth = np.full((16, 16), 250, np.uint8)
    empty = np.zeros_like(truth)
    wrapped = 10 * np.log10(255**2 / np.mean((truth - empty) ** 2))
    assert wrapped > 30
    assert psnr(empty, truth, data_range=255) == pytest.approx(20 * math.log10(255 / 250))


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", ">u2", "float32"])
def test_the_type_of_the_pixels_changes_nothing(dtype: str) -> None:
    rng = np.random.default_rng(2)
    first, second = rng.integers(0, 120, (2, 24, 24))
    for name, score in ALL.items():
        expected, found = score(first, second), score(first.astype(dtype), second.astype(dtype))
        np.testing.assert_allclose(_numbers(found), _numbers(expected), err_msg=name)


def _numbers(score) -> np.ndarray:
    if isinstance(score, dict):
        return np.array(list(score.values()))
    return np.asarray(score, dtype=float)


def test_noise_against_noise_shows_why_the_range_is_stated() -> None:
    noise = np.random.default_rng(0).normal(0.1, 0.01, (2, 256, 256))
    assert ssim(*noise, data_range=1) > 0.8
    assert ssim(*noise, data_range=0.1) < 0.1
    assert abs(pearson(*noise)) < 0.02
    assert foreground_scores(*noise, data_range=0.1)["foreground_ssim"] < 0.1


def test_identical_images_are_perfect(pair) -> None:
    a, _ = pair
    assert pearson(a, a) == pytest.approx(1)
    assert ssim(a, a, data_range=1) == pytest.approx(1)
    assert psnr(a, a, data_range=1) == math.inf
    assert kl_divergence(a, a) == js_divergence(a, a) == nrmse(a, a) == 0
    assert mask_iou(a, a) == 1
    assert frc_summary(fourier_ring_correlation(a, a)) == pytest.approx(
        {"frc": 1, "frc_size_um": 0.16}
    )


def test_constant_images_have_no_correlation_and_no_mask(pair) -> None:
    a, _ = pair
    flat = np.full_like(a, 0.3)
    for first, second in ((flat, a), (a, flat), (flat, flat)):
        assert math.isnan(pearson(first, second))
        assert math.isnan(bandpass_pearson(first, second))
        assert math.isnan(mask_iou(first, second))
        assert np.isfinite(ssim(first, second, data_range=1))
        assert np.isfinite(kl_divergence(first, second))
    assert math.isnan(nrmse(a, flat))
    assert nrmse(np.full_like(a, a.mean()), a) == pytest.approx(1)
    # this mean is not exactly representable: rounding must not turn into correlation
    assert math.isnan(pearson(np.full((33, 33), 0.1), np.random.default_rng(0).random((33, 33))))


@given(
    gain=st.floats(1e-3, 1e4),
    offset=st.floats(-1e4, 1e4),
    seed=st.integers(0, 2**16),
)
@settings(max_examples=25, deadline=None)
def test_gain_and_offset_do_not_touch_correlation_and_masks(gain, offset, seed) -> None:
    first, second = np.random.default_rng(seed).random((2, 16, 16))
    scaled = gain * first + offset
    assert pearson(scaled, second) == pytest.approx(pearson(first, second), abs=1e-6)
    assert bandpass_pearson(scaled, second) == pytest.approx(
        bandpass_pearson(first, second), abs=1e-6
    )


@given(seed=st.integers(0, 2**16), scale=st.floats(0.01, 1e5))
@settings(max_examples=25, deadline=None)
def test_units_of_intensity_do_not_matter(seed, scale) -> None:
    first, second = np.random.default_rng(seed).random((2, 16, 16))
    big = scale * first, scale * second
    assert ssim(*big, data_range=scale) == pytest.approx(ssim(first, second, data_range=1))
    assert psnr(*big, data_range=scale) == pytest.approx(psnr(first, second, data_range=1))
    assert nrmse(*big) == pytest.approx(nrmse(first, second))


@given(seed=st.integers(0, 2**16))
@settings(max_examples=25, deadline=None)
def test_divergences_see_intensities_and_not_places(seed) -> None:
    rng = np.random.default_rng(seed)
    first, second = rng.random((2, 16, 16))
    shuffled = rng.permutation(first.ravel()).reshape(first.shape)
    for divergence in (kl_divergence, js_divergence):
        assert divergence(shuffled, second) == pytest.approx(divergence(first, second))
        assert divergence(first, second) >= 0
    assert js_divergence(first, second) <= math.log(2)
    assert js_divergence(first, second) == pytest.approx(
        js_divergence(second, first, value_range=tuple(np.percentile(second, (0.1, 99.9))))
    )


def test_histogram_counts_every_pixel_once() -> None:
    values = np.array([-5.0, 0.0, 0.49, 0.5, 1.0, 9.0])
    assert histogram(values, value_range=(0, 1), bins=2).tolist() == [3, 3]


def test_rows_of_the_confusion_say_what_becomes_of_one_intensity() -> None:
    truth, wrong = np.array([[0, 0, 1, 1]]), np.array([[0, 1, 1, 1]])
    rows = intensity_confusion(wrong, truth, value_range=(0, 1), bins=2, per_row=True)
    assert rows.tolist() == [[0.5, 0.5], [0.0, 1.0]]


def test_fourier_ring_correlation_falls_where_noise_takes_over() -> None:
    rng = np.random.default_rng(0)
    scene = ndimage.gaussian_filter(rng.normal(size=(128, 128)), 3)
    noisy = [scene + 0.02 * rng.normal(size=scene.shape) for _ in range(2)]
    curve = fourier_ring_correlation(*noisy, pixel_size_um=0.1)
    assert curve.correlation[:8].min() > 0.9
    assert abs(curve.correlation[40:].mean()) < 0.1
    assert 0.5 < frc_summary(curve)["frc_size_um"] < 1.3
    unrelated = fourier_ring_correlation(*rng.normal(size=(2, 128, 128)))
    assert abs(frc_summary(unrelated)["frc"]) < 0.1


def test_fourier_rings_are_in_physical_units_also_when_the_image_is_not_square() -> None:
    x = np.arange(120) * 0.1
    wave = np.tile(np.sin(2 * np.pi * x / 1.0), (80, 1))  # one period a micrometre
    noise = np.random.default_rng(0).normal(size=(2, *wave.shape))
    curve = fourier_ring_correlation(*(wave + 0.3 * noise), pixel_size_um=0.1)
    best = curve.loc[curve.correlation.idxmax()]
    assert best.frequency_per_um == pytest.approx(1.0, abs=0.13)
    assert curve.frequency_per_um.max() < 1 / (2 * 0.1)


def test_brightness_jumps_ignore_bleaching_and_find_a_jump() -> None:
    movie = np.ones((20, 4, 4)) * np.exp(-np.arange(20) / 40)[:, None, None]
    assert np.nanmax(brightness_jumps(movie)) < 1e-3
    movie[7] *= 1.5
    assert np.nanargmax(brightness_jumps(movie)) == 7
    assert np.isnan(brightness_jumps(movie)[[0, -1]]).all()
    assert np.isnan(brightness_jumps(movie[:2])).all()
    assert np.isnan(brightness_jumps(movie[:1])).all()
    assert brightness_jumps(np.array([2.0, 5.0, 2.0])[:, None, None])[1] == 1


@pytest.mark.parametrize("name", ALL)
def test_bad_images_get_a_plain_message(name: str) -> None:
    score, good = ALL[name], np.random.default_rng(0).random((16, 16))
    with pytest.raises(InputError, match=r"shape \(16, 15\) .* \(16, 16\): expected the same"):
        score(good[:, 1:], good)
    for bad in (math.nan, math.inf):
        broken = good.copy()
        broken[0, 0] = bad
        with pytest.raises(InputError, match="1 NaN or infinite pixels of 256"):
            score(good, broken)
    with pytest.raises(InputError, match="complex128 values: expected real numbers"):
        score(good.astype(complex), good)
    with pytest.raises(InputError, match="at least one pixel"):
        score(good[:0], good[:0])


def test_bad_settings_get_a_plain_message() -> None:
    good = np.random.default_rng(0).random((16, 16))
    with pytest.raises(InputError, match="data range is 0"):
        psnr(good, good, data_range=0)
    with pytest.raises(InputError, match="at least 11 x 11"):
        ssim(good[:5], good[:5], data_range=1)
    with pytest.raises(InputError, match="Colour images"):
        ssim(np.dstack([good] * 3), np.dstack([good] * 3), data_range=1)
    with pytest.raises(InputError, match="pixel size is -1"):
        bandpass_pearson(good, good, pixel_size_um=-1)
    with pytest.raises(InputError, match="low < high"):
        kl_divergence(good, good, value_range=(1, 0))
    with pytest.raises(InputError, match="'sd', 'range' or 'euclidean'"):
        nrmse(good, good, normalisation="max")


def test_foreground_pearson_looks_inside_the_mask_only() -> None:
    """Right outside the mask and noise inside it: high over the whole image, none within."""
    rng = np.random.default_rng(0)
    reference = rng.normal(0, 0.02, (64, 64))
    reference[20:44, 20:44] += 1
    predicted = reference.copy()
    predicted[20:44, 20:44] = 1 + rng.normal(0, 0.05, (24, 24))
    scores = foreground_scores(predicted, reference, data_range=1)
    assert scores["foreground_fraction"] == pytest.approx(24 * 24 / 64**2)
    assert np.corrcoef(predicted.ravel(), reference.ravel())[0, 1] > 0.9
    inside = np.corrcoef(predicted[20:44, 20:44].ravel(), reference[20:44, 20:44].ravel())[0, 1]
    assert scores["foreground_pearson"] == pytest.approx(inside)
    assert abs(scores["foreground_pearson"]) < 0.2


@pytest.mark.parametrize(("third", "size_um"), [(0.14286, 1 / 3), (0.14285, 1 / 2)])
def test_the_resolved_size_ends_where_the_correlation_falls_below_a_seventh(
    third: float, size_um: float
) -> None:
    frequency = np.array([1.0, 2.0, 3.0, 4.0])
    curve = pd.DataFrame(
        {
            "frequency_per_um": frequency,
            "size_um": 1 / frequency,
            "correlation": [1.0, 0.5, third, 0.0],
        }
    )
    assert frc_summary(curve)["frc_size_um"] == pytest.approx(size_um)


@pytest.mark.parametrize(
    ("correlation", "size_um"), [([0.1, 0.1], math.nan), ([0.9, 0.1], 1.0), ([0.9, 0.9], 0.25)]
)
def test_the_resolved_size_is_none_below_a_seventh_and_nyquists_above(
    correlation: list[float], size_um: float
) -> None:
    """Two rings whose middles are at 1 and 3 periods a micrometre end at 4."""
    frequency = np.array([1.0, 3.0])
    curve = pd.DataFrame(
        {"frequency_per_um": frequency, "size_um": 1 / frequency, "correlation": correlation}
    )
    assert frc_summary(curve)["frc_size_um"] == pytest.approx(size_um, nan_ok=True)


@pytest.mark.parametrize(("by", "scale"), [("sd", 2.0), ("range", 4.0), ("euclidean", 20**0.5)])
def test_the_error_is_over_spread_range_or_size(by: str, scale: float) -> None:
    reference = np.array([[2.0, 6.0]])
    assert nrmse(reference + 3, reference, normalisation=by) == pytest.approx(3 / scale)
