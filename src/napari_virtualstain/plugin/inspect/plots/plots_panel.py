"""Plots of the chosen mitochondria: over time, displacement, distributions; with export."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyqtgraph
from qtpy.QtCore import QBuffer, Qt, Signal
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QVBoxLayout, QWidget

from ....errors import InputError, VirtualStainError
from ...kit.controls import Choice, button, note
from ...kit.table import heading
from ..film.drawing import MARKS
from ..model import InspectorModel
from ..theme import ThemeColours, dress
from .curves import (
    QUANTITIES,
    Curve,
    axis_texts,
    curves,
    displacement,
    event_frames,
    fit_diffusion,
)

# Okabe and Ito: told apart by all kinds of colour vision
COLOURS = ("#E69F00", "#56B4E9", "#009E73", "#CC79A7", "#0072B2", "#D55E00", "#F0E442")
_MOST_CURVES = 40
_BINS = 40
_FEW_TICKS = 0.6  # decades of an axis
_SKIPPED = ("track_id", "first", "last")
_ON_PAPER = ThemeColours(background="#ffffff", text="#000000", mark="#000000")
_PAPER_PX = (800, 500)


class _Axis(pyqtgraph.AxisItem):  # type: ignore[misc]
    """Axis whose logarithmic ticks are plain numbers: 20, not 2·10¹."""

    def logTickStrings(self, values: Any, scale: float, spacing: Any) -> list[str]:
        """Return the texts of logarithmic ticks; of a long axis those of 1, 2 and 5 only."""
        is_long = self.range[1] - self.range[0] > _FEW_TICKS
        some = [not is_long or round(10 ** (value % 1)) in (1, 2, 5, 10) for value in values]
        return [f"{10.0**v:.3g}" if on else "" for v, on in zip(values, some, strict=True)]


def _plot() -> Any:
    """Return an empty plot."""
    return pyqtgraph.PlotWidget(axisItems={side: _Axis(side) for side in ("bottom", "left")})


class PlotPanel(QWidget):
    """One plot of the chosen track, of the chosen tracks or of all."""

    frame_chosen = Signal(int)
    track_chosen = Signal(int)

    def __init__(self, model: InspectorModel, looks: Callable[[], ThemeColours]) -> None:
        super().__init__()
        self.model, self._looks = model, looks
        self.kind = Choice([(text, kind) for kind, text in QUANTITIES.items()])
        self.kind.setObjectName("plot")
        self.kind.setAccessibleName("Plot")
        self.kind.setToolTip("Quantity to plot")
        self.of = Choice([("the chosen", "one"), ("all selected", "some"), ("all tracks", "all")])
        self.of.setObjectName("plot_of")
        self.of.setAccessibleName("Plot of")
        self.of.setToolTip(
            "Which tracks are plotted; select several in the table with Ctrl or Shift"
        )
        self.column = Choice()
        self.column.setObjectName("plot_column")
        self.column.setAccessibleName("Column")
        self.column.setToolTip("Column of the table to show as a distribution")
        self.fit_label = note(name="fit_label")
        self.plot = _plot()
        self.plot.setMinimumHeight(60)
        self.plot.scene().sigMouseClicked.connect(self._on_click)
        self.shown: list[Curve] = []
        self._now: Any = None
        self._paper: Any = None
        export = button("Export…", "Save the plot as PNG or CSV", self.ask, name="export_plot")
        beside = QVBoxLayout()
        beside.setSpacing(2)
        beside.addWidget(self.kind)
        for control in (self.of, self.column, export):
            beside.addWidget(control)
        beside.addWidget(self.fit_label, 1)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(4, 2, 4, 2)
        layout.addLayout(beside, 1)
        layout.addWidget(self.plot, 4)
        for choice in (self.kind, self.of, self.column):
            choice.currentIndexChanged.connect(lambda _index: self.draw())

    def draw(self) -> None:
        """Draw what the model has chosen."""
        self._draw_on(self.plot, self._looks())

    def _draw_on(self, plot: Any, looks: ThemeColours) -> None:
        dress(plot, looks)
        kind, item = self.kind.value, plot.getPlotItem()
        item.clear()
        self._now, self.shown = None, []
        self.fit_label.setText("")
        item.setLogMode(kind == "msd", kind == "msd")
        self.column.setVisible(kind == "distribution")
        self.of.setVisible(kind != "distribution")
        if kind == "distribution":
            self._draw_distribution(item)
        elif kind == "msd":
            self._draw_displacement(item)
        else:
            self._draw_over_time(item, kind, looks)
        if not self.shown:
            self.fit_label.setText(self._why_empty(kind))
        item.enableAutoRange()

    def go(self, frame: int | None) -> None:
        """Move the line of the current frame."""
        if self._now is not None and frame is not None:
            self._now.setValue(frame * self.model.scale.per_frame)

    def chosen(self) -> list[int]:
        """Return the tracks that are plotted."""
        if self.of.value == "all":
            return self.model.tracks.track_ids
        tracks = list(self.model.selection.tracks)
        return tracks if self.of.value == "some" else tracks[:1]

    def ask(self) -> None:
        """Ask for a file, and save the plot there."""
        filters = "PNG (*.png);;CSV (*.csv)"
        path, _ = QFileDialog.getSaveFileName(self, "Export plot", "plot.png", filters)
        if path:
            try:
                self.save(Path(path))
            except (VirtualStainError, OSError) as error:
                self.fit_label.setText(str(error))
                return
            self.fit_label.setText(f"Saved {Path(path).name}.")

    def save(self, path: Path) -> None:
        """Write the plot as a picture, or its points as a table.

        Raises
        ------
        InputError
            The ending of the name is another.
        OutputError
            The file cannot be written.
        """
        from ....io import atomic_path, write_table

        ending = path.suffix.lower()
        if ending == ".csv":
            write_table(path, self.points(), overwrite=True)
        elif ending == ".png":
            content = _as_png(self._on_paper())
            with atomic_path(path, overwrite=True) as unfinished:
                unfinished.write_bytes(content)
        else:
            raise InputError(f"A plot cannot be written as {path.name}: expected .png or .csv.")
        self.draw()

    def _on_paper(self) -> Any:
        """Return the plot in black on white, in a shape for a page: on the screen it is flat."""
        self._paper = _plot()  # kept while it is written
        self._paper.resize(*_PAPER_PX)
        self._draw_on(self._paper, _ON_PAPER)
        self._paper.grab()  # lets Qt lay it out although it is not shown
        return self._paper

    def points(self) -> pd.DataFrame:
        """Return all points on show, one a row."""
        parts = [pd.DataFrame({"curve": c.name, "x": c.x, "y": c.y}) for c in self.shown]
        return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()

    def _draw_over_time(self, item: Any, kind: str, looks: ThemeColours) -> None:
        model = self.model
        horizontal, vertical = axis_texts(kind, model.scale)
        item.setLabel("bottom", horizontal)
        item.setLabel("left", vertical)
        ids = self.chosen()
        for track_id in ids[:: max(1, len(ids) // _MOST_CURVES)]:
            found = curves(model.tracks, track_id, kind, model.scale, model.masks)
            self.shown += [curve for curve in found if len(curve.x)]
        for number, curve in enumerate(self.shown):
            pen = pyqtgraph.mkPen(COLOURS[number % len(COLOURS)], width=2)
            symbol = "o" if len(self.shown) < 4 and len(curve.x) < 200 else None
            item.plot(
                curve.x, curve.y, pen=pen, symbol=symbol, symbolSize=5, symbolBrush=pen.color()
            )
        if 1 < len(self.shown) <= len(COLOURS):
            self._name_curves(item)
        if len(ids) == 1:
            self._draw_events(item, ids[0])
        if self.shown:
            pen = pyqtgraph.mkPen(QColor(looks.text), style=Qt.PenStyle.DotLine)
            self._now = pyqtgraph.InfiniteLine(angle=90, pen=pen)
            item.addItem(self._now, ignoreBounds=True)
            self.go(model.selection.frame)

    def _name_curves(self, item: Any) -> None:
        """Write the name of each curve at its end."""
        for curve, colour in zip(self.shown, COLOURS, strict=False):
            name = pyqtgraph.TextItem(curve.name, color=colour, anchor=(1, 1))
            name.setPos(float(curve.x[-1]), float(curve.y[-1]))
            item.addItem(name)

    def _draw_events(self, item: Any, track_id: int) -> None:
        for frame, kind in event_frames(self.model.tracks, track_id):
            line = pyqtgraph.InfiniteLine(
                frame * self.model.scale.per_frame,
                angle=90,
                pen=pyqtgraph.mkPen(MARKS[kind][1], width=2),
                label=kind,
                labelOpts={"position": 0.9, "color": MARKS[kind][1]},
            )
            item.addItem(line)

    def _draw_displacement(self, item: Any) -> None:
        model, ids = self.model, self.chosen()
        horizontal, vertical = axis_texts("msd", model.scale)
        item.setLabel("bottom", horizontal)
        item.setLabel("left", vertical)
        table = displacement(model.tracks, ids, model.scale)
        if not len(table):
            return
        lag, msd = table["lag"].to_numpy(), table["msd"].to_numpy()
        self.shown = [Curve(lag, msd, None, "MSD")]
        item.plot(lag, msd, pen=None, symbol="o", symbolSize=7, symbolBrush=COLOURS[0])
        if (fit := fit_diffusion(table)) is not None:
            item.plot(lag, fit.values(lag), pen=pyqtgraph.mkPen(COLOURS[1], width=2))
            self.shown.append(Curve(lag, fit.values(lag), None, "fit"))
            self.fit_label.setText(fit.text(model.scale))

    def _draw_distribution(self, item: Any) -> None:
        table = self.model.table
        self._offer_columns(table)
        column = self.column.value
        item.setLabel("left", "tracks")
        if column is None or column not in table:
            return
        item.setLabel("bottom", heading(str(column)))
        values = table[column].to_numpy(float)
        finite = values[np.isfinite(values)]
        if not len(finite):
            return
        counts, edges = np.histogram(finite, bins=_BINS)
        middle = (edges[1:] + edges[:-1]) / 2
        bars = pyqtgraph.BarGraphItem(
            x=middle, height=counts, width=edges[1] - edges[0], brush=COLOURS[1], pen=None
        )
        item.addItem(bars)
        self.shown = [Curve(middle, counts.astype(float), None, str(column))]
        for track_id in self.model.selection.tracks:
            row = self.model.row_of(track_id)
            if row is not None and np.isfinite(values[row]):
                pen = pyqtgraph.mkPen(COLOURS[0], width=3)
                options = {"position": 0.9, "color": COLOURS[0]}
                line = pyqtgraph.InfiniteLine(
                    values[row], angle=90, pen=pen, label=str(track_id), labelOpts=options
                )
                item.addItem(line)
                self.shown.append(Curve(values[row : row + 1], np.zeros(1), None, str(track_id)))

    def _offer_columns(self, table: pd.DataFrame) -> None:
        names = [
            str(n) for n in table.columns if n not in _SKIPPED and table[n].dtype.kind in "fiu"
        ]
        if names != [self.column.itemData(i) for i in range(self.column.count())]:
            before = self.column.value
            blocked = self.column.blockSignals(True)
            self.column.clear()
            for name in names:
                self.column.addItem(heading(name), name)
            if before in names:
                self.column.value = before
            self.column.blockSignals(blocked)

    def _on_click(self, event: Any) -> None:
        """Go to the frame under the mouse, or choose the nearest track of the distribution."""
        box = self.plot.getPlotItem().getViewBox()
        x = float(box.mapSceneToView(event.scenePos()).x())
        kind = self.kind.value
        if kind == "distribution" and self.column.value in self.model.table:
            values = self.model.table[self.column.value].to_numpy(float)
            if np.isfinite(values).any():
                row = int(np.nanargmin(np.abs(values - x)))
                self.track_chosen.emit(int(self.model.table["track_id"].iloc[row]))
        elif self.shown:
            near = min(self.shown, key=lambda curve: np.min(np.abs(curve.x - x)))
            if near.frames is not None:
                self.frame_chosen.emit(int(near.frames[int(np.argmin(np.abs(near.x - x)))]))

    def _why_empty(self, kind: str) -> str:
        if kind == "distribution":
            return "No track has a number in this column."
        if not self.model.selection.tracks and self.of.value != "all":
            return "Choose a mitochondrion first."
        if kind in ("msd", "speed"):
            return "The track is too short."
        return f"These tracks hold no {QUANTITIES[kind]}: track with an intensity layer, or masks."


def _as_png(paper: Any) -> bytes:
    """Return a plot as the content of a PNG file."""
    import pyqtgraph.exporters as exporters

    exporter = exporters.ImageExporter(paper.getPlotItem())
    exporter.parameters()["width"] = 2 * _PAPER_PX[0]
    buffer = QBuffer()
    exporter.export(toBytes=True).save(buffer, "PNG")
    return bytes(buffer.data())
