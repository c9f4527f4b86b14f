"""Synchronisation of edited tracks with their Tracks layer.

napari builds all lines of a Tracks layer again for each change of its data, a second for a
million rows. A small layer follows each edit at once; a large one follows when no edit has come
for a moment, while table, selection and masks are up to date from the start.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from qtpy.QtCore import QObject, QTimer

from ..layers.description import has_layer
from .model import InspectorModel

_AT_ONCE = 20_000
_PAUSE_MS = 1500


class LayerSync(QObject):
    """Tracks layer that follows the tracks of a model.

    Parameters
    ----------
    viewer : napari.Viewer
        Of the layer.
    model : InspectorModel
        Its edits are followed.
    parent : QObject
        The dock.
    """

    def __init__(self, viewer: Any, model: InspectorModel, parent: QObject) -> None:
        super().__init__(parent)
        self._viewer, self._model = viewer, model
        self.layer: Any = None
        self.is_putting = False
        self._features: list[str] = []
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_PAUSE_MS)
        self._timer.timeout.connect(self.put)
        model.edited.connect(self._on_edit)

    def watch(self, layer: Any) -> None:
        """Follow into another layer; what the last one still lacks is put first."""
        self.flush()
        self.layer = layer
        self._features = [str(name) for name in layer.features.columns]

    def stop(self) -> None:
        """Write pending changes, then stop following."""
        self.flush()
        self._model.edited.disconnect(self._on_edit)

    def flush(self) -> None:
        """Write pending changes at once."""
        if self._timer.isActive():
            self._timer.stop()
            self.put()

    def forget(self) -> bool:
        """Put nothing any more of what was put off; return whether something was."""
        was_waiting = bool(self._timer.isActive())
        self._timer.stop()
        return was_waiting

    def put(self) -> None:
        """Put the tracks into the layer: data, features, graph and the core's tracks."""
        layer, model = self.layer, self._model
        if layer is None or not has_layer(self._viewer, layer):
            return
        rows = model.tracks.to_frame()
        names = ["track_id", "frame", *(["z_px"] if layer.ndim == 4 else []), "y_px", "x_px"]
        # all features that the layer had, texts of other programs too
        kept = rows[[n for n in self._features if n in rows]].reset_index(drop=True)
        colour = layer.color_by
        self.is_putting = True
        try:
            # napari warns when the feature that colours is away even for a moment
            layer.color_by = "track_id"
            layer.data = rows[names].to_numpy(float)
            layer.features = kept
            layer.graph = {c: list(of) for c, of in model.tracks.parents.items()}
            layer.color_by = colour
            if layer.metadata.get("tracks") is not None:
                layer.metadata["tracks"] = core_tracks(model, rows)
        finally:
            self.is_putting = False

    def _on_edit(self, _tracks: Any) -> None:
        if self._model.tracks.row_count <= _AT_ONCE:
            self.put()
        else:
            self._timer.start()


def core_tracks(model: InspectorModel, rows: pd.DataFrame | None = None) -> Any:
    """Return the tracks of a model as the core holds them."""
    from ...tracking import Tracks

    table = model.tracks.to_frame() if rows is None else rows
    table = table.reset_index(drop=True)
    scale = model.scale
    table["y_um"], table["x_um"] = (table[n] * scale.per_pixel for n in ("y_px", "x_px"))
    events = model.tracks.events_frame()
    if len(events):
        for axis in ("y", "x"):
            known = events.get(f"{axis}_um", pd.Series(np.nan, index=events.index))
            made = events.get(f"{axis}_px", pd.Series(np.nan, index=events.index))
            events[f"{axis}_um"] = known.fillna(made * scale.per_pixel)
        times = events.get("time_s", pd.Series(np.nan, index=events.index))
        events["time_s"] = times.fillna(events["frame"] * scale.per_frame)
        events = events.drop(columns=["y_px", "x_px"], errors="ignore")
    return Tracks.from_table(
        table,
        model.tracks.parents,
        events if len(events) else None,
        pixel_size_um=scale.per_pixel,
        frame_interval_s=scale.per_frame,
    )
