"""Plans of a training: steps in the time given, when to look, keep and average."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from napari_virtualstain.errors import InputError, TrainingError
from napari_virtualstain.simulation import Microscope
from napari_virtualstain.training import (
    PlaneReading,
    TrainingConfig,
    TrainingWarning,
    preset,
    simulated,
    simulated_training,
)
from napari_virtualstain.training.loop import training_run
from napari_virtualstain.training.loop.trainer import Trainer, _largest_rate, _optimizer
from napari_virtualstain.training.loop.training_run import (
    History,
    Pacing,
    Session,
    usual_validation_interval,
)
from napari_virtualstain.training.plane_reading import plane_reading


@pytest.mark.parametrize(
    ("steps", "every"), [(1, 20), (314, 20), (315, 21), (3000, 200), (3014, 200)]
)
def test_held_out_images_are_scored_about_fifteen_times(steps: int, every: int) -> None:
    assert usual_validation_interval(steps) == every


def _plans(seconds: float, step_s: float, steps: int, first: int = 1) -> dict[int, int]:
    """Return the plans that are made, by the step after which each is."""
    pacing, found = Pacing(seconds), {}
    for step in range(first, first + steps):
        allowed = pacing.allowed(step, 30.0 + step_s * step)
        if allowed is not None:
            found[step] = allowed
            assert pacing.is_first_plan == (step == first + 4)
    return found


def test_steps_are_planned_after_four_and_then_each_twenty() -> None:
    # 100 s, of which the first step takes 30 s besides
    assert _plans(100.0, 0.5, 50) == {5: 140, 21: 140, 41: 140}
    assert list(_plans(100.0, 0.5, 30, first=101)) == [105, 121]


def test_when_the_time_is_over_no_step_is_left() -> None:
    assert _plans(34.0, 1.0, 7) == {4: 4, 5: 5, 6: 6, 7: 7}
    assert Pacing(10.0).allowed(1, 11.0) == 1
    assert Pacing(12.0).allowed(1, 11.0) is None


def _run(**changes: Any) -> Any:
    every = {"checkpoint_every": 10, "validate_every": 4, "log_every": 5}
    given = {
        "config": SimpleNamespace(**every, init="", keeps_best=True),
        "trainer": SimpleNamespace(step=0, steps=100),
        "history": History(Path("history.csv")),
        "seconds": 7.5,
        "_kept_at": time.perf_counter(),
        "_best": SimpleNamespace(looked=-1),
    }
    return SimpleNamespace(**{**given, **changes})


@pytest.mark.parametrize(
    ("step", "waited_s", "is_due"),
    [(9, 0, False), (10, 0, True), (100, 0, False), (9, 119.0, False), (9, 121.0, True)],
)
def test_a_checkpoint_is_due_every_so_many_steps_or_two_minutes(
    step: int, waited_s: float, is_due: bool
) -> None:
    run = _run(_kept_at=time.perf_counter() - waited_s)
    assert Session._is_checkpoint_due(run, step) == is_due


@pytest.mark.parametrize(
    ("step", "looked", "init", "is_due"),
    [
        (3, 0, "", False),
        (4, 0, "", True),
        (4, 4, "", False),
        (100, 96, "", True),
        (0, -1, "", False),
        (0, -1, "mito-h9c2", True),
    ],
)
def test_held_out_images_are_looked_at_when_due(
    step: int, looked: int, init: str, is_due: bool
) -> None:
    run = _run(trainer=SimpleNamespace(step=step, steps=100), _best=SimpleNamespace(looked=looked))
    run.config.init = init
    assert Session._is_validation_due(run) == is_due
    run.config.keeps_best = False
    assert Session._is_validation_due(run) == (is_due and step > 0)


def test_the_history_has_the_first_and_each_fifth_step() -> None:
    run = _run()
    for step in range(1, 12):
        event = Session._log(run, step, {"loss": 1.0 / step, "l1": 0.5}, 1e-3)
        assert (event.step, event.steps, event.loss) == (step, 100, 1.0 / step)
    rows = run.history.rows
    assert [row["step"] for row in rows] == [1, 5, 10]
    assert rows[1] == {"step": 5, "loss": 0.2, "learning_rate": 1e-3, "seconds": 7.5, "l1": 0.5}


@pytest.mark.parametrize(("is_first", "step"), [(True, 0), (False, 9)])
def test_before_the_first_step_and_in_other_processes_no_weights_are_saved(
    is_first: bool, step: int
) -> None:
    run = _run(group=SimpleNamespace(is_first=is_first), trainer=SimpleNamespace(step=step))
    error = TrainingError("Training diverged.")
    assert Session._diverged(run, error) is error


def test_values_of_one_step_are_one_row(tmp_path: Path) -> None:
    history = History(tmp_path / "history.csv", [{"step": 1, "loss": 3.0}])
    history.add(2, loss=2.0)
    history.add(2, pearson=0.5)
    history.write()
    table = pd.read_csv(history.path)
    assert table["step"].tolist() == [1, 2]
    assert table.loc[1, ["loss", "pearson"]].tolist() == [2.0, 0.5]


@pytest.mark.parametrize(
    ("step", "wanted", "kept"),
    [(0, 0.999, 0.1), (8, 0.999, 0.5), (9, 0.5, 0.5), (20000, 0.999, 0.999), (8, 0.0, 0.0)],
)
def test_weights_are_averaged_over_few_steps_at_first(
    step: int, wanted: float, kept: float
) -> None:
    old, new = nn.BatchNorm1d(1), nn.BatchNorm1d(1)
    with torch.no_grad():
        old.weight.fill_(1.0)
        new.weight.fill_(0.0)
        new.num_batches_tracked.fill_(7)
    settings = SimpleNamespace(optimisation=SimpleNamespace(ema_decay=wanted))
    trainer = SimpleNamespace(config=settings, step=step, averaged=old, generator=new)
    Trainer._average_weights(trainer)
    assert float(old.weight.detach()) == pytest.approx(kept, abs=1e-6)
    assert int(old.num_batches_tracked) == 7


def test_filters_alone_decay() -> None:
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
    network[0].bias.requires_grad_(False)
    rates = preset().optimisation.model_copy(update={"weight_decay": 0.25, "optimizer": "adamw"})
    groups = _optimizer(network, rates, 1e-3).param_groups
    assert [(len(g["params"]), g["weight_decay"], g["lr"]) for g in groups] == [
        (1, 0.25, 1e-3), (2, 0.0, 1e-3),
    ]  # fmt: skip
    for name, kind in (("adam", "Adam"), ("rmsprop", "RMSprop"), ("adamw", "AdamW")):
        chosen = rates.model_copy(update={"optimizer": name, "beta1": 0.4, "beta2": 0.6})
        made = _optimizer(network, chosen, 1e-3)
        assert type(made).__name__ == kind
        assert name == "rmsprop" or made.param_groups[0]["betas"] == (0.4, 0.6)


def test_a_start_learns_at_its_share_of_the_rate() -> None:
    network = nn.Sequential(nn.Conv2d(1, 1, 1), nn.BatchNorm2d(1))
    given = {"learning_rate": None, "init_rate_factor": 0.25}
    plain = TrainingConfig(optimisation=given)
    assert _largest_rate(network, plain) == 2e-3
    assert _largest_rate(network, plain.updated(init="mito-h9c2")) == 5e-4
    assert _largest_rate(network[:1], plain) == 3e-4
    asked = TrainingConfig(optimisation={**given, "learning_rate": 1e-2})
    assert _largest_rate(network, asked) == 1e-2


@pytest.mark.parametrize(
    ("init", "planes", "axis", "expected"),
    [
        ("", None, "z", PlaneReading(None, "z")),
        ("", 3, "t", PlaneReading(3, "t")),
        ("mito-h9c2", None, "z", PlaneReading(1, "t")),
        ("mito-h9c2", 3, "t", PlaneReading(3, "t")),
    ],
)
def test_planes_are_those_asked_for_or_those_of_the_start(
    init: str, planes: int | None, axis: str, expected: PlaneReading
) -> None:
    assert plane_reading(TrainingConfig(init=init), planes, axis) == expected


@pytest.mark.parametrize(("planes", "axis"), [(2, "z"), (3, "y")])
def test_even_numbers_of_planes_and_other_axes_are_refused(planes: int, axis: str) -> None:
    with pytest.raises(InputError):
        plane_reading(TrainingConfig(), planes, axis)


@pytest.mark.parametrize(("distance", "is_said"), [(1.29, False), (1.31, True)])
def test_simulated_training_has_the_optics_and_says_when_the_movie_is_far_from_its_scenes(
    monkeypatch: pytest.MonkeyPatch, distance: float, is_said: bool
) -> None:
    image = np.random.default_rng(0).random((32, 32))
    stills = (SimpleNamespace(bright_field=image, expected_fluorescence=image),) * 20
    like = SimpleNamespace(stills=stills, distance=distance)
    monkeypatch.setattr(simulated, "simulate_like", lambda *_, **__: like)
    optics = Microscope(na=0.9, emission_um=0.55, n_immersion=1.33, n_sample=1.33)
    made = simulated_training([image], preset(), pixel_size_um=0.1, microscope=optics)
    card = made.config
    assert (card.numerical_aperture, card.wavelength_um, card.immersion_index) == (0.9, 0.55, 1.33)
    assert card.pixel_size_um == 0.1
    assert made.pairs.groups.count("simulated, held out") == 2
    assert any("1.3 times as far" in note for note in made.notes) == is_said
    assert made.distance == distance


@pytest.mark.parametrize(
    ("spreads", "is_said"),
    [((0.9e-6, 0.0), True), ((1.1e-6, 0.0), False), ((0.0, 0.5), False)],
)
def test_a_network_that_answers_all_images_with_one_constant_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, spreads: tuple[float, ...], is_said: bool
) -> None:
    images = [np.array([[0.0, 2 * spread]]) for spread in spreads]
    scores = {"loss": 1.0, "pearson": 0.0, "bandpass_pearson": 0.0}
    monkeypatch.setattr(training_run, "quick_scores", lambda *_, **__: (scores, images))
    monkeypatch.setattr(training_run, "preview", lambda *_: None)
    run = _run(
        prepared=SimpleNamespace(validation=images, scale_um=0.08),
        trainer=SimpleNamespace(averaged=nn.Identity()),
        history=History(tmp_path / "history.csv"),
        group=SimpleNamespace(is_first=True),
        compute=None,
        cancel=None,
        _best=training_run.BestWeights(),
        _looked_at=lambda: images,
        _before=lambda _: None,
        _warn=TrainingWarning,
    )
    run.config.validation_images, run.config.monitor = 2, "pearson"
    said = [e.message for e in Session._validate(run, 7) if isinstance(e, TrainingWarning)]
    assert len(said) == is_said
    assert all("answers every image with one constant" in text for text in said)
