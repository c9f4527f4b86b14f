"""Registration: a known shift comes back, noise is not taken for one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from napari_virtualstain.data import (
    CorrelativePairs,
    correct_shifts,
    frame_motion_notes,
    frame_shifts,
    local_motion_notes,
    measure_shift,
    measure_shifts,
    registration_notes,
    registration_warnings,
    shift_map,
)
from napari_virtualstain.data.registration import Shift
from napari_virtualstain.data.shift_correction import _moved_back


def _scene(seed: int, dy: float, dx: float, size: int = 128) -> tuple[np.ndarray, np.ndarray]:
    """Return a bright-field image of granules and their fluorescence, displaced."""
    rng = np.random.default_rng(seed)
    dots = np.zeros((size + 32,) * 2)
    dots[tuple(rng.integers(0, size + 32, (2, 150)))] = rng.uniform(0.5, 1, 150)
    fluorescence = ndimage.shift(ndimage.gaussian_filter(dots, 2), (dy, dx), order=3) * 4000
    sharp = ndimage.gaussian_filter(dots, 1)
    bright = 1 - 3 * ndimage.laplace(sharp) + 0.02 * rng.normal(size=dots.shape)
    inside = np.s_[16:-16, 16:-16]
    return bright[inside], rng.poisson(np.clip(fluorescence[inside], 0, None) + 20).astype(float)


@pytest.mark.parametrize(("dy", "dx"), [(0, 0), (3, -2), (-5.5, 1.25), (0.5, 7)])
def test_known_shift_is_found_to_a_fraction_of_a_pixel(dy: float, dx: float) -> None:
    scenes = [_scene(seed, dy, dx) for seed in range(4)]
    shift = measure_shift([s[0] for s in scenes], [s[1] for s in scenes])
    assert shift.is_certain
    assert (shift.dy, shift.dx) == pytest.approx((dy, dx), abs=0.4)


def test_unrelated_images_give_no_certain_shift() -> None:
    rng = np.random.default_rng(0)
    shift = measure_shift(rng.normal(size=(4, 96, 96)), rng.normal(size=(4, 96, 96)))
    assert not shift.is_certain
    assert registration_notes({"a": shift}) == ()


def test_correction_brings_the_pair_together_and_cuts_the_rim() -> None:
    scenes = [_scene(seed, 4, -3) for seed in range(4)]
    pairs = CorrelativePairs.from_arrays([s[0] for s in scenes], [s[1] for s in scenes])
    shifts = measure_shifts(pairs)
    assert "5.0 px" in registration_notes(shifts)[0]
    corrected = correct_shifts(pairs, shifts)
    after = measure_shifts(corrected)["all"]
    assert after.distance < 0.5
    height, width = corrected.fluorescence[0].shape
    assert 122 <= height <= 124
    assert 123 <= width <= 125
    assert "moved by" in corrected.notes[-1]


def test_a_frame_that_lies_elsewhere_is_found_and_moved_by_its_own_shift() -> None:
    scenes = [_scene(seed, 2.5, -1.5) for seed in range(5)] + [_scene(5, -4, 5)]
    pairs = CorrelativePairs.from_arrays([s[0] for s in scenes], [s[1] for s in scenes])
    shifts = measure_shifts(pairs)
    each = frame_shifts(pairs, shifts)
    assert all(shift == shifts["all"] for shift in each[:5])
    assert (each[5].dy, each[5].dx) == pytest.approx((-4, 5), abs=0.4)
    assert "1 of 6 frames" in frame_motion_notes(pairs, shifts)[0]
    corrected = correct_shifts(pairs, each)
    assert "1 of them by shifts of their own" in corrected.notes[-1]
    for index in range(len(corrected)):
        one = corrected.subset([index])
        assert measure_shift(one.bright_field[0], one.fluorescence).distance < 0.5


def test_frames_without_evidence_follow_their_group() -> None:
    rng = np.random.default_rng(1)
    scenes = [_scene(seed, 3, 0) for seed in range(4)]
    dim = (scenes[0][0], rng.normal(size=scenes[0][1].shape))
    pairs = CorrelativePairs.from_arrays(*zip(*scenes, dim, strict=True))
    shifts = measure_shifts(pairs)
    assert frame_shifts(pairs, shifts)[-1] == shifts["all"]
    assert frame_motion_notes(pairs, shifts) == ()


def test_small_shift_is_left_alone() -> None:
    scenes = [_scene(seed, 0, 0) for seed in range(3)]
    pairs = CorrelativePairs.from_arrays([s[0] for s in scenes], [s[1] for s in scenes])
    corrected = correct_shifts(pairs, measure_shifts(pairs))
    assert corrected.fluorescence[0] is pairs.fluorescence[0]


def test_moved_half_shows_in_the_map() -> None:
    scenes = [_scene(seed, 0, 0, 192) for seed in range(6)]
    moved = [_scene(seed, 6, 0, 192) for seed in range(6)]
    mixed = [np.hstack([a[1][:, :96], b[1][:, 96:]]) for a, b in zip(scenes, moved, strict=True)]
    rows = shift_map([s[0] for s in scenes], mixed, blocks=2)
    pairs = CorrelativePairs.from_arrays([s[0] for s in scenes], mixed)
    assert "displaced differently, by up to" in local_motion_notes(pairs)[0]
    still = CorrelativePairs.from_arrays([s[0] for s in scenes], [s[1] for s in scenes])
    assert local_motion_notes(still) == ()
    assert all(row[0].dy == pytest.approx(0, abs=1) for row in rows)
    assert all(row[1].dy == pytest.approx(6, abs=1) for row in rows)


def test_constant_images_are_no_evidence() -> None:
    shift = measure_shift([np.ones((64, 64))], [np.ones((64, 64))])
    assert shift.pairs == 0
    assert not shift.is_certain


def test_real_pairs_are_registered_to_two_pixels(real_data) -> None:
    from napari_virtualstain.data import match_pairs

    folder = real_data("h9c2_pairs")
    pairs = match_pairs(folder / "bright_field", folder / "fluorescence")
    shifts = measure_shifts(pairs)
    certain = [shift for shift in shifts.values() if shift.is_certain]
    assert certain
    assert all(shift.distance <= 3 for shift in certain)


def test_whole_numbers_do_not_wrap_round_where_a_shifted_edge_overshoots() -> None:
    edge = np.zeros((16, 16), np.uint8)
    edge[:, 8:] = 255
    half = Shift(dy=0.0, dx=0.5, significance=99.0, pairs=1)
    smooth = _moved_back(edge.astype(np.float64), half)
    assert smooth.min() < -1  # a spline swings on both sides of an edge
    assert smooth.max() > 256
    moved = _moved_back(edge, half)
    assert moved.dtype == np.uint8
    assert np.abs(moved - smooth.clip(0, 255)).max() <= 0.5


@pytest.mark.parametrize(("far", "said"), [(1.9, False), (2.1, True)])
def test_channels_are_said_to_be_displaced_from_two_pixels_on(far: float, said: bool) -> None:
    shift = Shift(dy=far, dx=0.0, significance=6.0, pairs=4)
    assert bool(registration_notes({"a": shift})) == said
    assert registration_notes({"a": replace(shift, significance=5.9)}) == ()


@pytest.mark.parametrize(
    ("frames", "far", "said"), [(3, 1.9, False), (3, 2.1, True), (2, 9.0, False)]
)
def test_one_frame_of_three_is_odd_from_two_pixels_on(
    monkeypatch: pytest.MonkeyPatch, frames: int, far: float, said: bool
) -> None:
    common = Shift(dy=1.0, dx=0.0, significance=9.0, pairs=frames)
    each = (replace(common, dy=1.0 + far), *[common] * (frames - 1))
    monkeypatch.setattr(registration_warnings, "frame_shifts", lambda *_, **__: each)
    images = np.zeros((frames, 32, 32))
    pairs = CorrelativePairs.from_arrays(images, images, groups=["a"] * frames)
    assert bool(frame_motion_notes(pairs, {"a": common})) == said
    assert frame_motion_notes(pairs, {"a": replace(common, significance=5.9)}) == ()


def test_a_frame_without_a_peak_in_a_group_without_one_stays_where_it_is() -> None:
    flat = np.ones((2, 64, 64))
    found = frame_shifts(CorrelativePairs.from_arrays(flat, flat), {})
    assert [(shift.dy, shift.dx, shift.is_certain) for shift in found] == [(0, 0, False)] * 2


@pytest.mark.parametrize(
    ("far", "significance", "said"), [(2.9, 9.0, False), (3.1, 9.0, True), (30.0, 5.9, False)]
)
def test_parts_of_a_field_move_differently_from_three_pixels_on(
    monkeypatch: pytest.MonkeyPatch, far: float, significance: float, said: bool
) -> None:
    still, moved = Shift(1.0, 0.0, 9.0, 1), Shift(1.0, far, significance, 1)
    monkeypatch.setattr(
        registration_warnings, "shift_map", lambda *_, **__: [[still, still], [still, moved]]
    )
    images = np.zeros((1, 32, 32))
    assert bool(local_motion_notes(CorrelativePairs.from_arrays(images, images))) == said
