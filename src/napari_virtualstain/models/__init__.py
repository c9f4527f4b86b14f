"""Networks, model files with their cards, and the shipped models.

Cards and lists of models cost no torch; it is imported when a network is needed.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from .architectures import (
    UNetArguments,
    architecture_names,
    build_network,
    register_architecture,
    unet_arguments,
)
from .card import Architecture, CardNormalisation, Inputs, ModelCard, ModelKind
from .registry import (
    ModelEntry,
    default_model,
    find_model,
    list_models,
    shipped_folder,
    user_model_folder,
)

__all__ = [
    "Architecture",
    "CardNormalisation",
    "Discriminator",
    "Inputs",
    "Model",
    "ModelCard",
    "ModelEntry",
    "ModelKind",
    "UNet",
    "UNetArguments",
    "architecture_names",
    "build_network",
    "default_model",
    "find_model",
    "list_models",
    "load_model",
    "read_card",
    "register_architecture",
    "save_model",
    "shipped_folder",
    "unet_arguments",
    "user_model_folder",
]

_WITH_TORCH = {
    "Discriminator": "discriminator",
    "Model": "model_file",
    "UNet": "unet",
    "load_model": "model_file",
    "save_model": "model_file",
}

if TYPE_CHECKING:
    from pathlib import Path

    from .discriminator import Discriminator
    from .model_file import Model, load_model, save_model
    from .unet import UNet


def read_card(name_or_path: str | Path) -> ModelCard:
    """Return the card of a model without loading its weights.

    Parameters
    ----------
    name_or_path : str or Path
        As for :func:`load_model`.

    Raises
    ------
    ModelError
        As for :func:`load_model`.

    Examples
    --------
    >>> [read_card(entry.path).name for entry in list_models()[:0]]
    []
    """
    from .header import read_header

    return read_header(find_model(name_or_path)).card


def __getattr__(name: str) -> Any:
    if name not in _WITH_TORCH:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f".{_WITH_TORCH[name]}", __name__), name)
    globals()[name] = value
    return value
