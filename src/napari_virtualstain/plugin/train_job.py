"""The work of the dock `Train virtual staining`, without Qt and without the viewer."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from .background import import_torch
from .jobs import JobContext
from .movie import Movie

_HELD_OUT_BY_TIME = 0.25
_EVERY = 5


@dataclass(frozen=True, slots=True)
class TrainRequest:
    """Everything that the thread needs, copied from the dock in the GUI thread.

    Attributes
    ----------
    bright_field, fluorescence : array (T, Y, X) or (Y, X)
        Correlative frames, lazy or not.
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
    shown : tuple of int or None
        The frame that the user looks at, to be stained before and after; None for none.
    """

    bright_field: Any
    fluorescence: Any
    rectangles: tuple[tuple[int, int, int, int], ...]
    by: str
    pixel_size_um: float
    preset: str
    changes: dict[str, Any]
    output: Path
    shown: tuple[int, ...] | None = None


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


def collect_pairs(request: TrainRequest) -> Any:
    """Return the pairs of the request, grouped by what is independent of what.

    Raises
    ------
    InputError
        There is nothing that could be held out.
    """
    from ..data import CorrelativePairs

    axes = "tyx"[-request.bright_field.ndim :]
    inputs, targets = Movie(request.bright_field, axes), Movie(request.fluorescence, axes)
    frames = list(np.ndindex(*inputs.leading))
    height, width = request.bright_field.shape[-2:]
    boxes = request.rectangles or ((0, 0, height, width),)
    if request.by == "region" and len(boxes) < 2:
        raise InputError(
            f"{len(boxes)} region was drawn: expected at least two rectangles, best on different "
            "cells, so that one can be held out. Draw more, or hold out the last frames."
        )
    if request.by == "time" and len(frames) < 4:
        raise InputError(
            f"There are {len(frames)} frames: expected at least 4 to hold out the last ones. Hold "
            "out a region instead."
        )
    late = round(len(frames) * (1 - _HELD_OUT_BY_TIME))
    bright, glowing, names, groups = [], [], [], []
    for number, index in enumerate(frames):
        first, second = inputs.plane(index), targets.plane(index)
        for place, (y0, x0, y1, x1) in enumerate(boxes):
            bright.append(first[y0:y1, x0:x1])
            glowing.append(second[y0:y1, x0:x1])
            names.append(f"frame {number}, region {place}")
            held = "last frames" if number >= late else "first frames"
            groups.append(f"region {place}" if request.by == "region" else held)
    pairs = CorrelativePairs.from_arrays(
        bright,
        glowing,
        groups=groups,
        names=names,
        movies=["movie"] * len(names),
        pixel_size_um=request.pixel_size_um,
    )
    if request.by == "time":
        return pairs.with_notes(
            "The held-out frames are later frames of the same cells: scores are optimistic for "
            "other cells."
        )
    return pairs


def train_job(request: TrainRequest, context: JobContext) -> Generator[Any, None, Any]:
    """Yield the training's events; return its result."""
    import_torch()
    from ..progress import Progress
    from ..training import StepFinished, TrainingFinished, preset, train_events

    config = preset(request.preset).updated(**request.changes)
    pairs = collect_pairs(request)
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
    """Yield the visible frame as the model stains it with which training began, and the new one."""
    from ..inference import stain

    if request.shown is None:
        return
    plane = Movie(request.bright_field, "tyx"[-request.bright_field.ndim :]).plane(request.shown)
    models = {"before": request.changes.get("init"), "after": str(request.output)}
    for kind, model in models.items():
        if model is not None:
            size_um = request.pixel_size_um
            stained = stain(plane, model, pixel_size_um=size_um, cancel=context.cancel)
            yield Compared(kind, request.shown, np.asarray(stained))
