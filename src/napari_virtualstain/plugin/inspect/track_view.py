"""What the track inspector shows of the chosen track: film strip and curve."""

from __future__ import annotations

from typing import Any

import pandas as pd
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget

from ..kit.controls import Choice, add_row, new_form
from .film import FilmStrip
from .plot import PLOTS, TrackPlot, track_series


class TrackView(QWidget):
    """One track as pictures and as a curve; a click on either goes to its frame."""

    frame_chosen = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self.film, self.plot = FilmStrip(), TrackPlot()
        self.kind = Choice([(text, kind) for kind, text in PLOTS.items()])
        self._rows = pd.DataFrame()
        self._scale: dict[str, float] = {}
        self._frame: int | None = None
        form = new_form()
        add_row(form, "Curve", self.kind, "What is drawn of the chosen track", name="curve")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.film)
        layout.addLayout(form)
        layout.addWidget(self.plot)
        self.film.frame_chosen.connect(self.frame_chosen)
        self.plot.frame_chosen.connect(self.frame_chosen)
        self.kind.currentIndexChanged.connect(lambda _index: self._draw())

    def clear(self) -> None:
        """Show no track."""
        self._rows = pd.DataFrame()
        self.film.clear()
        self._draw()

    def show_track(
        self, rows: pd.DataFrame, movie: Any, frame: int | None, scale: dict[str, float]
    ) -> None:
        """Show a track.

        Parameters
        ----------
        rows : DataFrame
            Of the track, sorted by frame.
        movie : array (T, Y, X) or None
            Where the pictures are cut from.
        frame : int or None
            The current one.
        scale : dict
            ``pixel_size_um`` and ``frame_interval_s``.
        """
        self._rows, self._frame, self._scale = rows, frame, scale
        inside = rows[rows["frame"].between(0, len(movie) - 1)] if movie is not None else rows[:0]
        if len(inside):
            self.film.show_track(movie, inside, frame)
        else:
            self.film.clear()
        self._draw()

    def _draw(self) -> None:
        kind = self.kind.value
        if self._rows.empty:
            self.plot.show_series(None, "", None)
            return
        series = track_series(self._rows, kind, **self._scale)
        title = f"track {int(self._rows['track_id'].iloc[0])}: {PLOTS[kind]}"
        if series is None:
            title = f"These tracks hold no {kind}: track with an intensity layer"
        self.plot.show_series(series, title, self._frame)
