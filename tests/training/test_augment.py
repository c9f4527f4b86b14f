"""Variation: alike for input and target, invertible where exact, and seeded."""

from __future__ import annotations

import pytest
import torch

from napari_virtualstain.data import Augmentation, TensorBatch
from napari_virtualstain.losses import gaussian_blur
from napari_virtualstain.training.augment import augment


def _batch(count: int = 6, planes: int = 1, size: int = 32) -> TensorBatch:
    generator = torch.Generator().manual_seed(0)
    image = gaussian_blur(torch.randn(count, 1, size, size, generator=generator), 2.0) * 5
    return TensorBatch(image.repeat(1, planes, 1, 1), image.clone(), image.clone())


def _generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


GEOMETRY = Augmentation(rotation_deg=30, scale=0.2, shear=0.1, elastic_px=2)


@pytest.mark.parametrize("config", [Augmentation(), GEOMETRY])
def test_geometry_moves_all_images_alike(config: Augmentation) -> None:
    varied = augment(_batch(planes=3), config, _generator())
    for plane in range(3):
        torch.testing.assert_close(varied.inputs[:, plane : plane + 1], varied.targets)
    torch.testing.assert_close(varied.weights, varied.targets)
    assert not torch.equal(varied.targets, _batch().targets)


def test_flips_and_turns_only_permute_pixels() -> None:
    batch = _batch(40)
    varied = augment(batch, Augmentation(), _generator())
    before = batch.targets.flatten(1).sort(1).values
    torch.testing.assert_close(varied.targets.flatten(1).sort(1).values, before)


def test_all_eight_orientations_are_drawn_about_equally_often() -> None:
    images = torch.randn(1, 1, 6, 6).expand(800, 1, 6, 6)
    varied = augment(TensorBatch(images, images, images), Augmentation(), _generator()).targets
    _, counts = torch.unique(varied.flatten(1), dim=0, return_counts=True)
    assert len(counts) == 8
    assert 65 < int(counts.min()) <= int(counts.max()) < 135


def test_equal_seeds_vary_equally_and_others_do_not() -> None:
    config = Augmentation.strong()
    first = augment(_batch(), config, _generator(3)).inputs
    assert torch.equal(first, augment(_batch(), config, _generator(3)).inputs)
    assert not torch.equal(first, augment(_batch(), config, _generator(4)).inputs)


@pytest.mark.parametrize(
    "change",
    [{"gain": 0.3}, {"offset": 0.3}, {"gamma": 0.3}, {"blur_px": 2}, {"sharpen": 1},
     {"noise": 0.3}, {"shading": 0.5}, {"band_gain": 0.3}],
)  # fmt: skip
def test_intensity_changes_the_input_only(change: dict) -> None:
    config = Augmentation(flips=False, intensity_probability=1, **change)
    batch = _batch()
    changed = False
    for seed in range(4):
        varied = augment(batch, config, _generator(seed))
        assert torch.equal(varied.targets, batch.targets)
        assert torch.isfinite(varied.inputs).all()
        changed |= not torch.equal(varied.inputs, batch.inputs)
    assert changed


def test_margin_is_used_up_by_turning_instead_of_mirrored_corners() -> None:
    ramp = torch.arange(48.0).view(1, 1, 1, 48).expand(20, 1, 48, 48).clone()
    batch = TensorBatch(ramp, ramp, ramp)
    turned = augment(batch, Augmentation(flips=False, rotation_deg=180), _generator(), size=32)
    assert turned.targets.shape == (20, 1, 32, 32)
    # a plane stays a plane when nothing is mirrored: no second differences
    assert turned.targets.diff(n=2, dim=-1).abs().max() < 1e-3
    assert turned.targets.diff(n=2, dim=-2).abs().max() < 1e-3
    cut = augment(batch, Augmentation.none(), _generator(), size=32)
    assert torch.equal(cut.inputs, ramp[..., 8:40, 8:40])


def test_none_is_none() -> None:
    batch = _batch()
    assert torch.equal(augment(batch, Augmentation.none(), _generator()).inputs, batch.inputs)


def test_gamma_keeps_the_mean() -> None:
    config = Augmentation(flips=False, gamma=0.5, intensity_probability=1)
    varied = augment(_batch(), config, _generator()).inputs
    torch.testing.assert_close(
        varied.mean((1, 2, 3)), _batch().inputs.mean((1, 2, 3)), atol=1e-4, rtol=1e-4
    )


def test_plane_dropout_leaves_some_images_their_middle_plane_only() -> None:
    batch = TensorBatch(torch.randn(64, 3, 8, 8), torch.zeros(64, 1, 8, 8), torch.ones(64, 1, 8, 8))
    config = Augmentation(flips=False, plane_dropout=0.3)
    varied = augment(batch, config, _generator()).inputs
    alone = (varied == batch.inputs[:, 1:2]).all(dim=(1, 2, 3))
    assert 8 < int(alone.sum()) < 32
    assert torch.equal(varied[~alone], batch.inputs[~alone])


def test_about_half_of_the_batches_are_sharpened_and_the_others_blurred() -> None:
    config = Augmentation(flips=False, blur_px=2, sharpen=1, intensity_probability=1)
    batch = _batch(1)
    sharper = [
        float(augment(batch, config, _generator(seed)).inputs.var() > batch.inputs.var())
        for seed in range(200)
    ]
    assert 0.35 < sum(sharper) / len(sharper) < 0.65


def test_gamma_leaves_a_flat_crop_flat() -> None:
    flat = torch.full((4, 1, 8, 8), 3.0)
    config = Augmentation(flips=False, gamma=0.5, intensity_probability=1)
    varied = augment(TensorBatch(flat, flat, flat), config, _generator()).inputs
    torch.testing.assert_close(varied, flat)
