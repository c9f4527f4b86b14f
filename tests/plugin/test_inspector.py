from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from qtpy.QtCore import Qt

from napari_virtualstain.plugin.inspect.dock import InspectorWidget
from napari_virtualstain.plugin.inspect.film import cut_out, pick_frames
from napari_virtualstain.plugin.inspect.highlight import OVERLAY
from napari_virtualstain.plugin.kit.table import FrameTable
from napari_virtualstain.tracking.summary import next_risky, summarise_tracks, track_rows

SCALE = {"scale": (2.0, 0.1, 0.1), "units": ("s", "um", "um"), "axis_labels": ("t", "y", "x")}


def _data() -> tuple[np.ndarray, pd.DataFrame]:
    """Three calm tracks; the second jumps, the third has a doubtful link."""
    rows = [(k, t, 10.0 * k + 0.1 * t, 20.0 + 0.5 * t) for k in (1, 2, 3) for t in range(10)]
    data = np.array(rows)
    data[15:20, 2] += 15
    quality = np.ones(30)
    quality[24] = 0.1
    return data, pd.DataFrame({"quality": quality, "area_um2": 1.0})


@pytest.fixture
def widget(qtbot: Any, viewer_model: Any, wait_for: Any) -> InspectorWidget:
    viewer_model.add_image(np.random.default_rng(0).random((10, 64, 64)), name="glow", **SCALE)
    data, features = _data()
    viewer_model.add_tracks(data, features=features, name="cell [tracks]", **SCALE)
    made = InspectorWidget(viewer_model)
    qtbot.addWidget(made)
    made.run_button.click()
    wait_for(made, "done")
    return made


def test_the_doubtful_come_first_and_say_why(widget: InspectorWidget) -> None:
    table = widget.table.frame
    assert table["track_id"].tolist() == [3, 2, 1]
    assert table["why"].tolist() == ["doubtful link", "jump", ""]
    assert table["speed_um_per_s"].iloc[2] == pytest.approx(np.hypot(0.1, 0.5) * 0.1 / 2)


def test_next_risky_goes_to_the_doubtful_frame_and_highlights_the_track(
    widget: InspectorWidget,
) -> None:
    zoom = widget.viewer.scene.camera.zoom
    widget.step(1)
    assert widget.selection.track_id == 3
    assert widget.viewer.dims.point[0] == pytest.approx(2.0 * 4)
    overlay = widget.viewer.layers[OVERLAY]
    assert set(overlay.data[:, 0]) == {3}
    np.testing.assert_allclose(overlay.scale, (2.0, 0.1, 0.1))
    assert widget.viewer.scene.camera.zoom == zoom
    assert widget.source.value.name == "cell [tracks]"


def test_verdicts_are_kept_with_the_layer_and_can_be_undone(
    widget: InspectorWidget, tmp_path: Path
) -> None:
    widget.save(tmp_path / "verdicts.csv")
    widget.step(1)
    widget.judge("wrong")
    layer = widget.viewer.layers["cell [tracks]"]
    assert layer.metadata["verdicts"] == {3: "wrong"}
    saved = pd.read_csv(tmp_path / "verdicts.csv", keep_default_na=False)
    assert saved["verdict"].tolist() == ["wrong", "", ""]
    widget.undo_stack.undo()
    assert widget.table.frame["verdict"].tolist() == ["", "", ""]
    widget.undo_stack.redo()
    widget.step(1)
    assert widget.selection.track_id == 2
    widget.judge("ok")
    widget.step(1)
    assert "Every doubtful track has a verdict" in widget.status_label.text()


def test_the_table_works_with_the_keyboard_alone(widget: InspectorWidget, qtbot: Any) -> None:
    widget.table.selectRow(1)
    assert widget.selection.track_id == 2
    qtbot.keyClick(widget.table, Qt.Key.Key_Return)
    assert widget.viewer.layers[OVERLAY].data[0, 0] == 2


def test_a_sorted_table_still_names_the_right_track(widget: InspectorWidget) -> None:
    """regionprops#17, #41: tables that choose the wrong object."""
    column = list(widget.table.frame.columns).index("track_id")
    widget.table.frame_model.sort(column, Qt.SortOrder.AscendingOrder)
    for place, track in enumerate((1, 2, 3)):
        widget.table.selectRow(place)
        assert widget.selection.track_id == track


def test_removing_the_layer_empties_the_dock(widget: InspectorWidget) -> None:
    widget.step(1)
    widget.viewer.layers.remove("cell [tracks]")
    assert widget.table.frame.empty
    assert OVERLAY not in widget.viewer.layers
    assert not widget.run_button.isEnabled()


def test_fifty_thousand_tracks_are_listed_and_sorted(qtbot: Any) -> None:
    count = 50_000
    big = pd.DataFrame({"track_id": np.arange(count), "verdict": "", "risk": 0.5, "why": ""})
    table = FrameTable()
    qtbot.addWidget(table)
    table.show_frame(big)
    table.selectRow(100)
    table.frame_model.sort(0, Qt.SortOrder.DescendingOrder)
    assert table.row == 100
    assert table.currentIndex().row() == count - 101


def test_the_film_holds_the_current_frame_and_stays_in_the_image() -> None:
    rows = pd.DataFrame({"frame": [3, 4, 5, 9, 10, 11]})
    assert 9 in pick_frames(rows, 3, 9)["frame"].tolist()
    assert pick_frames(rows, 20, None)["frame"].tolist() == rows["frame"].tolist()
    plane = np.arange(100.0).reshape(10, 10)
    corner = cut_out(plane, 0, 0, 2)
    assert corner.shape == (5, 5)
    assert corner[2, 2] == 0
    assert corner[3, 4] == plane[1, 2]
    assert not corner[:2].any()
    assert not cut_out(plane, 50, 50, 2).any()


def test_going_round_skips_the_judged() -> None:
    table = pd.DataFrame({"risk": [0.9, 0.8, 0.0, 0.7], "verdict": ["", "ok", "", ""]})
    assert next_risky(table, None, 1) == 0
    assert next_risky(table, 0, 1) == 3
    assert next_risky(table, 3, 1) == 0
    assert next_risky(table, None, -1) == 3
    assert next_risky(table.assign(verdict="ok"), None, 1) is None


def test_tracks_without_features_can_be_summarised() -> None:
    data, _ = _data()
    table = summarise_tracks(
        track_rows(data, pd.DataFrame()), pixel_size_um=0.1, frame_interval_s=2.0
    )
    assert len(table) == 3
    assert table["why"].iloc[0] == "jump"
