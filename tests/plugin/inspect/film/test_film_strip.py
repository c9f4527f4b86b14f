"""The film of a track as it is drawn, scrolled and stepped through."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QImage, QWheelEvent
from qtpy.QtWidgets import QApplication

from napari_virtualstain.plugin.inspect.film.cells import Film, FilmSource
from napari_virtualstain.plugin.inspect.film.drawing import film_image, frame_image, time_text
from napari_virtualstain.plugin.inspect.film.strip import FilmStrip
from napari_virtualstain.plugin.inspect.mask_book import MaskBook
from napari_virtualstain.plugin.inspect.overlay import COLOUR
from napari_virtualstain.plugin.inspect.plots.plots_panel import _Axis
from napari_virtualstain.plugin.inspect.summary_rows import Scale
from napari_virtualstain.tracking import EditableTracks


def _film(frames: int = 30, rows: int = 1) -> Film:
    """Return a film of pictures of 33 pixels that are all red."""

    def red(unit: np.ndarray) -> np.ndarray:
        return np.column_stack([np.ones_like(unit), np.zeros_like(unit), np.zeros_like(unit)])

    image = np.zeros((frames, 64, 64))
    table = pd.DataFrame({"track_id": 1, "frame": range(frames), "y_px": 32.0, "x_px": 32.0})
    sources = [FilmSource(f"row {row}", image, red, (0.0, 1.0)) for row in range(rows)]
    return Film(EditableTracks(table), 1, sources)


def _pixels(image: QImage) -> np.ndarray:
    plain = image.convertToFormat(QImage.Format.Format_RGB888)
    flat = np.frombuffer(plain.constBits().asarray(plain.sizeInBytes()), np.uint8)
    lines = flat.reshape(plain.height(), plain.bytesPerLine())
    return lines[:, : 3 * plain.width()].reshape(plain.height(), plain.width(), 3).copy()


@pytest.mark.parametrize(
    ("frame", "interval_s", "text"),
    [
        (5, None, "5"),
        (5, 2.0, "5 · 10 s"),
        (299, 2.0, "299 · 598 s"),
        (300, 2.0, "300 · 10 min"),
        (3, 0.12345, "3 · 0.3704 s"),
    ],
)
def test_frames_say_their_time(frame: int, interval_s: float | None, text: str) -> None:
    assert time_text(frame, Scale(None, interval_s)) == text


def _bar_px(pixel_size_um: float | None, side: int = 132) -> int:
    """Return the length of the white bar in the corner of the first picture."""
    image = _pixels(film_image(_film(1), Scale(pixel_size_um, None), side=side))
    picture = image[16 : 16 + side, 93 : 93 + side]
    return int((picture[-6] == 255).all(axis=1).sum())


@pytest.mark.parametrize(
    ("pixel_size_um", "length_um"),
    [
        (10, 50), (3.1, 50), (3.0, 20), (1.22, 20), (1.2, 10), (0.61, 10), (0.6, 5), (0.31, 5),
        (0.3, 2), (0.122, 2), (0.12, 1), (0.061, 1), (0.059, 0.5), (0.01, 0.5),
    ],
)  # fmt: skip
def test_the_bar_is_the_longest_within_half_of_the_picture(
    qapp: Any, pixel_size_um: float, length_um: float
) -> None:
    # 33 pixels of the image are 330 of the picture
    expected = min(length_um / pixel_size_um * 10, 326)
    assert _bar_px(pixel_size_um, side=330) == pytest.approx(expected, abs=2)


@pytest.mark.parametrize(("side", "is_drawn"), [(55, False), (56, True)])
def test_small_pictures_have_no_bar(qapp: Any, side: int, is_drawn: bool) -> None:
    assert (_bar_px(0.1, side) > 0) == is_drawn


@pytest.mark.parametrize(("frames", "columns", "lines"), [(3, 3, 1), (12, 12, 1), (13, 12, 2)])
def test_a_film_has_twelve_frames_a_line(qapp: Any, frames: int, columns: int, lines: int) -> None:
    image = film_image(_film(frames), Scale(0.1, None), side=40)
    assert image.width() == 90 + columns * 43 + 3
    assert image.height() == lines * (2 * 16 + 43) + 4


def test_each_line_of_a_film_begins_with_the_names_of_its_rows(qapp: Any) -> None:
    pixels = _pixels(film_image(_film(13, rows=2), Scale(0.1, None), side=40))
    written = (pixels[:, :90] < 128).any(axis=(1, 2))
    height = 2 * 16 + 2 * 43
    red = (pixels == [255, 0, 0]).all(axis=2)
    for line, columns in ((0, 12), (1, 1)):
        for row in (0, 1):
            top = line * height + 16 + row * 43
            assert written[top : top + 40].any()
            assert red[top + 20].sum() == pytest.approx(40 * columns, abs=columns)


def _orange(picture: np.ndarray) -> int:
    away = np.abs(picture.astype(int) - 255 * np.array(COLOUR[:3])).max(axis=-1)
    return int((away < 60).sum())


def _masked_film(frames: int = 3) -> Film:
    """Return a film of a dark movie, with masks of 9 x 21 pixels."""
    image = np.zeros((frames, 64, 64))
    labels = np.zeros((frames, 64, 64), np.int32)
    labels[:, 28:37, 22:43] = 1
    table = pd.DataFrame({"track_id": 1, "frame": range(frames), "y_px": 32.0, "x_px": 32.0})
    grey = FilmSource("row", image, lambda u: np.column_stack([u, u, u, u]), (0.0, 1.0))
    book = MaskBook(SimpleNamespace(data=labels), by_track=True)
    return Film(EditableTracks(table), 1, [grey], book)


def test_a_saved_film_has_its_outlines_around_the_masks(qapp: Any) -> None:
    film = _masked_film(1)
    side = 10 * (2 * film.half + 1)
    pixels = _pixels(film_image(film, Scale(0.1, None), side=side))[16 : 16 + side, 93 : 93 + side]
    away = np.abs(pixels.astype(int) - 255 * np.array(COLOUR[:3])).max(axis=-1)
    rows, columns = np.nonzero(away < 60)
    middle = side / 2  # of the pixel of the track
    assert (rows.min() - middle, rows.max() - middle) == pytest.approx((-45, 45), abs=3)
    assert (columns.min() - middle, columns.max() - middle) == pytest.approx((-105, 105), abs=3)


def test_a_playing_film_has_its_rows_side_by_side_in_even_sizes(qapp: Any) -> None:
    for rows in (1, 2, 3):
        image = frame_image(_film(2, rows), 1, Scale(0.1, 2.0), side=40)
        wanted = rows * 43 + 3
        assert (image.width(), image.height()) == (wanted + wanted % 2, 72)
        red = (_pixels(image)[20, :] == [255, 0, 0]).all(axis=1)
        assert red.sum() == pytest.approx(40 * rows, abs=rows)


@pytest.fixture
def strip(qtbot: Any) -> FilmStrip:
    made = FilmStrip()
    qtbot.addWidget(made)
    made.resize(74 + 6 * 103, 300)
    made.show()
    made.resize_pictures(100 / made._side())
    made.show_film(_film(), Scale(0.1, 2.0), 0)
    return made


def test_an_empty_strip_says_what_to_do_and_leaves_the_mouse_and_the_keys_alone(
    strip: FilmStrip, qtbot: Any
) -> None:
    chosen: list[int] = []
    strip.frame_chosen.connect(chosen.append)
    strip.show_film(None, Scale(0.1, 2.0), None)
    with qtbot.captureExceptions() as errors:
        qtbot.mouseClick(strip.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(120, 60))
        qtbot.mouseMove(strip.viewport(), QPoint(130, 60))
        qtbot.keyClick(strip, Qt.Key.Key_Right)
        strip.grab()
    assert not errors
    assert not chosen


def test_arrow_keys_step_through_the_life_and_stop_at_its_ends(
    strip: FilmStrip, qtbot: Any
) -> None:
    strip.frame_chosen.connect(strip.go)
    for now, key, then in (
        (3, Qt.Key.Key_Right, 4),
        (3, Qt.Key.Key_Left, 2),
        (0, Qt.Key.Key_Left, 0),
        (28, Qt.Key.Key_Right, 29),
        (29, Qt.Key.Key_Right, 29),
        (None, Qt.Key.Key_Right, 0),
        (3, Qt.Key.Key_Down, 3),
    ):
        strip.go(now)
        qtbot.keyClick(strip, key)
        assert strip.frame == then


def test_a_click_goes_to_a_frame_and_a_double_click_enters_it(strip: FilmStrip, qtbot: Any) -> None:
    seen: list[tuple[str, int]] = []
    strip.frame_chosen.connect(lambda frame: seen.append(("chosen", frame)))
    strip.frame_entered.connect(lambda frame: seen.append(("entered", frame)))
    left = Qt.MouseButton.LeftButton
    qtbot.mouseClick(strip.viewport(), left, pos=strip.box_of(2).center())
    qtbot.mouseClick(strip.viewport(), left, pos=QPoint(40, 60))  # on the names
    assert seen == [("chosen", 2)]
    qtbot.mouseDClick(strip.viewport(), left, pos=strip.box_of(3).center())
    assert seen[-1] == ("entered", 3)


def test_outlines_are_drawn_until_they_are_switched_off(strip: FilmStrip) -> None:
    strip.show_film(_masked_film(), Scale(0.1, 2.0), 0)
    assert _orange(_pixels(strip.viewport().grab().toImage())) > 100
    strip.outlines = False
    assert _orange(_pixels(strip.viewport().grab().toImage())) < 20


def _turn_wheel(
    strip: FilmStrip, x: int, y: int, keys: Any = Qt.KeyboardModifier.NoModifier
) -> None:
    place, still = QPointF(50, 50), Qt.MouseButton.NoButton
    phase = Qt.ScrollPhase.NoScrollPhase
    turn = QWheelEvent(place, place, QPoint(), QPoint(x, y), still, keys, phase, False)
    QApplication.sendEvent(strip.viewport(), turn)


def test_either_wheel_scrolls_through_time_and_with_control_zooms(strip: FilmStrip) -> None:
    bar = strip.horizontalScrollBar()
    _turn_wheel(strip, 0, -120)
    assert bar.value() == 120
    _turn_wheel(strip, -60, 0)
    assert bar.value() == 180
    _turn_wheel(strip, 0, 120)
    assert bar.value() == 60
    for turned, side in ((120, 115), (-120, 100)):
        _turn_wheel(strip, 0, turned, Qt.KeyboardModifier.ControlModifier)
        assert strip.side == side


def test_pictures_may_be_32_to_260_pixels(strip: FilmStrip) -> None:
    assert strip.side == 100
    strip.resize_pictures(0.1)
    assert strip.side == 32
    strip.resize_pictures(100)
    assert strip.side == 260
    strip.resize_pictures(0.5)
    assert strip.side == 130


def test_pictures_fill_the_height_but_stay_readable(strip: FilmStrip) -> None:
    strip.side = None
    strip.resize(600, 150)
    room = strip.viewport().height() - 32 - 3
    assert strip._side() == room
    strip.resize(600, 60)
    assert strip._side() == 56
    strip.resize(600, 900)
    assert strip._side() == 260
    strip.show_film(_film(3, rows=2), Scale(0.1, 2.0), 0)
    strip.resize(600, 300)
    assert strip._side() == (strip.viewport().height() - 32) // 2 - 3


def test_the_frame_under_the_mouse_is_found_where_it_is_drawn(strip: FilmStrip) -> None:
    for value in (0, 250):
        strip.horizontalScrollBar().setValue(value)
        for place in range(3, 6):
            box = strip.box_of(place)
            assert strip.place_at(QPoint(box.left(), 50)) == place
            assert strip.place_at(QPoint(box.right(), 50)) == place
    assert strip.place_at(QPoint(73, 50)) is None
    strip.horizontalScrollBar().setValue(0)
    strip.show_film(_film(2), Scale(0.1, 2.0), 0)
    assert strip.place_at(QPoint(strip.box_of(2).left(), 50)) is None


def test_the_current_frame_comes_into_view_and_only_then_moves_the_film(
    strip: FilmStrip,
) -> None:
    bar = strip.horizontalScrollBar()
    room = strip.viewport().width() - 74
    assert bar.maximum() == 30 * 103 - room
    strip.go(2)
    assert bar.value() == 0
    strip.go(20)
    box = strip.box_of(20)
    assert 74 <= box.left() < box.right() <= strip.viewport().width()
    at = bar.value()
    strip.go(19)
    assert bar.value() == at
    strip.go(0)
    assert bar.value() == 0
    places = strip._in_view()
    assert places.start == 0
    assert places.stop - 1 >= room // 103


@pytest.mark.parametrize(
    ("length", "shown"),
    [(0.5, ["1", "2", "3", "5", "7", "10"]), (0.7, ["1", "2", "", "5", "", "10"])],
)
def test_of_a_long_logarithmic_axis_only_1_2_and_5_are_named(
    qapp: Any, length: float, shown: list[str]
) -> None:
    axis = _Axis("bottom")
    axis.range = [0.0, length]
    assert axis.logTickStrings(np.log10([1, 2, 3, 5, 7, 10]), 1, None) == shown


def test_rows_that_have_no_room_are_scrolled_to(strip: FilmStrip) -> None:
    strip.show_film(_film(3, rows=3), Scale(0.1, 2.0), 0)
    bar, whole = strip.verticalScrollBar(), 2 * 16 + 3 * 103
    strip.resize(600, 150)
    assert bar.maximum() == whole - strip.viewport().height()
    assert strip.box_of(0, 0).top() == 16
    bar.setValue(bar.maximum())
    assert strip.box_of(0, 2).bottom() < strip.viewport().height() - 16
    strip.resize(600, whole + 50)
    assert (bar.maximum(), strip.box_of(0, 0).top()) == (0, 16)
