"""The chosen mitochondrion on the canvas: its track and its outline over any background.

A track is not highlighted by rebuilding the whole Tracks layer, which takes seconds for many
tracks, but by layers that hold it alone. Each line is orange over a wider dark one: the orange
differs from grey, green and magenta for all kinds of colour vision, and the dark rim keeps it
apart from a bright background.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from napari.utils.colormaps import Colormap
from qtpy.QtCore import QTimer

from ..layers.description import geometry_of, has_layer, provenance, unwrap

OVERLAY = "inspected mitochondrion"
COLOUR = (1.0, 0.69, 0.0, 1.0)
HALO = (0.05, 0.05, 0.05, 1.0)
_LINE, _RIM = 4.0, 8.0
_FADE = 12
_RING_PX = 6.0


def is_overlay(layer: Any) -> bool:
    """Whether a layer only shows what is chosen in the inspector."""
    return str(layer.name).startswith(OVERLAY)


class SelectionOverlay:
    """Layers that show the chosen track, and where the viewer looks.

    Parameters
    ----------
    viewer : napari.Viewer
        Where to draw.
    """

    def __init__(self, viewer: Any) -> None:
        self._viewer = viewer
        self._layers: dict[str, Any] = {}
        self._dimmed: list[tuple[Any, float]] = []
        self._dropped: list[Any] = []
        self._later = QTimer()
        self._later.setSingleShot(True)
        self._later.setInterval(0)
        self._later.timeout.connect(self.drop)

    @property
    def layers(self) -> dict[str, Any]:
        """The layers on show: ``halo``, ``line`` and ``outline``."""
        return {kind: layer for kind, layer in self._layers.items() if self._holds(layer)}

    def prepare(self, rows: pd.DataFrame, layer: Any) -> None:
        """Make the layers, hidden, while the tracks are being listed: it takes napari a while."""
        self.show(rows, layer)
        names = ["frame", *(["z_px"] if layer.ndim == 4 else []), "y_px", "x_px"]
        self.outline(None, (0, 0), rows[names].iloc[0].to_numpy(float), layer)
        self.hide()

    def show(self, rows: pd.DataFrame, layer: Any) -> None:
        """Draw the rows of one track of `layer` on top; the active layer stays active."""
        names = ["track_id", "frame", *(["z_px"] if layer.ndim == 4 else []), "y_px", "x_px"]
        data = rows[names].to_numpy(float)
        for kind, colour, width in (("halo", HALO, _RIM), ("line", COLOUR, _LINE)):
            self._show_line(kind, data, layer, colour, width)

    def outline(
        self, mask: np.ndarray | None, corner: tuple[int, int], at: Any, layer: Any
    ) -> None:
        """Draw the outline of the chosen mitochondrion in one frame.

        Parameters
        ----------
        mask : ndarray of bool or None
            Its mask; None draws a ring instead.
        corner : tuple of int
            Row and column of the first pixel of the mask.
        at : tuple of float
            Frame, (plane,) row, column of the mitochondrion.
        layer : Tracks layer
            Whose coordinates these are.
        """
        path = _ring(at) if mask is None or not mask.any() else _contour(mask, corner)
        leading = np.broadcast_to(np.asarray(at[:-2], float), (len(path), len(at) - 2))
        points = np.column_stack([leading, path])
        data = np.concatenate([points, points])  # the rim first, so that the line lies on it
        size = np.repeat([1.9, 0.9], len(points))
        colours = np.repeat([HALO, COLOUR], len(points), axis=0)
        shown = self._layers.get("outline")
        if shown is not None and self._holds(shown):
            # first: a hidden layer goes on showing its former points, of which there may be more
            _set(shown, visible=True)
            shown.data = data
            shown.size = size
            shown.face_color = colours
            shown.border_color = colours
            return
        self._add(
            "outline",
            "points",
            data,
            layer,
            size=size,
            face_color=colours,
            # points of a pixel or two on the screen are drawn in the colour of their border,
            # also where it has no width
            border_color=colours,
            border_width=0,
            canvas_size_limits=(2, 60),
        )

    def no_outline(self) -> None:
        """Hide the outline: the mitochondrion is not in this frame."""
        if (shown := self.layers.get("outline")) is not None:
            _set(shown, visible=False)

    def hide(self) -> None:
        """Show nothing for now: removing layers takes napari a second."""
        for layer in self.layers.values():
            _set(layer, visible=False)

    def drop(self) -> None:
        """Take the layers away."""
        self._later.stop()
        self.dim(None)
        layers, self._layers, self._dropped = [*self._dropped, *self._layers.values()], {}, []
        for layer in layers:
            if self._holds(layer):
                self._viewer.layers.remove(unwrap(layer))

    def drop_soon(self) -> None:
        """Hide the layers now, and take them away when napari is not removing others."""
        self.dim(None)
        self.hide()
        self._dropped += self._layers.values()
        self._layers = {}
        self._later.start()

    def dim(self, layers: list[Any] | None) -> None:
        """Dim layers so that the chosen one stands out; None restores all."""
        for layer, opacity in self._dimmed:
            layer.opacity = opacity
        self._dimmed = [(layer, layer.opacity) for layer in layers or []]
        for layer in layers or []:
            layer.opacity = 0.2 * layer.opacity

    def look_at(self, layer: Any, place: tuple[float, ...], *, centre: bool = False) -> None:
        """Go to a place; the camera moves only where it is out of sight, or with `centre`.

        Parameters
        ----------
        layer : layer
            Whose coordinates `place` has.
        place : tuple of float
            Frame, (plane,) row, column.
        centre : bool
            Whether the camera moves in any case; the zoom stays.
        """
        point = layer.data_to_world(place)
        first = self._viewer.dims.ndim - layer.ndim
        for axis, value in enumerate(point[:-2]):
            self._viewer.dims.set_point(first + axis, value)
        self._centre(point[-2:], always=centre)

    def current_frame(self, layer: Any) -> int:
        """Return the frame of `layer` that the viewer shows."""
        first = self._viewer.dims.ndim - layer.ndim
        world = np.asarray(self._viewer.dims.point, float)[first:]
        return round(float(layer.world_to_data(world)[0]))

    def _show_line(self, kind: str, data: Any, layer: Any, colour: Any, width: float) -> None:
        shown = self._layers.get(kind)
        length = max(2, int(np.ptp(data[:, 1])) + 1)
        if shown is not None and self._holds(shown):
            shown.data = data
            _set(shown, tail_length=_FADE * length, head_length=length, visible=True)
            return
        flat = Colormap([colour, colour], name=f"virtualstain {kind}")
        self._add(
            kind,
            "tracks",
            data,
            layer,
            tail_width=width,
            tail_length=_FADE * length,
            head_length=length,
            colormaps_dict={"track_id": flat},
            blending="translucent",
        )

    def _add(self, kind: str, method: str, data: Any, layer: Any, **looks: Any) -> None:
        before = self._viewer.layers.selection.active
        name = OVERLAY if kind == "line" else f"{OVERLAY} [{kind}]"
        add = getattr(self._viewer, f"add_{method}")
        geometry = {**geometry_of(layer), **looks}
        made = add(data, name=name, metadata=provenance("inspect", layer.name), **geometry)
        self._layers[kind] = unwrap(made)
        if before is not None:
            self._viewer.layers.selection.active = before

    def _holds(self, layer: Any) -> bool:
        return has_layer(self._viewer, layer)

    def _centre(self, point: Any, *, always: bool) -> None:
        camera = getattr(self._viewer, "scene", self._viewer).camera
        centre = np.asarray(camera.center, float)[-2:]
        height, width = getattr(self._viewer.canvas, "size", (600, 800))
        half = np.array([height, width]) / camera.zoom / 2 * 0.9
        if always or np.any(np.abs(np.asarray(point, float) - centre) > half):
            camera.center = (*np.asarray(camera.center)[:-2], *point)


def _set(layer: Any, **looks: Any) -> None:
    """Set attributes that are not so yet: napari draws again even where nothing changes."""
    for name, value in looks.items():
        if getattr(layer, name) != value:
            setattr(layer, name, value)


def _contour(mask: np.ndarray, corner: tuple[int, int]) -> np.ndarray:
    """Return points along the border of a mask, at most a third of a pixel apart."""
    from skimage.measure import find_contours

    lines = find_contours(np.pad(mask, 1).astype(float), 0.5)
    dense = [_dense(line) for line in lines]
    points: np.ndarray = np.concatenate(dense) - 1 + np.asarray(corner, float)
    return points


def _dense(line: np.ndarray) -> np.ndarray:
    steps = np.linspace(0, len(line) - 1, 2 * len(line) - 1)
    places = np.arange(len(line))
    return np.column_stack([np.interp(steps, places, line[:, axis]) for axis in (0, 1)])


def _ring(at: Any) -> np.ndarray:
    angles = np.linspace(0, 2 * np.pi, 72, endpoint=False)
    circle = np.column_stack([np.sin(angles), np.cos(angles)])
    path: np.ndarray = np.asarray(at[-2:], float) + _RING_PX * circle
    return path
