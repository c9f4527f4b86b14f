"""Sampling of a layer in one line, with form rows for what is unknown.

Pixel size, frame interval and the meaning of unnamed axes are asked once a layer: an answer is
kept with the layer, and with the results that are made from it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtWidgets import QFormLayout, QLabel

from ...axes import USUAL_PIXEL_SIZE_UM
from ..layers.description import (
    axes_of,
    names_its_axes,
    provenance_of,
    remember_sampling,
    sampling_of,
)
from .controls import Choice, NumberBox, add_row, button, in_row, note

_WORDS = {"t": "times", "z": "depths", "c": "channels"}
_UNEQUAL = 0.01


def pixel_size_row(form: QFormLayout, tooltip: str = "Pixel size in µm") -> NumberBox:
    """Add the row `Pixel size` to `form` and return its field."""
    box = NumberBox(USUAL_PIXEL_SIZE_UM, 0.001, 100, step=0.005, decimals=4, suffix=" µm")
    add_row(form, "Pixel size", box, tooltip, name="pixel_size")
    return box


class SamplingRows:
    """Rows for what a layer is: a line of facts, and fields for what it does not state.

    Parameters
    ----------
    form : QFormLayout
        Receives the rows.
    with_interval : bool
        Whether the step needs the frame interval.
    changed : callable or None
        Called when the meaning of the axes was chosen: other layers may fit then.
    """

    def __init__(
        self,
        form: QFormLayout,
        *,
        with_interval: bool = True,
        changed: Callable[[], None] | None = None,
    ) -> None:
        self._layer: Any = None
        self._filling = False
        self._with_interval = with_interval
        self._changed = changed
        self.facts = note(name="facts")
        self.change_button = button(
            "Change…", "Correct pixel size and interval", self._show_fields, name="change_sampling"
        )
        self._facts_row = in_row(self.facts, self.change_button)
        form.addRow(self._facts_row)
        self.axes = Choice()
        self._axes_label = add_row(
            form,
            "Planes are",
            self.axes,
            "Meaning of the layer's planes, which the layer does not state",
            name="axes",
        )
        self.pixel_size = pixel_size_row(form, "Pixel size in µm; stored with the layer")
        self._size_label = form.labelForField(self.pixel_size)
        self.interval = NumberBox(1, 0.0001, 1e6, step=0.5, decimals=4, suffix=" s")
        tooltip = "Frame interval in seconds; stored with the layer"
        self._interval_label = add_row(form, "Interval", self.interval, tooltip, name="interval")
        self.remark = note(name="pixel_note")
        form.addRow(self.remark)
        self.pixel_size.valueChanged.connect(self._remember)
        self.interval.valueChanged.connect(self._remember)
        self.axes.activated.connect(self._on_axes)
        self.follow(None)

    def follow(self, layer: Any, *, assumed_um: float | None = None) -> None:
        """Fill in what a layer states, and ask for what it does not.

        Parameters
        ----------
        layer : napari layer or None
            The source of the step.
        assumed_um : float or None
            Pixel size where the layer states none, for instance the model's.
        """
        is_new = layer is not self._layer
        self._layer = layer
        stated = sampling_of(layer) if layer is not None else None
        size_um = stated.pixel_size_um if stated else None
        interval_s = stated.frame_interval_s if stated else None
        self._filling = True
        if shown_um := size_um or (assumed_um if is_new else None):
            self.pixel_size.setValue(shown_um)
        if interval_s:
            self.interval.setValue(interval_s)
        self._filling = False
        asks_interval = (
            self._with_interval and layer is not None and "t" in axes_of(layer) and not interval_s
        )
        _show(layer is not None and not size_um, self._size_label, self.pixel_size)
        _show(asks_interval, self._interval_label, self.interval)
        self._offer_axes(layer)
        self.facts.setText("" if layer is None else facts_text(layer))
        self._facts_row.setVisible(layer is not None)
        self.change_button.setVisible(bool(size_um))
        self.remark.setText(_remark(layer, size_um, asks_interval))
        self.remark.setVisible(bool(self.remark.text()))

    def _show_fields(self) -> None:
        """Open the fields for a correction."""
        _show(True, self._size_label, self.pixel_size)
        _show(self._with_interval, self._interval_label, self.interval)
        self.change_button.setVisible(False)
        self.pixel_size.setFocus()

    def _remember(self, _value: float) -> None:
        if self._filling or self._layer is None:
            return
        given = {"pixel_size_um": self.pixel_size.value()}
        if self._with_interval:
            given["frame_interval_s"] = self.interval.value()
        remember_sampling(self._layer, **given)
        self.facts.setText(facts_text(self._layer))
        self.remark.setText(_remark(self._layer, self.pixel_size.value(), False))
        self.remark.setVisible(bool(self.remark.text()))

    def _offer_axes(self, layer: Any) -> None:
        asks = layer is not None and layer.ndim in (3, 4) and not names_its_axes(layer)
        _show(asks, self._axes_label, self.axes)
        if not asks:
            return
        leading = ["t", "z", "c"] if layer.ndim == 3 else ["tz", "tc", "zc"]
        self.axes.clear()
        for letters in leading:
            self.axes.addItem(" of ".join(_WORDS[letter] for letter in letters), f"{letters}yx")
        self.axes.value = axes_of(layer)

    def _on_axes(self, _index: int) -> None:
        if self._layer is not None:
            self._layer.axis_labels = tuple(self.axes.value)
            if self._changed is not None:
                self._changed()


def _show(shown: bool, *widgets: QLabel | Any) -> None:
    for widget in widgets:
        widget.setVisible(shown)


def facts_text(layer: Any) -> str:
    """Return what a layer is: its frames, pixels, pixel size and frame interval."""
    sizes = dict(zip(axes_of(layer), layer.data.shape, strict=False))
    names = {"t": "frames", "z": "planes", "c": "channels"}
    counts = [f"{sizes[axis]} {names[axis]}" for axis in "tzc" if axis in sizes]
    stated = sampling_of(layer)
    parts = [
        " of ".join([*counts, f"{sizes['y']} x {sizes['x']} pixels"]),
        f"{stated.pixel_size_um:.4g} µm per pixel" if stated.pixel_size_um else "",
        f"{stated.frame_interval_s:.4g} s per frame" if stated.frame_interval_s else "",
    ]
    return ", ".join(part for part in parts if part)


def _remark(layer: Any, size_um: float | None, asks_interval: bool) -> str:
    """Return what the layer does not state, and what about it will go wrong."""
    if layer is None:
        return ""
    unknown = ["pixel size"] * (not size_um) + ["frame interval"] * asks_interval
    remarks = list(provenance_of(layer).get("notes", ()))
    if unknown:
        remarks.append(f"The layer does not state its {' and '.join(unknown)}. Correct it here.")
    height, width = (abs(float(step)) for step in layer.scale[-2:])
    if abs(height - width) > _UNEQUAL * width:
        remarks.append(
            f"Pixels are {height:.4g} high and {width:.4g} wide; {width:.4g} is used for both, so "
            "shapes, lengths and speeds will be wrong. Resample the movie to square pixels first."
        )
    return " ".join(remarks)
