"""Small pairs whose fluorescence can be told from the bright-field image."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from scipy import ndimage

from napari_virtualstain.data import CorrelativePairs
from napari_virtualstain.training import TrainingConfig


def make_pairs(count: int = 8, size: int = 48, groups: int = 4, seed: int = 0) -> CorrelativePairs:
    """Return pairs of a texture and its local contrast, 8 bit, in several cells."""
    rng = np.random.default_rng(seed)
    inputs, targets = [], []
    for _ in range(count):
        dots = ndimage.gaussian_filter(rng.normal(size=(size, size)), 2)
        bright = 128 + 60 * ndimage.laplace(dots) / ndimage.laplace(dots).std()
        shine = 20 + 150 * np.clip(dots / dots.std(), 0, None) / 3
        inputs.append(np.clip(bright + rng.normal(0, 2, bright.shape), 0, 254).astype(np.uint8))
        targets.append(np.clip(shine, 0, 254).astype(np.uint8))
    return CorrelativePairs.from_arrays(
        inputs,
        targets,
        groups=[f"cell{i % groups}" for i in range(count)],
        movies=[str(i) for i in range(count)],
        pixel_size_um=0.08,
    )


@pytest.fixture
def pairs() -> CorrelativePairs:
    return make_pairs()


@pytest.fixture
def config() -> TrainingConfig:
    return TrainingConfig(
        name="tiny",
        architecture={"name": "unet", "arguments": {"widths": [6, 8], "convolutions": 1}},
        steps=6,
        batch_size=4,
        crop_size=32,
        validate_every=3,
        log_every=1,
        precision="float32",
        report=False,
        device="cpu",
    )


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "tiny.safetensors"


def script(name: str) -> Iterator[ModuleType]:
    """Yield a script as `python -m` imports it, which runs in the root of the repository."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(Path(__file__).parents[2])
        yield importlib.import_module(name)
