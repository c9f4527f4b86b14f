"""Device and precision of a training."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch

from ..engine import resolve_device
from ..errors import DeviceError
from .training_config import TrainingConfig


@dataclass(frozen=True, slots=True)
class Compute:
    """Device and number format of a training.

    Attributes
    ----------
    device : torch.device
        Resolved.
    bfloat16 : bool
        Whether convolutions run in bfloat16; weights, losses and averages stay float32.
    """

    device: torch.device
    bfloat16: bool

    @property
    def precision(self) -> str:
        """``float32`` or ``bfloat16``."""
        return "bfloat16" if self.bfloat16 else "float32"

    @property
    def memory_format(self) -> torch.memory_format:
        """Order of channels and pixels in which a step is fastest.

        Channels last, but for processors with AVX2 only: there the backward pass of a convolution
        takes a third longer in that order (``benchmarks/training_speed.py``).
        """
        on_avx2 = self.device.type == "cpu" and torch.backends.cpu.get_cpu_capability() == "AVX2"
        return torch.contiguous_format if on_avx2 else torch.channels_last

    def autocast(self) -> AbstractContextManager[object]:
        """Return the context in which a network is run."""
        if not self.bfloat16:
            return nullcontext()
        return torch.autocast(self.device.type, torch.bfloat16)


def compute_for(config: TrainingConfig) -> Compute:
    """Return the device and number format that the settings ask for.

    Raises
    ------
    DeviceError
        The device is not there, or cannot train.
    """
    device = resolve_device(config.device)
    if not isinstance(device, torch.device):
        raise DeviceError(
            "OpenVINO runs networks but cannot train them. Train on the processor (cpu) or a "
            "graphics card."
        )
    if config.precision == "auto":
        return Compute(device, _bfloat16_is_fast(device))
    return Compute(device, config.precision == "bfloat16")


def _bfloat16_is_fast(device: torch.device) -> bool:
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    if device.type != "cpu":
        return False
    # Without matrix tiles or AVX-512 in bfloat16 the conversion costs more than it saves
    checks = ("_is_amx_tile_supported", "_is_avx512_bf16_supported")
    return any(bool(getattr(torch.cpu, name, lambda: False)()) for name in checks)
