"""The end of a training: what is scored, written and refused, also after a kill."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from napari_virtualstain.data import CorrelativePairs, PreparedPair
from napari_virtualstain.errors import (
    InputError,
)
from napari_virtualstain.models import load_model
from napari_virtualstain.normalisation import FittedNormalisation
from napari_virtualstain.training import (
    TrainingConfig,
    train,
)
from napari_virtualstain.training.loop import training_run as run_module
from napari_virtualstain.training.validation import trivial_scores


def _weights(path: Path) -> bytes:
    state = load_model(path).network.state_dict()
    return b"".join(value.numpy().tobytes() for value in state.values())


def test_a_start_that_knows_the_held_out_images_is_told(
    pairs: CorrelativePairs, config: TrainingConfig, output: Path, tmp_path: Path
) -> None:
    start = train(pairs, config.updated(validation_groups=("cell0",)), output=output).path
    tuned = config.updated(init=str(start), validation_groups=("cell1",))
    knew = train(pairs, tuned, output=tmp_path / "knew.safetensors")
    assert any("2 of the 2 held-out images" in warning for warning in knew.warnings)
    tuned = config.updated(init=str(start), validation_groups=("cell0",))
    new = train(pairs, tuned, output=tmp_path / "new.safetensors")
    assert not any("held-out images bear" in warning for warning in new.warnings)


class _KilledError(BaseException):
    """Stands for a signal that no code sees: nothing after it runs."""


@pytest.mark.parametrize("where", ["score", "report", "save_model"])
def test_a_training_killed_while_it_finishes_yields_everything_when_resumed(
    pairs: CorrelativePairs,
    config: TrainingConfig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    where: str,
) -> None:
    config = config.updated(report=True)
    straight, broken = tmp_path / "a" / "m.safetensors", tmp_path / "b" / "m.safetensors"
    first = train(pairs, config, output=straight)

    def killed(*_: Any, **__: Any) -> None:
        raise _KilledError

    with monkeypatch.context() as patch:
        owner = run_module if where == "save_model" else run_module.HeldOut
        patch.setattr(owner, where, killed)
        with pytest.raises(_KilledError):
            train(pairs, config, output=broken)
    assert not broken.exists(), "a model that is there is complete"
    second = train(pairs, config, output=broken, resume=True)
    assert second.report is not None
    assert (second.report / "report.html").exists()
    assert first.report is not None
    assert _weights(straight) == _weights(broken)
    tables = [pd.read_csv(p.parent / "history.csv") for p in (straight, broken)]
    pd.testing.assert_frame_equal(*(table.drop(columns="seconds") for table in tables))


def test_a_report_that_fails_does_not_lose_the_model(
    pairs: CorrelativePairs, config: TrainingConfig, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any, **__: Any) -> None:
        raise ValueError("no font")

    monkeypatch.setattr(run_module.HeldOut, "report", fails)
    with pytest.raises(ValueError, match="no font"):
        train(pairs, config.updated(report=True), output=output)
    assert output.exists()


@pytest.mark.parametrize(
    "wrong",
    [
        {"steps": 10**21},
        {"epochs": float("inf")},
        {"epochs": 1e30},
        {"minutes": float("inf")},
        {"seed": 10**20},
        {"name": ".."},
        {"name": "a\nb"},
        {"optimisation": {"learning_rate": 1e30}},
    ],
)
def test_absurd_settings_are_refused(config: TrainingConfig, wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        config.updated(**wrong)


@pytest.mark.parametrize(("size", "rim", "is_like"), [(400, 40, True), (320, 40, False)])
def test_bright_field_is_scored_in_the_middle_and_its_dark_structures_count_as_bright(
    size: int, rim: int, is_like: bool
) -> None:
    """While a model trains the middle 320 x 320 pixels are looked at."""
    rng = np.random.default_rng(0)
    glow, light = rng.normal(size=(2, size, size))
    light[rim:-rim, rim:-rim] = -glow[rim:-rim, rim:-rim]
    as_it_is = FittedNormalisation()
    pair = PreparedPair(light[None], glow, None, (as_it_is,), as_it_is)
    scores = trivial_scores([pair], pixel_size_um=0.08)["bright-field"]
    assert all((score > 0.99) == is_like for score in scores.values())
