"""Small models with random weights, for tests of everything but the quality of a stain."""

from __future__ import annotations

from pathlib import Path


def save_generator(path: Path, *, name: str = "", pixel_size_um: float = 0.08) -> Path:
    """Write a generator of two levels and return its path."""
    import torch

    from napari_virtualstain.models import ModelCard, build_network, save_model

    card = ModelCard(
        name=name or path.stem,
        architecture={"name": "unet", "arguments": {"widths": [4, 8]}},
        pixel_size_um=pixel_size_um,
        description="Random weights, for tests.",
        scores={"virtual stain": {"pearson": {"mean": 0.5}}},
    )
    torch.manual_seed(0)
    return save_model(path, build_network(card.architecture), card, overwrite=True)


def save_segmenter(path: Path) -> Path:
    """Write a segmenter that marks bright pixels, and return its path."""
    import torch

    from napari_virtualstain.models import ModelCard, build_network, save_model

    card = ModelCard(
        name=path.stem,
        kind="segmenter",
        architecture={
            "name": "unet",
            "arguments": {"widths": [2, 2], "convolutions": 1, "batch_norm": False},
        },
        outputs=["foreground"],
        normalisation={"input": {"kind": "percentile", "low": 0.0, "high": 100.0}},
        pixel_size_um=0.08,
    )
    network = build_network(card.architecture)
    with torch.no_grad():
        for weights in network.parameters():
            weights.zero_()
        network.down[0][0].weight[0, 0, 1, 1] = 1.0
        network.up[0][0].weight[0, 0, 1, 1] = 1.0
        network.head.weight[0, 0] = 8.0
        network.head.bias[0] = -4.0
    return save_model(path, network, card, overwrite=True)
