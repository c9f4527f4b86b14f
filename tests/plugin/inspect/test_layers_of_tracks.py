"""Layers on the canvas: those that follow edits, those that show what is chosen, and regions."""

from __future__ import annotations

from threading import Event
from typing import Any

import numpy as np
import pandas as pd
import pytest
from qtpy.QtCore import QObject
from qtpy.QtWidgets import QLabel

from napari_virtualstain.errors import InputError
from napari_virtualstain.plugin.inspect import dock, layer_sync
from napari_virtualstain.plugin.inspect.dock import InspectorWidget
from napari_virtualstain.plugin.inspect.layer_sync import LayerSync, core_tracks
from napari_virtualstain.plugin.inspect.loading import load, why_not_whole
from napari_virtualstain.plugin.inspect.model import InspectorModel
from napari_virtualstain.plugin.inspect.overlay import OVERLAY, SelectionOverlay, is_overlay
from napari_virtualstain.plugin.inspect.region_columns import RegionColumns, tracks_within
from napari_virtualstain.plugin.inspect.summary_rows import Scale, summarise
from napari_virtualstain.plugin.inspect.wide_dock import WideDock
from napari_virtualstain.tracking import EditableTracks

from .. import inspected

SCALE = Scale(0.1, 2.0)


def _rows(*rows: tuple[float, ...]) -> np.ndarray:
    return np.array(rows, float)


@pytest.mark.parametrize(("left", "is_at_once"), [(20_000, True), (20_001, False)])
def test_up_to_twenty_thousand_rows_follow_an_edit_at_once(
    qtbot: Any, viewer_model: Any, left: int, is_at_once: bool
) -> None:
    layer = viewer_model.add_tracks(_rows((1, 0, 4, 4), (1, 1, 4, 4)), name="cell [tracks]")
    kept = pd.DataFrame({"track_id": 1, "frame": range(left), "y_px": 5.0, "x_px": 5.0})
    tracks = EditableTracks(pd.concat([kept, kept[:2].assign(track_id=2)], ignore_index=True))
    model, parent = InspectorModel(), QObject()
    table = pd.DataFrame({"track_id": tracks.track_ids, "verdict": ""})
    model.load(tracks, table, SCALE, {})
    sync = LayerSync(viewer_model, model, parent)
    sync.watch(layer)
    with model.tracks.change("delete") as change:  # an edit without the summary of its tracks
        model.tracks.remove(model.tracks.rows_of(2))
    model.edited.emit(change.tracks)
    assert (len(layer.data) == left) == is_at_once
    assert sync.forget() != is_at_once
    model.edited.emit(change.tracks)
    sync.flush()
    assert len(layer.data) == left
    assert not sync.forget()
    viewer_model.layers.remove(layer)
    model.tracks.revert(change)
    model.edited.emit(change.tracks)
    sync.flush()
    assert len(layer.data) == left  # what was taken away stays as it was
    sync.stop()
    assert not sync.is_putting


@pytest.mark.parametrize(("part", "moves"), [(0.85, False), (0.95, True)])
@pytest.mark.parametrize("axis", [0, 1])
def test_the_camera_moves_to_what_lies_in_the_outer_tenth_of_the_view(
    viewer_model: Any, part: float, moves: bool, axis: int
) -> None:
    layer = viewer_model.add_tracks(_rows((1, 0, 4, 4), (1, 1, 4, 4)), name="cell [tracks]")
    overlay = SelectionOverlay(viewer_model)
    camera = getattr(viewer_model, "scene", viewer_model).camera
    camera.center, camera.zoom = (0.0, 500.0, 500.0), 2.0
    size = getattr(viewer_model.canvas, "size", (600, 800))
    place = [500.0, 500.0]
    place[axis] -= part * size[axis] / 2 / 2.0
    overlay.look_at(layer, (1, *place))
    assert (tuple(camera.center)[-2:] == pytest.approx(place)) == moves
    assert viewer_model.dims.point[0] == 1
    overlay.look_at(layer, (0, *place), centre=True)
    assert tuple(camera.center)[-2:] == pytest.approx(place)
    assert camera.zoom == 2.0


def test_the_frame_on_show_is_the_nearest_of_the_tracks(viewer_model: Any) -> None:
    viewer_model.add_image(np.zeros((2, 30, 4, 4)), name="channels")  # more axes than the tracks
    rows = _rows(*((1, t, 4.0, 4.0) for t in range(10)))
    layer = viewer_model.add_tracks(rows, name="cell [tracks]", **inspected.SCALE)
    overlay = SelectionOverlay(viewer_model)
    for seconds, frame in ((8.0, 4), (8.9, 4), (9.1, 5)):
        viewer_model.dims.set_point(1, seconds)
        assert overlay.current_frame(layer) == frame
    overlay.look_at(layer, (3, 4.0, 4.0))
    assert viewer_model.dims.point[1] == 6.0


