"""The table of tracks: filtered by typed expressions, with columns that can be hidden."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QLineEdit,
    QMenu,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from ...errors import InputError
from ..kit.table import FrameTable, heading
from .model import InspectorModel
from .summary_rows import PENDING, places_of

_MAY_LACK = ("quality", "area_")
HIDDEN = ("first", "last", "doubtful_frame", "exponent", "begins", "ends", "y_px", "x_px")
EXAMPLES = (
    "Which tracks are listed: a number, or an expression such as\n"
    "  frames > 10 and error_probability > 0.3\n"
    "  verdict == '' and parents != ''\n"
    "  100 < y_px < 200 and x_px < 50\n"
    "  motion == 'directed' and region (a Shapes layer of that name)\n"
    "Columns: "
)


READY_MADE = (
    ("Without a verdict", "verdict == ''"),
    ("Judged ok", "verdict == 'ok'"),
    ("Judged wrong", "verdict == 'wrong'"),
    ("Judged unsure", "verdict == 'unsure'"),
    None,
    ("Directed motion", "motion == 'directed'"),
    ("Diffusive motion", "motion == 'diffusive'"),
    ("Confined motion", "motion == 'confined'"),
    None,
    ("Begins by fission", "begins == 'fission'"),
    ("Begins by fusion", "begins == 'fusion'"),
    ("Ends in fission", "ends == 'fission'"),
    ("Ends in fusion", "ends == 'fusion'"),
    None,
    ("With gaps", "gaps > 0"),
    ("In 10 frames or more", "frames >= 10"),
)


def quoted(name: str) -> str:
    """Return the name of a column as an expression writes it.

    Examples
    --------
    >>> quoted("region"), quoted("left cell")
    ('region', '`left cell`')
    """
    return name if name.isidentifier() else f"`{name}`"


def filtered(table: pd.DataFrame, expression: str) -> np.ndarray:
    """Return the numbers of the rows for which an expression holds.

    Parameters
    ----------
    table : DataFrame
        One row per track.
    expression : str
        Empty for all, the number of a track, or comparisons of columns joined by ``and``, ``or``.

    Raises
    ------
    InputError
        It cannot be understood.

    Examples
    --------
    >>> table = pd.DataFrame({"track_id": [3, 7], "frames": [5, 20]})
    >>> filtered(table, "frames > 10").tolist(), filtered(table, "3").tolist()
    ([1], [0])
    """
    text = expression.strip()
    if not text or not len(table):
        return np.arange(len(table))
    if text.isdigit():
        return np.flatnonzero(table["track_id"].to_numpy() == int(text))
    names = ", ".join(map(str, table.columns))
    if "@" in text or "__" in text:
        raise InputError(f"The filter {text!r} may only compare columns: {names}.")
    try:
        holds = table.eval(text, engine="python")
    except Exception as error:  # whatever a half-typed expression raises
        why = str(error).replace(" (<unknown>, line 1)", "")
        raise InputError(
            f"The filter {text!r} is not understood ({why}). Columns: {names}."
        ) from error
    if not isinstance(holds, pd.Series) or holds.dtype != bool:
        raise InputError(
            f"The filter {text!r} compares nothing. Write for instance frames > 10 "
            "or verdict == 'ok'."
        )
    return np.flatnonzero(holds.to_numpy())


class TrackTable(QWidget):
    """The tracks of a model as a table with a filter above it."""

    track_chosen = Signal(int)
    track_entered = Signal(int)
    said = Signal(str)
    region_wanted = Signal()

    def __init__(self, model: InspectorModel) -> None:
        super().__init__()
        self.model = model
        self._is_pending = False
        # columns that a filter may name besides those of the table, and the names there are
        self.more_columns: Callable[[str, np.ndarray], dict[str, np.ndarray]] = lambda *_: {}
        self.region_names: Callable[[], list[str]] = list
        self.filter = QLineEdit()
        self.filter.setObjectName("filter")
        self.filter.setAccessibleName("Filter")
        self.filter.setPlaceholderText("Filter: frames > 10 and verdict == ''")
        self.filter.setClearButtonEnabled(True)
        self.filter.setToolTip(f"{EXAMPLES}those of the table")
        self.filter.textChanged.connect(lambda _text: self._on_filter())
        self.view = FrameTable()
        self.view.elastic = "why"
        self.view.setAccessibleName("Tracks")
        self.view.setToolTip(
            "One row per mitochondrion; choose to highlight, Enter or double-click to go there"
        )
        self.view.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        header = self.view.horizontalHeader()
        header.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        header.customContextMenuRequested.connect(self._ask_columns)
        self.hidden = set(HIDDEN)
        self._rows = np.zeros(0, int)
        self._places: dict[int, int] | None = {}  # None: all are listed, as in the model
        self._syncing = False
        self.view.row_entered.connect(lambda row: self.track_entered.emit(self.track_at(row)))
        self.view.selectionModel().selectionChanged.connect(lambda *_: self._on_selection())
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        self.above = QHBoxLayout()
        self.above.addWidget(self.filter, 1)
        self.menu_button = self._menu_button()
        self.above.addWidget(self.menu_button)
        layout.addLayout(self.above)
        layout.addWidget(self.view, 1)

    @property
    def frame(self) -> pd.DataFrame:
        """The rows on show."""
        return self.view.frame

    @property
    def row(self) -> int | None:
        """The chosen row of those on show."""
        return self._row_of(self.model.selection.track_id)

    def track_at(self, row: int) -> int:
        """Return the track of a row on show."""
        return int(self.view.frame["track_id"].iloc[row])

    def tracks(self) -> list[int]:
        """Return the tracks on show in the order on show."""
        model = self.view.frame_model
        ids = np.asarray(self.view.frame.get("track_id", []))
        return [int(ids[model.source_row(place)]) for place in range(model.rowCount())]

    def show_tracks(self) -> None:
        """Show the tracks that pass the filter, in the chosen order."""
        table = self.model.table
        try:
            self._rows = filtered(self._with_regions(table), self.filter.text())
        except InputError as error:
            self._rows = np.arange(len(table))
            self.said.emit(str(error))
        shown = table.iloc[self._rows] if len(self._rows) < len(table) else table
        header = self.view.horizontalHeader()
        section, order = header.sortIndicatorSection(), header.sortIndicatorOrder()
        same = list(self.view.frame.columns) == list(shown.columns)
        self._syncing = True
        try:
            self.view.show_frame(shown)
            if same and 0 <= section < len(shown.columns):
                self.view.frame_model.sort(section, order)
            elif len(shown.columns):
                self._sort_by_error(list(shown.columns))
        finally:
            self._syncing = False
        pending = bool(len(table)) and bool((table["motion"] == PENDING).any())
        if self._is_pending and not pending:
            self.view.fit_columns()  # they were as wide as empty cells
        self._is_pending = pending
        self._places = None
        if len(shown) < len(table):
            self._places = places_of(shown)
        self._hide()
        self.filter.setToolTip(EXAMPLES + ", ".join(map(str, table.columns)))
        self.follow()

    def follow(self) -> None:
        """Select the row of the track that the model has chosen."""
        row = self.row
        self._syncing = True
        try:
            if row is None:
                self.view.clearSelection()
            elif not self.model.selection.also:
                self.view.choose(row)
        finally:
            self._syncing = False

    def set_verdict(self, track_id: int, verdict: str) -> None:
        """Write a verdict into its cell."""
        if (row := self._row_of(track_id)) is not None:
            self.view.frame_model.set_cell(row, "verdict", verdict)

    def also(self, expression: str) -> None:
        """Narrow the filter by one more expression; one that is there already is taken out."""
        parts = [part for part in self.filter.text().split(" and ") if part.strip()]
        if expression in parts:
            parts.remove(expression)
        else:
            parts.append(expression)
        self.filter.setText(" and ".join(parts))

    def fill_menu(self, menu: QMenu) -> None:
        """Fill the menu of ready-made filters, regions and columns."""
        menu.clear()
        now = self.filter.text().split(" and ")

        def add(text: str, expression: str) -> None:
            action = menu.addAction(text)
            action.setCheckable(True)
            action.setChecked(expression in now)
            action.triggered.connect(lambda _on, what=expression: self.also(what))

        for one in READY_MADE:
            if one is None:
                menu.addSeparator()
            else:
                add(*one)
        menu.addSeparator()
        for name in self.region_names():
            add(f"Passes through {name!r}", quoted(name))
        menu.addAction("Draw a region…", self.region_wanted.emit)
        menu.addSeparator()
        menu.addAction("All tracks", self.filter.clear)
        columns = menu.addMenu("Columns")
        self._fill_columns(columns)

    def _menu_button(self) -> QToolButton:
        made = QToolButton()
        made.setText("▾")
        made.setObjectName("filter_menu")
        made.setToolTip("Ready-made filters, regions, columns")
        made.setAccessibleName("Filters and columns")
        made.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(made)
        menu.aboutToShow.connect(lambda: self.fill_menu(menu))
        made.setMenu(menu)
        return made

    def _with_regions(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return the table with a yes-or-no column for each region that the filter names."""
        if not len(table) or not self.filter.text():
            return table
        return table.assign(**self.more_columns(self.filter.text(), table["track_id"].to_numpy()))

    def _row_of(self, track_id: int | None) -> int | None:
        if track_id is None or self._places is None:
            return self.model.row_of(track_id)
        return self._places.get(track_id)

    def _sort_by_error(self, columns: list[str]) -> None:
        """Show the sort arrow at the error probability, highest first."""
        header = self.view.horizontalHeader()
        header.setSortIndicator(columns.index("error_probability"), Qt.SortOrder.DescendingOrder)

    def refilter(self) -> None:
        """List the tracks again: a region of the filter has changed."""
        self._on_filter()

    def _on_filter(self) -> None:
        self.said.emit("")
        self.show_tracks()
        if not self.filter.text().strip():
            self.said.emit("")  # the counts are those of all tracks again
        elif len(self._rows) < (count := len(self.model.table)):
            self.said.emit(f"{len(self._rows)} of {count} tracks are listed.")

    def _on_selection(self) -> None:
        if self._syncing:
            return
        model = self.view.frame_model
        rows = [model.source_row(i.row()) for i in self.view.selectionModel().selectedRows()]
        if not rows:
            return
        current = self.view.row
        first = current if current in rows else rows[0]
        also = tuple(self.track_at(row) for row in rows if row != first)
        if also:
            track = self.track_at(first)
            self.model.selection.choose(track, self.model.selection.frame, also)
        else:
            self.track_chosen.emit(self.track_at(first))

    def _hide(self) -> None:
        """Hide what the user does not want, and what these tracks do not hold."""
        table = self.model.table
        lacking = [n for n in table if str(n).startswith(_MAY_LACK)]
        unknown = {n for n in lacking if table[n].isna().all()}
        for place, name in enumerate(self.view.frame.columns):
            self.view.setColumnHidden(place, str(name) in self.hidden or name in unknown)

    def _ask_columns(self, point: Any) -> None:
        menu = self.columns_menu()
        menu.popup(self.view.horizontalHeader().mapToGlobal(point))

    def columns_menu(self) -> QMenu:
        """Return the menu of columns with a tick at those on show."""
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._fill_columns(menu)
        return menu

    def _fill_columns(self, menu: QMenu) -> None:
        for name in map(str, self.view.frame.columns):
            action = menu.addAction(heading(name))
            action.setCheckable(True)
            action.setChecked(name not in self.hidden)
            action.toggled.connect(lambda on, one=name: self._toggle(one, on))

    def _toggle(self, name: str, on: bool) -> None:
        self.hidden = self.hidden - {name} if on else self.hidden | {name}
        self._hide()
