"""Staining, segmentation and tracking in a row, in one thread."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...settings import TrackSettings
from ..kit.jobs import JobContext
from ..segment.job import SegmentRequest, segment_job
from ..segment.job import Started as SegmentStarted
from ..stain.job import StainRequest, stain_job
from ..stain.job import Started as StainStarted
from ..track.job import TrackRequest, TrackResult, track_job


@dataclass(frozen=True, slots=True)
class StepItem:
    """A partial result of one step.

    Attributes
    ----------
    step : {"stain", "segment", "track"}
        Whose.
    item : object
        What the step's own job yields, or its result for ``track``.
    """

    step: str
    item: Any


@dataclass(frozen=True, slots=True)
class RunAllRequest:
    """All three requests; the later ones get their data from the earlier.

    Attributes
    ----------
    stain : StainRequest
        Complete.
    segment : SegmentRequest
        Its data is replaced by the stained movie.
    track : TrackSettings
        How to track.
    frame_interval_s : float
        Of the movie.
    """

    stain: StainRequest
    segment: SegmentRequest
    track: TrackSettings
    frame_interval_s: float

    @property
    def tracking(self) -> TrackRequest:
        """Request to track, without images."""
        return TrackRequest(
            labels=None,
            intensity=None,
            pixel_size_um=self.stain.pixel_size_um or 1.0,
            frame_interval_s=self.frame_interval_s,
            settings=self.track,
        )


def run_all_job(request: RunAllRequest, context: JobContext) -> Iterator[StepItem]:
    """Yield the partial results of all steps, as they come."""
    made: dict[str, np.ndarray] = {}
    for stained in stain_job(request.stain, context):
        if isinstance(stained, StainStarted):
            made[stained.kind] = stained.data
        yield StepItem("stain", stained)
    labels: np.ndarray | None = None
    segment = replace(request.segment, data=made["fluorescence"])
    for segmented in segment_job(segment, context):
        if isinstance(segmented, SegmentStarted):
            labels = segmented.labels
        yield StepItem("segment", segmented)
    wanted = replace(
        request.tracking,
        labels=labels,
        intensity=made["fluorescence"],
        uncertainty=made.get("uncertainty"),
    )
    tracking = track_job(wanted, context)
    result: TrackResult = yield from _as_items(tracking)
    yield StepItem("track", result)


def _as_items(job: Generator[Any, None, Any]) -> Generator[StepItem, None, Any]:
    """Yield what tracking yields as items of its step; return what it returns."""
    while True:
        try:
            item = next(job)
        except StopIteration as stop:
            return stop.value
        yield StepItem("track", item)
