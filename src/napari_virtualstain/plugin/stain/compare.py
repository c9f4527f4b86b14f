"""Comparison of bright-field, virtual and true fluorescence on the canvas.

At its stops the slider shows one of the three alone. On the way from one to the next, the next
one is swiped over it column by column. *Blink* alternates between two stops. *Show all
layers*, a new run and leaving the dock restore every layer that was visible before.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from napari.layers import Image
from napari.utils.colormaps import AVAILABLE_COLORMAPS
from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QGridLayout, QLabel, QSlider, QWidget

from ..kit.cleanup import Cleanup
from ..kit.controls import button, in_row
from ..kit.settling import debouncer
from ..layers.colours import DIMMED, brighten, dim
from ..layers.description import flat_geometry, geometry_of, provenance, still_there
from ..layers.visible_colours import rendered

STEPS = 100
NAME = "comparison"
_BLINK_MS = 600
_SETTLE_MS = 40
_READY = (
    "Swipe from bright-field to the virtual and on to the true fluorescence (arrow keys, "
    "Page Up and Page Down)"
)
_NOT_READY = "Stain a movie first; then compare the layers here"


@dataclass(frozen=True, slots=True)
class Stop:
    """One of the images that are compared."""

    text: str
    layer: Any


def swiped(before: np.ndarray, after: np.ndarray, share: float) -> np.ndarray:
    """Return `before`, the left `share` of whose columns come from `after`.

    Examples
    --------
    >>> swiped(np.zeros((1, 4, 3)), np.ones((1, 4, 3)), 0.25)[0, :, 0].tolist()
    [1.0, 0.0, 0.0, 0.0]
    """
    picture = np.array(before)
    columns = round(share * before.shape[1])
    picture[:, :columns] = after[:, :columns]
    return picture


class CompareSlider(QWidget):
    """Slider through several images: one alone, or two side by side at a line.

    Parameters
    ----------
    viewer : napari.Viewer
        Where to show.
    layers : callable
        Returns bright-field, virtual and true layer, None for what there is not.
    """

    def __init__(self, viewer: Any, layers: Callable[[], tuple[Any, Any, Any]]) -> None:
        super().__init__()
        self._viewer = viewer
        self._layers = layers
        self._visible_before: list[tuple[Any, bool]] | None = None
        self._dimmed = False
        self._picture: Any = None
        self._reference: Any = None  # where the picture lies
        self._drawn: dict[Any, np.ndarray] = {}
        self._cleanup = Cleanup()
        self._add_widgets()
        self._blink_timer = QTimer(self)
        self._blink_timer.setInterval(_BLINK_MS)
        self._blink_timer.timeout.connect(self._blink)
        self._settle = debouncer(self, _SETTLE_MS, self._draw_again)
        self.follow()

    def _add_widgets(self) -> None:
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setObjectName("compare")
        self.slider.setAccessibleName("Compare")
        self.slider.setPageStep(STEPS)
        self.slider.setSingleStep(5)
        self.texts = QGridLayout()
        self.texts.setContentsMargins(0, 0, 0, 0)
        self.labels = [QLabel(), QLabel(), QLabel()]
        for column, label in enumerate(self.labels):
            self.texts.addWidget(label, 0, column)
        self.blink_button = button(
            "Blink", "Alternate between the last two images", self._on_blink, name="blink"
        )
        self.blink_button.setCheckable(True)
        self.back_button = button(
            "Show all layers",
            "End the comparison and restore the visibility of all layers",
            self.end,
            name="end_comparison",
        )
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setVerticalSpacing(2)
        grid.addWidget(self.slider, 0, 0)
        grid.addLayout(self.texts, 1, 0)
        grid.addWidget(in_row(self.blink_button, self.back_button, stretch=None), 2, 0)
        self.setFocusProxy(self.slider)
        self.slider.valueChanged.connect(self._apply)

    @property
    def stops(self) -> list[Stop]:
        """The images that there are to compare."""
        texts = ("bright-field", "virtual", "true")
        pairs = zip(texts, self._layers(), strict=True)
        return [Stop(text, layer) for text, layer in pairs if layer is not None]

    @property
    def is_comparing(self) -> bool:
        """Whether layers are hidden for a comparison."""
        return self._visible_before is not None

    def follow(self) -> None:
        """Offer the images of the moment; each end is named after what it shows."""
        stops = self.stops
        ready = len(stops) > 1
        if self.is_comparing and (not ready or self._was_deleted()):
            self.end()
        blocked = self.slider.blockSignals(True)
        self.slider.setRange(0, STEPS * max(1, len(stops) - 1))
        self.slider.blockSignals(blocked)
        for place, label in enumerate(self.labels):
            label.setText(stops[place].text if place < len(stops) else "")
            label.setVisible(place < len(stops))
            last = place == len(stops) - 1
            side = "Left" if place == 0 else "Right" if last else "HCenter"
            label.setAlignment(getattr(Qt.AlignmentFlag, f"Align{side}"))
        self.slider.setEnabled(ready)
        self.blink_button.setEnabled(ready)
        self.back_button.setEnabled(self.is_comparing)
        self.slider.setToolTip(_READY if ready else _NOT_READY)
        if self.is_comparing:
            self._draw_again()

    def end(self) -> None:
        """Bring back what was visible before the comparison."""
        self._blink_timer.stop()
        self._settle.cancel()
        self._cleanup.run()
        self.blink_button.setChecked(False)
        visible, self._visible_before = self._visible_before, None
        self._drawn.clear()
        if visible is None:
            return
        for layer, was_visible in visible:
            if still_there(self._viewer, layer) is not None:
                layer.visible = was_visible
        self._picture = still_there(self._viewer, self._picture)
        if self._picture is not None:
            self._picture.visible = False
        if self._dimmed:
            dim(self._layers()[0])
        blocked = self.slider.blockSignals(True)
        self.slider.setValue(0)
        self.slider.blockSignals(blocked)
        self.back_button.setEnabled(False)

    def _was_deleted(self) -> bool:
        """Whether the user has deleted the picture: then the comparison is over."""
        return self._picture is not None and still_there(self._viewer, self._picture) is None

    def _begin(self) -> None:
        """Note which images are visible, and follow the frame."""
        if self.is_comparing:
            return
        images = [layer for layer in self._viewer.layers if isinstance(layer, Image)]
        self._visible_before = [(layer, layer.visible) for layer in images]
        bright_field = self._layers()[0]
        self._dimmed = bright_field is not None and bright_field.colormap.name == DIMMED
        brighten(bright_field)
        self._cleanup.connect(self._viewer.dims.events.point, self._on_moved)
        self.back_button.setEnabled(True)

    def _apply(self, value: int) -> None:
        stops = self.stops
        if len(stops) < 2:
            return
        self._begin()
        place, share = divmod(value, STEPS)
        alone = stops[place].layer if share == 0 else None
        if share:
            self._show_picture(stops[place].layer, stops[place + 1].layer, share / STEPS)
        for layer in self._viewer.layers:
            if isinstance(layer, Image):
                layer.visible = layer is (alone if alone is not None else self._picture)

    def _show_picture(self, before: Any, after: Any, share: float) -> None:
        """Draw two images into the layer of the comparison."""
        reference = self.stops[0].layer
        picture = swiped(self._plane(before, reference), self._plane(after, reference), share)
        layer = still_there(self._viewer, self._picture)
        if layer is None:
            self._add_picture(picture, reference)
            return
        layer.data = picture
        if self._reference is not reference:
            self._reference = reference
            for name, value in flat_geometry(geometry_of(reference)).items():
                setattr(layer, name, value)
            layer.metadata = provenance("compare", reference.name)

    def _plane(self, layer: Any, reference: Any) -> np.ndarray:
        key = id(layer)
        if key not in self._drawn:
            grey = AVAILABLE_COLORMAPS["gray"] if layer.colormap.name == DIMMED else None
            self._drawn[key] = rendered(self._viewer, layer, reference, grey)
        return self._drawn[key]

    def _add_picture(self, picture: np.ndarray, reference: Any) -> None:
        """Add the layer of the comparison above the images, below outlines and tracks."""
        layers, chosen = self._viewer.layers, self._viewer.layers.selection.active
        self._reference = reference
        self._picture = Image(
            picture,
            rgb=True,
            name=NAME,
            metadata=provenance("compare", reference.name),
            **flat_geometry(geometry_of(reference)),
        )
        places = [place for place, layer in enumerate(layers) if isinstance(layer, Image)]
        layers.insert(max(places, default=-1) + 1, self._picture)
        layers.selection.active = chosen

    def _on_moved(self, _event: Any = None) -> None:
        self._drawn.clear()
        if self.slider.value() % STEPS:
            self._settle.throttle()

    def _draw_again(self) -> None:
        self._drawn.clear()
        if self.is_comparing:
            self._apply(self.slider.value())

    def _on_blink(self) -> None:
        if self.blink_button.isChecked():
            self._blink()
            self._blink_timer.start()
        else:
            self._blink_timer.stop()

    def _blink(self) -> None:
        """Go to the last stop, or from there to the one before."""
        last = self.slider.maximum()
        self.slider.setValue(last - STEPS if self.slider.value() == last else last)
