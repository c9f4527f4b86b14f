"""The track inspector: what is listed, chosen, judged and kept."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QToolButton

from napari_virtualstain.errors import InputError
from napari_virtualstain.plugin.inspect import dock, summary_rows
from napari_virtualstain.plugin.inspect.dock import InspectorWidget
from napari_virtualstain.plugin.inspect.overlay import COLOUR, OVERLAY
from napari_virtualstain.plugin.inspect.track_table import filtered
from napari_virtualstain.plugin.kit.table import FrameTable
from napari_virtualstain.tracking import next_risky, summarise_tracks, track_rows

from .. import inspected

SCALE = inspected.SCALE


def test_it_opens_filled_the_doubtful_first_and_says_why(widget: InspectorWidget) -> None:
    table = widget.table.frame
    chance = table["error_probability"]
    assert chance.is_monotonic_decreasing
    assert table["track_id"].iloc[2] == 1
    assert dict(zip(table["track_id"], table["why"], strict=True)) == {
        3: "doubtful link, jump",
        2: "jump",
        1: "",
    }
    assert table["speed_um_per_s"].iloc[2] == pytest.approx(np.hypot(0.1, 0.5) * 0.1 / 2)
    header = widget.table.view.horizontalHeader()
    assert list(table.columns)[header.sortIndicatorSection()] == "error_probability"


@pytest.mark.parametrize("column", [0, 1, -1])
def test_the_order_that_was_clicked_stays_when_the_table_is_filtered(
    widget: InspectorWidget, column: int
) -> None:
    view = widget.table.view
    place = range(len(widget.table.frame.columns))[column]
    for order in (Qt.SortOrder.DescendingOrder, Qt.SortOrder.AscendingOrder):
        view.sortByColumn(place, order)
        widget.table.show_tracks()
        header = view.horizontalHeader()
        assert (header.sortIndicatorSection(), header.sortIndicatorOrder()) == (place, order)
    if column == 0:
        assert widget.table.tracks() == [1, 2, 3]


def test_a_new_layer_of_tracks_is_listed_at_once(
    widget: InspectorWidget, wait_for: Any, qtbot: Any
) -> None:
    data, _ = inspected.three_tracks()
    widget.viewer.layers.remove("cell [tracks]")
    assert widget.table.frame.empty
    widget.viewer.add_tracks(data[:10], name="other [tracks]", **SCALE)
    qtbot.waitUntil(lambda: len(widget.table.frame) == 1, timeout=20_000)


def test_without_units_pixels_and_frames_are_shown(
    qtbot: Any, viewer_model: Any, wait_for: Any
) -> None:
    rows = [(k, t, 10.0 * k, 1.0 * t) for k in (1, 2) for t in range(6)]
    viewer_model.add_tracks(np.array(rows), name="foreign")
    made = inspected.inspect(viewer_model, qtbot, wait_for)
    model = made.table.view.frame_model
    heads = [model.headerData(i, Qt.Orientation.Horizontal) for i in range(model.columnCount())]
    assert "speed (px/frame)" in heads
    assert not any("µm" in head or "/s)" in head for head in heads)
    column = heads.index("speed (px/frame)")
    assert model.index(0, column).data() == "1"


def test_next_risky_goes_to_the_doubtful_frame_and_highlights_the_track(
    widget: InspectorWidget,
) -> None:
    zoom = widget.viewer.scene.camera.zoom
    inspected.press(widget, "next")
    first = widget.table.tracks()[0]
    assert widget.selection.track_id == first
    assert widget.viewer.dims.point[0] == pytest.approx(2.0 * {2: 5, 3: 7}[first])
    overlay = widget.viewer.layers[OVERLAY]
    assert set(overlay.data[:, 0]) == {first}
    np.testing.assert_allclose(overlay.track_colors, [COLOUR] * len(overlay.data), atol=0.01)
    np.testing.assert_allclose(overlay.scale, (2.0, 0.1, 0.1))
    assert widget.viewer.scene.camera.zoom == zoom
    assert widget.source.value.name == "cell [tracks]"


def test_the_threshold_decides_what_is_worth_a_look(widget: InspectorWidget) -> None:
    assert "2 worth a look" in widget.status_label.text()
    widget.threshold.setValue(1.0)
    assert "0 worth a look" in widget.status_label.text()
    inspected.press(widget, "next")
    assert "No listed track reaches 1.00" in widget.status_label.text()
    assert widget.selection.track_id is None
    widget.threshold.setValue(0.0)
    for _ in range(3):
        inspected.press(widget, "next")
    assert widget.selection.track_id == 1


def test_back_and_forward_go_through_what_was_looked_at(widget: InspectorWidget) -> None:
    for track in (1, 2, 3):
        inspected.choose(widget, track)
    inspected.press(widget, "back")
    inspected.press(widget, "back")
    assert widget.selection.track_id == 1
    assert widget.table.track_at(widget.table.row) == 1
    inspected.press(widget, "forward")
    assert widget.selection.track_id == 2
    assert set(widget.viewer.layers[OVERLAY].data[:, 0]) == {2}


def test_verdicts_are_kept_with_the_layer_and_can_be_undone(
    widget: InspectorWidget, tmp_path: Path
) -> None:
    widget.keeping.save(tmp_path / "verdicts.csv")
    assert "verdicts.csv" in widget.status_label.text()
    inspected.press(widget, "next")
    inspected.press(widget, "wrong")
    layer = widget.viewer.layers["cell [tracks]"]
    first, second, _ = widget.table.tracks()
    assert layer.metadata["verdicts"] == {first: "wrong"}
    saved = pd.read_csv(tmp_path / "verdicts.csv", keep_default_na=False)
    assert saved["verdict"].tolist() == ["wrong", "", ""]
    inspected.press(widget, "undo")
    assert widget.table.frame["verdict"].tolist() == ["", "", ""]
    inspected.press(widget, "redo")
    assert widget.table.frame["verdict"].tolist() == ["wrong", "", ""]
    inspected.press(widget, "next")
    assert widget.selection.track_id == second
    inspected.press(widget, "ok")
    inspected.press(widget, "next")
    assert "Every track worth a look has a verdict" in widget.status_label.text()


def test_the_table_works_with_the_keyboard_alone(widget: InspectorWidget, qtbot: Any) -> None:
    widget.table.view.selectRow(1)
    second = widget.table.tracks()[1]
    assert widget.selection.track_id == second
    qtbot.keyClick(widget.table.view, Qt.Key.Key_Return)
    assert widget.viewer.layers[OVERLAY].data[0, 0] == second


def test_a_sorted_table_still_names_the_right_track(widget: InspectorWidget) -> None:
    """regionprops#17, #41: tables that choose the wrong object."""
    column = list(widget.table.frame.columns).index("track_id")
    header = widget.table.view.horizontalHeader()
    header.setSortIndicator(column, Qt.SortOrder.AscendingOrder)
    for place, track in enumerate((1, 2, 3)):
        widget.table.view.selectRow(place)
        assert widget.selection.track_id == track


