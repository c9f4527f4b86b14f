"""Which layers the docks can work on, and what to say where none fits."""

from __future__ import annotations

from typing import Any

from ..layers.description import axes_of, provenance_of

LOAD_FIRST = "Load a bright-field movie first (dock Load time-lapse, or drop a file)."


def fitting_model(layer: Any) -> str:
    """Return the name of the shipped generator for a layer: simulated data has its own."""
    made = provenance_of(layer).get("step") if layer is not None else None
    return "mito-simulated" if made == "simulate" else "mito-h9c2"


def is_movie(layer: Any) -> bool:
    """Whether a layer is a grey image with nothing but t, z, y and x."""
    return (
        type(layer).__name__ == "Image"
        and not layer.rgb
        and not layer.multiscale
        and layer.ndim >= 2
        and "c" not in axes_of(layer)
    )


def nothing_fits(viewer: Any, advice: str) -> str:
    """Return why no image of the viewer fits, or `advice` where there is none at all."""
    for layer in viewer.layers:
        if type(layer).__name__ != "Image" or is_movie(layer):
            continue
        if layer.rgb:
            return f"{layer.name!r} is a colour image. Right-click the layer and choose Split RGB."
        if layer.multiscale:
            return f"{layer.name!r} is a pyramid. Open its finest level as a layer of its own."
        if "c" in axes_of(layer):
            return f"{layer.name!r} has channels. Right-click the layer and choose Split Stack."
    return advice
