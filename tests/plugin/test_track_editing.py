"""Cut, join and delete in the track inspector, through its buttons."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from qtpy.QtGui import QShortcut
from qtpy.QtWidgets import QPushButton

from napari_virtualstain.errors import InputError
from napari_virtualstain.plugin.contributions.writers import tracks_table
from napari_virtualstain.plugin.inspect.dock import InspectorWidget
from napari_virtualstain.plugin.inspect.plot import track_series
from napari_virtualstain.plugin.layers.insertion import add_relabelled_layer, add_tracks_layer
from napari_virtualstain.plugin.track.job import TrackRequest, TrackResult, track_features
from napari_virtualstain.tracking import Tracks
from napari_virtualstain.tracking.editing import TrackState, cut, delete, join, partners

SCALE = {"scale": (2.0, 0.1, 0.1), "units": ("s", "um", "um"), "axis_labels": ("t", "y", "x")}


def _tracks() -> Tracks:
    """Tracks 1 and 2 of ten frames; 2 divides into 3 and 4, which live on for five."""
    spans = {1: range(10), 2: range(10), 3: range(10, 15), 4: range(10, 15)}
    rows = [(k, t, 1.0 * k, 2.0 + 0.05 * t) for k, frames in spans.items() for t in frames]
    table = pd.DataFrame(rows, columns=["track_id", "frame", "y_um", "x_um"])
    table["label"], table["area_um2"], table["quality"] = table.track_id, 1.0, 0.9
    event = {"kind": "fission", "frame": 10, "parents": "2", "children": "3;4", "probability": 1.0}
    events = pd.DataFrame([{**event, "time_s": 20.0, "y_um": 2.0, "x_um": 2.5}])
    return Tracks.from_table(
        table, {3: [2], 4: [2]}, events, pixel_size_um=0.1, frame_interval_s=2.0
    )


@pytest.fixture
def widget(qtbot: Any, viewer_model: Any, wait_for: Any) -> InspectorWidget:
    tracks = _tracks()
    data, properties, graph = tracks.to_napari()
    labels = np.zeros((15, 60, 64), np.int32)
    for track, t, y, x in data.astype(int):
        labels[t, y - 2 : y + 2, x - 2 : x + 2] = track
    features = track_features(data, properties, 0.1, 2.0)
    result = TrackResult(tracks, data, features, graph)
    request = TrackRequest(labels, None, 0.1, 2.0, {})
    add_relabelled_layer(viewer_model, labels, request, "cell", SCALE)
    add_tracks_layer(viewer_model, result, request, "cell", SCALE)
    made = InspectorWidget(viewer_model)
    qtbot.addWidget(made)
    made.run_button.click()
    wait_for(made, "done")
    return made


def _layer(widget: InspectorWidget) -> Any:
    return widget.viewer.layers["tracked · cell [tracks]"]


def _labels(widget: InspectorWidget) -> np.ndarray:
    data: np.ndarray = widget.viewer.layers["same numbers · cell [tracked mitochondria]"].data
    return data


def _choose(widget: InspectorWidget, track: int) -> None:
    widget.table.selectRow(int(np.flatnonzero(widget.table.frame["track_id"] == track)[0]))


def _press(widget: InspectorWidget, name: str) -> None:
    widget.findChild(QPushButton, name).click()


def _contents(layer: Any) -> tuple[Any, ...]:
    features = layer.features.sort_index(axis=1)
    return layer.data.copy(), features, {k: list(v) for k, v in layer.graph.items()}


def _assert_same(one: tuple[Any, ...], other: tuple[Any, ...]) -> None:
    np.testing.assert_array_equal(one[0], other[0])
    pd.testing.assert_frame_equal(one[1], other[1], check_dtype=False)
    assert one[2] == other[2]


def _assert_consistent(layer: Any) -> None:
    """Data, features, graph and the core's tracks say the same, and the file will too."""
    features, known = layer.features, set(layer.data[:, 0])
    np.testing.assert_array_equal(features["track_id"], layer.data[:, 0])
    sizes = features.groupby("track_id")["track_id"].transform("size")
    np.testing.assert_array_equal(features["length_frames"], sizes)
    parents = {child: of[0] for child, of in layer.graph.items()}
    np.testing.assert_array_equal(features["parent"], [parents.get(t, 0) for t in layer.data[:, 0]])
    assert {*layer.graph, *(p for of in layer.graph.values() for p in of)} <= known
    core = layer.metadata["tracks"]
    np.testing.assert_array_equal(core.to_napari()[0], layer.data)
    assert core.graph == {child: list(of) for child, of in layer.graph.items()}
    attributes = {"scale": layer.scale, "graph": layer.graph, "features": features}
    written = tracks_table(layer.data, attributes)
    np.testing.assert_array_equal(written["track_id"], layer.data[:, 0])


