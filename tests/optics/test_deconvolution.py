"""Richardson-Lucy: the properties that its mathematics promises, and a slow reference."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from skimage.restoration import richardson_lucy as skimage_richardson_lucy

from napari_virtualstain.errors import InputError
from napari_virtualstain.optics import gibson_lanni_psf, richardson_lucy
from napari_virtualstain.optics.blur import make_blur

PSF = gibson_lanni_psf()


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    """Blurred lines and dots with shot noise on a dark background."""
    rng = np.random.default_rng(3)
    truth = np.zeros((61, 74))
    truth[10, 5:40] = truth[20:50, 66] = 300
    truth[rng.integers(0, 61, 25), rng.integers(0, 74, 25)] = 600
    return rng.poisson(ndimage.convolve(truth, PSF, mode="reflect") + 2).astype(float)


def _likelihood(observed: np.ndarray, estimate: np.ndarray) -> float:
    model = ndimage.convolve(estimate, PSF, mode="reflect")
    return float((observed * np.log(model) - model).sum())


def _skewed() -> np.ndarray:
    return np.random.default_rng(1).uniform(size=(5, 3))


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (3, 40), (64, 50), (301, 310)])
@pytest.mark.parametrize(
    "kernel",
    [np.ones((1, 1)), np.ones((1, 3)), PSF, gibson_lanni_psf(size=9), gibson_lanni_psf(size=13)],
    ids=["1x1", "1x3", "5x5", "9x9", "13x13"],
)
def test_every_blur_is_a_convolution_with_mirrored_borders(
    shape: tuple[int, int], kernel: np.ndarray
) -> None:
    kernel = kernel / kernel.sum()
    image = np.random.default_rng(0).uniform(size=shape)
    out = np.empty(shape)
    blur = make_blur(kernel, shape, image.dtype)
    blur.source[...] = image
    blur.forward(out)
    np.testing.assert_allclose(out, ndimage.convolve(image, kernel, mode="reflect"), atol=1e-14)


def test_the_blur_of_a_skewed_kernel_and_its_adjoint() -> None:
    kernel, image = _skewed(), np.random.default_rng(0).uniform(size=(20, 31))
    out = np.empty_like(image)
    blur = make_blur(kernel, image.shape, image.dtype)
    blur.source[...] = image
    blur.forward(out)
    np.testing.assert_allclose(out, ndimage.convolve(image, kernel, mode="reflect"), atol=1e-13)
    blur.adjoint(out)
    np.testing.assert_allclose(out, ndimage.correlate(image, kernel, mode="reflect"), atol=1e-13)


@pytest.mark.parametrize("iterations", [1, 2, 20])
@pytest.mark.parametrize("size", [5, 13])
def test_it_is_the_textbook_iteration(picture: np.ndarray, iterations: int, size: int) -> None:
    psf = gibson_lanni_psf(size=size)
    expected = np.full(picture.shape, picture.mean())
    for _ in range(iterations):
        ratio = picture / ndimage.convolve(expected, psf, mode="reflect")
        expected = expected * ndimage.correlate(ratio, psf, mode="reflect")
    np.testing.assert_allclose(
        richardson_lucy(picture, psf, iterations=iterations), expected, rtol=1e-9, atol=1e-9
    )


def test_away_from_the_border_it_agrees_with_skimage(picture: np.ndarray) -> None:
    ours = richardson_lucy(picture, PSF, iterations=5)
    theirs = skimage_richardson_lucy(picture, PSF, num_iter=5, clip=False)
    inner = (slice(25, -25), slice(25, -25))
    np.testing.assert_allclose(ours[inner], theirs[inner], rtol=1e-6)


def test_its_rim_is_as_bright_as_the_inside_where_that_of_skimage_is_dark() -> None:
    flat = np.random.default_rng(0).poisson(100, (64, 64)).astype(float)
    rim = np.ones_like(flat, bool)
    rim[1:-1, 1:-1] = False
    ours = richardson_lucy(flat, PSF, iterations=30)
    theirs = skimage_richardson_lucy(flat, PSF, num_iter=30, clip=False)
    assert ours[rim].mean() / ours[~rim].mean() == pytest.approx(1, abs=0.1)
    assert theirs[rim].mean() / theirs[~rim].mean() < 0.5


@pytest.mark.parametrize("iterations", [1, 10, 100])
@pytest.mark.parametrize("size", [5, 13])
def test_flux_is_kept_and_nothing_is_negative(
    picture: np.ndarray, iterations: int, size: int
) -> None:
    found = richardson_lucy(picture, gibson_lanni_psf(size=size), iterations=iterations)
    assert found.sum() == pytest.approx(picture.sum(), rel=1e-9)
    assert (found >= 0).all()


@pytest.mark.parametrize("value", [0.3, 1, 40000])
def test_a_constant_stays_a_constant_up_to_the_corner(value: float) -> None:
    image = np.full((20, 31), value)
    np.testing.assert_allclose(richardson_lucy(image, PSF, iterations=50), value, rtol=1e-12)


def test_a_perfect_microscope_changes_nothing(picture: np.ndarray) -> None:
    delta = np.zeros((5, 5))
    delta[2, 2] = 1
    np.testing.assert_allclose(richardson_lucy(picture, delta, iterations=1), picture, rtol=1e-12)


def test_one_iteration_is_the_convolution(picture: np.ndarray) -> None:
    once = richardson_lucy(picture, PSF, iterations=1)
    np.testing.assert_allclose(once, ndimage.convolve(picture, PSF, mode="reflect"), rtol=1e-12)


def test_the_likelihood_never_falls(picture: np.ndarray) -> None:
    found = [richardson_lucy(picture, PSF, iterations=n) for n in range(1, 40)]
    assert (np.diff([_likelihood(picture, one) for one in found]) > -1e-6).all()


def test_a_blurred_point_comes_back() -> None:
    point = np.zeros((21, 21))
    point[8:13, 8:13] = PSF
    peaks, shares = [], []
    for iterations in (1, 5, 10, 30, 100):
        found = richardson_lucy(point, PSF, iterations=iterations)
        peaks.append(found[10, 10])
        shares.append(found[9:12, 9:12].sum())
    np.testing.assert_allclose(peaks, [0.087, 0.321, 0.536, 0.889, 0.997], atol=2e-3)
    np.testing.assert_allclose(shares[:3], [0.561, 0.967, 0.998], atol=2e-3)


def test_scale_and_symmetry_pass_through(picture: np.ndarray) -> None:
    found = richardson_lucy(picture, PSF)
    np.testing.assert_allclose(richardson_lucy(7.5 * picture, PSF), 7.5 * found, rtol=1e-11)
    np.testing.assert_allclose(richardson_lucy(picture, 3 * PSF), found, rtol=1e-11)
    for turn in (np.flipud, np.fliplr, np.rot90, np.transpose):
        turned = richardson_lucy(np.ascontiguousarray(turn(picture)), PSF)
        np.testing.assert_allclose(turned, turn(found), rtol=1e-9, atol=1e-11)


def test_a_batch_is_its_images_one_by_one(picture: np.ndarray) -> None:
    batch = np.stack([picture, 2 * picture[::-1], np.zeros_like(picture)])
    found = richardson_lucy(batch, PSF)
    for one, image in zip(found, batch, strict=True):
        assert np.array_equal(one, richardson_lucy(image, PSF))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, ">u2", bool])
def test_integers_are_as_good_as_floats(picture: np.ndarray, dtype: str) -> None:
    counts = picture.astype(dtype)
    expected = richardson_lucy(counts.astype(float), PSF)
    assert np.array_equal(richardson_lucy(counts, PSF), expected)
    assert expected.dtype == np.float64


def test_single_precision_is_kept_and_suffices(picture: np.ndarray) -> None:
    exact = richardson_lucy(picture, PSF)
    for found in (
        richardson_lucy(picture.astype(np.float32), PSF),
        richardson_lucy(picture, PSF, dtype=np.float32),
    ):
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, exact, rtol=2e-3, atol=1e-3 * exact.max())


@pytest.mark.parametrize("kernel", [PSF, gibson_lanni_psf(size=13), _skewed()])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_black_and_sparse_images_stay_finite(kernel: np.ndarray, dtype: type) -> None:
    black = np.zeros((16, 16), dtype)
    assert (richardson_lucy(black, kernel) == 0).all()
    black[8, 8] = 1e4
    assert np.isfinite(richardson_lucy(black, kernel, iterations=200)).all()


def test_negative_pixels_count_as_black(picture: np.ndarray) -> None:
    shifted = picture - 20
    expected = richardson_lucy(np.maximum(shifted, 0), PSF)
    assert np.array_equal(richardson_lucy(shifted, PSF), expected)


def test_the_callers_image_is_left_alone(picture: np.ndarray) -> None:
    before = picture.copy()
    richardson_lucy(picture, PSF)
    assert np.array_equal(picture, before)


@settings(max_examples=25, deadline=None)
@given(
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    half=st.integers(0, 8),
    seed=st.integers(0, 100),
)
def test_any_size_works(height: int, width: int, half: int, seed: int) -> None:
    image = np.random.default_rng(seed).uniform(size=(height, width))
    found = richardson_lucy(image, gibson_lanni_psf(size=2 * half + 1), iterations=3)
    assert found.shape == image.shape
    assert found.sum() == pytest.approx(image.sum(), rel=1e-9)


@pytest.mark.parametrize(
    ("image", "psf", "iterations", "message"),
    [
        (np.full((8, 8), np.nan), PSF, 20, "64 pixels that are NaN"),
        (np.full((8, 8), np.inf), PSF, 20, "NaN or infinite"),
        (np.zeros(8), PSF, 20, r"shape \(8,\)"),
        (np.zeros((2, 2, 8, 8)), PSF, 20, r"shape \(2, 2, 8, 8\)"),
        (np.zeros((0, 8)), PSF, 20, "at least one pixel"),
        (np.zeros((8, 8), complex), PSF, 20, "complex128"),
        (np.zeros((8, 8)), np.ones((4, 4)), 20, "odd number"),
        (np.zeros((8, 8)), np.ones(5), 20, "two dimensions"),
        (np.zeros((8, 8)), np.zeros((5, 5)), 20, "only zeros"),
        (np.zeros((8, 8)), -PSF, 20, "negative"),
        (np.zeros((8, 8)), PSF * np.nan, 20, "NaN"),
        (np.zeros((8, 8)), PSF, 0, "iterations is 0"),
        (np.zeros((8, 8)), PSF, 2.5, "iterations is 2.5"),
    ],
)
def test_bad_input_is_named(
    image: np.ndarray, psf: np.ndarray, iterations: int, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        richardson_lucy(image, psf, iterations=iterations)


def test_half_precision_is_refused() -> None:
    with pytest.raises(InputError, match="float16"):
        richardson_lucy(np.zeros((8, 8)), PSF, dtype=np.float16)
