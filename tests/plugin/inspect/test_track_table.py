"""The table of tracks: what its filters list, and what is chosen in it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from qtpy.QtCore import QItemSelectionModel, Qt
from qtpy.QtWidgets import QMenu

from napari_virtualstain.errors import InputError
from napari_virtualstain.plugin.inspect.model import InspectorModel
from napari_virtualstain.plugin.inspect.summary_rows import Scale, judge, summarise
from napari_virtualstain.plugin.inspect.track_table import READY_MADE, TrackTable, filtered
from napari_virtualstain.tracking import EditableTracks

TABLE = pd.DataFrame(
    {
        "track_id": [1, 2, 3, 4],
        "verdict": ["", "ok", "wrong", "unsure"],
        "frames": [9, 10, 11, 2],
        "gaps": [0, 1, 2, 0],
        "motion": ["directed", "diffusive", "confined", "unknown"],
        "begins": ["fission", "fusion", "", ""],
        "ends": ["", "", "fission", "fusion"],
    }
)


@pytest.mark.parametrize(
    ("name", "listed"),
    [
        ("Without a verdict", [1]),
        ("Judged ok", [2]),
        ("Judged wrong", [3]),
        ("Judged unsure", [4]),
        ("Directed motion", [1]),
        ("Diffusive motion", [2]),
        ("Confined motion", [3]),
        ("Begins by fission", [1]),
        ("Begins by fusion", [2]),
        ("Ends in fission", [3]),
        ("Ends in fusion", [4]),
        ("With gaps", [2, 3]),
        ("In 10 frames or more", [2, 3]),
    ],
)
def test_ready_made_filters_list_what_their_names_say(name: str, listed: list[int]) -> None:
    expression = dict(one for one in READY_MADE if one is not None)[name]
    assert TABLE["track_id"].iloc[filtered(TABLE, expression)].tolist() == listed


def test_a_filter_is_empty_or_a_number_or_a_comparison() -> None:
    assert filtered(TABLE, "  ").tolist() == [0, 1, 2, 3]
    assert filtered(TABLE, " 3 ").tolist() == [2]
    assert filtered(TABLE, "7").tolist() == []
    assert filtered(TABLE, "frames > 9 and not gaps > 1").tolist() == [1]
    assert filtered(pd.DataFrame(), "frames >").tolist() == []
    for text, why in (
        ("frames", "compares nothing"),
        ("frames.max() > 3", "compares nothing"),
        ("frame > 3", "not understood (name 'frame' is not defined). Columns: track_id, verdict"),
        ("frames >", "not understood (invalid syntax). Columns"),
        ("track_id.__class__ == 3", "may only compare columns: track_id, verdict"),
        ("frames > @limit", "may only compare columns: track_id, verdict"),
    ):
        with pytest.raises(InputError) as caught:
            filtered(TABLE, text)
        assert why in str(caught.value)


@pytest.fixture
def table(qtbot: Any) -> TrackTable:
    """The table of four tracks of 8, 9, 10 and 11 frames."""
    rows = [(k, t, 10.0 * k, 1.0 * t) for k in range(1, 5) for t in range(7 + k)]
    tracks = EditableTracks(pd.DataFrame(rows, columns=["track_id", "frame", "y_px", "x_px"]))
    made, scale = TrackTable(InspectorModel()), Scale(0.1, 2.0)
    qtbot.addWidget(made)
    made.model.loaded.connect(made.show_tracks)
    frame = tracks.to_frame().reset_index(drop=True)
    given = summarise(frame, tracks, scale, judged=judge(frame, scale))
    made.model.load(tracks, given.sort_values("track_id", ignore_index=True), scale, {})
    return made


def _select(table: TrackTable, *tracks: int) -> None:
    """Click on rows, all but the first with Ctrl."""
    view = table.view
    for number, track in enumerate(tracks):
        row = int(np.flatnonzero(table.frame["track_id"] == track)[0])
        place = view.model().index(view.frame_model.view_row(row), 0)
        flag = QItemSelectionModel.SelectionFlag
        how = flag.ClearAndSelect if number == 0 else flag.Select
        view.selectionModel().setCurrentIndex(place, how | flag.Rows)


def test_several_rows_are_chosen_and_an_empty_selection_changes_nothing(table: TrackTable) -> None:
    chosen: list[int] = []
    table.track_chosen.connect(chosen.append)
    table.track_chosen.connect(table.model.choose)
    _select(table, 2)
    assert chosen == [2]
    table.follow()  # what is chosen already is not chosen again
    assert chosen == [2]
    _select(table, 2, 4, 3)
    assert set(table.model.selection.tracks) == {2, 3, 4}
    table.follow()
    assert len(table.view.selectionModel().selectedRows()) == 3
    table.view.clearSelection()
    assert set(table.model.selection.tracks) == {2, 3, 4}
    table.model.choose(1)
    table.follow()
    assert table.track_at(table.row) == 1
    assert chosen[-1] != 1  # it was not the hand that chose
    table.model.choose(None)
    table.follow()
    assert not table.view.selectionModel().selectedRows()


def test_what_a_filter_lists_is_counted_while_it_leaves_tracks_out(table: TrackTable) -> None:
    said: list[str] = []
    table.said.connect(said.append)
    for text, listed, last in (
        ("frames >= 10", [3, 4], "2 of 4 tracks are listed."),
        ("frames >= 8", [1, 2, 3, 4], ""),
        ("frames > 99", [], "0 of 4 tracks are listed."),
        ("", [1, 2, 3, 4], ""),
    ):
        table.filter.setText(text)
        assert sorted(table.tracks()) == listed
        assert said[-1] == last
    table.model.choose(3)
    table.filter.setText("frames < 9")
    assert table.row is None  # it is not listed
    table.set_verdict(3, "ok")
    table.filter.setText("frames > 9")
    assert table.track_at(table.row) == 3
    table.set_verdict(3, "ok")
    assert table.frame.set_index("track_id")["verdict"].to_dict() == {3: "ok", 4: ""}


def test_the_menu_ticks_what_the_filter_holds_and_takes_it_out_again(table: TrackTable) -> None:
    menu = QMenu()

    def ticked() -> list[str]:
        table.fill_menu(menu)
        return [one.text() for one in menu.actions() if one.isChecked()]

    def pick(text: str) -> None:
        next(one for one in menu.actions() if one.text() == text).trigger()

    assert ticked() == []
    pick("With gaps")
    pick("In 10 frames or more")
    assert table.filter.text() == "gaps > 0 and frames >= 10"
    assert ticked() == ["With gaps", "In 10 frames or more"]
    pick("With gaps")
    assert table.filter.text() == "frames >= 10"
    pick("All tracks")
    assert (table.filter.text(), ticked()) == ("", [])


def test_columns_are_hidden_until_they_are_wanted(table: TrackTable) -> None:
    def shown(name: str) -> bool:
        return not table.view.isColumnHidden(list(table.frame.columns).index(name))

    assert [shown(name) for name in ("frames", "y_px", "first", "quality")] == [True] + [False] * 3
    actions = {one.text(): one for one in table.columns_menu().actions()}
    assert (actions["frames"].isChecked(), actions["first"].isChecked()) == (True, False)
    actions["first"].trigger()
    actions["frames"].trigger()
    actions["quality"].trigger()
    actions["quality"].trigger()
    assert [shown(name) for name in ("frames", "first", "quality")] == [False, True, False]
    table.show_tracks()
    assert [shown(name) for name in ("frames", "first", "quality")] == [False, True, False]


def test_the_order_is_by_error_until_another_is_clicked(table: TrackTable) -> None:
    chance = table.model.table["error_probability"].to_numpy()
    order = [int(table.model.table["track_id"].iloc[i]) for i in np.argsort(-chance, kind="stable")]
    assert table.tracks() == order
    place = list(table.frame.columns).index("frames")
    table.view.sortByColumn(place, Qt.SortOrder.DescendingOrder)
    assert table.tracks() == [4, 3, 2, 1]
    table.filter.setText("frames < 11")
    assert table.tracks() == [3, 2, 1]
