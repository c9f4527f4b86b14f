from __future__ import annotations

import pytest
import torch
from torch import nn

from napari_virtualstain.engine import free_memory, prepared
from napari_virtualstain.engine.devices import check_precision, resolve_devices
from napari_virtualstain.engine.prepared import PreparedNetwork
from napari_virtualstain.errors import DeviceError, InputError


def test_free_memory_of_this_machine_is_sane() -> None:
    assert 2**20 < free_memory(torch.device("cpu")) < 2**50


def test_an_unknown_precision_is_refused() -> None:
    assert check_precision("float32") == "float32"
    with pytest.raises(InputError, match="expected one of auto, float32"):
        check_precision("double")


@pytest.mark.parametrize(
    ("everywhere", "somewhere", "agrees"),
    [(0.009, 0.0, True), (0.011, 0.0, False), (0.0, 0.019, True), (0.0, 0.021, False)],
)
def test_a_precision_agrees_within_one_per_cent_and_two_at_the_worst(
    monkeypatch: pytest.MonkeyPatch, everywhere: float, somewhere: float, agrees: bool
) -> None:
    network = PreparedNetwork(nn.Conv2d(1, 1, 1), torch.device("cpu"), "float32")
    exact = torch.linspace(0, 5, 128 * 128).view(1, 1, 128, 128)
    other = exact + 5 * everywhere
    other[0, 0, 9, 9] += 5 * somewhere
    outputs = {"float32": exact, "bfloat16": other}
    monkeypatch.setattr(network, "_run", lambda _, precision: outputs[precision])
    assert network.agrees("bfloat16") == agrees


def test_a_pass_takes_three_times_the_largest_layer() -> None:
    # four bytes a number; the layer reads 2 and writes 7 for each pixel
    network = PreparedNetwork(nn.Conv2d(2, 7, 1), torch.device("cpu"), "float32")
    assert network.bytes_per_pixel == 3 * 4 * (2 + 7)


@pytest.mark.parametrize(
    ("there", "named", "devices"),
    [
        (2, "gpus", ["cuda:0", "cuda:1"]),
        (2, "CUDA:1, cuda:1", ["cuda:1", "cuda:1"]),
        (1, "gpus", ["cuda:0"]),
        (1, "cuda:0,cpu", "unlike kinds"),
        (0, "gpus", "cuda"),
        (1, "cuda:1", "cuda:1"),
        (0, "cpu,cpu", ["cpu", "cpu"]),
    ],
)
def test_devices_of_one_kind_that_are_there_work_together(
    monkeypatch: pytest.MonkeyPatch, there: int, named: str, devices: list[str] | str
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: there)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: there > 0)
    if isinstance(devices, list):
        assert [str(device) for device in resolve_devices(named)] == devices
    else:
        with pytest.raises(DeviceError, match=devices):
            resolve_devices(named)


@pytest.mark.parametrize(
    ("device", "has_units", "fast"),
    [
        ("cuda", False, "float16"),
        ("cpu", True, "bfloat16"),
        ("cpu", False, "float32"),
        ("mps", True, "float32"),
    ],
)
def test_fast_arithmetic_is_that_of_the_device(
    monkeypatch: pytest.MonkeyPatch, device: str, has_units: bool, fast: str
) -> None:
    monkeypatch.setattr(prepared, "_gains_from_bfloat16", lambda: has_units)
    assert prepared._fast_precision(torch.device(device)) == fast
