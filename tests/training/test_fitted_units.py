"""Gain and offset that carry the outputs of a starting model to the units of the targets."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from napari_virtualstain.training.networks import _fitted_units


def prepared(target: np.ndarray) -> SimpleNamespace:
    """Return twenty pairs, each with the target's own image as bright-field."""

    def normalised(*part: slice) -> tuple[np.ndarray, np.ndarray, None]:
        return target[None, *part].astype(np.float32), target[part].astype(np.float32), None

    pair = SimpleNamespace(fluorescence=target, normalised=normalised)
    return SimpleNamespace(train=[pair] * 20)


class Scaled(torch.nn.Module):
    """Gives the image back in other units."""

    stride = 4

    def __init__(self, gain: float, offset: float) -> None:
        super().__init__()
        self.gain, self.offset = gain, offset

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        assert image.shape[-1] % 4 == image.shape[-2] % 4 == 0
        return (image - self.offset) / self.gain


@pytest.mark.parametrize(
    ("gain", "found"), [(2.0, 2.0), (0.01, 0.01), (900.0, 900.0), (1e-4, 1e-3), (1e4, 1e3)]
)
def test_gain_and_offset_are_found_between_a_thousandth_and_a_thousand(
    gain: float, found: float
) -> None:
    target = np.random.default_rng(0).normal(5, 2, (30, 41))
    network = Scaled(gain, -3.0)
    fitted, offset = _fitted_units(network, prepared(target))
    assert fitted == pytest.approx(found, rel=1e-3)
    made = (target[:28, :40].mean() + 3) / gain
    assert offset == pytest.approx(target[:28, :40].mean() - found * made, rel=1e-3)
    assert network.training
