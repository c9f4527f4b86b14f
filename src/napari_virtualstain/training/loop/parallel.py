"""One training on several processes, on one machine or many.

Every process draws the same batch, takes its share, and gradients are averaged: the
result is that of one process with the whole batch, up to rounding. Start it with
``torchrun --nproc-per-node 2 ...``, which sets the environment that is read here.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, distributed, nn

from ...errors import InputError
from ...progress import CancelToken


@dataclass(frozen=True, slots=True)
class Processes:
    """The processes of one training.

    Attributes
    ----------
    rank, count : int
        Which one this is, of how many.
    """

    rank: int = 0
    count: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this process writes files and reports."""
        return self.rank == 0

    def average_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace each gradient by its mean over the processes."""
        if self.count == 1:
            return
        gradients = [p.grad for p in parameters if p.grad is not None]
        if not gradients:
            return
        flat = torch.cat([g.reshape(-1) for g in gradients])
        distributed.all_reduce(flat)
        flat /= self.count
        position = 0
        for gradient in gradients:
            size = gradient.numel()
            gradient.copy_(flat[position : position + size].view_as(gradient))
            position += size

    def average(self, value: Tensor) -> Tensor:
        """Return the mean of a tensor over the processes."""
        if self.count > 1:
            value = value.clone()
            distributed.all_reduce(value)
            value /= self.count
        return value

    def agree(self, flag: bool, device: torch.device) -> bool:
        """Return whether any process raises the flag, so that all do the same."""
        if self.count == 1:
            return flag
        largest = torch.tensor([float(flag)], device=device)
        distributed.all_reduce(largest, distributed.ReduceOp.MAX)
        return bool(largest.item() > 0)

    def same_weights(self, network: nn.Module) -> None:
        """Give every process the weights of the first."""
        if self.count > 1:
            for value in network.state_dict().values():
                distributed.broadcast(value, 0)


def processes() -> Processes:
    """Return the processes of this training, joining them if torchrun started several."""
    if not distributed.is_available():
        return Processes()
    if not distributed.is_initialized():
        if int(os.environ.get("WORLD_SIZE", "1")) <= 1 or "RANK" not in os.environ:
            return Processes()
        local = int(os.environ.get("LOCAL_RANK", "0"))
        if torch.cuda.is_available():
            torch.cuda.set_device(local % torch.cuda.device_count())
        distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    return Processes(distributed.get_rank(), distributed.get_world_size())


def check_batch(batch_size: int, group: Processes) -> None:
    """Raise InputError unless the batch can be shared out evenly."""
    if batch_size % group.count:
        raise InputError(
            f"A batch of {batch_size} crops cannot be shared evenly by {group.count} processes. "
            f"Use a multiple of {group.count}."
        )


def cancelled_anywhere(cancel: CancelToken | None, group: Processes, device: torch.device) -> bool:
    """Return whether any process was cancelled."""
    return group.agree(cancel is not None and cancel.cancelled, device)
