from __future__ import annotations

from typing import Any

import pytest
import torch
from small_generators import randomised

from napari_virtualstain.engine import strips
from napari_virtualstain.engine.prepared import _gains_from_bfloat16, fold_batch_norm
from napari_virtualstain.engine.strips import StripedUNet
from napari_virtualstain.models import UNet

NETWORKS: dict[str, dict[str, Any]] = {
    "one level": {"widths": (5,)},
    "narrow": {"widths": (4, 6, 8), "narrow_upsampling": True, "out_channels": 3},
    "wide kernel": {"widths": (3, 4), "kernel": 7},
    "one convolution": {"widths": (3, 4), "convolutions": 1, "output_activation": "sigmoid"},
    "half resolution": {"widths": (4, 6), "half_resolution": True, "out_channels": 2},
    "repeated planes": {"widths": (3, 4), "replicate": 3, "in_channels": 2, "dropout": 0.5},
}


@pytest.fixture(autouse=True)
def short_strips(monkeypatch: pytest.MonkeyPatch) -> None:
    """Strips of a few rows, so that small frames have many."""
    monkeypatch.setattr(strips, "_FEWEST_ROWS", 5)
    monkeypatch.setattr(strips, "_STRIP_BYTES", 1)


def _maps(name: str, size: tuple[int, int], dtype: torch.dtype) -> tuple[torch.Tensor, ...]:
    arguments = NETWORKS[name]
    network = fold_batch_norm(randomised(UNet(**arguments))).to(dtype)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    generator = torch.Generator().manual_seed(0)
    image = torch.randn(2, arguments.get("in_channels", 1), *size, generator=generator).to(dtype)
    image = image.to(memory_format=torch.channels_last)
    with torch.inference_mode():
        return network(image).float(), StripedUNet(network)(image)


@pytest.mark.parametrize("size", [(44, 60), (8, 16), (72, 20)])
@pytest.mark.parametrize("name", NETWORKS)
def test_strips_give_the_maps_of_the_plain_pass(name: str, size: tuple[int, int]) -> None:
    plain, striped = _maps(name, size, torch.float32)
    assert striped.shape == plain.shape
    assert float((striped - plain).abs().max()) <= 1e-6 * float(plain.max() - plain.min())


@pytest.mark.skipif(not _gains_from_bfloat16(), reason="no instructions for bfloat16 here")
@pytest.mark.parametrize("name", NETWORKS)
def test_strips_change_no_bit_in_half_precision(name: str) -> None:
    plain, striped = _maps(name, (72, 60), torch.bfloat16)
    assert striped.dtype == torch.float32
    assert torch.equal(striped, plain)
