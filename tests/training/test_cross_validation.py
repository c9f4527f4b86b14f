"""Cross-validation: every group judged by a model that has not seen it, all groups trained on."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from napari_virtualstain.data import CorrelativePairs
from napari_virtualstain.errors import CancelledError, InputError, OutputExistsError, TrainingError
from napari_virtualstain.models import load_model
from napari_virtualstain.progress import CancelToken
from napari_virtualstain.training import (
    FoldFinished,
    FoldStarted,
    StepFinished,
    TrainingConfig,
    TrainingFinished,
    TrainingPrepared,
    cross_validate,
    cross_validation_events,
    is_unfinished,
    train,
)
from napari_virtualstain.training.cross_validation import _Fold

from .conftest import make_pairs

OUTPUT = "cells.safetensors"


def test_each_group_is_judged_by_a_model_that_has_not_seen_it(
    pairs: CorrelativePairs, config: TrainingConfig, output: Path
) -> None:
    result = cross_validate(pairs, config, output=output, folds=2)
    assert result.scores is not None
    own = result.scores[result.scores["method"] == "virtual stain"]
    assert sorted(own["name"]) == sorted(pairs.names)
    held_out = []
    for number in (1, 2):
        split = load_model(_fold(output, number)).card.split
        assert not set(split["train_groups"]) & set(split["validation_groups"])
        held_out += split["validation_groups"]
    assert sorted(held_out) == list(pairs.group_names)
    card = load_model(output).card
    assert card.split["train_pairs"] == len(pairs)
    assert card.split["validation_groups"] == []
    assert sorted(card.scores["judged_on"]) == list(pairs.group_names)
    assert card.scores["virtual stain"]["pearson"]["mean"] == pytest.approx(
        own["pearson"].mean(), abs=1e-4
    )


def test_the_model_is_that_of_a_training_on_all_pairs(
    pairs: CorrelativePairs, config: TrainingConfig, output: Path, tmp_path: Path
) -> None:
    cross_validate(pairs, config, output=output, folds=[["cell1"]])
    plain = train(pairs, config.updated(validation_groups=()), output=tmp_path / "p.safetensors")
    first, second = (load_model(path).network.state_dict() for path in (output, plain.path))
    for name, value in first.items():
        np.testing.assert_array_equal(value.numpy(), second[name].numpy())


def test_held_out_groups_choose_no_weights(
    pairs: CorrelativePairs, config: TrainingConfig, output: Path
) -> None:
    settings = config.updated(keep_best=True, patience=1)
    cross_validate(pairs, settings, output=output, folds=[["cell0"]])
    training = load_model(_fold(output, 1)).card.training
    assert training["steps"] == config.steps
    assert training["best_step"] is None


def test_a_stopped_cross_validation_goes_on_where_it_was(
    pairs: CorrelativePairs, config: TrainingConfig, output: Path
) -> None:
    token = CancelToken()
    fold = 0
    with pytest.raises(CancelledError):
        for event in cross_validation_events(pairs, config, output=output, folds=2, cancel=token):
            fold = event.number if isinstance(event, FoldStarted) else fold
            if isinstance(event, StepFinished) and fold == 2:
                token.cancel()
    assert not output.exists()
    assert is_unfinished(output)
    prepared, judged = [], []
    for event in cross_validation_events(pairs, config, output=output, folds=2, resume=True):
        if isinstance(event, TrainingPrepared):
            prepared.append(event.first_step)
        if isinstance(event, FoldFinished):
            judged.append((event.number, set(event.scores["group"]) == set(event.groups)))
        if isinstance(event, TrainingFinished):
            assert event.result.path == output
    assert judged == [(1, True), (2, True)]
    assert not is_unfinished(output)
    assert prepared == [1, 0]  # the first fold not again, the second from where it stopped
    assert load_model(output).card.scores["images"] == len(pairs)


class _KilledError(BaseException):
    """Ends a run where a kill would."""


def _dies_at(step: int, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let the run end before its `step`-th rename or deletion, and return what came before."""
    done: list[str] = []

    def counted(name: str, original: Callable[..., None]) -> Callable[..., None]:
        def call(path: Path, *others: object, **options: object) -> None:
            if len(done) == step:
                raise _KilledError
            done.append(f"{name} {Path(str(others[0] if others else path)).name}")
            original(path, *others, **options)

        return call

    monkeypatch.setattr(os, "replace", counted("rename", os.replace))
    monkeypatch.setattr(os, "unlink", counted("delete", os.unlink))
    return done


