"""A command line in this process, and small models and movies to run it on."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from napari_virtualstain.cli.app import app
from napari_virtualstain.io import write_image

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return ``run("stain", path, "-o", out)``; paths are relative to the test's folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))

    def call(*arguments: object, code: int = 0) -> Result:
        result = CliRunner().invoke(
            app, [os.fspath(a) if isinstance(a, Path) else str(a) for a in arguments]
        )
        assert result.exit_code == code, (result.exit_code, result.output, result.exception)
        assert "Traceback" not in result.output
        if code == 2:
            errors = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
            assert errors, result.stderr
        return result

    return call


@pytest.fixture
def movie(tmp_path: Path) -> Path:
    """Return a small bright-field movie, 4 frames of 40 x 48 pixels."""
    frames = np.random.default_rng(0).normal(1000, 50, (4, 40, 48)).astype(np.uint16)
    return write_image(
        tmp_path / "movie.ome.tif", frames, axes="tyx", pixel_size_um=0.08, frame_interval_s=2
    )


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    """Return labels of two squares that move right, 5 frames."""
    movie = np.zeros((5, 40, 60), np.int32)
    for t in range(5):
        movie[t, 5:10, 5 + 2 * t : 10 + 2 * t] = 1
        movie[t, 25:30, 10 + 2 * t : 15 + 2 * t] = 2
    return write_image(
        tmp_path / "labels.ome.tif", movie, axes="tyx", pixel_size_um=0.1, frame_interval_s=1
    )


@pytest.fixture(scope="session")
def generator(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a small generator with random weights."""
    import torch

    from napari_virtualstain.models import ModelCard, build_network, save_model

    torch.manual_seed(0)
    arguments = {"name": "unet", "arguments": {"widths": [4, 8]}}
    card = ModelCard(
        name="tiny",
        description="A tiny model. For tests.",
        pixel_size_um=0.08,
        architecture=arguments,
        outputs=["mean", "log_scale"],
    )
    arguments["arguments"] = {"widths": [4, 8], "out_channels": 2}
    card = card.model_copy(update={"architecture": card.architecture.model_validate(arguments)})
    path = tmp_path_factory.mktemp("models") / "tiny.safetensors"
    return save_model(path, build_network(card.architecture), card)
