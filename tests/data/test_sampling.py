"""Crops: foreground filter, focus, determinism, alignment."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from napari_virtualstain.data import (
    CorrelativePairs,
    CropBatches,
    CropSampler,
    PreparedPair,
    fit_maps,
    foreground_mask,
    in_focus,
    sampling_weights,
    sharpness,
    window_fractions,
)
from napari_virtualstain.errors import InputError
from napari_virtualstain.normalisation import FittedNormalisation, Normalisation


def _sampler(images: list[np.ndarray], size: int, **options) -> CropSampler:
    pairs = CorrelativePairs.from_arrays(
        images, images, groups=[str(i) for i in range(len(images))]
    )
    one = FittedNormalisation()
    prepared = [
        PreparedPair(b, f, f.astype(np.float16), (one,), one)
        for b, f in zip(pairs.bright_field, pairs.fluorescence, strict=True)
    ]
    return CropSampler(pairs, prepared, size, **options)


@given(seed=st.integers(0, 50), size=st.integers(1, 9))
@settings(max_examples=30)
def test_window_fractions_against_a_plain_mean(seed: int, size: int) -> None:
    mask = np.random.default_rng(seed).random((9, 12)) > 0.5
    windows = np.lib.stride_tricks.sliding_window_view(mask, (size, size))
    np.testing.assert_allclose(window_fractions(mask, size), windows.mean((2, 3)), atol=1e-6)
    every_third = window_fractions(mask, size, 3)
    np.testing.assert_array_equal(every_third, window_fractions(mask, size)[::3, ::3])


def test_crops_are_cut_alike_from_input_target_and_weight() -> None:
    images = [np.random.default_rng(i).integers(0, 99, (40, 50)).astype(float) for i in range(3)]
    batch = _sampler(images, 16).draw(np.random.default_rng(0), 20)
    np.testing.assert_array_equal(batch.inputs[:, 0], batch.targets)
    np.testing.assert_array_equal(batch.weights, batch.targets)
    for crop, index in zip(batch.targets, batch.pairs, strict=True):
        windows = np.lib.stride_tricks.sliding_window_view(images[index], (16, 16))
        assert (windows == crop).all((2, 3)).any()


def test_every_drawn_crop_has_the_wanted_foreground() -> None:
    frame = np.random.default_rng(0).normal(0, 0.1, (96, 96))
    frame[:30, :30] += 5
    sampler = _sampler(
        [frame, np.random.default_rng(1).normal(size=(96, 96))], 32, min_foreground=0.2
    )
    batch = sampler.draw(np.random.default_rng(0), 40)
    assert set(batch.pairs) == {0}  # Gaussian noise has 16 % above one standard deviation
    threshold = frame.mean() + frame.std()
    assert ((batch.targets > threshold).mean((1, 2)) >= 0.2 - 1e-6).all()
    assert sampler.reached["frames_with_foreground"] == 0.5
    assert 0 < sampler.reached["crop_positions"] < 0.3
    with pytest.raises(InputError, match="No crop"):
        _sampler([frame], 32, min_foreground=0.99)


def test_small_frames_are_mirrored_up_to_the_crop() -> None:
    image = np.random.default_rng(0).normal(size=(20, 40))
    batch = _sampler([image, image], 32).draw(np.random.default_rng(0), 2)
    assert batch.targets.shape == (2, 32, 32)
    assert batch.targets.max() <= image.max().astype(np.float32)


def test_groups_can_be_balanced() -> None:
    images = list(np.random.default_rng(0).normal(size=(10, 16, 16)))
    pairs = CorrelativePairs.from_arrays(images, images, groups=["a"] * 9 + ["b"])
    one = FittedNormalisation()
    prepared = [PreparedPair(i[None], i, None, (one,), one) for i in images]
    drawn = CropSampler(pairs, prepared, 8, group_balance=1.0).draw(np.random.default_rng(0), 400)
    assert 0.4 < np.mean(np.array(drawn.pairs) == 9) < 0.6


def test_out_of_focus_share_is_kept() -> None:
    sharp = np.random.default_rng(0).normal(size=(64, 64))
    frames = [sharp + 0, sharp + 1, ndimage.gaussian_filter(sharp, 5)]
    focused = in_focus([sharpness(f) for f in frames], ["g", "g", "g"])
    assert focused.tolist() == [True, True, False]
    assert sampling_weights(focused, 0.1)[2] == pytest.approx(0.1)
    assert sampling_weights(focused, None)[2] == pytest.approx(1 / 3)


@given(gain=st.floats(0.1, 50), offset=st.floats(-100, 100))
@settings(max_examples=20)
def test_sharpness_and_foreground_ignore_gain_and_offset(gain: float, offset: float) -> None:
    image = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=(32, 32)), 1)
    other = gain * image + offset
    assert sharpness(other) == pytest.approx(sharpness(image), rel=1e-6)
    assert (foreground_mask(other) == foreground_mask(image)).mean() > 0.999


def test_batches_depend_on_seed_and_step_alone() -> None:
    sampler = _sampler(list(np.random.default_rng(0).normal(size=(4, 40, 40))), 16)
    batches = CropBatches(sampler, 6, 5, seed=3)
    again = CropBatches(sampler, 6, 5, seed=3)
    assert torch.equal(batches[4].inputs, again[4].inputs)
    assert not torch.equal(batches[4].inputs, batches[3].inputs)
    assert not torch.equal(batches[4].inputs, CropBatches(sampler, 6, 5, seed=4)[4].inputs)
    assert len(batches) == len(list(batches)) == 5


def test_shares_of_processes_make_up_the_batch() -> None:
    sampler = _sampler(list(np.random.default_rng(0).normal(size=(4, 40, 40))), 16)
    batch = CropBatches(sampler, 7, 1, seed=0)[0]
    parts = [batch.part(rank, 3).inputs for rank in range(3)]
    together = torch.cat(parts)
    assert together.shape == batch.inputs.shape
    assert together.sum() == pytest.approx(float(batch.inputs.sum()), rel=1e-5)


def test_one_fit_a_movie_or_a_frame() -> None:
    images = [np.arange(16.0).reshape(4, 4) + 10 * k for k in range(3)]
    movie = fit_maps(images, ["a", "a", "b"], Normalisation(kind="mean_sd"))
    frame = fit_maps(images, ["a", "a", "b"], Normalisation(kind="mean_sd", scope="frame"))
    assert movie[0] == movie[1] != movie[2]
    assert len({m.offset for m in frame}) == 3


@pytest.mark.parametrize(
    ("group_balance", "share_of_the_small_group"), [(0, 1 / 5), (0.5, 1 / 3), (1, 1 / 2)]
)
def test_group_balance_lies_between_frames_and_groups(
    group_balance: float, share_of_the_small_group: float
) -> None:
    """Four frames of one cell and one of another."""
    images = [np.random.default_rng(i).normal(size=(24, 24)) for i in range(5)]
    pairs = CorrelativePairs.from_arrays(images, images, groups=["a", "a", "a", "a", "b"])
    one = FittedNormalisation()
    prepared = [
        PreparedPair(b, f, None, (one,), one)
        for b, f in zip(pairs.bright_field, pairs.fluorescence, strict=True)
    ]
    sampler = CropSampler(pairs, prepared, 8, group_balance=group_balance)
    drawn = sampler.draw(np.random.default_rng(0), 6000).pairs
    assert drawn.count(4) / len(drawn) == pytest.approx(share_of_the_small_group, abs=0.03)
