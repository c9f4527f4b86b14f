"""Curves of one track over time, against hand-counted values."""

from __future__ import annotations

import pandas as pd
import pytest

from napari_virtualstain.plugin.inspect.plots.curves import curves
from napari_virtualstain.plugin.inspect.summary_rows import Scale
from napari_virtualstain.tracking import EditableTracks


@pytest.mark.parametrize(
    ("frames", "x_px", "speeds"),
    [([4], [1.0], []), ([0, 2], [0.0, 10.0], [0.25]), ([0, 1, 4], [0.0, 10.0, -5.0], [0.5, 0.25])],
)
def test_speed_is_way_over_time(frames: list[int], x_px: list[float], speeds: list[float]) -> None:
    rows = pd.DataFrame({"track_id": 1, "frame": frames, "y_px": 3.0, "x_px": x_px})
    (curve,) = curves(EditableTracks(rows), 1, "speed", Scale(0.1, 2.0), None)
    assert curve.y.tolist() == pytest.approx(speeds)
    assert curve.x.tolist() == [2.0 * frame for frame in frames[1:]]


def test_position_is_in_micrometres() -> None:
    rows = pd.DataFrame({"track_id": 1, "frame": [0, 2], "y_px": [3.0, 4.0], "x_px": [0.0, 10.0]})
    y, x = curves(EditableTracks(rows), 1, "position", Scale(0.1, 2.0), None)
    assert (y.y.tolist(), x.y.tolist()) == (pytest.approx([0.3, 0.4]), pytest.approx([0.0, 1.0]))
