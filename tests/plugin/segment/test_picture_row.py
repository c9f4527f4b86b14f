"""Grey levels of small pictures."""

from __future__ import annotations

import numpy as np
import pytest

from napari_virtualstain.plugin.segment.picture_row import to_grey


@pytest.mark.parametrize("gain", [1e-6, 1.0, 1e6])
def test_grey_levels_span_the_1st_to_the_998th_thousandth(gain: float) -> None:
    picture = gain * np.arange(1001.0).reshape(7, 143)
    grey = to_grey(picture).ravel()
    assert grey[10] == 0 < grey[20] <= 3
    assert grey[998] == 255 > grey[980] >= 250
    assert grey[500] == pytest.approx(255 * 490 / 988, abs=1)


def test_flat_and_missing_values_are_dark() -> None:
    assert to_grey(np.full((4, 4), 7.0)).max() == 0
    assert to_grey(np.full((4, 4), np.nan)).max() == 0
    some = np.arange(100.0).reshape(10, 10)
    some[0, 0] = np.nan
    assert to_grey(some)[0, 0] == 0
    assert to_grey(some)[9, 9] == 255
