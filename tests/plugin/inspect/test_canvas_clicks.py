"""Clicks on the canvas that choose a mitochondrion, and those that are left to napari."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from napari_virtualstain.plugin.inspect.canvas import CanvasClicks
from napari_virtualstain.plugin.inspect.dock import InspectorWidget

from .. import inspected

PLACE = (6.0, 1.0, 2.3)  # s, um, um: frame 3, row 10, column 23


def _press(
    viewer: Any,
    place: tuple[float, ...] = PLACE,
    *,
    dragged: tuple[int, ...] = (),
    button: int = 1,
    modifiers: tuple[str, ...] = (),
    meanwhile: Callable[[], None] = lambda: None,
) -> None:
    """Press, drag to the right by some pixels of the screen, and let go."""
    event = SimpleNamespace(
        type="mouse_press", button=button, modifiers=modifiers, pos=(100, 100), position=place
    )
    running = [callback(viewer, event) for callback in viewer.mouse_drag_callbacks]
    running = [one for one in running if one is not None and next(one, "done") is None]
    for right in dragged:
        event.type, event.pos = "mouse_move", (100 + right, 100)
        running = [one for one in running if next(one, "done") is None]
    meanwhile()
    event.type = "mouse_release"
    for one in running:
        next(one, None)


@pytest.fixture
def seen(viewer_model: Any) -> list[tuple[float, ...]]:
    """Clicks that were passed on: their places, and how far from them a track still counts."""
    found: list[Any] = []
    clicks = CanvasClicks(viewer_model, lambda place, reach: found.append((*place, reach)))
    rows = np.array([(1, 0, 4.0, 4.0), (1, 1, 4, 4)])
    clicks.layer = viewer_model.add_tracks(rows, name="cell [tracks]", **inspected.SCALE)
    return found


@pytest.mark.parametrize(
    ("dragged", "is_click"), [((), True), ((4,), True), ((-4, 2), True), ((5,), False)]
)
def test_a_click_may_shake_by_four_pixels_of_the_screen(
    viewer_model: Any, seen: list[Any], dragged: tuple[int, ...], is_click: bool
) -> None:
    _press(viewer_model, dragged=dragged)
    assert [one[:3] for one in seen] == ([pytest.approx((3, 10, 23))] if is_click else [])
    _press(viewer_model, dragged=(5, 0))  # there and back
    assert len(seen) == int(is_click)


def test_other_buttons_keys_and_brushes_are_left_to_napari(
    viewer_model: Any, seen: list[Any]
) -> None:
    _press(viewer_model, button=2)
    _press(viewer_model, modifiers=("Control",))
    labels = viewer_model.add_labels(np.zeros((3, 8, 8), int))
    for mode in ("paint", "fill", "erase"):
        labels.mode = mode
        _press(viewer_model)
    viewer_model.dims.ndisplay = 3
    labels.mode = "pan_zoom"
    _press(viewer_model)
    assert not seen
    viewer_model.dims.ndisplay = 2
    for mode in ("pan_zoom", "pick", "transform"):
        labels.mode = mode
        _press(viewer_model)
    viewer_model.add_points(np.zeros((1, 3))).mode = "select"
    _press(viewer_model)
    viewer_model.layers.selection.clear()
    _press(viewer_model)
    assert len(seen) == 5


@pytest.mark.parametrize(("away_px", "is_chosen"), [(11, True), (13, False)])
def test_a_click_reaches_twelve_pixels_of_the_screen_at_each_zoom(
    widget: InspectorWidget, away_px: int, is_chosen: bool
) -> None:
    camera = getattr(widget.viewer, "scene", widget.viewer).camera
    for zoom in (20.0, 100.0):  # pixels of the screen a micrometre
        camera.zoom = zoom
        inspected.choose(widget, 2)
        widget.viewer.dims.set_point(0, 0.0)
        _press(widget.viewer, (0.0, 1.0 - away_px / zoom, 2.0))  # above track 1
        assert widget.selection.track_id == (1 if is_chosen else 2)
        assert ("no mitochondrion" in widget.status_label.text()) != is_chosen


def test_without_tracks_or_without_a_dock_a_click_does_nothing(viewer_model: Any) -> None:
    found: list[Any] = []
    clicks = CanvasClicks(viewer_model, lambda *one: found.append(one))
    _press(viewer_model)
    rows = np.array([(1, 0, 4.0, 4.0), (1, 1, 4, 4)])
    clicks.layer = viewer_model.add_tracks(rows, name="cell [tracks]", **inspected.SCALE)
    _press(viewer_model, meanwhile=lambda: setattr(clicks, "layer", None))
    clicks.layer = viewer_model.layers[0]
    for _ in range(2):  # the dock may be closed twice
        clicks.stop()
    _press(viewer_model)
    assert not found
