"""Layer of the outlines of mitochondria, and its planes that were painted by hand."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
from napari.layers import Labels

from ..kit.cleanup import Cleanup
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
