"""A U-Net run in strips of rows that stay in the processor's cache.

A plain forward pass writes what each layer makes of a whole window to memory and reads it
back, and again to pad, to activate and to join levels; on a CPU that takes as long as the
convolutions. Here all layers of a level are run on a strip of rows before the next strip
begins, and only what another level reads is kept, which needs less memory too.

The maps are those of the plain pass: bit for bit in half precision, for oneDNN orders its
sums by the width of what it is given, never by the height, and to 1e-6 of the range in
float32.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..models import UNet

# what one layer makes of a strip, for each thread: with what it reads, it fits into a core's
# usual cache, and threads have enough to share that starting them costs little
_STRIP_BYTES = 3 * 2**20
_FEWEST_ROWS = 32

Layer = Callable[[Tensor], Tensor]
Step = tuple[nn.Conv2d, list[Layer]]
Fill = Callable[[Tensor, int, int], object]


class StripedUNet(nn.Module):
    """A U-Net for inference on a CPU, (N, C, Y, X) in any precision to (N, O, Y, X) in float32.

    Parameters
    ----------
    network : UNet
        In evaluation mode and without BatchNorm, as `fold_batch_norm` returns it.

    Examples
    --------
    >>> network = UNet(widths=(4, 8), batch_norm=False).eval()
    >>> image = torch.rand(1, 1, 16, 16)
    >>> with torch.inference_mode():
    ...     torch.allclose(StripedUNet(network)(image), network(image), atol=1e-6)
    True
    """

    def __init__(self, network: UNet) -> None:
        super().__init__()
        self.network = copy.deepcopy(network)
        self.in_channels = network.in_channels
        for module in self.network.modules():
            if isinstance(module, nn.Conv2d):
                # strips are padded here, and only at the true borders; the module is still called,
                # for its hooks are where a cancel is noticed
                module.padding, module.padding_mode = (0, 0), "zeros"

    def forward(self, image: Tensor) -> Tensor:
        """Return the output maps of `image`."""
        network = self.network
        features = network.entered(image)
        finest = features.shape[-2:]
        skips: list[Tensor] = []
        for level, block in enumerate(network.down):
            fill = _pooled(features) if level else _copied(features)
            size = torch.Size(length >> level for length in finest)
            features = self._level(block, fill, image, size, is_last=not len(network.up))
            skips.append(features)
        for level in reversed(range(len(network.up))):
            skip = skips.pop(level)
            fill = _joined(skip, network.narrow[level](features))
            block = network.up[level]
            features = self._level(block, fill, image, skip.shape[-2:], is_last=level == 0)
        return network.left(features)

    def _level(
        self, block: nn.Module, fill: Fill, image: Tensor, size: torch.Size, *, is_last: bool
    ) -> Tensor:
        """Return what a block makes of the rows that `fill` gives; if it is the last, the maps."""
        steps = steps_of(block)
        channels, dtype = steps[-1][0].out_channels, image.dtype
        if is_last:
            steps[-1][1].append(self.network.finished)
            channels, dtype = self.network.head.out_channels, torch.float32
        kept = _empty((len(image), channels, *size), dtype)
        widest = max(convolution.out_channels for convolution, _ in steps)
        row_bytes = len(image) * size[1] * widest * image.dtype.itemsize
        strip_bytes = _STRIP_BYTES * torch.get_num_threads()
        count = -(-size[0] // max(_FEWEST_ROWS, strip_bytes // row_bytes))
        for top, bottom in pairwise(size[0] * number // count for number in range(count + 1)):
            _run_strip(steps, fill, image.dtype, kept, top, bottom)
        return kept


def _copied(image: Tensor) -> Fill:
    return lambda room, first, last: room.copy_(image[:, :, first:last])


def _pooled(finer: Tensor) -> Fill:
    return lambda room, first, last: room.copy_(
        functional.avg_pool2d(finer[:, :, 2 * first : 2 * last], 2)
    )


def _joined(skip: Tensor, below: Tensor) -> Fill:
    """Fill with a level's own maps and, after these, the doubled ones of the level below."""

    def fill(room: Tensor, first: int, last: int) -> None:
        own = skip.shape[1]
        room[:, :own] = skip[:, :, first:last]
        # a fine row reads the coarse ones before, at and after half its number
        start, stop = max(0, first // 2 - 1), (last + 1) // 2 + 1
        doubled = functional.interpolate(
            below[:, :, start:stop], scale_factor=2, mode="bilinear", align_corners=False
        )
        room[:, own:] = doubled[:, :, first - 2 * start : last - 2 * start]

    return fill


def steps_of(block: nn.Module) -> list[Step]:
    """Return each convolution of a block with the layers after it."""
    steps: list[Step] = []
    for layer in block.children():
        if isinstance(layer, nn.Conv2d):
            steps.append((layer, []))
        elif not isinstance(layer, nn.Dropout2d):
            steps[-1][1].append(layer)
    return steps


def _run_strip(
    steps: list[Step], fill: Fill, dtype: torch.dtype, kept: Tensor, top: int, bottom: int
) -> None:
    """Write to rows `top` to `bottom` of `kept` what the steps make of them and their halo."""
    frames, _, height, width = kept.shape
    margin = sum(_reach(convolution) for convolution, _ in steps)
    for convolution, layers in steps:
        reach = _reach(convolution)
        first, last = max(0, top - margin), min(height, bottom + margin)
        above, below = reach * (first == 0), reach * (last == height)
        rows = last - first
        shape = (frames, convolution.in_channels, above + rows + below, width + 2 * reach)
        room = _empty(shape, dtype)
        fill(room[:, :, above : above + rows, reach : reach + width], first, last)
        _reflect(room, above, below, reach)
        fill = partial(_write, convolution(room), first + reach - above, layers)
        margin -= reach
    fill(kept[:, :, top:bottom], top, bottom)


def _write(
    values: Tensor, begin: int, layers: Sequence[Layer], place: Tensor, first: int, last: int
) -> None:
    """Fill with what `layers` make of a convolution's values, which begin at a row."""
    values = values[:, :, first - begin : last - begin]
    if len(layers) == 1 and isinstance(layers[0], nn.LeakyReLU):
        # F.leaky_relu takes no place to write to, which saves a pass over the memory
        torch.ops.aten.leaky_relu.out(values, layers[0].negative_slope, out=place)
        return
    for layer in layers:
        values = layer(values)
    place.copy_(values)


def _reach(convolution: nn.Conv2d) -> int:
    return int(convolution.kernel_size[0]) // 2


def _empty(shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    return torch.empty(shape, dtype=dtype, memory_format=torch.channels_last)


def _reflect(room: Tensor, above: int, below: int, beside: int) -> None:
    """Fill the margins of `room` as reflection padding does."""
    height, width = room.shape[-2:]
    for row in range(above):
        room[:, :, row] = room[:, :, 2 * above - row]
    for row in range(below):
        room[:, :, height - 1 - row] = room[:, :, height - 1 - 2 * below + row]
    for column in range(beside):
        room[..., column] = room[..., 2 * beside - column]
        room[..., width - 1 - column] = room[..., width - 1 - 2 * beside + column]
