"""The work of the dock `Segment mitochondria`, without Qt and without the viewer.

The network's maps of each plane are kept, so that another threshold or way to split
costs milliseconds and not the network again.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...hooks import add_on_name, segmenters
from ...progress import CancelToken, Progress, Reporter
from ..kit.background import collecting_later, import_torch
from ..kit.jobs import JobContext
from ..kit.regions import Region, outward
from ..kit.stopping import stop_inside
from ..kit.work_request import WorkRequest
from ..layers.movie import Movie
from ..layers.result_arrays import GIB, allocate


@dataclass(frozen=True, slots=True)
class Cut:
    """How maps become labels.

    Attributes
    ----------
    threshold : float
        Probability from which on a pixel belongs to a mitochondrion.
    min_area_um2 : float
        Smallest object, square micrometres.
    split : {"skeleton", "log", "none"}
        How touching mitochondria are taken apart.
    """

    threshold: float = 0.5
    min_area_um2: float = 0.05
    split: str = "skeleton"


@dataclass(frozen=True, slots=True)
class Started:
    """The labels exist; planes will be written into them.

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
    """What to outline, and how the network does it.

    Attributes
    ----------
    width_um : float or None
        Typical width of the mitochondria where they are swollen.
    average : bool
        Whether to average over the eight turns and flips.
    """

    width_um: float | None = None
    average: bool = False


class MapSegmenter:
    """Labels planes with a model, and keeps the maps within a memory limit."""

    def __init__(self, request: SegmentRequest, cancel: CancelToken) -> None:
        import_torch()
        from ...engine import use_threads
        from ...models import load_model
        from ...segmentation import Segmenter

        use_threads(request.preferences.threads)
        self.cancel = cancel
        model = load_model(request.model, kind="segmenter")
        stop_inside(model.network, lambda: self.cancel)
        self._movie = Movie(request.data, request.axes, lambda: self.cancel.raise_if_cancelled())
        self._window = request.region.slices[-2:]
        self._segmenter = Segmenter(
            model,
            pixel_size_um=request.pixel_size_um,
            width_um=request.width_um,
            test_time_augmentation=request.average,
            device=request.device,
        )
        self._fitted = self._segmenter.fit(self._movie.sample())
        self._maps: OrderedDict[tuple[int, ...], Any] = OrderedDict()
        self._limit = request.preferences.memory_limit_gib * GIB
        self.provenance = (model.name, model.sha256)

    def labels(self, index: tuple[int, ...], cut: Cut) -> np.ndarray:
        """Return the labels of one plane, cut to the region."""
        maps = self.maps(index)
        self.cancel.raise_if_cancelled()
        labels = maps.labels(
            threshold=cut.threshold, min_area_um2=cut.min_area_um2, split=cut.split
        )
        return np.asarray(labels)[self._window]

    def maps(self, index: tuple[int, ...]) -> Any:
        """Return the network's maps of one plane, from memory if they are there."""
        if index not in self._maps:
            self._maps[index] = self._segmenter.maps(
                self._movie.plane(index),
                self._fitted,
                on_tile=lambda *_: self.cancel.raise_if_cancelled(),
            )
        self._maps.move_to_end(index)
        largest = max(1, int(self._limit // max(1, _size(self._maps[index]))))
        while len(self._maps) > largest:
            self._maps.popitem(last=False)
        return self._maps[index]


class AddOnSegmenter:
    """The same for a segmenter that another package added; it has no maps."""

    def __init__(self, request: SegmentRequest, cancel: CancelToken) -> None:
        name = add_on_name(request.model) or request.model
        self._segmenter = segmenters()[name]()
        self._movie = Movie(request.data, request.axes)
        self._window = request.region.slices[-2:]
        self._pixel_size_um = request.pixel_size_um
        self.cancel = cancel
        self.provenance = (name, "")

    def labels(self, index: tuple[int, ...], cut: Cut) -> np.ndarray:
        """Return the labels of one plane, cut to the region; `cut` has no effect."""
        plane = self._movie.plane(index).astype(np.float32)
        found = self._segmenter(plane, pixel_size_um=self._pixel_size_um)
        return np.asarray(found, np.int32)[self._window]


PlaneSegmenter = MapSegmenter | AddOnSegmenter


@dataclass(slots=True)
class Session:
    """A finished or running segmentation, whose labels can be cut anew.

    Attributes
    ----------
    segmenter : MapSegmenter or AddOnSegmenter
        With its maps.
    region : Region
        The part of the source.
    labels : ndarray of int32
        Of the region's shape.
    """

    segmenter: PlaneSegmenter
    region: Region
    labels: np.ndarray


def segment_job(
    request: SegmentRequest, cut: Cut, context: JobContext
) -> Generator[Started | tuple[int, ...], None, Session]:
    """Yield the indices of labelled planes, the visible one first; return the session."""
    context.progress(Progress(0, None, "frame", "loading the model"))
    made = MapSegmenter if add_on_name(request.model) is None else AddOnSegmenter
    segmenter: PlaneSegmenter = made(request, context.cancel)
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
    yield from cut_job(session, cut, request.centre, frozenset(), context)
    return session


def cut_job(
    session: Session,
    cut: Cut,
    centre: tuple[int, ...],
    spared: frozenset[tuple[int, ...]],
    context: JobContext,
    *,
    step: str = "segmenting",
) -> Iterator[tuple[int, ...]]:
    """Yield the indices of planes labelled anew, the visible one first.

    Parameters
    ----------
    session : Session
        What to label.
    cut : Cut
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
    leading, offset = session.labels.shape[:-2], session.region.offset
    middle = [
        int(np.clip(c - o, 0, n - 1)) for c, o, n in zip(centre, offset, leading, strict=False)
    ]
    order = [index for index in outward(leading, middle) if index not in spared]
    session.segmenter.cancel = context.cancel
    reporter = Reporter(len(order), "frame", step, context.progress, context.cancel)
    for index in order:
        reporter.check()
        inside = tuple(i + o for i, o in zip(index, offset, strict=False))
        # its many small objects would set off full collections, half a second each with torch
        with collecting_later():
            session.labels[index] = session.segmenter.labels(inside, cut)
        yield index
        reporter.advance()


def _size(maps: Any) -> int:
    """Return the bytes that the arrays of `maps` take."""
    names = getattr(type(maps), "__slots__", ()) or vars(maps)
    arrays = [getattr(maps, name, None) for name in names]
    distinct = {id(array): array.nbytes for array in arrays if isinstance(array, np.ndarray)}
    return sum(distinct.values())
