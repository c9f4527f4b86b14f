"""Training: it learns, it is exact about resuming, and it says what is wrong in time."""

from __future__ import annotations

import shutil
import threading
from dataclasses import replace
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from napari_virtualstain.data import CorrelativePairs
from napari_virtualstain.errors import (
    CancelledError,
    DeviceError,
    InputError,
    OutputExistsError,
    TrainingError,
)
from napari_virtualstain.models import load_model
from napari_virtualstain.progress import CancelToken, Progress
from napari_virtualstain.training import (
    StepFinished,
    TrainingConfig,
    TrainingFinished,
    TrainingPrepared,
    TrainingWarning,
    Validated,
    train,
    train_events,
)
from napari_virtualstain.training import checkpoint as checkpoint_module
from napari_virtualstain.training.checkpoint import save_checkpoint
from napari_virtualstain.training.loop import trainer as trainer_module
from napari_virtualstain.training.loop import training_run as run_module
from napari_virtualstain.training.preparation import prepare

from .conftest import make_pairs


def _weights(path: Path) -> bytes:
    state = load_model(path).network.state_dict()
    return b"".join(value.numpy().tobytes() for value in state.values())


def test_it_learns_and_beats_the_trivial_baselines(output: Path) -> None:
    config = TrainingConfig(
        name="learner",
        architecture={"name": "unet", "arguments": {"widths": [8, 16]}},
        steps=60, batch_size=8, crop_size=32, validate_every=60, validation_groups=("cell0",),
        precision="float32", device="cpu",
    )  # fmt: skip
    result = train(make_pairs(16), config, output=output)
    assert result.scores is not None
    means = result.scores.groupby("method")["pearson"].mean()
    assert means["virtual stain"] > 0.75
    assert means["virtual stain"] > means.drop("virtual stain").max()
    card = load_model(output, kind="generator").card
    assert card.scores["virtual stain"]["pearson"]["mean"] == pytest.approx(
        means["virtual stain"], abs=1e-4
    )
    assert card.scores["judged_on"] == ["cell0"]
    assert card.split["independent"]
    assert card.training["seed"] == 0
    inner = {"down.0.2", "down.1.0", "down.1.2", "up.0.0", "up.0.2"}
    assert set(card.activation_ranges) == inner
    assert card.training["settings"]["batch_size"] == 8
    assert card.pixel_size_um == 0.08
    assert card.statistics["images"] == 12
    assert card.versions["torch"] == version("torch")
    assert result.report is not None
    assert (result.report / "report.html").is_file()


def test_output_comes_back_in_the_units_of_the_target(output: Path) -> None:
    pairs = make_pairs(16)
    config = TrainingConfig(
        name="units", steps=60, batch_size=8, crop_size=32, validation_groups=("cell0",),
        architecture={"name": "unet", "arguments": {"widths": [8, 16]}}, device="cpu",
        precision="float32", report=False,
    )  # fmt: skip
    result = train(pairs, config, output=output)
    model = load_model(output)
    frame = pairs.bright_field[0]
    rule = model.card.normalisation
    inputs = rule.input.fit(frame).apply(frame)
    with torch.no_grad():
        virtual = rule.output.typical.invert(model.network(torch.from_numpy(inputs)[None])[0, 0])
    assert virtual.mean() == pytest.approx(pairs.fluorescence[0].mean(), rel=0.35)
    assert result.card == model.card


def test_events_come_in_order_and_history_holds_them(
    pairs: CorrelativePairs, config: TrainingConfig, output: Path
) -> None:
    events = list(train_events(pairs, config, output=output))
    assert isinstance(events[0], TrainingPrepared)
    assert isinstance(events[-1], TrainingFinished)
    steps = [e for e in events if isinstance(e, StepFinished)]
    assert [e.step for e in steps] == [1, 2, 3, 4, 5, 6]
    assert all(a.seconds <= b.seconds for a, b in pairwise(steps))
    looks = [e for e in events if isinstance(e, Validated)]
    assert [e.step for e in looks] == [3, 6]
    preview = looks[0].preview
    assert preview.virtual.shape == preview.fluorescence.shape == preview.bright_field.shape
    history = pd.read_csv(output.parent / "history.csv")
    assert history["step"].tolist() == [1, 2, 3, 4, 5, 6]
    assert history["loss"].notna().all()
    assert history["validation_pearson"].notna().sum() == 2
    assert not (output.parent / "tiny.training" / "checkpoint.pt").exists()


