"""Layers of a virtual stain and of its expected error."""

from __future__ import annotations

from typing import Any

from napari.layers import Image

from ..layers.colours import ERROR_COLORMAP, STAIN_COLORMAP, dim
from ..layers.description import find_layer, layer_name, provenance
from ..layers.insertion import Geometry, Placed, hide_stains, place
from .job import StainRequest, Started


def add_stain_layer(
    viewer: Any,
    started: Started,
    request: StainRequest,
    name: str,
    geometry: Geometry,
    *,
    keep_former: bool = False,
) -> Placed:
    """Show the fluorescence, or its uncertainty, as a layer."""
    low, high = started.limits
    looks: dict[str, Any] = {"colormap": STAIN_COLORMAP, "blending": "additive"}
    if started.kind == "uncertainty":
        low, looks = 0.0, {"colormap": ERROR_COLORMAP, "visible": False}
    layer = Image(
        started.data,
        name=layer_name(name, started.kind),
        contrast_limits=(low, high),
        metadata=provenance(
            "stain",
            name,
            kind=started.kind,
            model=started.model_name,
            sha256=started.model_sha256,
            settings={
                "model": request.model,
                "pixel_size_um": request.pixel_size_um,
                "device": request.device,
                "tile": request.tile,
                "offset": request.region.offset,
                "shape": request.region.shape,
                **request.settings.model_dump(exclude={"model", "frames"}),
            },
        ),
        **looks,
        **geometry,
    )
    if started.kind == "fluorescence":
        hide_stains(viewer, name)
        dim(find_layer(viewer, name))
    return place(viewer, layer, keep_former=keep_former)
