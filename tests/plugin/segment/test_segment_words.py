"""What the dock says of outlines and of widths that it has measured."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from napari_virtualstain.plugin.kit.step import StepWidget
from napari_virtualstain.plugin.segment.dock import SegmentWidget
from napari_virtualstain.plugin.segment.fine_tuning_job import outlines
from napari_virtualstain.segmentation import MeasuredWidth


def _measured(median_um: float, contrast: float = 9.0) -> Any:
    return MeasuredWidth(
        median_um=median_um, lower_um=median_um - 0.1, upper_um=median_um + 0.1, contrast=contrast
    )


@pytest.mark.parametrize(
    ("median_um", "width_um", "said"),
    [(0.64, 0, "as usual"), (0.65, 0, "as usual"), (0.66, 0.66, "set as Width; press Segment")],
)
def test_a_width_above_0_65_um_is_set(median_um: float, width_um: float, said: str) -> None:
    row = SimpleNamespace(value=0.3)
    dock = SimpleNamespace(settings={"width_um": row})
    assert said in SegmentWidget._offer_width(dock, _measured(median_um))
    assert row.value == width_um


@pytest.mark.parametrize(("contrast", "is_sure"), [(4.2, False), (4.4, True)])
def test_a_width_without_contrast_is_not_set(contrast: float, is_sure: bool) -> None:
    row = SimpleNamespace(value=0.3)
    dock = SimpleNamespace(settings={"width_um": row})
    text = SegmentWidget._offer_width(dock, _measured(0.9, contrast))
    assert text.startswith("Unsure") != is_sure
    assert row.value == (0.9 if is_sure else 0.3)


@pytest.mark.parametrize(("seconds", "text"), [(9.94, "9.9 s"), (10.1, "10 s"), (90.0, "2 min")])
def test_times_have_a_digit_more_below_ten_seconds(
    monkeypatch: pytest.MonkeyPatch, seconds: float, text: str
) -> None:
    monkeypatch.setattr(
        "napari_virtualstain.plugin.kit.step.time.monotonic", lambda: 100.0 + seconds
    )
    assert StepWidget.took_text(SimpleNamespace(_began=100.0)) == text


def test_outlines_are_counted_frame_by_frame() -> None:
    labels = np.zeros((2, 4, 4), int)
    labels[0, 0, 0], labels[0, 2, 2], labels[1, 0, 0] = 3, 7, 3
    dock = SimpleNamespace(took_text=lambda: "1 s", _session=SimpleNamespace(labels=labels))
    assert SegmentWidget._found_text(dock, labels).startswith(
        "Found 3 outlines in 2 frames in 1 s."
    )
    assert SegmentWidget._told(dock, "text") == "text"
    labels[:] = 0
    assert "Lower the threshold" in SegmentWidget._told(dock, "text")
    dock._session = None
    assert "Lower the threshold" in SegmentWidget._told(dock, "text")


def test_borders_of_outlines_are_white_and_insides_grey() -> None:
    labels = np.zeros((6, 9), int)
    labels[1:5, 1:5], labels[1:5, 5:8] = 1, 2
    picture = outlines(labels)
    assert picture[2].tolist() == [0, 255, 90, 90, 255, 255, 90, 255, 0]
    assert picture[1, 1:8].tolist() == [255] * 7
