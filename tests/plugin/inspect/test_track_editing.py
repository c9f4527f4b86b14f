"""Mending tracks in the track inspector, through its buttons."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from qtpy.QtGui import QShortcut
from qtpy.QtWidgets import QPushButton

from napari_virtualstain.plugin.contributions.writers import tracks_of
from napari_virtualstain.plugin.inspect.dock import InspectorWidget

from .. import inspected
from ..inspected import choose, labels, layer, press


@pytest.fixture
def widget(qtbot: Any, viewer_model: Any, wait_for: Any) -> InspectorWidget:
    inspected.add_family(viewer_model)
    return inspected.inspect(viewer_model, qtbot, wait_for)


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
    _, attributes, _ = layer.as_layer_data_tuple()
    written = tracks_of(layer.data, attributes)
    pd.testing.assert_frame_equal(
        written.table[["track_id", "frame", "y_um"]], core.table[["track_id", "frame", "y_um"]]
    )
    assert written.graph == core.graph
    pd.testing.assert_frame_equal(written.events, core.events)


def test_cutting_gives_the_rest_a_number_and_takes_the_children_along(
    widget: InspectorWidget,
) -> None:
    tracks, before, pixels = layer(widget), _contents(layer(widget)), labels(widget).copy()
    choose(widget, 2)
    widget.viewer.dims.set_point(0, 2.0 * 4)
    press(widget, "cut_here")
    ids = tracks.data[tracks.data[:, 1] < 10]
    assert set(ids[(ids[:, 0] == 2), 1]) == {0, 1, 2, 3}
    assert set(ids[(ids[:, 0] == 5), 1]) == {4, 5, 6, 7, 8, 9}
    assert {child: list(of) for child, of in tracks.graph.items()} == {3: [5], 4: [5]}
    assert tracks.metadata["tracks"].events["parents"].tolist() == ["5"]
    _assert_consistent(tracks)
    assert not (labels(widget)[4:] == 2).any()
    assert not (labels(widget)[:4] == 5).any()
    assert (labels(widget)[4:10] == 5).any()
    table = widget.table.frame.set_index("track_id")
    assert sorted(table.index) == [1, 2, 3, 4, 5]
    assert table.loc[5, "children"] == "3;4"
    assert table.loc[3, "parents"] == "5"
    assert table.loc[2, "children"] == ""
    assert table.loc[2, "frames"] == 4
    press(widget, "undo")
    _assert_same(_contents(tracks), before)
    np.testing.assert_array_equal(labels(widget), pixels)
    assert widget.table.frame.set_index("track_id").loc[2, "children"] == "3;4"
    press(widget, "redo")
    assert 5 in tracks.data[:, 0]


def test_joining_the_parts_again_gives_the_same_track(widget: InspectorWidget) -> None:
    tracks, pixels = layer(widget), labels(widget).copy()
    positions = tracks.data.copy()
    choose(widget, 1)
    widget.viewer.dims.set_point(0, 2.0 * 5)
    press(widget, "cut_here")
    assert widget.selection.track_id == 1
    assert widget.buttons.partner.value == 5
    assert "directly after" in widget.buttons.partner.currentText()
    press(widget, "join_with")
    np.testing.assert_array_equal(tracks.data, positions)
    np.testing.assert_array_equal(labels(widget), pixels)
    _assert_consistent(tracks)
    assert tracks.color_by == "track_id"


def test_joining_a_child_ends_the_fission(widget: InspectorWidget) -> None:
    tracks = layer(widget)
    before = _contents(tracks)
    choose(widget, 2)
    widget.buttons.partner.value = 4
    press(widget, "join_with")
    assert set(tracks.data[:, 0]) == {1, 2, 3}
    assert tracks.graph == {}
    assert tracks.metadata["tracks"].events.empty
    assert tracks.features["length_frames"].max() == 15
    _assert_consistent(tracks)
    press(widget, "undo")
    _assert_same(_contents(tracks), before)


def test_swapping_two_selected_tracks_exchanges_what_follows(widget: InspectorWidget) -> None:
    tracks, before, pixels = layer(widget), _contents(layer(widget)), labels(widget).copy()
    choose(widget, 1)
    press(widget, "swap")
    assert "Select two tracks" in widget.status_label.text()
    widget.selection.choose(1, 4, (2,))
    widget.viewer.dims.set_point(0, 2.0 * 4)
    press(widget, "swap")
    y = {(int(k), int(t)): row for k, t, row, _ in tracks.data}
    assert (y[1, 3], y[1, 4], y[2, 4]) == (10.0, 20.0, 10.0)
    assert {child: list(of) for child, of in tracks.graph.items()} == {3: [1], 4: [1]}
    assert tracks.metadata["tracks"].events["parents"].tolist() == ["1"]
    _assert_consistent(tracks)
    assert (labels(widget)[4][18:22] == 1).any()
    assert not (labels(widget)[4][18:22] == 2).any()
    press(widget, "undo")
    _assert_same(_contents(tracks), before)
    np.testing.assert_array_equal(labels(widget), pixels)


def test_deleting_takes_links_events_and_pixels_away_and_undo_brings_them_back(
    widget: InspectorWidget,
) -> None:
    tracks, before, pixels = layer(widget), _contents(layer(widget)), labels(widget).copy()
    choose(widget, 3)
    press(widget, "ok")
    press(widget, "delete")
    assert set(tracks.data[:, 0]) == {1, 2, 4}
    assert {child: list(of) for child, of in tracks.graph.items()} == {4: [2]}
    assert not (labels(widget) == 3).any()
    _assert_consistent(tracks)
    press(widget, "undo")
    _assert_same(_contents(tracks), before)
    np.testing.assert_array_equal(labels(widget), pixels)
    assert widget.model.verdicts[3] == "ok"
    assert widget.table.frame.set_index("track_id").loc[3, "verdict"] == "ok"
    press(widget, "undo")
    assert 3 not in widget.model.verdicts


def test_a_gap_is_made_filled_and_undone(widget: InspectorWidget) -> None:
    tracks = layer(widget)
    before = _contents(tracks)
    choose(widget, 1)
    widget.viewer.dims.set_point(0, 2.0 * 5)
    press(widget, "not_here")
    assert 5 not in tracks.data[tracks.data[:, 0] == 1, 1]
    assert not (labels(widget)[5] == 1).any()
    press(widget, "fill_gap")
    filled = tracks.data[(tracks.data[:, 0] == 1) & (tracks.data[:, 1] == 5)]
    np.testing.assert_allclose(filled[0, 2:], (10.0, 22.5))
    assert tracks.features["interpolated"].sum() == 1
    for _ in range(2):
        press(widget, "undo")
    _assert_same(_contents(tracks), before)


def test_a_click_adds_what_was_missed_with_a_mask_grown_from_the_stain(
    widget: InspectorWidget,
) -> None:
    stain = widget.viewer.layers["cell [fluorescence]"]
    stain.data[6, 48:53, 30:40] = 200
    tracks, before, pixels = layer(widget), _contents(layer(widget)), labels(widget).copy()
    press(widget, "add_by_click")
    assert "Click where" in widget.status_label.text()
    widget._on_click((6.0, 50.0, 35.0), 10.0)
    added = tracks.data[tracks.data[:, 0] == 5]
    np.testing.assert_allclose(added, [[5, 6, 50.0, 34.5]], atol=0.3)
    assert 35 <= (labels(widget)[6] == 5).sum() <= 75
    assert (labels(widget)[6, 49:52, 31:39] == 5).all()
    row = tracks.features[tracks.features["track_id"] == 5].iloc[0]
    assert row["area_um2"] == pytest.approx(0.01 * (labels(widget)[6] == 5).sum())
    assert widget.selection.track_id == 5
    _assert_consistent(tracks)
    press(widget, "move_by_click")
    widget._on_click((6.0, 55.0, 10.0), 10.0)
    assert not (labels(widget)[6, 49:52, 31:39] == 5).any()
    assert (labels(widget)[6, 54:57, 9:12] == 5).all()  # a disc: nothing glows there
    for _ in range(2):
        press(widget, "undo")
    _assert_same(_contents(tracks), before)
    np.testing.assert_array_equal(labels(widget), pixels)
    widget._on_click((6.0, 50.0, 35.0), 1.0)
    assert set(tracks.data[:, 0]) == {1, 2, 3, 4}  # the next click only looks


def test_splitting_a_mask_makes_a_second_mitochondrion_in_one_step(
    widget: InspectorWidget,
) -> None:
    tracks, before = layer(widget), _contents(layer(widget))
    labels(widget)[3] = np.where(labels(widget)[3] == 1, 0, labels(widget)[3])
    labels(widget)[3, 8:12, 14:21] = 1
    labels(widget)[3, 9:11, 21:23] = 1
    labels(widget)[3, 8:12, 23:29] = 1
    pixels = labels(widget).copy()
    choose(widget, 1)
    widget.viewer.dims.set_point(0, 2.0 * 3)
    press(widget, "split")
    assert set(np.unique(labels(widget)[3, 8:12])) == {0, 1, 5}
    assert len(np.unique(labels(widget)[3, 8:12, 14:20])) == 1
    total = ((labels(widget)[3] == 1) | (labels(widget)[3] == 5)).sum()
    assert total == (pixels[3] == 1).sum()
    assert tracks.data[tracks.data[:, 0] == 5, 1].tolist() == [3]
    press(widget, "undo")
    _assert_same(_contents(tracks), before)
    np.testing.assert_array_equal(labels(widget), pixels)
    press(widget, "redo")
    assert 5 in tracks.data[:, 0]


def test_a_mask_that_is_missing_or_too_small_is_not_split(widget: InspectorWidget) -> None:
    choose(widget, 3)
    widget.viewer.dims.set_point(0, 2.0 * 5)  # before it began
    press(widget, "split")
    assert widget.status_label.text() == "The chosen mitochondrion has no mask in this frame."
    choose(widget, 1)
    labels(widget)[3] = np.where(labels(widget)[3] == 1, 0, labels(widget)[3])
    widget.viewer.dims.set_point(0, 2.0 * 3)
    press(widget, "split")
    assert widget.status_label.text() == "The chosen mitochondrion has no mask in this frame."
    labels(widget)[3, 10, 18:25] = 1
    press(widget, "split")
    assert widget.status_label.text() == "The mask is too small to be split."
    labels(widget)[3, 10, 17] = 1
    press(widget, "split")
    assert widget.status_label.text().startswith("Split track 1 in frame 3")
    press(widget, "undo")
    widget.viewer.layers.remove("tracked outlines · cell [tracked mitochondria]")
    press(widget, "split")
    assert widget.status_label.text() == "The chosen mitochondrion has no mask in this frame."


def test_a_click_where_the_chosen_track_is_seen_begins_a_new_one(widget: InspectorWidget) -> None:
    tracks = layer(widget)
    press(widget, "add_by_click")
    assert widget.status_label.text() == (
        "Click where a mitochondrion is missing in this frame. Esc ends this."
    )
    widget.buttons.stop_placing()
    choose(widget, 2)
    press(widget, "add_by_click")
    assert widget.status_label.text() == (
        "Click where track 2 is missing in this frame. Where it is seen already, a new track "
        "begins. Esc ends this."
    )
    widget._on_click((6.0, 50.0, 50.0), 1.0)
    assert widget.selection.track_id == 5
    assert tracks.data[tracks.data[:, 0] == 5, 1].tolist() == [6]
    # a position that was only filled in is replaced
    choose(widget, 2)
    widget.viewer.dims.set_point(0, 2.0 * 7)
    press(widget, "not_here")
    press(widget, "fill_gap")
    press(widget, "add_by_click")
    widget._on_click((7.0, 50.0, 50.0), 1.0)
    row = tracks.features[(tracks.features["track_id"] == 2) & (tracks.data[:, 1] == 7)]
    assert row["interpolated"].tolist() == [False]
    np.testing.assert_allclose(tracks.data[row.index, 2:], [[50, 50]], atol=0.5)
    assert set(tracks.data[:, 0]) == {1, 2, 3, 4, 5}


def test_a_mask_moves_within_itself_and_of_nothing_chosen_nothing_moves(
    widget: InspectorWidget,
) -> None:
    choose(widget, 1)
    widget.viewer.dims.set_point(0, 2.0 * 4)
    press(widget, "move_by_click")
    assert widget.status_label.text() == (
        "Click where the chosen mitochondrion is in this frame. Esc ends this."
    )
    widget._on_click((4.0, 20.0, 22.0), 1.0)  # on another
    assert "Track 2 is here in this frame already" in widget.status_label.text()
    widget._on_click((4.0, 10.0, 22.0), 1.0)  # on itself
    assert widget.status_label.text().endswith("Undo with Ctrl+Z.")
    assert (labels(widget)[4, 9:12, 21:24] == 1).all()  # its own mask is no obstacle
    press(widget, "undo")
    before = _contents(layer(widget))
    press(widget, "move_by_click")
    widget.model.choose(None)
    widget._on_click((4.0, 50.0, 50.0), 1.0)
    assert widget.status_label.text().startswith("Choose a track first")
    _assert_same(_contents(layer(widget)), before)
    assert widget.mending.placing is None


def test_a_number_that_was_judged_is_not_given_to_another_track(widget: InspectorWidget) -> None:
    choose(widget, 4)
    press(widget, "ok")
    press(widget, "delete")
    choose(widget, 1)
    widget.viewer.dims.set_point(0, 2.0 * 5)
    press(widget, "cut_here")
    assert sorted(widget.model.tracks.track_ids) == [1, 2, 3, 5]
    press(widget, "undo")
    widget.model.verdicts[8] = "ok"  # of a track that was deleted on an earlier day
    press(widget, "cut_here")
    assert sorted(widget.model.tracks.track_ids) == [1, 2, 3, 9]


def test_the_colour_of_the_tracks_survives_an_edit(widget: InspectorWidget) -> None:
    layer(widget).color_by = "speed_um_per_s"
    choose(widget, 1)
    press(widget, "delete")
    assert layer(widget).color_by == "speed_um_per_s"


def test_what_cannot_be_done_is_said_and_changes_nothing(widget: InspectorWidget) -> None:
    before = _contents(layer(widget))
    choose(widget, 3)
    widget.viewer.dims.set_point(0, 2.0 * 10)
    press(widget, "cut_here")
    assert "Go to a later frame" in widget.status_label.text()
    assert not widget.model.undo_text
    _assert_same(_contents(layer(widget)), before)


def test_buttons_that_need_a_track_say_so(widget: InspectorWidget) -> None:
    names = ("cut_here", "delete", "join_with", "ok", "wrong", "unsure")
    buttons = [widget.findChild(QPushButton, name) for name in names]
    assert not any(made.isEnabled() for made in buttons)
    assert {made.toolTip() for made in buttons} == {"Choose a track first"}
    choose(widget, 1)
    assert all(made.isEnabled() for made in buttons)


def test_edits_by_keyboard_are_kept_in_the_saved_table(
    widget: InspectorWidget, tmp_path: Path
) -> None:
    widget.keeping.save(tmp_path / "table.csv")
    choose(widget, 4)
    # without a window manager no window is active, and Qt sends no shortcut
    keys = {made.key().toString(): made for made in widget.findChildren(QShortcut)}
    keys["Del"].activated.emit()
    assert sorted(pd.read_csv(tmp_path / "table.csv")["track_id"]) == [1, 2, 3]
    assert {"N", "P", "C", "J", "1", "2", "3", "Ctrl+Z", "Ctrl+Shift+Z"} <= set(keys)


def test_a_foreign_layer_without_graph_or_scale_can_be_edited(
    qtbot: Any, viewer_model: Any, wait_for: Any
) -> None:
    rows = [(k, t, 5.0 * k, 1.0 * t) for k in (1, 2) for t in range(6)]
    names = {"cell": ["first"] * 6 + ["second"] * 6, "size": np.arange(12.0)}
    foreign = viewer_model.add_tracks(np.array(rows), features=names, name="foreign")
    made = inspected.inspect(viewer_model, qtbot, wait_for)
    choose(made, 2)
    made.viewer.dims.set_point(0, 3)
    press(made, "cut_here")
    assert set(foreign.data[:, 0]) == {1, 2, 3}
    assert foreign.metadata.get("tracks") is None
    assert foreign.features["cell"].tolist() == names["cell"]
    assert foreign.features["size"].tolist() == names["size"].tolist()


def test_labels_that_are_removed_do_not_stop_an_edit(widget: InspectorWidget) -> None:
    widget.viewer.layers.remove("tracked outlines · cell [tracked mitochondria]")
    choose(widget, 2)
    widget.viewer.dims.set_point(0, 2.0 * 4)
    press(widget, "cut_here")
    assert 5 in layer(widget).data[:, 0]


def test_masks_are_not_taken_for_those_of_tracks_because_the_first_frame_agrees(
    qtbot: Any, viewer_model: Any, wait_for: Any
) -> None:
    inspected.add_family(viewer_model)
    kept = viewer_model.layers["tracked outlines · cell [tracked mitochondria]"]
    raw = kept.data.copy()
    swapped = np.array([0, 2, 1, 4, 3])
    raw[1:10:2] = swapped[raw[1:10:2]]  # as a segmentation, numbered anew in each frame
    raw[11::2] = swapped[raw[11::2]]
    source = kept.metadata["virtualstain"]["source"]
    made = viewer_model.add_labels(
        raw, name="segmented", metadata={"virtualstain": {"source": source}}, **inspected.SCALE
    )
    viewer_model.layers.move(viewer_model.layers.index(made), 0)
    widget = inspected.inspect(viewer_model, qtbot, wait_for)
    assert widget.model.masks.by_track
    assert widget.model.masks.layer.name == kept.name


def test_labels_that_are_numbered_frame_by_frame_serve_as_masks_too(
    qtbot: Any, viewer_model: Any, wait_for: Any
) -> None:
    tracks = inspected.family()
    inspected.add_family(viewer_model, tracks)
    own = "tracked outlines · cell [tracked mitochondria]"
    painted = viewer_model.layers[own].data
    viewer_model.layers.remove(own)
    numbers = np.where(painted > 0, (painted * 7 + np.arange(15)[:, None, None]) % 100, 0)
    layer_ = viewer_model.add_labels(numbers, name="segmented", **inspected.SCALE)
    shown = viewer_model.layers["tracked · cell [tracks]"]
    features = shown.features
    features["label"] = (features["track_id"] * 7 + shown.data[:, 1].astype(int)) % 100
    shown.features = features
    made = inspected.inspect(viewer_model, qtbot, wait_for)
    masks = made.model.masks
    assert masks is not None
    assert (masks.layer, masks.by_track) == (layer_, False)
    made._on_click((4.0, 20.0, 22.0), 1.0)
    assert made.selection.track_id == 2
    assert made.workspace.film.strip.film.cell(4).outline
    before = layer_.data.copy()
    choose(made, 2)
    made.viewer.dims.set_point(0, 2.0 * 4)
    press(made, "cut_here")
    np.testing.assert_array_equal(layer_.data, before)  # labels are not the tracks' numbers
    inspected.press(made, "add_by_click")
    made._on_click((12.0, 50.0, 50.0), 1.0)
    row = made.model.tracks.row_at(made.selection.track_id, 12)
    label = int(made.model.tracks["label"][row])
    assert label == before[12].max() + 1
    assert (layer_.data[12] == label).any()
    for _ in range(2):
        press(made, "undo")
    np.testing.assert_array_equal(layer_.data, before)
    choose(made, 1)
    made.viewer.dims.set_point(0, 2.0 * 4)
    press(made, "split")
    rows = [made.model.tracks.row_at(track, 4) for track in (1, 5)]
    parts = [(layer_.data[4] == made.model.tracks["label"][row]).sum() for row in rows]
    assert min(parts) > 0
    assert sum(parts) == 16
