"""The work of the dock `Virtual staining`, without Qt and without the viewer."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...hooks import add_on_name
from ...progress import CancelToken, Reporter
from ..kit.background import import_torch
from ..kit.jobs import JobContext
from ..kit.regions import outward
from ..kit.stopping import stop_inside
from ..kit.work_request import WorkRequest
from ..layers.movie import Movie
from ..layers.result_arrays import allocate

Stained = tuple[np.ndarray, np.ndarray | None]


@dataclass(frozen=True, slots=True)
class StainRequest(WorkRequest):
    """What to stain, and how.

    Attributes
    ----------
    tile : int or None
        None lets the engine choose.
    uncertainty : bool
        Whether to return the expected error as well.
    temporal : int
        Frames before and after over which flicker is averaged away; 0 for none.
    average : bool or None
        Whether to average over the eight turns and flips; None does as the model says.
    """

    tile: int | None = None
    uncertainty: bool = False
    temporal: int = 0
    average: bool | None = None


@dataclass(frozen=True, slots=True)
class Started:
    """A result array exists; planes will be written into it.

    Attributes
    ----------
    kind : {"fluorescence", "uncertainty"}
        What it holds.
    data : ndarray
        Zeros where no plane was written yet; the visible plane is there.
    limits : tuple of float
        Display limits, from the visible plane.
    model_name, model_sha256 : str
        For the layer's metadata.
    """

    kind: str
    data: np.ndarray
    limits: tuple[float, float]
    model_name: str
    model_sha256: str


@dataclass(frozen=True, slots=True)
class PlanesDone:
    """Some planes of the result are final.

    Attributes
    ----------
    indices : tuple
        Indices into the leading axes of the result.
    """

    indices: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class FitChecked:
    """Whether the model fits the movie.

    Attributes
    ----------
    level : {"green", "amber", "red"}
        Good, doubtful, foreign.
    reasons : tuple of str
        Why not green.
    """

    level: str
    reasons: tuple[str, ...]


class PlaneStainer:
    """Stains planes of one movie, normalised over the whole movie.

    The pixels of a region of interest are those that the whole frame has there.
    """

    def __init__(self, request: StainRequest, cancel: CancelToken | None = None) -> None:
        import_torch()
        from ...engine import use_threads
        from ...models import load_model
        from ...staining import Stainer, StainingSettings

        use_threads(request.preferences.threads)
        self._cancel = cancel or CancelToken()
        self._request = request
        self.movie = Movie(request.data, request.axes, self._cancel.raise_if_cancelled)
        self.model = load_model(request.model, kind="generator")
        stop_inside(self.model.network, lambda: self._cancel)
        settings = StainingSettings(
            device=request.device, tile=request.tile, test_time_augmentation=request.average
        )
        stainer = Stainer(self.model, settings, pixel_size_um=request.pixel_size_um)
        self._stainer = stainer.with_uncertainty() if request.uncertainty else stainer
        # Movie has all that fit asks of its source: sample()
        self._fitted = stainer.fit(self.movie)  # type: ignore[arg-type]
        rows, columns = request.region.slices[-2:]
        self._region = (rows, columns)

    @property
    def at_once(self) -> int:
        """How many planes are worth one call."""
        height, width = np.shape(self._request.data)[-2:]
        return self._stainer.frames_at_once((height, width), self._region)

    def stain(self, indices: list[tuple[int, ...]]) -> list[Stained]:
        """Return fluorescence and uncertainty of planes of the movie, cut to the region."""
        inputs = self.model.card.inputs
        stained = self._stainer.stain_batch(
            [self.movie.read(index, inputs) for index in indices],
            self._fitted,
            region=self._region,
            on_tile=lambda *_: self._cancel.raise_if_cancelled(),
        )
        return [(plane.fluorescence, plane.uncertainty) for plane in stained]

    def check_fit(self) -> FitChecked:
        """Return whether the model was made for movies like this."""
        from ...staining import assess_fit

        request = self._request
        report = assess_fit(
            request.data,
            self.model,
            request.pixel_size_um,
            axes=request.axes,
            most_frames=4,
            fitted=self._fitted,
        )
        return FitChecked(report.level, tuple(report.reasons))

    @property
    def provenance(self) -> tuple[str, str]:
        """Name and checksum of the model."""
        return self.model.name, self.model.sha256


class AddOnPlaneStainer:
    """The same for a generator that another package added."""

    at_once = 1

    def __init__(self, request: StainRequest, cancel: CancelToken | None = None) -> None:
        from ...staining import AddOnStainer

        self._stainer = AddOnStainer(
            add_on_name(request.model) or request.model, request.pixel_size_um
        )
        rows, columns = request.region.slices[-2:]
        self._region = (rows, columns)
        self.movie = Movie(request.data, request.axes)

    def stain(self, indices: list[tuple[int, ...]]) -> list[Stained]:
        """Return the fluorescence of planes of the movie, cut to the region."""
        from ...normalisation import FittedNormalisation

        planes = [self.movie.plane(index)[None] for index in indices]
        stained = self._stainer.stain_batch(planes, FittedNormalisation(), region=self._region)
        return [(plane.fluorescence, None) for plane in stained]

    @property
    def provenance(self) -> tuple[str, str]:
        """Name of the add-on; it has no file."""
        return self._stainer.name, ""


def open_stainer(
    request: StainRequest, cancel: CancelToken | None = None
) -> PlaneStainer | AddOnPlaneStainer:
    """Return what stains the planes of `request`."""
    made = PlaneStainer if add_on_name(request.model) is None else AddOnPlaneStainer
    return made(request, cancel)


def stain_job(
    request: StainRequest, context: JobContext
) -> Iterator[Started | PlanesDone | FitChecked]:
    """Yield the stained planes of the request, the visible one first."""
    context.progress(_starting())
    stainer = open_stainer(request, context.cancel)
    shape = request.region.shape
    kinds = ["fluorescence"]
    if request.uncertainty and isinstance(stainer, PlaneStainer):
        kinds.append("uncertainty")
    results = [_allocate(shape, request) for _ in kinds]
    leading, offset = shape[:-2], request.region.offset
    centre = [
        int(np.clip(c - o, 0, n - 1))
        for c, o, n in zip(request.centre, offset, leading, strict=False)
    ]
    order = list(outward(leading, centre))
    reporter = Reporter(len(order), "frame", "staining", context.progress, context.cancel)
    first = order[0]
    # the visible plane alone: the user sees it at once
    for batch in [[first], *_chunks(order[1:], stainer.at_once)]:
        reporter.check()
        stained = stainer.stain([_moved(index, offset) for index in batch])
        for index, planes in zip(batch, stained, strict=True):
            for result, plane in zip(results, planes, strict=False):
                if plane is not None:
                    result[index] = plane
        if batch == [first]:
            for kind, result in zip(kinds, results, strict=True):
                limits = display_limits(result[first])
                yield Started(kind, result, limits, *stainer.provenance)
                context.wait_until_shown()  # each layer costs the window a tenth of a second
            if isinstance(stainer, PlaneStainer):
                yield stainer.check_fit()
        yield PlanesDone(tuple(batch))
        reporter.advance(len(batch))
    if request.temporal:
        yield from _steadied(results[0], request, context)


def _steadied(
    result: np.ndarray, request: StainRequest, context: JobContext
) -> Iterator[PlanesDone]:
    """Filter flicker out of the finished result, plane by plane."""
    from ...staining import steady_in_place

    leading = result.shape[:-2]
    reporter = Reporter(
        math.prod(leading), "frame", "reducing flicker", context.progress, context.cancel
    )
    for index in steady_in_place(result, request.axes, request.temporal):
        yield PlanesDone((tuple(int(i) for i in np.unravel_index(index, leading)),))
        reporter.advance()


def display_limits(plane: np.ndarray) -> tuple[float, float]:
    """Return display limits of a stained plane: dark background, a few bright pixels clipped.

    Examples
    --------
    >>> low, high = display_limits(np.arange(10_000.0).reshape(100, 100))
    >>> round(low), round(high)
    (500, 9994)
    """
    finite = plane[np.isfinite(plane)]
    low, high = np.percentile(finite, [5.0, 99.95]) if finite.size else (0.0, 1.0)
    return float(low), float(high if high > low else low + 1.0)


def _starting() -> Any:
    from ...progress import Progress

    return Progress(0, None, "frame", "loading the model")


def _allocate(shape: tuple[int, ...], request: StainRequest) -> np.ndarray:
    chosen = request.preferences
    return allocate(
        shape, np.float32, folder=chosen.cache_folder, memory_limit_gib=chosen.memory_limit_gib
    )


def _moved(index: tuple[int, ...], offset: tuple[int, ...]) -> tuple[int, ...]:
    """Return an index of the region as one of the movie."""
    return tuple(i + o for i, o in zip(index, offset, strict=False))


def _chunks(items: list[Any], size: int) -> list[list[Any]]:
    return [items[start : start + size] for start in range(0, len(items), size)]
