"""A U-Net compiled by OpenVINO for the processor.

OpenVINO is optional (the extra ``[fast]``). The graph is built here, layer by layer, from the
weights: importing torch's own graph would take longer than to stain a frame. It is compiled
for the shape of a window, which takes a tenth of a second and a quarter less memory than a
free shape; the two shapes used last are kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..models import Ranges, UNet
from .devices import Precision
from .strips import steps_of

# what int8 leaves as it is, is little work
_HINTS: dict[Precision, str] = {"float32": "f32", "bfloat16": "bf16", "int8": "f32"}
_LOOK_FOR_CANCEL_MS = 50
_SHAPES_KEPT = 2  # frames that are not square have two under the eight turns and flips


class CompiledUNet:
    """A U-Net run by OpenVINO, (N, C, Y, X) in any precision to (N, O, Y, X) in float32.

    Parameters
    ----------
    network : UNet
        In evaluation mode and without BatchNorm, as `fold_batch_norm` returns it.
    precision : {"float32", "bfloat16", "int8"}
        Arithmetic.
    ranges : dict, optional
        What int8 needs, see :func:`activation_ranges`.

    Examples
    --------
    >>> network = UNet(widths=(4, 8), batch_norm=False).eval()
    >>> image = torch.rand(1, 1, 16, 16)
    >>> with torch.inference_mode():
    ...     torch.allclose(CompiledUNet(network, "float32")(image), network(image), atol=1e-5)
    True
    """

    def __init__(self, network: UNet, precision: Precision, ranges: Ranges | None = None) -> None:
        self._network = network
        self._precision = precision
        self._ranges = ranges if precision == "int8" else None
        self._requests: dict[tuple[int, ...], Any] = {}

    def __call__(self, image: Tensor) -> Tensor:
        """Return the output maps of `image`; the next call may overwrite them."""
        request = self._request(image.shape)
        given = np.ascontiguousarray(image.float().numpy())
        request.start_async([given], share_inputs=True)
        try:
            while not request.wait_for(_LOOK_FOR_CANCEL_MS):
                # a layer is called on nothing: its hooks are where a cancel is noticed
                self._network.head(torch.zeros(1, self._network.head.in_channels, 1, 1))
        except BaseException:
            request.cancel()
            with suppress(RuntimeError):  # which says that it was cancelled
                request.wait()
            raise
        return torch.from_numpy(request.get_output_tensor(0).data)

    def release(self) -> None:
        """Free what is held between calls."""
        self._requests.clear()

    def _request(self, shape: torch.Size) -> Any:
        """Return a request for images of a shape, with the threads of the moment."""
        threads = torch.get_num_threads()
        request = self._requests.pop((threads, *shape), None)
        if request is None:
            while len(self._requests) >= _SHAPES_KEPT:
                del self._requests[next(iter(self._requests))]
            request = self._compiled(shape, threads)
        self._requests[threads, *shape] = request
        return request

    def _compiled(self, shape: torch.Size, threads: int) -> Any:
        import openvino

        options = {
            "INFERENCE_NUM_THREADS": threads,
            "INFERENCE_PRECISION_HINT": _HINTS[self._precision],
            "PERFORMANCE_HINT": "LATENCY",
            # several processes would share the same cores and leave others idle
            "ENABLE_CPU_PINNING": False,
        }
        graph = graph_of(self._network, shape, self._ranges)
        return openvino.Core().compile_model(graph, "CPU", options).create_infer_request()


def has_bfloat16() -> bool:
    """Return whether OpenVINO can compute in bfloat16 on this processor."""
    import openvino

    return "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def graph_of(network: UNet, shape: Sequence[int], ranges: Ranges | None = None) -> Any:
    """Return a U-Net as a model of OpenVINO for images of a shape (N, C, Y, X).

    Convolutions that are named in `ranges` read and multiply integers of 8 bits.

    Examples
    --------
    >>> network = UNet(widths=(4, 8), batch_norm=False, out_channels=2).eval()
    >>> graph_of(network, (1, 1, 16, 16)).output().shape
    <Shape: [1,2,16,16]>
    """
    import openvino
    from openvino import opset13

    named = network.named_modules()
    integer = {module: ranges[name] for name, module in named if ranges and name in ranges}
    image = opset13.parameter(list(shape), np.float32)
    output = _Layers(opset13, integer).output_of(network, image)
    return openvino.Model([output], [image], "unet")


class _Layers:
    """Layers of OpenVINO in place of those of torch.

    Parameters
    ----------
    ops : module
        The operations of OpenVINO.
    ranges : dict
        For each convolution in integers of 8 bits, between which values lies what it reads.
    """

    def __init__(self, ops: Any, ranges: dict[nn.Module, tuple[float, float]]) -> None:
        self._ops = ops
        self._ranges = ranges

    def output_of(self, network: UNet, features: Any) -> Any:
        """Return the output maps of a U-Net, as its `forward` does."""
        if network.replicate > 1:
            features = self._ops.concat([features] * network.replicate, 1)
        if network.half_resolution:
            features = self._ops.space_to_depth(features, "depth_first", 2)
        skips = []
        for level, block in enumerate(network.down):
            if level:
                features = self._ops.avg_pool(features, [2, 2], [0, 0], [0, 0], [2, 2], True)
            features = self._block(features, block)
            skips.append(features)
        for level in reversed(range(len(network.up))):
            narrow = network.narrow[level]
            if isinstance(narrow, nn.Conv2d):
                features = self._convolution(features, narrow)
            both = self._ops.concat([skips[level], self._doubled(features)], 1)
            features = self._block(both, network.up[level])
        output = self._convolution(features, network.head)
        if network.output_activation != "none":
            output = getattr(self._ops, network.output_activation)(output)
        return self._doubled(output) if network.half_resolution else output

    def _block(self, features: Any, block: nn.Module) -> Any:
        for convolution, layers in steps_of(block):
            features = self._convolution(features, convolution)
            for layer in layers:
                slope = layer.negative_slope  # type: ignore[attr-defined]
                features = self._ops.prelu(features, self._constant([slope]))
        return features

    def _convolution(self, features: Any, layer: nn.Conv2d) -> Any:
        weight = self._constant(layer.weight.detach())
        if layer in self._ranges:
            features = self._in_steps(features, *usable_range(*self._ranges[layer]), 256)
            largest = np.abs(weight.data).max((1, 2, 3), keepdims=True).clip(min=1e-20)
            # half of the 8 bits: without VNNI, a processor adds two products in 16 bits
            weight = self._in_steps(weight, -2 * largest, 2 * largest, 255)
        reach = int(layer.kernel_size[0]) // 2
        if reach:
            margins = [0, 0, reach, reach]
            features = self._ops.pad(features, margins, margins, "reflect")
        summed = self._ops.convolution(features, weight, [1, 1], [0, 0], [0, 0], [1, 1])
        bias = layer.bias if layer.bias is not None else torch.zeros(layer.out_channels)
        return self._ops.add(summed, self._constant(bias.detach()[:, None, None]))

    def _in_steps(self, values: Any, low: Any, high: Any, steps: int) -> Any:
        ends = [self._constant(end) for end in (low, high, low, high)]
        return self._ops.fake_quantize(values, *ends, steps)

    def _doubled(self, features: Any) -> Any:
        return self._ops.interpolate(
            features,
            self._constant([2, 2]),
            mode="linear_onnx",
            shape_calculation_mode="scales",
            coordinate_transformation_mode="half_pixel",
            axes=self._ops.constant(np.array([2, 3])),
        )

    def _constant(self, values: Any) -> Any:
        return self._ops.constant(np.asarray(values, np.float32))


def usable_range(low: float, high: float) -> tuple[float, float]:
    """Return a range that holds 0, as one of its 256 steps.

    Examples
    --------
    >>> usable_range(-1.2, 253.8)
    (-1.0, 254.0)
    """
    low, high = min(low, 0.0), max(high, 0.0)
    step = (high - low) / 255 or 1.0
    zero = round(-low / step)
    return -zero * step, (255 - zero) * step
