"""The game of generator and discriminator, on logits.

D is the sigmoid of the logit. The discriminator minimises, and the generator plays:

=====================  =====================================  ==========================
kind                   discriminator                          generator
=====================  =====================================  ==========================
``minimax``            -ln D(real) - ln(1 - D(fake))          ln(1 - D(fake))
``modified_minimax``   the same                               -ln D(fake)
``least_squares``      ((D(real) - 1)^2 + D(fake)^2) / 2      (D(fake) - 1)^2 / 2
=====================  =====================================  ==========================

Minimax and its modification are Goodfellow et al. 2014 (method H of the paper), least
squares is Mao et al. 2017, here on logits, as it is usually implemented.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from .loss_config import AdversarialKind


def generator_adversarial_loss(fake: Tensor, kind: AdversarialKind = "modified_minimax") -> Tensor:
    """Return what the generator minimises, given the discriminator's logits (N, 1).

    Examples
    --------
    >>> import torch
    >>> bool(generator_adversarial_loss(torch.tensor([[5.0]])) < 0.01)
    True
    """
    if kind == "least_squares":
        return 0.5 * (fake - 1).square().mean()
    if kind == "minimax":
        # ln(1 - sigmoid(x)) = -softplus(x)
        return -functional.softplus(fake).mean()
    return functional.softplus(-fake).mean()


def discriminator_loss(
    real: Tensor, fake: Tensor, kind: AdversarialKind = "modified_minimax"
) -> Tensor:
    """Return what the discriminator minimises, given its logits (N, 1) of both.

    Examples
    --------
    >>> import torch
    >>> bool(discriminator_loss(torch.tensor([[9.0]]), torch.tensor([[-9.0]])) < 0.01)
    True
    """
    if kind == "least_squares":
        return 0.5 * ((real - 1).square().mean() + fake.square().mean())
    return functional.softplus(-real).mean() + functional.softplus(fake).mean()
