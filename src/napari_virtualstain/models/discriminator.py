"""The discriminator of section 2.3 of the paper.

One convolution to 64 channels; five blocks of two convolutions, the second of which
doubles the channels and quarters the area; average-pooling (8x8 for 256 px crops) to
2048 numbers; two fully connected layers; a sigmoid. Leaky ReLU in between. It sees
one image, generated or real, without the bright-field image beside it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class Discriminator(nn.Module):
    """Network from images (N, C, Y, X) to the logit (N, 1) of being real fluorescence.

    The sigmoid of the paper is part of the losses (and of :meth:`probability`), where
    it can be joined with the logarithm without overflow.

    Parameters
    ----------
    in_channels : int
        Channels judged; 1 is the fluorescence alone, as in the paper.
    width : int
        Channels after the first convolution; 64 in the paper.
    blocks : int
        Number of blocks; 5 in the paper, which takes 256 px to 8 px.

    Examples
    --------
    >>> Discriminator(width=4, blocks=2)(torch.zeros(3, 1, 32, 32)).shape
    torch.Size([3, 1])
    """

    def __init__(self, in_channels: int = 1, *, width: int = 64, blocks: int = 5) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(in_channels, width, 3, padding=1), nn.LeakyReLU(0.2)]
        for block in range(blocks):
            channels = width * 2**block
            layers += [
                nn.Conv2d(channels, channels, 3, padding=1),
                nn.LeakyReLU(0.2),
                nn.Conv2d(channels, 2 * channels, 3, stride=2, padding=1),
                nn.LeakyReLU(0.2),
            ]
        self.features = nn.Sequential(*layers)
        last = width * 2**blocks
        self.head = nn.Sequential(nn.Linear(last, last), nn.LeakyReLU(0.2), nn.Linear(last, 1))

    def forward(self, image: Tensor) -> Tensor:
        """Return the logit that each image is real, (N, 1)."""
        # Equal to the paper's 8x8 pooling for 256 px crops, and defined for other sizes
        pooled = functional.adaptive_avg_pool2d(self.features(image), 1).flatten(1)
        logit: Tensor = self.head(pooled)
        return logit

    def probability(self, image: Tensor) -> Tensor:
        """Return the probability that each image is real, (N, 1), in [0, 1]."""
        return torch.sigmoid(self(image))
