"""Sets that are larger than the memory: images are read at each use, and are the same."""

from __future__ import annotations

import pickle
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import tifffile
from scipy import ndimage

from napari_virtualstain.data import (
    CorrelativePairs,
    MemoryRoom,
    Region,
    Shift,
    StoredImage,
    correct_alignments,
    correct_shifts,
    find_shared_pixels,
    inspect_pairs,
    later,
    match_pairs,
    stored_image,
    window_fractions,
)
from napari_virtualstain.data.alignment import Alignment
from napari_virtualstain.data.foreground import ForegroundWindows, foreground_mask


def _write(folder: Path, seed: int, shape: tuple[int, ...], axes: str) -> Path:
    folder.mkdir()
    rng = np.random.default_rng(seed)
    for cell in "ab":
        values = rng.integers(0, 4000, shape).astype(np.uint16)
        tifffile.imwrite(
            folder / f"cell_{cell}.tif", values, metadata={"axes": axes}, photometric="minisblack"
        )
    return folder


def _stored(pairs: CorrelativePairs) -> CorrelativePairs:
    """Return the same pairs, read at each use."""
    light, dark = (
        tuple(later(partial(np.copy, image), image.shape, image.dtype) for image in images)
        for images in (pairs.bright_field, pairs.fluorescence)
    )
    return replace(pairs, bright_field=light, fluorescence=dark)


def _assert_same(stored: CorrelativePairs, held: CorrelativePairs) -> None:
    assert replace(stored, bright_field=(), fluorescence=(), masks=()) == replace(
        held, bright_field=(), fluorescence=(), masks=()
    )
    for images, expected in (
        (stored.bright_field, held.bright_field),
        (stored.fluorescence, held.fluorescence),
    ):
        assert all(isinstance(image, StoredImage) for image in images)
        for image, same in zip(images, expected, strict=True):
            assert (image.shape, image.dtype, image.ndim) == (same.shape, same.dtype, same.ndim)
            np.testing.assert_array_equal(image, same)


@pytest.mark.parametrize("planes", [1, 3])
def test_files_without_room_are_read_at_each_use_and_hold_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, planes: int
) -> None:
    light = _write(tmp_path / "light", 0, (5, 24, 32), "TYX")
    glow = _write(tmp_path / "glow", 1, (5, 24, 32), "TYX")
    read = partial(match_pairs, light, glow, planes=planes, plane_axis="t")
    held = read()
    assert all(isinstance(image, np.ndarray) for image in held.fluorescence)
    monkeypatch.setattr(stored_image, "SHARE_OF_FREE", 0)
    stored = read()
    _assert_same(stored, held)
    _assert_same(stored.without_neighbours(), held.without_neighbours())
    regions = [Region(2, 3, 20, 30, vertices=((2, 3), (2, 29), (19, 3)))]
    _assert_same(stored.within(regions), held.within(regions))
    _assert_same(pickle.loads(pickle.dumps(stored)), held)


def test_one_fluorescence_image_of_a_stack_is_stored_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    light = _write(tmp_path / "light", 0, (5, 24, 32), "ZYX")
    glow = _write(tmp_path / "glow", 1, (24, 32), "YX")
    held = match_pairs(light, glow)
    monkeypatch.setattr(stored_image, "SHARE_OF_FREE", 0)
    _assert_same(match_pairs(light, glow), held)


def test_the_first_images_have_room_and_none_after_the_first_that_has_none() -> None:
    room = MemoryRoom(100)
    assert [room.holds(size) for size in (60, 40, 1, 0)] == [True, True, False, False]
    assert [MemoryRoom(100).holds(size) for size in (100, 101)] == [True, False]
    assert MemoryRoom().holds(2**20)


def test_files_are_held_until_the_room_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    light = _write(tmp_path / "light", 0, (5, 24, 32), "TYX")
    glow = _write(tmp_path / "glow", 1, (5, 24, 32), "TYX")
    monkeypatch.setattr(stored_image, "SHARE_OF_FREE", 1)
    size = 2 * 5 * 24 * 32 * 2
    for free, held in ((size - 1, 0), (size, 5), (2 * size - 1, 5), (2 * size, 10)):
        monkeypatch.setattr("napari_virtualstain.io.free_memory", lambda free=free: free)
        pairs = match_pairs(light, glow, planes=1)
        assert sum(isinstance(image, np.ndarray) for image in pairs.fluorescence) == held


def test_stored_pairs_are_inspected_compared_and_moved_like_those_in_memory() -> None:
    rng = np.random.default_rng(0)
    scenes = [ndimage.gaussian_filter(rng.normal(size=(80, 80)), 2) for _ in range(3)]
    scenes.append(scenes[0][::-1])
    images = [(3000 + 9000 * scene).astype(np.uint16) for scene in scenes]
    held = CorrelativePairs.from_arrays(images, images, groups=["a", "a", "b", "b"])
    held = replace(held, masks=(np.ones((80, 80), bool), None, None, None))
    stored = _stored(held)
    expected = inspect_pairs(held, crop_size=32)
    found = inspect_pairs(stored, crop_size=32)
    assert (found.warnings, found.foreground) == (expected.warnings, expected.foreground)
    shared = find_shared_pixels(stored.fluorescence)
    assert shared == find_shared_pixels(held.fluorescence)
    assert [(pair.first, pair.second) for pair in shared] == [(0, 3)]
    shifts = [Shift(1.4, -2.3, 9.0, 4), Shift(0.0, 0.0, 9.0, 4)] * 2
    moved, wanted = correct_shifts(stored, shifts), correct_shifts(held, shifts)
    assert wanted.fluorescence[0].shape == (78, 77)
    _assert_same(moved, wanted)
    turned = {"a": Alignment(2.0, 1.0, 3.0, 1.01, significance=20.0, pairs=4)}
    assert turned["a"].is_worth_correcting
    _assert_same(correct_alignments(stored, turned), correct_alignments(held, turned))


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
def test_windows_counted_by_row_are_those_of_the_whole_frame(dtype: type) -> None:
    frame = (10 * np.random.default_rng(0).gamma(1, size=(23, 31))).astype(dtype)
    passing = np.argwhere(window_fractions(foreground_mask(frame), 5) >= 0.2)
    windows = ForegroundWindows.of(frame, 5, 0.2)
    assert 20 < len(windows) == len(passing) < 400
    corners = [windows.corner(frame, number) for number in range(len(windows))]
    assert corners == [tuple(place) for place in passing.tolist()]
    assert windows.counts.nbytes <= 8 * 23
