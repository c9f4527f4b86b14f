"""Colormaps and outlines of the layers of a session, as JSON holds them."""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.utils.colormaps import AVAILABLE_COLORMAPS, Colormap

from ...layers.colours import label_colormap, track_colormap

CONTOUR = "contour"
_NUMBER = "track_id"


def colours_of(layer: Any, kind: str) -> dict[str, Any]:
    """Return the colours of a layer: napari's by their name, others with all that they hold."""
    if kind == "image":
        return {"colormap": _written(layer.colormap)}
    if kind == "labels":
        is_own = layer.colormap.name == label_colormap().name
        return {"own": is_own, CONTOUR: int(layer.contour)}
    if kind == "tracks":
        own = layer.colormaps_dict.get(_NUMBER)
        return {"own": own is not None and own.name == track_colormap().name}
    return {}


def looks_from(colours: dict[str, Any], kind: str) -> dict[str, Any]:
    """Return the keywords that give a layer the colours that :func:`colours_of` wrote."""
    if "colormap" in colours:
        return {"colormap": _read(colours["colormap"])}
    if not colours.get("own"):
        return {}
    if kind == "labels":
        return {"colormap": label_colormap()}
    return {"colormaps_dict": {_NUMBER: track_colormap()}}


def _written(colormap: Any) -> Any:
    if colormap.name in AVAILABLE_COLORMAPS:
        return str(colormap.name)
    return {
        "name": str(colormap.name),
        "colors": np.asarray(colormap.colors).tolist(),
        "controls": np.asarray(colormap.controls).tolist(),
        "interpolation": str(getattr(colormap.interpolation, "value", colormap.interpolation)),
    }


def _read(colormap: Any) -> Any:
    """Return a colormap; a name that is not known here stands for grey."""
    if isinstance(colormap, dict):
        return Colormap(**colormap)
    return colormap if colormap in AVAILABLE_COLORMAPS else "gray"
