"""Losses that compare structure: correlation, whole or of the fine scales only."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

_SMALLEST = 1e-6


def correlation_loss(predicted: Tensor, target: Tensor) -> Tensor:
    r"""Return one minus the Pearson correlation, mean over the crops.

    Parameters
    ----------
    predicted, target : Tensor of shape (N, 1, Y, X)

    Notes
    -----
    :math:`L = 1 - \frac1N\sum_n \frac{\langle g_n - \bar g_n,\, y_n - \bar y_n\rangle}
    {\|g_n - \bar g_n\|\,\|y_n - \bar y_n\|}`. Blind to gain and offset, which differ from
    frame to frame of the target without the input knowing.

    Examples
    --------
    >>> image = torch.randn(2, 1, 8, 8)
    >>> bool(correlation_loss(3 * image + 1, image).abs() < 1e-5)
    True
    """
    x = predicted.flatten(1)
    y = target.flatten(1)
    x = x - x.mean(1, keepdim=True)
    y = y - y.mean(1, keepdim=True)
    correlation = (x * y).sum(1) / (x.norm(dim=1) * y.norm(dim=1) + _SMALLEST)
    loss: Tensor = 1 - correlation.mean()
    return loss


def band_pass_loss(predicted: Tensor, target: Tensor) -> Tensor:
    """Return one minus the Pearson correlation of the fine structure, mean over the crops.

    Notes
    -----
    As :func:`correlation_loss` after :func:`band_pass`: the envelope, "the thick region of the
    cell is bright", is what plain correlation mostly sees, and the mitochondria are what this sees.

    Examples
    --------
    >>> image = torch.randn(2, 1, 32, 32)
    >>> bool(band_pass_loss(image, image).abs() < 1e-4)
    True
    """
    return correlation_loss(band_pass(predicted), band_pass(target))


def band_pass(image: Tensor) -> Tensor:
    """Return the image between Gaussian scales of 1 and 8 pixels.

    Parameters
    ----------
    image : Tensor of shape (N, 1, Y, X)

    Notes
    -----
    The scale of 8 pixels is computed on 4x4 means, which costs a sixteenth and differs by less than
    one per cent of the band's spread.

    Examples
    --------
    >>> bool(band_pass(torch.ones(1, 1, 32, 32)).abs().max() < 1e-5)
    True
    """
    return gaussian_blur(image, 1.0) - _coarse_blur(image, 8.0)


def gaussian_blur(image: Tensor, sigma: float) -> Tensor:
    """Return the image blurred by a Gaussian of `sigma` pixels, mirrored at its borders.

    Examples
    --------
    >>> gaussian_blur(torch.ones(1, 1, 8, 8), 1.0).shape
    torch.Size([1, 1, 8, 8])
    """
    radius = max(1, int(4 * sigma + 0.5))
    places = torch.arange(-radius, radius + 1, dtype=image.dtype, device=image.device)
    kernel = torch.exp(-0.5 * (places / sigma) ** 2)
    kernel = kernel / kernel.sum()
    channels = image.shape[1]
    row = kernel.view(1, 1, 1, -1).expand(channels, 1, 1, -1)
    column = kernel.view(1, 1, -1, 1).expand(channels, 1, -1, 1)
    blurred = functional.conv2d(_mirrored(image, radius, 3), row, groups=channels)
    return functional.conv2d(_mirrored(blurred, radius, 2), column, groups=channels)


def _mirrored(image: Tensor, radius: int, dim: int) -> Tensor:
    """Return the image with `radius` mirrored pixels at both ends of `dim`."""
    size = image.shape[dim]
    if radius < size:
        margins = (radius, radius, 0, 0) if dim == 3 else (0, 0, radius, radius)
        return functional.pad(image, margins, mode="reflect")
    # an image smaller than the kernel is mirrored as often as it takes
    places = torch.arange(-radius, size + radius, device=image.device)
    period = max(1, 2 * (size - 1))
    places = (places % period + period) % period
    places = torch.minimum(places, period - places)
    return image.index_select(dim, places.clamp(0, size - 1))


def _coarse_blur(image: Tensor, sigma: float, factor: int = 4) -> Tensor:
    height, width = image.shape[-2:]
    if min(height, width) < 2 * factor or height % factor or width % factor:
        return gaussian_blur(image, sigma)
    coarse = gaussian_blur(functional.avg_pool2d(image, factor), sigma / factor)
    return functional.interpolate(coarse, scale_factor=factor, mode="bilinear", align_corners=False)
