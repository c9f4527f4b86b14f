"""Staining of images and movies: any size, lazily, on any machine.

Nothing here imports torch until a name is used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

_HOME = {
    "AssumedPixelSizeWarning": "notices",
    "NonFiniteWarning": "notices",
    "Precision": "devices",
    "ReducedResourcesWarning": "notices",
    "StainedPlane": "stainer",
    "Stainer": "stainer",
    "StainingSettings": "stainer",
    "StainingWarning": "notices",
    "TiledNetwork": "predictor",
    "available_devices": "devices",
    "free_memory": "devices",
    "network_halo": "receptive_field",
    "resample": "resampling",
    "resampled_shape": "resampling",
    "resolve_device": "devices",
    "stain": "staining",
    "stain_to_file": "streaming",
}

__all__ = [
    "AssumedPixelSizeWarning",
    "NonFiniteWarning",
    "Precision",
    "ReducedResourcesWarning",
    "StainedPlane",
    "Stainer",
    "StainingSettings",
    "StainingWarning",
    "TiledNetwork",
    "available_devices",
    "free_memory",
    "network_halo",
    "resample",
    "resampled_shape",
    "resolve_device",
    "stain",
    "stain_to_file",
]

if TYPE_CHECKING:
    from .devices import Precision, available_devices, free_memory, resolve_device
    from .notices import (
        AssumedPixelSizeWarning,
        NonFiniteWarning,
        ReducedResourcesWarning,
        StainingWarning,
    )
    from .predictor import TiledNetwork
    from .receptive_field import network_halo
    from .resampling import resample, resampled_shape
    from .stainer import StainedPlane, Stainer, StainingSettings
    from .staining import stain
    from .streaming import stain_to_file


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)
    globals()[name] = value
    return value
