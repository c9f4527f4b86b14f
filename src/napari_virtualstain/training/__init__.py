"""Training of generators: settings and presets cost no torch, training does."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from .config import Optimisation, TrainingConfig
from .events import (
    FoldFinished,
    FoldStarted,
    Preview,
    StepFinished,
    TrainingEvent,
    TrainingFinished,
    TrainingPrepared,
    TrainingResult,
    TrainingWarning,
    Validated,
)
from .places import is_unfinished, training_folder
from .plane_reading import PlaneReading, plane_reading, with_planes_of
from .presets import RECOMMENDED, TABLE_1, Method, preset, preset_names

__all__ = [
    "RECOMMENDED",
    "TABLE_1",
    "FoldFinished",
    "FoldStarted",
    "Method",
    "Optimisation",
    "PlaneReading",
    "Preview",
    "StepFinished",
    "TrainingConfig",
    "TrainingEvent",
    "TrainingFinished",
    "TrainingPrepared",
    "TrainingResult",
    "TrainingWarning",
    "Validated",
    "cross_validate",
    "cross_validation_events",
    "is_unfinished",
    "plane_reading",
    "preset",
    "preset_names",
    "train",
    "train_events",
    "training_folder",
    "with_planes_of",
]

if TYPE_CHECKING:
    from .cross_validation import cross_validate, cross_validation_events
    from .training import train, train_events

_MODULES = {
    "cross_validate": "cross_validation",
    "cross_validation_events": "cross_validation",
    "train": "training",
    "train_events": "training",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f".{_MODULES[name]}", __name__), name)
    globals()[name] = value
    return value
