"""What the track dock takes, offers and leaves out, on both sides of each decision."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from napari.layers import Image, Labels

from napari_virtualstain.plugin.track import dock
from napari_virtualstain.plugin.track.dock import TrackWidget, is_label_movie, why_no_label_movie
from napari_virtualstain.plugin.track.job import TrackRequest, TrackResult, track_features
from napari_virtualstain.plugin.track.layer import add_tracks_layer

SCALE = {"scale": (2.0, 0.1, 0.1), "units": ("s", "um", "um"), "axis_labels": ("t", "y", "x")}
RELABELLED = "tracked outlines · cell [tracked mitochondria]"


@pytest.fixture
def widget(qtbot: Any, viewer_model: Any) -> TrackWidget:
    """Return a dock of a square that goes 2 px a frame, with its fluorescence."""
    labels = np.zeros((4, 30, 40), np.int32)
    for frame in range(4):
        labels[frame, 10:16, 6 + 2 * frame : 12 + 2 * frame] = frame + 1
    viewer_model.add_image(labels.astype(float), name="cell [fluorescence]", **SCALE)
    viewer_model.add_labels(labels, name="cell [mitochondria]", **SCALE)
    made = TrackWidget(viewer_model)
    qtbot.addWidget(made)
    return made


@pytest.mark.parametrize(
    ("axes", "reason"),
    [
        ("tyx", None),
        ("tzyx", None),
        ("yx", "no time axis"),
        ("zyx", "no time axis"),
        ("tcyx", "has channels"),
    ],
)
def test_labels_of_a_movie_of_planes_or_stacks_can_be_tracked(
    axes: str, reason: str | None
) -> None:
    labels = Labels(np.zeros((4,) * len(axes), int), axis_labels=tuple(axes))
    assert is_label_movie(labels) == (reason is None)
    assert why_no_label_movie(labels) == reason
    image = Image(np.zeros((4,) * len(axes)), axis_labels=tuple(axes))
    assert not is_label_movie(image)
    assert why_no_label_movie(image) is None


def test_without_labels_it_is_said_where_they_come_from(qtbot: Any, viewer_model: Any) -> None:
    viewer_model.add_image(np.zeros((4, 20, 20)), name="cell", **SCALE)
    made = TrackWidget(viewer_model)
    qtbot.addWidget(made)
    assert made.source.currentText() == "segment a movie first"
    assert made.status_label.text().startswith("Segment a movie first")
    assert made.intensity.value is None  # an image goes with labels of its shape
    viewer_model.add_labels(np.zeros((4, 20, 20), int), name="cell [mitochondria]", **SCALE)
    assert made.status_label.text() == "Ready to track."
    viewer_model.add_labels(np.zeros((4, 20, 21), int), name="wide [mitochondria]", **SCALE)
    made.source.value = viewer_model.layers["wide [mitochondria]"]
    offered = [made.intensity.itemText(place) for place in range(made.intensity.count())]
    assert offered == ["none"]


def test_brightness_and_relabelled_outlines_can_be_left_out(
    widget: TrackWidget, wait_for: Any
) -> None:
    layers = widget.viewer.layers
    layers.append(Image(np.ones((4, 30, 40), np.float32), name="cell [uncertainty]", **SCALE))
    widget.relabel_box.click()
    widget.run_button.click()
    wait_for(widget, "done")
    assert RELABELLED not in layers
    assert layers["cell [mitochondria]"].visible
    assert "trust" in layers["tracked · cell [tracks]"].features  # of brightness and its error
    widget.relabel_box.click()
    widget.intensity.setCurrentText("none")
    widget.run_button.click()
    wait_for(widget, "done")
    assert "trust" not in layers["tracked · cell [tracks]"].features
    assert np.unique(layers[RELABELLED].data).tolist() == [0, 1]
    assert layers[RELABELLED].opacity == 1.0  # thin outlines are seen in full colour
    assert layers[RELABELLED].contour > 0


def test_settings_of_another_method_are_not_offered(widget: TrackWidget) -> None:
    rows = {name: widget.settings[name].native for name in ("mode", "fission_fusion")}

    def offered() -> list[bool]:
        return [row.isEnabled() for row in rows.values()]

    assert offered() == [True, True]
    widget.settings["mode"].value = "paper"
    assert offered() == [True, False]
    assert "extended method" in rows["fission_fusion"].toolTip()
    widget.settings["mode"].value = "extended"
    assert offered() == [True, True]
    widget.settings["linker"].value = "trackpy"
    assert offered() == [False, False]
    assert "kalman" in rows["mode"].toolTip()


def test_linkers_of_other_packages_follow_in_the_order_of_their_names(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    own = dock.linkers()
    monkeypatch.setattr(dock, "trackers", lambda: {"nearest": None, "btrack": None})
    assert dock.linkers() == [
        *own,
        ("btrack", "addon:btrack"),
        ("nearest", "addon:nearest"),
    ]


def test_the_button_of_the_visible_plane_stands_below_the_plane(widget: TrackWidget) -> None:
    widget.settings.show_row("z_plane", True)
    widget.plane_button.setVisible(True)
    widget.show()
    plane, below = widget.settings["z_plane"].native, widget.plane_button
    between = widget.colour
    assert plane.y() < below.y() < between.y()
    widget.take_visible_plane()  # these labels have no planes
    assert plane.text() == "maximum over z"


def test_colours_of_tracks_that_were_deleted_do_no_harm(widget: TrackWidget, wait_for: Any) -> None:
    widget.run_button.click()
    wait_for(widget, "done")
    tracks = widget.result_layer()
    before = tracks.color_by
    widget.viewer.layers.remove(tracks)
    widget.colour.setCurrentText("speed")
    assert tracks.color_by == before
    assert widget.result_layer() is None


@pytest.mark.parametrize(("frames", "tail"), [(8, 8), (30, 30), (31, 30)])
def test_tails_are_as_long_as_the_movie_up_to_30_frames(
    viewer_model: Any, frames: int, tail: int
) -> None:
    rows = np.array([[1, frame, 5, 5] for frame in range(frames)], float)
    result = TrackResult(SimpleNamespace(), rows, track_features(rows, {}, 0.1, 1.0), {})
    request = TrackRequest(None, None, 0.1, 1.0)
    geometry = {"scale": (1.0, 0.1, 0.1)}
    made = add_tracks_layer(viewer_model, result, request, "cell", geometry).layer
    assert made.tail_length == tail