@pytest.mark.slow
def test_folds_killed_while_finishing_have_everything_after_resuming(
    pairs: CorrelativePairs, config: TrainingConfig, tmp_path: Path
) -> None:
    short = config.updated(steps=1, validate_every=1, report=True)

    def promised(folder: Path) -> set[str]:
        files = (path.relative_to(folder).as_posix() for path in folder.rglob("*"))
        return {name for name in files if not name.endswith(".png")}

    (tmp_path / "whole").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        steps = _dies_at(-1, patch)
        whole = cross_validate(pairs, short, output=tmp_path / "whole" / OUTPUT, folds=2)
    weights = load_model(whole.path).network.state_dict()
    names = ("rename scores.csv", "rename cells.safetensors", "delete model.safetensors")
    for step in (len(steps) - 1 - steps[::-1].index(name) for name in names):
        folder = tmp_path / str(step)
        folder.mkdir()
        with pytest.MonkeyPatch.context() as patch, pytest.raises(_KilledError):
            _dies_at(step, patch)
            cross_validate(pairs, short, output=folder / OUTPUT, folds=2)
        if not (folder / OUTPUT).exists():
            result = cross_validate(pairs, short, output=folder / OUTPUT, folds=2, resume=True)
            assert result.scores is not None
        missing = promised(tmp_path / "whole") - promised(folder)
        assert not missing, (step, steps[step])
        model = load_model(folder / OUTPUT)
        assert sorted(model.card.scores["judged_on"]) == list(pairs.group_names)
        for name, value in model.network.state_dict().items():
            np.testing.assert_array_equal(value.numpy(), weights[name].numpy())


def test_a_fold_of_other_settings_is_not_taken(
    pairs: CorrelativePairs, config: TrainingConfig, output: Path
) -> None:
    events = cross_validation_events(pairs, config, output=output, folds=2)
    while not _fold(output, 1).with_name("scores.csv").exists():
        next(events)
    events.close()
    other = config.updated(seed=5)
    with pytest.raises(TrainingError, match="other settings or pairs"):
        cross_validate(pairs, other, output=output, folds=2, resume=True)
    with pytest.raises(TrainingError, match="other settings or pairs"):
        cross_validate(make_pairs(12), config, output=output, folds=2, resume=True)
    with pytest.raises(OutputExistsError):
        cross_validate(pairs, config, output=output, folds=2)
    stale = _fold(output, 2).with_name("scores.csv")
    stale.parent.mkdir(exist_ok=True)
    stale.touch()
    events = cross_validation_events(pairs, other, output=output, folds=2, overwrite=True)
    while not isinstance(next(events), TrainingPrepared):
        pass
    events.close()
    assert not stale.exists()  # else resuming would take it for this run's
    assert cross_validate(pairs, other, output=output, folds=2, resume=True).path == output


def test_scores_on_shared_pixels_are_not_called_independent(
    pairs: CorrelativePairs, config: TrainingConfig, output: Path
) -> None:
    bright, glow = list(pairs.bright_field), list(pairs.fluorescence)
    group = pairs.groups.index("cell1")
    bright[group], glow[group] = bright[0], glow[0]
    leaking = replace(pairs, bright_field=tuple(bright), fluorescence=tuple(glow))
    with pytest.raises(InputError, match="share pixels"):
        cross_validate(leaking, config, output=output, folds=[["cell0"]])
    allowed = config.updated(allow_leakage=True)
    card = cross_validate(leaking, allowed, output=output, folds=[["cell0"]]).card
    assert card.scores["independent"] is False


@pytest.mark.parametrize(
    ("folds", "message"),
    [
        (1, "expected two or more"),
        ([], "A fold without groups"),
        ([["cell0"], []], "A fold without groups"),
        ([["cell9"]], "There is no group 'cell9'"),
        ([["cell0"], ["cell0", "cell1"]], "in two folds"),
    ],
)
def test_folds_that_make_no_sense(
    pairs: CorrelativePairs,
    config: TrainingConfig,
    output: Path,
    folds: int | Sequence[Sequence[str]],
    message: str,
) -> None:
    with pytest.raises(InputError, match=message):
        cross_validate(pairs, config, output=output, folds=folds)
    assert not output.parent.joinpath("tiny.training").exists()


def test_one_group_cannot_judge_itself(config: TrainingConfig, output: Path) -> None:
    with pytest.raises(InputError, match="needs two groups"):
        cross_validate(make_pairs(groups=1), config, output=output)


def test_folds_are_of_about_equal_size(config: TrainingConfig, output: Path) -> None:
    images = list(np.random.default_rng(0).normal(size=(9, 32, 32)))
    uneven = CorrelativePairs.from_arrays(images, images, groups=list("aaaabbbcd"))
    started = [
        event.groups
        for event in cross_validation_events(uneven, config, output=output, folds=2)
        if isinstance(event, FoldStarted)
    ]
    assert started == [("a", "d"), ("b", "c"), ()]


def _fold(output: Path, number: int) -> Path:
    return output.parent / "tiny.training" / "folds" / f"fold-{number}" / "model.safetensors"


def test_a_fold_that_could_not_be_judged_stops_the_run(
    tmp_path: Path, config: TrainingConfig
) -> None:
    fold = _Fold(tmp_path, config, ("cell1", "cell2"))
    unjudged = SimpleNamespace(scores=None, warnings=("too few frames",))
    with pytest.raises(TrainingError, match=r"cell1, cell2 could not be judged: too few frames"):
        fold.keep(unjudged)
    assert not list(tmp_path.iterdir())
    table = pd.DataFrame({"pearson": [0.5]})
    assert fold.keep(SimpleNamespace(scores=table, warnings=())) is table
    assert [path.name for path in tmp_path.iterdir()] == ["scores.csv"]
