"""Warm-up of torch before the user asks: a second less until the first frame."""

from __future__ import annotations

import sys

import numpy as np
from qtpy.QtCore import QObject

from ..kit.jobs import JobContext, JobRunner
from ..kit.preferences import preferences
from ..kit.settling import debouncer
from ..kit.worker_threads import import_torch

_AFTER_MS = 700


class WarmUp(QObject):
    """Import of torch in a thread, once a dock stands ready to run and nobody does anything.

    Parameters
    ----------
    parent : QWidget
        The dock; the timer dies with it.
    """

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.runner = JobRunner(self)
        self._timer = debouncer(self, _AFTER_MS, self._start)

    def soon(self) -> None:
        """Begin in a moment; each further call puts it off."""
        if "torch" not in sys.modules and not self.runner.state.is_active:
            self._timer.throttle()

    def stop(self) -> None:
        """Begin no more; an import that runs already ends by itself."""
        self._timer.cancel()
        self.runner.abandon()

    def _start(self) -> None:
        if "torch" not in sys.modules and not self.runner.state.is_active:
            threads = preferences().threads
            self.runner.start(lambda context: warm_up(threads, context), "Loading torch")


def warm_up(threads: int, context: JobContext) -> None:
    """Import torch and stain a blank patch, with which the arithmetic is chosen too."""
    import_torch(context.cancel)
    from ...engine import use_threads
    from ...staining import stain

    use_threads(threads)
    patch = np.random.default_rng(0).normal(100, 10, (64, 64)).astype(np.float32)
    stain(patch, pixel_size_um=0.08, device="cpu", cancel=context.cancel)
