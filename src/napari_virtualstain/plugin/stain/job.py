"""The work of the dock `Virtual staining`, without Qt and without the viewer."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...hooks import add_on_name
from ...progress import CancelToken, Reporter
from ...settings import StainSettings
from ..kit.jobs import JobContext
from ..kit.work_request import WorkRequest
from ..kit.worker_threads import import_torch
from ..layers.result_arrays import allocate

Stained = tuple[np.ndarray, np.ndarray | None]


@dataclass(frozen=True, slots=True)
class StainRequest(WorkRequest):
    """Request to stain a layer.

    Attributes
    ----------
    tile : int or None
        None lets the engine choose.
    settings : StainSettings
        How.
    """

    tile: int | None = None
    settings: StainSettings = field(default_factory=StainSettings)


@dataclass(frozen=True, slots=True)
class Started:
    """Result array into which planes will be written.

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
    """Planes of the result that are final.

    Attributes
    ----------
    indices : tuple
        Indices into the leading axes of the result.
    """

    indices: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class FitChecked:
    """Result of the check of fit.

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
    """Stainer of one movie with a model or an add-on, normalised over the whole movie.

    The pixels of a region of interest are those that the whole frame has there.
    """

    def __init__(self, request: StainRequest, cancel: CancelToken | None = None) -> None:
        import_torch(cancel)
        from ...engine import Planes, stop_inside, use_threads
        from ...models import load_model
        from ...staining import is_add_on, open_stainer

        use_threads(request.preferences.threads)
        self._cancel = cancel or CancelToken()
        self._request = request
        model: Any = request.model
        if not is_add_on(model):
            model = load_model(model, kind="generator")
            stop_inside(model.network, lambda: self._cancel)
        self._stainer = open_stainer(
            model,
            _possible(request.settings, model),
            pixel_size_um=request.pixel_size_um,
            device=request.device,
            tile=request.tile,
        )
        check = self._cancel.raise_if_cancelled
        self.planes = Planes(request.data, request.axes, self._stainer.inputs, check=check)
        self._fitted = self._stainer.fit(self.planes)
        rows, columns = request.region.slices[-2:]
        self._region = (rows, columns)
        self._model = model

    def stain(self, places: Sequence[tuple[int, ...]]) -> list[Stained]:
        """Return fluorescence and uncertainty of planes of the movie, cut to the region."""
        return [stained for _, stained in self.stained(places)]

    def stained(
        self, places: Sequence[tuple[int, ...]]
    ) -> Iterator[tuple[tuple[int, ...], Stained]]:
        """Yield each plane's place in the movie and its :meth:`stain`, in the order given."""
        from ...staining import stain_planes

        check = self._cancel.raise_if_cancelled
        order = [self.planes.number(place) for place in places]
        for index, plane in stain_planes(
            self.planes,
            self._stainer,
            self._fitted,
            order,
            region=self._region,
            check=check,
            on_tile=lambda *_: check(),
        ):
            yield self.planes.place(index), (plane.fluorescence, plane.uncertainty)

    def check_fit(self) -> FitChecked | None:
        """Return whether the model was made for movies like this, None for an add-on."""
        from ...staining import assess_fit

        if self._stainer.card is None:
            return None
        request = self._request
        report = assess_fit(
            request.data,
            self._model,
            request.pixel_size_um,
            axes=request.axes,
            most_frames=4,
            fitted=self._fitted,
        )
        return FitChecked(report.level, tuple(report.reasons))

    @property
    def is_uncertain(self) -> bool:
        """Whether the expected error is shown: as asked, or where the model predicts it."""
        asked, card = self._request.settings.uncertainty, self._stainer.card
        return asked if asked is not None else card is not None and card.predicts_uncertainty

    @property
    def provenance(self) -> tuple[str, str]:
        """Name and checksum of the model; an add-on has no file."""
        if isinstance(self._model, str):
            return add_on_name(self._model) or self._model, ""
        return self._model.name, self._model.sha256


def _possible(settings: StainSettings, model: Any) -> StainSettings:
    """Return the settings without what an add-on cannot do: it gives no uncertainty."""
    if not isinstance(model, str):
        return settings
    return settings.model_copy(update={"uncertainty": False})


def why_not_steady(settings: StainSettings, frames: int) -> str | None:
    """Return why flicker cannot be reduced over so many frames, None when it can or need not."""
    if frames >= 3 or not settings.temporal:
        return None
    return "Flicker can only be reduced over three frames or more: set Reduce flicker to 0."


def stain_job(
    request: StainRequest, context: JobContext
) -> Iterator[Started | PlanesDone | FitChecked]:
    """Yield the stained planes of the request, the visible one first."""
    context.progress(_starting())
    from ...engine import outward

    stainer = PlaneStainer(request, context.cancel)
    shape = request.region.shape
    leading, offset = shape[:-2], request.region.offset
    centre = [
        int(np.clip(c - o, 0, n - 1))
        for c, o, n in zip(request.centre, offset, leading, strict=False)
    ]
    order = list(outward(leading, centre))
    reporter = Reporter(len(order), "frame", "staining", context.progress, context.cancel)
    reporter.begin()
    results: list[np.ndarray] = []
    stained = stainer.stained([_moved(index, offset) for index in order])
    for index, (_, planes) in zip(order, stained, strict=True):
        there = [plane for plane in planes if plane is not None]
        context.cancel.raise_if_cancelled()  # what is written from here on would not be counted
        first = not results
        if first:
            kinds = ["fluorescence", "uncertainty"]
            if not stainer.is_uncertain:
                kinds.pop()
            results = [_allocate(shape, request) for _, _ in zip(kinds, there, strict=False)]
        for result, plane in zip(results, there, strict=False):
            result[index] = plane
        if first:
            for kind, result in zip(kinds, results, strict=False):
                limits = display_limits(result[index])
                yield Started(kind, result, limits, *stainer.provenance)
                context.wait_until_shown()  # each layer costs the window a tenth of a second
            if (fit := stainer.check_fit()) is not None:
                yield fit
        yield PlanesDone((index,))
        reporter.advance()
        reporter.check()
    if request.settings.temporal:
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
    for index in steady_in_place(result, request.axes, request.settings.temporal):
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
