"""Training on files that do not fit into the memory."""

from __future__ import annotations

import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from scipy import ndimage

from napari_virtualstain.data import StoredImage, match_pairs, stored_image
from napari_virtualstain.models import load_model
from napari_virtualstain.progress import CancelledError, CancelToken
from napari_virtualstain.training import (
    StepFinished,
    TrainingConfig,
    TrainingFinished,
    preparation,
    train,
    train_events,
)

FRAMES, SIZE = 16, 64


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Movies of two cells, 16 bit."""
    path = tmp_path_factory.mktemp("movies")
    rng = np.random.default_rng(0)
    for cell in "ab":
        dots = ndimage.gaussian_filter(rng.normal(size=(FRAMES, SIZE, SIZE)), (0, 2, 2))
        dots /= dots.std()
        for channel, values in (("light", -np.abs(dots)), ("glow", np.maximum(dots, 0))):
            (path / channel).mkdir(exist_ok=True)
            noisy = 8000 + 2000 * values + rng.normal(0, 30, values.shape)
            tifffile.imwrite(
                path / channel / f"cell_{cell}.tif",
                noisy.astype(np.uint16),
                metadata={"axes": "TYX"},
                photometric="minisblack",
            )
    return path


@pytest.fixture(autouse=True)
def _without_registration(monkeypatch: pytest.MonkeyPatch) -> None:
    """It holds the same few frames of large and small sets, and takes most of the time."""
    monkeypatch.setattr(preparation, "_registered", lambda pairs, *_: (pairs, ()))


def _settings(config: TrainingConfig) -> TrainingConfig:
    return config.updated(min_foreground=0.1, precision="float32", steps=4, workers=0)


def _weights(path: Path) -> np.ndarray:
    network = load_model(path).network
    return np.concatenate([w.numpy().ravel() for w in network.state_dict().values()])


class _Alive:
    """Counts the planes of files that are in memory at a time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = self.most = self.reads = 0
        read = StoredImage.__array__

        def counting(image: StoredImage, *given: Any, **options: Any) -> np.ndarray:
            pixels = read(image, *given, **options)
            owner = pixels
            while isinstance(owner.base, np.ndarray):
                owner = owner.base
            self.reads += 1
            self.now += 1
            self.most = max(self.most, self.now)
            weakref.finalize(owner, self._gone)
            return pixels

        monkeypatch.setattr(StoredImage, "__array__", counting)

    def _gone(self) -> None:
        self.now -= 1


def test_few_planes_are_in_memory_at_a_time_and_the_model_is_the_same(
    folder: Path, config: TrainingConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = _settings(config)
    held = match_pairs(folder / "light", folder / "glow", planes=1)
    expected = train(held, settings, output=tmp_path / "held.safetensors")
    monkeypatch.setattr(stored_image, "SHARE_OF_FREE", 0)
    alive = _Alive(monkeypatch)
    stored = match_pairs(folder / "light", folder / "glow", planes=1)
    for event in train_events(stored, settings, output=tmp_path / "stored.safetensors"):
        if isinstance(event, StepFinished):
            most, reads = alive.most, alive.reads
    assert isinstance(event, TrainingFinished)
    result = event.result
    np.testing.assert_array_equal(_weights(result.path), _weights(expected.path))
    assert result.card.scores == expected.card.scores
    assert reads > 2 * 2 * len(stored)
    assert most <= 6  # of 64; the few that are judged at the end are in memory together


def test_a_stopped_training_goes_on_exactly_whether_images_are_held_or_stored(
    folder: Path, config: TrainingConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = _settings(config)
    held = match_pairs(folder / "light", folder / "glow", planes=1)
    expected = train(held, settings, output=tmp_path / "whole.safetensors")
    output, token = tmp_path / "parts.safetensors", CancelToken()
    with pytest.raises(CancelledError):
        for event in train_events(held, settings, output=output, cancel=token):
            if isinstance(event, StepFinished) and event.step == 2:
                token.cancel()
    monkeypatch.setattr(stored_image, "SHARE_OF_FREE", 0)
    stored = match_pairs(folder / "light", folder / "glow", planes=1)
    result = train(stored, settings, output=output, resume=True)
    np.testing.assert_array_equal(_weights(result.path), _weights(expected.path))
