"""Going through the tracks of a movie: the doubtful ones, those of a sample, those that went."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from qtpy.QtCore import Qt
from qtpy.QtGui import QShortcut

from napari_virtualstain.plugin.inspect import dock
from napari_virtualstain.plugin.inspect.dock import InspectorWidget
from napari_virtualstain.plugin.inspect.overlay import OVERLAY

from .. import inspected

CHANCES = {1: 0.19, 2: 0.2, 3: 0.21}


@pytest.fixture
def judged(qtbot: Any, viewer_model: Any, wait_for: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The dock of three tracks whose probabilities of an error lie around a fifth."""

    def given(_rows: pd.DataFrame, _scale: Any) -> pd.DataFrame:
        found = pd.DataFrame({"error_probability": CHANCES, "doubtful_frame": {1: 4, 2: 5, 3: 7}})
        return found.assign(exponent=np.nan, motion="unknown")

    monkeypatch.setattr(dock, "judge", given)
    viewer_model.add_image(np.zeros((10, 64, 64)), name="glow", **inspected.SCALE)
    data, features = inspected.three_tracks()
    viewer_model.add_tracks(data, features=features, name="cell [tracks]", **inspected.SCALE)
    return inspected.inspect(viewer_model, qtbot, wait_for)


def _key(widget: InspectorWidget, key: str) -> None:
    """Press a key of the dock: without a window manager Qt itself sends no shortcut."""
    made = next(one for one in widget.findChildren(QShortcut) if one.key().toString() == key)
    made.activated.emit()


def _said(widget: InspectorWidget) -> str:
    return str(widget.status_label.text())


def test_tracks_are_worth_a_look_from_a_fifth_unless_said_otherwise(
    judged: InspectorWidget,
) -> None:
    assert _said(judged).startswith("3 tracks, 2 worth a look.")
    _key(judged, "C")
    assert _said(judged).startswith("Choose a track first")
    seen = []
    for key in "NNNPP":
        _key(judged, key)
        seen.append(judged.selection.track_id)
    assert seen == [3, 2, 3, 2, 3]
    for _ in range(2):
        _key(judged, "1")
        _key(judged, "N")
    assert _said(judged) == "Every track worth a look has a verdict."
    judged.threshold.setValue(0.19)
    assert "3 worth a look" in _said(judged)
    _key(judged, "N")
    assert judged.selection.track_id == 1
    assert judged.viewer.dims.point[0] == pytest.approx(2.0 * 4)


def test_the_camera_stays_on_the_way_and_moves_to_what_is_entered(
    judged: InspectorWidget, qtbot: Any
) -> None:
    camera = getattr(judged.viewer, "scene", judged.viewer).camera
    before = tuple(camera.center)
    for key in "NN":
        _key(judged, key)
        assert tuple(camera.center) == before
    inspected.choose(judged, 1)
    inspected.choose(judged, 2)
    assert tuple(camera.center) == before
    strip = judged.workspace.film.strip
    strip.horizontalScrollBar().setValue(0)
    left = Qt.MouseButton.LeftButton
    qtbot.mouseClick(strip.viewport(), left, pos=strip.box_of(1).center())
    assert judged.viewer.dims.point[0] == pytest.approx(2.0 * 1)
    assert tuple(camera.center) == before
    qtbot.mouseDClick(strip.viewport(), left, pos=strip.box_of(2).center())
    assert judged.viewer.dims.point[0] == pytest.approx(2.0 * 2)
    assert tuple(camera.center)[-2:] == pytest.approx((2.02, 2.1))  # track 2 in frame 2, um


