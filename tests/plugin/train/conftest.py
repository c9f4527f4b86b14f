"""Models folder and movies that the tests of the train dock share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from napari_virtualstain.plugin.train.dock import TrainWidget

from ..models import save_generator

SCALE = {"scale": (2.0, 0.08, 0.08), "units": ("s", "um", "um"), "axis_labels": ("t", "y", "x")}


@pytest.fixture(autouse=True)
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of the user's models, which holds `tiny`."""
    folder = tmp_path / "models"
    monkeypatch.setenv("VIRTUALSTAIN_MODELS", str(folder))
    save_generator(folder / "tiny.safetensors")
    return folder


def smooth_pair(height: int = 64, width: int = 96) -> tuple[np.ndarray, np.ndarray]:
    """Return bright-field and fluorescence of 8 frames; the one darkens where the other shines."""
    rng = np.random.default_rng(0)
    glow = gaussian_filter(rng.random((8, height, width)), (0, 2, 2)).astype(np.float32)
    glow = (glow - glow.min()) * 1000
    bright = (200 - 0.1 * glow + rng.normal(0, 1, glow.shape)).astype(np.float32)
    return bright, glow


def spotted_pair() -> tuple[np.ndarray, np.ndarray]:
    """Return bright-field and fluorescence of 8 frames that have nothing in common."""
    rng = np.random.default_rng(0)
    glow = np.exp(gaussian_filter(rng.normal(size=(8, 64, 96)), (0, 2, 2)) * 12).astype("f4")
    return rng.normal(100, 5, glow.shape).astype("f4"), glow


def add_pair(viewer: Any, pair: tuple[np.ndarray, np.ndarray]) -> None:
    """Add bright-field `bf` and fluorescence `GFP` to the viewer."""
    for image, name in zip(pair, ("bf", "GFP"), strict=True):
        viewer.add_image(image, name=name, **SCALE)


def open_dock(qtbot: Any, viewer: Any) -> TrainWidget:
    """Return a dock of the layers that are there, which starts from `tiny`."""
    made = TrainWidget(viewer)
    qtbot.addWidget(made)
    made.start_from.value = "tiny"
    return made


def open_quick_dock(qtbot: Any, viewer: Any) -> TrainWidget:
    """Return a dock that trains 6 steps and compares nothing afterwards."""
    made = open_dock(qtbot, viewer)
    made.compare_box.setChecked(False)
    for box, value in ((made.steps, 6), (made.crop, 32), (made.batch, 2)):
        box.setValue(value)
    return made


def draw_regions(widget: TrainWidget) -> Any:
    """Draw a rectangle and a polygon beside it; return their layer."""
    widget.pairs.new_regions.click()
    layer = widget.shapes.value
    layer.add_rectangles([[2, 2], [60, 44]])
    layer.add_polygons([[2, 50], [60, 50], [60, 94], [30, 94]])
    return layer
