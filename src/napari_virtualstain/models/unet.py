"""The U-Net that serves as generator and as segmenter.

Section 2.3 of the paper: convolution blocks joined by average-pooling on the way
down and bilinear upsampling on the way up, skip connections, reflection padding
and leaky ReLU. Normalisation is BatchNorm or none, never InstanceNorm: an output
pixel must depend on its surroundings only, or tile and frame would differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional


def _convolution_block(
    channels: Sequence[int], kernel: int, *, batch_norm: bool, dropout: float
) -> nn.Sequential:
    layers: list[nn.Module] = []
    for before, after in pairwise(channels):
        layers.append(
            nn.Conv2d(
                before,
                after,
                kernel,
                padding=kernel // 2,
                padding_mode="reflect",
                bias=not batch_norm,
            )
        )
        if batch_norm:
            layers.append(nn.BatchNorm2d(after))
        layers.append(nn.LeakyReLU(0.1, inplace=True))
    if dropout:
        layers.append(nn.Dropout2d(dropout))
    return nn.Sequential(*layers)


def _doubled(features: Tensor) -> Tensor:
    # Autocast would go to float32 here, and take the convolutions' inputs along: half the speed
    with torch.autocast(features.device.type, enabled=False):
        return functional.interpolate(
            features, scale_factor=2, mode="bilinear", align_corners=False
        )


def _trainable_relu(output: Tensor) -> Tensor:
    """Return the ReLU of `output`, with a tenth of the gradient where that is 0.

    An output layer that once answers 0 everywhere would have no gradient to come back by.
    """
    leak = 0.1 * output.clamp(max=0)
    return functional.relu(output) + leak - leak.detach()


class UNet(nn.Module):
    """U-Net from images (N, C, Y, X) to images (N, O, Y, X) of the same size.

    Y and X must be multiples of :attr:`stride`; the staining engine pads.

    Parameters
    ----------
    in_channels, out_channels : int
        Planes read and maps returned.
    widths : sequence of int
        Channels of each level, finest first.
    kernel : int
        Odd size of every in-scale convolution.
    convolutions : int
        Convolutions of each block.
    batch_norm : bool
        BatchNorm after each convolution.
    dropout : float
        Dropout of whole channels at the end of each block.
    replicate : int
        How often the input planes are repeated as channels. The paper's method A reads
        three channels, which are one grey plane three times.
    output_activation : {"none", "relu", "sigmoid"}
        Applied to the output.
    narrow_upsampling : bool
        A 1x1 convolution brings the coarser level to the channels of the finer one
        before it is upsampled. Both steps are linear, so little is lost, and the block
        above, which costs most, has fewer channels to read.
    half_resolution : bool
        The finest level works at half the resolution: each 2x2 block of input pixels becomes
        four channels, and the output maps are doubled bilinearly. In 80 nm pixels optics of
        NA 1.4 carry little that 160 nm pixels do not.

    Examples
    --------
    >>> UNet(widths=(4, 8))(torch.zeros(1, 1, 16, 16)).shape
    torch.Size([1, 1, 16, 16])
    """

    def __init__(
        self,
        in_channels: int = 1,
        out_channels: int = 1,
        *,
        widths: Sequence[int] = (32, 64, 128, 256),
        kernel: int = 3,
        convolutions: int = 2,
        batch_norm: bool = True,
        dropout: float = 0.0,
        replicate: int = 1,
        output_activation: str = "none",
        narrow_upsampling: bool = False,
        half_resolution: bool = False,
    ) -> None:
        super().__init__()
        self.stride = 2 ** (len(widths) - 1 + half_resolution)
        self.in_channels = in_channels
        self.replicate = replicate
        self.half_resolution = half_resolution
        self.output_activation = output_activation

        def block(before: int, after: int) -> nn.Sequential:
            channels = [before, *[after] * convolutions]
            return _convolution_block(channels, kernel, batch_norm=batch_norm, dropout=dropout)

        channels = in_channels * replicate * (4 if half_resolution else 1)
        self.down = nn.ModuleList(
            block(before, after) for before, after in pairwise([channels, *widths])
        )
        self.narrow = nn.ModuleList(
            nn.Conv2d(below, beside, 1) if narrow_upsampling else nn.Identity()
            for beside, below in pairwise(widths)
        )
        self.up = nn.ModuleList(
            block((beside if narrow_upsampling else below) + beside, beside)
            for beside, below in pairwise(widths)
        )
        self.head = nn.Conv2d(widths[0], out_channels, 1)

    def forward(self, image: Tensor) -> Tensor:
        """Return the output maps of `image`, (N, C, Y, X) to (N, O, Y, X)."""
        skips: list[Tensor] = []
        features = self.entered(image)
        for level, block in enumerate(self.down):
            features = block(functional.avg_pool2d(features, 2) if level else features)
            skips.append(features)
        for level in range(len(self.up) - 1, -1, -1):
            upsampled = _doubled(self.narrow[level](features))
            features = self.up[level](torch.cat([skips[level], upsampled], dim=1))
        return self.left(self.finished(features))

    def entered(self, image: Tensor) -> Tensor:
        """Return what the first block reads of an image."""
        planes = image.repeat(1, self.replicate, 1, 1) if self.replicate > 1 else image
        return functional.pixel_unshuffle(planes, 2) if self.half_resolution else planes

    def left(self, output: Tensor) -> Tensor:
        """Return the output maps of the finest level at the size of the image."""
        return _doubled(output.float()) if self.half_resolution else output

    def finished(self, features: Tensor) -> Tensor:
        """Return the output maps of the features of the finest level, at its resolution."""
        output: Tensor = self.head(features)
        if self.output_activation == "relu":
            return _trainable_relu(output) if self.training else functional.relu(output)
        if self.output_activation == "sigmoid":
            return torch.sigmoid(output)
        return output