def test_cutting_gives_the_rest_a_number_and_takes_the_children_along(
    widget: InspectorWidget,
) -> None:
    layer, before, pixels = _layer(widget), _contents(_layer(widget)), _labels(widget).copy()
    _choose(widget, 2)
    widget.viewer.dims.set_point(0, 2.0 * 4)
    _press(widget, "cut_here")
    ids = layer.data[layer.data[:, 1] < 10]
    assert set(ids[(ids[:, 0] == 2), 1]) == {0, 1, 2, 3}
    assert set(ids[(ids[:, 0] == 5), 1]) == {4, 5, 6, 7, 8, 9}
    assert {child: list(of) for child, of in layer.graph.items()} == {3: [5], 4: [5]}
    assert layer.metadata["tracks"].events["parents"].tolist() == ["5"]
    _assert_consistent(layer)
    labels = _labels(widget)
    assert not (labels[4:] == 2).any()
    assert not (labels[:4] == 5).any()
    assert (labels[4:10] == 5).any()
    assert sorted(widget.table.frame["track_id"]) == [1, 2, 3, 4, 5]
    _press(widget, "undo")
    _assert_same(_contents(layer), before)
    np.testing.assert_array_equal(_labels(widget), pixels)
    _press(widget, "redo")
    assert 5 in layer.data[:, 0]


def test_joining_the_parts_again_gives_the_same_track(widget: InspectorWidget) -> None:
    layer, pixels = _layer(widget), _labels(widget).copy()
    positions = layer.data.copy()
    _choose(widget, 1)
    widget.viewer.dims.set_point(0, 2.0 * 5)
    _press(widget, "cut_here")
    assert widget.selection.track_id == 1
    assert widget.buttons.partner.value == 5
    assert "0 frames after" in widget.buttons.partner.currentText()
    _press(widget, "join_with")
    np.testing.assert_array_equal(layer.data, positions)
    np.testing.assert_array_equal(_labels(widget), pixels)
    _assert_consistent(layer)
    assert layer.color_by == "track_id"


def test_joining_a_child_ends_the_fission(widget: InspectorWidget) -> None:
    layer = _layer(widget)
    before = _contents(layer)
    _choose(widget, 2)
    widget.buttons.partner.value = 4
    _press(widget, "join_with")
    assert set(layer.data[:, 0]) == {1, 2, 3}
    assert layer.graph == {}
    assert layer.metadata["tracks"].events.empty
    assert layer.features["length_frames"].max() == 15
    _assert_consistent(layer)
    _press(widget, "undo")
    _assert_same(_contents(layer), before)


def test_deleting_takes_links_events_and_pixels_away_and_undo_brings_them_back(
    widget: InspectorWidget,
) -> None:
    layer, before, pixels = _layer(widget), _contents(_layer(widget)), _labels(widget).copy()
    _choose(widget, 3)
    _press(widget, "ok")
    _press(widget, "delete")
    assert set(layer.data[:, 0]) == {1, 2, 4}
    assert {child: list(of) for child, of in layer.graph.items()} == {4: [2]}
    assert not (_labels(widget) == 3).any()
    _assert_consistent(layer)
    _press(widget, "undo")
    _assert_same(_contents(layer), before)
    np.testing.assert_array_equal(_labels(widget), pixels)
    assert widget.verdict_of(3) == "ok"
    assert widget.table.frame.set_index("track_id").loc[3, "verdict"] == "ok"
    _press(widget, "undo")
    assert widget.verdict_of(3) == ""


def test_the_colour_of_the_tracks_survives_an_edit(widget: InspectorWidget) -> None:
    layer = _layer(widget)
    layer.color_by = "speed_um_per_s"
    _choose(widget, 1)
    _press(widget, "delete")
    assert layer.color_by == "speed_um_per_s"