def test_a_typed_filter_lists_fewer_tracks_and_next_stays_within(widget: InspectorWidget) -> None:
    widget.table.filter.setText("error_probability > 0.1 and why == 'jump'")
    assert widget.table.frame["track_id"].tolist() == [2]
    assert "1 of 3 tracks" in widget.status_label.text()
    inspected.press(widget, "next")
    assert widget.selection.track_id == 2
    widget.table.filter.setText("y_px < 15 or track_id == 3")
    assert sorted(widget.table.frame["track_id"]) == [1, 3]
    widget.table.filter.setText("frames >")
    assert "not understood" in widget.status_label.text()
    assert len(widget.table.frame) == 3
    widget.table.filter.setText("track_id == 3")
    widget.table.filter.setText("")
    assert len(widget.table.frame) == 3
    assert "lists" not in widget.status_label.text()


def test_what_a_filter_may_not_do() -> None:
    table = pd.DataFrame({"track_id": [1, 2], "verdict": ["", "wrong"]})
    assert filtered(table, "verdict == ''").tolist() == [0]
    assert filtered(table, "2").tolist() == [1]
    for bad in ("@pd", "track_id.__class__", "track_id + 1", "nothing > 2"):
        with pytest.raises(InputError):
            filtered(table, bad)


def test_columns_that_the_tracks_do_not_hold_are_hidden_and_texts_fit(
    qtbot: Any, viewer_model: Any, wait_for: Any
) -> None:
    rows = np.array([(k, t, 20.0 * k, 3.0 * t) for k in (1, 2) for t in range(2)])
    viewer_model.add_tracks(rows, name="somebody's")
    made = inspected.inspect(viewer_model, qtbot, wait_for)
    view, frame = made.table.view, made.table.frame
    hidden = {str(n) for i, n in enumerate(frame.columns) if view.isColumnHidden(i)}
    assert {"quality", "area_px2"} <= hidden
    assert "error_probability" not in hidden
    assert frame["quality"].isna().all()  # and not 1
    assert frame["why"].tolist() == ["not judged"] * 2
    needed = view.fontMetrics().horizontalAdvance("not judged")
    assert view.columnWidth(list(frame.columns).index("why")) > needed


