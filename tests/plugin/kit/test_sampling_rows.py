"""What a layer states is shown, what it does not is asked for, and an answer stays with it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from napari.layers import Image
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QWidget

from napari_virtualstain.plugin.kit.controls import new_form
from napari_virtualstain.plugin.kit.sampling_rows import SamplingRows
from napari_virtualstain.plugin.layers.description import Sampling, sampling_of

SCALE = {"scale": (2.0, 0.08, 0.08), "units": ("s", "um", "um"), "axis_labels": ("t", "y", "x")}


def _movie(**changes: Any) -> Any:
    return Image(np.zeros((3, 8, 9)), name="cell", **{**SCALE, **changes})


@pytest.fixture
def body(qtbot: Any) -> Iterator[QWidget]:
    made = QWidget()
    made.setLayout(new_form())
    qtbot.addWidget(made)
    made.show()
    yield made
    made.hide()


def _asked(rows: SamplingRows) -> list[str]:
    fields = {"size": rows.pixel_size, "interval": rows.interval, "axes": rows.axes}
    return [name for name, field in fields.items() if field.isVisible()]


@pytest.mark.parametrize(
    ("layer", "asked", "can_change"),
    [
        (None, [], False),
        (_movie(), [], True),
        (_movie(units=("pixel", "um", "um")), ["interval"], True),
        (_movie(units=("s", "pixel", "pixel")), ["size"], False),
        (_movie(axis_labels=("z", "y", "x"), units=("um",) * 3), [], True),
        (_movie(axis_labels=("z", "y", "x"), units=("pixel",) * 3), ["size"], False),
        (Image(np.zeros((3, 8, 9))), ["size", "interval", "axes"], False),
        (Image(np.zeros((8, 9))), ["size"], False),
        (Image(np.zeros((2, 2, 2, 8, 9))), ["size", "interval"], False),
    ],
)
def test_only_what_a_layer_does_not_state_is_asked_for(
    body: QWidget, layer: Any, asked: list[str], can_change: bool
) -> None:
    rows = SamplingRows(body.layout())
    rows.follow(layer)
    assert _asked(rows) == asked
    assert rows.change_button.isVisible() == can_change
    assert rows.facts.isVisible() == bool(rows.facts.text()) == (layer is not None)
    assert rows.remark.isVisible() == bool(rows.remark.text())
    without = SamplingRows(body.layout(), with_interval=False)
    without.follow(layer)
    assert _asked(without) == [name for name in asked if name != "interval"]
    if layer is not None:
        assert "virtualstain_sampling" not in layer.metadata  # nobody has said anything


def test_a_correction_is_kept_with_the_layer(body: QWidget, qtbot: Any) -> None:
    layer = _movie()
    rows = SamplingRows(body.layout())
    rows.follow(layer, assumed_um=0.2)
    assert (rows.pixel_size.value(), rows.interval.value()) == (0.08, 2.0)
    qtbot.mouseClick(rows.change_button, Qt.MouseButton.LeftButton)
    assert _asked(rows) == ["size", "interval"]
    assert not rows.change_button.isVisible()
    rows.pixel_size.setValue(0.065)
    rows.interval.setValue(5)
    assert sampling_of(layer) == Sampling(0.065, 5.0)
    assert rows.facts.text() == "3 frames of 8 x 9 pixels, 0.065 µm per pixel, 5 s per frame"
    rows.follow(_movie())
    assert (rows.pixel_size.value(), rows.interval.value()) == (0.08, 2.0)
    assert _asked(rows) == []
    rows.follow(layer)
    assert (rows.pixel_size.value(), rows.interval.value()) == (0.065, 5.0)
    without = SamplingRows(body.layout(), with_interval=False)
    other = _movie(units=("pixel", "um", "um"))
    without.follow(other)
    qtbot.mouseClick(without.change_button, Qt.MouseButton.LeftButton)
    assert _asked(without) == ["size"]
    without.pixel_size.setValue(0.1)
    assert sampling_of(other) == Sampling(0.1, None)


def test_a_pixel_size_is_assumed_for_a_new_layer_and_typed_in_for_none_before(
    body: QWidget,
) -> None:
    rows = SamplingRows(body.layout())
    rows.pixel_size.setValue(0.5)  # of no layer
    first, second = (_movie(units=("s", "pixel", "pixel")) for _ in range(2))
    rows.follow(first)
    assert rows.pixel_size.value() == 0.5
    rows.follow(second, assumed_um=0.2)
    assert rows.pixel_size.value() == 0.2
    rows.follow(second, assumed_um=0.4)
    assert rows.pixel_size.value() == 0.2
    rows.pixel_size.setValue(0)  # no pixel is without extent
    assert rows.pixel_size.value() == 0.001
    assert sampling_of(first).pixel_size_um is None
    assert sampling_of(second).pixel_size_um == 0.001


@pytest.mark.parametrize(
    ("shape", "meanings"),
    [
        ((3, 8, 9), {"times": "tyx", "depths": "zyx", "channels": "cyx"}),
        (
            (2, 3, 8, 9),
            {
                "times of depths": "tzyx",
                "times of channels": "tcyx",
                "depths of channels": "zcyx",
            },
        ),
    ],
)
def test_the_meaning_of_unnamed_planes_is_chosen(
    body: QWidget, shape: tuple[int, ...], meanings: dict[str, str]
) -> None:
    changes: list[int] = []
    rows = SamplingRows(body.layout(), changed=lambda: changes.append(1))
    for text, axes in meanings.items():
        layer = Image(np.zeros(shape))
        rows.follow(layer)
        assert [rows.axes.itemText(i) for i in range(rows.axes.count())] == list(meanings)
        assert rows.axes.currentIndex() == 0  # a stack of planes is read as time
        rows.axes.setCurrentText(text)
        rows.axes.activated.emit(rows.axes.currentIndex())
        assert layer.axis_labels == tuple(axes)
        rows.follow(layer)
        assert "axes" not in _asked(rows)
    assert len(changes) == len(meanings)


def test_a_video_rate_is_not_rounded_and_no_interval_is_zero(body: QWidget) -> None:
    rows = SamplingRows(body.layout())
    layer = _movie(scale=(0.0333, 0.08, 0.08))
    rows.follow(layer)
    assert rows.interval.value() == pytest.approx(0.0333)
    rows.interval.setValue(0)
    assert sampling_of(layer).frame_interval_s == pytest.approx(0.0001)
