"""Regions that are polygons: what lies outside does not count, anywhere."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_virtualstain.data import CorrelativePairs, Region, correct_shifts, inside_only, joined
from napari_virtualstain.data.registration import Shift
from napari_virtualstain.losses import LossConfig, generator_loss

TRIANGLE = Region(2, 2, 12, 12, vertices=((2, 2), (2, 11), (11, 2)))


def _pairs() -> CorrelativePairs:
    images = np.random.default_rng(0).normal(size=(2, 16, 16))
    return CorrelativePairs.from_arrays(images, images)


def test_a_polygon_masks_its_rectangle_and_a_rectangle_nothing() -> None:
    cut = _pairs().within([TRIANGLE, Region(0, 0, 8, 8)])
    triangle, none, *_ = cut.masks
    assert triangle is not None
    assert triangle.shape == (10, 10)
    assert triangle[0, 0]
    assert not triangle[-1, -1]
    assert none is None
    assert _pairs().within([Region(0, 0, 8, 8)]).masks == ()


def test_masks_stay_with_their_pairs() -> None:
    cut = _pairs().within([TRIANGLE, Region(0, 0, 10, 10)])
    assert [mask is None for mask in cut.subset([1, 0]).masks] == [True, False]
    whole = joined([_pairs().within([Region(0, 0, 10, 10)]), cut])
    assert [mask is None for mask in whole.masks] == [True, True, False, True, False, True]
    moved = correct_shifts(cut, [Shift(2.0, 0.0, 20.0, 1)] * 4)
    assert moved.masks[0].shape == moved.fluorescence[0].shape == (8, 10)


@pytest.mark.parametrize(
    "loss",
    [
        LossConfig(l1=1.0),
        LossConfig(l1=0, weighted_l1=1.0, weight_map="psf_deconvolution"),
        LossConfig(l1=0, correlation=1.0, band_pass=1.0, mse=1.0, gradient=0.0),
        LossConfig(l1=0, laplace=1.0),
    ],
)
def test_pixels_outside_a_polygon_have_no_gradient(loss: LossConfig) -> None:
    torch.manual_seed(0)
    output = torch.randn(2, 2, 24, 24, requires_grad=True)
    target, weight = torch.randn(2, 1, 24, 24), torch.rand(2, 1, 24, 24)
    counts = torch.zeros(2, 1, 24, 24)
    counts[..., :12, :] = 1
    total, _ = generator_loss(output, target, torch.cat([weight, counts], 1), loss)
    total.backward()
    assert float(output.grad[..., 12:, :].abs().max()) == 0
    assert float(output.grad[:, :1, :12, :].abs().max()) > 0


def test_a_correlation_counts_the_pixels_inside_alone() -> None:
    rng = np.random.default_rng(1)
    first, second = rng.normal(size=(2, 20, 20)) + 5
    mask = np.zeros((20, 20), bool)
    mask[3:12, 4:18] = True
    whole = np.corrcoef(inside_only(first, mask).ravel(), inside_only(second, mask).ravel())[0, 1]
    assert whole == pytest.approx(np.corrcoef(first[mask], second[mask])[0, 1])
    torch_loss = generator_loss(
        torch.tensor(first)[None, None],
        torch.tensor(second)[None, None],
        torch.stack([torch.ones(20, 20), torch.tensor(mask, dtype=torch.float32)])[None],
        LossConfig(l1=0, correlation=1.0),
    )[0]
    assert 1 - float(torch_loss) == pytest.approx(whole, abs=1e-4)
