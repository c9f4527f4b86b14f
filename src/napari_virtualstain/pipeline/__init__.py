"""Resumable pipeline: stain, segment, track, measure and evaluate a movie.

The command line and the docks both use this room, so that a settings file saved in
napari gives the same result when ``virtualstain run --config`` repeats it.
"""

from __future__ import annotations

from ..settings import PipelineSettings, ReadSettings, SegmentSettings, StainSettings
from .movie import MovieResult, check_models, process_movie
from .settings import load_settings, merged_settings, save_settings, tracking_config
from .stages import (
    MovieScore,
    as_movie,
    flat_image,
    flat_labels,
    measure_stack,
    movie_trust,
    score_movie,
    segment_stack,
    stain_stack,
    track_stack,
    trusted,
    write_tracks,
)

__all__ = [
    "MovieResult",
    "MovieScore",
    "PipelineSettings",
    "ReadSettings",
    "SegmentSettings",
    "StainSettings",
    "as_movie",
    "check_models",
    "flat_image",
    "flat_labels",
    "load_settings",
    "measure_stack",
    "merged_settings",
    "movie_trust",
    "process_movie",
    "save_settings",
    "score_movie",
    "segment_stack",
    "stain_stack",
    "track_stack",
    "tracking_config",
    "trusted",
    "write_tracks",
]
