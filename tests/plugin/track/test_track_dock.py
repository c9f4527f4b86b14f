from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from napari_virtualstain.plugin.inspect.dock import InspectorWidget
from napari_virtualstain.plugin.track.dock import TrackWidget
from napari_virtualstain.plugin.track.job import track_features

SCALE = {"scale": (2.0, 0.1, 0.1), "units": ("s", "um", "um"), "axis_labels": ("t", "y", "x")}


def _labels() -> np.ndarray:
    """One disc that goes 3 px a frame and one that stays, numbered anew in each frame."""
    movie = np.zeros((8, 60, 80), np.int32)
    for frame in range(8):
        first, second = (1, 2) if frame % 2 else (2, 1)
        movie[frame, 10:16, 10 + 3 * frame : 16 + 3 * frame] = first
        movie[frame, 40:46, 40:46] = second
    return movie


@pytest.fixture
def widget(qtbot: Any, viewer_model: Any) -> TrackWidget:
    viewer_model.add_image(_labels().astype(float), name="cell [fluorescence]", **SCALE)
    viewer_model.add_labels(_labels(), name="cell [mitochondria]", translate=(0, 5, 7), **SCALE)
    made = TrackWidget(viewer_model)
    qtbot.addWidget(made)
    return made


def test_defaults_come_from_the_layer(widget: TrackWidget) -> None:
    assert widget.source.currentText() == "cell [mitochondria]"
    assert widget.intensity.currentText() == "cell [fluorescence]"
    assert widget.pixel_size.value() == pytest.approx(0.1)
    assert widget.interval.value() == pytest.approx(2.0)
    assert widget.settings.value.max_gap == 3
    assert widget.plane_button.isHidden()  # of planes there is one


def test_tracks_keep_geometry_identity_and_features(widget: TrackWidget, wait_for: Any) -> None:
    widget.run_button.click()
    wait_for(widget)
    assert widget.state == "done", widget.status_label.text()
    layers = widget.viewer.layers
    tracks, source = layers["tracked · cell [tracks]"], layers["cell [mitochondria]"]
    assert [str(u) for u in tracks.units] == [str(u) for u in source.units]
    assert tuple(tracks.axis_labels) == ("t", "y", "x")
    np.testing.assert_allclose(tracks.scale, source.scale)
    np.testing.assert_allclose(tracks.translate, source.translate)
    assert len(np.unique(tracks.data[:, 0])) == 2
    speeds = tracks.features.groupby("track_id")["speed_um_per_s"].median().sort_values()
    np.testing.assert_allclose(speeds, [0.0, 0.3 / 2.0], atol=0.01)
    assert set(tracks.features["length_frames"]) == {8}
    assert tracks.metadata["virtualstain"]["source"] == "cell [mitochondria]"
    relabelled = layers["tracked outlines · cell [tracked mitochondria]"].data
    for value in np.unique(relabelled[relabelled > 0]):
        assert all((frame == value).any() for frame in relabelled)


def test_an_uncertainty_layer_gives_tracks_their_trust(widget: TrackWidget, wait_for: Any) -> None:
    error = np.ones((8, 60, 80), np.float32)
    widget.viewer.add_image(error, name="cell [uncertainty]", **SCALE)
    widget.run_button.click()
    wait_for(widget)
    features = widget.viewer.layers["tracked · cell [tracks]"].features
    # brightness is the label, 1 or 2, above a background of 0
    np.testing.assert_allclose(features["trust"], np.where(features["label"] == 1, 0.5, 0.8))
    assert features.groupby("track_id")["track_trust"].nunique().eq(1).all()


def test_only_the_newest_result_is_visible(widget: TrackWidget, wait_for: Any, qtbot: Any) -> None:
    """Two label layers on top of each other mix their colours."""
    widget.keep_former.setChecked(True)
    for _ in range(2):
        widget.run_button.click()
        wait_for(widget, "done")
    layers = widget.viewer.layers
    newest = ["tracked outlines · cell [tracked mitochondria] [1]", "tracked · cell [tracks] [1]"]
    qtbot.waitUntil(lambda: all(layers[name].visible for name in newest), timeout=2000)
    hidden = [
        "cell [mitochondria]",
        "tracked outlines · cell [tracked mitochondria]",
        "tracked · cell [tracks]",
    ]
    assert not any(layers[name].visible for name in hidden)


def test_tracks_that_were_only_looked_at_are_replaced_and_judged_ones_are_kept(
    widget: TrackWidget, wait_for: Any, qtbot: Any
) -> None:
    widget.run_button.click()
    wait_for(widget, "done")
    inspector = InspectorWidget(widget.viewer)
    qtbot.addWidget(inspector)
    wait_for(inspector, "done")
    names = [layer.name for layer in widget.viewer.layers if "[tracks]" in layer.name]
    assert names == ["tracked · cell [tracks]"]
    widget.run_button.click()
    wait_for(widget, "done")
    assert [layer.name for layer in widget.viewer.layers if "[tracks]" in layer.name] == names
    wait_for(inspector, "done")
    qtbot.waitUntil(lambda: len(inspector.table.frame) == 2)
    inspector.go_to(int(inspector.table.frame["track_id"].iloc[0]))
    inspector.judge("ok")
    widget.run_button.click()
    wait_for(widget, "done")
    assert "tracked · cell [tracks] [1]" in widget.viewer.layers
    assert "ok" in widget.viewer.layers[names[0]].metadata["verdicts"].values()


