"""Live curves of a training: loss and held-out score over the steps."""

from __future__ import annotations

from typing import Any

import numpy as np
from qtpy.QtCore import QPointF, Qt
from qtpy.QtGui import QPainter, QPen, QPolygonF
from qtpy.QtWidgets import QSizePolicy, QWidget

_MOST_POINTS = 400
_LINE = 18


def scaled(values: list[tuple[float, float]], width: int, height: int) -> np.ndarray:
    """Return points (x, y) in a box of `width` and `height`, y upwards, thinned where many.

    Examples
    --------
    >>> scaled([(0, 1.0), (10, 3.0)], 100, 50).tolist()
    [[0.0, 50.0], [100.0, 0.0]]
    """
    points = np.asarray(values, float)
    points = points[np.isfinite(points).all(axis=1)]
    if not len(points):
        return np.zeros((0, 2))
    points = points[:: max(1, len(points) // _MOST_POINTS)]
    low, high = points.min(axis=0), points.max(axis=0)
    span = np.where(high > low, high - low, 1.0)
    unit = (points - low) / span
    return np.column_stack([unit[:, 0] * width, (1 - unit[:, 1]) * height])


class TrainingCurve(QWidget):
    """Loss as a solid, held-out score as a dashed line, each on its own scale."""

    def __init__(self) -> None:
        super().__init__()
        self.setMinimumHeight(90)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Expanding)
        self.setToolTip("Solid: loss. Dashed: band-pass Pearson of what was held out.")
        self.setAccessibleName("Training curve")
        self.begin()

    def begin(self, title: str = "") -> None:
        """Clear the lines; `title` says which of several trainings begins."""
        self.title = title
        self.losses: list[tuple[float, float]] = []
        self.scores: list[tuple[float, float]] = []
        self.update()

    def add_loss(self, step: int, loss: float) -> None:
        """Add a point of the solid line."""
        self.losses.append((step, loss))
        self.update()

    def add_score(self, step: int, score: float) -> None:
        """Add a point of the dashed line."""
        self.scores.append((step, score))
        self.update()

    def paintEvent(self, _event: Any) -> None:
        """Draw both lines with their last values."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        lines = [self.title] * bool(self.title) + [self._last_values()]
        top = _LINE * len(lines)
        width, height = self.width() - 8, self.height() - top - 6
        painter.translate(4, top)
        role = self.palette()
        for values, pen in (
            (self.losses, QPen(role.text().color(), 1.5)),
            (self.scores, QPen(role.highlight().color(), 2, Qt.PenStyle.DashLine)),
        ):
            painter.setPen(pen)
            points = [QPointF(x, y) for x, y in scaled(values, width, height)] if values else []
            painter.drawPolyline(QPolygonF(points))
        painter.setPen(role.text().color())
        elided = Qt.TextElideMode.ElideRight
        for number, line in enumerate(lines):
            text = self.fontMetrics().elidedText(line, elided, width)
            painter.drawText(0, _LINE * number - top + 13, text)
        painter.end()

    def _last_values(self) -> str:
        loss = f"loss {self.losses[-1][1]:.3g}" if self.losses else "loss"
        return f"{loss}   held-out score {self.scores[-1][1]:.3f}" if self.scores else loss
