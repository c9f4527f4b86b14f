"""The inspector of three tracks, two of which jump."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from napari_virtualstain.plugin.inspect.dock import InspectorWidget

from .. import inspected

SCALE = inspected.SCALE


@pytest.fixture
def widget(qtbot: Any, viewer_model: Any, wait_for: Any) -> InspectorWidget:
    viewer_model.add_image(np.random.default_rng(0).random((10, 64, 64)), name="glow", **SCALE)
    data, features = inspected.three_tracks()
    viewer_model.add_tracks(data, features=features, name="cell [tracks]", **SCALE)
    return inspected.inspect(viewer_model, qtbot, wait_for)
