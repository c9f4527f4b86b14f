"""Controls as they are drawn."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_virtualstain.plugin.kit.controls import Choice


def _drawn(choice: Choice) -> np.ndarray:
    image = choice.grab().toImage().convertToFormat(choice.grab().toImage().Format.Format_RGB32)
    pixels = np.frombuffer(image.constBits().asstring(image.sizeInBytes()), np.uint8)
    return pixels.reshape(image.height(), image.bytesPerLine())


def test_a_choice_without_a_value_shows_what_to_choose(qtbot: Any) -> None:
    choice = Choice([("red", 1)])
    qtbot.addWidget(choice)
    choice.resize(220, 30)
    choice.show()
    choice.setCurrentIndex(-1)
    empty = _drawn(choice)
    choice.setPlaceholderText("choose true fluorescence")
    asking = _drawn(choice)
    assert (asking != empty).sum() > 200
    choice.setCurrentIndex(0)
    assert (_drawn(choice) != asking).sum() > 200
