"""The Train dock while it runs and after: curves, stopping, killing, results, other machines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qtpy.QtWidgets import QLabel, QToolButton

from napari_virtualstain.models import read_card
from napari_virtualstain.plugin.train.dock import TrainWidget
from napari_virtualstain.training import (
    StepFinished,
    TrainingPrepared,
    Validated,
    training_folder,
)

from .conftest import add_pair, draw_regions, open_quick_dock, spotted_pair

WEIGHT_MAPS = {
    "PSF deconvolution": "psf_deconvolution",
    "PSF convolution": "psf_convolution",
    "Gaussian": "gaussian",
    "logit": "logit",
    "binary": "binary",
    "none": "none",
}


@pytest.fixture
def widget(qtbot: Any, viewer_model: Any) -> TrainWidget:
    add_pair(viewer_model, spotted_pair())
    return open_quick_dock(qtbot, viewer_model)


@pytest.mark.slow
def test_a_training_is_drawn_judged_and_listed(widget: TrainWidget, wait_for: Any) -> None:
    draw_regions(widget)
    said: list[str] = []
    widget.runner.progressed.connect(lambda progress: said.append(str(progress)))
    widget.run_button.click()
    wait_for(widget, timeout_s=120)
    assert widget.state == "done", widget.status_label.text()
    assert any(text.startswith("checking 16 pairs") for text in said), said
    assert said[-1] == "judging the held-out images, writing the model"
    display = widget.display
    steps, losses = display.curve._loss.getData()
    assert steps.tolist() == [1, 5, 6]
    assert np.isfinite(losses).all()
    for name in ("pearson", "bandpass_pearson"):
        shown = display.curve._curves[name].getData()[0]
        assert shown[0] == 0
        assert shown[-1] == 6
    assert {method for method, _ in display.curve.lines} == {"bright-field", "starting model"}
    assert display.curve.scores_plot.getAxis("left").labelText == "held-out correlation"
    assert display.pictures.captions == ["bright-field", "before", "now", "true"]
    table = display.outcome.table.frame
    assert list(table.columns)[:3] == ["score", "before", "after"]
    assert "–" in table.loc[1, "after"]
    view = display.outcome.table
    assert sum(view.columnWidth(i) for i in range(len(table.columns))) <= view.viewport().width()
    sentence = display.outcome.sentence.text()
    assert "of 8 held-out images" in sentence
    assert "says nothing about the next cell" in sentence
    card = read_card(training_folder(widget.output()).parent / "my-model.safetensors")
    assert card.scores["independent"] is False
    assert card.loss["weighted_l1"] >= 1
    assert display.outcome.report is not None
    assert display.outcome.report.name == "report.html"
    display.outcome.worst_button.click()
    assert "band-pass Pearson" in display.pictures.title.text()
    assert widget.name.text() == "my-model-2"
    assert not (training_folder(widget.output().with_stem("my-model")) / "layers").exists()


def test_curves_come_into_view_when_the_training_is_prepared(
    widget: TrainWidget, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(widget.runner, "start", lambda *_: None)
    widget.resize(400, 640)
    widget.show()
    widget.run_button.click()
    widget.area.verticalScrollBar().setValue(0)
    baselines = {"bright-field": {"pearson": 0.1}}
    widget.on_items([TrainingPrepared(6, 0, 6, 2, {}, 10, "cpu", "float32", 32, {}, baselines)])
    widget.on_items([StepFinished(1, 6, 0.5, {}, 1e-4, 1.0)])
    widget.display.curve.add_scores(0, {"pearson": 0.2})
    plot = widget.display.curve.scores_plot
    qtbot.wait_until(lambda: not plot.viewport().visibleRegion().isEmpty(), timeout=2000)
    assert plot.viewRange()[0][0] >= -0.5


@pytest.mark.slow
def test_stop_and_keep_leaves_a_model_and_cancel_a_checkpoint(
    widget: TrainWidget, wait_for: Any, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    widget.steps.setValue(5000)
    follow = widget.display.follow
    act: list[Any] = [widget.stop_button.click]

    def at_the_first_look(event: Any) -> None:
        follow(event)
        if isinstance(event, Validated) and act:
            act.pop(0)()

    monkeypatch.setattr(widget.display, "follow", at_the_first_look)
    widget.run_button.click()
    assert not widget.stop_button.isHidden()
    wait_for(widget, timeout_s=120)
    assert widget.state == "done", widget.status_label.text()
    assert 0 < read_card(models / "my-model.safetensors").training["steps"] < 5000
    assert "Stopped after" in widget.display.remarks.text()
    act.append(widget.cancel_button.click)
    widget.run_button.click()
    wait_for(widget, "idle", timeout_s=120)
    assert not (models / "my-model-2.safetensors").exists()
    assert "Train goes on" in widget.status_label.text()


@pytest.mark.slow
def test_after_a_kill_layers_regions_and_settings_come_back(
    widget: TrainWidget, qtbot: Any, wait_for: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari.components import ViewerModel

    draw_regions(widget)
    widget.shapes.value.selected_data = {0}
    widget.pairs.hold_button.click()
    widget.optics.na.setValue(1.2)
    widget.steps.setValue(5000)
    asked, summary = widget.settings, widget.pairs.summary.text()
    follow = widget.display.follow

    def end(event: Any) -> None:
        follow(event)
        if isinstance(event, Validated) and event.step > 0:
            widget.cancel()

    monkeypatch.setattr(widget.display, "follow", end)
    widget.run_button.click()
    wait_for(widget, "idle", timeout_s=120)
    viewer = ViewerModel()  # napari was closed and begins with nothing
    other = TrainWidget(viewer)
    qtbot.addWidget(other)
    assert not other.run_button.isEnabled()
    assert "my-model was stopped" in other.going_on.text()
    other.resume_button.click()
    assert [layer.name for layer in viewer.layers] == ["bf", "GFP", "regions · bf [regions]"]
    assert other.settings == asked
    assert other.pairs.summary.text() == summary
    np.testing.assert_array_equal(viewer.layers["bf"].data, widget.bright_field.value.data)
    assert other.run_button.isEnabled(), other.status_label.text()
    request = other._request_now()
    assert request.resume
    first = []
    follow_other = other.display.follow
    monkeypatch.setattr(
        other.display, "follow", lambda event: (first.append(event), follow_other(event))
    )
    other.run_button.click()
    qtbot.waitUntil(lambda: any(hasattr(event, "first_step") for event in first), timeout=60_000)
    assert next(e for e in first if hasattr(e, "first_step")).first_step > 0
    other.cancel()
    wait_for(other, "idle", timeout_s=60)


def test_the_kernel_and_six_weight_maps_are_shown(widget: TrainWidget) -> None:
    optics = widget.optics
    widget.findChild(QToolButton, "optics").click()
    width = optics.kernel_note.text()
    optics.na.setValue(0.7)
    assert optics.kernel_note.text() != width
    assert not optics.kernel_picture.pixmap().isNull()
    ratios = {}
    for text, kind in WEIGHT_MAPS.items():
        optics.kind.value = kind
        optics.show_button.click()
        layer = next(known for known in widget.viewer.layers if known.name.endswith(text))
        assert layer.data.shape == (64, 96)
        ratios[kind] = optics.ratio_note.text()
        assert text in ratios[kind]
    assert len(set(ratios.values())) == 6
    assert ratios["none"].endswith("ratio 1.0.")
    before = optics.ratio_note.text()
    optics.kind.value = "psf_deconvolution"
    optics.background.setValue(0)
    optics.show_button.click()
    assert optics.ratio_note.text() not in (before, ratios["psf_deconvolution"])
    optics.na.setValue(1.6)
    assert "below 1.515" in widget.status_label.text()
    assert not widget.run_button.isEnabled()


def test_own_models_are_renamed_compared_and_deleted(widget: TrainWidget, models: Path) -> None:
    mine = widget.own_models
    assert mine.table.frame["model"].tolist() == ["tiny"]
    mine.rename(models / "tiny.safetensors", "cells-of-july")
    measure = mine.table.fontMetrics().horizontalAdvance
    assert mine.table.horizontalHeader().sectionSize(0) > measure("cells-of-july")  # read whole
    mine.rename(models / "cells-of-july.safetensors", "cells")
    assert read_card(models / "cells.safetensors").name == "cells"
    assert not (models / "tiny.safetensors").exists()
    assert widget.start_from.combo.findText("cells") >= 0
    mine.delete(models / "cells.safetensors")
    assert mine.table.frame.empty
    assert widget.start_from.combo.findText("cells") < 0


def test_a_start_model_that_vanished_is_a_sentence(widget: TrainWidget, models: Path) -> None:
    (models / "tiny.safetensors").unlink()
    widget._on_layers()
    assert "gone" in widget.status_label.text()
    assert not widget.run_button.isEnabled()


@pytest.mark.parametrize("name", ["a/b", "..", ".hidden", "a\\b"])
def test_names_that_would_lead_elsewhere_are_refused(widget: TrainWidget, name: str) -> None:
    widget.name.setText(name)
    assert "cannot be called" in widget.status_label.text()
    assert not widget.run_button.isEnabled()


def test_each_method_says_what_it_is(widget: TrainWidget) -> None:
    label = widget.findChild(QLabel, "method_note")
    said = set()
    for index in range(widget.preset.count()):
        widget.preset.setCurrentIndex(index)
        said.add(label.text())
    assert len(said) == 9
