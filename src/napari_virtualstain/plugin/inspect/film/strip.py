"""The film strip: all frames of a mitochondrion's life, scrolled; a click goes to a frame."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QPoint, QRect, QRectF, Qt, Signal
from qtpy.QtGui import QPainter, QPen
from qtpy.QtWidgets import QAbstractScrollArea, QSizePolicy, QToolTip

from ..summary_rows import Scale
from .cells import Film
from .drawing import CAPTION, GAP, MARKS, FilmStyle, draw_cell, draw_name, draw_scale_bar, height_of

_NAMES = 74
_LEAST, _LARGEST = 32, 260
_READABLE = 56  # smaller pictures are scrolled to instead


class FilmStrip(QAbstractScrollArea):
    """Pictures of one track through time, one column a frame, one row an image layer."""

    frame_chosen = Signal(int)
    frame_entered = Signal(int)
    wanted = Signal(object)  # pictures that must be read first

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName("Film strip")
        self.setMinimumHeight(60)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Expanding)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.viewport().setMouseTracking(True)
        self.film: Film | None = None
        self.scale = Scale(None, None)
        self.frame: int | None = None
        self.outlines = True
        self.side: int | None = None  # None: as the height allows
        self._places: range = range(0)

    def show_film(self, film: Film | None, scale: Scale, frame: int | None) -> None:
        """Show a film; the current frame comes into view."""
        other = film is None or self.film is None or film.track_id != self.film.track_id
        self.film, self.scale = film, scale
        self._follow()
        if other:
            self.horizontalScrollBar().setValue(0)
        self.go(frame)

    def go(self, frame: int | None) -> None:
        """Mark a frame as the current one, and scroll to it where it is out of view."""
        self.frame = frame
        place = self.film.place_of(frame) if self.film is not None else None
        if place is not None:
            bar, left = self.horizontalScrollBar(), place * (self._side() + GAP)
            room = self.viewport().width() - _NAMES - self._side()
            if left < bar.value() or left > bar.value() + room:
                bar.setValue(int(left - room / 2))
        self.viewport().update()

    def place_at(self, point: QPoint) -> int | None:
        """Return which frame of the film is under a point of the viewport."""
        if self.film is None or point.x() < _NAMES:
            return None
        place = int(
            (point.x() - _NAMES + self.horizontalScrollBar().value()) // (self._side() + GAP)
        )
        return place if place < len(self.film) else None

    def box_of(self, place: int, source: int = 0) -> QRect:
        """Return where a picture is drawn in the viewport."""
        side = self._side()
        left = _NAMES + place * (side + GAP) - self.horizontalScrollBar().value()
        return QRect(left, self._top() + CAPTION + source * (side + GAP), side, side)

    def paintEvent(self, _event: Any) -> None:
        """Draw the frames in view."""
        painter = QPainter(self.viewport())
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if self.film is None or not len(self.film):
            self._say(painter, "Choose a mitochondrion: in the table, or by a click on it.")
        elif not self.film.sources and not self.film.has_masks:
            self._say(painter, "No image or mask of these tracks is open. Open their movie.")
        else:
            self._draw(painter, self.film)
        painter.end()

    def _say(self, painter: QPainter, text: str) -> None:
        painter.setPen(self.palette().text().color())
        painter.drawText(self.viewport().rect(), Qt.AlignmentFlag.AlignCenter, text)

    def _draw(self, painter: QPainter, film: Film) -> None:
        side, top = self._side(), self._top()
        style = FilmStyle(
            side, self.palette().text().color(), self.palette().highlight().color(), self.outlines
        )
        self._places = self._in_view()
        painter.setClipRect(QRect(_NAMES, 0, self.viewport().width(), self.viewport().height()))
        for place in self._places:
            box = self.box_of(place)
            draw_cell(painter, film, place, box.left(), top, style, self.scale)
            if film.frames[place] == self.frame:
                painter.setPen(QPen(style.mark, 3))
                painter.setBrush(Qt.BrushStyle.NoBrush)
                whole = box.united(self.box_of(place, max(1, len(film.sources)) - 1))
                painter.drawRect(whole.adjusted(-2, -2, 1, 1))
        if len(self._places):
            lefts = [self.box_of(place).left() for place in self._places[:2]]
            whole = next((left for left in lefts if left >= _NAMES), lefts[0])
            draw_scale_bar(painter, film, whole, top, style, self.scale)
        painter.setClipping(False)
        painter.setPen(style.text)
        for number, source in enumerate(film.sources):
            box = self.box_of(0, number)
            where = QRectF(2, box.top(), _NAMES - 6, side)
            draw_name(painter, where, source.name)
        if missing := film.missing(self._places):
            self.wanted.emit(missing)

    def mousePressEvent(self, event: Any) -> None:
        """Go to the frame under the mouse."""
        self._choose(event, self.frame_chosen)

    def mouseDoubleClickEvent(self, event: Any) -> None:
        """Go to the frame under the mouse, and centre the mitochondrion."""
        self._choose(event, self.frame_entered)

    def mouseMoveEvent(self, event: Any) -> None:
        """Say what the marks of the frame under the mouse mean."""
        place = self.place_at(event.position().toPoint())
        if self.film is not None and place is not None:
            marks = [MARKS[mark][2] for mark in self.film.cell(place).marks]
            text = f"frame {self.film.frames[place]}" + "".join(f"\n{mark}" for mark in marks)
            QToolTip.showText(event.globalPosition().toPoint(), text, self)

    def keyPressEvent(self, event: Any) -> None:
        """Step through the life with the arrow keys."""
        step = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}.get(event.key())
        if step is None or self.film is None:
            super().keyPressEvent(event)
            return
        place = self.film.place_of(self.frame)
        place = 0 if place is None else min(max(place + step, 0), len(self.film) - 1)
        self.frame_chosen.emit(self.film.frames[place])

    def wheelEvent(self, event: Any) -> None:
        """Scroll through time; with Ctrl: larger or smaller pictures."""
        delta = event.angleDelta().y() or event.angleDelta().x()
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self.resize_pictures(1.15 if delta > 0 else 1 / 1.15)
        else:
            bar = self.horizontalScrollBar()
            bar.setValue(bar.value() - delta)

    def resize_pictures(self, factor: float) -> None:
        """Show larger or smaller pictures."""
        self.side = round(min(max(self._side() * factor, _LEAST), _LARGEST))
        self._follow()

    def resizeEvent(self, _event: Any) -> None:
        """Fit the pictures into the new height."""
        self._follow()

    def scrollContentsBy(self, _x: int, _y: int) -> None:
        """Draw what came into view."""
        self.viewport().update()

    def _choose(self, event: Any, signal: Any) -> None:
        place = self.place_at(event.position().toPoint())
        if self.film is not None and place is not None:
            signal.emit(self.film.frames[place])

    def _side(self) -> int:
        if self.side is not None:
            return self.side
        rows = max(1, len(self.film.sources)) if self.film is not None else 1
        room = (self.viewport().height() - 2 * CAPTION) // rows - GAP
        return int(min(max(room, _READABLE), _LARGEST))

    def _top(self) -> int:
        return -int(self.verticalScrollBar().value())

    def _in_view(self) -> range:
        step, count = self._side() + GAP, len(self.film) if self.film is not None else 0
        first = self.horizontalScrollBar().value() // step
        shown = (self.viewport().width() - _NAMES) // step + 2
        return range(max(0, first), min(count, first + shown))

    def _follow(self) -> None:
        """Let the scroll bars fit the film."""
        count = len(self.film) if self.film is not None else 0
        step, room = self._side() + GAP, self.viewport().width() - _NAMES
        bar = self.horizontalScrollBar()
        bar.setRange(0, max(0, count * step - room))
        bar.setSingleStep(step)
        bar.setPageStep(max(1, room))
        if self.film is not None:
            below = height_of(self.film, self._side()) - self.viewport().height()
            self.verticalScrollBar().setRange(0, max(0, below))
        self.viewport().update()
