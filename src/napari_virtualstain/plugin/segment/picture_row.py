"""A few pictures side by side with captions, each on its own grey scale."""

from __future__ import annotations

from typing import Any

import numpy as np
from qtpy.QtCore import QRect, Qt
from qtpy.QtGui import QImage, QPainter
from qtpy.QtWidgets import QSizePolicy, QWidget

_CAPTION = 14


class PictureRow(QWidget):
    """Pictures in a row that fits the width."""

    def __init__(self) -> None:
        super().__init__()
        self.setMinimumHeight(70)
        self.setMaximumHeight(90)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Pictures")
        self._pictures: list[np.ndarray] = []
        self._captions: list[str] = []

    @property
    def pictures(self) -> list[np.ndarray]:
        """The pictures on show, grey values of 0 to 255."""
        return self._pictures

    def show_pictures(self, pictures: list[np.ndarray], captions: list[str]) -> None:
        """Show pictures, each on its own scale."""
        self._pictures = [to_grey(picture) for picture in pictures]
        self._captions = captions
        self.update()

    def paintEvent(self, _event: Any) -> None:
        """Draw the pictures with their captions below."""
        painter = QPainter(self)
        kind = QImage.Format.Format_Grayscale8
        count = max(1, len(self._pictures))
        side = max(12, min(self.height() - _CAPTION - 2, self.width() // count - 3))
        painter.setPen(self.palette().text().color())
        for place, picture in enumerate(self._pictures):
            box = QRect(1 + place * (side + 3), 1, side, side)
            rows, columns = picture.shape
            painter.drawImage(box, QImage(picture.tobytes(), columns, rows, columns, kind))
            below = QRect(box.left(), box.bottom(), side, _CAPTION)
            painter.drawText(below, Qt.AlignmentFlag.AlignCenter, self._captions[place])
        painter.end()


def to_grey(picture: np.ndarray) -> np.ndarray:
    """Return a picture as uint8 between its 1st and its 99.8th percentile.

    Examples
    --------
    >>> to_grey(np.array([[0.0, 1.0]])).tolist()
    [[0, 255]]
    """
    values = picture.astype(float)
    finite = values[np.isfinite(values)]
    low, high = np.percentile(finite, [1, 99.8]) if finite.size else (0.0, 1.0)
    unit = np.clip((values - low) / max(high - low, 1e-12), 0, 1)
    return np.asarray(np.nan_to_num(unit * 255), np.uint8)
