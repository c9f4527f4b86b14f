"""Losses of the generator and the discriminator, each with its formula and source."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from .config import AdversarialKind, LossConfig, WeightMapKind

_WITH_TORCH = {
    "band_pass": "structure",
    "band_pass_loss": "structure",
    "correlation_loss": "structure",
    "discriminator_loss": "adversarial",
    "gaussian_blur": "structure",
    "generator_adversarial_loss": "adversarial",
    "generator_loss": "objective",
    "gradient_l1": "regression",
    "l1": "regression",
    "laplace_nll": "regression",
    "mse": "regression",
    "multi_scale_l1": "regression",
    "otsu_threshold": "spotlight",
    "spotlight_loss": "spotlight",
    "threshold_normalised_l1": "regression",
    "weighted_l1": "regression",
}

__all__ = [
    "AdversarialKind",
    "LossConfig",
    "WeightMapKind",
    "band_pass",
    "band_pass_loss",
    "correlation_loss",
    "discriminator_loss",
    "gaussian_blur",
    "generator_adversarial_loss",
    "generator_loss",
    "gradient_l1",
    "l1",
    "laplace_nll",
    "mse",
    "multi_scale_l1",
    "otsu_threshold",
    "spotlight_loss",
    "threshold_normalised_l1",
    "weighted_l1",
]

if TYPE_CHECKING:
    from .adversarial import discriminator_loss, generator_adversarial_loss
    from .objective import generator_loss
    from .regression import (
        gradient_l1,
        l1,
        laplace_nll,
        mse,
        multi_scale_l1,
        threshold_normalised_l1,
        weighted_l1,
    )
    from .spotlight import otsu_threshold, spotlight_loss
    from .structure import band_pass, band_pass_loss, correlation_loss, gaussian_blur


def __getattr__(name: str) -> Any:
    if name not in _WITH_TORCH:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f".{_WITH_TORCH[name]}", __name__), name)
    globals()[name] = value
    return value
