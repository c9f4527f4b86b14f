"""The check boxes of what staining can do beyond the network's one look at each frame."""

from __future__ import annotations

from typing import Any

from qtpy.QtWidgets import QCheckBox

from ...settings import StainSettings
from ..kit.controls import check_box

STEADY_RADIUS = 2


class StainOptions:
    """Boxes `Uncertainty layer`, `Reduce flicker` and `Average turns`.

    Attributes
    ----------
    boxes : tuple of QCheckBox
        To be put into a form, in this order.
    """

    def __init__(self) -> None:
        self.uncertainty = check_box(
            "Uncertainty layer",
            "Also add the error to be expected of each pixel, from which mitochondria and tracks "
            "get their trust; takes up to eight times as long",
            name="uncertainty",
        )
        self.steady = check_box(
            "Reduce flicker",
            "Average a pixel over two frames before and after where they agree; what moves stays",
            name="steady",
        )
        self.average = check_box(
            "Average over 8 orientations",
            "Average the network over the eight turns and flips of the image: a little better and "
            "less noisy; takes eight times as long",
            name="average_stain",
        )
        self.boxes: tuple[QCheckBox, ...] = (self.uncertainty, self.steady, self.average)
        self._radius = STEADY_RADIUS

    @property
    def values(self) -> dict[str, Any]:
        """Fields of a :class:`StainRequest`; the model decides where nothing was asked for."""
        chosen = StainSettings(
            uncertainty=self.uncertainty.isChecked(),
            temporal=self._radius if self.steady.isChecked() else 0,
            average=self.average.isChecked() or None,
        )
        return {"settings": chosen}

    def why_not(self, frames: int) -> str | None:
        """Return why so many frames cannot be stained so, None when they can."""
        if frames >= 3 or not self.steady.isChecked():
            return None
        return "Flicker can only be reduced over three frames or more: switch it off."

    def load(self, settings: Any) -> None:
        """Show the settings of a file, a :class:`napari_virtualstain.pipeline.StainSettings`."""
        self._radius = settings.temporal or STEADY_RADIUS
        self.uncertainty.setChecked(bool(settings.uncertainty))
        self.steady.setChecked(settings.temporal > 0)
        self.average.setChecked(bool(settings.average))
