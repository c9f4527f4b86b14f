"""A table of a DataFrame: texts, order, and the row that is chosen."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from qtpy.QtCore import QModelIndex, Qt

from napari_virtualstain.errors import InputError
from napari_virtualstain.plugin.kit.controls import Choice
from napari_virtualstain.plugin.kit.jobs import error_text, in_dock_terms
from napari_virtualstain.plugin.kit.table import FrameModel, FrameTable, cell_text, heading

FRAME = pd.DataFrame(
    {"track_id": [7, 3, 5], "speed_um_per_s": [0.5, np.nan, 0.123456], "why": ["jump", "", "gap"]}
)
ROLES = Qt.ItemDataRole


@pytest.fixture
def table(qtbot: Any) -> FrameTable:
    made = FrameTable()
    qtbot.addWidget(made)
    made.show_frame(FRAME)
    return made


def _column(model: FrameModel, column: int) -> list[Any]:
    return [model.data(model.index(row, column)) for row in range(model.rowCount())]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "yes"),
        (np.bool_(False), "no"),
        (0.123456, "0.1235"),
        (np.float32(2.0), "2"),
        (float("nan"), ""),
        (None, ""),
        (7, "7"),
        ("gap", "gap"),
    ],
)
def test_numbers_have_four_digits_and_nothing_stands_for_missing(value: Any, text: str) -> None:
    assert cell_text(value) == text


@pytest.mark.parametrize(
    ("column", "text"),
    [
        ("error_probability", "P(error)"),
        ("area_um2", "area (µm²)"),
        ("speed_px_per_frame", "speed (px/frame)"),
        ("interval_s", "interval (s)"),
        ("track_id", "track id"),
    ],
)
def test_headings_have_units_in_brackets(column: str, text: str) -> None:
    assert heading(column) == text


def test_cells_have_texts_tooltips_and_numbers_at_the_right(table: FrameTable) -> None:
    model = table.frame_model
    assert (model.rowCount(), model.columnCount()) == (3, 3)
    assert _column(model, 1) == ["0.5", "", "0.1235"]
    tips = [model.data(model.index(row, 2), ROLES.ToolTipRole) for row in range(3)]
    assert tips == ["jump", None, "gap"]
    assert model.data(model.index(0, 0), ROLES.TextAlignmentRole) is not None
    assert model.data(model.index(0, 2), ROLES.TextAlignmentRole) is None
    assert model.data(QModelIndex()) is None
    across = Qt.Orientation.Horizontal
    assert model.headerData(1, across) == "speed (µm/s)"
    assert model.headerData(1, Qt.Orientation.Vertical) == "1"
    assert model.headerData(1, across, ROLES.ToolTipRole) == "speed (µm/s)"
    assert model.headerData(1, across, ROLES.DecorationRole) is None


def test_missing_values_come_last_either_way_and_rows_keep_their_number(table: FrameTable) -> None:
    model = table.frame_model
    chosen: list[int] = []
    table.row_chosen.connect(chosen.append)
    for order, texts, rows in (
        (Qt.SortOrder.AscendingOrder, ["0.1235", "0.5", ""], [2, 0, 1]),
        (Qt.SortOrder.DescendingOrder, ["0.5", "0.1235", ""], [0, 2, 1]),
    ):
        model.sort(1, order)
        assert _column(model, 1) == texts
        assert [model.source_row(place) for place in range(3)] == rows
        assert [model.view_row(row) for row in rows] == [0, 1, 2]
        assert model.headerData(0, Qt.Orientation.Vertical) == str(rows[0])
    model.sort(3)
    model.sort(-1)
    assert _column(model, 1) == ["0.5", "0.1235", ""]
    pd.testing.assert_frame_equal(table.frame, FRAME)
    table.choose(2)
    assert (table.row, chosen) == (2, [])
    model.sort(0)
    assert table.row == 2  # the selection stays with its row
    table.setCurrentIndex(model.index(0, 0))
    assert chosen == [1]


def test_a_cell_can_change(table: FrameTable) -> None:
    table.frame_model.sort(0)
    table.frame_model.set_cell(0, "why", "gap")
    assert table.frame["why"].tolist() == ["gap", "", "gap"]
    assert _column(table.frame_model, 2) == ["", "gap", "gap"]


def test_return_enters_the_chosen_row(table: FrameTable, qtbot: Any) -> None:
    entered: list[int] = []
    table.row_entered.connect(entered.append)
    qtbot.keyClick(table, Qt.Key.Key_Return)
    assert entered == []
    table.choose(1)
    qtbot.keyClick(table, Qt.Key.Key_Return)
    qtbot.keyClick(table, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    assert entered == [1]


def test_only_values_of_a_choice_can_be_chosen(qtbot: Any) -> None:
    choice = Choice([("one", 1), ("two", 2)])
    qtbot.addWidget(choice)
    choice.value = 2
    assert choice.currentText() == "two"
    with pytest.raises(ValueError, match="3 is not among the choices"):
        choice.value = 3


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (InputError("Name the axes (--axes)."), "Name the axes."),
        (ValueError("wrong"), "ValueError: wrong"),
        (ValueError(), "ValueError: ValueError"),
        (MemoryError("1 GiB"), "Not enough memory: 1 GiB. Choose a smaller tile"),
        (InputError("CUDA out of memory"), "Not enough memory: CUDA out of memory. Choose"),
    ],
)
def test_errors_are_one_line_in_the_words_of_the_dock(error: Exception, text: str) -> None:
    assert error_text(error).startswith(text)
    assert in_dock_terms("allow it (--force)", {"--force": "tick Force"}) == "allow it (tick Force)"


@pytest.mark.parametrize(
    ("texts", "width", "column"),
    [
        ("short", 400, 110),  # where there is room, at least so wide
        ("short", 150, 88),  # else as wide as the table leaves room
        ("short", 100, 60),
        ("a sentence of nine words that needs all its room", 900, 200),
    ],
)
def test_the_column_of_long_texts_ends_where_the_table_does(
    qtbot: Any, texts: str, width: int, column: int
) -> None:
    table = FrameTable()
    qtbot.addWidget(table)
    table.elastic = "why"
    table.resize(width, 200)
    table.show()
    table.show_frame(pd.DataFrame({"a": [1.0], "why": [texts]}))
    header = table.horizontalHeader()
    assert header.sectionSize(0) == 60
    ends = width - table.viewport().width()
    assert header.sectionSize(1) == pytest.approx(column if width > 100 else 60, abs=ends)
    table.resize(900, 200)
    assert header.sectionSize(1) >= 110
    table.show_frame(pd.DataFrame({"b": [1.0]}))  # without such a column
    table.resize(width, 200)
    assert header.sectionSize(0) == 60


def test_columns_keep_their_width_while_they_are_the_same(table: FrameTable) -> None:
    header = table.horizontalHeader()
    header.resizeSection(0, 150)
    table.show_frame(FRAME.iloc[:1])
    assert header.sectionSize(0) == 150
    table.show_frame(FRAME.rename(columns={"why": "reason"}))
    assert header.sectionSize(0) < 150


def test_a_row_is_entered_by_a_double_click_and_moved_to_by_arrows(
    table: FrameTable, qtbot: Any
) -> None:
    entered: list[int] = []
    chosen: list[int] = []
    table.row_entered.connect(entered.append)
    table.row_chosen.connect(chosen.append)
    table.resize(400, 200)
    table.show()
    assert table.row is None
    table.horizontalHeader().sortIndicatorChanged.emit(0, Qt.SortOrder.DescendingOrder)
    assert _column(table.frame_model, 0) == ["7", "5", "3"]
    place = table.visualRect(table.frame_model.index(1, 0)).center()
    qtbot.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=place)
    qtbot.mouseDClick(table.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert (table.row, chosen, entered) == (2, [2], [2])
    qtbot.keyClick(table, Qt.Key.Key_Down)
    assert (table.row, chosen, entered) == (1, [2, 1], [2])
    qtbot.keyClick(table, Qt.Key.Key_Enter, Qt.KeyboardModifier.KeypadModifier)
    assert entered == [2, 1]
    assert not table.editTriggers()
    whole = [index.column() for index in table.selectedIndexes()]
    assert whole == [0, 1, 2]


def test_a_row_far_down_is_brought_into_view(qtbot: Any) -> None:
    table = FrameTable()
    qtbot.addWidget(table)
    table.resize(300, 200)
    table.show()
    table.show_frame(pd.DataFrame({"track_id": np.arange(500)}))
    table.choose(400)
    seen = table.viewport().rect()
    assert seen.contains(table.visualRect(table.frame_model.index(400, 0)).center())


def test_what_a_column_means_is_its_tooltip(qtbot: Any) -> None:
    model = FrameModel()
    model.show(pd.DataFrame({"error_probability": [0.1], "P": [0.5], "speed_um_per_s": [1.0]}))
    tips = [model.headerData(i, Qt.Orientation.Horizontal, ROLES.ToolTipRole) for i in range(3)]
    assert tips[0].startswith("Error probability: that a link is wrong")
    assert tips[1:] == ["Probability that it happened", "speed (µm/s)"]
    assert model.headerData(0, Qt.Orientation.Vertical, ROLES.ToolTipRole) is None
