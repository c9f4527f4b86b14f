"""Clean-up actions of a dock, and its deletion in the GUI thread.

A dock never receives ``closeEvent``. Removed from the window it loses its parent;
when the window closes it is destroyed, and then its own slots are no longer called.
So the clean-up lives in a plain object that ``destroyed`` can still reach.

A dock that was removed from the window belongs to nobody but itself: its slots refer back to
it. Left to Python's garbage collector it may be freed in whichever thread allocates next, and
Qt objects that die outside the GUI thread while a signal is on its way crash the program.
So a removed dock is kept here until Qt has deleted it, in the GUI thread; what the collector
finds afterwards are empty shells.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from qtpy.QtCore import QFileSystemWatcher, QTimer
from qtpy.QtWidgets import QWidget

_REMOVED: list[QWidget] = []


class Cleanup:
    """Callables that run once, last registered first.

    Examples
    --------
    >>> log = []
    >>> cleanup = Cleanup()
    >>> cleanup.add(log.append, "closed")
    >>> cleanup.run(); cleanup.run()
    >>> log
    ['closed']
    """

    def __init__(self) -> None:
        self._steps: list[Callable[[], Any]] = []

    def add(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Call `function` with `arguments` at the end."""
        self._steps.append(lambda: function(*arguments))

    def connect(self, emitter: Any, slot: Callable[..., Any]) -> None:
        """Connect `slot` to a napari event emitter until the end."""
        emitter.connect(slot)
        self.add(emitter.disconnect, slot)

    def run(self) -> None:
        """Run what was registered; later calls do nothing."""
        while self._steps:
            step = self._steps.pop()
            # Half of the window may be gone already; each step is on its own.
            with suppress(RuntimeError, ValueError, TypeError, KeyError, AttributeError):
                step()


def delete_soon(widget: QWidget) -> None:
    """Silence a removed `widget` now, and delete it once the event loop is reached again.

    Parameters
    ----------
    widget : QWidget
        Without a parent; must not be used any more.
    """
    for timer in widget.findChildren(QTimer):
        timer.stop()
    for watcher in widget.findChildren(QFileSystemWatcher):
        watcher.blockSignals(True)
    _REMOVED.append(widget)
    widget.destroyed.connect(_release_soon)
    # from a timer, because processEvents() leaves out deletions asked for outside of events
    QTimer.singleShot(0, widget.deleteLater)


def _release_soon() -> None:
    QTimer.singleShot(0, _release_deleted)  # not within the destructor


def _release_deleted() -> None:
    _REMOVED[:] = [widget for widget in _REMOVED if _is_alive(widget)]


def _is_alive(widget: QWidget) -> bool:
    try:
        widget.objectName()
    except RuntimeError:
        return False
    return True
