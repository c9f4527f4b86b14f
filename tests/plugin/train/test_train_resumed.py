"""Trainings that were stopped: what the dock recalls, and what it does when one ends."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from napari_virtualstain.errors import CancelledError, InputError
from napari_virtualstain.plugin.kit.jobs import JobContext, Outcome
from napari_virtualstain.plugin.kit.preferences import Preferences
from napari_virtualstain.plugin.train import job
from napari_virtualstain.plugin.train.dock import TrainWidget
from napari_virtualstain.plugin.train.dock_settings import DockSettings, remember_settings
from napari_virtualstain.plugin.train.job import TrainRequest
from napari_virtualstain.plugin.train.kept_training import is_in_training, keep_and_train
from napari_virtualstain.plugin.train.own_models import why_no_name
from napari_virtualstain.plugin.train.sources import PairSource
from napari_virtualstain.training import preset

from ..models import save_generator
from .conftest import SCALE, add_pair, open_dock, smooth_pair


@pytest.fixture
def widget(qtbot: Any, viewer_model: Any) -> TrainWidget:
    add_pair(viewer_model, smooth_pair())
    return open_dock(qtbot, viewer_model)


def _stop(widget: TrainWidget, name: str, **settings: Any) -> None:
    """Leave a training of the form's settings, but for those given, that was stopped."""
    output = widget.output().with_stem(name)
    (output.parent / f"{name}.training").mkdir(exist_ok=True)
    (output.parent / f"{name}.training" / "checkpoint.pt").write_bytes(b"")
    remember_settings(output, widget.settings.model_copy(update=settings))


def _type(widget: TrainWidget, name: str) -> str:
    widget.say("")
    widget.name.setText(name)
    widget.name.editingFinished.emit()
    return str(widget.status_label.text())


def test_settings_of_a_stopped_training_are_filled_in_under_its_name(widget: TrainWidget) -> None:
    _stop(widget, "halted", steps=77)
    _stop(widget, "same")
    assert widget.resume.isHidden()
    assert "Its settings were filled in" not in _type(widget, "another")
    assert widget.settings.steps is None
    assert "Its settings were filled in" not in _type(widget, "same")  # nothing is to be filled
    assert not widget.resume.isHidden()
    said = _type(widget, " halted ")
    assert said.startswith("The training of halted was stopped. Its settings were filled in: Train")
    assert widget.settings.steps == 77
    assert widget._request_now().resume
    widget.resume.setChecked(False)
    assert not widget._request_now().resume
    widget.resume.setChecked(True)
    _type(widget, "another")
    assert not widget._request_now().resume


def test_settings_that_are_lost_leave_the_form_as_it_is(widget: TrainWidget) -> None:
    _stop(widget, "halted", steps=77)
    (widget.output().parent / "halted.training" / "dock.json").unlink()
    assert "filled in" not in _type(widget, "halted")
    assert widget.settings.steps is None
    assert not widget.resume.isHidden()


def test_without_layers_it_is_said_how_they_come_back(
    qtbot: Any, viewer_model: Any, widget: TrainWidget
) -> None:
    from napari.components import ViewerModel

    _stop(widget, "my-model", steps=5)
    layers = widget.output().parent / "my-model.training" / "layers"
    layers.mkdir()
    (layers / "layers.json").write_text("[]")
    for viewer, how in (
        (ViewerModel(), "Continue brings its layers"),
        (viewer_model, "Train goes"),
    ):
        dock = TrainWidget(viewer)
        qtbot.addWidget(dock)
        assert f"were filled in: {how}" in dock.status_label.text()
        assert dock.settings.steps == 5


def test_names_that_are_no_file_are_not_looked_for(widget: TrainWidget) -> None:
    for name in ("", "a/b", "x" * 200):
        widget.name.setText(name)
        assert widget.resume.isHidden()


def test_the_end_of_a_training_proposes_the_next_name_or_says_how_to_go_on(
    widget: TrainWidget, models: Path
) -> None:
    widget.on_end(Outcome(error=InputError("broken")))
    assert widget.name.text() == "my-model"
    _stop(widget, "my-model")
    widget.say("broken")
    widget.on_end(Outcome(error=InputError("broken")))
    assert widget.status_label.text() == "broken"
    widget.on_end(Outcome(error=CancelledError("cancelled")))
    assert widget.status_label.text().startswith("Cancelled. Train goes on from here")
    shutil.copyfile(models / "tiny.safetensors", models / "my-model.safetensors")
    widget.on_end(Outcome(value=None))
    assert widget.name.text() == "my-model-2"
    assert widget.start_from.combo.findText("my-model") >= 0
    widget.say("")
    widget.name.setText("none")
    widget.on_end(Outcome(error=CancelledError("cancelled")))
    assert "goes on from here" not in widget.status_label.text()  # nothing was begun


