"""Results follow the name of the layer that they were made from.

A result names its source in its metadata and in its own name. Without this, a renamed movie would
have no stain any more: nothing to compare with, and no former result to replace.
"""

from __future__ import annotations

from typing import Any

from .description import base_name, provenance_of, unwrap


class Renames:
    """Watches the names of a viewer's layers.

    Parameters
    ----------
    viewer : napari.Viewer
        Whose layers are followed.
    """

    def __init__(self, viewer: Any) -> None:
        self._viewer = viewer
        self._names: dict[int, tuple[Any, str]] = {}
        self.note()

    def note(self, _event: Any = None) -> None:
        """Remember the names of all layers."""
        layers = map(unwrap, self._viewer.layers)
        self._names = {id(layer): (layer, layer.name) for layer in layers}

    def follow(self, _event: Any = None) -> None:
        """Hand the new name of each renamed layer on to its results."""
        known = self._names
        self.note()
        for layer in map(unwrap, list(self._viewer.layers)):
            _, before = known.get(id(layer), (layer, layer.name))
            if before != layer.name:
                _hand_on(self._viewer, before, layer.name)


def _hand_on(viewer: Any, before: str, now: str) -> None:
    for layer in map(unwrap, list(viewer.layers)):
        record = provenance_of(layer)
        if record.get("source") != before:
            continue
        record["source"] = now
        base = base_name(layer.name)
        if base != layer.name and base == base_name(before):
            layer.name = layer.name.replace(base, base_name(now), 1)
