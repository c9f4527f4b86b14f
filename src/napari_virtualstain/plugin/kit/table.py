"""A table view of a DataFrame: lazy, sortable, with 50 000 rows as quick as with ten."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from qtpy.QtCore import QAbstractTableModel, QModelIndex, QObject, Qt, Signal
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableView

_NARROWEST = 60
_MARGIN = 26  # for the arrow that tells the order
_CELL_MARGIN = 12
_WIDEST = 200
_ELASTIC = 110  # at least, of a column of long texts where there is room
_ROWS_MEASURED = 50
_UNITS = {
    "_um_per_s": "µm/s",
    "_um_s": "µm/s",
    "_um2_s": "µm²/s",
    "_um_per_frame": "µm/frame",
    "_px_per_s": "px/s",
    "_px_per_frame": "px/frame",
    "_px2": "px²",
    "_um2": "µm²",
    "_um": "µm",
    "_px": "px",
    "_s": "s",
}
_WRITTEN = {
    "bandpass_pearson": "band-pass Pearson",
    "pearson": "Pearson",
    "ssim": "SSIM",
    "psnr": "PSNR",
    "kl": "KL",
    "nrmse": "NRMSE",
    "mask_iou": "mask IoU",
    "error_probability": "P(error)",
}
_EXPLAINED = {
    "error_probability": (
        "Error probability: that a link is wrong, of tracks that a program linked. Where positions "
        "cannot say who is who, tracks drawn by hand are called doubtful too"
    ),
    "P": "Probability that it happened",
}


class FrameModel(QAbstractTableModel):
    """Qt's view of a DataFrame; only visible cells are ever turned into text.

    Sorting permutes row numbers and leaves the DataFrame as it is.
    """

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._set(pd.DataFrame())

    @property
    def frame(self) -> pd.DataFrame:
        """The DataFrame, in its own order."""
        return self._frame

    def show(self, frame: pd.DataFrame) -> None:
        """Replace the contents."""
        self.beginResetModel()
        self._set(frame)
        self.endResetModel()

    def texts(self, column: int, count: int) -> list[str]:
        """Return the first words of a column, none for numbers."""
        return [value for value in self._columns[column][:count] if isinstance(value, str)]

    def set_cell(self, row: int, column: str, value: Any) -> None:
        """Change one cell of the DataFrame's row number `row`."""
        place = list(self._frame.columns).index(column)
        self._columns[place][row] = value
        self._frame.iat[row, place] = value
        index = self.index(int(self._place[row]), place)
        self.dataChanged.emit(index, index)

    def source_row(self, view_row: int) -> int:
        """Return the DataFrame's row number shown at `view_row`."""
        return int(self._order[view_row])

    def view_row(self, source_row: int) -> int:
        """Return where the DataFrame's row number `source_row` is shown."""
        return int(self._place[source_row])

    def rowCount(self, parent: QModelIndex | None = None) -> int:
        """Return the number of rows."""
        return len(self._order)

    def columnCount(self, parent: QModelIndex | None = None) -> int:
        """Return the number of columns."""
        return len(self._columns)

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return the text or the alignment of a cell; its tooltip holds a text that is cut."""
        if not index.isValid():
            return None
        value = self._columns[index.column()][self._order[index.row()]]
        if role == Qt.ItemDataRole.ToolTipRole:
            return value if isinstance(value, str) and value else None
        if role == Qt.ItemDataRole.DisplayRole:
            return cell_text(value)
        if role == Qt.ItemDataRole.TextAlignmentRole and not isinstance(value, str):
            return int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        return None

    def headerData(
        self, section: int, orientation: Any, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        """Return a column's name, or a row's number."""
        if role == Qt.ItemDataRole.ToolTipRole and orientation == Qt.Orientation.Horizontal:
            name = str(self._frame.columns[section])
            return _EXPLAINED.get(name, heading(name))
        if role != Qt.ItemDataRole.DisplayRole:
            return None
        if orientation == Qt.Orientation.Horizontal:
            return heading(str(self._frame.columns[section]))
        return str(self.source_row(section))

    def sort(self, column: int, order: Any = Qt.SortOrder.AscendingOrder) -> None:
        """Sort by a column; missing values come last either way."""
        if not 0 <= column < len(self._columns):
            return
        self.layoutAboutToBeChanged.emit()
        before = self.persistentIndexList()
        rows = [self.source_row(index.row()) for index in before]
        values = pd.Series(self._columns[column])
        ascending = order == Qt.SortOrder.AscendingOrder
        self._order = values.sort_values(ascending=ascending, kind="stable").index.to_numpy()
        self._place = np.argsort(self._order)
        # the selection stays with its row and not with its place
        after = [
            self.index(self.view_row(row), index.column())
            for row, index in zip(rows, before, strict=True)
        ]
        self.changePersistentIndexList(before, after)
        self.layoutChanged.emit()

    def _set(self, frame: pd.DataFrame) -> None:
        self._frame = frame.reset_index(drop=True)
        self._columns = [np.array(self._frame[name]) for name in self._frame.columns]
        self._order = np.arange(len(self._frame))
        self._place = self._order.copy()


class FrameTable(QTableView):
    """A sortable table of a DataFrame that announces which of its rows was chosen.

    Attributes
    ----------
    elastic : str
        Column of long texts that ends where the table does, its texts then cut by an ellipsis.
    """

    row_chosen = Signal(int)
    row_entered = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self.elastic = ""
        self._wanted_px: dict[str, int] = {}
        self._model = FrameModel(self)
        self.setModel(self._model)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setTabKeyNavigation(False)  # Tab leaves the table, arrows move in it
        self.setSortingEnabled(False)
        header = self.horizontalHeader()
        header.setSectionsClickable(True)
        header.setHighlightSections(False)  # bold, a heading runs into the sort arrow
        header.setSortIndicatorShown(True)
        header.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        header.setDefaultSectionSize(_NARROWEST)
        header.sortIndicatorChanged.connect(self._model.sort)
        self.verticalHeader().setVisible(False)
        self.verticalHeader().setDefaultSectionSize(22)
        self.setMinimumHeight(90)
        self._syncing = False
        self.selectionModel().currentRowChanged.connect(self._on_current)
        self.doubleClicked.connect(lambda index: self._enter(index.row()))

    @property
    def frame(self) -> pd.DataFrame:
        """The DataFrame on show."""
        return self._model.frame

    @property
    def frame_model(self) -> FrameModel:
        """The Qt model."""
        return self._model

    @property
    def row(self) -> int | None:
        """Number of the chosen row in the DataFrame, None while there is none."""
        index = self.currentIndex()
        return self._model.source_row(index.row()) if index.isValid() else None

    def show_frame(self, frame: pd.DataFrame) -> None:
        """Replace the contents; columns are as wide as they need to be the first time."""
        before = list(self.frame.columns)
        self._model.show(frame)
        if list(self.frame.columns) != before:
            self.fit_columns()

    def fit_columns(self) -> None:
        """Make columns as wide as their texts need."""
        header = self.horizontalHeader()
        for column in range(self._model.columnCount()):
            text = str(self._model.headerData(column, Qt.Orientation.Horizontal))
            texts = self._model.texts(column, _ROWS_MEASURED)
            measure = header.fontMetrics().horizontalAdvance
            widest = max((measure(one) + _CELL_MARGIN for one in texts), default=0)
            wanted = max(measure(text) + _MARGIN, min(widest, _WIDEST))
            header.resizeSection(column, max(_NARROWEST, wanted))
            self._wanted_px[str(self.frame.columns[column])] = max(_NARROWEST, wanted)
        self.fit_elastic()

    def fit_elastic(self) -> None:
        """Let the column of long texts end where the table does."""
        columns = list(self.frame.columns)
        if self.elastic not in columns:
            return
        header, place = self.horizontalHeader(), columns.index(self.elastic)
        room = self.viewport().width() - header.sectionPosition(place)
        wanted = max(self._wanted_px.get(self.elastic, 0), _ELASTIC)
        header.resizeSection(place, min(wanted, max(room, _NARROWEST)))

    def resizeEvent(self, event: Any) -> None:
        """Fit the column of long texts."""
        super().resizeEvent(event)
        self.fit_elastic()

    def choose(self, row: int) -> None:
        """Select row number `row` of the DataFrame without announcing it."""
        self._syncing = True
        try:
            place = self._model.view_row(row)
            self.selectRow(place)
            self.scrollTo(self._model.index(place, 0))
        finally:
            self._syncing = False

    def keyPressEvent(self, event: Any) -> None:
        """Go to the chosen row with Enter."""
        alone = (Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.KeypadModifier)
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and event.modifiers() in alone:
            if self.currentIndex().isValid():
                self._enter(self.currentIndex().row())
        else:
            super().keyPressEvent(event)

    def _enter(self, view_row: int) -> None:
        self.row_entered.emit(self._model.source_row(view_row))

    def _on_current(self, index: QModelIndex, _before: QModelIndex) -> None:
        if index.isValid() and not self._syncing:
            self.row_chosen.emit(self._model.source_row(index.row()))


def heading(column: str) -> str:
    """Return the name of a column as a person writes it, its unit in brackets.

    Examples
    --------
    >>> heading("speed_um_per_s"), heading("diffusion_um2_s"), heading("bandpass_pearson")
    ('speed (µm/s)', 'diffusion (µm²/s)', 'band-pass Pearson')
    """
    if column in _WRITTEN:
        return _WRITTEN[column]
    for ending, unit in _UNITS.items():
        if column.endswith(ending):
            return f"{column.removesuffix(ending).replace('_', ' ')} ({unit})"
    return column.replace("_", " ")


def cell_text(value: Any) -> str:
    """Return a value as a table shows it: four significant digits, nothing for missing.

    Examples
    --------
    >>> cell_text(0.123456), cell_text(7), cell_text(float("nan")), cell_text(True)
    ('0.1235', '7', '', 'yes')
    """
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, float | np.floating):
        return "" if np.isnan(value) else f"{value:.4g}"
    return "" if value is None else str(value)
