"""The cache of weight maps: right, and calm about damage."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from napari_virtualstain.optics import WeightMapCache, cache, gibson_lanni_psf, weight_map

IMAGE = np.random.default_rng(0).poisson(20, (24, 32)).astype(np.uint16)


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Which kinds were computed, in order."""
    calls: list[str] = []

    def spy(image, kind="psf_deconvolution", **settings):
        calls.append(kind)
        return weight_map(image, kind, **settings)

    monkeypatch.setattr(cache, "weight_map", spy)
    return calls


def test_a_map_is_computed_once_and_read_back_bit_for_bit(tmp_path, computed) -> None:
    first = WeightMapCache(tmp_path).get(IMAGE, background="percentile")
    again = WeightMapCache(tmp_path).get(IMAGE.copy(), background="percentile")
    assert computed == ["psf_deconvolution"]
    assert np.array_equal(first, again)
    assert np.array_equal(first, weight_map(IMAGE, background="percentile"))


def test_other_content_or_settings_are_other_entries(tmp_path, computed) -> None:
    store = WeightMapCache(tmp_path)
    changed = IMAGE.copy()
    changed[0, 0] += 1
    requests = [
        (IMAGE, {}),
        (changed, {}),
        (IMAGE.astype(np.float32), {}),
        (IMAGE.reshape(32, 24), {}),
        (IMAGE, {"iterations": 5}),
        (IMAGE, {"floor": 0.1}),
        (IMAGE, {"psf": gibson_lanni_psf(wavelength_um=0.608)}),
        (IMAGE, {"kind": "logit"}),
    ]
    for image, settings in requests:
        store.get(image, **settings)
    assert len(computed) == len(requests)
    assert store.clear() == len(requests)
    assert store.clear() == 0


@pytest.mark.parametrize("damage", ["empty", "cut", "flipped", "foreign", "pickle"])
def test_a_damaged_entry_is_computed_again(tmp_path, computed, caplog, damage: str) -> None:
    store = WeightMapCache(tmp_path)
    expected = store.get(IMAGE)
    path = store.path(IMAGE, "psf_deconvolution")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    if damage == "foreign":
        np.savez(path, weights=np.zeros((3, 3), np.float32))
    elif damage == "pickle":
        np.savez(path, weights=np.array([{}], dtype=object))
    else:
        broken = {"empty": b"", "cut": bytes(content[:900]), "flipped": bytes(content)}
        path.write_bytes(broken[damage])
    assert np.array_equal(store.get(IMAGE), expected)
    assert len(computed) == 2
    assert np.array_equal(store.get(IMAGE), expected)
    assert len(computed) == 2


def test_a_folder_that_cannot_be_written_costs_only_time(tmp_path, computed, caplog) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    store = WeightMapCache(blocked / "maps")
    assert np.array_equal(store.get(IMAGE), weight_map(IMAGE))
    assert "could not be kept" in caplog.text


def test_nothing_half_written_is_left(tmp_path, monkeypatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    WeightMapCache(tmp_path).get(IMAGE)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_maps_of_ones_are_not_worth_a_file(tmp_path) -> None:
    WeightMapCache(tmp_path).get(IMAGE, "none")
    assert list(tmp_path.iterdir()) == []


def test_the_default_folder_is_in_the_users_cache() -> None:
    assert "napari-virtualstain" in WeightMapCache().folder.parts[-2]
    assert isinstance(WeightMapCache().folder, Path)
