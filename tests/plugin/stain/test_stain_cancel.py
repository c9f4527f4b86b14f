"""Cancelling of the Stain dock: inside a tile, and while slow storage is read."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import dask.array
import numpy as np
import pytest

from napari_virtualstain.plugin.stain.dock import StainWidget

from .conftest import SCALE

pytestmark = pytest.mark.usefixtures("models")


def test_cancelling_stops_between_layers_and_not_only_between_tiles(
    widget: StainWidget, models: Path
) -> None:
    from napari_virtualstain.errors import CancelledError
    from napari_virtualstain.plugin.stain.job import PlaneStainer
    from napari_virtualstain.progress import CancelToken

    asked = widget._visible_request()
    assert asked is not None
    token = CancelToken()
    stainer = PlaneStainer(asked[0], token)
    prepared = stainer._stainer.network._prepared
    network, armed, reached = prepared._networks(prepared.precision), [False], []
    first = next(m for m in network.modules() if not list(m.children()))
    first.register_forward_hook(lambda *_: token.cancel() if armed[0] else None)
    network.network.head.register_forward_hook(lambda *_: reached.append(armed[0]))
    [(plane, _)] = stainer.stain([(0,)])
    assert plane.shape == (96, 112)
    assert reached
    armed[0] = True
    with pytest.raises(CancelledError):
        stainer.stain([(0,)])
    assert True not in reached


def test_cancelling_stops_while_slow_storage_is_sampled(
    widget: StainWidget, wait_for: Any, qtbot: Any
) -> None:
    read: list[int] = []

    def plane(block_info: Any = None) -> np.ndarray:
        read.append(1)
        time.sleep(0.2)
        return np.zeros((1, 64, 64), np.float32)

    chunks = ((1,) * 40, (64,), (64,))
    slow = dask.array.map_blocks(plane, chunks=chunks, dtype=np.float32, meta=np.empty((0, 0, 0)))
    layer = widget.viewer.add_image(slow, name="slow", contrast_limits=(0, 1), **SCALE)
    widget.source.value = layer
    read.clear()
    widget.run_button.click()
    qtbot.waitUntil(lambda: len(read) >= 2, timeout=20000)
    widget.cancel_button.click()
    wait_for(widget, "idle", timeout_s=10)
    assert len(read) <= 4


def test_a_first_frame_that_takes_minutes_is_announced(
    widget: StainWidget, wait_for: Any, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_virtualstain.plugin.stain.job import PlaneStainer

    go_on, stained = threading.Event(), PlaneStainer.stained

    def slow(self: PlaneStainer, places: Any) -> Any:
        go_on.wait(30)
        yield from stained(self, places)

    monkeypatch.setattr(PlaneStainer, "stained", slow)
    widget.run_button.click()
    try:
        qtbot.waitUntil(lambda: widget.status_label.text() == "staining: frame 0/7", timeout=20000)
    finally:
        go_on.set()
    wait_for(widget, "done")


def test_nothing_is_added_to_a_stain_that_was_deleted_in_midstained(
    widget: StainWidget, wait_for: Any, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_virtualstain.plugin.stain import job

    made, deleted, limits = [], threading.Event(), job.display_limits

    def limits_later(plane: np.ndarray) -> tuple[float, float]:
        made.append(plane)
        if len(made) == 2:  # of the uncertainty
            deleted.wait(30)
        return limits(plane)

    monkeypatch.setattr(job, "display_limits", limits_later)
    widget.settings["uncertainty"].value = True
    layers = widget.viewer.layers
    widget.run_button.click()
    qtbot.waitUntil(lambda: len(layers) == 2 and len(made) == 2, timeout=20000)
    layers.clear()
    deleted.set()
    wait_for(widget, "idle")
    assert [layer.name for layer in layers] == []
