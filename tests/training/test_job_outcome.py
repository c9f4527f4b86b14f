"""What a job leaves in its folder for the dock that watches it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from napari_virtualstain.models import ModelCard, build_network, save_model
from napari_virtualstain.training import (
    Preview,
    TrainingFinished,
    TrainingPrepared,
    TrainingResult,
    baselines_of_job,
    outcome_of_job,
)
from napari_virtualstain.training.job_outcome import kept_in_folder

BASELINES = {"bright-field": {"pearson": 0.25}}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    card = ModelCard(
        name="mine",
        architecture={"name": "unet", "arguments": {"widths": [2, 2]}},
        training={"steps": 7, "stopped_early": True, "warnings": ["few pairs"]},
    )
    return save_model(tmp_path / "mine.safetensors", build_network(card.architecture), card)


def _result(model: Path, **changes: Any) -> TrainingResult:
    planes = np.arange(12.0).reshape(3, 2, 2)
    given: dict[str, Any] = {
        "path": model,
        "card": None,
        "scores": pd.DataFrame({"pearson": [0.5, 0.25]}),
        "history": model.parent / "history.csv",
        "report": model.parent / "report" / "report.html",
        "steps": 7,
        "stopped_early": True,
        "warnings": ("few pairs",),
        "worst": (Preview("a", *planes), Preview("b", *planes, before=planes[0])),
    }
    return TrainingResult(**{**given, **changes})


def _prepared() -> TrainingPrepared:
    nothing = dict.fromkeys(TrainingPrepared.__slots__)
    return TrainingPrepared(**{**nothing, "baselines": BASELINES})


def _keep(folder: Path, *events: Any) -> list[Any]:
    return list(kept_in_folder(SimpleNamespace(folder=folder), iter(events)))


def test_the_outcome_of_a_finished_job_is_read_back(model: Path) -> None:
    events = [_prepared(), TrainingFinished(_result(model))]
    assert _keep(model.parent, *events) == events
    found = outcome_of_job(model)
    assert baselines_of_job(model.parent) == BASELINES
    assert found is not None
    pd.testing.assert_frame_equal(found.scores, pd.DataFrame({"pearson": [0.5, 0.25]}))
    assert (found.steps, found.stopped_early, found.warnings) == (7, True, ("few pairs",))
    assert found.report == model.parent / "report" / "report.html"
    assert [one.name for one in found.worst] == ["a", "b"]
    for one, planes in zip(found.worst, _result(model).worst, strict=True):
        for name in Preview.__slots__[1:]:
            np.testing.assert_array_equal(getattr(one, name), getattr(planes, name))


def test_a_job_without_scores_and_report_has_an_outcome(model: Path) -> None:
    _keep(model.parent, TrainingFinished(_result(model, scores=None, report=None, worst=())))
    found = outcome_of_job(model)
    assert found is not None
    assert (found.scores, found.report, found.worst) == (None, None, ())


def test_a_job_that_starts_over_is_not_done(model: Path) -> None:
    _keep(model.parent, TrainingFinished(_result(model)))
    _keep(model.parent, _prepared())
    assert outcome_of_job(model) is None
