"""The wide dock at the bottom of the window, in front together with the inspector."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QMainWindow, QWidget

from ..kit.dock_place import dock_of
from ..layers.description import unwrap

_BOTTOM = Qt.DockWidgetArea.BottomDockWidgetArea
# below the canvas only: below the side docks too, their height would leave it a few lines
_CORNERS = {
    Qt.Corner.BottomLeftCorner: Qt.DockWidgetArea.LeftDockWidgetArea,
    Qt.Corner.BottomRightCorner: Qt.DockWidgetArea.RightDockWidgetArea,
}


class WideDock:
    """Widget that is docked at the bottom when it is first needed.

    While another tab is in front of its owner, it leaves its room to the canvas; one that the user
    has moved to another side, or floats, stays where it is.

    Parameters
    ----------
    viewer : napari.Viewer
        Of the window; without one the widget stays a hidden child of its owner.
    widget : QWidget
        To be docked.
    owner : QWidget
        Whose dock it follows.
    title : str
        Of the dock.
    """

    def __init__(self, viewer: Any, widget: QWidget, owner: QWidget, title: str) -> None:
        self._viewer, self._widget, self._owner, self._title = viewer, widget, owner, title
        self._dock: Any = None
        self._owners_dock: Any = None
        self._steps_aside = False
        self._corners: dict[Any, Any] = {}
        widget.setParent(owner)
        widget.hide()

    def open(self) -> None:
        """Dock the widget, unless that was done before."""
        window = getattr(self._viewer, "window", None)
        if self._dock is not None or window is None:
            return
        self._dock = unwrap(window.add_dock_widget(self._widget, name=self._title, area="bottom"))
        main = self._widget.window()
        if isinstance(main, QMainWindow):
            self._corners = {corner: main.corner(corner) for corner in _CORNERS}
            for corner, area in _CORNERS.items():
                main.setCorner(corner, area)
            height = self._widget.sizeHint().height()
            main.resizeDocks([self._dock], [height], Qt.Orientation.Vertical)
        self._owners_dock = dock_of(self._owner)
        if self._owners_dock is not None:
            self._owners_dock.visibilityChanged.connect(self._follow)
            if not self._owner.isVisible():
                self._follow(False)

    def to_front(self) -> None:
        """Show the widget, also after the user has closed its dock."""
        self.open()
        if self._dock is None:
            self._widget.show()
            return
        self._steps_aside = False
        self._dock.show()
        self._dock.raise_()

    def close(self) -> None:
        """Take the dock away; the widget goes back to its owner and dies with it."""
        if self._dock is None:
            return
        with suppress(RuntimeError):
            main = self._dock.window()
            for corner, area in self._corners.items() if isinstance(main, QMainWindow) else ():
                main.setCorner(corner, area)
        with suppress(RuntimeError, TypeError):
            if self._owners_dock is not None:
                self._owners_dock.visibilityChanged.disconnect(self._follow)
        with suppress(LookupError):  # somebody may have removed it before
            self._viewer.window.remove_dock_widget(self._widget)
        self._dock = None
        self._widget.setParent(self._owner)

    def _follow(self, is_owner_in_front: bool) -> None:
        dock = self._dock
        with suppress(RuntimeError):  # the window is being taken down
            window = dock.window()
            if dock.isFloating() or not isinstance(window, QMainWindow):
                return
            if window.dockWidgetArea(dock) != _BOTTOM:
                return
            if is_owner_in_front and self._steps_aside:
                self._steps_aside = False
                dock.show()
            elif not is_owner_in_front and not dock.isHidden() and not window.isMinimized():
                self._steps_aside = True
                dock.hide()
