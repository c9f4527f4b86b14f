"""Virtual fluorescence of mitochondria from bright-field movies.

The names below are loaded when first used, so that importing the package costs
neither torch nor Qt.

Examples
--------
>>> import napari_virtualstain as vs
>>> scene = vs.simulate(frames=1, size=64, count=3, seed=0)
>>> scene.labels.shape
(1, 64, 64)
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOME = {
    "open_stack": "io",
    "Stack": "io",
    "simulate": "simulation",
    "Scene": "simulation",
    "load_model": "models",
    "list_models": "models",
    "stain": "staining",
    "segment": "segmentation",
    "track": "tracking",
    "link": "tracking",
    "Tracks": "tracking",
    "train": "training",
    "evaluate": "metrics",
}

__all__ = [
    "Scene",
    "Stack",
    "Tracks",
    "__version__",
    "evaluate",
    "link",
    "list_models",
    "load_model",
    "open_stack",
    "segment",
    "simulate",
    "stain",
    "track",
    "train",
]

if TYPE_CHECKING:
    from .io import Stack, open_stack
    from .metrics import evaluate
    from .models import list_models, load_model
    from .segmentation import segment
    from .simulation import Scene, simulate
    from .staining import stain
    from .tracking import Tracks, link, track
    from .training import train


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
