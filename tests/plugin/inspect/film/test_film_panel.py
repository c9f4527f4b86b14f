"""The film in its panel: rows, outlines, sizes and files; and what the dock keeps beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import imageio.v3 as imageio
import numpy as np
import pytest
from PIL import Image
from qtpy.QtCore import QEvent, Qt
from qtpy.QtGui import QKeyEvent
from qtpy.QtWidgets import QFileDialog, QPushButton

from napari_virtualstain.plugin.inspect.dock import InspectorWidget
from napari_virtualstain.plugin.inspect.film.film_panel import FilmPanel
from napari_virtualstain.plugin.inspect.overlay import OVERLAY

from ... import inspected

LABELS = "tracked outlines · cell [tracked mitochondria]"


@pytest.fixture
def widget(qtbot: Any, viewer_model: Any, wait_for: Any) -> InspectorWidget:
    inspected.add_family(viewer_model)
    return inspected.inspect(viewer_model, qtbot, wait_for)


def _panel(widget: InspectorWidget) -> FilmPanel:
    return widget.workspace.film


def _press(widget: InspectorWidget, text: str) -> None:
    buttons = _panel(widget).controls.findChildren(QPushButton)
    next(one for one in buttons if one.text() == text).click()


def _rows(widget: InspectorWidget) -> list[str]:
    return [one.name for one in _panel(widget).strip.film.sources]


def test_a_film_is_saved_where_the_hand_says_and_only_then(
    widget: InspectorWidget, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, asked = tmp_path / "film.png", []
    answers = iter(["", str(path), str(path), str(path / "below.png")])

    def ask(_parent: Any, _title: str, name: str, _kinds: str) -> tuple[str, str]:
        asked.append(name)
        return next(answers), ""

    monkeypatch.setattr(QFileDialog, "getSaveFileName", ask)
    _press(widget, "Export…")
    assert widget.status_label.text() == "Choose a mitochondrion first."
    assert asked == []
    inspected.choose(widget, 2)
    widget.say("")
    _press(widget, "Export…")  # and then Cancel
    assert widget.status_label.text() == ""
    assert asked == ["mitochondrion_2.png"]
    path.write_text("an older film")
    for _ in range(2):
        _press(widget, "Export…")
        assert widget.status_label.text() == "Saved the film of mitochondrion 2 as film.png."
        assert imageio.imread(path).shape[-1] == 3
    _press(widget, "Export…")
    assert "Saved" not in widget.status_label.text()
    assert widget.status_label.text()


def test_films_play_as_fast_as_gif_and_as_mp4_and_a_gif_for_ever(
    widget: InspectorWidget, tmp_path: Path
) -> None:
    inspected.choose(widget, 3)  # five frames
    for ending in ("gif", "mp4"):
        _panel(widget).save(tmp_path / f"film.{ending}")
    with Image.open(tmp_path / "film.gif") as gif:
        assert gif.info["loop"] == 0
        assert gif.n_frames == 5
        per_frame_s = gif.info["duration"] / 1000
    fps = imageio.immeta(tmp_path / "film.mp4", plugin="pyav")["fps"]
    assert per_frame_s * fps == pytest.approx(1, abs=0.05)
    assert 0.1 < per_frame_s < 0.25  # slow enough to follow


def test_rows_are_chosen_in_the_menu(widget: InspectorWidget) -> None:
    viewer, panel = widget.viewer, _panel(widget)
    glow = viewer.layers["cell [fluorescence]"].data
    viewer.add_image(-glow, name="cell bright-field", **inspected.SCALE)
    viewer.add_image(glow, name="plain", **inspected.SCALE)
    inspected.choose(widget, 2)

    def menu() -> dict[str, Any]:
        panel.menu.aboutToShow.emit()
        return {one.text(): one for one in panel.menu.actions()}

    shown = {text: one.isChecked() for text, one in menu().items()}
    assert shown == {"cell bright-field": True, "cell [fluorescence]": True, "plain": False}
    assert _rows(widget) == ["bright-field", "true"]
    menu()["cell [fluorescence]"].trigger()
    assert _rows(widget) == ["bright-field"]
    menu()["plain"].trigger()
    assert _rows(widget) == ["bright-field", "plain"]
    menu()["cell bright-field"].trigger()
    menu()["plain"].trigger()
    assert _rows(widget) == []
    assert panel.strip.film.has_masks
    menu()["cell [fluorescence]"].trigger()
    viewer.layers.remove("cell [fluorescence]")
    panel.draw()
    assert _rows(widget) == []
    viewer.layers.remove(inspected.layer(widget))
    assert menu() == {}
    assert panel.layers == []
    assert (panel.title.text(), panel.strip.film) == ("", None)


def test_outlines_and_sizes_are_those_of_the_controls(widget: InspectorWidget) -> None:
    panel = _panel(widget)
    inspected.choose(widget, 2)
    assert (panel.outlines.isChecked(), panel.strip.outlines) == (True, True)
    panel.outlines.click()
    assert not panel.strip.outlines
    panel.outlines.click()
    assert panel.strip.outlines
    panel.strip.resize_pictures(100 / panel.strip._side())
    for text, side in (("+", 125), ("−", 100), ("−", 80)):
        _press(widget, text)
        assert panel.strip.side == side
    assert panel.title.text() == "No. 2"
    assert panel.title.toolTip() == "Mitochondrion 2: 10 frames, 0 to 9"


def test_a_movie_that_cannot_be_read_is_said(qtbot: Any, viewer_model: Any, wait_for: Any) -> None:
    import dask.array as da

    def broken(_block: np.ndarray) -> np.ndarray:
        raise OSError("The disk is away.")

    inspected.add_family(viewer_model)
    widget = inspected.inspect(viewer_model, qtbot, wait_for)
    movie = da.ones((15, 60, 64), chunks=(1, 60, 64)).map_blocks(broken, dtype=float)
    layer = viewer_model.layers["cell [fluorescence]"]
    inspected.choose(widget, 2)
    panel = _panel(widget)
    film = panel.strip.film
    slow = [type(one)(one.name, movie, one.colours, one.limits) for one in film.sources]
    film.sources[:] = slow
    film._pictures.clear()
    missing = film.missing(range(2))
    assert missing == [(0, 0), (1, 0)]
    panel.strip.wanted.emit(missing)
    said = "The film cannot be read: "
    qtbot.waitUntil(lambda: widget.status_label.text().startswith(said), timeout=10_000)
    assert "The disk is away." in widget.status_label.text()
    assert layer.data.shape == movie.shape
    widget.say("")
    good = da.ones((15, 60, 64), chunks=(1, 60, 64))
    film.sources[:] = [type(one)(one.name, good, one.colours, one.limits) for one in slow]
    qtbot.waitUntil(lambda: not panel.reader.state.is_active, timeout=10_000)
    panel.strip.wanted.emit(missing)
    qtbot.waitUntil(lambda: film.picture(1, 0) is not None, timeout=10_000)
    qtbot.waitUntil(lambda: not panel.reader.state.is_active, timeout=10_000)
    assert widget.status_label.text() == ""
    panel.strip.film = None
    panel.strip.wanted.emit(missing)  # of a film that is shown no more
    assert not panel.reader.state.is_active


def test_without_its_masks_a_mitochondrion_has_a_ring(widget: InspectorWidget) -> None:
    viewer = widget.viewer
    viewer.dims.set_point(0, 2.0 * 4)
    inspected.choose(widget, 2)  # in row 20 and column 22
    outline = viewer.layers[f"{OVERLAY} [outline]"]
    spans = np.ptp(outline.data, axis=0)
    assert spans[1:].tolist() == [4, 4]
    viewer.layers.remove(LABELS)
    assert widget.model.masks is None
    np.testing.assert_allclose(np.ptp(outline.data, axis=0)[1:], 12, atol=0.1)
    np.testing.assert_allclose(outline.data.mean(axis=0), [4, 20, 22], atol=0.1)
    assert not _panel(widget).strip.film.has_masks
    viewer.dims.set_point(0, 2.0 * 12)  # it has divided
    assert not outline.visible
    assert _panel(widget).strip.frame == 12
    assert widget.selection.frame == 12


def test_escape_ends_the_placing_and_nothing_else(widget: InspectorWidget) -> None:
    def escape() -> None:
        for kind in (QEvent.Type.KeyPress, QEvent.Type.KeyRelease):
            none = Qt.KeyboardModifier.NoModifier
            widget.event(QKeyEvent(kind, Qt.Key.Key_Escape, none))

    inspected.press(widget, "add_by_click")
    escape()
    assert widget.mending.placing is None
    assert widget.status_label.text() == "Nothing was placed."
    widget.say("")
    escape()
    assert widget.status_label.text() == ""


@pytest.mark.parametrize(
    ("kept", "threshold", "text", "hidden"),
    [
        (
            {"threshold": 0.4, "filter": "frames > 9", "hidden": ["first", "gaps"]},
            0.4,
            "frames > 9",
            ["first", "gaps"],
        ),
        ({}, 0.2, "", None),
        ("of another program", 0.2, "", None),
    ],
)
def test_settings_of_a_session_are_taken_once(
    qtbot: Any,
    viewer_model: Any,
    wait_for: Any,
    kept: Any,
    threshold: float,
    text: str,
    hidden: Any,
) -> None:
    inspected.add_family(viewer_model)
    layer = viewer_model.layers["tracked · cell [tracks]"]
    layer.metadata["inspector"] = kept
    made = inspected.inspect(viewer_model, qtbot, wait_for)
    assert (made.threshold.value(), made.table.filter.text()) == (threshold, text)
    assert hidden is None or sorted(made.table.hidden) == hidden
    assert hidden or "y_px" in made.table.hidden
    assert "inspector" not in layer.metadata
    made.keep_settings()
    assert layer.metadata["inspector"]["threshold"] == threshold
