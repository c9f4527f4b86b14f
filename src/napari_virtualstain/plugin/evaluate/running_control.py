"""Scores over time, and the frame from which the model no longer fits the movie."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyqtgraph
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QVBoxLayout, QWidget

from ..kit.controls import note
from ..train.plot import SCORES, follow_theme

_FEWEST = 4
_LEAST_DROP = 0.05


@dataclass(frozen=True, slots=True)
class Staleness:
    """Frame from which a model fits worse.

    Attributes
    ----------
    index : int
        First scored frame from which on it does.
    before, after : float
        Mean band-pass Pearson before and from there on.
    """

    index: int
    before: float
    after: float


def find_staleness(scores: np.ndarray) -> Staleness | None:
    """Return the frame from which scores stay clearly lower than at the beginning, or None.

    The split that leaves the least scatter on both sides counts, if the drop is larger than
    0.05 and than three standard errors.

    Examples
    --------
    >>> find_staleness(np.array([0.5, 0.52, 0.49, 0.5, 0.3, 0.31, 0.29])).index
    4
    >>> find_staleness(np.array([0.5, 0.52, 0.49, 0.5, 0.51, 0.5])) is None
    True
    """
    values = np.nan_to_num(np.asarray(scores, float))
    if len(values) < _FEWEST:
        return None
    places = range(2, len(values) - 1)
    place = min(places, key=lambda k: values[:k].var() * k + values[k:].var() * (len(values) - k))
    before, after = values[:place], values[place:]
    drop = float(before.mean() - after.mean())
    error = float(np.sqrt(before.var(ddof=1) / len(before) + after.var() / len(after)))
    if drop < max(_LEAST_DROP, 3 * error):
        return None
    return Staleness(place, float(before.mean()), float(after.mean()))


class RunningControl(QWidget):
    """The curve of the scores, with a mark where the model went stale."""

    def __init__(self) -> None:
        super().__init__()
        self.plot = pyqtgraph.PlotWidget()
        self.plot.setFixedHeight(190)
        self.plot.setLabel("left", "correlation")
        self.plot.showGrid(x=True, y=True, alpha=0.2)
        self.plot.setMouseEnabled(x=False, y=False)
        self.plot.setMenuEnabled(False)
        self.plot.hideButtons()
        self.plot.setToolTip("Scores of the frames that have true fluorescence, over time")
        self.plot.wheelEvent = lambda event: event.ignore()
        self.legend = note(name="control_legend")
        self.legend.setTextFormat(Qt.TextFormat.RichText)  # of words that are ours alone
        keys = [f'<span style="color:{colour}">━</span> {text}' for text, colour in SCORES.values()]
        self.legend.setText("\u00a0 ".join(keys))
        self.sentence = note(name="control")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.legend)
        layout.addWidget(self.plot)
        layout.addWidget(self.sentence)
        self.curves: dict[str, Any] = {}
        self.mark: Any = None
        self.setVisible(False)

    def show_scores(self, table: pd.DataFrame, times: np.ndarray, unit: str) -> None:
        """Draw scores.

        Parameters
        ----------
        table : DataFrame
            A row a scored frame.
        times : ndarray
            Of each row.
        unit : str
            Of the times.
        """
        self.plot.clear()
        self.plot.setLabel("bottom", f"time ({unit})" if unit != "frame" else "frame")
        self.curves, self.mark = {}, None
        for name, (_, colour) in SCORES.items():
            if name in table:
                self.curves[name] = self.plot.plot(
                    np.asarray(times, float),
                    table[name].to_numpy(float),
                    pen=pyqtgraph.mkPen(colour, width=2),
                    symbol="o",
                    symbolSize=5,
                    symbolBrush=colour,
                    symbolPen=None,
                )
        found = find_staleness(table["bandpass_pearson"].to_numpy(float))
        if found is None:
            self.sentence.setText(
                "The model fits as well at the end as at the beginning."
                if len(table) >= _FEWEST
                else f"At least {_FEWEST} frames with true fluorescence show whether it goes stale."
            )
        else:
            at = float(times[found.index])
            self.mark = pyqtgraph.InfiniteLine(
                at, angle=90, pen=pyqtgraph.mkPen("#e63946", width=2), label="stale"
            )
            self.plot.addItem(self.mark)
            self.sentence.setText(
                f"The model went stale at {unit} {at:g}: band-pass Pearson {found.before:.2f} "
                f"before, {found.after:.2f} from there on. Check the focus, or train on new pairs."
            )
        self.setVisible(len(table) > 1)

    def showEvent(self, event: Any) -> None:
        """Follow the theme of the window."""
        super().showEvent(event)
        follow_theme(self.plot, self)

    def changeEvent(self, event: Any) -> None:
        """Follow the theme of the window."""
        super().changeEvent(event)
        if hasattr(self, "plot"):
            follow_theme(self.plot, self)
