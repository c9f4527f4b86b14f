"""Mitochondria as instances, and their measures.

Nothing here imports torch until an image is segmented.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from .instances import Split, split_instances
from .measures import INTENSITY_COLUMNS, SHAPE_COLUMNS, measure, summarise_frames

__all__ = [
    "INTENSITY_COLUMNS",
    "SHAPE_COLUMNS",
    "SegmentationMaps",
    "Segmenter",
    "SegmenterResult",
    "SegmenterTraining",
    "Split",
    "fit_movie",
    "measure",
    "segment",
    "segment_to_file",
    "split_instances",
    "summarise_frames",
    "train_segmenter",
]

_LATER = {
    "SegmentationMaps": "maps",
    "Segmenter": "segmenter",
    "SegmenterResult": "fine_tuning",
    "SegmenterTraining": "fine_tuning",
    "fit_movie": "segmenting",
    "segment": "segmenting",
    "segment_to_file": "segmenting",
    "train_segmenter": "fine_tuning",
}

if TYPE_CHECKING:
    from .fine_tuning import SegmenterResult, SegmenterTraining, train_segmenter
    from .maps import SegmentationMaps
    from .segmenter import Segmenter
    from .segmenting import fit_movie, segment, segment_to_file


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f".{_LATER[name]}", __name__), name)
    globals()[name] = value
    return value
