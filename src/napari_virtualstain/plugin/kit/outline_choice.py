"""The form rows with which outlining is set, the same in each dock that segments."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFormLayout, QSlider, QWidget

from ...hooks import add_on_name
from ...settings import SegmentSettings
from .controls import Choice, NumberBox, add_row, check_box, in_row

_SPLITS = [("along the skeleton", "skeleton"), ("at blobs", "log"), ("not at all", "none")]
_THRESHOLD_WIDTH = 92
_ADD_ON = "The chosen add-on has no such setting"


class OutlineChoice:
    """Rows `Width`, `Average turns`, `Threshold`, `Smallest` and `Split` of a form.

    Parameters
    ----------
    form : QFormLayout
        Receives the rows.
    advanced : QFormLayout
        Receives those that are rarely needed.
    acts_at_once : bool
        Whether labels that are there follow threshold, smallest area and split.
    """

    def __init__(
        self, form: QFormLayout, advanced: QFormLayout, *, acts_at_once: bool = False
    ) -> None:
        self.width = NumberBox(0, 0, 20, step=0.1, suffix=" µm", special="usual")
        tooltip = (
            "Typical width of mitochondria that are swollen or flat, which otherwise come out in "
            "pieces; usual is up to about 0.5 µm. Acts when the network runs"
        )
        add_row(form, "Width", self.width, tooltip, name="width")
        self.average = check_box(
            "Average over 8 orientations",
            "Average the network over the eight turns and flips of the image: a little better, "
            "takes eight times as long. Acts when the network runs",
            name="average",
        )
        advanced.addRow(self.average)
        at_once = "; acts at once after the network has run" * acts_at_once
        self.threshold = NumberBox(0.5, 0.02, 0.98, step=0.02, decimals=2)
        # a slider of a few pixels would be none
        self.threshold.setMaximumWidth(_THRESHOLD_WIDTH)
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(2, 98)
        self.slider.setValue(50)
        self.slider.setAccessibleName("Threshold")
        self.slider.valueChanged.connect(lambda value: self.threshold.setValue(value / 100))
        self.threshold.valueChanged.connect(lambda value: self.slider.setValue(round(100 * value)))
        tooltip = f"Probability above which a pixel belongs to a mitochondrion{at_once}"
        add_row(form, "Threshold", in_row(self.slider, self.threshold), tooltip)
        self.threshold.setObjectName("threshold")
        self.min_area = NumberBox(0.05, 0, 100, step=0.01, decimals=3, suffix=" µm²")
        tooltip = f"Smaller objects are removed{at_once}"
        add_row(form, "Smallest", self.min_area, tooltip, name="min_area")
        self.split = Choice(_SPLITS)
        tooltip = f"How touching mitochondria are separated{at_once}"
        add_row(form, "Split", self.split, tooltip, name="split")
        self._tooltips = {widget: widget.toolTip() for widget in self._widgets()}
        for part in (self.slider, self.threshold):
            self._tooltips[part] = part.parentWidget().toolTip()
            part.setToolTip(self._tooltips[part])

    @property
    def cut(self) -> SegmentSettings:
        """Settings of the moment."""
        return SegmentSettings(
            threshold=self.threshold.value(),
            min_area_um2=self.min_area.value(),
            split=self.split.value,
            width_um=self.width.value() or None,
            average=self.average.isChecked(),
        )

    @property
    def network(self) -> dict[str, Any]:
        """What the network's part of a :class:`SegmentRequest` asks for."""
        return {"settings": self.cut}

    def load(self, settings: Any) -> None:
        """Show the settings of a file, a :class:`napari_virtualstain.pipeline.SegmentSettings`."""
        self.width.setValue(settings.width_um or 0)
        self.average.setChecked(settings.average)
        self.threshold.setValue(settings.threshold)
        self.min_area.setValue(settings.min_area_um2)
        self.split.value = settings.split

    def follow(self, model: str | None) -> None:
        """Offer what a model listens to: an add-on outlines in its own way."""
        is_model = add_on_name(model) is None
        for widget, tooltip in self._tooltips.items():
            widget.setEnabled(is_model)
            widget.setToolTip(tooltip if is_model else _ADD_ON)

    def _widgets(self) -> tuple[QWidget, ...]:
        return self.width, self.average, self.min_area, self.split
