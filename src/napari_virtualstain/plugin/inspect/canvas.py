"""Clicks on the canvas: choosing a mitochondrion, or placing a detection."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

_STILL_PX = 4
_REACH_PX = 12.0
_NEUTRAL = ("pan_zoom", "transform", "select", "pick")


class CanvasClicks:
    """Listener to clicks, which passes on their place in the coordinates of the inspected layer.

    A drag, a click with a key held down, or one while a layer is painted on is left to napari.

    Parameters
    ----------
    viewer : napari.Viewer
        Whose canvas is listened to.
    clicked : callable
        Takes frame, row, column and how far from the place a track still counts, in pixels.
    """

    def __init__(self, viewer: Any, clicked: Callable[[tuple[float, ...], float], None]) -> None:
        self._viewer, self._clicked = viewer, clicked
        self.layer: Any = None
        viewer.mouse_drag_callbacks.append(self._on_press)

    def stop(self) -> None:
        """Stop listening."""
        if self._on_press in self._viewer.mouse_drag_callbacks:
            self._viewer.mouse_drag_callbacks.remove(self._on_press)

    def _on_press(self, viewer: Any, event: Any) -> Iterator[None]:
        if event.button != 1 or event.modifiers or self._is_painting():
            return
        start = np.array(event.pos, float)
        yield
        while event.type == "mouse_move":
            if np.abs(np.array(event.pos, float) - start).max() > _STILL_PX:
                return
            yield
        layer = self.layer
        if viewer.dims.ndisplay != 2 or layer is None:
            return
        world = np.asarray(event.position, float)[-layer.ndim :]
        place = tuple(float(value) for value in layer.world_to_data(world))
        camera = getattr(viewer, "scene", viewer).camera
        per_pixel = float(np.abs(np.asarray(layer.scale, float)[-1])) * float(camera.zoom)
        self._clicked(place, _REACH_PX / max(per_pixel, 1e-9))

    def _is_painting(self) -> bool:
        active = self._viewer.layers.selection.active
        return str(getattr(active, "mode", "pan_zoom")) not in _NEUTRAL
