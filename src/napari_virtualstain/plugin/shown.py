"""How the results of the steps become layers; the same for each dock and for Run all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .layers import layer_name, provenance
from .segment_job import Cut, SegmentRequest
from .segment_job import Started as SegmentStarted
from .stain_job import StainRequest
from .stain_job import Started as StainStarted

if TYPE_CHECKING:
    from .track_job import TrackRequest, TrackResult

Geometry = dict[str, Any]
COLOUR_BY = {
    "identity": ("track_id", "hsv"),
    "speed": ("speed_um_per_s", "viridis"),
    "quality": ("quality", "cividis"),
    "length": ("length_frames", "viridis"),
}


def add_stain_layers(
    viewer: Any, started: StainStarted, request: StainRequest, name: str, geometry: Geometry
) -> tuple[Any, Any]:
    """Add the fluorescence layer, and that of the uncertainty or None; return both."""
    common = {
        "contrast_limits": (0.0, 1.0),
        "metadata": provenance(
            "stain",
            name,
            model=started.model_name,
            sha256=started.model_sha256,
            settings={
                "model": request.model,
                "pixel_size_um": request.pixel_size_um,
                "device": request.device,
                "tile": request.tile,
                "temporal": request.temporal,
                "offset": request.region.offset,
                "shape": request.region.shape,
            },
        ),
        **geometry,
    }
    errors = None
    if started.uncertainty is not None:
        errors = viewer.add_image(
            started.uncertainty,
            name=layer_name(name, "uncertainty"),
            colormap="magma",
            visible=False,
            **common,
        )
    layer = viewer.add_image(
        started.fluorescence,
        name=layer_name(name, "fluorescence"),
        colormap="green",
        blending="additive",
        **common,
    )
    return layer, errors


def add_labels_layer(
    viewer: Any,
    started: SegmentStarted,
    request: SegmentRequest,
    cut: Cut,
    name: str,
    geometry: Geometry,
) -> Any:
    """Add the layer of labels and return it."""
    settings = {"model": request.model, "pixel_size_um": request.pixel_size_um, **as_dict(cut)}
    return viewer.add_labels(
        started.labels,
        name=layer_name(name, "mitochondria"),
        opacity=0.6,
        metadata=provenance(
            "segment",
            name,
            model=started.model_name,
            sha256=started.model_sha256,
            settings=settings,
        ),
        **geometry,
    )


def add_track_layers(
    viewer: Any,
    result: TrackResult,
    request: TrackRequest,
    name: str,
    geometry: Geometry,
    colour: str = "identity",
) -> Any:
    """Add labels that keep their number, if there are any, and the tracks; return the latter."""
    settings = {
        "config": request.settings,
        "interval": request.frame_interval_s,
        "pixel_size_um": request.pixel_size_um,
    }
    metadata = provenance("track", name, settings=settings)
    if result.labels is not None:
        viewer.add_labels(
            np.asarray(result.labels),
            name=layer_name(name, "tracked"),
            metadata=provenance("relabel", name, settings=settings),
            opacity=0.5,
            **geometry,
        )
    column, colormap = COLOUR_BY[colour]
    return viewer.add_tracks(
        result.data,
        features=result.features,
        graph=result.graph,
        name=layer_name(name, "tracks"),
        metadata={**metadata, "tracks": result.tracks},
        tail_length=min(30, int(result.data[:, 1].max()) + 1),
        tail_width=3,
        blending="translucent",
        color_by=column,
        colormap=colormap,
        **geometry,
    )


def track_sentence(tracks: Any) -> str:
    """Return how many tracks, fissions and fusions there are."""
    kinds = tracks.events["kind"]
    counts = [f"{int((kinds == kind).sum())} {kind}s" for kind in ("fission", "fusion")]
    return f"{len(tracks)} tracks, " + ", ".join(counts) + "."


def as_dict(cut: Cut) -> dict[str, Any]:
    """Return a cut as plain settings."""
    return {"threshold": cut.threshold, "min_area_um2": cut.min_area_um2, "split": cut.split}
