"""Insertion of results as layers, new or in the place of former ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from qtpy.compat import isalive
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QApplication, QMainWindow

from ..kit.worker_threads import collecting_later
from .description import base_name, hand_on_sampling, has_layer, provenance_of, source_of
from .replacing import Former, take_over

Geometry = dict[str, Any]
_SHOWN_AFTER_MS = 30


def insert(viewer: Any, layer: Any) -> Any:
    """Insert `layer` into the viewer without one long stand-still, and return it.

    napari takes 60 ms to make the controls and the drawing of a layer, and 30 to 40 ms to paint
    the window and to draw the layer for the first time. The layer is inserted hidden, and the
    window is painted a little later, once for both, so that these do not fall together. A layer
    that is hidden or shown meanwhile stays so.
    """
    visible, layer.visible = layer.visible, False
    chosen = viewer.layers.selection.active
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
        layer.events.visible.disconnect(decide)
        if visible and not decided and has_layer(viewer, layer):
            layer.visible = True

    decided: list[bool] = []

    def decide() -> None:
        decided.append(True)

    try:
        with collecting_later():
            viewer.add_layer(layer)
            if not visible:  # napari makes every new layer the active one, hidden ones too
                viewer.layers.selection.active = chosen
    finally:
        layer.events.visible.connect(decide)
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
    if (active := viewer.layers.selection.active) is not None and not active.visible:
        viewer.layers.selection.active = former.layer  # what is hidden cannot be worked on
    return Placed(former.layer, former)


def hide_stains(viewer: Any, source: str) -> list[Any]:
    """Hide all that was stained of `source`: stain, preview, frames of a training; return it."""
    steps = ("stain", "preview", "train")
    return [layer for step in steps for layer in hide_results(viewer, source, step)]


def hide_results(viewer: Any, source: str, step: str) -> list[Any]:
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
