"""The work of the dock `Train virtual staining`, without Qt and without the viewer."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import InputError
from ...progress import CancelToken, Progress
from ..kit.background import import_torch
from ..kit.jobs import JobContext
from ..kit.preferences import Preferences
from ..kit.regions import whole
from ..stain.job import StainRequest, open_stainer
from .settings import ALLOW_SHARED, TrainSettings, remember_settings

if TYPE_CHECKING:
    from ...data import CorrelativePairs
    from ...training import PlaneReading, TrainingConfig, TrainingEvent

_HELD_OUT_BY_TIME = 0.25
_FEWEST_FRAMES = 4
_EVERY = 5
# what the search for shared pixels sees: see data/leakage.py
_OVERLAP_PX = 8


@dataclass(frozen=True, slots=True)
class TrainRequest:
    """Everything that the thread needs, copied from the dock in the GUI thread.

    Attributes
    ----------
    bright_field, fluorescence : array (..., Y, X)
        Correlative planes, lazy or not.
    axes : str
        Of both, such as ``tzyx``.
    rectangles : tuple of (y0, x0, y1, x1)
        Regions to learn from, in pixels; none means the whole frames.
    settings : TrainSettings
        What else the form says.
    output : Path
        Model file to write; the model is called like it.
    preferences : Preferences
        Device, and how many threads may be used.
    shown : tuple of int
        The plane that the user looks at.
    resume : bool
        Whether to go on with a training that was stopped.
    """

    bright_field: Any
    fluorescence: Any
    axes: str
    rectangles: tuple[tuple[int, int, int, int], ...]
    settings: TrainSettings
    output: Path
    preferences: Preferences
    shown: tuple[int, ...] = ()
    resume: bool = False


@dataclass(frozen=True, slots=True)
class Compared:
    """The frame that the user looks at, stained by a model.

    Attributes
    ----------
    kind : {"before", "after"}
        By the model that training started from, or by the new one.
    index : tuple of int
        Which frame.
    fluorescence : ndarray (Y, X)
        Virtual.
    """

    kind: str
    index: tuple[int, ...]
    fluorescence: np.ndarray


def collect_pairs(
    request: TrainRequest, reading: PlaneReading, check: Callable[[], None] = lambda: None
) -> CorrelativePairs:
    """Return the pairs of the request, grouped by what is independent of what.

    Parameters
    ----------
    request : TrainRequest
        Where they are.
    reading : PlaneReading
        Which neighbours go with a plane.
    check : callable
        Called before each plane is read; raises when the job was cancelled.

    Raises
    ------
    InputError
        There is nothing that could be held out, regions overlap, or there are no neighbours
        where they are wanted.
    """
    from ...data import Region, stack_pairs, usual_planes
    from ...engine import Planes

    leading, settings = request.axes[:-2], request.settings
    sizes = dict(zip(request.axes, request.bright_field.shape, strict=True))
    reason = why_not_held_out(settings.by, len(request.rectangles), sizes.get("t", 1))
    if reason := reason or why_shared(settings, request.rectangles):
        raise InputError(reason)
    inputs = Planes(request.bright_field, request.axes, check=check).in_memory()
    targets = Planes(request.fluorescence, request.axes, check=check).in_memory()
    pairs = stack_pairs(
        inputs,
        targets,
        leading,
        planes=reading.planes or usual_planes(sizes.get(reading.plane_axis, 1)),
        plane_axis=reading.plane_axis,
        plane_step=reading.plane_step,
        name="plane",
        pixel_size_um=settings.pixel_size_um,
    )
    cut = pairs.within([Region(*box) for box in request.rectangles])
    places = max(1, len(request.rectangles))
    if settings.by == "region":
        groups = tuple(f"region {number % places}" for number in range(len(cut)))
        return replace(cut, groups=groups)
    times = [index[leading.index("t")] for index in np.ndindex(*inputs.shape[:-2])]
    names = [_part_of_time(time, sizes["t"], settings.folds) for time in times]
    groups = tuple(name for name in names for _ in range(places))
    return replace(cut, groups=groups).with_notes(
        "The held-out frames are other frames of the same cells: scores are optimistic for other "
        "cells."
    )


def _part_of_time(time: int, frames: int, folds: int | None) -> str:
    """Return the name of the group that frame `time` of `frames` belongs to."""
    if folds is None:
        late = round(frames * (1 - _HELD_OUT_BY_TIME))
        return "last frames" if time >= late else "first frames"
    parts = np.array_split(np.arange(frames), min(folds, frames))
    part = next(part for part in parts if time <= part[-1])
    return f"frames {part[0]} to {part[-1]}"


def why_not_held_out(by: str, regions: int, frames: int) -> str | None:
    """Return why nothing can be held out by ``region`` or ``time``, None when something can.

    Examples
    --------
    >>> why_not_held_out("time", regions=0, frames=100) is None
    True
    """
    if by == "region" and regions < 2:
        return (
            f"{regions} region{'s were' if regions != 1 else ' was'} drawn: expected at least two "
            "rectangles, best on different cells, so that one can be held out. Draw more, or hold "
            "out the last frames."
        )
    if by == "time" and frames < _FEWEST_FRAMES:
        return (
            f"There {'are' if frames != 1 else 'is'} {frames} frame{'s' * (frames != 1)}: expected "
            f"at least {_FEWEST_FRAMES} to hold out the last ones. Hold out a region instead."
        )
    return None


def why_shared(
    settings: TrainSettings, rectangles: Sequence[tuple[int, int, int, int]]
) -> str | None:
    """Return why regions (y0, x0, y1, x1) cannot judge each other, None when they can.

    Examples
    --------
    >>> settings = TrainSettings(by="region", pixel_size_um=0.08)
    >>> why_shared(settings, [(0, 0, 40, 40), (0, 30, 40, 70)]).split(":")[0]
    'Regions 0 and 1 overlap'
    """
    if settings.by != "region" or settings.allow_leakage:
        return None
    last = len(rectangles) - 1
    for (i, one), (j, other) in combinations(enumerate(rectangles), 2):
        height = min(one[2], other[2]) - max(one[0], other[0])
        width = min(one[3], other[3]) - max(one[1], other[1])
        if min(height, width) >= _OVERLAP_PX and (settings.folds or j == last):
            return (
                f"Regions {i} and {j} overlap: the model would be judged on pixels that it has "
                f"learnt. Draw them apart, or tick {ALLOW_SHARED}."
            )
    return None


def train_job(request: TrainRequest, context: JobContext) -> Generator[Any, None, Any]:
    """Yield the training's events; return its result."""
    import_torch()
    from ...engine import use_threads
    from ...training import StepFinished, TrainingFinished

    use_threads(request.preferences.threads)
    config, pairs = _configured(request, context.cancel)
    remember_settings(request.output, request.settings)
    steps = _StepCounter(context.progress)
    result = None
    for event in _events(request, config, pairs, context.cancel):
        steps.follow(event)
        if isinstance(event, StepFinished) and event.step % _EVERY and event.step != event.steps:
            continue
        if isinstance(event, TrainingFinished):
            result = event.result
        yield event
    for compared in _compared(request, context):
        yield compared
        context.wait_until_shown()  # each layer costs the window a tenth of a second
    return result


