from __future__ import annotations

import pytest
import torch
from torch import nn

from napari_virtualstain.engine import free_memory
from napari_virtualstain.engine.devices import check_precision
from napari_virtualstain.engine.prepared import PreparedNetwork
from napari_virtualstain.errors import InputError


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
    prepared = PreparedNetwork(nn.Conv2d(1, 1, 1), torch.device("cpu"), "float32")
    exact = torch.linspace(0, 5, 128 * 128).view(1, 1, 128, 128)
    other = exact + 5 * everywhere
    other[0, 0, 9, 9] += 5 * somewhere
    outputs = {"float32": exact, "bfloat16": other}
    monkeypatch.setattr(prepared, "_run", lambda _, precision: outputs[precision])
    assert prepared.agrees("bfloat16") == agrees


def test_a_pass_takes_three_times_the_largest_layer() -> None:
    # four bytes a number; the layer reads 2 and writes 7 for each pixel
    prepared = PreparedNetwork(nn.Conv2d(2, 7, 1), torch.device("cpu"), "float32")
    assert prepared.bytes_per_pixel == 3 * 4 * (2 + 7)
