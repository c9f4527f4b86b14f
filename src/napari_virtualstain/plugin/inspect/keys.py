"""Keys of the inspector: in its docks, and on the canvas while its tracks are the active layer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtGui import QKeySequence, QShortcut
from qtpy.QtWidgets import QWidget

_WRITTEN = {"Del": "Delete", "Esc": "Escape"}  # as napari writes them


class InspectorKeys:
    """Keys that work where a hand is while it goes through tracks.

    Over other layers napari's own keys stay as they are.

    Parameters
    ----------
    slots : dict of str to callable
        What each key does.
    dock : QWidget
        While it is hidden, the keys on the canvas do nothing.
    """

    def __init__(self, slots: dict[str, Callable[[], Any]], dock: QWidget) -> None:
        self._slots, self._dock = slots, dock
        self._layer: Any = None
        self.add_to(dock)

    def add_to(self, widget: QWidget) -> None:
        """Let the keys work while a widget, or one inside it, has the focus."""
        for key, slot in self._slots.items():
            if key == "Esc" and widget is self._dock:
                continue  # it cancels a job there too, which the dock decides
            shortcut = QShortcut(QKeySequence(key), widget)
            shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            shortcut.activated.connect(slot)

    def follow(self, layer: Any) -> None:
        """Let the keys work on the canvas while `layer` is active, None for no layer."""
        if layer is self._layer:
            return
        for key, slot in self._slots.items():
            name = _WRITTEN.get(key, key)
            if self._layer is not None:
                self._layer.bind_key(name, None)
            if layer is not None:
                layer.bind_key(name, self._on_canvas(slot), overwrite=True)
        self._layer = layer

    def stop(self) -> None:
        """Give the keys of the canvas back."""
        self.follow(None)

    def _on_canvas(self, slot: Callable[[], Any]) -> Callable[[Any], None]:
        def pressed(_layer: Any) -> None:
            if self._dock.isVisible():
                slot()

        return pressed
