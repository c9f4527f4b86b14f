"""A slider that fades from bright-field over the virtual to the true fluorescence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QGridLayout, QLabel, QSlider, QWidget

_STEPS = 100


def fade(position: float) -> tuple[float, float, float]:
    """Return the opacities of bright-field, virtual and true fluorescence.

    Parameters
    ----------
    position : float
        0 shows bright-field, 1 the virtual, 2 the true fluorescence.

    Examples
    --------
    >>> fade(0.25), fade(2.0)
    ((0.75, 0.25, 0.0), (0.0, 0.0, 1.0))
    """
    virtual = max(0.0, 1.0 - abs(position - 1.0))
    return max(0.0, 1.0 - position), virtual, max(0.0, position - 1.0)


class CompareSlider(QWidget):
    """Fades between layers that it asks for whenever it is moved.

    Parameters
    ----------
    layers : callable
        Returns bright-field, virtual and true layer, None for what there is not.
    """

    def __init__(self, layers: Callable[[], tuple[Any, Any, Any]]) -> None:
        super().__init__()
        self._layers = layers
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setObjectName("compare")
        self.slider.setAccessibleName("Compare")
        self.slider.setToolTip(
            "Fade from bright-field to the virtual and on to the true fluorescence (arrow keys)"
        )
        self.slider.setRange(0, 2 * _STEPS)
        self.slider.setPageStep(_STEPS)
        self.slider.setSingleStep(10)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setVerticalSpacing(0)
        grid.addWidget(self.slider, 0, 0, 1, 3)
        sides = (
            Qt.AlignmentFlag.AlignLeft,
            Qt.AlignmentFlag.AlignHCenter,
            Qt.AlignmentFlag.AlignRight,
        )
        for column, (text, side) in enumerate(
            zip(("bright-field", "virtual", "true"), sides, strict=True)
        ):
            grid.addWidget(QLabel(text), 1, column, side)
        self.setFocusProxy(self.slider)
        self.slider.valueChanged.connect(self._apply)

    def follow(self) -> None:
        """Offer as much of the way as there are layers for."""
        _, virtual, true = self._layers()
        stops = 2 if true is not None else 1
        blocked = self.slider.blockSignals(True)
        self.slider.setRange(0, stops * _STEPS)
        self.slider.blockSignals(blocked)
        self.setEnabled(virtual is not None or true is not None)
        self.slider.setToolTip(
            "Fade from bright-field to the virtual and on to the true fluorescence (arrow keys)"
            if self.isEnabled()
            else "Stain a movie first; then fade between the layers here"
        )

    def _apply(self, value: int) -> None:
        for layer, opacity in zip(self._layers(), fade(value / _STEPS), strict=True):
            if layer is not None:
                layer.visible = opacity > 0
                layer.opacity = opacity
