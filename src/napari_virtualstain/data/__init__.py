"""Correlative pairs, crops and splits.

Everything here is numpy, but :class:`CropBatches` and :class:`TensorBatch`, which bring
torch along when they are first asked for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from .augmentation import Augmentation
from .correlative_pairs import CorrelativePairs, Region
from .grouping import group_of, guess_groups
from .name_matching import NameMatch, match_names
from .stack_pairs import stack_pairs, usual_planes

__all__ = [
    "Augmentation",
    "CorrelativePairs",
    "CropBatch",
    "CropBatches",
    "CropSampler",
    "ImageStatistics",
    "Inspection",
    "NameMatch",
    "Overlap",
    "PreparedPair",
    "Region",
    "Shift",
    "Split",
    "TensorBatch",
    "correct_shifts",
    "deviations",
    "feature_shifts",
    "find_overlaps",
    "fit_features",
    "fit_maps",
    "foreground_mask",
    "frame_motion_notes",
    "frame_shifts",
    "group_of",
    "guess_groups",
    "image_statistics",
    "in_focus",
    "inspect_pairs",
    "local_motion_notes",
    "match_names",
    "match_pairs",
    "measure_shift",
    "measure_shifts",
    "merge_groups",
    "registration_notes",
    "sampling_weights",
    "sharpness",
    "shift_map",
    "split_pairs",
    "stack_pairs",
    "summarise_statistics",
    "usual_planes",
    "window_fractions",
]

# scipy and torch cost most of a second; a list of models needs neither
_LATER = {
    "CropBatch": "sampler",
    "CropBatches": "dataset",
    "CropSampler": "sampler",
    "ImageStatistics": "statistics",
    "Inspection": "inspection",
    "Overlap": "leakage",
    "PreparedPair": "sampler",
    "Shift": "registration",
    "Split": "splits",
    "TensorBatch": "dataset",
    "correct_shifts": "shift_correction",
    "deviations": "statistics",
    "feature_shifts": "statistics",
    "find_overlaps": "leakage",
    "fit_features": "statistics",
    "fit_maps": "sampler",
    "foreground_mask": "foreground",
    "frame_motion_notes": "registration_warnings",
    "frame_shifts": "registration",
    "image_statistics": "statistics",
    "in_focus": "foreground",
    "inspect_pairs": "inspection",
    "local_motion_notes": "registration_warnings",
    "match_pairs": "pairing",
    "measure_shift": "registration",
    "measure_shifts": "registration",
    "merge_groups": "leakage",
    "registration_notes": "registration_warnings",
    "sampling_weights": "foreground",
    "sharpness": "foreground",
    "shift_map": "registration",
    "split_pairs": "splits",
    "summarise_statistics": "statistics",
    "window_fractions": "foreground",
}

if TYPE_CHECKING:
    from .dataset import CropBatches, TensorBatch
    from .foreground import foreground_mask, in_focus, sampling_weights, sharpness, window_fractions
    from .inspection import Inspection, inspect_pairs
    from .leakage import Overlap, find_overlaps, merge_groups
    from .pairing import match_pairs
    from .registration import Shift, frame_shifts, measure_shift, measure_shifts, shift_map
    from .registration_warnings import (
        frame_motion_notes,
        local_motion_notes,
        registration_notes,
    )
    from .sampler import CropBatch, CropSampler, PreparedPair, fit_maps
    from .shift_correction import correct_shifts
    from .splits import Split, split_pairs
    from .statistics import (
        ImageStatistics,
        deviations,
        feature_shifts,
        fit_features,
        image_statistics,
        summarise_statistics,
    )


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f".{_LATER[name]}", __name__), name)
    globals()[name] = value
    return value
