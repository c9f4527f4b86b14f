"""Drawing the film of a mitochondrion, the same on the screen and in a file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from qtpy.QtCore import QPointF, QRectF, Qt
from qtpy.QtGui import QColor, QFontMetrics, QImage, QPainter, QPen, QPolygonF

from ..overlay import COLOUR, HALO
from ..summary_rows import Scale
from .cells import Film

GAP = 3
CAPTION = 16
_ORANGE, _DARK = QColor.fromRgbF(*COLOUR), QColor.fromRgbF(*HALO)
# told apart by all kinds of colour vision, and by their letters
MARKS = {
    "fission": ("Y", "#56B4E9", "fission"),
    "fusion": ("λ", "#CC79A7", "fusion"),
    "gap": ("…", "#D55E00", "not seen, or a gap"),
    "doubtful": ("?", "#F0E442", "doubtful link"),
}
_LENGTHS_UM = (0.5, 1, 2, 5, 10, 20, 50)
_SMALLEST_WITH_BAR = 56


@dataclass(frozen=True, slots=True)
class FilmStyle:
    """Drawing style of a film strip.

    Attributes
    ----------
    side : int
        Width of a picture on the screen, pixels.
    text, mark : QColor
        Of captions, and of the border of the current frame.
    outline : bool
        Whether the border of the mask is drawn.
    """

    side: int
    text: QColor
    mark: QColor
    outline: bool = True


def time_text(frame: int, scale: Scale) -> str:
    """Return a frame and its time.

    Examples
    --------
    >>> time_text(12, Scale(None, 2.0)), time_text(12, Scale(None, None))
    ('12 · 24 s', '12')
    """
    if scale.frame_interval_s is None:
        return str(frame)
    seconds = frame * scale.frame_interval_s
    text = f"{seconds:.4g} s" if seconds < 600 else f"{seconds / 60:.4g} min"
    return f"{frame} · {text}"


def height_of(film: Film, side: int) -> int:
    """Return the height of a film, captions included."""
    return CAPTION * 2 + max(1, len(film.sources)) * (side + GAP)


def draw_cell(
    painter: QPainter,
    film: Film,
    place: int,
    left: float,
    top: float,
    style: FilmStyle,
    scale: Scale,
) -> None:
    """Draw all pictures of one frame below each other, with marks above and time below."""
    cell, side = film.cell(place), style.side
    _draw_marks(painter, cell.marks, left, top, side)
    for number in range(max(1, len(film.sources))):
        box = QRectF(left, top + CAPTION + number * (side + GAP), side, side)
        picture = film.picture(place, number) if film.sources else None
        if picture is None:
            painter.fillRect(box, _DARK)
        else:
            height, width = picture.shape[:2]
            kind = QImage.Format.Format_RGB888
            painter.drawImage(box, QImage(picture.data, width, height, 3 * width, kind))
        if style.outline:
            _draw_outline(painter, cell.outline, box, 2 * film.half + 1)
        if "gap" in cell.marks:
            painter.setPen(QPen(QColor(MARKS["gap"][1]), 2, Qt.PenStyle.DashLine))
            painter.drawRect(box.adjusted(1, 1, -1, -1))
    painter.setPen(style.text)
    below = top + CAPTION + max(1, len(film.sources)) * (side + GAP) - 2
    text = time_text(cell.frame, scale)
    if QFontMetrics(painter.font()).horizontalAdvance(text) > side:
        text = str(cell.frame)
    painter.drawText(QRectF(left, below, side, CAPTION), Qt.AlignmentFlag.AlignCenter, text)


def draw_scale_bar(
    painter: QPainter, film: Film, left: float, top: float, style: FilmStyle, scale: Scale
) -> None:
    """Draw a scale bar into the lower right corner of the picture at (left, top), if it fits."""
    if style.side < _SMALLEST_WITH_BAR:
        return
    per_px = style.side / (2 * film.half + 1)
    width_um = (2 * film.half + 1) * scale.per_pixel
    fitting = [length for length in _LENGTHS_UM if length <= 0.5 * width_um]
    length = fitting[-1] if fitting else _LENGTHS_UM[0]
    pixels = length / scale.per_pixel * per_px
    right, bottom = left + style.side - 4, top + CAPTION + style.side - 4
    bar = QRectF(right - pixels, bottom - 3, pixels, 3)
    text = f"{length:g} {scale.length_unit}"
    painter.fillRect(bar.adjusted(-1, -1, 1, 1), _DARK)
    painter.fillRect(bar, QColor("white"))
    where = QRectF(left, bottom - 19, style.side - 4, 15)
    painter.setPen(_DARK)
    for x, y in ((-1, 0), (1, 0), (0, -1), (0, 1)):
        painter.drawText(where.translated(x, y), Qt.AlignmentFlag.AlignRight, text)
    painter.setPen(QColor("white"))
    painter.drawText(where, Qt.AlignmentFlag.AlignRight, text)


def film_image(film: Film, scale: Scale, *, side: int = 120, most_columns: int = 12) -> QImage:
    """Return the whole film as one picture, in lines of `most_columns` frames, on white."""
    columns = max(1, min(most_columns, len(film)))
    lines = -(-len(film) // columns)
    names = 90 if film.sources else 0
    line_height = height_of(film, side)
    image = QImage(
        names + columns * (side + GAP) + GAP, lines * line_height + 4, QImage.Format.Format_RGB888
    )
    image.fill(QColor("white"))
    painter = QPainter(image)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    style = FilmStyle(side, QColor("black"), _ORANGE)
    for place in range(len(film)):
        line, column = divmod(place, columns)
        left, top = names + GAP + column * (side + GAP), line * line_height
        draw_cell(painter, film, place, left, top, style, scale)
        if column == 0:
            _draw_names(painter, film, top, side, names)
        if place == 0:
            draw_scale_bar(painter, film, left, top, style, scale)
    painter.end()
    return image


def frame_image(film: Film, place: int, scale: Scale, *, side: int = 240) -> QImage:
    """Return one frame of a film that plays: the rows side by side."""
    count = max(1, len(film.sources))
    width, height = count * (side + GAP) + GAP, side + 2 * CAPTION
    # encoders of movies want even sizes
    image = QImage(width + width % 2, height + height % 2, QImage.Format.Format_RGB888)
    image.fill(QColor("black"))
    painter = QPainter(image)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    style = FilmStyle(side, QColor("white"), _ORANGE)
    for number in range(count):
        single = _OneRow(film, number)
        left = GAP + number * (side + GAP)
        draw_cell(painter, single, place, left, 0, style, scale)  # type: ignore[arg-type]
        if number == 0:
            draw_scale_bar(painter, film, left, 0, style, scale)
    painter.end()
    return image


class _OneRow:
    """A film with one of its rows only."""

    def __init__(self, film: Film, source: int) -> None:
        self._film, self._source = film, source
        self.half, self.sources = film.half, film.sources[source : source + 1]

    def cell(self, place: int) -> Any:
        """Return the frame."""
        return self._film.cell(place)

    def picture(self, place: int, _source: int) -> Any:
        """Return its picture."""
        return self._film.picture(place, self._source)


def _draw_outline(painter: QPainter, outline: list[Any], box: QRectF, pixels: int) -> None:
    scale = box.width() / pixels
    painter.setBrush(Qt.BrushStyle.NoBrush)
    for line in outline:
        points = [
            QPointF(box.left() + (x + 0.5) * scale, box.top() + (y + 0.5) * scale) for y, x in line
        ]
        shape = QPolygonF(points)
        for colour, width in ((_DARK, 3.5), (_ORANGE, 1.5)):
            painter.setPen(QPen(colour, width))
            painter.drawPolyline(shape)


def _draw_marks(
    painter: QPainter, marks: tuple[str, ...], left: float, top: float, side: int
) -> None:
    for number, kind in enumerate(marks):
        letter, colour, _ = MARKS[kind]
        box = QRectF(left + number * 17, top + 1, 15, CAPTION - 2)
        painter.fillRect(box, QColor(colour))
        painter.setPen(_DARK)
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, letter)


def draw_name(painter: QPainter, box: QRectF, name: str) -> None:
    """Draw the name of a row; the middle of a long one is left out."""
    middle = Qt.TextElideMode.ElideMiddle
    text = QFontMetrics(painter.font()).elidedText(name, middle, int(box.width()))
    painter.drawText(box, Qt.AlignmentFlag.AlignVCenter, text)


def _draw_names(painter: QPainter, film: Film, top: float, side: int, width: int) -> None:
    painter.setPen(QColor("black"))
    for number, source in enumerate(film.sources):
        box = QRectF(2, top + CAPTION + number * (side + GAP), width - 4, side)
        draw_name(painter, box, source.name)
