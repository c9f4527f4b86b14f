"""The generator's whole loss: the terms of a LossConfig, weighted and added."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from .adversarial import generator_adversarial_loss
from .loss_config import LossConfig
from .regression import (
    gradient_l1,
    l1,
    laplace_nll,
    mse,
    multi_scale_l1,
    threshold_normalised_l1,
    weighted_l1,
)
from .spotlight import spotlight_loss
from .structure import band_pass_loss, correlation_loss

_PLAIN: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "l1": l1,
    "mse": mse,
    "correlation": correlation_loss,
    "band_pass": band_pass_loss,
    "gradient": gradient_l1,
    "multi_scale": multi_scale_l1,
    "threshold_normalised": threshold_normalised_l1,
}

_OF_DEVIATIONS = ("correlation", "band_pass")


def generator_loss(
    output: Tensor,
    target: Tensor,
    weight: Tensor,
    config: LossConfig,
    *,
    fake_logits: Tensor | None = None,
    taught: Tensor | None = None,
) -> tuple[Tensor, dict[str, Tensor]]:
    """Return the total loss, and each term before its weight.

    Parameters
    ----------
    output : Tensor of shape (N, O, Y, X)
        Of the generator: channel 0 the image, channel 1 the log scale of its error.
    target : Tensor of shape (N, 1, Y, X)
        Normalised fluorescence.
    weight : Tensor of shape (N, 1, Y, X) or (N, 2, Y, X)
        The weight map and, as a second channel, which pixels count (1) or not (0): those that
        do not have no gradient.
    config : LossConfig
        Which terms, and with which weights.
    fake_logits : Tensor of shape (N, 1), optional
        The discriminator's logits of the generated image, for the adversarial term.
    taught : Tensor of shape (N, 1, Y, X), optional
        Mean of the teachers, for the distillation term.

    Examples
    --------
    >>> import torch
    >>> one = torch.ones(1, 1, 16, 16)
    >>> total, terms = generator_loss(0 * one, one, one, LossConfig(l1=2))
    >>> float(total), sorted(terms)
    (2.0, ['l1'])
    """
    image, shaped, aim = output[:, :1], output[:, :1], target
    spread = output[:, 1:2]
    if weight.shape[1] > 1:
        counts = weight[:, 1:2] > 0.5
        weight = weight[:, :1]
        # without an error where nothing counts, and for correlations without a deviation
        shaped, aim = _inside_only(image, counts), _inside_only(target, counts)
        image = torch.where(counts, image, target)
        spread = torch.where(counts, spread, torch.zeros_like(spread)) if spread.numel() else spread
    terms = {
        name: term(shaped, aim) if name in _OF_DEVIATIONS else term(image, target)
        for name, term in _PLAIN.items()
        if getattr(config, name) > 0
    }
    if config.weighted_l1 > 0:
        terms["weighted_l1"] = weighted_l1(
            image, target, weight, floor=config.weight_floor, mean_one=config.weight_mean_one
        )
    if config.laplace > 0:
        terms["laplace"] = laplace_nll(image, spread, target)
    if config.spotlight > 0:
        terms["spotlight"] = spotlight_loss(image, target, mse_share=config.spotlight_mse)
    if config.adversarial > 0 and fake_logits is not None:
        terms["adversarial"] = generator_adversarial_loss(fake_logits, config.adversarial_kind)
    if config.distillation > 0 and taught is not None:
        terms["distillation"] = l1(image, taught)
    total = target.new_zeros(())
    for name, value in terms.items():
        total = total + getattr(config, name) * value
    return total, terms


def _inside_only(image: Tensor, counts: Tensor) -> Tensor:
    """Return images whose pixels that do not count have the mean of those that do."""
    share = counts.to(image.dtype)
    mean = (image * share).sum((1, 2, 3), keepdim=True) / share.sum(
        (1, 2, 3), keepdim=True
    ).clamp_min(1)
    return torch.where(counts, image, mean)
