"""The augmentation that stands for another focal plane."""

from __future__ import annotations

import torch

from napari_virtualstain.data import Augmentation, TensorBatch
from napari_virtualstain.training.augment import _banded, augment


def test_gains_of_one_change_nothing() -> None:
    images = torch.rand(2, 1, 64, 64)
    assert torch.allclose(_banded(images, torch.ones(2, 4)), images, atol=1e-5)


def test_without_the_finest_band_an_image_is_smoother() -> None:
    images = torch.rand(1, 1, 64, 64)
    gains = torch.tensor([[0.0, 1.0, 1.0, 1.0]])
    assert _banded(images, gains).std() < 0.7 * images.std()


def test_only_the_input_is_changed() -> None:
    batch = TensorBatch(*(torch.rand(2, 1, 32, 32) for _ in range(3)))
    config = Augmentation(flips=False, band_gain=0.5, intensity_probability=1.0)
    varied = augment(batch, config, torch.Generator().manual_seed(0))
    assert not torch.allclose(varied.inputs, batch.inputs, atol=1e-2)
    assert torch.equal(varied.targets, batch.targets)
