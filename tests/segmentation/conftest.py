"""A segmenter without a brain, and scenes to run it on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_virtualstain.models import Model, build_network, save_model
from napari_virtualstain.segmentation.fine_tuning import new_card


@pytest.fixture(scope="session")
def threshold_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model file whose foreground is where the normalised image is above one half.

    Pairs always belong together and nothing touches, so instances are components.
    """
    import torch

    card = new_card("threshold")
    arguments = {**card.architecture.arguments, "widths": [2], "convolutions": 1, "kernel": 1}
    arguments["batch_norm"] = False
    card = card.model_copy(
        update={"architecture": card.architecture.model_copy(update={"arguments": arguments})}
    )
    network = build_network(card.architecture)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
        network.down[0][0].weight[0] = 1.0
        network.head.weight[0, 0] = 12.0
        network.head.bias[0] = -6.0
        network.head.bias[1] = -9.0
        network.head.bias[2:] = 9.0
    path = tmp_path_factory.mktemp("models") / "threshold.safetensors"
    return save_model(path, network, card)


@pytest.fixture
def discs() -> np.ndarray:
    """A movie of three frames of 1, 2 and 3 bright discs on dim noise, uint16."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:72, :90]
    movie = rng.normal(100, 2, (3, 72, 90))
    for frame in range(3):
        for number in range(frame + 1):
            movie[frame] += 400.0 * (np.hypot(y - 30, x - 15 - 30 * number) < 6)
    return movie.round().astype(np.uint16)


@pytest.fixture(scope="session")
def threshold_segmenter(threshold_model: Path) -> Model:
    from napari_virtualstain.models import load_model

    return load_model(threshold_model)
