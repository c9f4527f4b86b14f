"""A training whose numbers stay finite but are lost stops, and keeps what was good."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from napari_virtualstain.data import CorrelativePairs
from napari_virtualstain.errors import TrainingError
from napari_virtualstain.models import load_model
from napari_virtualstain.training import StepFinished, TrainingConfig, train, train_events
from napari_virtualstain.training.loop.divergence import DivergenceGuard

GOOD = {"loss": 1.0}


def test_a_spike_passes_and_twenty_far_steps_do_not() -> None:
    guard = DivergenceGuard(1e-3)
    errors = [1.0, *[500.0] * 19, 19.0, *[21.0] * 19]
    for step, error in enumerate(errors, start=1):
        assert guard.allows(step, GOOD, 1.0, error)
        assert guard.is_far == (error > 20)
    with pytest.raises(TrainingError, match=r"diverged at step 41.*now 0\.001"):
        guard.allows(41, GOOD, 1.0, 21.0)


def test_a_resumed_guard_counts_on() -> None:
    whole, resumed = DivergenceGuard(1e-3), DivergenceGuard(1e-3)
    for error in (2.0, *[41.0] * 19):
        whole.allows(1, GOOD, 1.0, error)
    resumed.load_state_dict(whole.state_dict())
    with pytest.raises(TrainingError, match="diverged"):
        resumed.allows(2, GOOD, 1.0, 41.0)


@pytest.mark.parametrize(
    ("losses", "norm", "what"),
    [
        ({"loss": math.nan, "l1": 1.0}, 1.0, r"the loss \(loss\)"),
        (GOOD, math.inf, "the gradient"),
    ],
)
def test_what_is_not_finite_changes_nothing_and_is_named(
    losses: dict[str, float], norm: float, what: str
) -> None:
    guard = DivergenceGuard(1e-3)
    for step in range(1, 5):
        assert not guard.allows(step, losses, norm, 1.0)
    with pytest.raises(TrainingError, match=what):
        guard.allows(5, losses, norm, 1.0)


def test_a_lost_training_leaves_weights_of_before(
    pairs: CorrelativePairs, config: TrainingConfig, output: Path
) -> None:
    absurd = {"learning_rate": 1.0, "gradient_clip": 0.0, "schedule": "constant"}
    settings = config.updated(
        architecture={
            "name": "unet",
            "arguments": {"widths": [6, 8], "convolutions": 1, "batch_norm": False},
        },
        optimisation=absurd,
        steps=200,
        keep_best=True,
        validate_every=1,
    )
    with pytest.raises(TrainingError, match="further from the target"):
        train(pairs, settings, output=output)
    saved = load_model(output.with_name("tiny-last-good.safetensors"))
    assert saved.card.training["best_step"] < saved.card.training["steps"] - 10
    weights = [w.numpy() for w in saved.network.state_dict().values()]
    assert max(np.abs(w).max() for w in weights) < 50


@pytest.mark.parametrize(("batch_norm", "rate"), [(True, 2e-3), (False, 3e-4)])
def test_a_network_without_batch_norm_learns_at_a_lower_rate(
    pairs: CorrelativePairs,
    config: TrainingConfig,
    output: Path,
    batch_norm: bool,
    rate: float,
) -> None:
    settings = config.updated(
        architecture={"name": "unet", "arguments": {"widths": [6, 8], "batch_norm": batch_norm}},
        optimisation={"schedule": "constant"},
    )
    rates = {
        event.learning_rate
        for event in train_events(pairs, settings, output=output)
        if isinstance(event, StepFinished)
    }
    assert rates == {rate}
    assert load_model(output).card.training["learning_rate"] == rate
