"""Small generators, made anew for each session."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from napari_virtualstain.models import Model, ModelCard, build_network, load_model, save_model


def randomised(network: torch.nn.Module, seed: int = 0) -> torch.nn.Module:
    """Give the network weights and running statistics that are not those of no training."""
    generator = torch.Generator().manual_seed(seed)
    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d):
            spread = (2 / module.weight[0].numel()) ** 0.5
            module.weight.data = torch.randn(module.weight.shape, generator=generator) * spread
            if module.bias is not None:
                module.bias.data = torch.randn(module.bias.shape, generator=generator) * 0.1
        elif isinstance(module, torch.nn.BatchNorm2d):
            shape = module.running_mean.shape
            module.running_mean = torch.randn(shape, generator=generator) * 0.1
            module.running_var = torch.rand(shape, generator=generator) + 0.5
    return network.eval()


@pytest.fixture(scope="session")
def make_model(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Model]:
    """Return ``make_model(architecture="compact", **card)``: a saved and loaded generator."""

    def make(architecture: str = "compact", *, arguments: Any = None, **card: Any) -> Model:
        outputs = card.setdefault("outputs", ["mean"])
        planes = card.get("inputs", {}).get("planes", 1)
        complete = {
            "widths": (4, 6, 8, 8),
            "in_channels": planes,
            "out_channels": len(outputs),
            **(arguments or {}),
        }
        card.setdefault("pixel_size_um", 0.08)
        full = ModelCard(
            name="test", architecture={"name": architecture, "arguments": complete}, **card
        )
        path: Path = tmp_path_factory.mktemp("model") / "test.safetensors"
        save_model(path, randomised(build_network(full.architecture)), full)
        return load_model(path)

    return make
