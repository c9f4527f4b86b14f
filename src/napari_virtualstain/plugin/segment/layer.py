"""Layer of the outlines of mitochondria."""

from __future__ import annotations

from typing import Any

from napari.layers import Labels

from ..layers.colours import label_colormap, outline_width
from ..layers.description import layer_name, provenance
from ..layers.insertion import Geometry, Placed, hide_results, place
from ..layers.replacing import mark_painted
from .job import SegmentRequest, Started


def add_labels_layer(
    viewer: Any,
    started: Started,
    request: SegmentRequest,
    name: str,
    geometry: Geometry,
    *,
    keep_former: bool = False,
) -> Placed:
    """Show the labels as a layer of outlines."""
    hide_results(viewer, name, "segment")
    settings = {
        "model": request.model,
        "pixel_size_um": request.pixel_size_um,
        **request.settings.model_dump(exclude={"model"}),
    }
    layer = Labels(
        started.labels,
        name=layer_name(name, "mitochondria"),
        opacity=1.0,
        colormap=label_colormap(),
        metadata=provenance(
            "segment",
            name,
            model=started.model_name,
            sha256=started.model_sha256,
            settings=settings,
        ),
        **geometry,
    )
    layer.contour = outline_width(layer.data.shape)
    layer.events.paint.connect(mark_painted)
    return place(viewer, layer, keep_former=keep_former)
