"""A foreground-masked loss in the manner of Spotlight, the rival of the weight map.

Kalinin et al., "Foreground-aware virtual staining for accurate 3D cell morphological
profiling", arXiv 2507.05383 (2025): the pixel error counts in the foreground only, and
a Dice loss on the softly thresholded prediction holds the shape.
"""

from __future__ import annotations

import torch
from torch import Tensor

_SHARPNESS = -0.95
_BINS = 128


def spotlight_loss(predicted: Tensor, target: Tensor, *, mse_share: float = 0.5) -> Tensor:
    r"""Return the masked squared error and the Dice loss, mixed.

    Parameters
    ----------
    predicted, target : Tensor of shape (N, 1, Y, X)
    mse_share : float
        :math:`\lambda` below.

    Notes
    -----
    With :math:`m_i = [y_i > t]` for the Otsu threshold t of each target,
    :math:`L = \lambda \frac{\sum_i m_i (g_i - y_i)^2}{\sum_i m_i} + (1 - \lambda)
    \left(1 - \frac{2 \sum_i \sigma(g_i - t) m_i}{\sum_i \sigma(g_i - t) + \sum_i m_i}\right)`,
    :math:`\sigma` the normalised tunable sigmoid with k = -0.95 on differences in standard
    deviations of the target, limited to one.

    Examples
    --------
    >>> image = torch.rand(1, 1, 16, 16)
    >>> bool(spotlight_loss(image, image) < spotlight_loss(1 - image, image))
    True
    """
    threshold = otsu_threshold(target)
    mask = (target > threshold).to(predicted.dtype)
    inside = mask.flatten(1).sum(1).clamp_min(1)
    masked = ((predicted - target).square() * mask).flatten(1).sum(1) / inside
    deviation = target.flatten(1).std(1).clamp_min(1e-6).view(-1, 1, 1, 1)
    soft = _tunable_sigmoid((predicted - threshold) / deviation)
    both = (soft * mask).flatten(1).sum(1)
    dice = 1 - 2 * both / (soft.flatten(1).sum(1) + mask.flatten(1).sum(1)).clamp_min(1e-6)
    return (mse_share * masked + (1 - mse_share) * dice).mean()


def otsu_threshold(image: Tensor) -> Tensor:
    """Return the Otsu threshold of each image, (N, 1, 1, 1).

    Examples
    --------
    >>> image = torch.cat([torch.zeros(50), torch.ones(50)]).view(1, 1, 10, 10)
    >>> bool(0 < otsu_threshold(image) < 1)
    True
    """
    flat = image.detach().flatten(1).float()
    lowest = flat.amin(1, keepdim=True)
    span = (flat.amax(1, keepdim=True) - lowest).clamp_min(1e-12)
    index = ((flat - lowest) / span * _BINS).long().clamp(0, _BINS - 1)
    counts = torch.zeros(len(flat), _BINS, device=flat.device)
    counts.scatter_add_(1, index, torch.ones_like(flat))
    centres = (torch.arange(_BINS, device=flat.device) + 0.5) / _BINS
    below = counts.cumsum(1)
    total = below[:, -1:]
    moment = (counts * centres).cumsum(1)
    above = total - below
    mean_below = moment / below.clamp_min(1)
    mean_above = (moment[:, -1:] - moment) / above.clamp_min(1)
    between = below * above * (mean_below - mean_above) ** 2
    # ties span the empty bins between two peaks: take their middle
    best = between >= between.amax(1, keepdim=True) * (1 - 1e-6)
    place = (best * torch.arange(1, _BINS + 1, device=flat.device)).sum(1) / best.sum(1)
    threshold = lowest[:, 0] + place / _BINS * span[:, 0]
    return threshold.view(-1, 1, 1, 1).to(image.dtype)


def _tunable_sigmoid(difference: Tensor) -> Tensor:
    """Return a step from 0 to 1 around zero, with slope everywhere inside [-1, 1]."""
    x = difference.clamp(-1, 1)
    k = _SHARPNESS
    return 0.5 * (1 + (x - k * x) / (k - 2 * k * x.abs() + 1))
