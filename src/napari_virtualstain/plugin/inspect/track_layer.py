"""Between a Tracks layer and the state that the inspector edits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ...tracking import TrackState, track_rows
from ..layers.description import provenance_of, sampling_of
from ..track.job import track_features

Pixels = list[tuple[int, np.ndarray, int]]


def state_of(
    data: np.ndarray, features: pd.DataFrame, graph: dict[int, Any], tracks: Any
) -> TrackState:
    """Return what a Tracks layer holds.

    Parameters
    ----------
    data, features, graph
        Of the layer.
    tracks : Tracks or None
        The core's result that the layer was made from; it knows reasons and events.
    """
    rows = track_rows(data, features)
    if tracks is not None and len(tracks.table) == len(rows):
        rows["reason"] = tracks.table["reason"].to_numpy()
    parents = {
        int(child): [int(parent) for parent in np.atleast_1d(of)] for child, of in graph.items()
    }
    return TrackState(rows, parents, pd.DataFrame() if tracks is None else tracks.events)


def put_state(layer: Any, state: TrackState) -> None:
    """Show `state` in a Tracks layer: data, features, graph and the core's tracks in one go."""
    rows, stated = state.rows, sampling_of(layer)
    size_um, interval_s = stated.pixel_size_um or 1.0, stated.frame_interval_s or 1.0
    data = rows[["track_id", "frame", "y_px", "x_px"]].to_numpy(float)
    kept = rows.drop(columns=["frame", "y_px", "x_px", "reason"], errors="ignore")
    features = kept.reset_index(drop=True)
    if "speed_um_per_s" in features:
        columns = {str(name): column.to_numpy() for name, column in features.items()}
        features = track_features(data, columns, size_um, interval_s)
    colour = layer.color_by
    # napari warns when the feature that colours is away even for a moment
    layer.color_by = "track_id"
    layer.data = data
    layer.features = features
    layer.graph = state.graph
    layer.color_by = colour
    if layer.metadata.get("tracks") is not None:
        layer.metadata["tracks"] = _core_tracks(state, size_um, interval_s)


def labels_beside(viewer: Any, layer: Any) -> Any:
    """Return the layer of labels whose values are the numbers of these tracks, or None."""
    source = provenance_of(layer).get("source")
    for other in viewer.layers:
        record = provenance_of(other)
        if source is not None and record.get("step") == "relabel" and record["source"] == source:
            return other
    return None


def relabel(labels: Any, before: TrackState, after: TrackState) -> Pixels:
    """Give pixels of a Labels layer the numbers of `after`; return what they had.

    Returns
    -------
    list of (frame, flat indices, old value)
        For :func:`put_back`.
    """
    new = after.rows["track_id"].reindex(before.rows.index, fill_value=0)
    changed = before.rows[new != before.rows["track_id"]]
    done: Pixels = []
    for place, frame, old in zip(changed.index, changed["frame"], changed["track_id"], strict=True):
        if 0 <= frame < len(labels.data):
            plane = labels.data[int(frame)]
            pixels = np.flatnonzero(plane == old)
            plane.flat[pixels] = new[place]
            done.append((int(frame), pixels, int(old)))
    labels.refresh()
    return done


def put_back(labels: Any, pixels: Pixels) -> None:
    """Undo :func:`relabel`."""
    for frame, places, old in pixels:
        labels.data[frame].flat[places] = old
    labels.refresh()


def _core_tracks(state: TrackState, size_um: float, interval_s: float) -> Any:
    from ...tracking import Tracks

    table = state.rows.reset_index(drop=True)
    table["y_um"], table["x_um"] = table["y_px"] * size_um, table["x_px"] * size_um
    events = state.events if len(state.events) else None
    return Tracks.from_table(
        table, state.graph, events, pixel_size_um=size_um, frame_interval_s=interval_s
    )