def test_equal_seeds_give_equal_weights(
    pairs: CorrelativePairs, config: TrainingConfig, tmp_path: Path
) -> None:
    paths = [tmp_path / name / "m.safetensors" for name in "abc"]
    for path, seed in zip(paths, (1, 1, 2), strict=True):
        train(pairs, config.updated(seed=seed), output=path)
    assert _weights(paths[0]) == _weights(paths[1]) != _weights(paths[2])


GAN = {"l1": 1.0, "correlation": 0.5, "band_pass": 1.0, "adversarial": 0.5}


@pytest.mark.parametrize("stop_at", [2, 3])
@pytest.mark.parametrize("adversarial", [False, True])
def test_resumed_training_is_bit_identical(
    pairs: CorrelativePairs, config: TrainingConfig, tmp_path: Path, stop_at: int, adversarial: bool
) -> None:
    arguments = {"widths": [6, 8], "convolutions": 1, "dropout": 0.3}
    config = config.updated(
        architecture={"name": "unet", "arguments": arguments},
        loss=GAN if adversarial else {},
        discriminator_width=2,
        augmentation={"elastic_px": 1, "noise": 0.1, "rotation_deg": 20},
        patience=5,
        frozen_statistics=0.5,
    )
    straight, broken = tmp_path / "a" / "m.safetensors", tmp_path / "b" / "m.safetensors"
    train(pairs, config, output=straight)
    token = CancelToken()
    with pytest.raises(CancelledError):
        for event in train_events(pairs, config, output=broken, cancel=token):
            if isinstance(event, StepFinished) and event.step == stop_at:
                token.cancel()
    assert not broken.exists()
    resumed = train(pairs, config, output=broken, resume=True)
    assert resumed.steps == 6
    assert _weights(straight) == _weights(broken)
    first, second = (pd.read_csv(p.parent / "history.csv") for p in (straight, broken))
    pd.testing.assert_frame_equal(first.drop(columns="seconds"), second.drop(columns="seconds"))


def test_closing_the_event_stream_keeps_a_checkpoint(
    pairs: CorrelativePairs, config: TrainingConfig, output: Path
) -> None:
    stream = train_events(pairs, config, output=output)
    for event in stream:
        if isinstance(event, StepFinished) and event.step == 4:
            break
    stream.close()
    resumed = list(train_events(pairs, config, output=output, resume=True))
    assert resumed[0].first_step == 4


def test_a_slow_training_that_is_killed_can_be_resumed(
    pairs: CorrelativePairs, config: TrainingConfig, tmp_path: Path, monkeypatch
) -> None:
    killed, straight = tmp_path / "killed" / "m.safetensors", tmp_path / "a" / "m.safetensors"
    train(pairs, config, output=straight)
    monkeypatch.setattr(run_module, "CHECKPOINT_SECONDS", 0.0)
    stream = train_events(pairs, config, output=tmp_path / "b" / "m.safetensors")
    while not (isinstance(event := next(stream), StepFinished) and event.step == 4):
        pass
    shutil.copytree(tmp_path / "b", killed.parent)  # what a kill would leave
    stream.close()
    resumed = list(train_events(pairs, config, output=killed, resume=True))
    assert resumed[0].first_step == 3
    assert _weights(killed) == _weights(straight)


