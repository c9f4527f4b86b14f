"""Planes of a Labels layer that were painted by hand."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np

from ..kit.cleanup import Cleanup


class Corrections:
    """Painted planes of one layer, which cutting again leaves alone.

    Parameters
    ----------
    changed : callable
        Called when a plane was painted on.
    """

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._cleanup = Cleanup()
        self.layer: Any = None
        self.planes: set[tuple[int, ...]] = set()

    def watch(self, layer: Any) -> None:
        """Follow the brush on `layer` from now on."""
        self.forget()
        self.layer = layer
        self._cleanup.connect(layer.events.paint, self._on_paint)

    def forget(self) -> None:
        """Let go of the layer and of what was painted."""
        self._cleanup.run()
        self.layer = None
        self.planes.clear()

    def _on_paint(self, event: Any) -> None:
        shape = event.source.data.shape[:-2]
        for indices, *_ in event.value:
            painted = [
                range(*part.indices(size)) if isinstance(part, slice) else np.unique(part).tolist()
                for part, size in zip(indices[:-2], shape, strict=False)
            ]
            self.planes.update(product(*painted))
        self._changed()