def test_colour_by_changes_the_layer_at_once(widget: TrackWidget, wait_for: Any) -> None:
    widget.run_button.click()
    wait_for(widget, "done")
    layer = widget.viewer.layers["tracked · cell [tracks]"]
    columns = {"speed": "speed_um_per_s", "identity": "track_id", "length": "length_frames"}
    offered = [widget.colour.itemText(place) for place in range(widget.colour.count())]
    assert {*columns, "quality"} == set(offered)
    for text in offered:
        widget.colour.setCurrentText(text)
        assert layer.color_by == columns.get(text, text)
        widget.run_button.click()  # a new result has the chosen colours, too
        wait_for(widget, "done")
        assert widget.state == "done", widget.status_label.text()
        assert layer.color_by == columns.get(text, text)


def test_empty_labels_end_in_advice_and_no_layer(
    qtbot: Any, viewer_model: Any, wait_for: Any
) -> None:
    viewer_model.add_labels(np.zeros((4, 20, 20), np.int32), name="nothing", **SCALE)
    widget = TrackWidget(viewer_model)
    qtbot.addWidget(widget)
    widget.run_button.click()
    wait_for(widget)
    assert "No track was found" in widget.status_label.text()
    assert len(viewer_model.layers) == 1


def test_speed_is_micrometres_a_second_also_across_a_gap() -> None:
    data = np.array([[1, 0, 0, 0], [1, 1, 0, 3], [1, 4, 4, 3], [2, 0, 5, 5]], float)
    features = track_features(data, {}, 0.5, 2.0)
    np.testing.assert_allclose(features["speed_um_per_s"], [0.75, 0.75, 2 / 6, 0.0])


@pytest.mark.parametrize("kind", ["max", "plane 2"])
def test_a_z_stack_is_tracked_on_its_maximum_or_on_one_plane(
    qtbot: Any, viewer_model: Any, wait_for: Any, kind: str
) -> None:
    """The disc that moves lies in plane 0, the one that stays in plane 2."""
    flat, stack = _labels(), np.zeros((8, 3, 60, 80), np.int32)
    stack[:, 0, :30], stack[:, 2, 30:] = flat[:, :30], flat[:, 30:]
    scale = {
        "scale": (2.0, 0.5, 0.1, 0.1),
        "units": ("s", "um", "um", "um"),
        "axis_labels": ("t", "z", "y", "x"),
        "translate": (0, 3, 5, 7),
    }
    source = viewer_model.add_labels(stack, name="segmented · cell [mitochondria]", **scale)
    dock = TrackWidget(viewer_model)
    qtbot.addWidget(dock)
    assert dock.source.value is source
    box = dock.settings["z_plane"].native
    assert not box.isHidden()
    assert box.text() == "maximum over z"
    assert not dock.plane_button.isHidden()
    if kind != "max":
        viewer_model.dims.set_current_step(1, 2)
        dock.plane_button.click()
        assert box.text() == "2"
    dock.run_button.click()
    wait_for(dock)
    assert dock.state == "done", dock.status_label.text()
    tracks = viewer_model.layers["tracked · cell [tracks]"]
    assert tracks.ndim == 4
    assert len(np.unique(tracks.data[:, 0])) == (2 if kind == "max" else 1)
    assert set(tracks.data[:, 2]) == {1.0 if kind == "max" else 2.0}
    np.testing.assert_allclose(tracks.data[:, 3].max(), 42.5, atol=0.01)  # y of the disc that stays
    same = viewer_model.layers["tracked outlines · cell [tracked mitochondria]"]
    # a pixel of the disc that stays lies where it lies in the stack, in the planes it stands for
    for plane, is_seen in ((0, kind == "max"), (2, True)):
        world = source.data_to_world((4, plane, 42, 42))
        place = np.rint(same.world_to_data(world)).astype(int)
        inside = all(0 <= i < n for i, n in zip(place, same.data.shape, strict=True))
        assert bool(inside and same.data[tuple(place)]) == is_seen


def test_labels_without_time_are_refused_with_the_reason(qtbot: Any, viewer_model: Any) -> None:
    labels = np.zeros((3, 20, 20), int)
    viewer_model.add_labels(labels, name="stack", axis_labels=("z", "y", "x"))
    dock = TrackWidget(viewer_model)
    qtbot.addWidget(dock)
    assert "'stack' cannot be tracked: no time axis" in dock.status_label.text()


def test_frames_of_unlike_places_are_called_doubtful(
    qtbot: Any, viewer_model: Any, wait_for: Any
) -> None:
    """Squares of 6 px that move 12 px a frame beside the same movie as it is, 3 px a frame."""
    movie = np.zeros((6, 90, 80), np.int32)
    for frame in range(6):
        for place in range(3):
            x = 4 + 12 * frame
            movie[frame, 5 + 25 * place : 11 + 25 * place, x : x + 6] = place + 1
    viewer_model.add_labels(movie, name="far [mitochondria]", **SCALE)
    near = viewer_model.add_labels(_labels(), name="near [mitochondria]", **SCALE)
    dock = TrackWidget(viewer_model)
    qtbot.addWidget(dock)
    said = {}
    for layer in list(viewer_model.layers)[:2]:
        dock.source.value = layer
        dock.run_button.click()
        wait_for(dock)
        said[layer.name] = dock.status_label.text()
    assert "Doubtful: from frame to frame most objects jump 1.8 times" in said["far [mitochondria]"]
    assert "track" in said[near.name]
    assert "Doubtful" not in said[near.name]