def test_the_highlight_is_made_once_stays_on_top_and_goes(viewer_model: Any, qtbot: Any) -> None:
    first = viewer_model.add_tracks(_rows((1, 0, 4, 4), (1, 3, 4, 9)), name="cell [tracks]")
    overlay = SelectionOverlay(viewer_model)
    rows = pd.DataFrame({"track_id": 1, "frame": [0, 3], "y_px": 4.0, "x_px": [4.0, 9.0]})
    viewer_model.layers.selection.active = first
    overlay.prepare(rows, first)
    assert set(overlay.layers) == {"halo", "line", "outline"}
    assert not any(one.visible for one in overlay.layers.values())
    assert viewer_model.layers.selection.active is first
    assert all(is_overlay(one) for one in overlay.layers.values())
    assert not is_overlay(first)
    overlay.show(rows, first)
    line = overlay.layers["line"]
    assert line.visible
    assert line.head_length >= 3  # the whole track, from its first frame on
    overlay.show(rows.iloc[:1], first)
    assert overlay.layers["line"] is line
    np.testing.assert_array_equal(line.data, [[1, 0, 4, 4]])
    overlay.no_outline()
    overlay.hide()
    assert not any(one.visible for one in overlay.layers.values())
    overlay.drop()
    assert list(viewer_model.layers) == [first]
    deep = viewer_model.add_tracks(_rows((1, 0, 2, 4, 4), (1, 1, 2, 4, 4)), name="deep [tracks]")
    planes = pd.DataFrame({"track_id": 1, "frame": [0, 1], "z_px": 2, "y_px": 4.0, "x_px": 4.0})
    overlay.show(planes, deep)
    assert overlay.layers["line"].ndim == 4
    overlay.outline(np.ones((2, 3), bool), (3, 5), (1, 2, 4.0, 6.0), deep)
    outline = overlay.layers["outline"].data
    np.testing.assert_allclose(outline.min(axis=0), [1, 2, 2.5, 4.5])
    np.testing.assert_allclose(outline.max(axis=0), [1, 2, 4.5, 7.5])
    overlay.outline(np.zeros((2, 3), bool), (3, 5), (0, 1, 4.0, 6.0), deep)  # no mask: a ring
    outline = overlay.layers["outline"].data
    np.testing.assert_allclose(outline.mean(axis=0), [0, 1, 4, 6])
    np.testing.assert_allclose(np.ptp(outline, axis=0), [0, 0, 12, 12], atol=0.1)
    for kind in ("line", "outline"):
        viewer_model.layers.remove(overlay.layers[kind])  # by hand
    overlay.outline(None, (0, 0), (0, 1, 4.0, 6.0), deep)
    assert overlay.layers["outline"].visible
    overlay.show(planes, deep)
    assert overlay.layers["line"].visible
    overlay.drop_soon()
    assert not any(one.visible for one in viewer_model.layers if is_overlay(one))
    qtbot.waitUntil(lambda: not any(map(is_overlay, viewer_model.layers)), timeout=5000)


def test_dimmed_layers_come_back_as_they_were(viewer_model: Any) -> None:
    layers = [viewer_model.add_image(np.zeros((4, 4)), opacity=value) for value in (0.5, 1.0)]
    overlay = SelectionOverlay(viewer_model)
    for _ in range(2):  # asked twice they do not fade twice
        overlay.dim(layers)
        assert [one.opacity for one in layers] == pytest.approx([0.1, 0.2])
    overlay.dim(layers[:1])
    assert [one.opacity for one in layers] == pytest.approx([0.1, 1.0])
    overlay.dim(None)
    assert [one.opacity for one in layers] == [0.5, 1.0]


def test_only_shapes_with_an_inside_hold_tracks(viewer_model: Any) -> None:
    tracks = EditableTracks(
        pd.DataFrame({"track_id": [1, 2, 3], "frame": 0, "y_px": [4.0, 4, 9], "x_px": [4.0, 8, 4]})
    )
    layer = viewer_model.add_tracks(_rows((1, 0, 4, 4), (1, 1, 4, 4)), name="cell [tracks]")
    corners = np.array([[2, 2], [2, 6], [6, 6], [6, 2]])
    for kind, inside in (("polygon", [1]), ("path", []), ("line", []), ("rectangle", [1])):
        given = np.add(corners[:2], (2, 0)) if kind == "line" else corners
        shapes = viewer_model.add_shapes([given], shape_type=kind)
        assert tracks_within(tracks, shapes, layer).tolist() == inside
    several = viewer_model.add_shapes([corners, np.add(corners, (0, 4))], shape_type="rectangle")
    assert tracks_within(tracks, several, layer).tolist() == [1, 2]
    assert tracks_within(tracks, viewer_model.add_shapes(), layer).tolist() == []
    changed: list[int] = []
    regions = RegionColumns(viewer_model, lambda: changed.append(1))
    several.name = "mine"
    ids = np.array([1, 2, 3])
    assert regions.columns("frames > 1", tracks, ids, layer) == {}
    assert regions.columns("mine", tracks, ids, None) == {}
    for _ in range(2):
        found = regions.columns("mine and frames > 1", tracks, ids, layer)
    assert found["mine"].tolist() == [True, True, False]
    several.events.data()
    assert len(changed) == 1  # watched once
    regions.stop()
    several.events.data()
    assert len(changed) == 1


