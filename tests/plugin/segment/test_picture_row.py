"""Grey levels of small pictures."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from napari_virtualstain.plugin.segment.picture_row import PictureRow, to_grey


@pytest.mark.parametrize("gain", [1e-6, 1.0, 1e6])
def test_grey_levels_span_the_1st_to_the_998th_thousandth(gain: float) -> None:
    picture = gain * np.arange(1001.0).reshape(7, 143)
    grey = to_grey(picture).ravel()
    assert grey[10] == 0 < grey[20] <= 3
    assert grey[998] == 255 > grey[980] >= 250
    assert grey[500] == pytest.approx(255 * 490 / 988, abs=1)
    assert (np.diff(grey.astype(int)) >= 0).all()  # what is brighter still is white


def test_flat_and_missing_values_are_dark() -> None:
    assert to_grey(np.full((4, 4), 7.0)).max() == 0
    assert to_grey(np.full((4, 4), np.nan)).max() == 0
    some = np.arange(100.0).reshape(10, 10)
    some[0, 0] = np.nan
    assert to_grey(some)[0, 0] == 0
    assert to_grey(some)[9, 9] == 255


@pytest.mark.parametrize("count", [1, 2, 4])
def test_pictures_stand_side_by_side_as_large_as_fits(qtbot: Any, count: int) -> None:
    row = PictureRow()
    qtbot.addWidget(row)
    row.resize(260, 90)
    row.grab()  # nothing to show yet
    white = np.full((10, 10), 1.0)
    white[0, 0] = 0.0
    row.show_pictures([white] * count, ["image"] * count)
    image = row.grab().toImage()
    bright = [image.pixelColor(x, 40).lightness() == 255 for x in range(image.width())]
    edges = np.flatnonzero(np.diff([False, *bright, False]))
    starts, ends = edges[::2], edges[1::2]
    assert len(starts) == count
    sides = ends - starts
    assert (sides == sides[0]).all()
    assert (starts[1:] > ends[:-1]).all()
    x = int(starts[0]) + 5
    column = [image.pixelColor(x, y).lightness() == 255 for y in range(image.height())]
    assert image.height() - np.flatnonzero(column).max() > 14  # a line of text fits below
    # the height without the caption, or its share of the width
    assert 0.85 < sides[0] / min(90 - 14, 260 / count) <= 1
