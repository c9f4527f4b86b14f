"""Showing one track in the viewer: a layer of its own on top, and the camera.

A track is not highlighted by rebuilding the whole Tracks layer, which takes seconds for
many tracks, but by a layer that holds it alone.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ..layers.description import geometry_of, has_layer, provenance, unwrap

OVERLAY = "inspected mitochondrion"


class TrackHighlight:
    """The layer `inspected mitochondrion` and where the viewer looks.

    Parameters
    ----------
    viewer : napari.Viewer
        Where to draw.
    """

    def __init__(self, viewer: Any) -> None:
        self._viewer = viewer
        self._overlay: Any = None

    def show(self, rows: pd.DataFrame, layer: Any) -> None:
        """Draw the rows of one track of `layer` on top; the chosen layer stays chosen."""
        data = rows[["track_id", "frame", "y_px", "x_px"]].to_numpy(float)
        if self._overlay is not None and has_layer(self._viewer, self._overlay):
            self._overlay.data = data
            return
        before = self._viewer.layers.selection.active
        self._overlay = self._viewer.add_tracks(
            data,
            name=OVERLAY,
            tail_width=8,
            tail_length=max(30, len(data)),
            head_length=len(data),
            colormap="gray",
            blending="additive",
            metadata=provenance("inspect", layer.name),
            **geometry_of(layer),
        )
        if before is not None:
            self._viewer.layers.selection.active = before

    def drop(self) -> None:
        """Take the layer away."""
        overlay, self._overlay = self._overlay, None
        if overlay is not None and has_layer(self._viewer, overlay):
            self._viewer.layers.remove(unwrap(overlay))

    def look_at(self, layer: Any, frame: int, y_px: float, x_px: float) -> None:
        """Go to a place in time; the camera moves only where it is out of sight."""
        point = layer.data_to_world((frame, y_px, x_px))
        first = self._viewer.dims.ndim - layer.ndim
        self._viewer.dims.set_point(first, point[0])
        self._centre_if_outside(point[1:])

    def current_frame(self, layer: Any) -> int:
        """Return the frame of `layer` that the viewer shows."""
        first = self._viewer.dims.ndim - layer.ndim
        world = np.asarray(self._viewer.dims.point, float)[first:]
        return round(float(layer.world_to_data(world)[0]))

    def _centre_if_outside(self, point: Any) -> None:
        """Move the camera only where the target is out of sight; the zoom stays."""
        camera = getattr(self._viewer, "scene", self._viewer).camera
        centre = np.asarray(camera.center, float)[-2:]
        height, width = getattr(self._viewer.canvas, "size", (600, 800))
        half = np.array([height, width]) / camera.zoom / 2 * 0.9
        if np.any(np.abs(np.asarray(point, float) - centre) > half):
            camera.center = (*np.asarray(camera.center)[:-2], *point)
