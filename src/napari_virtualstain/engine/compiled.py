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

from ..models import UNet
from .devices import Precision
from .strips import steps_of

_HINTS: dict[Precision, str] = {"float32": "f32", "bfloat16": "bf16"}
_LOOK_FOR_CANCEL_MS = 50
_SHAPES_KEPT = 2  # frames that are not square have two under the eight turns and flips


class CompiledUNet:
    """A U-Net run by OpenVINO, (N, C, Y, X) in any precision to (N, O, Y, X) in float32.

    Parameters
    ----------
    network : UNet
        In evaluation mode and without BatchNorm, as `fold_batch_norm` returns it.
    precision : {"float32", "bfloat16"}
        Arithmetic.

    Examples
    --------
    >>> network = UNet(widths=(4, 8), batch_norm=False).eval()
    >>> image = torch.rand(1, 1, 16, 16)
    >>> with torch.inference_mode():
    ...     torch.allclose(CompiledUNet(network, "float32")(image), network(image), atol=1e-5)
    True
    """

    def __init__(self, network: UNet, precision: Precision) -> None:
        self._network = network
        self._precision = precision
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
        model = openvino.Core().compile_model(graph_of(self._network, shape), "CPU", options)
        return model.create_infer_request()


def has_bfloat16() -> bool:
    """Return whether OpenVINO can compute in bfloat16 on this processor."""
    import openvino

    return "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def graph_of(network: UNet, shape: Sequence[int]) -> Any:
    """Return a U-Net as a model of OpenVINO for images of a shape (N, C, Y, X).

    Examples
    --------
    >>> network = UNet(widths=(4, 8), batch_norm=False, out_channels=2).eval()
    >>> graph_of(network, (1, 1, 16, 16)).output().shape
    <Shape: [1,2,16,16]>
    """
    import openvino
    from openvino import opset13 as ops

    image = ops.parameter(list(shape), np.float32)
    features: Any = image
    if network.replicate > 1:
        features = ops.concat([features] * network.replicate, 1)
    if network.half_resolution:
        features = ops.space_to_depth(features, "depth_first", 2)
    skips = []
    for level, block in enumerate(network.down):
        if level:
            features = ops.avg_pool(features, [2, 2], [0, 0], [0, 0], [2, 2], True)
        features = _block(ops, features, block)
        skips.append(features)
    for level in reversed(range(len(network.up))):
        narrow = network.narrow[level]
        if isinstance(narrow, nn.Conv2d):
            features = _convolution(ops, features, narrow)
        both = ops.concat([skips[level], _doubled(ops, features)], 1)
        features = _block(ops, both, network.up[level])
    output = _convolution(ops, features, network.head)
    if network.output_activation != "none":
        output = getattr(ops, network.output_activation)(output)
    if network.half_resolution:
        output = _doubled(ops, output)
    return openvino.Model([output], [image], "unet")


def _block(ops: Any, features: Any, block: nn.Module) -> Any:
    for convolution, layers in steps_of(block):
        features = _convolution(ops, features, convolution)
        for layer in layers:
            slope = layer.negative_slope  # type: ignore[attr-defined]
            features = ops.prelu(features, _constant(ops, [slope]))
    return features


def _convolution(ops: Any, features: Any, layer: nn.Conv2d) -> Any:
    reach = layer.kernel_size[0] // 2
    if reach:
        margins = [0, 0, reach, reach]
        features = ops.pad(features, margins, margins, "reflect")
    weight = _constant(ops, layer.weight.detach())
    summed = ops.convolution(features, weight, [1, 1], [0, 0], [0, 0], [1, 1])
    bias = layer.bias if layer.bias is not None else torch.zeros(layer.out_channels)
    return ops.add(summed, _constant(ops, bias.detach()[:, None, None]))


def _doubled(ops: Any, features: Any) -> Any:
    return ops.interpolate(
        features,
        _constant(ops, [2, 2]),
        mode="linear_onnx",
        shape_calculation_mode="scales",
        coordinate_transformation_mode="half_pixel",
        axes=ops.constant(np.array([2, 3])),
    )


def _constant(ops: Any, values: Any) -> Any:
    return ops.constant(np.asarray(values, np.float32))
