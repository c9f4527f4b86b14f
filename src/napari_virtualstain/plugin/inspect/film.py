"""The film strip of one mitochondrion: itself in the middle of each frame."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from qtpy.QtCore import QRect, Qt, Signal
from qtpy.QtGui import QImage, QPainter, QPen
from qtpy.QtWidgets import QSizePolicy, QWidget

from ...normalisation import spread_evenly

_PICTURES = 9


def pick_frames(rows: pd.DataFrame, count: int, frame: int | None) -> pd.DataFrame:
    """Return `count` rows of a track, evenly spread, with the one at `frame` among them.

    Examples
    --------
    >>> rows = pd.DataFrame({"frame": range(10)})
    >>> pick_frames(rows, 3, 4)["frame"].tolist()
    [0, 4, 9]
    """
    places = np.array(spread_evenly(count, len(rows)), int)
    if frame is not None and len(rows):
        wanted = int(np.argmin(np.abs(rows["frame"].to_numpy() - frame)))
        places[int(np.argmin(np.abs(places - wanted)))] = wanted
    return rows.iloc[np.unique(places)]


def cut_out(plane: np.ndarray, y: float, x: float, half: int) -> np.ndarray:
    """Return the square of 2 `half` + 1 pixels around (y, x), zero beyond the border."""
    side = 2 * half + 1
    top, left = round(y) - half, round(x) - half
    result = np.zeros((side, side), plane.dtype)
    rows = slice(max(0, top), min(plane.shape[0], top + side))
    columns = slice(max(0, left), min(plane.shape[1], left + side))
    if rows.stop > rows.start and columns.stop > columns.start:
        inside = (
            slice(rows.start - top, rows.stop - top),
            slice(columns.start - left, columns.stop - left),
        )
        result[inside] = plane[rows, columns]
    return result


def to_grey(pictures: list[np.ndarray]) -> list[np.ndarray]:
    """Return pictures as uint8 on one common scale."""
    values = np.concatenate([picture.ravel() for picture in pictures]).astype(float)
    low, high = np.percentile(values[np.isfinite(values)], [1, 99.8]) if values.size else (0, 1)
    span = max(high - low, 1e-12)
    return [
        np.nan_to_num(np.clip((picture.astype(float) - low) / span, 0, 1) * 255).astype(np.uint8)
        for picture in pictures
    ]


class FilmStrip(QWidget):
    """Pictures of one track; a click goes to its frame."""

    frame_chosen = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self.setMinimumHeight(70)
        self.setMaximumHeight(90)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setToolTip("The mitochondrion through time; a click goes to the frame")
        self.setAccessibleName("Film strip")
        self._pictures: list[np.ndarray] = []
        self._frames: list[int] = []
        self._captions: list[str] = []
        self._current: int | None = None

    @property
    def pictures(self) -> list[np.ndarray]:
        """The pictures on show, grey values of 0 to 255."""
        return self._pictures

    def clear(self) -> None:
        """Show nothing."""
        self._pictures, self._frames, self._captions = [], [], []
        self.update()

    def show_pictures(self, pictures: list[np.ndarray], captions: list[str]) -> None:
        """Show pictures that are no frames of a track, each on its own scale."""
        self._pictures = [to_grey([picture])[0] for picture in pictures]
        self._frames, self._current = list(range(len(pictures))), None
        self._captions = captions
        self.update()

    def show_track(self, movie: Any, rows: pd.DataFrame, frame: int | None, half: int = 16) -> None:
        """Show a track.

        Parameters
        ----------
        movie : array (T, Y, X)
            Numpy or lazy; only the frames on show are read.
        rows : DataFrame
            The track's rows with ``frame y_px x_px``.
        frame : int or None
            The current frame.
        half : int
            Half the width of a picture, pixels.
        """
        shown = pick_frames(rows, _PICTURES, frame)
        pictures = [
            cut_out(np.asarray(movie[int(t)]), float(y), float(x), half)
            for t, y, x in shown[["frame", "y_px", "x_px"]].to_numpy(float)
        ]
        self._pictures = to_grey(pictures) if pictures else []
        self._frames, self._current = [int(f) for f in shown["frame"]], frame
        self._captions = [str(f) for f in self._frames]
        self.update()

    def paintEvent(self, _event: Any) -> None:
        """Draw the pictures side by side with their frame numbers."""
        painter = QPainter(self)
        for place, (picture, frame) in enumerate(zip(self._pictures, self._frames, strict=True)):
            box = self._box(place)
            rows, columns = picture.shape
            image = QImage(
                picture.tobytes(), columns, rows, columns, QImage.Format.Format_Grayscale8
            )
            painter.drawImage(box, image)
            chosen = frame == self._current
            role = self.palette().highlight() if chosen else self.palette().mid()
            painter.setPen(QPen(role.color(), 2 if chosen else 1))
            painter.drawRect(box)
            painter.setPen(self.palette().text().color())
            text = QRect(box.left(), box.bottom(), box.width(), 14)
            painter.drawText(text, Qt.AlignmentFlag.AlignCenter, self._captions[place])
        painter.end()

    def mousePressEvent(self, event: Any) -> None:
        """Announce the frame under the mouse."""
        for place, frame in enumerate(self._frames):
            if self._box(place).contains(event.position().toPoint()):
                self.frame_chosen.emit(frame)
                return

    def _box(self, place: int) -> QRect:
        side = max(12, min(self.height() - 16, self.width() // max(1, len(self._frames)) - 3))
        return QRect(1 + place * (side + 3), 1, side, side)
