"""Appearance of the window with the docks of the plugin in it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from npe2 import PluginManifest
from qtpy.QtCore import QPoint, Qt, QThreadPool
from qtpy.QtWidgets import QDockWidget, QTabBar

import napari_virtualstain

pytestmark = [pytest.mark.gui, pytest.mark.usefixtures("tiny_models")]
MANIFEST = Path(napari_virtualstain.__file__).parent / "napari.yaml"
PLUGIN = "napari-virtualstain"
DOCKS = {
    "Load time-lapse": "Load",
    "Virtual staining": "Stain",
    "Segment mitochondria": "Segment",
    "Track mitochondria": "Track",
    "Track inspector": "Inspect",
    "Train virtual staining": "Train",
    "Evaluate staining": "Evaluate",
    "Run all": "Run all",
    "Run on many movies": "Run many",
    "Export figure": "Figure",
}
SCALE = {"scale": (2.0, 0.08, 0.08), "units": ("s", "um", "um"), "axis_labels": ("t", "y", "x")}


@pytest.fixture
def viewer(make_napari_viewer: Any, npe2pm: Any, qtbot: Any) -> Iterator[Any]:
    npe2pm.register(PluginManifest.from_file(MANIFEST))
    made = make_napari_viewer(show=True)
    made.window._qt_window.setGeometry(0, 0, 1280, 720)
    qtbot.wait(50)
    yield made
    # a thread that still measures a layer holds its dock, and the dock the window
    pool = QThreadPool.globalInstance()
    qtbot.waitUntil(lambda: pool.activeThreadCount() == 0, timeout=10_000)
    qtbot.wait(50)


def _open(viewer: Any, name: str) -> Any:
    return viewer.window.add_plugin_dock_widget(PLUGIN, name)[1]


def _right_end(shown: Any, window: Any) -> int:
    return int(shown.mapTo(window, QPoint(shown.width(), 0)).x())


def _is_seen(dock: Any) -> bool:
    """Whether the dock is in front: Qt moves tabs that are behind out of the window."""
    return not dock.run_button.visibleRegion().isEmpty()


def test_with_all_docks_open_the_window_fits_a_laptop_and_each_button_can_be_pressed(
    viewer: Any, qtbot: Any
) -> None:
    window = viewer.window._qt_window
    for name in DOCKS:
        widget = _open(viewer, name)
        qtbot.wait(150)
        assert (window.width(), window.height()) == (1280, 720), name
        for shown in (widget.run_button, widget.status_label):
            assert shown.isVisible(), name
            right = partial(_right_end, shown, window)
            qtbot.waitUntil(lambda right=right: right() <= 1280, timeout=5000)
            corner = shown.mapTo(window, QPoint(shown.width(), shown.height()))
            assert corner.x() <= 1280, name
            assert corner.y() <= 720, name
        slider = viewer.window._qt_viewer.dims
        assert slider.mapTo(window, QPoint(0, slider.height())).y() <= 720
    bars = [bar for bar in window.findChildren(QTabBar) if bar.count() == len(DOCKS)]
    assert len(bars) == 1
    texts = [bars[0].tabText(place).replace("&", "") for place in range(bars[0].count())]
    assert texts == list(DOCKS.values())


def test_the_visible_movie_of_the_sample_is_the_active_layer(viewer: Any, qtbot: Any) -> None:
    opened = viewer.open_sample(PLUGIN, "simulated")
    qtbot.waitUntil(lambda: viewer.layers.selection.active is opened[0], timeout=5000)
    assert [layer.visible for layer in opened] == [True, False, False]
    assert viewer.layers.selection == {opened[0]}


def test_a_dock_that_stands_elsewhere_stays_there(viewer: Any, qtbot: Any) -> None:
    window = viewer.window._qt_window
    first, _ = viewer.window.add_plugin_dock_widget(PLUGIN, "Load time-lapse")
    window.addDockWidget(Qt.DockWidgetArea.LeftDockWidgetArea, first)
    second, _ = viewer.window.add_plugin_dock_widget(PLUGIN, "Run all")
    qtbot.wait(50)
    assert window.dockWidgetArea(first) == Qt.DockWidgetArea.LeftDockWidgetArea
    assert not window.tabifiedDockWidgets(second)


def test_from_an_opened_movie_to_tracks_in_six_presses(
    viewer: Any, qtbot: Any, wait_for: Any
) -> None:
    movie = napari_virtualstain.simulate(frames=5, size=96, count=6, seed=3).bright_field
    viewer.add_image(movie, name="cell bright-field", **SCALE)
    presses = 3  # menu Plugins, this plugin, Virtual staining
    stain = _open(viewer, "Virtual staining")
    stain.model.value, stain.device.value = "tiny", "cpu"
    qtbot.wait(50)
    qtbot.mouseClick(stain.run_button, Qt.MouseButton.LeftButton)
    wait_for(stain)
    assert stain.status_label.text().startswith("Stained 5 frames in ")
    docks = [stain]
    for name in ("Segment mitochondria", "Track mitochondria"):
        button = docks[-1].next_button
        qtbot.waitUntil(button.isVisible, timeout=5000)
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
        docks.append(_open(viewer, name))
        qtbot.waitUntil(lambda: _is_seen(docks[-1]) and not _is_seen(docks[-2]), timeout=5000)
        wait_for(docks[-1])
    presses += len(docks)
    assert presses <= 6
    assert [layer.metadata["virtualstain"]["step"] for layer in viewer.layers[1:]] == [
        "stain",
        "segment",
        "relabel",
        "track",
    ]
    assert re.match(r"\d+ tracks?, .* in [\d.]+ s\.$", docks[-1].status_label.text())
    qtbot.mouseClick(docks[-1].next_button, Qt.MouseButton.LeftButton)
    inspector = _open(viewer, "Track inspector")
    qtbot.waitUntil(lambda: _is_seen(inspector), timeout=5000)
    assert isinstance(inspector.parentWidget(), QDockWidget)


def test_no_tracking_is_offered_for_a_single_image(viewer: Any, qtbot: Any, wait_for: Any) -> None:
    stripes = np.zeros((64, 64), np.float32)
    stripes[20:30, 10:40] = 1.0
    plane = {"scale": (0.08, 0.08), "units": ("um", "um"), "axis_labels": ("y", "x")}
    viewer.add_image(stripes, name="cell [fluorescence]", **plane)
    viewer.add_image(np.stack([stripes] * 2), name="film [fluorescence]", **SCALE)
    segment = _open(viewer, "Segment mitochondria")
    segment.model.value, segment.device.value = "bright", "cpu"
    for name, offered in (("cell", False), ("film", True)):
        segment.source.value = viewer.layers[f"{name} [fluorescence]"]
        segment.run_button.click()
        wait_for(segment)
        assert "Found " in segment.status_label.text()
        qtbot.waitUntil(lambda offered=offered: segment.next_button.isVisible() == offered)


def test_the_next_step_is_offered_only_while_its_input_is_there(
    viewer: Any, qtbot: Any, wait_for: Any
) -> None:
    viewer.add_image(np.eye(64)[None].repeat(2, 0), name="cell bright-field", **SCALE)
    stain = _open(viewer, "Virtual staining")
    stain.model.value, stain.device.value = "tiny", "cpu"
    qtbot.wait(50)
    assert not stain.next_button.isVisible()
    stain.run_button.click()
    assert not stain.next_button.isVisible()
    wait_for(stain)
    assert stain.next_button.isVisible()
    viewer.layers.remove(viewer.layers[-1])
    assert not stain.next_button.isVisible()
