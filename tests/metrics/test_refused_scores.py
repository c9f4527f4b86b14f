"""Images and ranges that cannot be scored."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from napari_virtualstain.errors import InputError
from napari_virtualstain.metrics import evaluate, evaluate_labels, fourier_ring_correlation
from napari_virtualstain.metrics.comparable import as_pair
from napari_virtualstain.metrics.distributions import reference_range
from napari_virtualstain.metrics.evaluation import find_ranges
from napari_virtualstain.metrics.similarity import band_pass

IMAGE = np.random.default_rng(0).random((16, 16))


@pytest.mark.parametrize("given", [(1, 2, 3), "wide", ("low", 3), 0.0, (5, 5), (7, 5), -1.0])
def test_ranges_are_a_positive_number_or_two(given: Any) -> None:
    with pytest.raises(InputError):
        find_ranges(IMAGE, given)


def test_a_range_is_a_number_the_limits_or_that_of_the_reference() -> None:
    assert find_ranges(IMAGE, 7).data_range == 7
    assert find_ranges(IMAGE, (2, 5)).data_range == 3
    assert find_ranges(IMAGE, (2, 5)).histogram == (2, 5)
    assert find_ranges(IMAGE).data_range == pytest.approx(np.ptp(IMAGE))
    assert find_ranges(np.full((4, 4), 7.0)).data_range == 1
    assert find_ranges(np.full((4, 4), 7, np.uint8)).data_range == 255
    known = find_ranges(IMAGE, 7)
    assert find_ranges(IMAGE, known) is known


@pytest.mark.parametrize(
    ("shape", "fits"), [((11, 11), True), ((10, 11), False), ((11, 10), False), ((3, 11, 11), True)]
)
def test_frames_are_at_least_as_large_as_the_window_of_ssim(
    shape: tuple[int, ...], fits: bool
) -> None:
    image = np.random.default_rng(0).random(shape)
    if fits:
        assert len(evaluate(image, image)) == (shape[0] if len(shape) == 3 else 1)
    else:
        with pytest.raises(InputError, match="expected at least 11 x 11"):
            evaluate(image, image)


def test_unlike_shapes_and_numbers_of_groups_are_refused() -> None:
    with pytest.raises(InputError, match="expected the same"):
        evaluate(IMAGE, IMAGE[:15])
    labels = np.ones((2, 4, 4), int)
    with pytest.raises(InputError):
        evaluate_labels(labels, labels[:1])
    with pytest.raises(InputError):
        evaluate_labels(labels[0, 0], labels[0, 0])
    with pytest.raises(InputError, match="1 groups for 2 frames"):
        evaluate_labels(labels, labels, groups=["a"])


@pytest.mark.parametrize(("pixels", "counts"), [(8, False), (12, True)])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_thousandth_of_the_pixels_at_either_end_is_outside_the_range(
    pixels: int, sign: int, counts: bool
) -> None:
    reference = np.random.default_rng(0).random(10_000)
    reference[:pixels] = sign * 100
    low, high = reference_range(reference.reshape(100, 100))
    assert (max(-low, high) == 100) == counts
    assert min(abs(low), abs(high)) < 1


@pytest.mark.parametrize(("side", "fits"), [(8, True), (7, False)])
def test_ring_correlation_needs_eight_pixels(side: int, fits: bool) -> None:
    image = IMAGE[:side, :9]
    if fits:
        assert fourier_ring_correlation(image, image).correlation.min() > 0.99
    else:
        with pytest.raises(InputError, match="at least 8 x 8"):
            fourier_ring_correlation(image, image)


@pytest.mark.parametrize(("fine", "coarse"), [(0.0, 0.64), (0.64, 0.64), (0.7, 0.64), (-1, 0.64)])
def test_a_band_begins_above_zero_and_below_its_end(fine: float, coarse: float) -> None:
    with pytest.raises(InputError, match="expected 0 < fine < coarse"):
        band_pass(IMAGE, fine_um=fine, coarse_um=coarse)


def test_pixels_as_coarse_as_the_band_show_nothing_of_it() -> None:
    assert not band_pass(IMAGE, pixel_size_um=0.64).any()
    assert band_pass(IMAGE, pixel_size_um=0.6).any()


@pytest.mark.parametrize(("value", "fits"), [(0.9e100, True), (1.1e100, False), (-1.1e100, False)])
def test_values_whose_squares_leave_floats_are_refused(value: float, fits: bool) -> None:
    image = IMAGE.copy()
    image[3, 4] = value
    if fits:
        assert as_pair(image, IMAGE)[0][3, 4] == value
    else:
        with pytest.raises(InputError, match=r"values up to 1.1e\+100: expected at most 1e\+100"):
            as_pair(IMAGE, image)
