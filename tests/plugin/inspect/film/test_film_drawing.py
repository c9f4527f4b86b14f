"""What is seen of each frame of a film: its picture, its marks, its time, and where they are."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from qtpy.QtGui import QColor

from napari_virtualstain.plugin.inspect.film.cells import Film, FilmSource
from napari_virtualstain.plugin.inspect.film.drawing import CAPTION, GAP, MARKS, film_image
from napari_virtualstain.plugin.inspect.film.film_files import to_array
from napari_virtualstain.plugin.inspect.film.strip import FilmStrip
from napari_virtualstain.plugin.inspect.mask_book import MaskBook
from napari_virtualstain.plugin.inspect.summary_rows import Scale
from napari_virtualstain.tracking import EditableTracks

SIDE, NAMES = 60, 90
NO_UNITS = Scale(None, None)


def _blue(unit: np.ndarray) -> np.ndarray:
    return np.column_stack([0 * unit, 0 * unit, np.ones_like(unit), np.ones_like(unit)])


def _film(sources: int = 1, masks: MaskBook | None = None, data: Any = None, **more: Any) -> Film:
    """Return a film of three frames, all blue; a gap leads to the last one."""
    rows = pd.DataFrame({"track_id": 1, "frame": [0, 1, 3], "y_px": 32.0, "x_px": 32.0})
    movie = np.zeros((4, 64, 64)) if data is None else data
    given = [FilmSource(f"row {n}", movie, _blue, (0.0, 1.0)) for n in range(sources)]
    tracks = EditableTracks(rows.assign(**more), {1: [7, 8]})
    return Film(tracks, 1, given, masks)


def _drawn(film: Film, scale: Scale = NO_UNITS, side: int = SIDE) -> np.ndarray:
    return to_array(film_image(film, scale, side=side)).astype(int)


def _is(pixels: np.ndarray, colour: str) -> np.ndarray:
    wanted = QColor(colour).getRgb()[:3]
    return np.abs(pixels - wanted).max(axis=-1) < 8


def _picture(pixels: np.ndarray, place: int, row: int = 0) -> np.ndarray:
    left, top = NAMES + GAP + place * (SIDE + GAP), CAPTION + row * (SIDE + GAP)
    return pixels[top : top + SIDE, left : left + SIDE]


def _above(pixels: np.ndarray, place: int) -> np.ndarray:
    left = NAMES + GAP + place * (SIDE + GAP)
    return pixels[:CAPTION, left : left + SIDE]


def _below(pixels: np.ndarray, place: int, rows: int = 1, side: int = SIDE) -> np.ndarray:
    left = NAMES + GAP + place * (side + GAP)
    return pixels[CAPTION + rows * (side + GAP) - 2 :, left : left + side]


def test_each_mark_stands_above_the_picture_of_its_frame(qapp: Any) -> None:
    pixels = _drawn(_film(quality=[0.9, 0.9, 0.1]))
    shown = [("fusion",), (), ("doubtful", "gap")]
    for place, marks in enumerate(shown):
        band = _above(pixels, place)
        lefts = []
        for kind, (_, colour, _) in MARKS.items():
            there = _is(band, colour)
            assert (there.sum() > 60) == (kind in marks)
            if kind in marks:
                rows, columns = np.nonzero(there)
                assert (np.ptp(rows), np.ptp(columns)) == pytest.approx((13, 14), abs=1)  # a square
                lefts.append((marks.index(kind), columns.min()))
        order = [left for _, left in sorted(lefts)]
        assert order == sorted(order)
        assert len(order) < 2 or order[1] - order[0] >= 15  # side by side


def test_a_gap_has_a_dashed_frame_around_each_of_its_pictures(qapp: Any) -> None:
    pixels = _drawn(_film(sources=2))
    colour = MARKS["gap"][1]
    for place in range(3):
        for row in range(2):
            dashes = _is(_picture(pixels, place, row), colour)
            if place < 2:
                assert not dashes.any()
                continue
            assert 0.2 < dashes[1].mean() < 0.95
            assert 0.2 < dashes[-2].mean() < 0.95
            assert 0.2 < dashes[:, 1].mean() < 0.95
            assert 0.2 < dashes[:, -2].mean() < 0.95
            assert not dashes[4:-4, 4:-4].any()


def test_pictures_stand_below_each_other_and_the_time_below_them(qapp: Any) -> None:
    for rows in (1, 2, 3):
        pixels = _drawn(_film(sources=rows))
        for place in (0, 1):
            for row in range(rows):
                blue = _is(_picture(pixels, place, row), "#0000ff")
                assert blue.mean() > (0.8 if (place, row) == (0, 0) else 0.99)  # the scale bar
            ink = _below(pixels, place, rows).min(axis=-1) < 128
            assert ink.any()
            columns = np.flatnonzero(ink.any(axis=0))
            assert (columns.min() + columns.max()) / 2 == pytest.approx(SIDE / 2, abs=3)


@pytest.mark.parametrize(("side", "has_seconds"), [(32, False), (120, True)])
def test_where_the_time_has_no_room_the_frame_stands_alone(
    qapp: Any, side: int, has_seconds: bool
) -> None:
    timed, plain = (_drawn(_film(), scale, side) for scale in (Scale(None, 1000.0), NO_UNITS))
    for place in (1, 2):
        pair = [_below(one, place, side=side) for one in (timed, plain)]
        assert np.array_equal(*pair) != has_seconds


def test_the_bar_lies_in_the_lower_right_corner_with_its_length_above(qapp: Any) -> None:
    film = _film()
    assert film.half == 16  # a square of 33 pixels
    with_bar, without = _drawn(film, Scale(0.1, None), 120), _drawn(film, Scale(0.1, None), 40)
    left = NAMES + GAP
    corner = with_bar[CAPTION : CAPTION + 120, left : left + 120]
    white = _is(corner, "#ffffff")
    bar = np.flatnonzero(white[114])  # of the last rows of the picture, those of the bar
    # one um is ten pixels of the image, of 120 / 33 on the page
    assert np.ptp(bar) + 1 == pytest.approx(10 * 120 / 33, abs=2)
    assert bar.max() == pytest.approx(116, abs=1)
    assert white[:90].sum() == 0
    assert (corner.min(axis=-1) > 150)[95:111, 60:].any()  # "1 µm"
    assert not white[118:].any()
    assert not _is(without[CAPTION : CAPTION + 40, left : left + 40], "#ffffff").any()
    second = with_bar[CAPTION : CAPTION + 120, left + 123 : left + 243]
    assert not _is(second, "#ffffff").any()


def test_frames_that_are_not_read_are_dark_but_have_their_outlines(qapp: Any) -> None:
    class Lazy:
        def __len__(self) -> int:
            return 4

    labels = np.zeros((4, 64, 64), np.int32)
    labels[:, 28:37, 26:39] = 1
    book = MaskBook(SimpleNamespace(data=labels), by_track=True)
    for film in (_film(0, book), _film(1, book, Lazy())):
        names = 0 if not film.sources else NAMES
        pixels = _drawn(film)
        first = pixels[CAPTION : CAPTION + SIDE, names + GAP : names + GAP + SIDE]
        assert (first.max(axis=-1)[4:40, 4:20] < 40).mean() > 0.5
        assert ((first[..., 0] > 200) & (first[..., 2] < 60)).sum() > 30  # orange
        assert not _is(first, "#0000ff").any()


def test_the_current_frame_has_a_border_and_the_rows_their_names(qtbot: Any) -> None:
    strip = FilmStrip()
    qtbot.addWidget(strip)
    strip.resize(500, 260)
    strip.show()
    strip.side = SIDE
    strip.show_film(_film(sources=2), NO_UNITS, 1)
    mark = strip.palette().highlight().color().name()
    pixels = to_array(strip.viewport().grab().toImage()).astype(int)
    around = []
    for place in range(3):
        box = strip.box_of(place).united(strip.box_of(place, 1))
        edge = pixels[box.top() - 3 : box.bottom() + 4, box.left() - 3 : box.right() + 4]
        around.append(_is(edge, mark).sum())
        assert _is(edge[10:-10, 10:-10], mark).sum() == 0  # one border around all rows
    # two lines of three pixels along the height, and two along the width
    assert around[1] > 2 * 3 * (2 * SIDE + SIDE) * 0.6
    assert max(around[0], around[2]) < 0.6 * around[1]
    background = pixels[2, 2]
    for row in range(2):
        box = strip.box_of(0, row)
        band = pixels[box.top() : box.bottom(), : box.left() - GAP]
        assert (np.abs(band - background).max(axis=-1) > 60).any()
