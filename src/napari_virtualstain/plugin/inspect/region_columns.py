"""Regions drawn in Shapes layers: which tracks pass through them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...tracking import EditableTracks
from ..kit.layer_region import onto, outline
from ..layers.description import flat_geometry, geometry_of, provenance, unwrap

_OPEN = ("line", "path")  # shapes without an inside
_COLOUR = "#56B4E9"


class RegionColumns:
    """The Shapes layers of a viewer as yes-or-no columns of the table of tracks.

    Parameters
    ----------
    viewer : napari.Viewer
        Whose Shapes layers are offered, by their names.
    changed : callable
        Called when a region that was asked for is drawn in, moved or removed.
    """

    def __init__(self, viewer: Any, changed: Callable[[], None]) -> None:
        self._viewer, self._changed = viewer, changed
        self._watched: list[Any] = []

    @property
    def layers(self) -> list[Any]:
        """The Shapes layers."""
        return [one for one in map(unwrap, self._viewer.layers) if type(one).__name__ == "Shapes"]

    def draw(self, tracks_layer: Any) -> Any:
        """Add an empty Shapes layer on the tracks, ready to draw in, and return it."""
        made = self._viewer.add_shapes(
            None,
            ndim=2,
            name="region",
            face_color="transparent",
            edge_color=_COLOUR,
            edge_width=1,
            metadata=provenance("inspect", tracks_layer.name),
            **flat_geometry(geometry_of(tracks_layer)),
        )
        made = unwrap(made)
        made.mode = "add_rectangle"
        self.watch(made)
        return made

    def watch(self, layer: Any) -> None:
        """Let the table follow what is drawn in a layer."""
        if not any(layer is one for one in self._watched):
            self._watched.append(layer)
            layer.events.data.connect(self._on_data)

    def forget_removed(self) -> None:
        """Follow removed layers no more; the table is filtered again where there was one."""
        there = self.layers
        gone = [one for one in self._watched if not any(one is layer for layer in there)]
        for layer in gone:
            layer.events.data.disconnect(self._on_data)
        self._watched = [one for one in self._watched if not any(one is layer for layer in gone)]
        if gone:
            self._changed()

    def stop(self) -> None:
        """Follow no layer any more."""
        for layer in self._watched:
            layer.events.data.disconnect(self._on_data)
        self._watched = []

    def columns(self, text: str, tracks: EditableTracks, ids: np.ndarray, layer: Any) -> Any:
        """Return for each Shapes layer that `text` names which of some tracks pass through it.

        Parameters
        ----------
        text : str
            A filter.
        tracks : EditableTracks
            The tracks.
        ids : ndarray of int
            Tracks of the table.
        layer : Tracks layer
            Whose pixels the tracks are in.

        Returns
        -------
        dict of str to ndarray of bool
            By name of the layer.
        """
        found = {}
        for shapes in self.layers:
            if shapes.name in text and layer is not None:
                self.watch(shapes)
                found[str(shapes.name)] = np.isin(ids, tracks_within(tracks, shapes, layer))
        return found

    def _on_data(self, _event: Any = None) -> None:
        self._changed()


def tracks_within(tracks: EditableTracks, shapes: Any, layer: Any) -> np.ndarray:
    """Return the tracks that are inside one of the shapes in at least one frame.

    Parameters
    ----------
    tracks : EditableTracks
        The tracks, in the pixels of `layer`.
    shapes : Shapes layer
        Rectangles, ellipses and polygons count; lines and paths have no inside.
    layer : Tracks layer
        Of the tracks.
    """
    from skimage.measure import points_in_poly

    rows = tracks.alive_rows()
    y_px, x_px = tracks["y_px"][rows], tracks["x_px"][rows]
    inside = np.zeros(len(rows), bool)
    for kind, corners in zip(shapes.shape_type, shapes.data, strict=True):
        if kind in _OPEN:
            continue
        border = np.column_stack(onto(layer, shapes, outline(kind, np.asarray(corners, float))))
        low, high = border.min(axis=0), border.max(axis=0)
        near = (y_px >= low[0]) & (y_px <= high[0]) & (x_px >= low[1]) & (x_px <= high[1])
        places = np.flatnonzero(near & ~inside)
        points = np.column_stack([y_px[places], x_px[places]])
        if len(points):
            inside[places] = points_in_poly(points, border)
    return np.unique(tracks["track_id"][rows[inside]])
