"""The curves of a training: held-out correlation above, loss below, with baselines as lines."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyqtgraph
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QSizePolicy, QVBoxLayout, QWidget

from ..kit.controls import note

SCORES = {
    "bandpass_pearson": ("band-pass Pearson", "#ff9f1c"),
    "pearson": ("Pearson", "#00b7eb"),
}
_LOSS_COLOUR = "#9aa0a6"
_DASHES = {"bright-field": Qt.PenStyle.DotLine, "starting model": Qt.PenStyle.DashLine}
_MARKS = {"bright-field": "┈ (dotted)", "starting model": "╌ (dashed)"}
_SMOOTHING = 0.9


class TrainingPlot(QWidget):
    """Held-out scores and loss over the steps, drawn with pyqtgraph.

    Lines across show what costs nothing (dotted) and what the starting model reached (dashed).
    """

    def __init__(self) -> None:
        super().__init__()
        self.scores_plot = _plot("held-out correlation")
        self.loss_plot = _plot("loss")
        self.scores_plot.setFixedHeight(190)
        self.loss_plot.setFixedHeight(120)
        self.loss_plot.setXLink(self.scores_plot)
        self.loss_plot.setLabel("bottom", "step")
        self.legend = note(name="plot_legend")
        self.legend.setTextFormat(Qt.TextFormat.RichText)  # of words that are ours alone
        self._title = note(name="plot_title")
        self.reading = note(name="plot_reading")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self._title)
        layout.addWidget(self.legend)
        layout.addWidget(self.scores_plot, 3)
        layout.addWidget(self.loss_plot, 2)
        layout.addWidget(self.reading)
        self.setAccessibleName("Training curves")
        self.scores_plot.setToolTip(
            "Correlation of the held-out images with the true fluorescence; dotted: the "
            "bright-field image itself, dashed: the model that training started from"
        )
        self.loss_plot.setToolTip("Training loss of each step, and smoothed")
        self.begin()

    def begin(self, title: str = "") -> None:
        """Clear the curves; `title` says which of several trainings begins."""
        self.title = title
        self._title.setText(title)
        self._title.setVisible(bool(title))
        self.losses: list[tuple[float, float]] = []
        self.scores: dict[str, list[tuple[float, float]]] = {name: [] for name in SCORES}
        self.lines: dict[tuple[str, str], float] = {}
        for plot in (self.scores_plot, self.loss_plot):
            plot.clear()
        self._write_legend()
        self._curves = {
            name: self.scores_plot.plot(
                pen=pyqtgraph.mkPen(colour, width=2),
                symbol="o",
                symbolSize=5,
                symbolBrush=colour,
                symbolPen=None,
            )
            for name, (_, colour) in SCORES.items()
        }
        self._loss = self.loss_plot.plot(pen=pyqtgraph.mkPen(_LOSS_COLOUR, width=1))
        self._smooth = self.loss_plot.plot(pen=pyqtgraph.mkPen("#00b7eb", width=2))
        self._write()

    def set_baselines(self, baselines: dict[str, dict[str, float]]) -> None:
        """Draw a line across for each method and score."""
        for method, values in baselines.items():
            self._add_lines(method, values)

    def add_loss(self, step: int, loss: float) -> None:
        """Add a point of the loss."""
        self.losses.append((step, loss))
        steps, values = np.array(self.losses, float).T
        self._loss.setData(steps, values)
        self._smooth.setData(steps, _smoothed(values))
        self._write()

    def add_scores(self, step: int, scores: dict[str, float]) -> None:
        """Add held-out scores; those at step 0 are the starting model's."""
        if step == 0:
            self._add_lines("starting model", scores)
        for name, points in self.scores.items():
            if np.isfinite(scores.get(name, np.nan)):
                points.append((step, scores[name]))
                self._curves[name].setData(*np.array(points, float).T)
        self._write()

    def changeEvent(self, event: Any) -> None:
        """Follow the theme of the window."""
        super().changeEvent(event)
        self._take_colours()

    def showEvent(self, event: Any) -> None:
        """Follow the theme of the window."""
        super().showEvent(event)
        self._take_colours()

    def _take_colours(self) -> None:
        if hasattr(self, "reading"):
            for plot in (self.scores_plot, self.loss_plot):
                follow_theme(plot, self)

    def _add_lines(self, method: str, values: dict[str, float]) -> None:
        for name, (_, colour) in SCORES.items():
            if name in values and (method, name) not in self.lines:
                self.lines[method, name] = values[name]
                style = _DASHES.get(method, Qt.PenStyle.DotLine)
                pen = pyqtgraph.mkPen(colour, width=1, style=style)
                line = pyqtgraph.InfiniteLine(values[name], angle=0, pen=pen)
                self.scores_plot.addItem(line)
        self._write_legend()

    def _write_legend(self) -> None:
        """Write the legend above the plot, where it covers no curve."""
        parts = [
            f'<span style="color:{colour}">━</span> {text}' for text, colour in SCORES.values()
        ]
        methods = dict.fromkeys(method for method, _ in self.lines)
        parts += [f"{_MARKS.get(method, '┄')} {method}" for method in methods]
        self.legend.setText("\u00a0 ".join(parts))

    def _write(self) -> None:
        parts = [f"loss {self.losses[-1][1]:.3g}"] if self.losses else []
        for name, (text, _) in SCORES.items():
            if self.scores[name]:
                now = self.scores[name][-1][1]
                before = self.lines.get(("starting model", name))
                parts.append(
                    f"{text} {now:.3f}" + (f" (start {before:.3f})" if before is not None else "")
                )
        self.reading.setText(", ".join(parts))
        self.reading.setVisible(bool(parts))


def follow_theme(plot: pyqtgraph.PlotWidget, widget: QWidget) -> None:
    """Draw a plot in the colours of the window that `widget` is in."""
    roles = widget.palette()
    text = roles.windowText().color()
    plot.setBackground(roles.window().color())
    for side in ("left", "bottom"):
        axis = plot.getAxis(side)
        axis.setPen(text)
        axis.setTextPen(text)


def _plot(label: str) -> pyqtgraph.PlotWidget:
    plot = pyqtgraph.PlotWidget()
    plot.setLabel("left", label)
    plot.showGrid(x=True, y=True, alpha=0.2)
    plot.setMouseEnabled(x=False, y=False)  # a passing wheel scrolls the form
    plot.setMenuEnabled(False)
    for side in ("left", "bottom"):
        plot.getAxis(side).enableAutoSIPrefix(False)
    plot.hideButtons()
    plot.setLimits(xMin=-0.5)  # a single point at step 0 would stand amid negative steps
    plot.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Expanding)
    plot.wheelEvent = lambda event: event.ignore()
    return plot


def _smoothed(values: np.ndarray) -> np.ndarray:
    """Return an exponential running mean without a start at zero.

    Examples
    --------
    >>> _smoothed(np.array([2.0, 2.0, 2.0])).tolist()
    [2.0, 2.0, 2.0]
    """
    kept, weight, result = 0.0, 0.0, np.empty(len(values))
    for index, value in enumerate(values):
        kept = _SMOOTHING * kept + (1 - _SMOOTHING) * value
        weight = _SMOOTHING * weight + (1 - _SMOOTHING)
        result[index] = kept / weight
    return result
