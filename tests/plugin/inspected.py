"""Tracks, labels and docks that the tests of the inspector share."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from qtpy.QtWidgets import QPushButton

from napari_virtualstain.plugin.inspect.dock import InspectorWidget
from napari_virtualstain.plugin.track.job import TrackRequest, TrackResult, track_features
from napari_virtualstain.plugin.track.layer import add_relabelled_layer, add_tracks_layer
from napari_virtualstain.tracking import Tracks

SCALE = {"scale": (2.0, 0.1, 0.1), "units": ("s", "um", "um"), "axis_labels": ("t", "y", "x")}


def family() -> Tracks:
    """Tracks 1 and 2 of ten frames; 2 divides into 3 and 4, which live on for five."""
    spans = {1: range(10), 2: range(10), 3: range(10, 15), 4: range(10, 15)}
    rows = [(k, t, 1.0 * k, 2.0 + 0.05 * t) for k, frames in spans.items() for t in frames]
    table = pd.DataFrame(rows, columns=["track_id", "frame", "y_um", "x_um"])
    table["label"], table["area_um2"], table["quality"] = table.track_id, 1.0, 0.9
    event = {"kind": "fission", "frame": 10, "parents": "2", "children": "3;4", "probability": 1.0}
    events = pd.DataFrame([{**event, "time_s": 20.0, "y_um": 2.0, "x_um": 2.5}])
    return Tracks.from_table(
        table, {3: [2], 4: [2]}, events, pixel_size_um=0.1, frame_interval_s=2.0
    )


def add_family(viewer: Any, tracks: Tracks | None = None) -> None:
    """Add tracks with their labels and a movie to a viewer, as the tracking dock does."""
    tracks = family() if tracks is None else tracks
    data, properties, graph = tracks.to_napari()
    labels = np.zeros((15, 60, 64), np.int32)
    for track, t, y, x in data.astype(int):
        labels[t, y - 2 : y + 2, x - 2 : x + 2] = track
    glow = 10.0 + 100.0 * (labels > 0)
    viewer.add_image(glow.astype(np.float32), name="cell [fluorescence]", **SCALE)
    features = track_features(data, properties, 0.1, 2.0)
    request = TrackRequest(labels, None, 0.1, 2.0)
    add_relabelled_layer(viewer, labels, request, "cell", SCALE)
    add_tracks_layer(viewer, TrackResult(tracks, data, features, graph), request, "cell", SCALE)


def inspect(viewer: Any, qtbot: Any, wait_for: Any) -> InspectorWidget:
    """Return the dock, which fills by itself."""
    made = InspectorWidget(viewer)
    qtbot.addWidget(made)
    wait_for(made, "done")
    return made


def layer(widget: InspectorWidget) -> Any:
    """Return the Tracks layer."""
    return widget.viewer.layers["tracked · cell [tracks]"]


def labels(widget: InspectorWidget) -> np.ndarray:
    """Return the labels whose values are the tracks."""
    data: np.ndarray = widget.viewer.layers["tracked outlines · cell [tracked mitochondria]"].data
    return data


def choose(widget: InspectorWidget, track: int) -> None:
    """Select the row of a track in the table, as a click does."""
    row = int(np.flatnonzero(widget.table.frame["track_id"] == track)[0])
    widget.table.view.selectRow(widget.table.view.frame_model.view_row(row))


def press(widget: Any, name: str) -> None:
    """Press a button by its name."""
    widget.findChild(QPushButton, name).click()


def three_tracks() -> tuple[np.ndarray, pd.DataFrame]:
    """Three calm tracks; the second jumps, the third too, where its linker was in doubt."""
    rows = [(k, t, 10.0 * k + 0.1 * t, 20.0 + 0.5 * t) for k in (1, 2, 3) for t in range(10)]
    data = np.array(rows)
    data[15:20, 2] += 15
    data[27:30, 2] += 25
    quality = np.ones(30)
    quality[27] = 0.1
    return data, pd.DataFrame({"quality": quality, "area_um2": 1.0})
