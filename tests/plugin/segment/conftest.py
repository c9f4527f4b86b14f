"""Model, movie and docks that the tests of the segment dock share."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_virtualstain.plugin.segment.dock import SegmentWidget
from napari_virtualstain.plugin.segment.job import PlaneSegmenter

from ..models import save_segmenter

SCALE = {"scale": (2.0, 0.08, 0.08), "units": ("s", "um", "um"), "axis_labels": ("t", "y", "x")}


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the file of the user's one model, `bright`."""
    monkeypatch.setenv("VIRTUALSTAIN_MODELS", str(tmp_path / "models"))
    return save_segmenter(tmp_path / "models" / "bright.safetensors")


@pytest.fixture
def movie() -> np.ndarray:
    """Return a dim and one bright bar that move, of 10 x 20 pixels."""
    frames = np.zeros((6, 80, 96), np.float32)
    for frame in range(6):
        frames[frame, 10:20, 10 + frame : 30 + frame] = 1.0
        frames[frame, 50:60, 40 - frame : 60 - frame] = 0.6
    return frames


@pytest.fixture
def widget(qtbot: Any, viewer_model: Any, movie: np.ndarray) -> SegmentWidget:
    viewer_model.add_image(movie, name="cell [fluorescence]", translate=(0, 3, 4), **SCALE)
    made = SegmentWidget(viewer_model)
    qtbot.addWidget(made)
    made.model.value = "bright"
    made.device.value = "cpu"
    return made


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Hold every plane back until the event is set; it is at the end of the test."""
    go_on, labels = threading.Event(), PlaneSegmenter.labels

    def slow(self: PlaneSegmenter, *request: Any) -> Any:
        go_on.wait(30)
        return labels(self, *request)

    monkeypatch.setattr(PlaneSegmenter, "labels", slow)
    yield go_on
    go_on.set()


@pytest.fixture
def segmented(widget: SegmentWidget, wait_for: Any) -> SegmentWidget:
    widget.viewer.dims.set_point(0, 2.0 * 2)
    widget.run_button.click()
    wait_for(widget)
    assert widget.state == "done", widget.status_label.text()
    return widget


def labels_of(widget: SegmentWidget) -> Any:
    """Return the layer of the outlines."""
    return widget.viewer.layers["segmented · cell [mitochondria]"]