def test_a_model_that_was_trained_elsewhere_is_listed(widget: TrainWidget, models: Path) -> None:
    taken = save_generator(models / "cluster.safetensors")
    widget.watcher.finished.emit(taken)
    assert widget.status_label.text() == "cluster was trained elsewhere and is in the model list."
    card = SimpleNamespace(name="cluster", scores={})
    result = {"path": taken, "card": card, "scores": None, "worst": (), "report": None}
    warnings = ("Channels are displaced (--correct-registration).",)
    widget.watcher.finished.emit(SimpleNamespace(**result, warnings=warnings))
    assert widget.status_label.text().endswith("; no honest score can be given.")
    assert widget.display.remarks.text() == ("Channels are displaced (tick Correct registration).")


def test_the_pixel_size_of_a_new_layer_counts_where_it_states_one(widget: TrainWidget) -> None:
    widget.pixel_size.setValue(0.2)
    plain = widget.viewer.add_image(smooth_pair()[0], name="plain", axis_labels=("t", "y", "x"))
    widget.bright_field.value = plain
    assert widget.pixel_size.value() == 0.2
    widget.bright_field.setCurrentText("none")
    assert widget.pixel_size.value() == 0.2
    fine = {**SCALE, "scale": (2.0, 0.05, 0.05)}
    widget.bright_field.value = widget.viewer.add_image(smooth_pair()[0], name="fine", **fine)
    assert widget.pixel_size.value() == 0.05


def test_a_dock_that_was_removed_looks_at_nothing_any_more(viewer_model: Any) -> None:
    add_pair(viewer_model, smooth_pair())
    dock = TrainWidget(viewer_model)  # deletes itself when it is removed
    dock.tear_down()
    dock.say("gone")
    viewer_model.layers.clear()
    dock.steps.setValue(9)
    dock.tear_down()
    assert dock.status_label.text() == "gone"


def _request(output: Path, **settings: Any) -> TrainRequest:
    source = PairSource("cell", *smooth_pair(), "tyx")
    chosen = DockSettings(pixel_size_um=0.08, **settings)
    return TrainRequest((source,), chosen, output, Preferences(), shown=(3,))


def test_a_name_is_taken_as_long_as_its_training_runs(
    models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = models / "busy.safetensors"
    request = _request(output)
    monkeypatch.setattr(
        "napari_virtualstain.plugin.train.kept_training.train_job", lambda *_: iter(["an event"])
    )
    assert why_no_name("busy") is None
    running = keep_and_train(request, [], JobContext())
    assert next(running) == "an event"
    assert is_in_training(output)
    assert "is being trained now" in str(why_no_name("busy"))
    with pytest.raises(InputError, match="is being trained now"):
        next(keep_and_train(request, [], JobContext()))
    running.close()
    assert why_no_name("busy") is None


@pytest.mark.parametrize(
    ("given", "kinds"),
    [
        ({"init": "tiny"}, ["before", "after"]),
        ({}, ["after"]),
        ({"init": "tiny", "compare": False}, []),
    ],
)
def test_the_visible_frame_is_stained_by_the_models_that_there_are(
    models: Path, monkeypatch: pytest.MonkeyPatch, given: dict[str, Any], kinds: list[str]
) -> None:
    output = save_generator(models / "after.safetensors")
    asked: list[Any] = []
    stainer = job.PlaneStainer
    monkeypatch.setattr(
        job, "PlaneStainer", lambda wanted, cancel: asked.append(wanted) or stainer(wanted, cancel)
    )
    made = list(job._compared(_request(output, device="cpu", **given), JobContext()))
    assert [compared.kind for compared in made] == kinds
    assert {(one.device, one.pixel_size_um, one.centre) for one in asked} <= {("cpu", 0.08, (3,))}
    for compared in made:
        assert compared.index == (3,)
        assert compared.fluorescence.shape == (64, 96)
        assert np.ptp(compared.fluorescence) > 0


@pytest.mark.parametrize(
    ("given", "held_out"),
    [({}, ("last frames",)), ({"folds": 3}, None), ({"simulate": True}, None)],
)
def test_folds_and_simulated_scenes_hold_out_their_own(
    given: dict[str, Any], held_out: tuple[str, ...] | None
) -> None:
    config = job._holding_out(preset(), _request(Path("a.safetensors"), **given))
    assert config.validation_groups == held_out