def test_columns_can_be_hidden(widget: InspectorWidget) -> None:
    place = list(widget.table.frame.columns).index("gaps")
    menu = widget.table.columns_menu()
    action = next(one for one in menu.actions() if one.text() == "gaps")
    action.trigger()
    assert widget.table.view.isColumnHidden(place)
    action.trigger()
    assert not widget.table.view.isColumnHidden(place)


def _ids(widget: InspectorWidget) -> list[int]:
    return sorted(widget.table.frame["track_id"])


def _pick(widget: InspectorWidget, text: str) -> None:
    """Choose an entry of the menu beside the filter."""
    button = widget.findChild(QToolButton, "filter_menu")
    button.menu().aboutToShow.emit()
    next(one for one in button.menu().actions() if one.text() == text).trigger()


def test_ready_made_filters_narrow_the_list_and_are_taken_out_again(
    qtbot: Any, viewer_model: Any, wait_for: Any
) -> None:
    inspected.add_family(viewer_model)
    made = inspected.inspect(viewer_model, qtbot, wait_for)
    motion = made.table.frame.set_index("track_id")["motion"]
    assert motion.to_dict() == {1: "directed", 2: "directed", 3: "unknown", 4: "unknown"}
    inspected.choose(made, 1)
    inspected.press(made, "wrong")
    _pick(made, "Directed motion")
    assert _ids(made) == [1, 2]
    _pick(made, "Without a verdict")
    assert _ids(made) == [2]
    assert made.table.filter.text() == "motion == 'directed' and verdict == ''"
    _pick(made, "Directed motion")
    _pick(made, "Begins by fission")
    assert _ids(made) == [3, 4]
    _pick(made, "All tracks")
    _pick(made, "Ends in fission")
    assert _ids(made) == [2]
    _pick(made, "Begins by fusion")
    assert _ids(made) == []
    made.table.filter.setText("frames >= 10")
    assert _ids(made) == [1, 2]
    _pick(made, "All tracks")
    _pick(made, "Judged wrong")
    assert _ids(made) == [1]


@pytest.mark.parametrize("kind", ["rectangle", "ellipse", "polygon"])
def test_a_drawn_region_lists_the_tracks_that_pass_through_it(
    qtbot: Any, viewer_model: Any, wait_for: Any, kind: str
) -> None:
    inspected.add_family(viewer_model)  # tracks 1 to 4 in rows 10 to 40, from column 20 on
    made = inspected.inspect(viewer_model, qtbot, wait_for)
    _pick(made, "Draw a region…")
    assert _ids(made) == []
    region = viewer_model.layers["region"]
    assert region.mode == "add_rectangle"
    region.add([[14, 15], [14, 40], [34, 40], [34, 15]], shape_type=kind)
    assert _ids(made) == [2, 3]
    region.data = [np.array([[14, 40], [14, 60], [34, 60], [34, 40]])]
    assert _ids(made) == []
    region.add([[30, 0], [45, 60]], shape_type="line")
    assert _ids(made) == []  # a line has no inside
    region.add([[8, 24], [8, 25], [12, 25], [12, 24]], shape_type=kind)
    assert _ids(made) == [1]  # it passes there in its last frames only
    region.name = "left cell"
    made.table.filter.clear()
    _pick(made, "Passes through 'left cell'")
    assert made.table.filter.text() == "`left cell`"
    assert _ids(made) == [1]
    made.table.filter.setText("not `left cell` and frames < 10")
    assert _ids(made) == [3, 4]
    viewer_model.layers.remove("left cell")
    assert _ids(made) == [1, 2, 3, 4]
    assert "is not understood" in made.status_label.text()


