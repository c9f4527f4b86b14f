"""Adversary, uncertainty, planes, fine-tuning, teachers, bfloat16, two processes."""

from __future__ import annotations

import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_virtualstain.data import CorrelativePairs
from napari_virtualstain.errors import InputError, ModelError
from napari_virtualstain.models import load_model
from napari_virtualstain.training import StepFinished, TrainingConfig, train, train_events

from .conftest import make_pairs


def _last_terms(pairs: CorrelativePairs, config: TrainingConfig, output: Path) -> dict[str, float]:
    events = list(train_events(pairs, config, output=output))
    return [e.terms for e in events if isinstance(e, StepFinished)][-1]


def test_adversary_and_weight_map_take_part(
    pairs: CorrelativePairs, config: TrainingConfig, output: Path, monkeypatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    loss = {"l1": 0, "weighted_l1": 50, "weight_map": "psf_deconvolution", "adversarial": 1}
    terms = _last_terms(pairs, config.updated(loss=loss, discriminator_width=2), output)
    assert set(terms) == {"weighted_l1", "adversarial", "discriminator"}
    assert load_model(output).card.loss["weight_map"] == "psf_deconvolution"


def test_adversary_may_see_the_input(
    pairs: CorrelativePairs, config: TrainingConfig, output: Path
) -> None:
    config = config.updated(
        loss={"adversarial": 1, "adversarial_kind": "least_squares"},
        discriminator_width=2,
        discriminator_sees_input=True,
        steps=2,
    )
    assert "discriminator" in _last_terms(pairs, config, output)


def test_laplace_head_predicts_its_error(output: Path) -> None:
    pairs = make_pairs(12)
    config = TrainingConfig(
        name="sure", steps=80, batch_size=8, crop_size=32, device="cpu", precision="float32",
        report=False,
        architecture={"name": "unet", "arguments": {"widths": [8, 16]}},
        loss={"l1": 0, "laplace": 1}, validation_groups=("cell0",),
        optimisation={"learning_rate": 2e-2},
    )  # fmt: skip
    train(pairs, config, output=output)
    model = load_model(output)
    assert model.card.outputs == ["mean", "log_scale"]
    frame = pairs.bright_field[0]
    inputs = torch.from_numpy(model.card.normalisation.input.fit(frame).apply(frame))[None]
    with torch.no_grad():
        mean, log_scale = model.network(inputs)[0]
    truth = pairs.fluorescence[0]
    target = model.card.normalisation.output.fit(truth).apply(truth)
    error = np.abs(mean.numpy() - target)
    assert np.exp(log_scale.numpy()).mean() == pytest.approx(error.mean(), rel=0.6)
    assert np.corrcoef(log_scale.numpy().ravel(), error.ravel())[0, 1] > 0.1


def test_several_planes_are_read(config: TrainingConfig, output: Path) -> None:
    single = make_pairs()
    stacks = [np.concatenate([image] * 3) for image in single.bright_field]
    pairs = CorrelativePairs.from_arrays(stacks, single.fluorescence, groups=single.groups)
    train(pairs, config.updated(inputs={"planes": 3, "axis": "z"}), output=output)
    model = load_model(output)
    assert model.card.inputs.offsets == (-1, 0, 1)
    assert model.network(torch.zeros(1, 3, 16, 16)).shape == (1, 1, 16, 16)


def test_planes_given_and_asked_for_must_agree(config: TrainingConfig, output: Path) -> None:
    with pytest.raises(InputError, match="plane"):
        train(make_pairs(), config.updated(inputs={"planes": 3}), output=output)


PARTS = {
    "all": "",
    "first_blocks": "down.",
    "decoder": ("narrow.", "up.", "head."),
    "head": "head.",
}


@pytest.mark.parametrize("trainable", list(PARTS))
def test_fine_tuning_changes_only_what_it_may(
    pairs: CorrelativePairs, config: TrainingConfig, tmp_path: Path, trainable: str
) -> None:
    base = tmp_path / "base" / "m.safetensors"
    train(pairs, config, output=base)
    tuned = tmp_path / "tuned" / "m.safetensors"
    settings = config.updated(init=str(base), trainable=trainable, steps=3)
    train(make_pairs(seed=3), settings, output=tuned)
    before, after = (load_model(p).network.state_dict() for p in (base, tuned))
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed
    assert all(name.startswith(PARTS[trainable]) for name in changed)
    assert load_model(tuned).card.training["settings"]["init"] == base.name
    # a few crops are no sample of what BatchNorm normalises by
    assert not any("running" in name for name in changed)


def test_an_unknown_or_another_pixel_size_is_said(
    pairs: CorrelativePairs, config: TrainingConfig, tmp_path: Path
) -> None:
    config = config.updated(steps=1)
    unknown = replace(pairs, pixel_size_um=None)
    result = train(unknown, config, output=tmp_path / "a" / "m.safetensors")
    assert "0.08 µm is assumed" in result.warnings[-1]
    assert result.card.pixel_size_um is None
    base = tmp_path / "b" / "m.safetensors"
    train(replace(pairs, pixel_size_um=0.08), config, output=base)
    tuned = tmp_path / "c" / "m.safetensors"
    coarse = replace(pairs, pixel_size_um=0.4)
    result = train(coarse, config.updated(init=str(base)), output=tuned)
    assert any("these images have 0.4 µm" in text for text in result.warnings)
    assert result.card.pixel_size_um == 0.4


def test_fine_tuning_is_never_worse_than_its_start_on_what_is_held_out(
    pairs: CorrelativePairs, config: TrainingConfig, tmp_path: Path
) -> None:
    base = tmp_path / "base" / "m.safetensors"
    train(pairs, config.updated(steps=30), output=base)
    ruin = {"learning_rate": 1.0, "init_rate_factor": 1.0, "ema_decay": 0.0, "gradient_clip": 0,
            "schedule": "constant"}  # fmt: skip
    settings = config.updated(init=str(base), keep_best=True, monitor="loss", optimisation=ruin)
    tuned = tmp_path / "tuned" / "m.safetensors"
    result = train(make_pairs(seed=3), settings, output=tuned)
    assert result.card.training["best_step"] == 0
    assert "nothing better" in result.warnings[-1]
    before, after = (load_model(path).network.state_dict() for path in (base, tuned))
    assert all(torch.equal(before[name], after[name]) for name in before)
    means = result.scores.groupby("method")["pearson"].mean()
    assert means["virtual stain"] == pytest.approx(means["starting model"])
    assert set(result.card.scores["before"]) == {"starting model"}


def test_fine_tuning_finds_the_units_of_another_camera(
    pairs: CorrelativePairs, config: TrainingConfig, tmp_path: Path
) -> None:
    base = tmp_path / "base" / "m.safetensors"
    fixed = {"kind": "fixed", "offset": 20.0, "scale": 50.0}
    train(pairs, config.updated(steps=30, target_normalisation=fixed), output=base)
    bright = [(image[0].astype(np.uint16) * 40 + 300) for image in pairs.bright_field]
    shine = [(image.astype(np.uint16) * 150 + 2000) for image in pairs.fluorescence]
    camera = CorrelativePairs.from_arrays(
        bright, shine, groups=pairs.groups, movies=pairs.movies, pixel_size_um=0.08
    )
    settings = config.updated(init=str(base), steps=1, loss={"l1": 1.0})
    events = list(train_events(camera, settings, output=tmp_path / "t" / "m.safetensors"))
    first = next(e for e in events if isinstance(e, StepFinished))
    assert first.loss < 0.6  # targets span about 1; without matching the error is in the tens
    model = load_model(tmp_path / "t" / "m.safetensors")
    assert model.card.normalisation.output.kind == "percentile"
    assert model.card.normalisation.output.offset > 1000


def test_unknown_base_model_lists_what_there_is(
    pairs: CorrelativePairs, config: TrainingConfig, output: Path
) -> None:
    with pytest.raises(ModelError, match="no model"):
        train(pairs, config.updated(init="nobody"), output=output)


def test_student_comes_near_its_teachers(
    pairs: CorrelativePairs, config: TrainingConfig, tmp_path: Path
) -> None:
    teachers = []
    for seed in (1, 2):
        path = tmp_path / f"t{seed}" / "m.safetensors"
        train(pairs, config.updated(seed=seed, steps=15), output=path)
        teachers.append(str(path))
    settings = config.updated(
        teachers=teachers, loss={"l1": 0, "distillation": 1}, steps=40,
        optimisation={"learning_rate": 1e-2},
    )  # fmt: skip
    events = list(train_events(pairs, settings, output=tmp_path / "s" / "m.safetensors"))
    terms = [e.terms["distillation"] for e in events if isinstance(e, StepFinished)]
    assert np.mean(terms[-5:]) < 0.7 * np.mean(terms[:5])


def test_bfloat16_learns_like_float32(
    pairs: CorrelativePairs, config: TrainingConfig, tmp_path: Path
) -> None:
    losses = {}
    for precision in ("float32", "bfloat16"):
        settings = config.updated(precision=precision, steps=12)
        events = train_events(pairs, settings, output=tmp_path / precision / "m.safetensors")
        losses[precision] = [e.loss for e in events if isinstance(e, StepFinished)]
    np.testing.assert_allclose(losses["bfloat16"], losses["float32"], rtol=0.15)
    assert losses["bfloat16"] != losses["float32"]


WORKER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from training.conftest import make_pairs
from napari_virtualstain.errors import TrainingError
from napari_virtualstain.training import TrainingConfig, train
config = TrainingConfig.model_validate_json(Path(sys.argv[1], "config.json").read_text())
try:
    train(make_pairs(), config, output=Path(sys.argv[1], "two.safetensors"))
except TrainingError as error:
    assert "first process" in str(error), error
"""


@pytest.mark.slow
def test_two_processes_train_as_one(config: TrainingConfig, tmp_path: Path) -> None:
    # without BatchNorm, whose statistics are those of each process's own share
    network = {"name": "unet", "arguments": {"widths": [6, 8], "batch_norm": False}}
    config = config.updated(architecture=network)
    single = train(make_pairs(), config, output=tmp_path / "one" / "m.safetensors")
    (tmp_path / "config.json").write_text(config.model_dump_json())
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    tests = str(Path(__file__).parents[1])
    workers = []
    for rank in range(2):
        environment = {
            "RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2", "OMP_NUM_THREADS": "1",
            "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port),
        }  # fmt: skip
        workers.append(_start([sys.executable, "-c", WORKER, str(tmp_path), tests], environment))
    for worker in workers:
        out, err = worker.communicate(timeout=240)
        assert worker.returncode == 0, (out, err)
    one = load_model(single.path).network.state_dict()
    two = load_model(tmp_path / "two.safetensors").network.state_dict()
    for name, value in one.items():
        torch.testing.assert_close(two[name], value, atol=3e-3, rtol=3e-3)
    assert load_model(tmp_path / "two.safetensors").card.training["processes"] == 2


def _start(command: list[str], environment: dict[str, str]) -> subprocess.Popen[str]:
    import os

    return subprocess.Popen(
        command, env={**os.environ, **environment}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def test_batch_must_be_shared_evenly() -> None:
    from napari_virtualstain.training.loop.parallel import Processes, check_batch

    check_batch(8, Processes(0, 4))
    with pytest.raises(InputError, match="multiple of 3"):
        check_batch(8, Processes(0, 3))
