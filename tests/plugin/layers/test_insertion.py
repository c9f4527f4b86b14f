from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from napari.layers import Image
from qtpy.QtCore import QTimer

from napari_virtualstain.plugin.layers.insertion import insert


@pytest.mark.parametrize("seen", [True, False])
def test_a_new_layer_is_seen_soon_if_it_was_meant_to(
    viewer_model: Any, qtbot: Any, seen: bool
) -> None:
    layer = insert(viewer_model, Image(np.zeros((4, 4)), visible=seen))
    assert not layer.visible
    qtbot.wait(100)
    assert layer.visible is seen


def test_a_layer_that_is_hidden_before_it_was_seen_stays_hidden(
    viewer_model: Any, qtbot: Any
) -> None:
    layer = insert(viewer_model, Image(np.zeros((4, 4))))
    QTimer.singleShot(0, lambda: setattr(layer, "visible", False))
    qtbot.wait(100)
    assert not layer.visible
    layer.visible = True  # whoever looks at it later decides again
    assert layer.visible