def test_a_track_is_gone_to_in_the_frame_on_show_or_the_nearest_that_it_has(
    qtbot: Any, viewer_model: Any, wait_for: Any
) -> None:
    inspected.add_family(viewer_model)
    widget = inspected.inspect(viewer_model, qtbot, wait_for)
    for frame, track, shown in ((3, 4, 10), (12, 3, 12), (14, 2, 9), (5, 1, 5)):
        viewer_model.dims.set_point(0, 2.0 * frame)
        inspected.choose(widget, track)
        assert viewer_model.dims.point[0] == pytest.approx(2.0 * shown)
        assert widget.selection.frame == shown


def test_next_goes_on_in_a_sample_and_back_among_the_doubtful(judged: InspectorWidget) -> None:
    inspected.press(judged, "sample")
    judged.sample.count.setValue(3)
    inspected.press(judged, "draw")
    drawn = [track for track, _ in judged.sample.sample.items]
    assert judged.selection.track_id == drawn[0]
    for track in (drawn[1], drawn[2], drawn[0]):
        _key(judged, "N")
        assert judged.selection.track_id == track
    assert _said(judged) == f"Track {drawn[0]}: is it right? 1 ok, 2 wrong, 3 unsure."
    judged.model.choose(2, 0)
    _key(judged, "P")
    assert judged.selection.track_id == 3
    # a verdict on a track that is not the item on show is one of its own
    judged.sample._now = (1, -1)
    _key(judged, "2")
    assert judged.model.verdicts == {3: "wrong"}
    assert judged.selection.track_id == 3
    inspected.press(judged, "sample")  # put away: N goes among the doubtful again
    _key(judged, "N")
    assert judged.selection.track_id == 2
    assert "is it right" not in _said(judged)
    judged.model.choose(1, 0)  # the item that was on show
    _key(judged, "3")
    assert judged.selection.track_id == 1
    assert judged.model.verdicts == {1: "unsure", 3: "wrong"}


@pytest.mark.parametrize("what", ["tracks", "links"])
def test_a_sampled_track_that_was_deleted_is_said_to_be_gone_and_passed_over(
    judged: InspectorWidget, what: str
) -> None:
    inspected.press(judged, "sample")
    judged.sample.what.value = what
    judged.sample.count.setValue(27)  # all there are
    inspected.press(judged, "draw")
    inspected.choose(judged, 2)
    inspected.press(judged, "delete")
    gone = "There is no track 2 of the sample any more: undo brings it back, N goes on."
    judged.sample.advance()
    others = {item for item in judged.sample.sample.items if item[0] != 2}
    for _ in judged.sample.sample.items:
        is_gone = _said(judged) == gone
        assert is_gone == (judged.selection.track_id is None)  # no verdict on the one before
        _key(judged, "N" if is_gone else "1")
    assert set(judged.sample.sample.verdicts) == others


def test_without_tracks_the_keys_say_what_to_do(qtbot: Any, viewer_model: Any) -> None:
    widget = InspectorWidget(viewer_model)
    qtbot.addWidget(widget)
    for key, said in {
        "N": "List the tracks first.",
        "P": "List the tracks first.",
        "C": "Choose a track first: in the table, or by a click on it in the image.",
        "X": "Choose a track first: in the table, or by a click on it in the image.",
        "M": "Choose a track first: in the table, or by a click on it in the image.",
        "Del": "Choose a track first: in the table, or by a click on it in the image.",
        "1": "Choose a track first: in the table, or by a click on it in the image.",
        "Ctrl+Z": "There is nothing to undo.",
        "Ctrl+Shift+Z": "There is nothing to redo.",
    }.items():
        widget.say("")
        _key(widget, key)
        assert _said(widget) == said
    widget.threshold.setValue(0.5)
    assert _said(widget) == "There are no tracks."
    widget.table.region_wanted.emit()
    assert _said(widget) == "List the tracks first."
    inspected.press(widget, "sample")
    inspected.press(widget, "draw")
    assert widget.sample.text.text() == "List tracks first."
    assert not viewer_model.layers


