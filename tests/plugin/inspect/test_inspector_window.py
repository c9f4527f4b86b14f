"""The track inspector in a real window: what a hand presses and an eye sees."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QComboBox, QFileDialog, QLabel, QPushButton, QTabWidget

from napari_virtualstain.plugin.inspect.dock import InspectorWidget
from napari_virtualstain.plugin.inspect.overlay import COLOUR
from napari_virtualstain.plugin.kit.dock_place import dock_of

from .. import inspected

ORANGE = 255 * np.array(COLOUR[:3])


def _near_orange(picture: np.ndarray) -> np.ndarray:
    return np.abs(picture[..., :3].astype(float) - ORANGE).max(axis=-1) < 40


@pytest.fixture
def viewer(make_napari_viewer: Any) -> Any:
    made = make_napari_viewer(show=True)
    made.window._qt_window.resize(1280, 720)
    return made


@pytest.mark.gui
@pytest.mark.parametrize("background", ["black", "white", "gray"])
def test_the_chosen_mitochondrion_is_seen_over_any_background(
    viewer: Any, qtbot: Any, wait_for: Any, background: str
) -> None:
    rows = np.array([(k, t, 10.0 + 16 * k, 10.0 + 4 * t) for k in range(1, 4) for t in range(10)])
    grey = np.zeros((10, 64, 64), np.float32) if background == "black" else np.ones((10, 64, 64))
    if background == "gray":
        grey = np.random.default_rng(0).random((10, 64, 64))
    name = {"white": "gray", "black": "gray"}.get(background, background)
    viewer.add_image(grey, colormap=name, contrast_limits=(0, 1), **inspected.SCALE)
    viewer.add_tracks(rows, name="cell [tracks]", **inspected.SCALE)
    widget = inspected.docked(viewer, qtbot, wait_for)
    viewer.dims.set_point(0, 10.0)
    before = viewer.screenshot(canvas_only=True, flash=False)
    inspected.choose(widget, 2)
    viewer.dims.set_point(0, 10.0)
    qtbot.wait(200)
    after = viewer.screenshot(canvas_only=True, flash=False)
    assert _near_orange(after).sum() > _near_orange(before).sum() + 300
    # the dark rim lies around it
    dark = (after[..., :3] < 60).all(axis=-1) & (before[..., :3] >= 60).any(axis=-1)
    assert background == "black" or dark.sum() > 300


@pytest.mark.gui
@pytest.mark.parametrize("active", ["tracks", "labels", "stain"])
def test_a_click_on_the_canvas_chooses_in_every_view(
    viewer: Any, qtbot: Any, wait_for: Any, active: str
) -> None:
    inspected.add_family(viewer)
    qtbot.wait(300)
    widget = inspected.docked(viewer, qtbot, wait_for)
    names = {"tracks": "tracked · cell [tracks]", "stain": "cell [fluorescence]"}
    names["labels"] = "tracked outlines · cell [tracked mitochondria]"
    viewer.layers.selection.active = viewer.layers[names[active]]
    viewer.dims.set_point(0, 2.0 * 4)
    inspected.click(viewer, qtbot, (2.0, 2.2))
    assert widget.selection.track_id == 2
    assert widget.table.track_at(widget.table.row) == 2
    assert widget.workspace.film.strip.film.track_id == 2
    assert viewer.layers.selection.active is viewer.layers[names[active]]
    inspected.click(viewer, qtbot, (1.0, 2.2))
    assert widget.selection.track_id == 1
    assert set(viewer.layers["inspected mitochondrion"].data[:, 0]) == {1}
    inspected.click(viewer, qtbot, (5.0, 5.0))
    assert "no mitochondrion" in widget.status_label.text()
    assert widget.selection.track_id == 1


@pytest.mark.gui
def test_the_camera_moves_only_where_the_target_is_out_of_view_or_on_double_click(
    viewer: Any, qtbot: Any, wait_for: Any
) -> None:
    inspected.add_family(viewer)
    widget = inspected.docked(viewer, qtbot, wait_for)
    camera = viewer.scene.camera if hasattr(viewer, "scene") else viewer.camera
    centre = tuple(camera.center)
    inspected.choose(widget, 2)
    assert tuple(camera.center) == centre
    table = widget.table.view
    row = table.visualRect(table.currentIndex()).center()
    qtbot.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=row)
    qtbot.mouseDClick(table.viewport(), Qt.MouseButton.LeftButton, pos=row)
    assert tuple(camera.center) != centre
    camera.center = (0.0, 90.0, 90.0)
    inspected.choose(widget, 1)
    assert abs(camera.center[-2] - 1.0) < 1.0


@pytest.mark.gui
def test_an_outline_of_fewer_points_follows_a_hidden_one(
    viewer: Any, qtbot: Any, wait_for: Any
) -> None:
    inspected.add_family(viewer)
    widget = inspected.docked(viewer, qtbot, wait_for)
    pixels = inspected.labels(widget)
    pixels[:10, 30:50, 5:60] = 2  # much larger than its sister
    viewer.dims.set_point(0, 2.0 * 5)
    inspected.choose(widget, 2)
    outline = viewer.layers["inspected mitochondrion [outline]"]
    many = len(outline.data)
    line, rim = outline.size.min(), outline.size.max()
    assert rim - line == pytest.approx(1)  # half a pixel on each side
    inspected.press(widget, "delete")
    assert not outline.visible
    viewer.dims.set_point(0, 2.0 * 5)
    inspected.choose(widget, 1)
    assert outline.visible
    assert len(outline.data) < many
    assert len(outline.border_color) == len(outline.data)
    np.testing.assert_array_equal(outline.border_color, outline.face_color)


@pytest.mark.gui
def test_the_others_fade_on_request_and_come_back(viewer: Any, qtbot: Any, wait_for: Any) -> None:
    inspected.add_family(viewer)
    widget = inspected.docked(viewer, qtbot, wait_for)
    layer = inspected.layer(widget)
    inspected.choose(widget, 2)
    qtbot.wait(200)
    opacity = layer.opacity
    widget.dim_box.click()
    assert layer.opacity < 0.5 * opacity
    assert viewer.layers["inspected mitochondrion"].opacity == 1.0
    inspected.choose(widget, 1)
    assert layer.opacity < 0.5 * opacity
    widget.dim_box.click()
    assert layer.opacity == opacity


@pytest.mark.gui
def test_the_film_shows_all_frames_with_outlines_and_a_click_goes_there(
    viewer: Any, qtbot: Any, wait_for: Any, tmp_path: Path
) -> None:
    import imageio.v3 as imageio

    inspected.add_family(viewer)
    widget = inspected.docked(viewer, qtbot, wait_for)
    inspected.choose(widget, 2)
    strip = widget.workspace.film.strip
    strip.resize_pictures(0.2)  # all ten are in view
    assert [source.name for source in strip.film.sources] == ["true"]
    assert strip.film.frames == list(range(10))
    assert strip.film.cell(9).marks == ("fission",)
    qtbot.wait(100)
    picture = strip.viewport().grab().toImage()
    box = strip.box_of(1)
    colours = [
        picture.pixelColor(x, y).getRgb()[:3]
        for x in range(box.left(), box.right())
        for y in range(box.top(), box.bottom())
    ]
    assert _near_orange(np.array(colours)).sum() > 20  # the outline
    where = strip.box_of(6).center()
    qtbot.mouseClick(strip.viewport(), Qt.MouseButton.LeftButton, pos=where)
    assert viewer.dims.point[0] == pytest.approx(12.0)
    assert strip.frame == 6
    for ending in ("png", "tif", "gif", "mp4"):
        widget.workspace.film.save(tmp_path / f"film.{ending}")
        assert f"film.{ending}" in widget.status_label.text()
    assert _near_orange(imageio.imread(tmp_path / "film.png")).sum() > 500
    assert imageio.imread(tmp_path / "film.tif").shape[-1] == 3
    assert len(imageio.imread(tmp_path / "film.gif", index=None)) == 10
    assert len(imageio.imread(tmp_path / "film.mp4", plugin="pyav")) == 10
    widget.workspace.film.save(tmp_path / "film.bmp")
    assert "cannot be written as .bmp" in widget.status_label.text()


def _turn_to(widget: InspectorWidget, page: str) -> None:
    tabs: QTabWidget = widget.workspace
    tabs.setCurrentIndex(next(i for i in range(tabs.count()) if tabs.tabText(i) == page))


@pytest.mark.gui
def test_a_plot_that_could_not_be_saved_is_never_called_saved(
    viewer: Any, qtbot: Any, wait_for: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inspected.add_family(viewer)
    widget = inspected.docked(viewer, qtbot, wait_for)
    inspected.choose(widget, 1)
    _turn_to(widget, "Plots")
    plots = widget.workspace.plots
    button = plots.findChild(QPushButton, "export_plot")

    def exported(path: Path) -> str:
        monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(path), ""))
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
        return str(plots.fit_label.text())

    assert exported(tmp_path / "plot.png") == "Saved plot.png."
    assert (tmp_path / "plot.png").stat().st_size > 1000
    # pyqtgraph's SVG fails with Qt 6 (0.14: ValueError): it is not offered, and refused in words
    assert "expected .png or .csv" in exported(tmp_path / "plot.svg")
    (tmp_path / "a file").write_text("")
    for ending in ("png", "csv"):
        said = exported(tmp_path / "a file" / f"plot.{ending}")
        assert said
        assert "Saved" not in said


@pytest.mark.gui
def test_plots_have_units_and_a_fit_and_are_exported(
    viewer: Any, qtbot: Any, wait_for: Any, tmp_path: Path
) -> None:
    import imageio.v3 as imageio

    inspected.add_family(viewer)
    widget = inspected.docked(viewer, qtbot, wait_for)
    inspected.choose(widget, 1)
    _turn_to(widget, "Plots")
    plots = widget.workspace.plots
    kinds = widget.workspace.findChild(QComboBox, "plot")
    labels = {}
    for place in range(kinds.count()):
        kinds.setCurrentIndex(place)
        item = plots.plot.getPlotItem()
        labels[kinds.currentText()] = (
            item.getAxis("bottom").labelText,
            item.getAxis("left").labelText,
        )
        if kinds.currentText() == "speed":
            # 0.05 um a frame of 2 s
            np.testing.assert_allclose(plots.shown[0].y, 0.025)
            np.testing.assert_allclose(plots.shown[0].x, np.arange(2, 20, 2))
        if kinds.currentText() == "squared displacement":
            # directed motion: (0.025 um/s)^2 t^2
            np.testing.assert_allclose(plots.shown[0].y, (0.025 * plots.shown[0].x) ** 2)
            assert "α = 2.00" in plots.fit_label.text()
            assert "µm²/s^α" in plots.fit_label.text()
        if kinds.currentText() in ("speed", "distribution over all tracks"):
            before = [len(curve.x) for curve in plots.shown]
            plots.save(tmp_path / "plot.csv")
            plots.save(tmp_path / "plot.png")
            picture = imageio.imread(tmp_path / "plot.png")[..., :3]
            assert picture.shape[0] > 0.5 * picture.shape[1] == 800, "no flat strip"
            assert (picture[5, 5] == 255).all()
            blue = kinds.currentText() != "speed"
            colour = (86, 180, 233) if blue else (230, 159, 0)
            near = np.abs(picture.astype(int) - colour).max(axis=-1) < 30
            assert near.sum() > 500  # the curve, or the bars
            assert len(pd.read_csv(tmp_path / "plot.csv")) == sum(before)
            assert [len(curve.x) for curve in plots.shown] == before
    assert labels["speed"] == ("time (s)", "speed (µm/s)")
    assert labels["area"] == ("time (s)", "area (µm²)")
    assert labels["squared displacement"] == ("lag (s)", "squared displacement (µm²)")
    assert len(plots.shown) >= 2  # the histogram, and the chosen track in it
    assert plots.shown[0].y.sum() == 4  # tracks
    ticks = plots.plot.getPlotItem().getAxis("left")
    assert ticks.autoSIPrefixScale == 1.0


@pytest.mark.gui
def test_events_are_listed_rejected_and_undone(viewer: Any, qtbot: Any, wait_for: Any) -> None:
    inspected.add_family(viewer)
    widget = inspected.docked(viewer, qtbot, wait_for)
    inspected.choose(widget, 2)
    _turn_to(widget, "Fission and fusion")
    panel = widget.workspace.lineage
    assert {life.track_id for life in panel.lives} == {2, 3, 4}
    assert panel.table.frame.iloc[0, :3].tolist() == ["fission", 10, "2 → 3, 4"]
    panel.table.selectRow(0)
    assert widget.selection.track_id == 2
    inspected.press(panel, "accept")
    assert panel.table.frame["status"].tolist() == ["accepted"]
    viewer.dims.set_point(0, 2.0 * 8)
    inspected.press(panel, "move_event")
    assert panel.table.frame["frame"].tolist() == [8]
    assert widget.model.tracks.extent(2) == (0, 7)
    inspected.press(panel, "reject")
    assert panel.table.frame.empty
    assert "No fission or fusion" in panel.empty.text()
    assert not panel.empty.isHidden()
    assert not panel.findChild(QPushButton, "accept").isEnabled()
    assert inspected.layer(widget).graph == {}
    widget.selection.choose(2, 7, (3, 4))
    inspected.press(panel, "add_event")
    assert {c: list(of) for c, of in inspected.layer(widget).graph.items()} == {3: [2], 4: [2]}
    for _ in range(4):
        inspected.press(widget, "undo")
    assert widget.model.tracks.extent(2) == (0, 9)
    assert panel.table.frame["frame"].tolist() == [10]


@pytest.mark.gui
def test_the_wide_dock_leaves_its_room_while_another_tab_is_in_front(
    viewer: Any, qtbot: Any, wait_for: Any
) -> None:
    inspected.add_family(viewer)
    widget = inspected.docked(viewer, qtbot, wait_for)
    window, canvas = viewer.window._qt_window, viewer.window._qt_viewer.canvas.native
    own, wide = dock_of(widget), dock_of(widget.workspace)
    other = viewer.window.add_dock_widget(QLabel("other"), name="other")
    window.tabifyDockWidget(own, other)
    own.raise_()
    qtbot.wait(100)
    assert wide.isVisible()
    height = canvas.height()
    other.raise_()
    qtbot.waitUntil(lambda: not wide.isVisible(), timeout=5000)
    qtbot.waitUntil(lambda: canvas.height() > height + 80, timeout=5000)
    own.raise_()
    qtbot.waitUntil(lambda: wide.isVisible(), timeout=5000)
    wide.close()  # by hand: it stays closed until asked for
    other.raise_()
    own.raise_()
    qtbot.wait(200)
    assert not wide.isVisible()
    buttons = {one.text().replace("&", ""): one for one in widget.findChildren(QPushButton)}
    buttons["Film"].click()
    assert wide.isVisible()
    wide.setFloating(True)
    other.raise_()
    qtbot.wait(200)
    assert wide.isVisible()  # floating, it takes no room
    wide.setFloating(False)
    window.addDockWidget(Qt.DockWidgetArea.LeftDockWidgetArea, wide)
    for one in (own, other):
        one.raise_()
        qtbot.wait(100)
    assert wide.isVisible()  # where the user has put it


@pytest.mark.gui
def test_the_window_fits_a_small_screen(viewer: Any, qtbot: Any, wait_for: Any) -> None:
    inspected.add_family(viewer)
    widget = inspected.docked(viewer, qtbot, wait_for)
    inspected.choose(widget, 2)
    for page in ("Film", "Plots", "Fission and fusion"):
        _turn_to(widget, page)
        qtbot.wait(50)
        window = viewer.window._qt_window
        hint = window.minimumSizeHint().height()
        assert window.height() <= 720, (page, window.height(), hint)
        assert window.width() <= 1280, (page, window.width(), window.minimumSizeHint().width())


@pytest.mark.gui
def test_three_rows_with_their_times_and_a_table_are_seen_on_a_small_screen(
    viewer: Any, qtbot: Any, wait_for: Any
) -> None:
    inspected.add_family(viewer)
    glow = viewer.layers["cell [fluorescence]"].data
    viewer.add_image(-glow, name="cell bright-field", **inspected.SCALE)
    stain = {"virtualstain": {"step": "stain", "source": "cell bright-field"}}
    viewer.add_image(0.5 * glow, name="stained · cell", metadata=stain, **inspected.SCALE)
    widget = inspected.docked(viewer, qtbot, wait_for)
    inspected.choose(widget, 2)
    qtbot.wait(100)
    strip = widget.workspace.film.strip
    assert [one.name for one in strip.film.sources] == ["bright-field", "virtual", "true"]
    assert strip.verticalScrollBar().maximum() == 0
    assert strip.box_of(0, 2).bottom() + 14 < strip.viewport().height()
    assert strip.box_of(0).width() >= 50
    assert widget.table.view.viewport().height() >= 8 * 22
    title = widget.workspace.film.title
    assert title.text() == "No. 2"
    assert title.toolTip() == "Mitochondrion 2: 10 frames, 0 to 9"
    assert title.width() >= title.fontMetrics().horizontalAdvance(title.text())
    _turn_to(widget, "Plots")
    assert widget.workspace.plots.plot.height() >= 180
    window = viewer.window._qt_window
    corner = Qt.Corner.BottomRightCorner
    assert window.corner(corner) == Qt.DockWidgetArea.RightDockWidgetArea
    viewer.window.remove_dock_widget(widget)
    qtbot.wait(50)
    assert window.corner(corner) == Qt.DockWidgetArea.BottomDockWidgetArea


@pytest.mark.gui
def test_the_film_of_a_lazy_movie_is_read_in_the_background(
    viewer: Any, qtbot: Any, wait_for: Any
) -> None:
    import threading

    import dask.array as da

    read: list[threading.Thread] = []

    def plane(block: np.ndarray) -> np.ndarray:
        read.append(threading.current_thread())
        return block

    movie = da.ones((15, 60, 64), chunks=(1, 60, 64)).map_blocks(plane, dtype=float)
    viewer.add_image(movie, name="slow bright-field", contrast_limits=(0, 1), **inspected.SCALE)
    inspected.add_family(viewer)
    widget = inspected.docked(viewer, qtbot, wait_for)
    read.clear()
    inspected.choose(widget, 2)
    film = widget.workspace.film.strip.film
    assert [source.name for source in film.sources] == ["bright-field", "true"]
    qtbot.waitUntil(lambda: film.picture(9, 0) is not None, timeout=20_000)
    assert film.picture(9, 0).mean() == 255
    assert threading.main_thread() not in read[1:]  # the canvas itself shows one plane


@pytest.mark.gui
def test_all_layers_are_deleted_at_once(viewer: Any, qtbot: Any, wait_for: Any) -> None:
    inspected.add_family(viewer)
    widget = inspected.docked(viewer, qtbot, wait_for)
    inspected.choose(widget, 2)
    qtbot.waitUntil(lambda: len(widget.overlay.layers) == 3)
    viewer.layers.select_all()
    viewer.window._qt_viewer.layerButtons.deleteButton.click()
    qtbot.wait(50)
    assert [layer.name for layer in viewer.layers] == []
    assert widget.status_label.text().startswith("Track a movie first")


@pytest.mark.gui
def test_the_highlight_goes_with_its_tracks(viewer: Any, qtbot: Any, wait_for: Any) -> None:
    inspected.add_family(viewer)
    widget = inspected.docked(viewer, qtbot, wait_for)
    inspected.choose(widget, 2)
    viewer.layers.remove(inspected.layer(widget))
    qtbot.waitUntil(lambda: not any("inspected" in one.name for one in viewer.layers))
