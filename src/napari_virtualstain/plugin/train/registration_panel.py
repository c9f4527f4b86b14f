"""The measured shift between the channels, as points in a plot and as an overlay."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image
from qtpy.QtWidgets import QVBoxLayout, QWidget

from ...data import plane_at
from ..kit.controls import button, in_row, note
from ..kit.layer_region import visible_index
from ..layers.description import flat_geometry, geometry_of, layer_name, provenance
from ..layers.insertion import insert

if TYPE_CHECKING:
    from ...data import Alignment

_CERTAIN, _UNKNOWN = "#00b7eb", "#9aa0a6"


class RegistrationPanel(QWidget):
    """A point for each group of pairs: where the fluorescence lies, and how surely.

    Parameters
    ----------
    viewer : napari.Viewer
        Where the overlay is shown.
    fluorescence : callable
        Returns the layer of true fluorescence of the first pair, or None.
    measure : callable
        Starts the measurement.
    """

    def __init__(
        self, viewer: Any, fluorescence: Callable[[], Any], measure: Callable[[], None]
    ) -> None:
        super().__init__()
        self._viewer, self._fluorescence = viewer, fluorescence
        self.found: dict[str, Alignment] = {}
        self._plot: Any = None
        self.measure_button = button(
            "Measure",
            "Measure the shift between the channels of each pair or region",
            measure,
            name="measure_shifts",
        )
        self.overlay_button = button(
            "Show overlay",
            "Add the fluorescence of the visible frame as correction would move it",
            self.show_overlay,
            name="show_aligned",
        )
        self.text = note(name="registration")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(in_row(self.measure_button, self.overlay_button, stretch=None))
        layout.addWidget(self.text)
        self.clear()

    @property
    def plot(self) -> Any:
        """The plot, made when it is first needed: importing pyqtgraph takes a while."""
        if self._plot is None:
            self._plot = _shift_plot()
            layout = self.layout()
            layout.insertWidget(layout.indexOf(self.text), self._plot)
            self._take_colours()
        return self._plot

    def showEvent(self, event: Any) -> None:
        """Follow the theme of the window."""
        super().showEvent(event)
        self._take_colours()

    def changeEvent(self, event: Any) -> None:
        """Follow the theme of the window."""
        super().changeEvent(event)
        self._take_colours()

    def _take_colours(self) -> None:
        if getattr(self, "_plot", None) is not None:
            from .plot import follow_theme

            follow_theme(self._plot, self)

    def clear(self) -> None:
        """Forget what was measured, of other layers."""
        self.show_found({})

    def show_found(self, found: dict[str, Alignment]) -> None:
        """Draw and write what was measured."""
        self.found = found
        self.overlay_button.setEnabled(any(one.is_certain for one in found.values()))
        if found or self._plot is not None:
            self._draw(found)
        lines = [f"{group}: {one.text}" for group, one in found.items()]
        if any(one.is_worth_correcting for one in found.values()):
            lines.append("Tick Correct registration to undo this before training.")
        self.text.setText("\n".join(lines))
        self.text.setVisible(bool(lines))

    def _draw(self, found: dict[str, Alignment]) -> None:
        import pyqtgraph

        self.plot.clear()
        self.plot.setVisible(bool(found))
        different = {id(one): one for one in found.values()}.values()
        known = [one for one in different if not one.problem]
        self.points = pyqtgraph.ScatterPlotItem(
            x=[one.dx for one in known],
            y=[one.dy for one in known],
            size=9,
            brush=[_CERTAIN if one.is_certain else _UNKNOWN for one in known],
            pen=None,
        )
        self.plot.addItem(self.points)
        for one in known:
            if one.is_certain and one.spread_px > 0:
                around = np.linspace(0, 2 * np.pi, 60)
                ring = one.spread_px * np.array([np.cos(around), np.sin(around)])
                self.plot.plot(one.dx + ring[0], one.dy + ring[1], pen=_CERTAIN)
        for angle in (0, 90):
            self.plot.addItem(pyqtgraph.InfiniteLine(0, angle=angle, pen=_UNKNOWN))

    def show_overlay(self) -> None:
        """Add the visible fluorescence moved back, in green."""
        from scipy import ndimage

        from ...data import straightened

        layer = self._fluorescence()
        certain = [one for one in self.found.values() if one.is_certain]
        if layer is None or not certain:
            return
        one = certain[0]
        plane = plane_at(layer.data, visible_index(self._viewer, layer))
        turned = straightened(plane, one.angle_deg, one.scale)
        moved = ndimage.shift(turned, (-one.dy, -one.dx), order=1, mode="nearest")
        name = layer_name(layer.name, "aligned")
        for old in [known for known in self._viewer.layers if known.name == name]:
            self._viewer.layers.remove(old)
        insert(
            self._viewer,
            Image(
                moved.astype(np.float32),
                name=name,
                colormap="green",
                blending="additive",
                metadata=provenance("train", layer.name),
                **flat_geometry(geometry_of(layer)),
            ),
        )


def _shift_plot() -> Any:
    import pyqtgraph

    plot = pyqtgraph.PlotWidget()
    plot.setLabel("bottom", "dx (px)")
    plot.setLabel("left", "dy (px)")
    plot.invertY(True)  # as in the image
    plot.setAspectLocked(True)
    plot.setMouseEnabled(x=False, y=False)
    plot.setMenuEnabled(False)
    plot.hideButtons()
    plot.showGrid(x=True, y=True, alpha=0.2)
    for side in ("left", "bottom"):
        plot.getAxis(side).enableAutoSIPrefix(False)  # else thousandths of a pixel
    plot.setFixedHeight(170)
    plot.setToolTip(
        "Where the fluorescence lies with respect to the bright-field; blue: certain, grey: "
        "unknown, the ring: standard error"
    )
    plot.wheelEvent = lambda event: event.ignore()
    return plot