def test_tracks_that_are_changed_and_removed_at_once_are_not_listed_again(
    judged: InspectorWidget, qtbot: Any
) -> None:
    layer = judged.viewer.layers["cell [tracks]"]
    with qtbot.captureExceptions() as errors:
        layer.data = layer.data[:20]
        judged.viewer.layers.remove(layer)
        qtbot.wait(50)
    assert not errors
    assert judged.table.frame.empty
    assert _said(judged).startswith("Track a movie first")


def test_a_click_on_a_drawn_tail_chooses_its_track(
    qtbot: Any, viewer_model: Any, wait_for: Any
) -> None:
    rows = np.array([(k, t, 10.0 * k, 20.0 * t) for k in (1, 2) for t in range(10)])
    tracks = viewer_model.add_tracks(rows, name="cell [tracks]", tail_length=3)
    widget = inspected.inspect(viewer_model, qtbot, wait_for)
    for frame, track in ((8, 1), (5, 2)):  # of eight frames: itself, and three before
        widget._on_click((8.0, 10.0 * track, 20.0 * frame), 2.0)
        assert widget.selection.track_id == track
    widget._on_click((8.0, 10.0, 20.0 * 4), 2.0)
    assert "no mitochondrion" in _said(widget)
    tracks.tail_length = 4
    widget._on_click((8.0, 10.0, 20.0 * 4), 2.0)
    assert widget.selection.track_id == 1


def test_the_outline_lies_on_the_mask_also_between_pixels(
    qtbot: Any, viewer_model: Any, wait_for: Any
) -> None:
    rows = np.array([(k, t, 10.0 * k + 0.4, 20.0 + 0.4) for k in (1, 2) for t in range(5)])
    labels = np.zeros((5, 40, 40), np.int32)
    labels[:, 8:14, 17:26], labels[:, 19:22, 19:22] = 1, 2
    viewer_model.add_labels(labels, name="masks")
    viewer_model.add_tracks(rows, name="cell [tracks]")
    widget = inspected.inspect(viewer_model, qtbot, wait_for)
    inspected.choose(widget, 1)
    outline = viewer_model.layers[f"{OVERLAY} [outline]"]
    np.testing.assert_allclose(outline.data.min(axis=0)[1:], [7.5, 16.5])
    np.testing.assert_allclose(outline.data.max(axis=0)[1:], [13.5, 25.5])


def test_only_layers_of_tracks_are_taken(judged: InspectorWidget, wait_for: Any) -> None:
    viewer, own = judged.viewer, judged.layer
    inspected.choose(judged, 2)
    for name in ("glow", OVERLAY):  # the highlight is a layer of tracks too
        judged.take(viewer.layers[name])
        assert judged.source.value.name == "cell [tracks]"
    data, _ = inspected.three_tracks()
    other = viewer.add_tracks(data[:20], name="other [tracks]", **inspected.SCALE)
    judged.take(other)
    wait_for(judged, "done")
    assert judged.layer.name == "other [tracks]"
    judged.take(own)
    wait_for(judged, "done")
    assert judged.frame() == round(viewer.dims.point[0] / 2.0)


def test_a_long_mitochondrion_has_its_whole_outline(
    qtbot: Any, viewer_model: Any, wait_for: Any
) -> None:
    labels = np.zeros((3, 180, 180), np.int32)
    labels[:, 90, 20:161], labels[:, 20:161, 10] = 1, 2  # 70 pixels to each side
    rows = [(1, t, 90.0, 90.0) for t in range(3)] + [(2, t, 90.0, 10.0) for t in range(3)]
    viewer_model.add_labels(labels, name="masks")
    viewer_model.add_tracks(np.array(rows), name="cell [tracks]")
    widget = inspected.inspect(viewer_model, qtbot, wait_for)
    for track, spans in ((1, [1, 141]), (2, [141, 1])):
        inspected.choose(widget, track)
        outline = viewer_model.layers[f"{OVERLAY} [outline]"].data
        assert np.ptp(outline, axis=0)[1:].tolist() == spans