def _configured(
    request: TrainRequest, cancel: CancelToken
) -> tuple[TrainingConfig, CorrelativePairs]:
    """Return the training's settings, and its pairs."""
    from ...training import plane_reading, preset, with_planes_of

    settings = request.settings
    config = preset(settings.preset).updated(
        **settings.config_fields(), name=request.output.stem, device=request.preferences.device
    )
    reading = plane_reading(config, *(settings.planes or ()))
    pairs = collect_pairs(request, reading, cancel.raise_if_cancelled)
    return with_planes_of(config, pairs, reading), pairs


def _events(
    request: TrainRequest, config: TrainingConfig, pairs: CorrelativePairs, cancel: CancelToken
) -> Iterator[TrainingEvent]:
    from ...training import cross_validation_events, train_events

    how: dict[str, Any] = {"output": request.output, "resume": request.resume, "cancel": cancel}
    if folds := request.settings.folds:
        # there is no model of this name, but there may be folds that were given up
        how["overwrite"] = not request.resume
        return cross_validation_events(pairs, config, folds=folds, **how)
    held = "last frames" if request.settings.by == "time" else pairs.group_names[-1]
    return train_events(pairs, config.updated(validation_groups=(held,)), **how)


@dataclass(slots=True)
class _StepCounter:
    """Tells how far a training is, or all trainings of a cross-validation together."""

    tell: Callable[[Progress], None]
    text: str = "training"
    number: int = 1
    trainings: int = 1

    def follow(self, event: TrainingEvent) -> None:
        """Report a step; notice which fold begins."""
        from ...training import FoldStarted, StepFinished

        if isinstance(event, FoldStarted):
            self.text, self.number, self.trainings = event.text, event.number, event.folds + 1
        elif isinstance(event, StepFinished):
            done = (self.number - 1) * event.steps + event.step
            # folds that were finished on another day took no time today
            seconds = event.seconds / event.step * done
            self.tell(Progress(done, self.trainings * event.steps, "step", self.text, seconds))


def _compared(request: TrainRequest, context: JobContext) -> Iterator[Compared]:
    """Yield the visible plane as the model stains it with which training began, and the new one."""
    settings = request.settings
    if not settings.compare:
        return
    models = {"before": settings.start_from, "after": str(request.output)}
    for kind, model in models.items():
        if model is not None:
            asked = StainRequest(
                data=request.bright_field,
                axes=request.axes,
                region=whole(request.bright_field.shape),
                centre=request.shown,
                model=model,
                pixel_size_um=settings.pixel_size_um,
                device=request.preferences.device,
                preferences=request.preferences,
            )
            [(stained, _)] = open_stainer(asked, context.cancel).stain([request.shown])
            yield Compared(kind, request.shown, stained)
