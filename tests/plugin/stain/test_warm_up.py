from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest
from napari.layers import Image
from qtpy.QtWidgets import QMainWindow

from napari_virtualstain.plugin.layers.insertion import insert
from napari_virtualstain.plugin.stain import warm_up as module
from napari_virtualstain.plugin.stain.warm_up import WarmUp


def test_a_layer_enters_hidden_and_shows_a_little_later(qtbot: Any, viewer_model: Any) -> None:
    """Making a layer's controls and drawing it are two short blocks then, not one long one."""
    seen: list[bool] = []
    viewer_model.layers.events.inserted.connect(lambda event: seen.append(event.value.visible))
    layer = insert(viewer_model, Image(np.zeros((4, 4))))
    assert seen == [False]
    qtbot.waitUntil(lambda: bool(layer.visible), timeout=2000)


@pytest.mark.parametrize("kind", ["fine", "refused", "closed"])
def test_the_window_is_painted_once_after_the_layer_is_made(
    qtbot: Any, viewer_model: Any, kind: str
) -> None:
    window = QMainWindow()
    if kind != "closed":
        qtbot.addWidget(window)
    with qtbot.waitExposed(window):
        window.show()
    painted: list[bool] = []

    def look(_event: Any) -> None:
        painted.append(window.updatesEnabled())
        if kind == "refused":
            raise ValueError("refused")

    viewer_model.layers.events.inserted.connect(look)
    if kind == "refused":
        with pytest.raises(Exception, match="refused"):
            insert(viewer_model, Image(np.zeros((4, 4))))
    else:
        insert(viewer_model, Image(np.zeros((4, 4))))
    assert painted == [False]
    if kind == "closed":
        with qtbot.waitSignal(window.destroyed):
            window.deleteLater()
        qtbot.wait(120)
    else:
        qtbot.waitUntil(window.updatesEnabled, timeout=2000)


@pytest.mark.parametrize("removed", [True, False])
def test_what_was_hidden_or_is_gone_stays_so(qtbot: Any, viewer_model: Any, removed: bool) -> None:
    layer = insert(viewer_model, Image(np.zeros((4, 4)), visible=removed))
    if removed:
        viewer_model.layers.remove(layer)
    qtbot.wait(120)
    assert not layer.visible


def test_torch_is_imported_once_and_only_when_a_dock_stands_ready(
    qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from qtpy.QtWidgets import QWidget

    imports: list[int] = []
    monkeypatch.setattr(module, "warm_up", lambda _threads, _context: imports.append(1))
    monkeypatch.setattr(module, "_AFTER_MS", 10)
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    parent = QWidget()
    qtbot.addWidget(parent)
    warm = WarmUp(parent)
    qtbot.wait(50)
    assert not imports
    warm.soon()
    warm.soon()
    qtbot.waitUntil(lambda: imports == [1], timeout=2000)
    qtbot.waitUntil(lambda: not warm.runner.state.is_active, timeout=2000)
    warm.stop()
    warm.soon()
    warm.stop()
    qtbot.wait(50)
    assert imports == [1]
