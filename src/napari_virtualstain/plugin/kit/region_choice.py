"""Form rows for choosing the region of a step."""

from __future__ import annotations

from typing import Any

from qtpy.QtWidgets import QFormLayout, QLabel, QWidget

from ...errors import InputError
from ..layers.description import axes_of
from .controls import Choice, IntegerBox, add_row, in_row
from .layer_choice import LayerChoice
from .layer_region import LayerRegion, bounding_box, frame_range, visible_frame, whole

WHOLE, FRAME, RANGE, SHAPES = "whole", "frame", "range", "shapes"


class RegionChoice:
    """Rows `Region`, `Frames` and `Shapes` of a form.

    Parameters
    ----------
    viewer : napari.Viewer
        Says which frame is visible and which Shapes layers there are.
    form : QFormLayout
        Receives the rows.
    """

    def __init__(self, viewer: Any, form: QFormLayout) -> None:
        self._viewer = viewer
        options = [
            ("whole movie", WHOLE),
            ("visible frame", FRAME),
            ("frame range", RANGE),
            ("box around Shapes", SHAPES),
        ]
        self.kind = Choice(options)
        add_row(form, "Region", self.kind, "What to work on", name="region")
        self.first = IntegerBox(0, 0, 10**6)
        self.last = IntegerBox(0, 0, 10**6)
        self._frames = in_row(self.first, QLabel("to"), self.last)
        self._frames_label = add_row(
            form, "Frames", self._frames, "First and last frame, counted from 0"
        )
        self.first.setToolTip("First frame, counted from 0")
        self.last.setToolTip("Last frame, included in the range")
        self.shapes = LayerChoice(
            viewer,
            lambda layer: type(layer).__name__ == "Shapes",
            role="shapes",
            nothing="draw a Shapes layer",
        )
        self._shapes_label = add_row(
            form, "Shapes", self.shapes, "Work on the smallest box around these shapes"
        )
        self.kind.currentIndexChanged.connect(self._show_rows)
        self._show_rows()

    def follow(self, layer: Any) -> None:
        """Offer the frames of `layer`."""
        count = 1
        if layer is not None and "t" in axes_of(layer):
            count = layer.data.shape[axes_of(layer).index("t")]
        untouched = self.last.value() in (0, self.last.maximum())
        for box in (self.first, self.last):
            box.setMaximum(count - 1)
        if untouched:
            self.last.setValue(self.last.maximum())

    def why_not(self) -> str | None:
        """Return why the region cannot be used, None when it can."""
        if self.kind.value == SHAPES and self.shapes.value is None:
            return "Draw a rectangle in a Shapes layer first, or choose another region."
        if self.kind.value == RANGE and self.first.value() > self.last.value():
            return "The first frame lies after the last. Correct the range."
        return None

    def region_of(self, layer: Any) -> LayerRegion:
        """Return the chosen region of `layer`.

        Raises
        ------
        InputError
            The range or the shapes do not fit the layer.
        """
        kind = self.kind.value
        if kind == FRAME:
            return visible_frame(self._viewer, layer)
        if kind == RANGE:
            return frame_range(layer, self.first.value(), self.last.value())
        if kind == SHAPES:
            if self.shapes.value is None:
                raise InputError("Draw a rectangle in a Shapes layer first.")
            return bounding_box(layer, self.shapes.value)
        return whole(layer.data.shape)

    def widgets(self) -> list[QWidget]:
        """Return the fields whose change may change :meth:`why_not`."""
        return [self.kind, self.first, self.last, self.shapes]

    def _show_rows(self, *_: Any) -> None:
        for shown, widgets in (
            (self.kind.value == RANGE, (self._frames, self._frames_label)),
            (self.kind.value == SHAPES, (self.shapes, self._shapes_label)),
        ):
            for widget in widgets:
                widget.setVisible(shown)
