"""Insertion of results as layers, for each dock and for Run all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image, Labels, Tracks
from qtpy.compat import isalive
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QApplication, QMainWindow

from ...progress import counted
from ...settings import SegmentSettings
from ..kit.background import collecting_later
from ..segment.job import SegmentRequest
from ..segment.job import Started as SegmentStarted
from ..stain.job import StainRequest
from ..stain.job import Started as StainStarted
from .description import (
    base_name,
    find_layer,
    hand_on_sampling,
    has_layer,
    layer_name,
    provenance,
    provenance_of,
    source_of,
)
from .looks import (
    ERROR_COLORMAP,
    STAIN_COLORMAP,
    dim,
    label_colormap,
    outline_width,
    track_colormap,
)
from .replacing import Former, fingerprint, mark_painted, take_over

if TYPE_CHECKING:
    from ..track.job import TrackRequest, TrackResult

Geometry = dict[str, Any]
_SHOWN_AFTER_MS = 30
COLOUR_BY = {
    "identity": ("track_id", "viridis"),
    "speed": ("speed_um_per_s", "viridis"),
    "quality": ("quality", "cividis"),
    "length": ("length_frames", "viridis"),
}


def insert(viewer: Any, layer: Any) -> Any:
    """Insert `layer` into the viewer without one long stand-still, and return it.

    napari takes 60 ms to make the controls and the drawing of a layer, and 30 to 40 ms to paint
    the window and to draw the layer for the first time. The layer is inserted hidden, and the
    window is painted a little later, once for both, so that these do not fall together.
    """
    visible, layer.visible = layer.visible, False
    windows = [
        window
        for window in QApplication.topLevelWidgets()
        if isinstance(window, QMainWindow) and window.isVisible()
    ]
    for window in windows:
        window.setUpdatesEnabled(False)

    def show() -> None:
        for window in windows:
            if isalive(window):  # the viewer may have been closed meanwhile
                window.setUpdatesEnabled(True)
        if visible and has_layer(viewer, layer):
            layer.visible = True

    try:
        with collecting_later():
            viewer.add_layer(layer)
    finally:
        QTimer.singleShot(_SHOWN_AFTER_MS, show)
    return layer


@dataclass(frozen=True, slots=True)
class Placed:
    """A result in the viewer.

    Attributes
    ----------
    layer : napari layer
        Shows it: a new layer, or that of the former result.
    former : Former or None
        What the layer held before.
    """

    layer: Any
    former: Former | None = None


def place(viewer: Any, layer: Any, *, keep_former: bool = False) -> Placed:
    """Show a new result, in the layer of the former one unless that is to be kept."""
    hand_on_sampling(source_of(viewer, layer), layer)
    former = None if keep_former else take_over(viewer, layer)
    if former is None:
        return Placed(insert(viewer, layer))
    former.layer.visible = layer.visible
    return Placed(former.layer, former)


def add_stain_layer(
    viewer: Any,
    started: StainStarted,
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
                "temporal": request.settings.temporal,
                "uncertainty": request.settings.uncertainty,
                "average": request.settings.average,
                "offset": request.region.offset,
                "shape": request.region.shape,
            },
        ),
        **looks,
        **geometry,
    )
    if started.kind == "fluorescence":
        for step in ("stain", "preview", "train"):
            hide_results(viewer, name, step)
        dim(find_layer(viewer, name))
    return place(viewer, layer, keep_former=keep_former)


def hide_results(viewer: Any, source: str, step: str = "stain") -> list[Any]:
    """Hide the visible results of a step on `source`, and return them.

    They mix with what is shown next: stains would look twice as bright, labels lose colour.
    """
    shown = [
        layer
        for layer in viewer.layers
        if layer.visible
        and provenance_of(layer).get("step") == step
        and base_name(str(provenance_of(layer).get("source"))) == base_name(source)
    ]
    for layer in shown:
        layer.visible = False
    return shown


def add_labels_layer(
    viewer: Any,
    started: SegmentStarted,
    request: SegmentRequest,
    cut: SegmentSettings,
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
        "width_um": request.settings.width_um,
        "average": request.settings.average,
        **as_dict(cut),
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
        metadata=provenance("relabel", name, settings=_track_settings(request)),
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
                settings=_track_settings(request),
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


def _track_settings(request: TrackRequest) -> dict[str, Any]:
    plane = {} if request.z_plane is None else {"z_plane": request.z_plane}
    return {
        "config": request.settings | plane,
        "interval": request.frame_interval_s,
        "pixel_size_um": request.pixel_size_um,
    }


def track_sentence(tracks: Any) -> str:
    """Return how many tracks, fissions and fusions there are."""
    kinds = tracks.events["kind"]
    numbers = [("track", len(tracks))]
    numbers += [(kind, int((kinds == kind).sum())) for kind in ("fission", "fusion")]
    return ", ".join(counted(number, kind) for kind, number in numbers)


def as_dict(cut: SegmentSettings) -> dict[str, Any]:
    """Return the settings that act on labels which are there already."""
    return {"threshold": cut.threshold, "min_area_um2": cut.min_area_um2, "split": cut.split}
