"""What the dock `Run all` refuses, shows while it runs, and reads from settings files."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import QFileDialog, QPushButton

from napari_virtualstain.errors import CancelledError
from napari_virtualstain.pipeline import save_settings
from napari_virtualstain.plugin.kit.jobs import Outcome
from napari_virtualstain.plugin.run_all.dock import RunAllWidget
from napari_virtualstain.plugin.run_all.job import StepItem
from napari_virtualstain.plugin.segment.job import Started as Outlined
from napari_virtualstain.plugin.stain.job import FitChecked, PlanesDone, Started
from napari_virtualstain.plugin.track.job import TrackResult
from napari_virtualstain.settings import PipelineSettings, ReadSettings, StainSettings

pytestmark = pytest.mark.usefixtures("tiny_models")
AXES = {2: ("y", "x"), 3: ("t", "y", "x"), 4: ("t", "z", "y", "x")}
STAIN, OUTLINES = "stained · cell [fluorescence]", "segmented · cell [mitochondria]"


def _dock(qtbot: Any, viewer: Any, *shape: int, axes: Any = None) -> RunAllWidget:
    """Return a dock of a movie of this shape; its run button starts no thread."""
    made = axes or AXES[len(shape)]
    viewer.add_image(np.zeros(shape, np.float32), name="cell", axis_labels=made)
    dock = RunAllWidget(viewer)
    qtbot.addWidget(dock)
    dock.steps.generator.value, dock.steps.segmenter.value = "tiny", "bright"
    dock.runner.start = lambda *_: None
    return dock


def _begin(dock: RunAllWidget) -> tuple[np.ndarray, np.ndarray]:
    """Press the button and show empty results; return stain and labels."""
    dock.run()
    shape = dock.source.value.data.shape
    stain, labels = np.zeros(shape, np.float32), np.zeros(shape, np.int32)
    dock.on_items([StepItem("stain", Started("fluorescence", stain, (0.0, 1.0), "tiny", ""))])
    dock.on_items([StepItem("segment", Outlined(labels, "bright", ""))])
    return stain, labels


def test_a_movie_with_time_is_needed_and_said(qtbot: Any, viewer_model: Any) -> None:
    empty = RunAllWidget(viewer_model)
    qtbot.addWidget(empty)
    assert empty.status_label.text().startswith("Load a bright-field movie first")
    dock = _dock(qtbot, viewer_model, 3, 32, 32, axes=("z", "y", "x"))
    assert "'cell' has axes zyx; tracking needs a movie" in dock.status_label.text()
    assert not dock.run_button.isEnabled()
    movie = viewer_model.add_image(
        np.zeros((2, 32, 32)), name="movie", axis_labels=AXES[3], metadata={}
    )
    dock.source.value = movie
    assert dock.status_label.text() == "Ready to run all three steps."
    dock.steps.stain["temporal"].value = 2
    assert "three frames" in dock.status_label.text()
    dock.steps.stain["temporal"].value = 0
    assert dock.run_button.isEnabled()


def test_planes_are_seen_as_they_are_finished(qtbot: Any, viewer_model: Any) -> None:
    dock = _dock(qtbot, viewer_model, 3, 16, 16)
    viewer_model.dims.set_point(0, 1)
    _begin(dock)
    drawn: list[str] = []
    for name in (STAIN, OUTLINES):
        layer = viewer_model.layers[name]
        qtbot.waitUntil(lambda layer=layer: layer.visible, timeout=2000)
        layer.events.set_data.connect(lambda _event, name=name: drawn.append(name))
    dock.on_items([StepItem("stain", PlanesDone(((0,),)))])
    assert drawn == []  # another frame than the visible one
    dock.on_items([StepItem("stain", PlanesDone(((1,),)))])
    assert drawn == [STAIN]
    dock.on_items([StepItem("segment", (2,)), StepItem("segment", (1,))])
    assert drawn == [STAIN, OUTLINES]
    dock.on_end(Outcome(value=None))
    assert sorted(drawn[2:]) == sorted([STAIN, OUTLINES])
    dock.on_items([StepItem("stain", FitChecked("red", ("It is noise.",)))])
    assert "does not fit this movie. It is noise." in dock.fit_note.text()
    assert not dock.fit_note.isHidden()
    assert dock.fit_note.textFormat() == Qt.TextFormat.RichText  # else its colour is read as words


@pytest.mark.parametrize("shape", [(4, 16, 16), (4, 3, 16, 16)])
@pytest.mark.parametrize("done", [0, 1, 5, 12])
def test_what_a_cancel_leaves_says_how_much_is_finished(
    qtbot: Any, viewer_model: Any, shape: tuple[int, ...], done: int
) -> None:
    """Of z-stacks each plane counts; the stain has its visible plane when it is there."""
    dock, planes = _dock(qtbot, viewer_model, *shape), int(np.prod(shape[:-2]))
    done = min(done, planes)
    _begin(dock)
    places = list(np.ndindex(*shape[:-2]))[:done]
    dock.on_items([StepItem("stain", PlanesDone(tuple(places)))])
    dock.on_items([StepItem("segment", place) for place in places])
    dock.on_end(Outcome(error=CancelledError("cancelled")))
    names = [layer.name for layer in viewer_model.layers][1:]
    if done == planes:
        assert names == [STAIN, OUTLINES]
        return
    expected = [f"{STAIN} ({max(1, done)} of {planes} frames)"]
    expected += [f"{OUTLINES} ({done} of {planes} frames)"] if done else []
    assert names == expected


def test_results_that_are_finished_are_not_marked(qtbot: Any, viewer_model: Any) -> None:
    dock = _dock(qtbot, viewer_model, 3, 16, 16)
    _begin(dock)
    dock.on_end(Outcome(value=None))
    assert [layer.name for layer in viewer_model.layers] == ["cell", STAIN, OUTLINES]


def test_deleting_a_result_ends_the_run(
    qtbot: Any, viewer_model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    dock, ended = _dock(qtbot, viewer_model, 3, 16, 16), []
    monkeypatch.setattr(dock, "cancel", lambda: ended.append(True))
    _begin(dock)
    viewer_model.add_image(np.zeros((3, 16, 16)), name="other")
    assert ended == []
    viewer_model.layers.remove(OUTLINES)
    assert ended == [True]


def test_a_movie_without_tracks_ends_in_advice(qtbot: Any, viewer_model: Any) -> None:
    dock = _dock(qtbot, viewer_model, 3, 16, 16)
    _begin(dock)
    dock.on_items([StepItem("track", TrackResult(None, np.zeros((0, 4)), SimpleNamespace(), {}))])
    assert dock.on_result(None).startswith("Stained and segmented; no track was found.")
    assert dock.result_layer() is None


@pytest.mark.parametrize(
    ("read", "frames", "said"),
    [
        (ReadSettings(), None, "Loaded settings.json."),
        (ReadSettings(channel="BF"), None, "but for its channel: choose the layer yourself."),
        (ReadSettings(axes="tyx", position=1), "0:3", "but for its axes and position and frames:"),
        (ReadSettings(), "0:3", "but for its frames:"),
    ],
)
def test_a_settings_file_fills_the_form_but_for_the_choice_of_the_layer(
    qtbot: Any, viewer_model: Any, tmp_path: Path, read: Any, frames: str | None, said: str
) -> None:
    dock = _dock(qtbot, viewer_model, 4, 16, 16)
    stain = StainSettings(model="tiny", frames=frames, average=True)
    read = read.model_copy(update={"pixel_size_um": 0.2, "frame_interval_s": 7.0})
    file = tmp_path / "settings.json"
    save_settings(file, PipelineSettings(read=read, stain=stain), overwrite=False)
    dock.load_settings(file)
    assert said in dock.status_label.text()
    assert dock.steps.stain.value.average
    assert dock.steps.value.stain.frames is None
    assert (dock.pixel_size.value(), dock.interval.value()) == (0.2, 7.0)


def test_a_settings_file_without_sampling_leaves_that_of_the_layer(
    qtbot: Any, viewer_model: Any, tmp_path: Path
) -> None:
    dock = _dock(qtbot, viewer_model, 4, 16, 16)
    dock.pixel_size.setValue(0.3)
    dock.interval.setValue(5.0)
    file = tmp_path / "settings.json"
    save_settings(file, PipelineSettings(), overwrite=False)
    dock.load_settings(file)
    assert (dock.pixel_size.value(), dock.interval.value()) == (0.3, 5.0)
    # no model is named: the usual ones
    assert dock.steps.value.stain.model == "mito-h9c2"


def test_dialogs_that_are_closed_and_files_that_are_none_do_no_harm(
    qtbot: Any, viewer_model: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dock = _dock(qtbot, viewer_model, 4, 16, 16)
    before, said = dock.steps.value, dock.status_label.text()
    given = [""]
    for name in ("getOpenFileName", "getSaveFileName"):
        monkeypatch.setattr(QFileDialog, name, lambda *_: (given[0], ""))
    buttons = [dock.findChild(QPushButton, f"{what}_settings") for what in ("load", "save")]
    for button in buttons:
        button.click()
    assert (dock.steps.value, dock.status_label.text()) == (before, said)
    given[0] = str(tmp_path / "settings.json")
    buttons[1].click()
    assert "Nothing was stained from 'cell' yet" in dock.status_label.text()
    (tmp_path / "settings.json").write_text("no settings")
    buttons[0].click()
    assert "settings.json" in dock.status_label.text()
    assert dock.steps.value == before


def test_the_light_stands_below_the_card_of_the_generator(qtbot: Any, viewer_model: Any) -> None:
    dock = _dock(qtbot, viewer_model, 4, 16, 16)
    dock.fit_check.show(FitChecked("green", ()))
    dock.show()
    steps = dock.steps
    rows = (steps.generator.card_note, dock.fit_note, steps.segmenter.combo)
    places = [row.mapTo(dock, QPoint(0, 0)).y() for row in rows]
    assert places == sorted(places)
