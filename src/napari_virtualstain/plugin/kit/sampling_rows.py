"""The form rows of pixel size and frame interval, the same in each dock."""

from __future__ import annotations

from typing import Any

from qtpy.QtWidgets import QFormLayout

from ...axes import USUAL_PIXEL_SIZE_UM
from ..layers.description import sampling_of
from .controls import NumberBox, add_row, note


def pixel_size_row(form: QFormLayout, tooltip: str = "Micrometres a pixel") -> NumberBox:
    """Add the row `Pixel size` to `form` and return its field."""
    box = NumberBox(USUAL_PIXEL_SIZE_UM, 0.001, 100, step=0.005, decimals=4, suffix=" µm")
    add_row(form, "Pixel size", box, tooltip, name="pixel_size")
    return box


class SamplingRows:
    """Rows `Pixel size` and `Interval` of a form, and what the layer does not state of them.

    Parameters
    ----------
    form : QFormLayout
        Receives the rows.
    """

    def __init__(self, form: QFormLayout) -> None:
        self.pixel_size = pixel_size_row(form)
        self.interval = NumberBox(1, 0.0001, 1e6, step=0.5, decimals=3, suffix=" s")
        add_row(form, "Interval", self.interval, "Seconds from frame to frame", name="interval")
        self._note = note(name="sampling_note")
        form.addRow(self._note)

    def follow(self, layer: Any) -> None:
        """Fill in what a layer states, and name what it does not."""
        unknown = []
        if layer is not None:
            stated = sampling_of(layer)
            for name, field, value in (
                ("pixel size", self.pixel_size, stated.pixel_size_um),
                ("frame interval", self.interval, stated.frame_interval_s),
            ):
                if value:
                    field.setValue(value)
                else:
                    unknown.append(name)
        text = f"The layer does not state its {' and '.join(unknown)}. Correct it here."
        self._note.setText(text if unknown else "")
        self._note.setVisible(bool(unknown))
