"""Importing torch before the user asks for it: a second less until the first frame."""

from __future__ import annotations

import sys

from qtpy.QtCore import QObject, QTimer

from .background import import_torch
from .jobs import JobRunner

_AFTER_MS = 700


class WarmUp(QObject):
    """Imports torch in a thread, once a dock stands ready to run and nobody does anything.

    Parameters
    ----------
    parent : QWidget
        The dock; the timer dies with it.
    """

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.runner = JobRunner(self)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_AFTER_MS)
        self._timer.timeout.connect(self._start)

    def soon(self) -> None:
        """Begin in a moment; each further call puts it off."""
        if "torch" not in sys.modules and not self.runner.state.is_active:
            self._timer.start()

    def stop(self) -> None:
        """Begin no more; an import that runs already ends by itself."""
        self._timer.stop()
        self.runner.abandon()

    def _start(self) -> None:
        if "torch" not in sys.modules and not self.runner.state.is_active:
            self.runner.start(lambda _context: import_torch(), "Loading torch")
