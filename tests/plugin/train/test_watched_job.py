"""A job folder that is trained elsewhere, watched by the Train dock."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from napari_virtualstain.cli.app import app
from napari_virtualstain.plugin.train.dock import TrainWidget
from napari_virtualstain.training import baselines_of_job, outcome_of_job

from .conftest import add_pair, draw_regions, open_quick_dock, spotted_pair


@pytest.fixture
def widget(qtbot: Any, viewer_model: Any) -> TrainWidget:
    add_pair(viewer_model, spotted_pair())
    made = open_quick_dock(qtbot, viewer_model)
    draw_regions(made)
    return made


@pytest.fixture
def job(widget: TrainWidget, qtbot: Any, tmp_path: Path) -> Path:
    """Return a job folder that the dock has written and the command line has trained."""
    folder = tmp_path / "job"
    widget.write_job(folder)
    qtbot.waitUntil(lambda: not widget.working.is_active, timeout=60_000)
    assert "virtualstain train --job" in widget.status_label.text()
    answer = CliRunner().invoke(app, ["train", "--job", str(folder)])
    assert answer.exit_code == 0, answer.output
    return folder


@pytest.mark.slow
def test_the_outcome_of_a_job_is_that_of_a_training_of_the_dock(
    widget: TrainWidget, job: Path, qtbot: Any, models: Path, wait_for: Any
) -> None:
    widget.resize(400, 640)
    widget.show()
    widget.area.verticalScrollBar().setValue(0)
    widget.watch(job)
    display = widget.display
    sentence = display.outcome.sentence
    qtbot.wait_until(lambda: not sentence.visibleRegion().isEmpty(), timeout=5000)
    assert (models / "my-model.safetensors").exists()
    assert widget.start_from.combo.findText("my-model") >= 0
    assert "my-model was trained elsewhere" in widget.status_label.text()
    assert "held out: Pearson" in widget.status_label.text()
    assert display.curve.losses
    assert {method for method, _ in display.curve.lines} == {"bright-field", "starting model"}
    assert display.outcome.report == job / "report" / "report.html"
    table, said = display.outcome.table.frame, sentence.text()
    assert list(table.columns) == ["score", "before", "after", "best baseline"]
    assert "–" in table.loc[1, "after"]
    display.outcome.worst_button.click()
    worst = display.pictures.title.text(), [p.copy() for _, p in display.pictures._shown]
    assert len(worst[1]) == 4
    remarks = display.remarks.text()
    widget.name.setText("here")
    widget.run_button.click()
    wait_for(widget, timeout_s=120)
    pd.testing.assert_frame_equal(display.outcome.table.frame, table)
    assert sentence.text() == said
    assert display.remarks.text() == remarks
    display.outcome.worst_button.click()
    assert display.pictures.title.text() == worst[0]
    for shown, (_, picture) in zip(worst[1], display.pictures._shown, strict=True):
        np.testing.assert_allclose(shown.astype(float), picture.astype(float), atol=1)


@pytest.mark.slow
def test_the_model_of_a_job_without_an_outcome_is_taken_after_ten_looks(
    widget: TrainWidget, job: Path, models: Path
) -> None:
    (job / "outcome.npz").unlink()  # as an older version leaves it
    widget.watch(job)
    for _ in range(9):
        widget.watcher.look()
    assert not (models / "my-model.safetensors").exists()
    widget.watcher.look()
    assert (models / "my-model.safetensors").exists()
    assert widget.display.outcome.isHidden()
    assert widget.status_label.text() == "my-model was trained elsewhere and is in the model list."
    (job / "outcome.npz").write_bytes(b"torn")
    widget.watch(job)
    assert (models / "my-model-2.safetensors").exists()
    (job / "outcome.npz").unlink()
    (job / "baselines.json").write_text("torn")
    assert outcome_of_job(job / "my-model.safetensors") is None
    assert baselines_of_job(job) == {}


def test_another_folder_is_no_job(widget: TrainWidget, tmp_path: Path) -> None:
    widget.watch(tmp_path)
    assert "is no job folder" in widget.status_label.text()
