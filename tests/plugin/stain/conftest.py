"""Model, movie and dock that the tests of the stain dock share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_virtualstain.plugin.stain.dock import StainWidget

from ..models import save_generator

SCALE = {"scale": (2.0, 0.08, 0.08), "units": ("s", "um", "um"), "axis_labels": ("t", "y", "x")}


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the file of the user's one model, `tiny`."""
    monkeypatch.setenv("VIRTUALSTAIN_MODELS", str(tmp_path / "models"))
    return save_generator(tmp_path / "models" / "tiny.safetensors")


@pytest.fixture
def movie() -> np.ndarray:
    return np.random.default_rng(0).integers(100, 200, (7, 96, 112)).astype(np.uint16)


@pytest.fixture
def widget(qtbot: Any, viewer_model: Any, movie: np.ndarray) -> StainWidget:
    viewer_model.add_image(movie, name="cell", translate=(0, 3, 4), **SCALE)
    made = StainWidget(viewer_model)
    qtbot.addWidget(made)
    made.model.value = "tiny"
    made.device.value = "cpu"
    return made


def run_dock(widget: StainWidget, wait_for: Any) -> Any:
    """Stain, and return the layer of the fluorescence."""
    widget.run_button.click()
    wait_for(widget)
    assert widget.state == "done", widget.status_label.text()
    return widget.viewer.layers["stained · cell [fluorescence]"]
