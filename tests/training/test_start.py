"""Start of a training: a shipped model by default, whatever planes are read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from napari_virtualstain.data import CorrelativePairs, StoredImage, stack_pairs
from napari_virtualstain.errors import InputError
from napari_virtualstain.models import Model, load_model
from napari_virtualstain.training import (
    USUAL_START,
    TrainingConfig,
    networks,
    preset,
    train,
    with_start,
)
from napari_virtualstain.training.loop.trainer import _optimizer
from napari_virtualstain.training.networks import (
    at_size_of_start,
    pixel_size_notes,
    reading_planes,
)

from .conftest import make_pairs


def test_the_recommended_training_starts_from_a_shipped_model() -> None:
    assert with_start(preset()).init == USUAL_START
    assert with_start(preset(), "mito-simulated").init == "mito-simulated"
    assert with_start(preset(), "none").init == ""


@pytest.mark.parametrize("changes", [{"architecture": {"name": "compact"}}, {"preset": ""}])
def test_another_network_starts_from_nothing(changes: dict) -> None:
    assert with_start(preset().updated(**changes)).init == ""
    assert with_start(preset("A")).init == ""


@pytest.mark.parametrize("arguments", [{}, {"half_resolution": True}, {"replicate": 3}])
def test_a_network_that_reads_more_planes_answers_as_before_at_first(
    make_model: Callable[..., Model], arguments: dict
) -> None:
    model = make_model("unet", arguments={"widths": [4, 6], **arguments})
    network, architecture = reading_planes(model, 3)
    planes = torch.randn(2, 3, 16, 32)
    assert architecture.arguments["in_channels"] == 3
    with torch.no_grad():
        torch.testing.assert_close(network.eval()(planes), model.network(planes[:, 1:2]))
    # and its new weights can learn: their gradient is not 0
    network(planes).square().sum().backward()
    assert bool((network.down[0][0].weight.grad.abs().amax((0, 2, 3)) > 0).all())


def test_a_model_of_several_planes_is_not_asked_to_read_others(
    make_model: Callable[..., Model],
) -> None:
    model = make_model("unet", arguments={"widths": [4]}, inputs={"planes": 3, "axis": "z"})
    with pytest.raises(InputError, match="reads 3 bright-field planes, but 5"):
        reading_planes(model, 5)


def test_z_stacks_train_on_from_a_model_of_one_plane(
    make_model: Callable[..., Model], config: TrainingConfig, output: Path
) -> None:
    start = make_model("unet", arguments={"widths": [4, 6]})
    stack = np.stack([pair[0] for pair in make_pairs(6).bright_field])
    pairs = stack_pairs(stack, stack, "z", planes=3, plane_axis="z")
    settings = config.updated(init=str(start.path), inputs={"planes": 3, "axis": "z"})
    train(pairs, settings.updated(steps=2, allow_leakage=True), output=output)
    trained = load_model(output)
    assert (trained.card.inputs.planes, trained.card.inputs.axis) == (3, "z")
    assert trained.network.in_channels == 3


@pytest.mark.parametrize(
    ("share", "is_said"), [(0.92, False), (0.9, True), (1.09, False), (1.11, True), (None, True)]
)
def test_pixels_of_another_size_than_the_start_are_said(share: float | None, is_said: bool) -> None:
    size_um = None if share is None else share * 0.08
    notes = pixel_size_notes(
        SimpleNamespace(pixel_size_um=size_um), TrainingConfig(init="mito-h9c2")
    )
    assert bool(notes) == is_said


@pytest.mark.parametrize(
    ("share", "interpolated"),
    [
        (1.09, False),
        (1.12, True),
        (0.9, True),
        (0.92, False),
        (3.99, True),
        (4.01, False),
        (0.251, True),
        (0.249, False),
    ],
)
def test_pairs_of_another_pixel_size_are_brought_to_that_of_the_start(
    share: float, interpolated: bool
) -> None:
    pairs = replace(make_pairs(2), pixel_size_um=share * 0.08)
    config = TrainingConfig(init="mito-h9c2")
    found, settings, notes = at_size_of_start(pairs, config)
    side = pairs.fluorescence[0].shape[0]
    wanted = round(side * share) if interpolated else side
    assert found.fluorescence[0].shape == (wanted, wanted)
    assert found.bright_field[0].shape == (1, wanted, wanted)
    assert found.fluorescence[0].dtype == pairs.fluorescence[0].dtype
    assert found.pixel_size_um == (0.08 if interpolated else share * 0.08)
    assert settings.pixel_size_um is None
    assert bool(notes) == interpolated


def test_interpolated_pairs_show_the_same_field() -> None:
    y, x = np.mgrid[:40, :50] * 0.2
    field = (1000 + 500 * np.sin(y) * np.cos(x)).astype(np.uint16)
    pairs = CorrelativePairs.from_arrays([field], [field], pixel_size_um=0.2)
    pairs = replace(pairs, masks=(x > 5.0,))
    config = TrainingConfig(init="mito-h9c2", pixel_size_um=0.2)
    found, settings, _ = at_size_of_start(pairs, config)
    y, x = (np.mgrid[:100, :125] + 0.5) * 0.08 - 0.1  # areas of pixels are aligned, not centres
    expected = 1000 + 500 * np.sin(y) * np.cos(x)
    inner = (slice(8, -8), slice(8, -8))
    assert np.abs(found.fluorescence[0][inner] - expected[inner]).max() < 3
    assert np.array_equal(found.masks[0][:, 70:], x[:, 70:] > 5.0)
    assert not found.masks[0][:, :60].any()
    assert settings.pixel_size_um == 0.08


def test_saturation_stays_visible_also_of_sets_that_are_interpolated_at_each_use(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    light = np.zeros((32, 32), np.uint8)
    light[8:24, 8:24] = 255
    pairs = CorrelativePairs.from_arrays([light], [light], pixel_size_um=0.16)
    config = TrainingConfig(init="mito-h9c2")
    bytes_needed = 4 * 2 * 64 * 64  # float32, two images of twice the size
    for free, is_stored in ((2 * bytes_needed, False), (2 * bytes_needed - 1, True)):
        monkeypatch.setattr(networks, "free_memory", lambda _device, free=free: free)
        found = at_size_of_start(pairs, config)[0].fluorescence[0]
        assert isinstance(found, StoredImage) == is_stored
        assert (found.shape, found.dtype) == ((64, 64), np.uint8)
        assert found[24:40, 24:40].min() == 255
        assert found[:8].max() == 0


def test_a_fine_tuning_of_coarse_pixels_says_so_and_makes_a_model_of_the_start(
    make_model: Callable[..., Model], config: TrainingConfig, output: Path
) -> None:
    start = make_model("unet", arguments={"widths": [4, 6]})
    pairs = replace(make_pairs(4), pixel_size_um=0.16)
    settings = config.updated(init=str(start.path), steps=1, allow_leakage=True)
    result = train(pairs, settings, output=output)
    assert any("interpolated to 0.08 µm" in text for text in result.card.training["warnings"])
    assert load_model(output).card.pixel_size_um == 0.08


def test_weight_decay_shrinks_filters_and_neither_biases_nor_scales() -> None:
    network = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2))
    before = [p.detach().clone() for p in network.parameters()]
    settings = TrainingConfig().optimisation.model_copy(update={"weight_decay": 0.5})
    optimizer = _optimizer(network, settings, learning_rate=0.1)
    for parameter in network.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    filters, *others = list(network.parameters())
    assert torch.allclose(filters, (1 - 0.1 * 0.5) * before[0])
    assert all(torch.equal(now, then) for now, then in zip(others, before[1:], strict=True))


def test_one_field_trains_on_three_quarters_and_is_judged_on_the_last(
    config: TrainingConfig, output: Path
) -> None:
    field = make_pairs(count=1, size=256, groups=1)
    result = train(field, config, output=output)
    split = result.card.split
    assert (split["train_groups"], split["validation_groups"]) == (
        ["cell0"],
        ["cell0, last quarter"],
    )
    assert split["independent"] is False
    assert result.scores is not None
    assert set(result.scores["name"]) == {"0[0:256,192:256]"}
    assert any("say nothing about the next cell" in warning for warning in result.warnings)
