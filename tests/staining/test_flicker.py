from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from napari_virtualstain.errors import InputError
from napari_virtualstain.staining import flicker, reduce_flicker
from napari_virtualstain.staining.flicker import agreeing_difference


def _spot_that_moves(step: float, noise: float) -> tuple[np.ndarray, np.ndarray]:
    """A bright spot on still texture, without and with flicker."""
    rng = np.random.default_rng(0)
    texture = ndimage.gaussian_filter(rng.normal(size=(64, 64)), 3) * 5
    y, x = np.mgrid[:64, :64]
    clean = np.stack(
        [texture + 8 * np.exp(-((y - 32) ** 2 + (x - 10 - step * t) ** 2) / 8) for t in range(9)]
    )
    return clean, clean + rng.normal(0, noise, clean.shape)


def test_flicker_is_the_noise_over_the_contrast_whatever_moves() -> None:
    clean, noisy = _spot_that_moves(4.0, 0.2)
    assert flicker(noisy) == pytest.approx(0.2 / noisy.std(), rel=0.1)
    assert flicker(clean) < 0.1 * flicker(noisy)


def test_filter_lowers_flicker_and_does_not_smear_what_moves() -> None:
    clean, noisy = _spot_that_moves(4.0, 0.2)
    filtered = reduce_flicker(noisy)
    assert flicker(filtered) < 0.6 * flicker(noisy)
    for t in range(9):
        x = int(10 + 4 * t)
        assert filtered[t, 32, x] == pytest.approx(clean[t, 32, x], rel=0.08)
        averaged = noisy[max(0, t - 2) : t + 3].mean(0)
        assert averaged[32, x] < 0.75 * clean[t, 32, x]
    assert np.abs(filtered - clean).mean() < 0.7 * np.abs(noisy - clean).mean()


@pytest.mark.parametrize("radius", [None, 1, 3])
def test_a_still_movie_is_averaged_over_the_radius_before_and_after(radius: int | None) -> None:
    """Where all frames agree, the mean of those around is left; two are, if not given."""
    movie = np.random.default_rng(0).normal(size=(9, 16, 16))
    options = {} if radius is None else {"radius": radius}
    filtered = reduce_flicker(movie, strength=1e4, **options)
    reach = radius or 2
    for t in range(9):
        around = movie[max(0, t - reach) : t + reach + 1]
        np.testing.assert_allclose(filtered[t], around.mean(0), atol=1e-5)


def test_what_cannot_be_filtered_is_refused() -> None:
    with pytest.raises(InputError, match="three frames"):
        flicker(np.zeros((2, 8, 8)))
    with pytest.raises(InputError, match="must be positive"):
        reduce_flicker(np.zeros((5, 8, 8)), radius=0)


def test_frames_agree_within_two_deviations_of_their_smoothed_difference() -> None:
    one, other = np.random.default_rng(0).normal(0, 3, (2, 600, 600))
    measured = ndimage.gaussian_filter(other - one, 1.0).std()
    assert agreeing_difference(3.0) == pytest.approx(2 * measured, rel=0.02)
    assert agreeing_difference(3.0, 1.0) == pytest.approx(measured, rel=0.02)


@pytest.mark.parametrize(("radius", "strength"), [(1, 0.01), (0, 1.0), (1, 0.0), (-1, 1.0)])
def test_radius_and_strength_are_positive(radius: int, strength: float) -> None:
    movie = np.random.default_rng(0).normal(size=(4, 8, 8))
    if radius > 0 and strength > 0:
        assert np.isfinite(reduce_flicker(movie, radius=radius, strength=strength)).all()
    else:
        with pytest.raises(InputError, match="must be positive"):
            reduce_flicker(movie, radius=radius, strength=strength)