def test_what_cannot_be_done_is_said_and_changes_nothing(widget: InspectorWidget) -> None:
    before = _contents(_layer(widget))
    _choose(widget, 3)
    widget.viewer.dims.set_point(0, 2.0 * 10)
    _press(widget, "cut_here")
    assert "Go to a later frame" in widget.status_label.text()
    assert not widget.undo_stack.canUndo()
    _assert_same(_contents(_layer(widget)), before)


def test_buttons_that_need_a_track_say_so(widget: InspectorWidget) -> None:
    names = ("cut_here", "delete", "join_with", "ok", "wrong", "unsure")
    buttons = [widget.findChild(QPushButton, name) for name in names]
    assert not any(made.isEnabled() for made in buttons)
    assert {made.toolTip() for made in buttons} == {"Choose a track first"}
    _choose(widget, 1)
    assert all(made.isEnabled() for made in buttons)


def test_edits_by_keyboard_are_kept_in_the_saved_table(
    widget: InspectorWidget, tmp_path: Path
) -> None:
    widget.save(tmp_path / "table.csv")
    _choose(widget, 4)
    # without a window manager no window is active, and Qt sends no shortcut
    keys = {made.key().toString(): made for made in widget.findChildren(QShortcut)}
    keys["Del"].activated.emit()
    assert sorted(pd.read_csv(tmp_path / "table.csv")["track_id"]) == [1, 2, 3]
    assert {"N", "P", "C", "J", "1", "2", "3", "Ctrl+Z", "Ctrl+Shift+Z"} <= set(keys)


def test_a_foreign_layer_without_graph_or_scale_can_be_edited(
    qtbot: Any, viewer_model: Any, wait_for: Any
) -> None:
    rows = [(k, t, 5.0 * k, 1.0 * t) for k in (1, 2) for t in range(6)]
    layer = viewer_model.add_tracks(np.array(rows), name="foreign")
    made = InspectorWidget(viewer_model)
    qtbot.addWidget(made)
    made.run_button.click()
    wait_for(made, "done")
    _choose(made, 2)
    made.viewer.dims.set_point(0, 3)
    made.cut()
    assert set(layer.data[:, 0]) == {1, 2, 3}
    assert layer.metadata.get("tracks") is None


def _state() -> TrackState:
    rows = pd.DataFrame(
        [(1, 0), (1, 1), (2, 2), (2, 3), (3, 1), (3, 2)], columns=["track_id", "frame"]
    ).assign(y_px=0.0, x_px=[0.0, 1, 2, 3, 50, 51])
    return TrackState(rows, {2: [1]}, pd.DataFrame())


def test_tracks_seen_in_one_frame_cannot_be_joined() -> None:
    with pytest.raises(InputError, match="cannot be in two places"):
        join(_state(), 1, 3)
    with pytest.raises(InputError, match="cannot be in two places"):
        join(_state(), 1, 1)


def test_the_last_track_cannot_be_deleted() -> None:
    left = delete(delete(_state(), 2), 3)
    assert left.graph == {}
    with pytest.raises(InputError, match="the only one"):
        delete(left, 1)


def test_edits_leave_the_state_of_before_as_it_was() -> None:
    state = _state()
    kept = state.rows.copy()
    cut(state, 1, 1, 9), join(state, 1, 2), delete(state, 1)
    pd.testing.assert_frame_equal(state.rows, kept)
    assert state.graph == {2: [1]}


def test_partners_are_the_near_ones_that_share_no_frame() -> None:
    found = partners(_state(), 1)
    assert found["track_id"].tolist() == [2]
    assert found[["gap", "distance_px", "after"]].iloc[0].tolist() == [0, 1.0, True]
    assert partners(_state(), 2)["after"].tolist() == [False]
    assert partners(_state(), 3).empty


def test_curves_are_in_physical_units() -> None:
    rows = pd.DataFrame({"track_id": 1, "frame": range(8), "y_px": 0.0, "x_px": np.arange(8.0)})
    scale = {"pixel_size_um": 0.5, "frame_interval_s": 2.0}
    speed = track_series(rows, "speed", **scale)
    assert speed is not None
    np.testing.assert_allclose(speed.y, 0.25)
    spread = track_series(rows, "spread", **scale)
    assert spread is not None
    np.testing.assert_allclose(spread.y, [0.25, 1.0])  # directed: as the square of the lag
    np.testing.assert_allclose(spread.x, [2.0, 4.0])
    assert track_series(rows, "area", **scale) is None
    assert track_series(rows.assign(area_um2=3.0), "area", **scale) is not None
