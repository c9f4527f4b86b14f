"""Training of generators: settings and presets cost no torch, training does."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from .config import Optimisation, TrainingConfig
from .events import (
    Preview,
    StepFinished,
    TrainingEvent,
    TrainingFinished,
    TrainingPrepared,
    TrainingResult,
    TrainingWarning,
    Validated,
)
from .plane_reading import PlaneReading, plane_reading, with_planes_of
from .presets import RECOMMENDED, TABLE_1, Method, preset, preset_names

__all__ = [
    "RECOMMENDED",
    "TABLE_1",
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
    "plane_reading",
    "preset",
    "preset_names",
    "train",
    "train_events",
    "with_planes_of",
]

if TYPE_CHECKING:
    from .training import train, train_events


def __getattr__(name: str) -> Any:
    if name not in ("train", "train_events"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(".training", __name__), name)
    globals()[name] = value
    return value
