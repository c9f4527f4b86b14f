"""Image layers that form the rows of the film, with their colours."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...kit.suitable_layers import is_movie
from ...layers.description import axes_of, base_name, provenance_of, source_of, unwrap
from .cells import FilmSource

_ORDER = ("bright-field", "virtual", "true", "image")


def role_of(layer: Any) -> str:
    """Return what an image layer shows: bright-field, virtual, true, or else image."""
    record, name = provenance_of(layer), str(layer.name).lower()
    if record.get("step") in ("stain", "train"):
        return "virtual"
    if record.get("role") == "bright_field" or "bright" in name:
        return "bright-field"
    if record.get("role") == "fluorescence" or any(w in name for w in ("fluor", "gfp", "mito")):
        return "true"
    return "image"


def film_layers(viewer: Any, tracks: Any) -> list[Any]:
    """Return the image layers that can be rows of the film: as many frames, planes as large.

    Parameters
    ----------
    viewer : napari.Viewer
        Whose layers are looked at.
    tracks : Tracks layer
        The tracks; layers of the same movie come first.
    """
    found = []
    for layer in map(unwrap, viewer.layers):
        if not is_movie(layer) or layer.ndim != tracks.ndim or "t" not in axes_of(layer):
            continue
        if "uncertainty" in layer.name or "preview" in layer.name:
            continue
        found.append(layer)
    ancestors = _ancestors(viewer, tracks)
    related = {base_name(one.name) for one in ancestors}

    def order(layer: Any) -> tuple[bool, int, bool]:
        own = any(layer is one for one in ancestors) or base_name(layer.name) in related
        return (not own, _ORDER.index(role_of(layer)), not layer.visible)

    return sorted(found, key=order)


def proposed(layers: list[Any]) -> list[Any]:
    """Return one layer of each role, bright-field first; images without a role only alone."""
    chosen: dict[str, Any] = {}
    for layer in layers:
        chosen.setdefault(role_of(layer), layer)
    if len(chosen) > 1:
        chosen.pop("image", None)
    return [chosen[role] for role in _ORDER if role in chosen]


def film_source(layer: Any, tracks: Any) -> FilmSource:
    """Return a layer as a row of the film of `tracks`."""
    origin = layer.world_to_data(tracks.data_to_world([0.0] * tracks.ndim))
    low, high = layer.contrast_limits
    colormap, gamma = layer.colormap, float(layer.gamma)

    def colours(values: np.ndarray) -> np.ndarray:
        return np.asarray(colormap.map(values**gamma))

    role = role_of(layer)
    name = layer.name if role == "image" else role
    offset = (float(origin[-2]), float(origin[-1]))
    return FilmSource(name, layer.data, colours, (float(low), float(high)), offset)


def _ancestors(viewer: Any, layer: Any) -> list[Any]:
    """Return the layers that a result was made from, the nearest first."""
    found: list[Any] = []
    while layer is not None and len(found) < 8:
        layer = unwrap(source_of(viewer, layer))
        if layer is not None:
            found.append(layer)
    return found