def test_tracks_are_loaded_without_what_does_not_fit_them() -> None:
    core = inspected.family()
    data, _, graph = core.to_napari()
    core.table["reason"] = "calm"

    def loaded(rows: np.ndarray, graph: dict[int, Any], movie: Any = None) -> Any:
        return load(rows, pd.DataFrame(index=range(len(rows))), graph, core, SCALE, movie, int)

    whole = loaded(data, {3: 2, 4: [2]})
    assert set(whole.rows["reason"]) == {"calm"}
    assert whole.tracks.parents == {3: [2], 4: [2]}
    assert (whole.notes, whole.movie) == ((), {"shape": None, "sha256": None})
    part = loaded(data[data[:, 0] != 2], {3: [2], 4: [1], 9: [1]}, np.zeros((3, 8, 8)))
    assert "reason" not in part.rows
    assert part.tracks.parents == {4: [1]}
    assert list(part.movie["shape"]) == [3, 8, 8]
    twice = loaded(np.concatenate([data, np.add(data[:1], (0, 0, 9, 9)), data[3:4]]), graph)
    assert twice.notes == (
        "Track 1 is in frame 0 twice; 2 such rows in all. Only the first of each is listed, and "
        "kept when you edit.",
    )
    assert twice.tracks.row_count == len(data)
    assert float(twice.tracks["y_px"][twice.tracks.row_at(1, 0)]) == data[0, 2]


def test_times_between_frames_are_named(viewer_model: Any) -> None:
    def why(*times: float) -> str | None:
        rows = _rows(*((1, t, 4.0, 4.0) for t in times))
        return why_not_whole(viewer_model.add_tracks(rows, name="seconds"))

    assert why(0.0, 1.0, 3.0) is None
    assert "'seconds" in (why(0.0, 2.5, 3.5) or "")
    assert "are no whole frames (2.5)" in (why(0.0, 2.5, 3.5) or "")


def test_events_without_places_get_those_of_their_scale() -> None:
    tracks = inspected.family()
    data, _, graph = tracks.to_napari()
    features = pd.DataFrame(index=range(len(data)))
    loaded = load(data, features, graph, tracks, SCALE, None, int)
    model = InspectorModel()
    model.load(loaded.tracks, summarise(loaded.rows, loaded.tracks, SCALE), SCALE, {})
    assert core_tracks(model).events[["time_s", "y_um", "x_um"]].to_numpy().tolist() == [
        [20.0, 2.0, 2.5]  # as they were
    ]
    model.edit("reject_event", place=0)
    assert core_tracks(model).events.empty
    given = {"kind": "fission", "frame": 10, "parents": [2], "children": [3, 4]}
    model.edit("add_event", **given)
    made = core_tracks(model).events.iloc[0]
    assert made["time_s"] == 20.0
    assert (made["y_um"], made["x_um"]) == pytest.approx((2.0, 2.5), abs=1.6)


def test_tracks_that_cannot_be_read_leave_the_dock_empty_and_say_why(
    qtbot: Any, viewer_model: Any, wait_for: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_arguments: Any) -> None:
        raise InputError("These tracks lead in a circle.")

    monkeypatch.setattr(dock, "load", refuse)
    viewer_model.add_tracks(_rows((1, 0, 4, 4), (1, 1, 4, 4)), name="cell [tracks]")
    with qtbot.captureExceptions() as errors:
        made = InspectorWidget(viewer_model)
        qtbot.addWidget(made)
        wait_for(made, "failed")
    assert not errors
    assert "These tracks lead in a circle." in made.status_label.text()
    assert made.table.frame.empty


def test_other_tracks_are_not_said_to_be_changed_when_those_before_are_removed(
    qtbot: Any, viewer_model: Any, wait_for: Any
) -> None:
    data, _ = inspected.three_tracks()
    other = viewer_model.add_tracks(data[:20], name="other [tracks]", **inspected.SCALE)
    first = viewer_model.add_tracks(data, name="cell [tracks]", **inspected.SCALE)
    made = inspected.inspect(viewer_model, qtbot, wait_for)
    made.source.value = first
    wait_for(made, "done")
    assert len(made.table.frame) == 3
    first.data = first.data[:10]
    viewer_model.layers.remove(first)
    qtbot.wait(100)
    wait_for(made, "done")
    assert made.layer is other
    assert made.status_label.text().startswith("2 tracks, ")
    other.data = other.data[:10]
    qtbot.waitUntil(lambda: len(made.table.frame) == 1, timeout=20_000)
    qtbot.waitUntil(lambda: "changed from outside" in made.status_label.text(), timeout=20_000)


