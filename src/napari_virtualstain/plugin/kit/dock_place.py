"""One place in the window for all docks of the plugin, and the way from one to the next.

Docks that stack make the window grow until run buttons lie below the screen, so each new
dock becomes a tab of those that are open.
"""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDockWidget, QMainWindow, QTabBar, QWidget

from ..layers.description import unwrap
from .preferences import PLUGIN

_MARK = "virtualstain_dock"


def dock_of(widget: QWidget) -> QDockWidget | None:
    """Return the dock that holds `widget`, None where it is in no dock."""
    parent = widget.parentWidget()
    while parent is not None and not isinstance(parent, QDockWidget):
        parent = parent.parentWidget()
    return parent


def share_place(widget: QWidget, title: str) -> None:
    """Make the dock of `widget` a tab beside the plugin's other docks.

    Parameters
    ----------
    widget : QWidget
        Inside a dock; elsewhere nothing happens.
    title : str
        Text of the tab. napari's own title, which names the plugin too, is too long for one.
    """
    dock, window = dock_of(widget), widget.window()
    if dock is None or not isinstance(window, QMainWindow) or dock.property(_MARK):
        return
    area = window.dockWidgetArea(dock)
    beside = [
        other
        for other in window.findChildren(QDockWidget)
        if other.property(_MARK) and not other.isFloating() and window.dockWidgetArea(other) == area
    ]
    dock.setProperty(_MARK, True)
    dock.setWindowTitle(title)
    if beside and not dock.isFloating():
        window.tabifyDockWidget(beside[-1], dock)
        dock.raise_()
        _keep_titles_whole(window, title)


def _keep_titles_whole(window: QMainWindow, title: str) -> None:
    """Let tabs that do not fit be scrolled to: cut to two letters they would say nothing."""
    for bar in window.findChildren(QTabBar):
        if any(bar.tabText(place).replace("&", "") == title for place in range(bar.count())):
            bar.setElideMode(Qt.TextElideMode.ElideNone)
            bar.setUsesScrollButtons(True)


def can_open_docks(viewer: Any) -> bool:
    """Whether `viewer` has a window that docks can be opened in."""
    return hasattr(getattr(viewer, "window", None), "add_plugin_dock_widget")


def open_dock(viewer: Any, display_name: str) -> Any:
    """Return the dock of that name in front of the others, opened if it was not open."""
    dock, widget = viewer.window.add_plugin_dock_widget(PLUGIN, display_name)
    shown = unwrap(dock)
    shown.show()
    shown.raise_()
    return unwrap(widget)
