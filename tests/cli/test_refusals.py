"""Refusals: one short line, exit code 2, and nothing left behind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import Result

from napari_virtualstain.io import write_image

Run = Callable[..., Result]


def _everything(folder: Path) -> set[str]:
    return {
        str(path.relative_to(folder)) for path in folder.rglob("*") if "state" not in path.parts
    }


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    planes = np.zeros((3, 24, 24), np.int32)
    planes[:, 4:8, 4:8] = 1
    return write_image(tmp_path / "labels.ome.tif", planes, axes="tyx")


REFUSED = {
    "simulate size": ("simulate", "new/scene", "--size", "3"),
    "simulate memory": ("simulate", "new/scene", "--size", "16000", "--frames", "4000000"),
    "simulate seed": ("simulate", "new/scene", "--seed", "100000000000000000000"),
    "simulate frames": ("simulate", "new/scene", "--frames", "1000000000000"),
    "evaluate": ("evaluate", "movie.ome.tif", "labels.ome.tif", "-o", "new/report"),
    "evaluate missing": ("evaluate", "movie.ome.tif", "none.tif", "-o", "new/report"),
    "stain missing": ("stain", "none.tif", "-o", "new/o.ome.tif"),
    "stain one output": (
        "stain", "movie.ome.tif", "-o", "o.ome.tif", "--uncertainty", "./o.ome.tif",
        "--model", "mito-simulated",
    ),
    "stain name": ("stain", "movie.ome.tif", "-o", "new/o.jpg", "--model", "mito-simulated"),
    "segment one output": (
        "segment", "movie.ome.tif", "-o", "o.ome.tif", "--measures", "o.ome.tif"
    ),
    "track one output": ("track", "labels.ome.tif", "-o", "t.tif", "--labels-out", "t.tif"),
    "track grey": ("track", "movie.ome.tif", "-o", "new/t.csv"),
    "stain second name": (
        "stain", "movie.ome.tif", "-o", "new/o.ome.tif", "--uncertainty", "new/u.jpg",
        "--model", "mito-simulated",
    ),
    "run frames": ("run", "movie.ome.tif", "-o", "new/out", "--frames", "99"),
    "run segmenter": ("run", "movie.ome.tif", "-o", "new/out", "--segmenter", "nobody"),
    "demo model": ("demo", "new/out", "--model", "nobody"),
    "demo device": ("demo", "new/out", "--device", "abacus"),
    "demo segmenter": ("demo", "new/out", "--segmenter", "nobody"),
    "run missing": ("run", "none.tif", "-o", "new/out"),
    "position": ("stain", "movie.ome.tif", "-o", "new/o.ome.tif", "--position", "7"),
    "train epochs": (
        "train", "--bright-field", "movie.ome.tif", "--fluorescence", "movie.ome.tif",
        "-o", "new/m.safetensors", "--epochs", "inf",
    ),
    "train seed": (
        "train", "--bright-field", "movie.ome.tif", "--fluorescence", "movie.ome.tif",
        "-o", "new/m.safetensors", "--seed", "100000000000000000000",
    ),
    "train user": (
        "train", "--bright-field", "~nobody-of-that-name/x", "--fluorescence", "movie.ome.tif",
        "-o", "new/m.safetensors",
    ),
    "train folds": (
        "train", "--bright-field", "movie.ome.tif", "--fluorescence", "movie.ome.tif",
        "-o", "new/m.safetensors", "--folds", "99",
    ),
    "user of measures": (
        "segment", "movie.ome.tif", "-o", "new/o.ome.tif", "--measures", "~nobody/a.csv",
    ),
    "user of output": ("stain", "movie.ome.tif", "-o", "~nobody/a.ome.tif"),
    "long path": ("stain", "x" * 5000, "-o", "new/o.ome.tif"),
    "long folders": ("stain", "/".join(["y" * 200] * 25), "-o", "new/o.ome.tif"),
    "long output": ("stain", "movie.ome.tif", "-o", "z" * 5000 + ".ome.tif"),
    "null": ("stain", "a\0b.tif", "-o", "new/o.ome.tif"),
    "address": ("stain", "https://example.org/m.tif", "-o", "new/o.ome.tif"),
    "settings": ("run", "movie.ome.tif", "-o", "new/out", "--config", "labels.ome.tif"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_a_refusal_is_short_and_leaves_nothing(
    case: str, run: Run, movie: Path, labels: Path, tmp_path: Path
) -> None:
    before = _everything(tmp_path)
    result = run(*REFUSED[case], code=2)
    assert _everything(tmp_path) == before
    for line in result.stderr.splitlines():
        assert len(line) < 2100
        assert max(map(len, line.split())) < 400
    assert "defect" not in result.output
