"""Resumable pipeline: stain, segment, track, measure and evaluate a movie.

The command line and the docks both use this room, so that a settings file saved in
napari gives the same result when ``virtualstain run --config`` repeats it.
"""

from __future__ import annotations

from ..settings import PipelineSettings, ReadSettings, SegmentSettings, StainSettings
from .many import (
    Movie,
    MovieOutcome,
    MovieRow,
    fit_of,
    one_channel,
    open_movie,
    process_movies,
    result_folders,
)
from .movie import FLUORESCENCE, LABELS, MovieResult, check_models, process_movie
from .pipeline_settings import load_settings, merged_settings, save_settings, tracking_config
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
    "FLUORESCENCE",
    "LABELS",
    "Movie",
    "MovieOutcome",
    "MovieResult",
    "MovieRow",
    "MovieScore",
    "PipelineSettings",
    "ReadSettings",
    "SegmentSettings",
    "StainSettings",
    "as_movie",
    "check_models",
    "fit_of",
    "flat_image",
    "flat_labels",
    "load_settings",
    "measure_stack",
    "merged_settings",
    "movie_trust",
    "one_channel",
    "open_movie",
    "process_movie",
    "process_movies",
    "result_folders",
    "save_settings",
    "score_movie",
    "segment_stack",
    "stain_stack",
    "track_stack",
    "tracking_config",
    "trusted",
    "write_tracks",
]
