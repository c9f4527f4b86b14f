"""Curves, pictures and remarks of a training, and a job that is watched, as they are seen."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from napari_virtualstain.data import Alignment
from napari_virtualstain.plugin.train.display import TrainingDisplay
from napari_virtualstain.plugin.train.patches import PatchView, _grey
from napari_virtualstain.plugin.train.registration_panel import RegistrationPanel
from napari_virtualstain.plugin.train.watched_job import JobWatcher
from napari_virtualstain.training import FoldFinished, FoldStarted, StepFinished

from ..models import save_generator


@pytest.fixture
def display(qtbot: Any) -> TrainingDisplay:
    made = TrainingDisplay()
    qtbot.addWidget(made)
    return made


def _preview(before: Any = None) -> Any:
    image = np.linspace(0, 100, 64).reshape(8, 8)
    names = ("bright_field", "fluorescence", "virtual")
    return SimpleNamespace(name="plane 7", before=before, **dict.fromkeys(names, image))


def test_the_last_three_remarks_are_shown_and_each_once(display: TrainingDisplay) -> None:
    assert display.remarks.isHidden()
    for text in ("a", "b", "a", "b"):
        display.remark(text)
    assert display.remarks.text() == "a\nb"
    for text in ("c", "d"):
        display.remark(text)
    assert display.remarks.text() == "b\nc\nd"
    assert not display.remarks.isHidden()
    display.clear()
    assert display.remarks.isHidden()
    display.remark("a")  # of another training
    assert display.remarks.text() == "a"


def test_folds_are_judged_one_below_the_other(display: TrainingDisplay) -> None:
    display.follow(FoldStarted(("region 1",), 1, 2))
    assert display.curve.title == "fold 1 of 2, without region 1"
    display.follow(StepFinished(1, 6, 0.5, {}, 1e-4, 1.0))
    assert display.curve.losses == [(1, 0.5)]
    assert display.fold_scores.isHidden()
    for number, score in ((1, 0.5), (2, 0.6)):
        row = {"method": "virtual stain", "pearson": score, "bandpass_pearson": 0.25}
        display.follow(FoldFinished((f"region {number}",), number, 2, pd.DataFrame([row])))
    first, second = display.fold_scores.text().splitlines()
    assert first == "fold 1 of 2, without region 1: Pearson 0.50, band-pass Pearson 0.25"
    assert "fold 2 of 2" in second
    display.follow(FoldStarted(("region 2",), 2, 2))
    assert display.curve.losses == []


def test_the_curve_stands_between_the_outcome_and_the_pictures(display: TrainingDisplay) -> None:
    layout = display.layout()
    order = [display.outcome, display.curve, display.pictures, display.fold_scores]
    places = [layout.indexOf(widget) for widget in order]
    assert places == sorted(places)
    assert display.curve is display.curve  # it is made once


def test_scores_before_the_first_step_are_the_line_of_the_starting_model(
    display: TrainingDisplay,
) -> None:
    curve = display.curve
    curve.set_baselines({"bright-field": {"pearson": 0.2}})
    assert "dotted" in curve.legend.text()
    assert "dashed" not in curve.legend.text()
    curve.add_scores(1, {"pearson": 0.3, "bandpass_pearson": float("nan")})
    assert set(curve.lines) == {("bright-field", "pearson")}
    assert curve.scores["bandpass_pearson"] == []  # what is not defined is no point
    assert curve.reading.text() == "Pearson 0.300"
    curve.begin()
    assert curve.reading.isHidden()
    curve.add_scores(0, {"pearson": 0.25})
    curve.add_scores(5, {"pearson": 0.5})
    curve.add_loss(5, 0.1234)
    assert "dashed" in curve.legend.text()
    assert curve.reading.text() == "loss 0.123, Pearson 0.500 (start 0.250)"
    for plot in (curve.scores_plot, curve.loss_plot):
        assert plot.getViewBox().mouseEnabled() == [False, False]  # the wheel scrolls the form
        assert not plot.getAxis("left").autoSIPrefix


def test_pictures_stand_two_in_a_row_below_their_captions(qtbot: Any) -> None:
    view = PatchView()
    qtbot.addWidget(view)
    assert view.isHidden()
    view.resize(420, 500)
    view.show_preview(_preview(np.ones((8, 8))))
    view.show()
    assert view.captions == ["bright-field", "before", "now", "true"]
    assert view.title.text() == "Held out: plane 7"
    boxes, captions = view.pictures, view._captions
    assert boxes[0].y() == boxes[1].y() < boxes[2].y() == boxes[3].y()
    assert boxes[0].x() == boxes[2].x() < boxes[1].x()
    for box, caption in zip(boxes, captions, strict=True):
        assert caption.y() < box.y()
        assert caption.x() == box.x()
    assert [caption.text() for caption in captions] == view.captions
    assert boxes[1].accessibleName() == "before"
    assert 190 < boxes[0].pixmap().width() < 210
    view.show_preview(_preview())  # a training that starts from nothing
    assert view.captions == ["bright-field", "now", "true"]
    assert [box.isHidden() for box in boxes] == [False, False, False, True]
    assert captions[3].isHidden()
    view.clear()
    assert view.isHidden()


def test_pictures_can_still_be_judged_in_a_narrow_dock(qtbot: Any) -> None:
    view = PatchView()
    qtbot.addWidget(view)
    view.resize(150, 500)
    view.show_preview(_preview())
    assert view.pictures[0].pixmap().width() >= 100


def test_values_beyond_the_limits_are_black_and_white() -> None:
    grey = _grey(np.array([[-50.0, 0.0, 50.0, 100.0, 150.0]]), (0, 100))
    assert grey.tolist() == [[0, 0, 127, 255, 255]]
    every = _grey(np.arange(1001.0)[None]).ravel().astype(int)
    assert (np.diff(every) >= 0).all()


def test_an_overlay_is_offered_as_soon_as_one_shift_is_known(qtbot: Any, viewer_model: Any) -> None:
    panel = RegistrationPanel(viewer_model, lambda: None, lambda: None)
    qtbot.addWidget(panel)
    known = Alignment(3.0, 4.0, significance=9.0, spread_px=0.1, pairs=8)
    unknown = Alignment(significance=1.0, pairs=8)
    assert not panel.overlay_button.isEnabled()
    assert panel.text.isHidden()
    panel.show_found({"a": unknown, "b": known})
    assert panel.overlay_button.isEnabled()
    assert not panel.text.isHidden()
    panel.show_overlay()  # the fluorescence was deleted meanwhile
    assert len(viewer_model.layers) == 0
    assert panel.plot.getViewBox().mouseEnabled() == [False, False]
    panel.clear()
    assert not panel.overlay_button.isEnabled()
    assert panel.plot.isHidden()


@pytest.fixture
def job(tmp_path: Path) -> Path:
    """Return a job folder that an older version has trained: without an outcome."""
    folder = tmp_path / "job"
    save_generator(folder / "mine.safetensors")
    (folder / "job.json").write_text(json.dumps({"config": {"name": "mine"}}))
    rows = ["step,loss,validation_pearson,validation_bandpass_pearson"]
    rows += ["0,,0.1,0.2", "1,0.9,,", "5,0.5,0.3,"]
    (folder / "history.csv").write_text("\n".join(rows))
    return folder


def _watched(display: TrainingDisplay, folder: Path) -> tuple[JobWatcher, list[Any], list[str]]:
    watcher, taken, said = JobWatcher(display), [], []
    watcher.finished.connect(taken.append)
    watcher.said.connect(said.append)
    watcher.start(folder, display)
    return watcher, taken, said


def test_a_model_without_an_outcome_is_taken_at_the_look_after_ten(
    display: TrainingDisplay, job: Path, models: Path
) -> None:
    watcher, taken, said = _watched(display, job)
    assert said == [f"Watching {job}."]
    for _ in range(9):
        watcher.look()
    assert taken == []
    watcher.look()
    assert taken == [models / "mine.safetensors"]
    assert taken[0].read_bytes() == (job / "mine.safetensors").read_bytes()
    watcher.look()  # it has stopped
    assert len(taken) == 1


def test_a_job_that_trains_still_is_waited_for(display: TrainingDisplay, job: Path) -> None:
    model = (job / "mine.safetensors").rename(job / "later")
    watcher, taken, said = _watched(display, job)
    for _ in range(15):
        watcher.look()
    assert (taken, len(said)) == ([], 1)
    model.rename(job / "mine.safetensors")
    for _ in range(11):
        watcher.look()
    assert len(taken) == 1


def test_what_a_job_has_written_is_drawn_once(display: TrainingDisplay, job: Path) -> None:
    watcher, _, _ = _watched(display, job)
    curve = display.curve
    for _ in range(2):
        assert curve.losses == [(1, 0.9), (5, 0.5)]
        assert curve.scores == {"pearson": [(0, 0.1), (5, 0.3)], "bandpass_pearson": [(0, 0.2)]}
        watcher.look()
    assert curve.title == "mine, trained elsewhere"
    watcher.stop()


def test_a_model_that_cannot_be_read_is_left_where_it_is(
    display: TrainingDisplay, job: Path, models: Path
) -> None:
    (job / "outcome.npz").write_bytes(b"torn")
    (job / "mine.safetensors").write_bytes(b"torn")
    (job / "history.csv").unlink()  # nothing to draw
    _, taken, said = _watched(display, job)
    assert taken == []
    assert "cannot be read" in said[1]
    assert said[2].startswith("The model of the job cannot be taken")
    assert (job / "mine.safetensors").exists()
    assert not (models / "mine.safetensors").exists()


def test_a_model_of_the_same_name_is_not_overwritten(
    display: TrainingDisplay, job: Path, models: Path
) -> None:
    there = save_generator(models / "mine.safetensors", pixel_size_um=0.2).read_bytes()
    (job / "outcome.npz").write_bytes(b"torn")
    _, taken, _ = _watched(display, job)
    assert taken == [models / "mine-2.safetensors"]
    assert (models / "mine.safetensors").read_bytes() == there