def test_cancelling_does_not_wait_for_a_large_checkpoint(
    pairs: CorrelativePairs, config: TrainingConfig, output: Path, monkeypatch
) -> None:
    disk_is_ready = threading.Event()

    def slow(path: Path, state: dict[str, Any]) -> None:
        assert disk_is_ready.wait(60)
        save_checkpoint(path, state)

    monkeypatch.setattr(checkpoint_module, "save_checkpoint", slow)
    monkeypatch.setattr(checkpoint_module, "_BRIEFLY_S", 0.01)
    stream = train_events(pairs, config, output=output)
    for event in stream:
        if isinstance(event, StepFinished) and event.step == 4:
            break
    stream.close()
    assert not (output.parent / "tiny.training" / "checkpoint.pt").exists()
    threading.Timer(0.2, disk_is_ready.set).start()
    resumed = next(train_events(pairs, config, output=output, resume=True))
    assert resumed.first_step == 4


def test_resuming_with_other_settings_or_images_is_refused(
    pairs: CorrelativePairs, config: TrainingConfig, output: Path
) -> None:
    stream = train_events(pairs, config, output=output)
    while not isinstance(next(stream), StepFinished):
        pass
    stream.close()
    with pytest.raises(TrainingError, match="batch_size was 4, now 8"):
        train(pairs, config.updated(batch_size=8), output=output, resume=True)
    with pytest.raises(TrainingError, match="other images"):
        train(make_pairs(seed=5), config, output=output, resume=True)
    checkpoint = output.parent / "tiny.training" / "checkpoint.pt"
    checkpoint.write_bytes(b"torn")
    with pytest.raises(TrainingError, match="cannot be read"):
        train(pairs, config, output=output, resume=True)


def test_cancelling_begins_no_further_layer_even_inside_a_step(
    pairs: CorrelativePairs, config: TrainingConfig, output: Path, monkeypatch
) -> None:
    token = CancelToken()
    original = torch.nn.Conv2d._conv_forward
    calls = []

    def slow(self, *arguments):
        calls.append(self)
        if len(calls) == 3:
            token.cancel()
        return original(self, *arguments)

    monkeypatch.setattr(torch.nn.Conv2d, "_conv_forward", slow)
    with pytest.raises(CancelledError):
        train(pairs, config, output=output, cancel=token)
    assert len(calls) == 3  # no further layer was begun


def test_existing_output_is_kept_unless_overwriting(
    pairs: CorrelativePairs, config: TrainingConfig, output: Path
) -> None:
    output.write_bytes(b"precious")
    with pytest.raises(OutputExistsError):
        train(pairs, config, output=output)
    assert output.read_bytes() == b"precious"
    train(pairs, config.updated(steps=1), output=output, overwrite=True)
    assert load_model(output).name == "tiny"


