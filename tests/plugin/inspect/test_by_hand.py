"""Mending and judging in a real window, by mouse and keys, as a person does."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QPushButton

from napari_virtualstain.plugin.inspect.dock import InspectorWidget

from .. import inspected

CONTROL = Qt.KeyboardModifier.ControlModifier


@pytest.fixture
def viewer(make_napari_viewer: Any) -> Any:
    made = make_napari_viewer(show=True)
    made.window._qt_window.resize(1280, 720)
    return made


@pytest.fixture
def widget(viewer: Any, qtbot: Any, wait_for: Any) -> InspectorWidget:
    inspected.add_family(viewer)
    return inspected.docked(viewer, qtbot, wait_for)


def _at(viewer: Any, frame: int) -> None:
    viewer.dims.set_point(0, 2.0 * frame)


def _canvas(viewer: Any) -> Any:
    return viewer.window._qt_viewer.canvas.native


@pytest.mark.gui
def test_a_missed_mitochondrion_is_clicked_and_the_film_stays_where_the_hand_is(
    viewer: Any, qtbot: Any, widget: InspectorWidget
) -> None:
    before = inspected.labels(widget).copy()
    inspected.choose(widget, 2)  # chosen in its least sure frame
    _at(viewer, 6)
    inspected.click_on(qtbot, widget, "not_here")
    assert not (inspected.labels(widget)[6] == 2).any()
    assert widget.workspace.film.strip.frame == 6
    _canvas(viewer).setFocus()
    inspected.type_key(viewer, Qt.Key.Key_A)
    assert widget.findChild(QPushButton, "add_by_click").isChecked()
    # where another mitochondrion is, nothing is added, and the click is still waited for
    inspected.click(viewer, qtbot, (1.0, 2.3))
    assert "Track 1 is here in this frame already" in widget.status_label.text()
    assert not widget.model.tracks.row_at(2, 6)
    inspected.click(viewer, qtbot, (2.0, 2.3))
    assert not widget.findChild(QPushButton, "add_by_click").isChecked()
    grown, there = inspected.labels(widget)[6] == 2, before[6] == 2
    assert (grown & there).sum() / (grown | there).sum() > 0.5
    assert (inspected.labels(widget)[6] == 1).sum() == (before[6] == 1).sum()
    assert widget.workspace.film.strip.frame == 6
    for _ in range(2):
        inspected.type_key(viewer, Qt.Key.Key_Z, CONTROL)
    np.testing.assert_array_equal(inspected.labels(widget), before)


@pytest.mark.gui
def test_escape_on_the_canvas_ends_the_wait_for_a_click(
    viewer: Any, qtbot: Any, widget: InspectorWidget
) -> None:
    inspected.choose(widget, 2)
    _at(viewer, 6)
    inspected.click_on(qtbot, widget, "move_by_click")
    _canvas(viewer).setFocus()
    inspected.type_key(viewer, Qt.Key.Key_Escape)
    assert not widget.findChild(QPushButton, "move_by_click").isChecked()
    assert widget.status_label.text() == "Nothing was placed."
    inspected.click(viewer, qtbot, (1.0, 2.3))
    assert widget.selection.track_id == 1  # the click only looks
    assert not widget.model.undo_text


@pytest.mark.gui
def test_the_history_passes_over_a_track_that_was_deleted(
    viewer: Any, qtbot: Any, widget: InspectorWidget
) -> None:
    for track in (1, 3, 4):
        inspected.choose(widget, track)
    inspected.choose(widget, 3)
    inspected.click_on(qtbot, widget, "delete")
    assert widget.selection.track_id is None
    inspected.choose(widget, 2)
    inspected.click_on(qtbot, widget, "back")
    assert widget.selection.track_id == 4
    inspected.click_on(qtbot, widget, "back")  # not to track 3, which is gone
    assert widget.selection.track_id == 1
    assert not widget.findChild(QPushButton, "back").isEnabled()
    inspected.click_on(qtbot, widget, "undo")
    assert widget.selection.track_id == 3  # there again
    inspected.click_on(qtbot, widget, "back")
    assert widget.selection.track_id == 1


@pytest.mark.gui
def test_a_mask_is_moved_and_split_and_a_gap_filled(
    viewer: Any, qtbot: Any, widget: InspectorWidget
) -> None:
    inspected.choose(widget, 2)
    _at(viewer, 6)
    inspected.click_on(qtbot, widget, "move_by_click")
    inspected.click(viewer, qtbot, (4.0, 4.0))
    rows, columns = np.nonzero(inspected.labels(widget)[6] == 2)
    assert abs(rows.mean() - 40) < 1.5  # a disc: nothing glows there
    assert abs(columns.mean() - 40) < 1.5
    widget.table.view.setFocus()
    inspected.type_key(viewer, Qt.Key.Key_M)
    assert set(np.unique(inspected.labels(widget)[6, 35:46, 35:46])) == {0, 2, 5}
    split = "Split track 2 in frame 6; the other part is 5"
    assert widget.status_label.text() == f"{split}. Undo with Ctrl+Z."
    inspected.type_key(viewer, Qt.Key.Key_Z, CONTROL)
    assert widget.status_label.text() == f"Undone: {split}."
    inspected.type_key(viewer, Qt.Key.Key_Z, CONTROL | Qt.KeyboardModifier.ShiftModifier)
    assert widget.status_label.text() == f"{split}."
    inspected.type_key(viewer, Qt.Key.Key_Z, CONTROL)
    inspected.click_on(qtbot, widget, "not_here")
    inspected.click_on(qtbot, widget, "fill_gap")
    at = widget.model.tracks.row_at(2, 6)
    assert widget.model.tracks["interpolated"][at]
    assert widget.model.tracks["y_px"][at] == pytest.approx(20.0)


@pytest.mark.gui
def test_two_tracks_selected_with_the_mouse_swap_from_here_on(
    viewer: Any, qtbot: Any, widget: InspectorWidget
) -> None:
    before = inspected.labels(widget).copy()
    view = widget.table.view
    for track, key in ((1, Qt.KeyboardModifier.NoModifier), (2, CONTROL)):
        row = int(np.flatnonzero(widget.table.frame["track_id"] == track)[0])
        place = view.visualRect(view.model().index(view.frame_model.view_row(row), 0)).center()
        qtbot.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, key, place)
    assert set(widget.selection.tracks) == {1, 2}
    _at(viewer, 5)
    view.setFocus()
    inspected.type_key(viewer, Qt.Key.Key_X)
    after = inspected.labels(widget)
    np.testing.assert_array_equal(after[:5], before[:5])
    np.testing.assert_array_equal(after[5:10] == 1, before[5:10] == 2)
    np.testing.assert_array_equal(after[5:10] == 2, before[5:10] == 1)


@pytest.mark.gui
def test_verdict_keys_work_on_the_canvas_and_in_the_wide_dock_while_the_inspector_is_seen(
    viewer: Any, qtbot: Any, widget: InspectorWidget
) -> None:
    tracks = inspected.layer(widget)
    viewer.layers.selection.active = tracks
    _at(viewer, 4)
    inspected.click(viewer, qtbot, (2.0, 2.2))
    _canvas(viewer).setFocus()
    inspected.type_key(viewer, Qt.Key.Key_2)
    assert widget.model.verdicts == {2: "wrong"}
    assert str(tracks.mode) == "pan_zoom"
    widget.workspace.film.strip.setFocus()
    inspected.type_key(viewer, Qt.Key.Key_1)
    assert widget.model.verdicts == {2: "ok"}
    # over another layer the keys are napari's
    viewer.layers.selection.active = viewer.layers["cell [fluorescence]"]
    _canvas(viewer).setFocus()
    inspected.type_key(viewer, Qt.Key.Key_3)
    assert widget.model.verdicts == {2: "ok"}
    viewer.layers.selection.active = tracks
    widget.hide()
    inspected.type_key(viewer, Qt.Key.Key_Delete)
    assert 2 in widget.model.tracks


@pytest.mark.gui
def test_why_a_track_is_doubtful_is_read_whole_on_a_small_screen(
    viewer: Any, qtbot: Any, wait_for: Any
) -> None:
    data, features = inspected.three_tracks()
    features["interpolated"] = False
    features.loc[25:26, "interpolated"] = True
    features.loc[28, "area_um2"] = 9.0
    viewer.add_tracks(data, features=features, name="cell [tracks]", **inspected.SCALE)
    widget = inspected.docked(viewer, qtbot, wait_for)
    view = widget.table.view
    place = list(widget.table.frame.columns).index("why")
    left, width = view.columnViewportPosition(place), view.columnWidth(place)
    assert 60 <= width <= view.viewport().width() - left  # ends in an ellipsis, not at the border
    row = int(np.flatnonzero(widget.table.frame["track_id"] == 3)[0])
    index = view.model().index(view.frame_model.view_row(row), place)
    whole = "doubtful link, jump, area jump, gap"
    assert view.model().data(index, Qt.ItemDataRole.ToolTipRole) == whole
    qtbot.mouseClick(
        view.viewport(), Qt.MouseButton.LeftButton, pos=view.visualRect(index).center()
    )
    assert f"Track 3: {whole}. Error probability" in widget.status_label.text()


@pytest.mark.gui
def test_who_became_whom_is_read_on_a_small_screen(
    viewer: Any, qtbot: Any, widget: InspectorWidget
) -> None:
    bar = widget.workspace.tabBar()
    qtbot.mouseClick(bar, Qt.MouseButton.LeftButton, pos=bar.tabRect(2).center())
    qtbot.wait(100)
    view = widget.workspace.lineage.table
    place = list(view.frame.columns).index("tracks")
    assert view.frame["tracks"].tolist() == ["2 → 3, 4"]
    right = view.columnViewportPosition(place + 1) + view.columnWidth(place + 1)
    assert right <= view.viewport().width()
    assert view.fontMetrics().horizontalAdvance("2 → 3, 4") < view.columnWidth(place)


@pytest.mark.gui
def test_a_click_in_a_z_stack_adds_a_position_in_the_plane_on_show(
    viewer: Any, qtbot: Any, wait_for: Any
) -> None:
    rows = [(k, t, 2.0, 10.0 * k, 5.0 + t) for k in (1, 2, 3) for t in range(6)]
    scale = (2.0, 0.3, 0.1, 0.1)
    viewer.add_image(np.zeros((6, 5, 50, 50), np.float32), name="stack", scale=scale)
    tracks = viewer.add_tracks(np.array(rows), name="cell [tracks]", scale=scale)
    made = inspected.docked(viewer, qtbot, wait_for)
    viewer.dims.set_point((0, 1), (2.0 * 4, 0.3 * 3))
    inspected.click_on(qtbot, made, "add_by_click")
    inspected.click(viewer, qtbot, (4.0, 4.0))
    added = tracks.data[tracks.data[:, 0] == 4]
    np.testing.assert_allclose(added, [[4, 4, 3, 40, 40]], atol=0.6)
    inspected.click_on(qtbot, made, "undo")
    np.testing.assert_array_equal(tracks.data, rows)
