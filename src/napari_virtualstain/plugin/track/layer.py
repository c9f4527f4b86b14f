"""Layers of tracks, and of labels in which a mitochondrion keeps its number."""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.layers import Labels, Tracks

from ...progress import counted
from ..layers.colours import label_colormap, outline_width, track_colormap
from ..layers.description import layer_name, provenance
from ..layers.insertion import Geometry, Placed, hide_results, place
from ..layers.replacing import fingerprint, mark_painted
from .job import TrackRequest, TrackResult

COLOUR_BY = {
    "identity": ("track_id", "viridis"),
    "speed": ("speed_um_per_s", "viridis"),
    "quality": ("quality", "plasma"),
    "length": ("length_frames", "viridis"),
}


def add_relabelled_layer(
    viewer: Any,
    labels: Any,
    request: TrackRequest,
    name: str,
    geometry: Geometry,
    tracked: Any = None,
    *,
    keep_former: bool = False,
) -> Placed:
    """Show the labels in which a mitochondrion keeps its number.

    The layer that was `tracked` is hidden: the colours of both would mix.
    """
    layer = Labels(
        np.asarray(labels),
        name=layer_name(name, "tracked"),
        metadata=provenance("relabel", name, settings=_settings(request)),
        opacity=1.0,
        colormap=label_colormap(),
        **geometry,
    )
    layer.contour = outline_width(layer.data.shape)
    hide_results(viewer, name, "relabel")
    if tracked is not None:
        tracked.visible = False
    layer.events.paint.connect(mark_painted)
    return place(viewer, layer, keep_former=keep_former)


def add_tracks_layer(
    viewer: Any,
    result: TrackResult,
    request: TrackRequest,
    name: str,
    geometry: Geometry,
    colour: str = "identity",
    *,
    keep_former: bool = False,
) -> Placed:
    """Show the tracks as a layer."""
    hide_results(viewer, name, "track")
    column, colormap = COLOUR_BY[colour]
    layer = Tracks(
        result.data,
        features=result.features,
        graph=result.graph,
        name=layer_name(name, "tracks"),
        metadata={
            **provenance(
                "track",
                name,
                settings=_settings(request),
                rows=fingerprint(result.data),
            ),
            "tracks": result.tracks,
        },
        tail_length=min(30, int(result.data[:, 1].max()) + 1),
        tail_width=3,
        blending="translucent",
        color_by=column,
        colormap=colormap,
        colormaps_dict={"track_id": track_colormap()},
        **geometry,
    )
    return place(viewer, layer, keep_former=keep_former)


def track_sentence(tracks: Any) -> str:
    """Return how many tracks, fissions and fusions there are."""
    kinds = tracks.events["kind"]
    numbers = [("track", len(tracks))]
    numbers += [(kind, int((kinds == kind).sum())) for kind in ("fission", "fusion")]
    return ", ".join(counted(number, kind) for kind, number in numbers)


def doubt_said(tracks: Any) -> str:
    """Return what makes the tracks doubtful, to stand after a sentence; empty if nothing does."""
    from ...tracking import doubt_about

    doubt = doubt_about(tracks)
    return f" {doubt}" if doubt else ""


def _settings(request: TrackRequest) -> dict[str, Any]:
    return {
        "config": request.settings.model_dump(),
        "interval": request.frame_interval_s,
        "pixel_size_um": request.pixel_size_um,
    }
