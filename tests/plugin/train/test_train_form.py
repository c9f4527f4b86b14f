"""What the train dock says and offers around a training, without training."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from qtpy.QtCore import QPoint
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import QFileDialog

from napari_virtualstain.data import Alignment
from napari_virtualstain.errors import InputError
from napari_virtualstain.models import Inputs, ModelCard
from napari_virtualstain.plugin.kit.jobs import JobState, Outcome
from napari_virtualstain.plugin.train.dock import TrainWidget
from napari_virtualstain.plugin.train.dock_settings import DockSettings
from napari_virtualstain.plugin.train.effort_rows import EffortRows, PlanesChoice
from napari_virtualstain.plugin.train.job import Compared
from napari_virtualstain.plugin.train.outcome_view import STAIN, OutcomeView
from napari_virtualstain.plugin.train.own_models import OwnModels, next_name, why_no_file_name
from napari_virtualstain.training import StepFinished, TrainingPrepared, TrainingWarning

from .conftest import SCALE, add_pair, open_dock, smooth_pair

KNOWN = Alignment(6.0, -5.0, significance=9.0, spread_px=0.1, pairs=8)
UNKNOWN = Alignment(significance=1.0, pairs=8)


@pytest.fixture
def widget(qtbot: Any, viewer_model: Any) -> TrainWidget:
    add_pair(viewer_model, smooth_pair())
    return open_dock(qtbot, viewer_model)


@pytest.fixture
def begun(widget: TrainWidget, monkeypatch: pytest.MonkeyPatch) -> TrainWidget:
    """Return a dock whose training has begun, and whose events are handed over by the test."""
    monkeypatch.setattr(widget.runner, "start", lambda *_: None)
    widget.viewer.dims.set_point(0, 2.0 * 3)
    widget.run_button.click()
    return widget


def _result(widget: TrainWidget, **scores: Any) -> Any:
    card = SimpleNamespace(name=widget.output().stem, scores=scores)
    return SimpleNamespace(path=widget.output(), card=card, scores=None, worst=(), report=None)


def test_a_new_form_fine_tunes_resumes_and_compares(widget: TrainWidget) -> None:
    assert widget.settings.init.endswith("tiny.safetensors")
    assert widget.settings.compare
    assert widget.resume.isChecked()
    assert widget.display.isHidden()
    widget.fine_tune.click()
    assert widget.settings.init == ""


def test_methods_of_the_paper_say_where_they_stand_in_it(qtbot: Any) -> None:
    rows = EffortRows()
    qtbot.addWidget(rows)
    texts = [rows.preset.itemText(place) for place in range(rows.preset.count())]
    assert {"A (Table 1)", "H (Table 1)", "recommended"} <= set(texts)


@pytest.mark.parametrize("planes", [(1, "z"), (3, "z"), (3, "t"), (5, "t")])
def test_planes_of_kept_settings_are_chosen_where_the_layer_has_them(
    qtbot: Any, planes: tuple[int, str]
) -> None:
    choice = PlanesChoice()
    qtbot.addWidget(choice)
    choice.follow({"t": 5, "z": 3}, None)
    asked = DockSettings(pixel_size_um=0.1, planes=planes[0], plane_axis=planes[1])
    choice.load(asked)
    assert (choice.asked, choice.axis) == planes
    choice.follow({"t": 1}, None)
    choice.load(asked)
    assert choice.asked == 1  # there are no others
    choice.follow({}, SimpleNamespace(inputs=Inputs()))
    assert choice.currentText() == "one, as the model"
    choice.load(DockSettings(pixel_size_um=0.1))
    assert choice.asked is None


def _card(planes: int, axis: str) -> ModelCard:
    return ModelCard(name="deep", inputs=Inputs(planes=planes, axis=axis))


@pytest.mark.parametrize(
    ("planes", "axis", "is_simulated", "said"),
    [
        (1, "z", False, None),
        (1, "z", True, None),
        (3, "t", False, None),
        (3, "t", True, "reads 3 planes, and simulated pairs have one"),
        (3, "z", False, "reads 3 planes along z, which the layers do not have"),
    ],
)
def test_a_start_that_reads_other_planes_is_refused(
    widget: TrainWidget,
    monkeypatch: pytest.MonkeyPatch,
    planes: int,
    axis: str,
    is_simulated: bool,
    said: str | None,
) -> None:
    monkeypatch.setattr(type(widget.start_from), "card", property(lambda _: _card(planes, axis)))
    widget.pairs.simulate_box.setChecked(is_simulated)
    reason = widget.why_not_start_from()
    assert (reason is None) == (said is None)
    assert reason is None or said in reason


def test_planes_are_those_of_the_layers_and_one_of_simulated_pairs(widget: TrainWidget) -> None:
    widget.fine_tune.click()
    assert widget.why_not_planes() is None
    widget.planes.value = (3, "t")
    assert widget.run_button.isEnabled()
    widget.pairs.simulate_box.click()
    assert (
        widget.status_label.text()
        == "Simulated pairs have one plane each. Choose one under " + ("Planes.")
    )
    widget.planes.value = (1, "z")
    widget.advanced.changed.emit()
    assert widget.run_button.isEnabled(), widget.status_label.text()


def test_the_training_can_be_ended_early_while_it_runs_and_is_no_cross_validation(
    begun: TrainWidget,
) -> None:
    stop = begun.stop_button
    assert stop.isHidden()
    begun.stop_and_keep()  # nothing runs
    assert not begun._request.stop.cancelled
    begun.runner._set_state(JobState.RUNNING)
    assert not stop.isHidden()
    assert stop.isEnabled()
    begun.show()
    places = [one.mapTo(begun, QPoint(0, 0)).y() for one in (stop, begun.run_button)]
    assert places[0] < places[1]
    stop.click()
    assert begun._request.stop.cancelled
    assert not stop.isEnabled()
    assert begun.status_label.text().startswith("Stopping after this step")
    begun.render()
    assert not stop.isEnabled()
    begun.runner._set_state(JobState.IDLE)
    begun.hold_out.kind.value = "time in turn"
    begun.run_button.click()
    begun.runner._set_state(JobState.RUNNING)
    assert not stop.isEnabled()
    assert "no final model" in stop.toolTip()
    for button in (begun.job_button, begun.registration.measure_button):
        assert not button.isEnabled()
    begun.runner._set_state(JobState.IDLE)
    for button in (begun.job_button, begun.registration.measure_button):
        assert button.isEnabled()


def test_the_curves_come_into_view_once_a_training(
    begun: TrainWidget, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[Any] = []
    monkeypatch.setattr(begun.area, "show_filled", shown.append)
    prepared = TrainingPrepared(6, 0, 6, 2, {}, 10, "cpu", "float32", 32, {}, {})
    begun.on_items([StepFinished(1, 6, 0.5, {}, 1e-4, 1.0)])
    assert shown == []
    # each fold is prepared; who has scrolled on since is left there
    begun.on_items([prepared, StepFinished(2, 6, 0.5, {}, 1e-4, 1.0), prepared])
    assert shown == [begun.display.curve]


def test_warnings_are_remarks_in_words_of_the_dock(begun: TrainWidget) -> None:
    warning = TrainingWarning("The channels are displaced (--correct-registration).")
    begun.on_items([warning, warning])
    said = begun.display.remarks.text()
    assert said == "The channels are displaced (tick Correct registration)."
    assert not begun.display.isHidden()


def test_the_visible_frame_is_shown_as_it_was_and_as_it_is(begun: TrainWidget) -> None:
    layers = begun.viewer.layers
    made = {"virtualstain": {"step": "stain", "source": "bf", "kind": "fluorescence"}}
    stain = begun.viewer.add_image(np.ones((8, 64, 96)), name="stain", metadata=made, **SCALE)
    plane = np.linspace(0, 1, 64 * 96, dtype=np.float32).reshape(64, 96)
    begun.on_items([Compared("before", (3,), plane)])
    before = layers["before · bf [before training]"]
    assert not before.visible
    assert stain.visible
    begun.on_items([Compared("after", (3,), plane)])
    after = layers["after · bf [after training]"]
    assert not stain.visible
    np.testing.assert_allclose(after.translate, (6.0, 0, 0))
    assert after.data.shape == (1, 64, 96)
    assert after.metadata["virtualstain"]["settings"]["pixel_size_um"] == 0.08


@pytest.mark.parametrize("is_simulated", [False, True])
def test_the_end_names_the_model_its_score_and_what_it_does_not_say(
    begun: TrainWidget, is_simulated: bool
) -> None:
    if is_simulated:
        begun.pairs.simulate_box.click()
        begun.run_button.click()
    said = begun.on_result(_result(begun, **{STAIN: {"pearson": {"mean": 0.5}}}))
    assert said.startswith("my-model is in the model list after ")
    assert "held out: Pearson 0.50" in said
    assert ("judge it on a pair of your own" in said) == is_simulated
    nothing = begun.on_result(_result(begun))
    assert "no honest score can be given" in nothing


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ({"a": UNKNOWN}, "The shift between the channels is unknown."),
        ({"a": UNKNOWN, "b": KNOWN}, "The shift between the channels is measured."),
        (
            {"a": KNOWN, "b": Alignment(problem="same", pairs=8)},
            "Both layers hold the same image.",
        ),
    ],
)
def test_a_measured_shift_is_said_with_its_faults_first(
    widget: TrainWidget, found: dict[str, Alignment], said: str
) -> None:
    widget.measurer.conclude(Outcome(value=found))
    assert widget.status_label.text() == said
    assert len(widget.registration.text.text().splitlines()) >= len(found)
    widget.measurer.conclude(Outcome(error=InputError("Too few (--min-foreground).")))
    assert "(lower " in widget.status_label.text()


def test_a_job_that_is_written_says_what_to_do_there(widget: TrainWidget) -> None:
    folder = Path("/a folder/job")
    widget.writer.conclude(Outcome(value=SimpleNamespace(folder=folder)))
    assert f"virtualstain train --job '{folder}'." in widget.status_label.text()
    widget.writer.conclude(Outcome(error=InputError("It is not empty (--overwrite).")))
    assert widget.status_label.text() == "It is not empty."


def test_nothing_is_written_or_measured_while_nothing_can_train(
    widget: TrainWidget, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    widget.name.setText("")
    reason = widget.why_not()
    assert reason is not None
    for act in (widget.measure_shifts, lambda: widget.write_job(tmp_path / "job")):
        widget.say("")
        act()
        assert widget.status_label.text() == reason
        assert not widget.working.is_active
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: "")
    widget.say("")
    for button in (widget.job_button, widget.watch_button):
        button.setEnabled(True)
        button.click()
    assert widget.status_label.text() == ""  # the dialogs were closed
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path))
    widget.watch_button.click()
    assert "is no job folder" in widget.status_label.text()


def _preview(name: str) -> Any:
    return SimpleNamespace(name=name)


def test_the_worst_images_are_shown_one_after_the_other(
    qtbot: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[str] = []
    opened: list[str] = []
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: opened.append(url.toLocalFile()))
    view = OutcomeView(lambda preview: shown.append(preview.name))
    qtbot.addWidget(view)
    card = SimpleNamespace(scores={STAIN: {"pearson": {"mean": 0.5}}})
    rows = pd.DataFrame([{"method": STAIN, "group": "a", "bandpass_pearson": 0.5}])
    worst = tuple(map(_preview, "ab"))
    given = {"card": card, "scores": rows, "worst": worst, "report": tmp_path}
    view.show_result(SimpleNamespace(**given))
    for _ in range(3):
        view.worst_button.click()
    assert shown == ["a", "b", "a"]
    view.report_button.click()
    (tmp_path / "report.html").write_text("")
    view.show_result(SimpleNamespace(**given))
    view.report_button.click()
    assert opened == [str(tmp_path), str(tmp_path / "report.html")]
    assert not view.table.isHidden()
    view.worst_button.click()
    assert shown[-1] == "a"  # of the new training the worst one first
    view.show_result(SimpleNamespace(card=card, scores=None, worst=(), report=None))
    for hidden in (view.table, view.worst_button, view.report_button):
        assert hidden.isHidden()
    assert not view.isHidden()
    view.clear()
    assert view.isHidden()


@pytest.mark.parametrize(
    ("name", "is_usable"),
    [
        ("x" * 100, True),
        ("x" * 101, False),
        ("\N{MICROSCOPE}" * 25, True),  # four bytes each
        ("\N{MICROSCOPE}" * 26, False),
        ("a.b", True),
        ("a.", False),
        (" ", False),
    ],
)
def test_names_fit_the_files_of_any_computer(name: str, is_usable: bool) -> None:
    assert (why_no_file_name(name) is None) == is_usable


def test_the_next_free_name_counts_on() -> None:
    assert next_name("cells", ["cells", "cells-2", "cells-3"]) == "cells-4"
    assert next_name("cells-9", ["cells-9"]) == "cells-10"
    assert next_name("-2", ["-2"]) == "-3"


def test_own_models_are_listed_with_scores_and_may_vanish_by_themselves(
    qtbot: Any, models: Path
) -> None:
    mine = OwnModels()
    qtbot.addWidget(mine)
    [row] = mine.table.frame.to_dict("records")
    assert (row["model"], row["pearson"], row["psf_weight"]) == ("tiny", 0.5, 0.0)
    assert np.isnan(row["bandpass_pearson"])
    assert not row["other_cells"]
    assert mine.chosen is None
    path = models / "tiny.safetensors"
    path.unlink()
    mine.delete(path)  # another program was faster
    assert mine.table.frame.empty
    assert mine.table.isHidden()
    assert mine._said.text() == "tiny is deleted."
