"""The generator's whole loss: the terms of a LossConfig, weighted and added."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from .adversarial import generator_adversarial_loss
from .config import LossConfig
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
    target, weight : Tensor of shape (N, 1, Y, X)
        Normalised fluorescence, and the weight map.
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
    image = output[:, :1]
    terms = {
        name: term(image, target) for name, term in _PLAIN.items() if getattr(config, name) > 0
    }
    if config.weighted_l1 > 0:
        terms["weighted_l1"] = weighted_l1(
            image, target, weight, floor=config.weight_floor, mean_one=config.weight_mean_one
        )
    if config.laplace > 0:
        terms["laplace"] = laplace_nll(image, output[:, 1:2], target)
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
