from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_virtualstain.errors import InputError
from napari_virtualstain.staining import calibrate, label_trust


@settings(max_examples=10, deadline=None)
@given(st.floats(0.2, 5.0))
def test_the_factor_undoes_a_wrong_scale(wrong: float) -> None:
    rng = np.random.default_rng(0)
    true = rng.uniform(0.5, 3.0, 20_000)
    error = rng.laplace(0, true / 2**0.5)
    found = calibrate(error, np.zeros_like(error), true / wrong)
    assert found.factor == pytest.approx(wrong, rel=0.05)
    assert found.error_after < 0.02
    assert found.rank_correlation > 0.3


@pytest.mark.parametrize("unit", [1e-6, 1e-3, 1e5])
def test_the_unit_of_intensity_changes_no_factor_and_pixels_without_a_deviation_do_not_count(
    unit: float,
) -> None:
    rng = np.random.default_rng(0)
    error = rng.laplace(0, 2**-0.5, 20_000)
    stated = np.full(error.shape, 0.5)
    stated[::3] = 0
    error[::3] = 1000
    found = calibrate(unit * error, np.zeros_like(error), unit * stated)
    assert found.factor == pytest.approx(2, rel=0.03)


def test_a_map_that_says_nothing_has_no_rank_correlation() -> None:
    rng = np.random.default_rng(1)
    error = rng.laplace(size=20_000)
    found = calibrate(error, np.zeros_like(error), rng.uniform(1, 2, error.shape))
    assert abs(found.rank_correlation) < 0.03


def test_trust_grows_with_brightness_and_falls_with_uncertainty() -> None:
    labels = np.array([[0, 1, 2, 3]])
    image, doubt = np.array([[0.0, 1, 5, 5]]), np.array([[1.0, 1, 1, 5]])
    trust = label_trust(labels, image, doubt)
    assert trust[2] > trust[1] == trust[3] == 0.5


def test_trust_is_measured_above_the_median_outside() -> None:
    labels = np.array([[0, 0, 0, 1]])
    image = np.array([[1.0, 1.0, 9.0, 5.0]])  # one bright speck outside
    assert label_trust(labels, image, np.full((1, 4), 4.0)) == {1: 0.5}


def test_shapes_must_agree() -> None:
    with pytest.raises(InputError, match="one shape"):
        calibrate(np.zeros(3), np.zeros(4), np.ones(3))
    with pytest.raises(InputError, match="No pixel"):
        calibrate(np.zeros(3), np.zeros(3), np.zeros(3))
    with pytest.raises(InputError, match="one shape"):
        label_trust(np.zeros((2, 2)), np.zeros((2, 2)), np.zeros((2, 3)))
