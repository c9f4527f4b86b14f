"""Layers that suit a dock, with a message where none does."""

from __future__ import annotations

from typing import Any

from ..layers.channels import SPLIT
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
        and "c" not in axes_of(layer)
    )


def why_no_movie(layer: Any) -> str | None:
    """Return why an image is no movie of grey planes, None for movies and other layers."""
    if type(layer).__name__ != "Image" or is_movie(layer):
        return None
    if provenance_of(layer).get("step") == "compare":  # our own picture: nobody looks for it
        return None
    if layer.rgb:
        return "a colour image; right-click the layer and choose Split RGB"
    if layer.multiscale:
        return "a pyramid; open its finest level with the dock Load time-lapse"
    if "c" in axes_of(layer):
        return f"has channels; choose {SPLIT}"
    return None


def nothing_fits(viewer: Any, advice: str) -> str:
    """Return why no image of the viewer fits, or `advice` where there is none at all."""
    for layer in viewer.layers:
        if (reason := why_no_movie(layer)) is not None:
            what, _, remedy = reason.partition("; ")
            verb = "" if what.startswith("has") else "is "
            return f"{layer.name!r} {verb}{what}. {remedy[0].upper()}{remedy[1:]}."
    return advice
