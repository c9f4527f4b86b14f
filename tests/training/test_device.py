"""Arithmetic and memory order of a training, by the processor."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from napari_virtualstain.data import CorrelativePairs
from napari_virtualstain.training import TrainingConfig, train


@pytest.mark.parametrize(
    ("instructions", "order"),
    [("AVX2", torch.contiguous_format), ("AVX512", torch.channels_last)],
)
def test_convolutions_see_the_order_that_is_fast_on_the_processor(
    pairs: CorrelativePairs,
    config: TrainingConfig,
    output: Path,
    monkeypatch: pytest.MonkeyPatch,
    instructions: str,
    order: torch.memory_format,
) -> None:
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: instructions)
    inner: list[bool] = []
    convolve = nn.Conv2d._conv_forward

    def look(self: nn.Conv2d, image: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        result = convolve(self, image, weight, bias)
        if image.shape[1] > 1 and weight.shape[-1] > 1:  # one channel is in both orders
            inner.append(all(t.is_contiguous(memory_format=order) for t in (image, weight, result)))
        return result

    monkeypatch.setattr(nn.Conv2d, "_conv_forward", look)
    train(pairs, config.updated(device="cpu", precision="float32"), output=output)
    assert inner
    assert all(inner)
