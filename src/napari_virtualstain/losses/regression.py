"""Losses that compare an image with its target, pixel by pixel.

All take tensors of shape (N, 1, Y, X) and return a scalar.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

_LOG_SCALE_LIMIT = 7.0


def l1(predicted: Tensor, target: Tensor) -> Tensor:
    r"""Return the mean absolute error, :math:`\frac1n \sum_i |y_i - g_i|`.

    Examples
    --------
    >>> l1(torch.zeros(1, 1, 2, 2), torch.ones(1, 1, 2, 2))
    tensor(1.)
    """
    return (predicted - target).abs().mean()


def mse(predicted: Tensor, target: Tensor) -> Tensor:
    r"""Return the mean squared error, :math:`\frac1n \sum_i (y_i - g_i)^2`.

    Examples
    --------
    >>> mse(torch.zeros(1, 1, 2, 2), 3 * torch.ones(1, 1, 2, 2))
    tensor(9.)
    """
    return functional.mse_loss(predicted, target)


def weighted_l1(
    predicted: Tensor,
    target: Tensor,
    weight: Tensor,
    *,
    floor: float = 0.0,
    mean_one: bool = False,
) -> Tensor:
    r"""Return the weighted mean absolute error of eq. 3 of the paper.

    Parameters
    ----------
    predicted, target, weight : Tensor of shape (N, 1, Y, X)
        `weight` in [0, 1]; with the map ``psf_deconvolution`` this is the paper's loss.
    floor : float
        Smallest weight. A map that is zero in the background makes invention there free.
    mean_one : bool
        Whether weights are divided by their mean.

    Notes
    -----
    :math:`L = \frac1n \sum_i w_i |y_i - g_i|`. The paper writes a sum; the mean differs by
    the number of pixels, which is constant. With a map divided by its maximum the mean
    weight of real frames is 0.1 to 0.2, which makes the loss that much smaller beside
    others; `mean_one` undoes that.

    Examples
    --------
    >>> one = torch.ones(1, 1, 2, 2)
    >>> weighted_l1(one, 3 * one, 0.25 * one)
    tensor(0.5000)
    """
    weight = weight.clamp_min(floor)
    if mean_one:
        weight = weight / weight.mean().clamp_min(1e-6)
    return (weight * (predicted - target).abs()).mean()


def laplace_nll(mean: Tensor, log_scale: Tensor, target: Tensor) -> Tensor:
    r"""Return the negative log likelihood of a Laplace distributed error.

    Parameters
    ----------
    mean, log_scale, target : Tensor of shape (N, 1, Y, X)
        The network predicts `mean` and :math:`s = \ln b`.

    Notes
    -----
    :math:`L = \frac1n \sum_i \left(\ln 2 + s_i + e^{-s_i} |y_i - g_i|\right)`: heteroscedastic
    regression (Nix & Weigend 1994) with the Laplace density, for which a fixed scale gives
    L1. The scale is limited to :math:`|s| \le 7`.

    Examples
    --------
    >>> zero = torch.zeros(1, 1, 2, 2)
    >>> round(float(laplace_nll(zero, zero, zero)), 4)
    0.6931
    """
    scale = log_scale.clamp(-_LOG_SCALE_LIMIT, _LOG_SCALE_LIMIT)
    return (math.log(2) + scale + torch.exp(-scale) * (mean - target).abs()).mean()


def gradient_l1(predicted: Tensor, target: Tensor) -> Tensor:
    r"""Return the mean absolute error of differences between neighbours.

    Notes
    -----
    :math:`L = \overline{|\partial_y (g - y)|} + \overline{|\partial_x (g - y)|}`
    (Mathieu, Couprie & LeCun 2016 with exponent 1).

    Examples
    --------
    >>> gradient_l1(torch.zeros(1, 1, 3, 3), torch.ones(1, 1, 3, 3))
    tensor(0.)
    """
    error = predicted - target
    return error.diff(dim=-1).abs().mean() + error.diff(dim=-2).abs().mean()


def multi_scale_l1(predicted: Tensor, target: Tensor, *, levels: int = 3) -> Tensor:
    r"""Return the mean absolute error of average-pooled images, mean over the levels.

    Notes
    -----
    :math:`L = \frac1K \sum_{k=1}^K \overline{|P_{2^k}(g - y)|}` with :math:`P_m` the mean over
    m x m pixels. Noise averages out with k, so that the coarse levels see structure only.

    Examples
    --------
    >>> multi_scale_l1(torch.zeros(1, 1, 8, 8), torch.ones(1, 1, 8, 8))
    tensor(1.)
    """
    error = predicted - target
    total = error.new_zeros(())
    for _ in range(levels):
        if min(error.shape[-2:]) < 2:
            break
        error = functional.avg_pool2d(error, 2)
        total = total + error.abs().mean()
    return total / levels


def threshold_normalised_l1(predicted: Tensor, target: Tensor) -> Tensor:
    r"""Return the mean absolute error after the TN map (method G, Somani et al. 2021).

    Notes
    -----
    The map is piecewise linear and increasing, with the mean m and standard deviation s of each
    target: [min, m + s] goes to [0, 0.2], (m + s, m + 3s] to (0.2, 0.7], and (m + 3s, max] to
    (0.7, 1]. The same map is applied to the prediction; outside [min, max] its end pieces
    are continued, so that no pixel is without gradient. The authors' code applies it pixel by
    pixel with the same break points; the paper gives no formula.

    Examples
    --------
    >>> image = torch.randn(1, 1, 8, 8)
    >>> float(threshold_normalised_l1(image, image))
    0.0
    """
    nodes = _threshold_nodes(target)
    return (_piecewise(predicted, nodes) - _piecewise(target, nodes)).abs().mean()


def _threshold_nodes(target: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    flat = target.flatten(1)
    mean, deviation = flat.mean(1), flat.std(1, unbiased=False).clamp_min(1e-6)
    lowest, highest = flat.amin(1), flat.amax(1)
    first = mean + deviation
    second = torch.minimum(mean + 3 * deviation, highest)
    # keep the pieces from being empty in flat or saturated targets, at float32's resolution too
    least = torch.maximum(1e-3 * deviation, 1e-6 * (1 + mean.abs()))
    second = torch.maximum(second, first + least)
    highest = torch.maximum(highest, second + least)
    lowest = torch.minimum(lowest, first - least)
    one, two, three, four = (v.view(-1, 1, 1, 1) for v in (lowest, first, second, highest))
    return one, two, three, four


def _piecewise(image: Tensor, nodes: tuple[Tensor, Tensor, Tensor, Tensor]) -> Tensor:
    lowest, first, second, highest = nodes
    low = 0.2 * (image - lowest) / (first - lowest)
    middle = 0.2 + 0.5 * (image - first) / (second - first)
    high = 0.7 + 0.3 * (image - second) / (highest - second)
    return torch.where(image <= first, low, torch.where(image <= second, middle, high))
