"""A seed gives the same crops, variations and weights in every version: studies depend on it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy import ndimage
from stored_figures import check_figures, of_array, of_table

from napari_virtualstain.data import Augmentation, TensorBatch
from napari_virtualstain.losses import LossConfig
from napari_virtualstain.models import load_model
from napari_virtualstain.training import TrainingConfig, train
from napari_virtualstain.training.augment import augment
from napari_virtualstain.training.loop.trainer import schedule
from napari_virtualstain.training.preparation import prepare

from .conftest import make_pairs

TINY: dict[str, Any] = {
    "name": "tiny",
    "architecture": {"name": "unet", "arguments": {"widths": [6, 8], "convolutions": 1}},
    "batch_size": 4,
    "crop_size": 32,
    "log_every": 1,
    "precision": "float32",
    "report": False,
    "device": "cpu",
}


def batch() -> TensorBatch:
    """Return four smooth images of three planes, with a weight map."""
    noise = np.random.default_rng(0).normal(size=(4, 5, 48, 48))
    smooth = ndimage.gaussian_filter(noise, (0, 0, 2, 2))
    images = torch.from_numpy(smooth / smooth.std()).float()
    return TensorBatch(images[:, :3], images[:, 3:4], images[:, 4:])


def test_each_variation() -> None:
    usual = {"elastic_scale_px": 12.0, "intensity_probability": 0.5, "rotation_deg": 20.0}
    beside = {
        "elastic_scale_px": {"elastic_px": 3.0},
        "intensity_probability": {"gain": 0.3, "blur_px": 1.0},
    }
    found = {}
    for name in Augmentation.model_fields:
        changes = {"flips": False, name: usual.get(name, 0.3), **beside.get(name, {})}
        config = Augmentation(**{**changes, "flips": name == "flips"})
        varied = augment(batch(), config, torch.Generator().manual_seed(5), size=40)
        found |= of_array(f"{name} inputs", varied.inputs)
        found |= of_array(f"{name} targets", varied.targets)
    check_figures("training_variations", found)


def test_learning_rates() -> None:
    kinds = ("constant", "linear_decay", "cosine", "one_cycle")
    found = {f"{k} {step}": schedule(k, step, 40) for k in kinds for step in (0, 2, 4, 5, 20, 39)}
    check_figures("training_rates", found)


def test_crops() -> None:
    loss = LossConfig(weighted_l1=1.0, weight_map="gaussian")
    config = TrainingConfig(**TINY, steps=4, loss=loss, augmentation=Augmentation(rotation_deg=9))
    prepared = prepare(make_pairs(size=64), config, stride=2)
    crops = prepared.sampler.draw(np.random.default_rng(0), 16)
    found: dict[str, float] = {"train": len(prepared.train), "side": prepared.crop_size}
    for name in ("inputs", "targets", "weights"):
        found |= of_array(name, getattr(crops, name))
    check_figures("training_crops", found)


def test_weights_and_scores(tmp_path: Path) -> None:
    config = TrainingConfig(**TINY, steps=6, validate_every=3)
    output = tmp_path / "tiny.safetensors"
    result = train(make_pairs(), config, output=output)
    assert result.scores is not None
    found = of_table("scores", result.scores)
    for key, value in sorted(load_model(output).network.state_dict().items()):
        found[f"{key} size"] = value.double().abs().mean().item()
    check_figures("training_weights", found, tolerance=5e-3)
