"""A network made ready to run fast on one device.

Batch normalisation is folded into the convolution before it, weights are laid out with
the channels last, a U-Net on a CPU is run in strips or compiled by OpenVINO, and the
arithmetic is chosen:

``auto``
    The default: the fastest of the following that agrees with float32 for this network,
    checked before use (:meth:`PreparedNetwork.agrees`).
``float32``
    One machine and another agree to 1e-6 of the range.
``bfloat16``, ``float16``
    Weights and activations in half the bytes, for processors with matrix instructions
    for them (AMX, AVX512-BF16, GPUs). Several times faster; a pixel moves by up to one
    part in 200 of the range, far less than the network errs:
    ``benchmarks/staining_precision.py``. Machines of unlike kinds differ by as much.
``int8``
    Integers of 8 bits, with OpenVINO and for models whose card has the ranges of what their
    convolutions read (:func:`activation_ranges`). Fastest on usual processors; a pixel moves
    by one part in 200 of the range on average, and by more where all is bright.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from ..errors import DeviceError, InputError, ModelError
from ..models import Model, Ranges, UNet
from .compiled import CompiledUNet, has_bfloat16
from .devices import Device, OpenVino, Precision, is_processor
from .graphs import ReplayedNetwork, Run
from .receptive_field import input_channels, network_halo, network_stride, smallest_input
from .strips import StripedUNet

_LARGEST_DIFFERENCE = 0.02
_USUAL_DIFFERENCE = 0.01
# the second output states an error, which is itself known to a tenth or so
_STATED_ERROR_MAY_DIFFER = 2.0


class PreparedNetwork:
    """A callable (N, C, Y, X) float32 -> (N, O, Y, X) float32, both on the CPU.

    Parameters
    ----------
    network : torch.nn.Module
        Left as it is; a copy is made ready.
    device : torch.device or OpenVino
        Where to run.
    precision : Precision
        See the table of this module.
    ranges : dict, optional
        Of the model's card, for int8.

    Raises
    ------
    DeviceError
        OpenVINO is given a network that is no U-Net of this package.
    InputError, ModelError
        int8 is asked for without OpenVINO, or of a model without ranges.

    Examples
    --------
    >>> from napari_virtualstain.models import build_network
    >>> network = build_network({"name": "unet", "arguments": {"widths": [4, 4]}})
    >>> prepared = PreparedNetwork(network, torch.device("cpu"), "float32")
    >>> prepared(torch.zeros(1, 1, 8, 8)).shape
    torch.Size([1, 1, 8, 8])
    """

    def __init__(
        self,
        network: nn.Module,
        device: Device,
        precision: Precision,
        ranges: Ranges | None = None,
    ) -> None:
        self.device = device
        self.stride = network_stride(network)
        self.halo = network_halo(network)
        self.smallest = smallest_input(network)
        self._place = torch.device("cpu") if isinstance(device, OpenVino) else device
        folded = fold_batch_norm(network).to(self._place)
        folded.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if device.type == "cpu" and type(folded) is UNet:
            folded = StripedUNet(folded)
        if isinstance(device, OpenVino) and type(folded) is not UNet:
            raise DeviceError(
                "OpenVINO runs the U-Nets of this package, but this model has another network. "
                "Choose the processor (cpu)."
            )
        self._network: nn.Module = folded
        self._made: dict[Precision, Run] = {}
        self._ranges = ranges
        self._asked = precision
        self.precision = self._settle(precision)

    def __call__(self, batch: Tensor) -> Tensor:
        """Return the output maps of a batch."""
        output = self._run(batch, self.precision, self._fastest)
        # float16 ends at 65504, which activations beside a hot pixel can pass
        if self.precision == "float16" and not output.isfinite().all():
            return self._run(batch, "float32")
        return output

    def moved(self, device: torch.device) -> PreparedNetwork:
        """Return the same network made ready on another device; this one is used up."""
        # moving in place takes no memory on the device that has none left
        return PreparedNetwork(self._network.to(device), device, self._asked)

    def release(self) -> None:
        """Free the memory that is held to be fast only."""
        if isinstance(self._fastest, ReplayedNetwork):
            self._fastest.give_up()
        elif isinstance(self._fastest, CompiledUNet):
            self._fastest.release()

    @cached_property
    def _fastest(self) -> Run:
        if isinstance(self.device, OpenVino) and self.precision == "float32":
            return self._made_in("float32")
        usual = self._networks(self.precision)
        return ReplayedNetwork(usual) if self.device.type == "cuda" else usual

    @cached_property
    def outputs(self) -> int:
        """How many maps the network returns."""
        return int(self._run(self._blank(), "float32").shape[1])

    @cached_property
    def bytes_per_pixel(self) -> int:
        """Peak memory of a forward pass for each pixel of its window, roughly."""
        largest = 0

        def look(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
            nonlocal largest
            values = [*inputs, output]
            largest = max(largest, sum(v.numel() for v in values if isinstance(v, Tensor)))

        leaves = [m for m in self._network.modules() if not list(m.children())]
        hooks = [leaf.register_forward_hook(look) for leaf in leaves]
        blank = self._blank()
        try:
            self._run(blank, "float32")
        finally:
            for hook in hooks:
                hook.remove()
        # what a layer reads and writes, its padded copy, and the skips that wait: measured
        # 3 times for U-Nets in a plain pass, see benchmarks/staining_memory.py; strips take less
        pixels = blank.shape[-1] * blank.shape[-2]
        return int(3 * 4 * largest / pixels) or 1

    def _blank(self) -> Tensor:
        side = self.smallest * -(-32 // self.smallest)
        return torch.zeros(1, self._channels, side, side)

    @property
    def _channels(self) -> int:
        return input_channels(self._network)

    def _run(self, batch: Tensor, precision: Precision, network: Run | None = None) -> Tensor:
        # OpenVINO rounds to integers by itself
        dtype: torch.dtype = getattr(torch, "float32" if precision == "int8" else precision)
        with torch.inference_mode(), arithmetic(self.device, precision):
            # a GPU copies from pinned memory without a detour, and casts faster than the CPU
            given = batch.pin_memory() if self.device.type == "cuda" else batch
            moved = given.to(self._place, non_blocking=True)
            moved = moved.to(dtype, memory_format=torch.channels_last)
            return _fetched((network or self._networks(precision))(moved))

    def _networks(self, precision: Precision) -> Run:
        """Return the network in a precision, each made once; in float32 it is torch's."""
        if precision == "float32":
            return self._network
        if precision not in self._made:
            self._made[precision] = self._made_in(precision)
        return self._made[precision]

    def _made_in(self, precision: Precision) -> Run:
        if isinstance(self.device, OpenVino) and isinstance(self._network, UNet):
            return CompiledUNet(self._network, precision, self._ranges)
        return copy.deepcopy(self._network).to(getattr(torch, precision))

    def _settle(self, precision: Precision) -> Precision:
        if precision == "int8":
            self._check_int8()
        chosen = _fast_precision(self.device) if precision == "auto" else precision
        if chosen == "float16" and is_processor(self.device):
            return "float32"
        if chosen == "bfloat16" and isinstance(self.device, OpenVino) and not has_bfloat16():
            return "float32"
        if precision == "auto" and chosen != "float32" and not self.agrees(chosen):
            return "float32"
        return chosen

    def _check_int8(self) -> None:
        if not isinstance(self.device, OpenVino):
            raise InputError(
                "Precision int8 needs OpenVINO: choose the device openvino, which the extra [fast] "
                "installs, or another precision."
            )
        if not self._ranges:
            raise ModelError(
                "This model lacks the ranges that int8 needs. Choose another precision, train it "
                "on with this version, or add them to it "
                "(napari_virtualstain.engine.with_activation_ranges)."
            )

    def agrees(self, precision: Precision) -> bool:
        """Whether outputs in `precision` are as good as those in float32.

        That is, within 1 % of their range on the whole and 2 % everywhere, and twice that
        for the outputs after the first, which state its error.
        A fixed image of structures of all sizes is used, not the user's, so that the
        answer is the same for every frame, tile and worker.
        """
        image = _test_image(max(self.smallest, 128), self._channels)
        exact, fast = self._run(image, "float32"), self._run(image, precision)
        spread = exact.amax((0, 2, 3)) - exact.amin((0, 2, 3))
        spread[1:] *= _STATED_ERROR_MAY_DIFFER
        difference = (exact - fast).abs()
        largest, usual = difference.amax((0, 2, 3)), difference.square().mean((0, 2, 3)).sqrt()
        return bool(
            (largest <= _LARGEST_DIFFERENCE * spread).all()
            and (usual <= _USUAL_DIFFERENCE * spread).all()
        )


