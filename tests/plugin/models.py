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
        scores={"bandpass_pearson": 0.5},
    )
    torch.manual_seed(0)
    return save_model(path, build_network(card.architecture), card, overwrite=True)
