"""The work of the dock `Segment mitochondria`, without Qt and without the viewer.

The network's maps of each plane are kept, so that another threshold or way to split
costs milliseconds and not the network again.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...progress import CancelToken, Progress, Reporter
from ...settings import SegmentSettings
from ..kit.jobs import JobContext
from ..kit.layer_region import LayerRegion
from ..kit.work_request import WorkRequest
from ..kit.worker_threads import collecting_later, import_torch
from ..layers.result_arrays import GIB, allocate


@dataclass(frozen=True, slots=True)
class Started:
    """Labels into which planes will be written.

    Attributes
    ----------
    labels : ndarray of int32
        Zeros where no plane was written yet.
    model_name, model_sha256 : str
        For the layer's metadata.
    """

    labels: np.ndarray
    model_name: str
    model_sha256: str


@dataclass(frozen=True, slots=True)
class SegmentRequest(WorkRequest):
    """Request to segment a layer.

    Attributes
    ----------
    settings : SegmentSettings
        How; threshold, smallest area and split can change afterwards.
    """

    settings: SegmentSettings = field(default_factory=SegmentSettings)


class PlaneSegmenter:
    """Segmenter of planes with a model or an add-on, with maps kept within a memory limit."""

    def __init__(self, request: SegmentRequest, cancel: CancelToken) -> None:
        import_torch(cancel)
        from ...engine import Planes, stop_inside, use_threads
        from ...models import load_model
        from ...segmentation import SegmentedPlanes, is_added_segmenter, open_segmenter

        use_threads(request.preferences.threads)
        self.cancel = cancel
        model: Any = request.model
        if not is_added_segmenter(model):
            model = load_model(model, kind="segmenter")
            stop_inside(model.network, lambda: self.cancel)
        segmenter = open_segmenter(
            model, request.settings, pixel_size_um=request.pixel_size_um, device=request.device
        )
        self._planes = Planes(request.data, request.axes, check=self._check)
        self._made = SegmentedPlanes(
            self._planes,
            segmenter,
            memory_limit=request.preferences.memory_limit_gib * GIB,
            check=self._check,
        )
        self._window = request.region.slices[-2:]
        self.provenance = segmenter.provenance

    def labels(self, place: tuple[int, ...], settings: SegmentSettings) -> np.ndarray:
        """Return the labels of one plane, cut to the region."""
        labels = self._made.labels(self._planes.number(place), settings)
        return np.asarray(labels)[self._window]

    def _check(self) -> None:
        self.cancel.raise_if_cancelled()


@dataclass(slots=True)
class Session:
    """A finished or running segmentation, whose labels can be cut again.

    Attributes
    ----------
    segmenter : PlaneSegmenter
        With its maps.
    region : LayerRegion
        The part of the source.
    labels : ndarray of int32
        Of the region's shape.
    """

    segmenter: PlaneSegmenter
    region: LayerRegion
    labels: np.ndarray


def segment_job(
    request: SegmentRequest, context: JobContext
) -> Generator[Started | tuple[int, ...], None, Session]:
    """Yield the indices of labelled planes, the visible one first; return the session."""
    context.progress(Progress(0, None, "frame", "loading the model"))
    segmenter = PlaneSegmenter(request, context.cancel)
    chosen = request.preferences
    labels = allocate(
        request.region.shape,
        np.int32,
        folder=chosen.cache_folder,
        memory_limit_gib=chosen.memory_limit_gib,
    )
    session = Session(segmenter, request.region, labels)
    yield Started(labels, *segmenter.provenance)
    context.wait_until_shown()
    yield from cut_job(session, request.settings, request.centre, frozenset(), context)
    return session


def cut_job(
    session: Session,
    cut: SegmentSettings,
    centre: tuple[int, ...],
    spared: frozenset[tuple[int, ...]],
    context: JobContext,
    *,
    step: str = "segmenting",
) -> Iterator[tuple[int, ...]]:
    """Yield the indices of planes labelled again, the visible one first.

    Parameters
    ----------
    session : Session
        What to label.
    cut : SegmentSettings
        How.
    centre : tuple of int
        The visible plane, as an index into the leading axes of the source.
    spared : frozenset
        Planes of the result that the user has painted on; they stay as they are.
    context : JobContext
        Progress and cancelling.
    step : str
        What the progress says is done.
    """
    from ...engine import outward

    leading, offset = session.labels.shape[:-2], session.region.offset
    middle = [
        int(np.clip(c - o, 0, n - 1)) for c, o, n in zip(centre, offset, leading, strict=False)
    ]
    order = [index for index in outward(leading, middle) if index not in spared]
    session.segmenter.cancel = context.cancel
    reporter = Reporter(len(order), "frame", step, context.progress, context.cancel)
    reporter.begin()
    for index in order:
        reporter.check()
        inside = tuple(i + o for i, o in zip(index, offset, strict=False))
        # its many small objects would set off full collections, half a second each with torch
        with collecting_later():
            labels = session.segmenter.labels(inside, cut)
        reporter.check()  # what is written from here on would not be counted
        session.labels[index] = labels
        yield index
        reporter.advance()