def test_an_edit_of_many_tracks_reaches_the_layer_after_a_pause_or_when_it_is_needed(
    widget: InspectorWidget, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layer_sync, "_AT_ONCE", 5)  # as if these were many
    layer = widget.layer
    for track, left in ((1, 20), (2, 10)):
        inspected.choose(widget, track)
        inspected.press(widget, "delete")
        assert track not in set(widget.table.frame["track_id"])
        assert len(layer.data) == left + 10
        if track == 1:
            widget.run_button.click()  # they are listed again
            qtbot.waitUntil(lambda: not widget.model.undo_text, timeout=10_000)
        qtbot.waitUntil(lambda count=left: len(layer.data) == count, timeout=10_000)
    inspected.press(widget, "undo")
    assert len(layer.data) == 10
    layer.data = layer.data[:5]  # by another plugin, before the undo reached the layer
    qtbot.waitUntil(lambda: "changed from outside" in widget.status_label.text(), timeout=20_000)
    assert widget.status_label.text().endswith(
        "The latest edit had not reached the layer yet: it is in the log."
    )
    assert widget.model.tracks.row_count == 5


@pytest.mark.parametrize("at_once", [20_000, 5])
def test_an_edit_that_is_made_while_the_tracks_are_read_is_kept(
    widget: InspectorWidget,
    qtbot: Any,
    wait_for: Any,
    monkeypatch: pytest.MonkeyPatch,
    at_once: int,
) -> None:
    monkeypatch.setattr(layer_sync, "_AT_ONCE", at_once)
    may_go_on, begun = Event(), Event()

    def slowly(*arguments: Any) -> Any:
        begun.set()
        assert may_go_on.wait(20)
        return load(*arguments)

    monkeypatch.setattr(dock, "load", slowly)
    inspected.press(widget, "run_button")
    qtbot.waitUntil(begun.is_set, timeout=10_000)
    inspected.choose(widget, 1)
    inspected.press(widget, "delete")
    may_go_on.set()
    qtbot.waitUntil(lambda: not widget.model.undo_text, timeout=10_000)
    wait_for(widget, "done")
    assert sorted(widget.table.frame["track_id"]) == [2, 3]
    assert set(widget.layer.data[:, 0]) == {2, 3}
    inspected.choose(widget, 2)
    inspected.press(widget, "delete")
    assert widget.model.undo_text  # nothing is read any more: it was not listed again
    assert set(widget.table.frame["track_id"]) == {3}


def test_after_a_listing_that_was_cancelled_an_edit_lists_nothing(
    widget: InspectorWidget, qtbot: Any, wait_for: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_go_on = Event()
    monkeypatch.setattr(dock, "load", lambda *given: may_go_on.wait(20) and load(*given))
    inspected.press(widget, "run_button")
    inspected.press(widget, "cancel_button")
    may_go_on.set()
    qtbot.waitUntil(lambda: not widget.state.is_active, timeout=10_000)
    inspected.choose(widget, 1)
    inspected.press(widget, "delete")
    assert not widget.state.is_active
    assert widget.model.undo_text


def test_without_a_window_the_film_shows_beside_its_owner(qtbot: Any, viewer_model: Any) -> None:
    owner, film = QLabel("owner"), QLabel("film")
    qtbot.addWidget(owner)
    wide = WideDock(viewer_model, film, owner, "Mitochondrion")
    wide.open()
    assert film.isHidden()
    wide.to_front()
    assert not film.isHidden()
    wide.close()
    assert film.parentWidget() is owner


def test_the_highlight_of_a_single_position_is_no_error(
    qtbot: Any, viewer_model: Any, wait_for: Any
) -> None:
    viewer_model.add_tracks(_rows((7, 3, 9, 9), (8, 3, 4, 4), (8, 4, 4, 4)), name="cell [tracks]")
    made = inspected.inspect(viewer_model, qtbot, wait_for)
    inspected.choose(made, 7)
    assert viewer_model.dims.point[0] == 3
    assert len(viewer_model.layers[OVERLAY].data) == 1
    viewer_model.dims.set_point(0, 4)
    assert not viewer_model.layers[f"{OVERLAY} [outline]"].visible
    viewer_model.dims.set_point(0, 3)
    assert viewer_model.layers[f"{OVERLAY} [outline]"].visible