def fold_batch_norm(network: nn.Module) -> nn.Module:
    """Return a copy for inference, each BatchNorm folded into the convolution before it."""
    folded = copy.deepcopy(network).float().eval().requires_grad_(False)
    for sequence in [m for m in folded.modules() if isinstance(m, nn.Sequential)]:
        for index in range(len(sequence) - 2, -1, -1):
            before, after = sequence[index], sequence[index + 1]
            if isinstance(before, nn.Conv2d) and isinstance(after, nn.BatchNorm2d):
                sequence[index] = fuse_conv_bn_eval(before, after)
                del sequence[index + 1]
    return folded


def activation_ranges(network: nn.Module, images: Iterable[NDArray[np.float32]]) -> Ranges:
    """Return between which values lies what each convolution of a U-Net reads.

    Parameters
    ----------
    network : torch.nn.Module
        Any but a U-Net has none.
    images : iterable of ndarray of shape (C, Y, X), float32
        Normalised; typical of what it will see.

    Returns
    -------
    dict of str to (float, float)
        By name in the network without BatchNorm; the widest of all images, each without one
        value in ten thousand at either end. Not of the first convolution, for which 256 steps
        are too coarse, nor of the last, which is little work.

    Examples
    --------
    >>> network = UNet(widths=(4,), convolutions=2)
    >>> list(activation_ranges(network, [np.zeros((1, 8, 8), np.float32)]))
    ['down.0.2']
    """
    if type(network) is not UNet:
        return {}
    folded = fold_batch_norm(network).cpu()
    ranges: Ranges = {}

    def look(name: str, values: Tensor) -> None:
        count = values.numel() // 10_000 + 1
        low = float(values.flatten().topk(count, largest=False).values.max())
        high = float(values.flatten().topk(count).values.min())
        before = ranges.get(name, (low, high))
        ranges[name] = min(before[0], low), max(before[1], high)

    inner = [n for n, m in folded.named_modules() if isinstance(m, nn.Conv2d)][1:-1]
    for name in inner:
        hooked = folded.get_submodule(name)
        hooked.register_forward_pre_hook(lambda _, given, name=name: look(name, given[0]))
    stride = folded.stride
    with torch.inference_mode():
        for image in images:
            height, width = (length // stride * stride for length in image.shape[-2:])
            folded(torch.from_numpy(image[None, :, :height, :width]))
    return ranges


def with_activation_ranges(model: Model, images: Iterable[NDArray[Any]]) -> Model:
    """Return a model whose card has the ranges that int8 needs; save it with `save_model`.

    Parameters
    ----------
    model : Model
        A generator of this package.
    images : iterable of ndarray of shape (C, Y, X)
        Some dozen typical ones, in units of the camera.

    Examples
    --------
    >>> from napari_virtualstain.models import load_model
    >>> image = np.random.default_rng(0).normal(100, 10, (1, 64, 64))
    >>> measured = with_activation_ranges(load_model("mito-simulated"), [image])
    >>> len(measured.card.activation_ranges)
    16
    """
    normalisation = model.card.normalisation.input
    normal = (normalisation.fit(image).apply(image) for image in images)
    ranges = activation_ranges(model.network, normal)
    return replace(model, card=model.card.model_copy(update={"activation_ranges": ranges}))


def _fetched(output: Tensor) -> Tensor:
    """Return maps in float32 on the CPU, in memory of their own."""
    if output.device.type != "cuda":
        return output.float().cpu()
    kept = torch.empty(output.shape, dtype=torch.float32, pin_memory=True)
    kept.copy_(output.float(), non_blocking=True)
    torch.cuda.current_stream(output.device).synchronize()
    return kept


def arithmetic(device: Device, precision: Precision) -> AbstractContextManager[Any]:
    """Return the context in which convolutions keep the digits that `precision` promises.

    NVIDIA's GPUs otherwise take TF32 for float32, which has the digits of float16.
    """
    return _without_tf32 if (device.type, precision) == ("cuda", "float32") else nullcontext()


class _WithoutTf32:
    """Context in which TF32, a setting of the whole process, is off while any thread is inside."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._before = True

    def __enter__(self) -> None:
        with self._lock:
            if not self._inside:
                self._before = torch.backends.cudnn.allow_tf32
                torch.backends.cudnn.allow_tf32 = False
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                torch.backends.cudnn.allow_tf32 = self._before


_without_tf32 = _WithoutTf32()


def _fast_precision(device: Device) -> Precision:
    if device.type == "cuda":
        return "float16"
    if is_processor(device) and _gains_from_bfloat16():
        return "bfloat16"
    return "float32"


def _gains_from_bfloat16() -> bool:
    """Whether the processor multiplies bfloat16 faster than float32, and tiles stay exact.

    It does with AMX (Intel) and, at twice the speed of float32, with AVX512-BF16 (AMD too).
    """
    names = ("_is_amx_tile_supported", "_is_avx512_bf16_supported")
    has_units = any(getattr(torch.cpu, name, lambda: False)() for name in names)
    library = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    return bool(library and has_units)


def _test_image(side: int, channels: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    image = torch.zeros(1, channels, side, side)
    for coarseness in (1, 2, 4, 8, 16):
        noise = torch.randn(
            1, channels, side // coarseness, side // coarseness, generator=generator
        )
        image += nn.functional.interpolate(noise, size=(side, side), mode="bilinear")
    return image / image.std()
