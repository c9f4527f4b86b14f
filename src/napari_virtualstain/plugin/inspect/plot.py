"""One mitochondrion through time as a curve: speed, area, brightness, spread."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from qtpy.QtCore import QPointF, QRectF, Qt, Signal
from qtpy.QtGui import QPainter, QPen, QPolygonF
from qtpy.QtWidgets import QSizePolicy, QWidget

from ..train.curve import scaled

PLOTS = {
    "speed": "speed (µm/s)",
    "area": "area (µm²)",
    "intensity": "mean intensity",
    "spread": "mean squared displacement (µm²)",
}
_LEFT, _TOP, _BOTTOM = 54, 16, 16


@dataclass(frozen=True, slots=True)
class Series:
    """Points of a curve.

    Attributes
    ----------
    x, y : ndarray
        Frames, or lags in seconds, and values.
    over : {"frame", "lag (s)"}
        What `x` is.
    """

    x: np.ndarray
    y: np.ndarray
    over: str = "frame"


def track_series(
    rows: pd.DataFrame, kind: str, *, pixel_size_um: float, frame_interval_s: float
) -> Series | None:
    """Return one curve of a track, or None where the tracks do not hold it.

    Parameters
    ----------
    rows : DataFrame
        The track's rows, sorted by frame.
    kind : str
        Key of :data:`PLOTS`.
    pixel_size_um, frame_interval_s : float
        Sampling.

    Examples
    --------
    >>> rows = pd.DataFrame({"track_id": 1, "frame": [0, 2], "y_px": 0.0, "x_px": [0.0, 10.0]})
    >>> track_series(rows, "speed", pixel_size_um=0.1, frame_interval_s=1.0).y.tolist()
    [0.5]
    """
    frames = rows["frame"].to_numpy(float)
    if kind == "speed":
        step_um = np.hypot(np.diff(rows["y_px"]), np.diff(rows["x_px"])) * pixel_size_um
        return Series(frames[1:], step_um / (np.diff(frames) * frame_interval_s))
    if kind == "spread":
        from ...tracking import Tracks, mean_squared_displacement

        table = rows[["track_id", "frame"]].assign(
            y_um=rows["y_px"] * pixel_size_um, x_um=rows["x_px"] * pixel_size_um
        )
        tracks = Tracks.from_table(table, frame_interval_s=frame_interval_s)
        lags = max(1, len(rows) // 4)
        spread = mean_squared_displacement(tracks, largest_lag=lags)
        return Series(spread["lag_s"].to_numpy(), spread["msd_um2"].to_numpy(), "lag (s)")
    column = {"area": "area_um2", "intensity": "intensity"}[kind]
    if column not in rows or not np.isfinite(rows[column].to_numpy(float)).any():
        return None
    return Series(frames, rows[column].to_numpy(float))


class TrackPlot(QWidget):
    """A curve with its scales and the current frame; a click goes to a frame."""

    frame_chosen = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self.setFixedHeight(96)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Curve of the track")
        self.setToolTip("The chosen track through time; a click goes to the frame")
        self.series: Series | None = None
        self._frame: int | None = None
        self._title = ""

    def show_series(self, series: Series | None, title: str, frame: int | None) -> None:
        """Draw a curve, or say with `title` why there is none."""
        self.series, self._title, self._frame = series, title, frame
        self.update()

    def paintEvent(self, _event: Any) -> None:
        """Draw scales, curve and the line of the current frame."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        text, box = self.palette().text().color(), self._box()
        painter.setPen(text)
        painter.drawText(QRectF(_LEFT, 0, box.width(), _TOP), 0, self._title)
        series = self.series
        if series is not None and np.isfinite(series.y).any():
            self._draw_scales(painter, series, box)
            points = scaled(list(zip(series.x, series.y, strict=True)), *_size(box))
            places = [QPointF(box.left() + x, box.top() + y) for x, y in points]
            painter.setPen(QPen(self.palette().highlight().color(), 2))
            painter.drawPolyline(QPolygonF(places))
            painter.setBrush(self.palette().highlight())
            for place in places if len(places) < 60 else ():
                painter.drawEllipse(place, 2, 2)
            if series.over == "frame" and self._frame is not None:
                self._draw_now(painter, series, box)
        painter.end()

    def mousePressEvent(self, event: Any) -> None:
        """Announce the frame under the mouse."""
        series = self.series
        if series is not None and series.over == "frame" and len(series.x):
            share = (event.position().x() - _LEFT) / max(1.0, self._box().width())
            wanted = series.x[0] + share * (series.x[-1] - series.x[0])
            self.frame_chosen.emit(int(series.x[np.argmin(np.abs(series.x - wanted))]))

    def _box(self) -> QRectF:
        return QRectF(
            _LEFT, _TOP + 2, max(10, self.width() - _LEFT - 8), self.height() - _TOP - _BOTTOM - 4
        )

    def _draw_scales(self, painter: QPainter, series: Series, box: QRectF) -> None:
        right = Qt.AlignmentFlag.AlignRight
        low, high = np.nanmin(series.y), np.nanmax(series.y)
        painter.drawText(QRectF(0, box.top() - 6, _LEFT - 4, 14), right, f"{high:.3g}")
        painter.drawText(QRectF(0, box.bottom() - 8, _LEFT - 4, 14), right, f"{low:.3g}")
        below = QRectF(box.left(), box.bottom() + 2, box.width(), 14)
        painter.drawText(below, 0, f"{series.over} {series.x[0]:.4g}")
        painter.drawText(below, right, f"{series.x[-1]:.4g}")
        painter.setPen(self.palette().mid().color())
        painter.drawLine(box.bottomLeft(), box.bottomRight())
        painter.drawLine(box.topLeft(), box.bottomLeft())

    def _draw_now(self, painter: QPainter, series: Series, box: QRectF) -> None:
        span = max(1.0, series.x[-1] - series.x[0])
        share = (float(self._frame or 0) - series.x[0]) / span
        if 0 <= share <= 1:
            x = box.left() + share * box.width()
            painter.setPen(QPen(self.palette().text().color(), 1, Qt.PenStyle.DotLine))
            painter.drawLine(QPointF(x, box.top()), QPointF(x, box.bottom()))


def _size(box: QRectF) -> tuple[int, int]:
    return int(box.width()), int(box.height())
