"""Receptive field of a network, which sets the halo of tiles.

A tile is cut with a margin, the halo, and only its core is kept. Tile and whole frame
are then the same, to rounding, if no pixel of the core can see the edge of the window.
Windows begin on multiples of the network's stride, so that pooling groups the same
pixels.

Examples
--------
The compact U-Net (3x3, two convolutions a block, three poolings) sees 53 pixels to
each side, which rounds up to a multiple of its stride:

>>> from napari_virtualstain.models import build_network
>>> network_halo(build_network({"name": "compact", "arguments": {"widths": [4, 4, 4, 4]}}))
56
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from ..errors import ModelError
from ..models import UNet

_LONGEST_PROBE = 4096


def network_stride(network: nn.Module) -> int:
    """Return the number of which the height and width of an input must be multiples."""
    stride = getattr(network, "stride", 1)
    # a bare convolution has a stride of its own, a tuple
    return int(stride) if isinstance(stride, int) else 1


def network_halo(network: nn.Module) -> int | None:
    """Return the halo of a network in pixels, a multiple of its stride.

    Parameters
    ----------
    network : torch.nn.Module
        (N, C, Y, X) to (N, O, Y, X). An attribute ``halo`` of it is believed; a U-Net
        of this package is computed; any other is probed with gradients.

    Returns
    -------
    int or None
        None if every output pixel sees the whole input, as with InstanceNorm: such a
        network cannot be tiled.

    Examples
    --------
    >>> from napari_virtualstain.models import build_network
    >>> network_halo(build_network({"name": "unet", "arguments": {"widths": [4]}}))
    2
    """
    stride = network_stride(network)
    stated = getattr(network, "halo", None)
    if stated is not None:
        reach = int(stated)
    elif type(network) is UNet:
        reach = _unet_reach(network)
    else:
        probed = _probed_reach(network, stride)
        if probed is None:
            return None
        reach = probed
    return -(-reach // stride) * stride


def smallest_input(network: nn.Module) -> int:
    """Return the smallest height and width that the network can take.

    Reflection by n pixels needs n + 1 of them, at the coarsest level too.
    """
    stride = network_stride(network)
    padding = [
        max(int(p) for p in module.padding)
        for module in network.modules()
        if isinstance(module, nn.Conv2d)
        and module.padding_mode == "reflect"
        and not isinstance(module.padding, str)
    ]
    return stride * (max(padding, default=0) + 1)


def _unet_reach(network: UNet) -> int:
    """Follow, level by level, how far the edge of a window makes values differ."""
    convolutions = [
        [m for m in block.modules() if isinstance(m, nn.Conv2d)] for block in network.down
    ]
    margin = sum(int(c.kernel_size[0]) // 2 for c in convolutions[0])
    down = [margin]
    for _ in convolutions[1:]:
        down.append(-(-down[-1] // 2) + margin)
    reach = down[-1]
    for level in range(len(down) - 2, -1, -1):
        # bilinear: fine pixels 2i and 2i + 1 read coarse i - 1, i and i + 1
        reach = max(2 * reach + 1, down[level]) + margin
    return 2 * reach + 1 if network.half_resolution else reach


def _probed_reach(network: nn.Module, stride: int) -> int | None:
    """Return how far gradients of one block of pixels go, None if to the very ends."""
    probe = _positive_copy(network)
    low = smallest_input(network)
    length = max(16 * stride, 64)
    while length <= _LONGEST_PROBE:
        reaches = [_reach_along(probe, axis, length, low, stride) for axis in (-1, -2)]
        if None not in reaches:
            return max(reach for reach in reaches if reach is not None)
        length *= 2
    return None


def _reach_along(network: nn.Module, axis: int, length: int, width: int, stride: int) -> int | None:
    shape = [1, input_channels(network), width, width]
    shape[axis] = length
    generator = torch.Generator().manual_seed(0)
    image = (torch.rand(shape, generator=generator) + 0.5).requires_grad_()
    start = length // 2 // stride * stride
    with torch.enable_grad():
        output: Tensor = network(image)
        (gradient,) = torch.autograd.grad(output.narrow(axis, start, stride).sum(), image)
    other = [d for d in range(4) if d != 4 + axis]
    seen = torch.nonzero(gradient.abs().amax(dim=other)).ravel()
    if not len(seen):
        return 0
    first, last = int(seen[0]), int(seen[-1])
    if first == 0 or last == length - 1:
        return None
    return max(start - first, last - (start + stride - 1))


def _positive_copy(network: nn.Module) -> nn.Module:
    """Return a copy of positive weights, in which no gradient can vanish or cancel."""
    probe = copy.deepcopy(network).cpu().float().eval()
    for module in probe.modules():
        if isinstance(module, nn.modules.conv._ConvNd | nn.Linear):
            nn.init.constant_(module.weight, 1.0 / module.weight[0].numel())
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.reset_parameters()
    return probe.requires_grad_(False)


def input_channels(network: nn.Module) -> int:
    """Return how many planes a network reads: its ``in_channels``, or its first layer's.

    Raises
    ------
    ModelError
        It has neither.
    """
    stated = getattr(network, "in_channels", None)
    if isinstance(stated, int):
        return stated
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            return int(module.in_channels)
    raise ModelError(
        "This network has no two-dimensional convolution, so how far it looks cannot be "
        "found. Give it an int attribute 'halo'."
    )