def test_without_output_the_model_is_listed_at_once(
    pairs: CorrelativePairs, config: TrainingConfig, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setenv("VIRTUALSTAIN_MODELS", str(tmp_path))
    result = train(pairs, config.updated(name="own", steps=1))
    assert result.path == tmp_path / "own.safetensors"
    assert load_model("own").sha256 == load_model(result.path).sha256


def test_two_models_in_one_folder_keep_both_histories(
    pairs: CorrelativePairs, config: TrainingConfig, tmp_path: Path, monkeypatch
) -> None:
    config = config.updated(steps=1)
    first = train(pairs, config, output=tmp_path / "a.safetensors")
    before = first.history.read_bytes()
    second = train(pairs, config, output=tmp_path / "b.safetensors")
    assert first.history == tmp_path / "history.csv"
    assert second.history == tmp_path / "b.training" / "history.csv"
    assert first.history.read_bytes() == before
    monkeypatch.setenv("VIRTUALSTAIN_MODELS", str(tmp_path / "own"))
    third = train(pairs, config, output=tmp_path / "own" / "c.safetensors")
    assert third.history == tmp_path / "own" / "c.training" / "history.csv"


def test_a_cancelled_training_can_be_begun_anew(
    pairs: CorrelativePairs, config: TrainingConfig, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setenv("VIRTUALSTAIN_MODELS", str(tmp_path))
    stream = train_events(pairs, config)
    while not isinstance(next(stream), StepFinished):
        pass
    stream.close()
    again = list(train_events(pairs, config.updated(batch_size=2)))
    assert isinstance(again[0], TrainingPrepared)
    assert again[0].first_step == 0
    assert again[-1].result.path.is_file()


def test_nan_stops_with_the_last_good_weights(
    pairs: CorrelativePairs, config: TrainingConfig, output: Path, monkeypatch
) -> None:
    real = trainer_module.generator_loss
    calls = []

    def failing(*arguments, **options):
        total, terms = real(*arguments, **options)
        calls.append(1)
        return (total * float("nan") if len(calls) > 3 else total), terms

    monkeypatch.setattr(trainer_module, "generator_loss", failing)
    with pytest.raises(TrainingError, match=r"diverged.*last good weights are in"):
        train(pairs, config.updated(steps=50), output=output)
    assert len(calls) == 8  # three good ones, then five bad ones in a row
    saved = load_model(output.with_name("tiny-last-good.safetensors"))
    assert "diverged" in saved.card.training["stopped"]
    assert not output.exists()


def test_a_single_bad_step_is_skipped(
    pairs: CorrelativePairs, config: TrainingConfig, output: Path, monkeypatch
) -> None:
    real = trainer_module.generator_loss
    calls = []

    def failing(*arguments, **options):
        total, terms = real(*arguments, **options)
        calls.append(1)
        return (total * float("inf") if len(calls) == 2 else total), terms

    monkeypatch.setattr(trainer_module, "generator_loss", failing)
    result = train(pairs, config, output=output)
    assert result.steps == 6
    assert all(torch.isfinite(v).all() for v in load_model(output).network.state_dict().values())


def test_early_stopping_keeps_the_best_and_says_that_it_chose(
    pairs: CorrelativePairs, config: TrainingConfig, output: Path
) -> None:
    config = config.updated(
        steps=200, validate_every=2, patience=2, monitor="loss",
        optimisation={"learning_rate": 1e-9, "ema_decay": 0.0},
        architecture={"name": "unet", "arguments": {"widths": [4], "batch_norm": False}},
    )  # fmt: skip
    result = train(pairs, config, output=output)
    assert result.stopped_early
    assert result.steps < 200
    assert result.card.scores["chosen_on_the_same_images"] is True


def test_statistics_are_kept_in_the_last_steps(
    pairs: CorrelativePairs, config: TrainingConfig, output: Path, monkeypatch
) -> None:
    original = trainer_module.Trainer.train_step
    kept = []

    def recorded(self, batch):
        losses = original(self, batch)
        kept.append([buffer.clone() for buffer in self.generator.buffers()])
        return losses

    monkeypatch.setattr(trainer_module.Trainer, "train_step", recorded)
    train(pairs, config.updated(frozen_statistics=0.5), output=output)
    same = [all(map(torch.equal, a, b)) for a, b in pairwise(kept)]
    assert same == [False, False, True, True, True]


def test_time_that_is_over_ends_the_training_with_a_model(
    pairs: CorrelativePairs, config: TrainingConfig, output: Path
) -> None:
    result = train(pairs, config.updated(minutes=1e-9), output=output)
    assert result.steps == 1
    assert load_model(output).card.training["steps"] == 1
    assert pd.read_csv(result.history)["validation_pearson"].notna().any()
    ample = train(pairs, config.updated(minutes=1e3), output=output, overwrite=True)
    assert ample.steps == 6


def test_an_empty_field_is_not_stretched_to_full_brightness(
    pairs: CorrelativePairs, config: TrainingConfig
) -> None:
    rng = np.random.default_rng(0)
    dark = (rng.poisson(2, (48, 48)) + 20).astype(np.uint8)
    targets = (*pairs.fluorescence[:-1], dark)
    prepared = prepare(replace(pairs, fluorescence=targets), config, stride=2)
    images = [pair.normalised()[1] for pair in (*prepared.train, *prepared.validation)]
    spreads = sorted(float(image.std()) for image in images)
    assert spreads[0] < 0.3 * spreads[1]


def test_one_cell_gives_no_score_unless_asked_for(
    config: TrainingConfig, output: Path, tmp_path: Path
) -> None:
    pairs = make_pairs(groups=1)
    events = list(train_events(pairs, config, output=output))
    result = events[-1].result
    assert result.scores is None
    assert result.report is None
    assert "No score" in result.card.scores["refused"]
    assert any("independent" in e.message for e in events if isinstance(e, TrainingWarning))
    asked = train(
        pairs, config.updated(allow_leakage=True), output=tmp_path / "x" / "m.safetensors"
    )
    assert asked.scores is not None
    assert asked.card.scores["independent"] is False


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: a["fluorescence"].__setitem__(0, np.zeros((48, 48), np.uint8)), "constant"),
        (lambda a: a["fluorescence"].__setitem__(0, a["fluorescence"][0].astype(np.uint16)), "mix"),
        (lambda a: a["fluorescence"].__setitem__(0, np.full((48, 48), 255, np.uint8)), "constant"),
    ],
)
def test_bad_pairs_are_refused_before_the_first_step(
    pairs: CorrelativePairs, config: TrainingConfig, output: Path, change, message: str
) -> None:
    arrays = {"bright_field": [b[0] for b in pairs.bright_field],
              "fluorescence": list(pairs.fluorescence)}  # fmt: skip
    change(arrays)
    bad = CorrelativePairs.from_arrays(
        arrays["bright_field"], arrays["fluorescence"], groups=pairs.groups
    )
    with pytest.raises(InputError, match=message):
        next(train_events(bad, config, output=output))
    assert not output.exists()


