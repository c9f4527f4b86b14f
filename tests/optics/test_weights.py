"""Weight maps: what each promises, on simulated targets and on the real ones."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage
from skimage.filters import threshold_otsu
from skimage.io import imread

from napari_virtualstain.errors import InputError
from napari_virtualstain.optics import (
    gibson_lanni_psf,
    richardson_lucy,
    subtract_background,
    weight_map,
)

KINDS = ["psf_deconvolution", "psf_convolution", "gaussian", "logit", "binary", "none"]


@pytest.fixture(scope="module")
def target() -> np.ndarray:
    """A noisy target with a camera offset."""
    rng = np.random.default_rng(5)
    truth = np.zeros((70, 80))
    truth[20, 10:60] = truth[30:60, 50] = 400
    return rng.poisson(ndimage.gaussian_filter(truth, 1.5) + 30).astype(np.uint16)


@pytest.mark.parametrize("kind", KINDS)
def test_a_map_lies_between_0_and_1_and_favours_the_bright(target, kind: str) -> None:
    found = weight_map(target, kind)
    assert found.shape == target.shape
    assert found.dtype == np.float32
    assert found.min() >= 0
    assert found.max() <= 1
    bright = target > threshold_otsu(target)
    if kind == "none":
        assert (found == 1).all()
    else:
        assert found[bright].mean() > 1.4 * found[~bright].mean()


def test_the_default_is_equation_2_of_the_paper(target) -> None:
    restored = richardson_lucy(target, gibson_lanni_psf(), iterations=20)
    np.testing.assert_allclose(weight_map(target), restored / restored.max(), atol=1e-4)


def test_one_iteration_of_deconvolution_is_the_convolution(target) -> None:
    one, two = weight_map(target, iterations=1), weight_map(target, "psf_convolution")
    np.testing.assert_allclose(one, two, atol=1e-5)


def test_convolution_and_gaussian_are_those_of_scipy(target) -> None:
    psf = gibson_lanni_psf(wavelength_um=0.608)
    line = np.exp(-0.5 * np.arange(-2, 3) ** 2.0)
    for kind, kernel in (("psf_convolution", psf), ("gaussian", np.outer(line, line))):
        blurred = ndimage.convolve(target.astype(float), kernel / kernel.sum(), mode="reflect")
        found = weight_map(target, kind, psf=psf)
        np.testing.assert_allclose(found, blurred / blurred.max(), atol=1e-5)


def test_eight_bits_have_the_threshold_of_their_own_histogram() -> None:
    image = np.random.default_rng(0).gamma(2, 18, (90, 90)).clip(0, 255).astype(np.uint8)
    assert np.array_equal(weight_map(image, "binary") > 0.5, image > threshold_otsu(image))


def test_binary_and_logit_turn_at_otsus_threshold(target) -> None:
    bright = target > threshold_otsu(target)
    assert np.array_equal(weight_map(target, "binary") > 0.5, bright)
    assert np.array_equal(weight_map(target, "logit") > 0.5, bright)


def test_subtracting_the_background_is_the_strong_lever(target) -> None:
    def contrast(**settings) -> float:
        found = weight_map(target, **settings)
        bright = target > threshold_otsu(target)
        return float(found[bright].mean() / found[~bright].mean())

    plain = contrast()
    for background in ("percentile", "local", 25.0):
        assert contrast(background=background) > 1.5 * plain


def test_a_robust_maximum_is_not_dimmed_by_one_hot_pixel(target) -> None:
    hot = target.copy()
    hot[5, 5] = 60000
    dim, robust = weight_map(hot), weight_map(hot, maximum="robust")
    assert np.median(dim) < 0.01
    assert np.median(robust) > 5 * np.median(dim)
    assert robust.max() == 1


def test_a_robust_maximum_passes_over_a_thousandth_of_the_pixels() -> None:
    """Of 10,000 pixels the ten brightest: five hot ones are cut, fifty bright ones count."""
    image = np.full((100, 100), 10.0)
    image[20, 20:70] = 100.0
    image[60, 10:15] = 1000.0
    point = np.zeros((3, 3))
    point[1, 1] = 1
    found = weight_map(image, psf=point, maximum="robust")
    np.testing.assert_allclose(found[20, 20:70], 1, rtol=1e-3)
    np.testing.assert_allclose(found[60, 10:15], 1)
    np.testing.assert_allclose(found[80], 0.1, rtol=1e-3)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("floor", [0.05, 0.5, 1.0])
def test_the_floor_holds(target, kind: str, floor: float) -> None:
    found = weight_map(target, kind, floor=floor)
    assert found.min() >= np.float32(floor) - 1e-7
    assert found.max() <= 1


@pytest.mark.parametrize("kind", KINDS)
def test_mean_normalisation_gives_mean_one(target, kind: str) -> None:
    found = weight_map(target, kind, normalise="mean")
    assert found.mean(dtype=float) == pytest.approx(1, abs=1e-5)
    plain = weight_map(target, kind)
    np.testing.assert_allclose(found * plain.mean(dtype=float), plain, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_maps_may_be_flipped_and_turned_with_the_image(target, kind: str) -> None:
    found = weight_map(target, kind)
    for turn in (np.flipud, np.fliplr, np.rot90):
        turned = weight_map(np.ascontiguousarray(turn(target)), kind)
        np.testing.assert_allclose(turned, turn(found), atol=1e-4)


@pytest.mark.parametrize("kind", ["psf_deconvolution", "psf_convolution", "gaussian"])
@pytest.mark.parametrize("maximum", ["max", "robust"])
def test_the_unit_of_the_intensities_does_not_count(target, kind: str, maximum: str) -> None:
    found = weight_map(target, kind, maximum=maximum)
    dim = weight_map(1e-4 * target, kind, maximum=maximum)
    np.testing.assert_allclose(dim, found, atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_each_image_of_a_batch_has_its_own_map(target, kind: str) -> None:
    batch = np.stack([target, target * 3])
    found = weight_map(batch, kind)
    np.testing.assert_allclose(found[0], weight_map(target, kind), atol=1e-6)
    np.testing.assert_allclose(found[1], found[0], atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("value", [0, 40])
def test_empty_and_constant_images_give_finite_maps(kind: str, value: int) -> None:
    flat = np.full((32, 32), value, np.uint8)
    for background in (None, "percentile", "local"):
        for normalise in ("max", "mean"):
            found = weight_map(flat, kind, background=background, normalise=normalise)
            assert np.isfinite(found).all()
    if value and kind.startswith("psf"):
        np.testing.assert_allclose(weight_map(flat, kind), 1, atol=1e-5)
    if not value and kind.startswith("psf"):
        assert (weight_map(flat, kind) == 0).all()


def test_a_local_background_takes_a_slope_away() -> None:
    slope = np.linspace(100, 300, 120)[None].repeat(90, axis=0)
    bumpy = slope.copy()
    bumpy[40:44, 20:24] += 80
    found = subtract_background(bumpy, "local", radius_px=15)
    assert found[40:44, 20:24].mean() > 3 * np.median(found)
    assert (found >= 0).all()


def test_percentiles_from_0_to_100_are_the_darkest_to_the_brightest_pixel(target) -> None:
    for percentile, level in ((0, target.min()), (100, target.max())):
        found = subtract_background(target.astype(float), "percentile", percentile=percentile)
        np.testing.assert_array_equal(found, np.maximum(target - float(level), 0))


def test_the_radius_of_a_local_background_is_any_number_from_one_pixel_on(target) -> None:
    for radius_px in (1, 1.2, 15.7):
        found = subtract_background(target.astype(float), "local", radius_px=radius_px)
        assert 0 <= found.min() < found.max() < target.max()
    with pytest.raises(InputError, match=r"radius is 0\.9 pixels: expected at least 1"):
        subtract_background(target.astype(float), "local", radius_px=0.9)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kind": "sigmoid"}, "kind is 'sigmoid': expected one of psf_deconvolution"),
        ({"maximum": "mean"}, "maximum is 'mean'"),
        ({"normalise": "sum"}, "normalise is 'sum'"),
        ({"floor": -0.1}, "floor is -0.1"),
        ({"floor": 1.01}, "floor is 1.01"),
        ({"floor": float("nan")}, "floor is nan"),
        ({"background": "rolling ball"}, "'percentile', 'local' or None"),
        ({"background": float("nan")}, "background is nan"),
        ({"background": "percentile", "background_percentile": 100.1}, "percentile is 100.1"),
        ({"background": "percentile", "background_percentile": -0.1}, "percentile is -0.1"),
        ({"kind": "gaussian", "sigma_px": 0}, "sigma_px is 0"),
        ({"psf": np.ones((4, 4))}, "odd number"),
        ({"iterations": 0}, "iterations is 0"),
    ],
)
def test_bad_settings_are_named(settings, message: str) -> None:
    with pytest.raises(InputError, match=message):
        weight_map(np.ones((8, 8)), **settings)


def test_a_bad_pixel_is_an_error_for_every_kind() -> None:
    image = np.ones((8, 8))
    image[2, 2] = np.nan
    for kind in KINDS:
        with pytest.raises(InputError, match="1 pixels that are NaN"):
            weight_map(image, kind)


def test_on_real_targets_the_maps_have_the_measured_statistics(real_data) -> None:
    """Ratio of the mean weight on mitochondria to that elsewhere (notes on the data)."""
    files = sorted(real_data("h9c2_pairs/fluorescence").glob("*.png"))[::8]
    images = np.stack([imread(file) for file in files])
    psf = gibson_lanni_psf(wavelength_um=0.608)
    bright = np.stack([image > threshold_otsu(image) for image in images])

    def ratio(kind: str, **settings) -> float:
        found = weight_map(images, kind, psf=psf, **settings)
        return float(np.mean([w[b].mean() / w[~b].mean() for w, b in zip(found, bright)]))  # noqa: B905

    plain = ratio("psf_deconvolution", iterations=20)
    assert 2.5 < plain < 5.5
    assert ratio("psf_convolution") < plain
    assert ratio("psf_deconvolution", iterations=10, background="percentile") > 1.5 * plain


def test_the_logit_map_falls_by_one_standard_deviation_per_unit(target) -> None:
    found = weight_map(target, "logit").astype(float)
    expected = (target.astype(float) - threshold_otsu(target)) / target.std()
    np.testing.assert_allclose(np.log(found / (1 - found)), expected, atol=0.01)
