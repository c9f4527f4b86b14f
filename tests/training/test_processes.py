"""Several processes of one training, their exchange replaced by plain arithmetic."""

from __future__ import annotations

import pytest
import torch
from torch import distributed

from napari_virtualstain.training.loop.parallel import Processes

CPU = torch.device("cpu")


@pytest.fixture
def others(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """What the other process has, added to or compared with this one's."""
    held = {"value": 0.0}

    def all_reduce(value: torch.Tensor, how: object = distributed.ReduceOp.SUM) -> None:
        if how == distributed.ReduceOp.MAX:
            value.clamp_(min=held["value"])
        else:
            value += held["value"]

    monkeypatch.setattr(distributed, "all_reduce", all_reduce)
    return held


@pytest.mark.parametrize("here", [False, True])
@pytest.mark.parametrize("there", [False, True])
def test_a_flag_of_one_process_is_that_of_all(
    others: dict[str, float], here: bool, there: bool
) -> None:
    others["value"] = float(there)
    assert Processes(0, 2).agree(here, CPU) == (here or there)
    assert Processes(0, 1).agree(here, CPU) == here


def test_losses_and_gradients_are_means(others: dict[str, float]) -> None:
    others["value"] = 3.0
    assert Processes(1, 2).average(torch.tensor(1.0)) == 2.0
    assert Processes(0, 1).average(torch.tensor(1.0)) == 1.0
    one, two = (torch.nn.Parameter(torch.zeros(n)) for n in (2, 3))
    one.grad, two.grad = torch.tensor([1.0, 5.0]), torch.tensor([-3.0, 0.0, 7.0])
    Processes(1, 2).average_gradients([one, torch.nn.Parameter(torch.zeros(1)), two])
    assert one.grad.tolist() == [2.0, 4.0]
    assert two.grad.tolist() == [0.0, 1.5, 5.0]


@pytest.mark.parametrize(("rank", "is_first"), [(0, True), (1, False)])
def test_the_first_process_writes(rank: int, is_first: bool) -> None:
    assert Processes(rank, 2).is_first == is_first