def test_one_pair_and_unknown_device_are_refused(
    pairs: CorrelativePairs, config: TrainingConfig, output: Path
) -> None:
    with pytest.raises(InputError, match="at least two"):
        train(pairs.subset([0]), config, output=output)
    with pytest.raises(DeviceError, match="not available"):
        train(pairs, config.updated(device="cuda:77"), output=output)
    with pytest.raises(DeviceError, match="not available"):
        train(pairs, config.updated(device="toaster"), output=output)


def test_out_of_memory_is_an_error_that_a_worker_shows(
    pairs: CorrelativePairs, config: TrainingConfig, output: Path, monkeypatch
) -> None:
    def full(*arguments, **options):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried ...")

    monkeypatch.setattr(trainer_module, "generator_loss", full)
    with pytest.raises(DeviceError, match="smaller batch"):
        train(pairs, config, output=output)


def test_progress_counts_steps(
    pairs: CorrelativePairs, config: TrainingConfig, output: Path
) -> None:
    seen: list[Progress] = []
    train(pairs, config, output=output, progress=seen.append)
    assert [(p.done, p.total) for p in seen] == [(i, 6) for i in range(1, 7)]


def test_frames_smaller_than_the_crop_are_used_with_a_note(
    config: TrainingConfig, output: Path
) -> None:
    events = list(train_events(make_pairs(size=27), config, output=output))
    assert events[0].crop_size == 26
    assert any("26 px are used" in e.message for e in events if isinstance(e, TrainingWarning))


def test_preparing_looks_at_the_token_at_each_image(config: TrainingConfig) -> None:
    class Patience(CancelToken):
        """Cancels itself when it has been looked at so often."""

        def __init__(self, looks: int) -> None:
            super().__init__()
            self.looks = looks

        def raise_if_cancelled(self) -> None:
            self.looks -= 1
            if self.looks == 0:
                self.cancel()
            super().raise_if_cancelled()

    pairs = make_pairs(8)
    whole = Patience(10**9)
    prepare(pairs, config, stride=2, cancel=whole)
    looks = 10**9 - whole.looks
    assert looks > 8 * len(pairs)
    for stop in range(1, looks, len(pairs)):
        with pytest.raises(CancelledError):
            prepare(pairs, config, stride=2, cancel=Patience(stop))
