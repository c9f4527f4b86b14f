"""Staining of images and movies: any size, lazily, on any machine.

Nothing here imports torch until a name is used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

_HOME = {
    "as_image": "planes",
    "is_lazy": "planes",
    "cluster_client": "scale_out",
    "stain_on_cluster": "scale_out",
    "parse_frames": "frames",
    "reduce_flicker": "temporal",
    "flicker": "temporal",
    "label_trust": "calibration",
    "calibrate": "calibration",
    "Calibration": "calibration",
    "AddOnStainer": "add_on",
    "AssumedPixelSizeWarning": "notices",
    "FitReport": "fit",
    "FrameFit": "fit",
    "MissingPlanesWarning": "notices",
    "NonFiniteWarning": "notices",
    "OnFit": "streaming",
    "Precision": "devices",
    "ReducedResourcesWarning": "notices",
    "StainedPlane": "stainer",
    "Stainer": "stainer",
    "StainingSettings": "stainer",
    "StainingWarning": "notices",
    "TiledNetwork": "predictor",
    "available_devices": "devices",
    "assess_fit": "fit",
    "export_model": "export",
    "free_memory": "devices",
    "network_halo": "receptive_field",
    "is_add_on": "add_on",
    "resample": "resampling",
    "resampled_shape": "resampling",
    "resolve_device": "devices",
    "resolve_devices": "devices",
    "stain": "staining",
    "stain_to_file": "streaming",
    "told_frame_by_frame": "fit",
    "steady_in_place": "steadying",
    "turned": "augmentation",
    "turned_back": "augmentation",
    "use_threads": "threads",
    "ways": "augmentation",
}

__all__ = [
    "AddOnStainer",
    "AssumedPixelSizeWarning",
    "Calibration",
    "FitReport",
    "FrameFit",
    "MissingPlanesWarning",
    "NonFiniteWarning",
    "OnFit",
    "Precision",
    "ReducedResourcesWarning",
    "StainedPlane",
    "Stainer",
    "StainingSettings",
    "StainingWarning",
    "TiledNetwork",
    "as_image",
    "assess_fit",
    "available_devices",
    "calibrate",
    "cluster_client",
    "export_model",
    "flicker",
    "free_memory",
    "is_add_on",
    "is_lazy",
    "label_trust",
    "network_halo",
    "parse_frames",
    "reduce_flicker",
    "resample",
    "resampled_shape",
    "resolve_device",
    "resolve_devices",
    "stain",
    "stain_on_cluster",
    "stain_to_file",
    "steady_in_place",
    "told_frame_by_frame",
    "turned",
    "turned_back",
    "use_threads",
    "ways",
]

if TYPE_CHECKING:
    from .add_on import AddOnStainer, is_add_on
    from .augmentation import turned, turned_back, ways
    from .calibration import Calibration, calibrate, label_trust
    from .devices import Precision, available_devices, free_memory, resolve_device, resolve_devices
    from .export import export_model
    from .fit import FitReport, FrameFit, assess_fit, told_frame_by_frame
    from .frames import parse_frames
    from .notices import (
        AssumedPixelSizeWarning,
        MissingPlanesWarning,
        NonFiniteWarning,
        ReducedResourcesWarning,
        StainingWarning,
    )
    from .planes import as_image, is_lazy
    from .predictor import TiledNetwork
    from .receptive_field import network_halo
    from .resampling import resample, resampled_shape
    from .scale_out import cluster_client, stain_on_cluster
    from .stainer import StainedPlane, Stainer, StainingSettings
    from .staining import stain
    from .steadying import steady_in_place
    from .streaming import OnFit, stain_to_file
    from .temporal import flicker, reduce_flicker
    from .threads import use_threads


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)
    globals()[name] = value
    return value
