"""Debounced calls: only the last of several changes in quick succession counts."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtCore import QObject
from superqt.utils import QSignalDebouncer


def debouncer(parent: QObject, milliseconds: int, slot: Callable[[], object]) -> QSignalDebouncer:
    """Return what calls `slot` once nothing has asked for it for some milliseconds.

    Its `throttle` asks, its `cancel` takes that back; it dies with `parent`.
    """
    made = QSignalDebouncer(parent=parent)
    made.setTimeout(milliseconds)
    made.triggered.connect(slot)
    return made
