"""The work of the dock `Train virtual staining`, without Qt and without the viewer."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import InputError
from .background import import_torch
from .jobs import JobContext
from .movie import Movie
from .preferences import Preferences
from .regions import whole
from .stain_job import StainRequest, open_stainer

if TYPE_CHECKING:
    from ..data import CorrelativePairs
    from ..training import PlaneReading

_HELD_OUT_BY_TIME = 0.25
_FEWEST_FRAMES = 4
_EVERY = 5


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
    by : {"region", "time"}
        What is held out: a region, or the last frames.
    pixel_size_um : float
        Of the data.
    preset : str
        Method to start from.
    changes : dict
        Fields of ``TrainingConfig`` to change.
    output : Path
        Model file to write.
    preferences : Preferences
        How many threads may be used.
    shown : tuple of int or None
        The plane that the user looks at, to be stained before and after; None for none.
    planes : int or None
        Bright-field planes read for one target; None is what is usual.
    plane_axis : {"t", "z"}
        Where these planes lie.
    """

    bright_field: Any
    fluorescence: Any
    axes: str
    rectangles: tuple[tuple[int, int, int, int], ...]
    by: str
    pixel_size_um: float
    preset: str
    changes: dict[str, Any]
    output: Path
    preferences: Preferences
    shown: tuple[int, ...] | None = None
    planes: int | None = None
    plane_axis: str = "z"


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
        There is nothing that could be held out, or no neighbours where they are wanted.
    """
    from ..data import Region, stack_pairs, usual_planes

    leading = request.axes[:-2]
    sizes = dict(zip(request.axes, request.bright_field.shape, strict=True))
    reason = why_not_held_out(request.by, len(request.rectangles), sizes.get("t", 1))
    if reason is not None:
        raise InputError(reason)
    inputs = Movie(request.bright_field, request.axes, check).whole()
    targets = Movie(request.fluorescence, request.axes, check).whole()
    pairs = stack_pairs(
        inputs,
        targets,
        leading,
        planes=reading.planes or usual_planes(sizes.get(reading.plane_axis, 1)),
        plane_axis=reading.plane_axis,
        plane_step=reading.plane_step,
        name="plane",
        pixel_size_um=request.pixel_size_um,
    )
    cut = pairs.within([Region(*box) for box in request.rectangles])
    places = max(1, len(request.rectangles))
    if request.by == "region":
        groups = tuple(f"region {number % places}" for number in range(len(cut)))
        return replace(cut, groups=groups)
    late = round(sizes["t"] * (1 - _HELD_OUT_BY_TIME))
    times = [index[leading.index("t")] for index in np.ndindex(*inputs.shape[:-2])]
    names = ["last frames" if time >= late else "first frames" for time in times]
    groups = tuple(name for name in names for _ in range(places))
    return replace(cut, groups=groups).with_notes(
        "The held-out frames are later frames of the same cells: scores are optimistic for "
        "other cells."
    )


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


def train_job(request: TrainRequest, context: JobContext) -> Generator[Any, None, Any]:
    """Yield the training's events; return its result."""
    import_torch()
    from ..inference import use_threads
    from ..progress import Progress
    from ..training import (
        StepFinished,
        TrainingFinished,
        plane_reading,
        preset,
        train_events,
        with_planes_of,
    )

    use_threads(request.preferences.threads)
    config = preset(request.preset).updated(**request.changes)
    reading = plane_reading(config, request.planes, request.plane_axis)
    pairs = collect_pairs(request, reading, context.cancel.raise_if_cancelled)
    config = with_planes_of(config, pairs, reading)
    held = ("last frames",) if request.by == "time" else (pairs.group_names[-1],)
    config = config.updated(validation_groups=held)
    result = None
    for event in train_events(pairs, config, output=request.output, cancel=context.cancel):
        if isinstance(event, StepFinished):
            context.progress(Progress(event.step, event.steps, "step", "training", event.seconds))
            if event.step % _EVERY and event.step != event.steps:
                continue
        elif isinstance(event, TrainingFinished):
            result = event.result
        yield event
    for compared in _compared(request, context):
        yield compared
        context.wait_until_shown()  # each layer costs the window a tenth of a second
    return result


def _compared(request: TrainRequest, context: JobContext) -> Iterator[Compared]:
    """Yield the visible plane as the model stains it with which training began, and the new one."""
    if request.shown is None:
        return
    models = {"before": request.changes.get("init"), "after": str(request.output)}
    for kind, model in models.items():
        if model is not None:
            asked = StainRequest(
                data=request.bright_field,
                axes=request.axes,
                region=whole(request.bright_field.shape),
                centre=request.shown,
                model=model,
                pixel_size_um=request.pixel_size_um,
                device=request.changes.get("device"),
                preferences=request.preferences,
            )
            [(stained, _)] = open_stainer(asked, context.cancel).stain([request.shown])
            yield Compared(kind, request.shown, stained)
