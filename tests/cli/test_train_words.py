"""What ``train`` takes from its options, and what it says of a training."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import typer

from napari_virtualstain.cli import train as module
from napari_virtualstain.cli.running import Job
from napari_virtualstain.data import CorrelativePairs
from napari_virtualstain.errors import InputError
from napari_virtualstain.training import (
    FoldStarted,
    StepFinished,
    TrainingFinished,
    TrainingPrepared,
    TrainingResult,
    TrainingWarning,
    Validated,
)


@pytest.mark.parametrize(
    ("text", "region"),
    [("0:256,100:356", (0, 100, 256, 356)), (" 3:4 , 5:6 ", (3, 5, 4, 6))],
)
def test_a_region_is_rows_then_columns(text: str, region: tuple[int, ...]) -> None:
    found = module._region(text)
    assert (found.y0, found.x0, found.y1, found.x1) == region


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("0:256", "cannot be understood"),
        ("a:b,c:d", "cannot be understood"),
        ("0:9,0:9,0:9", "cannot be understood"),
        ("5:5,0:9", "is empty"),
        ("0:9,9:9", "is empty"),
        ("9:0,0:9", "is empty"),
    ],
)
def test_regions_that_hold_nothing_are_refused(text: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        module._region(text)


@pytest.mark.parametrize(
    ("place", "value", "name"),
    [
        (0, "bf", "--bright-field"),
        (1, "fl", "--fluorescence"),
        (2, 3, "--planes"),
        (3, ["a"], "--validation-groups"),
        (4, 5, "--folds"),
    ],
)
def test_simulated_pairs_stand_alone(place: int, value: Any, name: str) -> None:
    given: list[Any] = [None, None, None, [], None]
    module._check_alone(*given)
    given[place] = value
    with pytest.raises(InputError, match=f"{name} was given with --simulate-like"):
        module._check_alone(*given)


def test_options_change_the_preset_and_none_leaves_it() -> None:
    usual = module._config("recommended", steps=None, seed=None)
    changed = module._config("recommended", steps=7, learning_rate=1e-4)
    assert (changed.steps, changed.seed) == (7, usual.seed)
    assert changed.optimisation.learning_rate == 1e-4
    assert changed.optimisation.schedule == usual.optimisation.schedule
    with pytest.raises(InputError, match="Both --steps and --epochs"):
        module._config("recommended", steps=7, epochs=2)


@pytest.mark.parametrize(
    ("known", "is_terminal", "typed", "expected"),
    [
        (0.1, True, 0.2, 0.1),
        (None, False, 0.2, None),
        (None, True, 0.2, 0.2),
        (None, True, 0.0, None),
    ],
)
def test_a_pixel_size_that_is_not_known_is_asked_for_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch,
    known: float | None,
    is_terminal: bool,
    typed: float,
    expected: float | None,
) -> None:
    monkeypatch.setattr(module, "is_terminal", lambda: is_terminal)
    monkeypatch.setattr(typer, "prompt", lambda *_, **__: typed)
    images = np.random.default_rng(0).random((2, 16, 16))
    pairs = CorrelativePairs.from_arrays(images, images, pixel_size_um=known)
    assert module._with_pixel_size(pairs).pixel_size_um == expected


def test_an_impossible_pixel_size_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "is_terminal", lambda: True)
    monkeypatch.setattr(typer, "prompt", lambda *_, **__: -1.0)
    images = np.random.default_rng(0).random((2, 16, 16))
    with pytest.raises(InputError, match="pixel size"):
        module._with_pixel_size(CorrelativePairs.from_arrays(images, images))


PREPARED = TrainingPrepared(7, 0, 6, 2, {}, 1_234_567, "cpu", "float32", 32, {})


def test_events_are_said_as_lines(capsys: pytest.CaptureFixture[str]) -> None:
    scores = {"pearson": 0.61234, "loss": 2.0}
    events = [
        FoldStarted(("a",), 1, 2),
        PREPARED,
        TrainingWarning("few pairs"),
        StepFinished(1, 7, 0.5, {}, 1e-3, 1.0),
        Validated(1, scores, True, None),
        Validated(2, scores, False, None),
        TrainingFinished("result"),
        TrainingWarning("too late"),
    ]
    assert module._result(Job(), iter(events), None) == "result"
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == FoldStarted(("a",), 1, 2).text
    assert lines[1] == "6 pairs train, 2 are held out; 1.2 million weights on cpu"
    assert lines[2] == "Warning: few pairs"
    assert lines[-2:] == [
        "step 1, held out: pearson 0.612, loss 2 (best)",
        "step 2, held out: pearson 0.612, loss 2",
    ]
    assert module._result(Job(), iter([PREPARED]), None) is None


def _result(**changes: Any) -> TrainingResult:
    table = pd.DataFrame(
        {
            "method": ["virtual stain", "virtual stain", "best constant"],
            "bandpass_pearson": [0.5, 0.7, np.nan],
            "pearson": [0.1, 0.2, np.nan],
            "ssim": [0.25, 0.25, 0.5],
        }
    )
    given = {
        "path": Path("m.safetensors"),
        "card": None,
        "scores": table,
        "history": Path("history.csv"),
        "report": Path("report"),
        "steps": 7,
    }
    return TrainingResult(**{**given, **changes})


@pytest.mark.parametrize(
    ("changes", "first", "last"),
    [
        ({}, "after 7 steps", "Pearson undefined, Pearson undefined, SSIM 0.500"),
        ({"stopped_early": True}, "after 7 steps (stopped early)", "SSIM 0.500"),
        ({"scores": None}, "after 7 steps", "No honest score can be given"),
        ({"report": None}, "after 7 steps", "SSIM 0.500"),
    ],
)
def test_a_result_is_said_with_its_files_and_scores(
    capsys: pytest.CaptureFixture[str], changes: dict[str, Any], first: str, last: str
) -> None:
    module._say_result(SimpleNamespace(say=print), _result(**changes))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"m.safetensors: model {first}"
    assert lines[1].startswith("history.csv: ")
    assert any(last in line for line in lines)
    assert any(line.startswith("report: ") for line in lines) == ("report" not in changes)
    if "scores" not in changes:
        assert "virtual stain: band-pass Pearson 0.600, Pearson 0.150, SSIM 0.250" in lines