def test_tracks_are_shown_before_they_are_judged(
    qtbot: Any, viewer_model: Any, wait_for: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = threading.Event()

    def slowly(rows: pd.DataFrame, scale: Any) -> pd.DataFrame:
        go_on.wait(60)
        return summary_rows.judge(rows, scale)

    monkeypatch.setattr(dock, "judge", slowly)
    inspected.add_family(viewer_model)
    made = InspectorWidget(viewer_model)
    qtbot.addWidget(made)
    qtbot.waitUntil(lambda: len(made.table.frame) == 4, timeout=60_000)
    assert set(made.table.frame["motion"]) == {"being judged"}
    inspected.choose(made, 1)
    inspected.press(made, "wrong")
    made.viewer.dims.set_point(0, 2.0 * 5)
    inspected.press(made, "cut_here")
    assert _ids(made) == [1, 2, 3, 4, 5]
    go_on.set()
    wait_for(made, "done")
    table = made.table.frame.set_index("track_id")
    assert "being judged" not in set(table["motion"])
    assert table.loc[2, "motion"] == "directed"
    assert table.loc[1, "motion"] == "unknown"  # cut: five frames are too few
    assert table.loc[1, "verdict"] == "wrong"
    assert table["error_probability"].is_monotonic_decreasing
    inspected.press(made, "undo")
    assert made.table.frame.set_index("track_id").loc[1, "motion"] == "directed"


def test_another_layer_chosen_while_the_first_is_judged_is_listed(
    qtbot: Any, viewer_model: Any, wait_for: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on, first = threading.Event(), []

    def once_slowly(rows: pd.DataFrame, scale: Any) -> pd.DataFrame:
        if not first:
            first.append(True)
            go_on.wait(60)
        return summary_rows.judge(rows, scale)

    monkeypatch.setattr(dock, "judge", once_slowly)
    inspected.add_family(viewer_model)
    data, _ = inspected.three_tracks()
    other = viewer_model.add_tracks(data, name="other [tracks]", **SCALE)
    made = InspectorWidget(viewer_model)
    qtbot.addWidget(made)
    made.source.value = viewer_model.layers["tracked · cell [tracks]"]
    qtbot.waitUntil(lambda: len(first) == 1, timeout=60_000)
    made.source.value = other
    wait_for(made, "done")
    go_on.set()
    qtbot.wait(300)
    assert _ids(made) == [1, 2, 3]
    assert made.layer is other


def test_removing_the_layer_empties_the_dock(widget: InspectorWidget, qtbot: Any) -> None:
    def shown() -> list[bool]:
        return [layer.visible for layer in widget.viewer.layers if OVERLAY in layer.name]

    inspected.press(widget, "next")
    assert any(shown())
    widget.viewer.layers.remove("cell [tracks]")
    assert widget.table.frame.empty
    assert not any(shown())
    assert not widget.run_button.isEnabled()
    qtbot.waitUntil(lambda: not shown(), timeout=2000)


@pytest.mark.timeout(60)
def test_all_layers_can_be_removed_while_a_track_is_chosen(
    qtbot: Any, viewer_model: Any, wait_for: Any
) -> None:
    data, features = inspected.three_tracks()
    viewer_model.add_tracks(data, features=features, name="cell [tracks]", **SCALE)
    made = inspected.inspect(viewer_model, qtbot, wait_for)
    inspected.choose(made, 3)
    viewer_model.layers.clear()  # the outline must not come back for each layer that goes
    assert not len(viewer_model.layers)


def test_tracks_that_somebody_else_changes_are_listed_again(
    widget: InspectorWidget, qtbot: Any
) -> None:
    layer = widget.viewer.layers["cell [tracks]"]
    layer.data = layer.data[:20]
    qtbot.waitUntil(lambda: len(widget.table.frame) == 2, timeout=20_000)


def test_rows_that_repeat_are_said_and_one_frame_tracks_listed(
    qtbot: Any, viewer_model: Any, wait_for: Any
) -> None:
    rows = np.array([(1, 0, 5.0, 5), (1, 0, 6, 6), (1, 1, 5, 5), (7, 3, 9, 9)])
    viewer_model.add_tracks(rows, name="odd [tracks]")
    made = inspected.inspect(viewer_model, qtbot, wait_for)
    assert sorted(made.table.frame["track_id"]) == [1, 7]
    assert "Track 1 is in frame 0 twice" in made.status_label.text()
    inspected.choose(made, 7)
    assert made.selection.track_id == 7


def test_times_that_are_no_frames_are_refused_in_words(qtbot: Any, viewer_model: Any) -> None:
    viewer_model.add_tracks(np.array([(1, 0.0, 5, 5), (1, 0.5, 6, 6)]), name="seconds [tracks]")
    made = InspectorWidget(viewer_model)
    qtbot.addWidget(made)
    assert "no whole frames" in made.status_label.text()
    assert not made.run_button.isEnabled()


def test_tracks_of_a_z_stack_are_inspected(qtbot: Any, viewer_model: Any, wait_for: Any) -> None:
    rows = np.array([(k, t, 2 + k, 5.0, 5 + t) for k in (1, 2) for t in range(5)], float)
    viewer_model.add_tracks(rows, name="deep [tracks]")
    made = inspected.inspect(viewer_model, qtbot, wait_for)
    inspected.choose(made, 2)
    made.go_to(2, 3)
    np.testing.assert_allclose(made.viewer.dims.point[:2], (3, 4))
    made.viewer.dims.set_point(0, 2)
    inspected.press(made, "cut_here")
    layer = made.viewer.layers["deep [tracks]"]
    assert sorted(set(layer.data[:, 0])) == [1, 2, 3]
    assert set(layer.data[layer.data[:, 0] == 3, 2]) == {4}


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


def test_going_round_skips_the_judged() -> None:
    table = pd.DataFrame({"risk": [0.9, 0.8, 0.0, 0.7], "verdict": ["", "ok", "", ""]})
    assert next_risky(table, None, 1) == 0
    assert next_risky(table, 0, 1) == 3
    assert next_risky(table, 3, 1) == 0
    assert next_risky(table, None, -1) == 3
    assert next_risky(table.assign(verdict="ok"), None, 1) is None


def test_tracks_without_features_can_be_summarised() -> None:
    data, _ = inspected.three_tracks()
    table = summarise_tracks(
        track_rows(data, pd.DataFrame()), pixel_size_um=0.1, frame_interval_s=2.0
    )
    assert len(table) == 3
    assert table["why"].iloc[0] == "jump"


def test_tracks_that_cannot_be_judged_are_said_to_be_so(
    qtbot: Any, viewer_model: Any, wait_for: Any
) -> None:
    rows = np.array([(k, t, 10.0 * k, 1.0 * t) for k in (1, 2) for t in range(3)])
    viewer_model.add_tracks(rows, name="short [tracks]")
    made = inspected.inspect(viewer_model, qtbot, wait_for)
    assert "2 not judged" in made.status_label.text()
    assert made.table.frame["why"].tolist() == ["not judged", "not judged"]
    assert made.table.frame["error_probability"].isna().all()


def test_cutting_at_the_jump_makes_the_track_likelier_right(widget: InspectorWidget) -> None:
    before = widget.table.frame.set_index("track_id").loc[2, "error_probability"]
    inspected.choose(widget, 2)
    widget.viewer.dims.set_point(0, 2.0 * 5)
    inspected.press(widget, "cut_here")
    after = widget.table.frame.set_index("track_id").loc[2, "error_probability"]
    assert after < 0.5 * before
