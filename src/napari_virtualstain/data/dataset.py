"""Training batches as torch tensors; the one module of this room that knows torch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from .sampler import CropSampler


@dataclass(frozen=True, slots=True)
class TensorBatch:
    """Crops of one step.

    Attributes
    ----------
    inputs : Tensor of shape (N, P, S, S)
        Normalised bright-field.
    targets : Tensor of shape (N, 1, S, S)
        Normalised fluorescence.
    weights : Tensor of shape (N, 1, S, S) or (N, 2, S, S)
        Weight map and, where regions are polygons, which pixels count (1) or not (0).
    """

    inputs: Tensor
    targets: Tensor
    weights: Tensor

    def part(self, rank: int, count: int) -> TensorBatch:
        """Return the share of process `rank` of `count`; the shares make up the batch."""
        mine = slice(rank, None, count)
        return TensorBatch(self.inputs[mine], self.targets[mine], self.weights[mine])

    def to(
        self, device: torch.device, memory_format: torch.memory_format = torch.preserve_format
    ) -> TensorBatch:
        """Return the batch on a device, with its channels and pixels in that order."""
        return TensorBatch(
            *(
                tensor.to(device, non_blocking=True, memory_format=memory_format)
                for tensor in (self.inputs, self.targets, self.weights)
            )
        )


class CropBatches(Dataset[TensorBatch]):
    """The batches of a training, each a function of the seed and the step alone.

    Nothing is carried from batch to batch, so a resumed training sees the batches that
    an uninterrupted one would have seen, whatever the number of loading processes.

    Parameters
    ----------
    sampler : CropSampler
        Draws the crops.
    batch_size : int
        Crops per step.
    steps : int
        Number of steps.
    seed : int
        Of the training.

    Examples
    --------
    >>> CropBatches.__name__
    'CropBatches'
    """

    def __init__(self, sampler: CropSampler, batch_size: int, steps: int, seed: int) -> None:
        self._sampler = sampler
        self._batch_size = batch_size
        self._steps = steps
        self._seed = seed

    def __len__(self) -> int:
        return self._steps

    def __getitem__(self, step: int) -> TensorBatch:
        if not 0 <= step < self._steps:
            raise IndexError(step)
        rng = np.random.default_rng([self._seed, 1, step])
        crops = self._sampler.draw(rng, self._batch_size)
        maps = [crops.weights] if crops.counts is None else [crops.weights, crops.counts]
        return TensorBatch(
            torch.from_numpy(crops.inputs),
            torch.from_numpy(crops.targets[:, None]),
            torch.from_numpy(np.stack(maps, axis=1)),
        )
