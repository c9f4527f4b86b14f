"""Tracks, labels and docks that the tests of the inspector share."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QPushButton

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


def docked(viewer: Any, qtbot: Any, wait_for: Any) -> InspectorWidget:
    """Return the dock in a real window, once the canvas has its size."""
    widget = InspectorWidget(viewer)
    viewer.window.add_dock_widget(widget, name="Track inspector")
    wait_for(widget, "done")
    canvas, sizes = viewer.window._qt_viewer.canvas.native, []
    for _ in range(30):  # Qt moves docks in steps
        sizes.append((canvas.width(), canvas.height()))
        if len(sizes) > 3 and len(set(sizes[-4:])) == 1:
            break
        qtbot.wait(50)
    return widget


def canvas_point(viewer: Any, world: tuple[float, float]) -> QPoint:
    """Return where a place of the world is on the canvas."""
    camera = viewer.scene.camera if hasattr(viewer, "scene") else viewer.camera
    canvas = viewer.window._qt_viewer.canvas.native
    middle = np.array([canvas.height(), canvas.width()]) / 2
    row, column = middle + (np.array(world) - np.asarray(camera.center)[-2:]) * camera.zoom
    return QPoint(round(column), round(row))


def click(viewer: Any, qtbot: Any, world: tuple[float, float]) -> None:
    """Click on the canvas."""
    canvas = viewer.window._qt_viewer.canvas.native
    qtbot.mouseClick(canvas, Qt.MouseButton.LeftButton, pos=canvas_point(viewer, world))
    qtbot.wait(50)


def click_on(qtbot: Any, widget: Any, name: str) -> None:
    """Click with the mouse on a button by its name."""
    made = widget.findChild(QPushButton, name)
    assert made.isVisible(), name
    assert made.isEnabled(), name
    qtbot.mouseClick(made, Qt.MouseButton.LeftButton)


def type_key(viewer: Any, key: Any, with_: Any = Qt.KeyboardModifier.NoModifier) -> None:
    """Press a key where the focus of the window is."""
    viewer.window._qt_window.activateWindow()
    QTest.qWait(20)
    QTest.keyClick(QApplication.focusWidget(), key, with_)


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
