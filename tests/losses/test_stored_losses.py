"""Each loss term has the value and the gradient of the last version: trainings depend on them."""

from __future__ import annotations

import numpy as np
import torch
from scipy.ndimage import gaussian_filter
from stored_figures import check_figures

from napari_virtualstain.losses import LossConfig, discriminator_loss, generator_loss

TERMS = (
    *("l1", "weighted_l1", "mse", "laplace", "correlation", "band_pass", "gradient", "multi_scale"),
    *("threshold_normalised", "spotlight", "adversarial", "distillation"),
)


def image(seed: int, sigma: float = 2.0) -> torch.Tensor:
    """Return two smooth images with bright spots, shape (2, 1, 64, 64)."""
    noise = np.random.default_rng(seed).normal(size=(2, 1, 64, 64))
    smooth = gaussian_filter(noise, (0, 0, sigma, sigma))
    return torch.from_numpy(np.exp(smooth / smooth.std()) / 3).float()


def test_each_term() -> None:
    target, weight, taught = image(0), image(1).clamp(0, 1), image(2)
    logits = torch.tensor([[-1.0], [2.0]])
    found = {}
    for term in TERMS:
        for counts in (False, True):
            output = torch.cat([image(3), 0.3 * image(4) - 1], 1).requires_grad_()
            config = LossConfig(**{"l1": 0.0, term: 1.5, "weight_floor": 0.1})
            maps = torch.cat([weight, (image(5) > 0.2).float()], 1) if counts else weight
            total, _ = generator_loss(
                output, target, maps, config, fake_logits=logits, taught=taught
            )
            name = f"{term}{' where pixels count' * counts}"
            found[name] = total.item()
            if total.requires_grad:
                (slope,) = torch.autograd.grad(total, output)
                found[f"{name} slope"] = 1000 * slope.abs().sum().item()
    check_figures("losses", found)


def test_adversaries() -> None:
    real, fake = torch.tensor([[0.5], [2.0]]), torch.tensor([[-1.0], [0.3]])
    found = {}
    for kind in ("minimax", "modified_minimax", "least_squares"):
        config = LossConfig(l1=0, adversarial=1, adversarial_kind=kind)
        whole = generator_loss(image(0), image(1), image(2), config, fake_logits=fake)[0]
        found |= {kind: whole.item(), f"{kind} critic": discriminator_loss(real, fake, kind).item()}
    check_figures("losses_adversarial", found)
