"""Gain and offset that carry the outputs of a starting model to the units of the targets."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from napari_virtualstain import models
from napari_virtualstain.models import build_network
from napari_virtualstain.normalisation import Normalisation
from napari_virtualstain.training import TrainingConfig, networks
from napari_virtualstain.training.networks import _fitted_units, match_units


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


@pytest.mark.parametrize("channels", [1, 2])
def test_stain_and_predicted_error_are_carried_to_the_units_of_the_targets(
    monkeypatch: pytest.MonkeyPatch, channels: int
) -> None:
    network = build_network(
        {"name": "unet", "arguments": {"widths": [4], "out_channels": channels}}
    )
    network.eval()
    image = torch.randn(2, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    before = network(image)
    card = SimpleNamespace(normalisation=SimpleNamespace(output=Normalisation(kind="none")))
    monkeypatch.setattr(models, "read_card", lambda _: card)
    monkeypatch.setattr(networks, "_fitted_units", lambda *_: (10.0, 5.0))
    match_units(network, SimpleNamespace(), TrainingConfig(init="mito-h9c2"))
    after = network(image)
    torch.testing.assert_close(after[:, 0], 10 * before[:, 0] + 5)
    # the second channel is the logarithm of the error
    torch.testing.assert_close(after[:, 1:], before[:, 1:] + math.log(10))
