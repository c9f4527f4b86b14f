"""The measured shift between the channels: points, ring, text, overlay and faults by name."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from napari_virtualstain.data import Alignment
from napari_virtualstain.plugin.train.dock import TrainWidget

from .conftest import SCALE, add_pair, open_dock, smooth_pair

KNOWN = Alignment(6.0, -5.0, significance=9.0, spread_px=0.5, pairs=8)


@pytest.fixture
def widget(qtbot: Any, viewer_model: Any) -> TrainWidget:
    add_pair(viewer_model, smooth_pair())
    return open_dock(qtbot, viewer_model)


def test_a_point_a_ring_and_a_sentence_for_each_shift(widget: TrainWidget) -> None:
    panel = widget.registration
    panel.show_found({"a": KNOWN, "b": Alignment(1.0, 2.0, significance=3.0, pairs=8)})
    x, y = panel.points.getData()
    assert sorted(zip(x.tolist(), y.tolist(), strict=True)) == [(-5.0, 6.0), (2.0, 1.0)]
    colours = {spot.pos().x(): spot.brush().color().name() for spot in panel.points.points()}
    assert colours == {-5.0: "#00b7eb", 2.0: "#9aa0a6"}
    rings = [item for item in panel.plot.listDataItems() if item.getData()[0] is not None]
    ring = next(item for item in rings if len(item.getData()[0]) == 60)
    away = np.hypot(ring.getData()[0] + 5, ring.getData()[1] - 6)
    np.testing.assert_allclose(away, 0.5)
    assert panel.text.text().splitlines() == [
        "a: fluorescence displaced by about dy +6.0, dx -5.0 px, within 1.0",
        "b: shift unknown: the channels show too little in common",
        "Tick Correct registration to undo this before training.",
    ]
    panel.show_found({"b": Alignment(significance=3.0, pairs=8)})
    assert "Tick" not in panel.text.text()
    assert not panel.overlay_button.isEnabled()


def test_the_overlay_lies_where_correction_would_move_it(widget: TrainWidget) -> None:
    widget.registration.show_found({"a": KNOWN})
    widget.registration.overlay_button.click()
    shown = next(one for one in widget.viewer.layers if "aligned" in one.name).data
    frame = widget.viewer.dims.current_step[0]
    true = widget.viewer.layers["GFP"].data[frame]
    np.testing.assert_allclose(shown[10:40, 10:80], true[16:46, 5:75], rtol=1e-3)


def test_measuring_names_a_fault_in_the_status_line(widget: TrainWidget, qtbot: Any) -> None:
    copy = widget.viewer.layers["bf"].data.copy()
    widget.fluorescence.value = widget.viewer.add_image(copy, name="copy GFP", **SCALE)
    assert widget.registration.measure_button.isEnabled(), widget.status_label.text()
    widget.registration.measure_button.click()
    said = widget.status_label.text
    qtbot.waitUntil(lambda: not said().startswith("Measuring"), timeout=120_000)
    assert said() == "Both layers hold the same image."
    assert widget.registration.text.text().startswith("first frames: both layers hold the same")
