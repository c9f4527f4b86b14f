"""Variation of whole batches on the device that trains.

One grid carries every change of geometry, so that each crop is interpolated at most once.
Flips and quarter turns alone are exact.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from ..data import Augmentation, TensorBatch
from ..losses import gaussian_blur

# A square turned by any angle fits into one that is larger by the root of two
MARGIN = math.sqrt(2)
# Each blur comes on top of the one before: bands end at 0.8, 1.6 and 3.2 pixels (sigma)
_BANDS_PX = (0.8, 1.4, 2.8)


def augment(
    batch: TensorBatch,
    config: Augmentation,
    generator: torch.Generator,
    *,
    size: int | None = None,
) -> TensorBatch:
    """Return the batch varied; equal generators give equal variations.

    Parameters
    ----------
    batch : TensorBatch
        Of any size.
    config : Augmentation
        Strength of each variation.
    generator : torch.Generator
        On the CPU, whatever the batch's device: so that devices agree.
    size : int, optional
        Side of the result, pixels; that of the batch when not given. A batch that is larger by
        :data:`MARGIN` can be turned without mirrored corners.

    Examples
    --------
    >>> image = torch.rand(2, 1, 8, 8)
    >>> same = augment(TensorBatch(image, image, image), Augmentation.none(), torch.Generator())
    >>> bool((same.inputs == image).all())
    True
    """
    moved = _geometry(batch, config, generator, size or batch.inputs.shape[-1])
    return TensorBatch(_intensity(moved.inputs, config, generator), moved.targets, moved.weights)


def _geometry(
    batch: TensorBatch, config: Augmentation, generator: torch.Generator, size: int
) -> TensorBatch:
    planes = batch.inputs.shape[1]
    together = torch.cat([batch.inputs, batch.targets, batch.weights], 1)
    if config.flips:
        together = _turned(together, generator)
    if config.warps:
        grid = _grid(together, config, generator, size)
        together = functional.grid_sample(
            together, grid, mode="bilinear", padding_mode="reflection", align_corners=False
        )
    elif size < together.shape[-1]:
        start = (together.shape[-1] - size) // 2
        together = together[..., start : start + size, start : start + size]
    return TensorBatch(
        together[:, :planes], together[:, planes : planes + 1], together[:, planes + 1 :]
    )


def _turned(images: Tensor, generator: torch.Generator) -> Tensor:
    """Return each image flipped and turned by a random multiple of 90 degrees."""
    choices = torch.randint(0, 8, (len(images),), generator=generator).tolist()
    turned = [
        torch.rot90(image.flip(-1) if choice >= 4 else image, choice % 4, (-2, -1))
        for image, choice in zip(images, choices, strict=True)
    ]
    return torch.stack(turned)


def _grid(images: Tensor, config: Augmentation, generator: torch.Generator, size: int) -> Tensor:
    count, whole = len(images), images.shape[-1]

    def spread(limit: float) -> Tensor:
        return (2 * torch.rand(count, generator=generator) - 1) * limit

    angle = spread(math.radians(config.rotation_deg))
    zoom = torch.exp(spread(math.log1p(config.scale)))
    shear = spread(config.shear)
    share = size / whole / zoom
    cosine, sine = torch.cos(angle) * share, torch.sin(angle) * share
    matrix = torch.zeros(count, 2, 3)
    matrix[:, 0, 0], matrix[:, 0, 1] = cosine, cosine * shear - sine
    matrix[:, 1, 0], matrix[:, 1, 1] = sine, sine * shear + cosine
    grid = functional.affine_grid(matrix, [count, 1, size, size], align_corners=False)
    if config.elastic_px:
        grid = grid + _warp(count, size, whole, config, generator)
    return grid.to(images.device, images.dtype)


def _warp(
    count: int, size: int, whole: int, config: Augmentation, generator: torch.Generator
) -> Tensor:
    """Return smooth random displacements in grid units, (N, Y, X, 2)."""
    nodes = max(2, round(size / config.elastic_scale_px) + 1)
    coarse = torch.randn(count, 2, nodes, nodes, generator=generator) * config.elastic_px
    fine = functional.interpolate(coarse, size=(size, size), mode="bicubic", align_corners=True)
    return fine.permute(0, 2, 3, 1) * (2 / whole)


def _intensity(images: Tensor, config: Augmentation, generator: torch.Generator) -> Tensor:
    count = len(images)
    if config.plane_dropout and images.shape[1] > 1:
        images = _middle_alone(images, config.plane_dropout, generator)

    def happens() -> Tensor:
        drawn = torch.rand(count, generator=generator) < config.intensity_probability
        return drawn.to(images.dtype)

    def column(values: Tensor) -> Tensor:
        return values.view(-1, 1, 1, 1).to(images.device, images.dtype)

    def normal(limit: float) -> Tensor:
        return torch.randn(count, generator=generator) * limit

    def uniform(limit: float) -> Tensor:
        return torch.rand(count, generator=generator) * limit

    if config.gain or config.offset:
        gain = torch.exp(normal(config.gain) * happens())
        images = images * column(gain) + column(normal(config.offset) * happens())
    if config.shading:
        images = images + column(uniform(config.shading) * happens()) * _shade(images, generator)
    if config.gamma:
        images = _gamma(images, column(normal(config.gamma) * happens()))
    if config.band_gain:
        gains = torch.randn(count, len(_BANDS_PX) + 1, generator=generator) * config.band_gain
        images = _banded(images, torch.exp(gains * happens()[:, None]))
    if config.blur_px or config.sharpen:
        images = _refocused(images, config, generator)
    if config.noise:
        noise = torch.randn(images.shape, generator=generator).to(images.device, images.dtype)
        images = images + column(uniform(config.noise) * happens()) * noise
    return images


def _middle_alone(images: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Return images in some of which the middle plane stands in for all."""
    alone = (torch.rand(len(images), generator=generator) < share).to(images.device)
    middle = images[:, images.shape[1] // 2, None].expand_as(images)
    return torch.where(alone[:, None, None, None], middle, images)


def _shade(images: Tensor, generator: torch.Generator) -> Tensor:
    coarse = torch.randn(len(images), 1, 4, 4, generator=generator).to(images.device, images.dtype)
    return functional.interpolate(
        coarse, size=images.shape[-2:], mode="bicubic", align_corners=False
    )


def _gamma(images: Tensor, exponent: Tensor) -> Tensor:
    """Return images bent as by a camera's gamma, between each image's extremes."""
    lowest = images.amin((1, 2, 3), keepdim=True)
    span = (images.amax((1, 2, 3), keepdim=True) - lowest).clamp_min(1e-6)
    share = ((images - lowest) / span).clamp(1e-6, 1)
    bent = share ** torch.exp(exponent) * span + lowest
    # keep the mean: a change of brightness is the offset's business
    change = (images - bent).mean((1, 2, 3), keepdim=True)
    return torch.where(exponent == 0, images, bent + change)


def _banded(images: Tensor, gains: Tensor) -> Tensor:
    """Return images whose spatial bands, finest first, are multiplied by `gains` (N, bands)."""
    weights = gains.to(images.device, images.dtype)[:, :, None, None, None]
    result = torch.zeros_like(images)
    for band, blur_px in enumerate(_BANDS_PX):
        coarser = gaussian_blur(images, blur_px)
        result = result + weights[:, band] * (images - coarser)
        images = coarser
    return result + weights[:, -1] * images


def _refocused(images: Tensor, config: Augmentation, generator: torch.Generator) -> Tensor:
    """Return images blurred or sharpened, as a slightly other focal plane would be.

    One scale serves the whole batch, which saves a convolution for each crop.
    """
    happens = float(torch.rand((), generator=generator)) < config.intensity_probability
    sharpened = float(torch.rand((), generator=generator)) < 0.5
    scale = float(torch.rand((), generator=generator))
    if not happens:
        return images
    if sharpened and config.sharpen:
        return images + config.sharpen * scale * (images - gaussian_blur(images, 1.0))
    if not sharpened and config.blur_px:
        return gaussian_blur(images, max(0.2, config.blur_px * scale))
    return images
