"""The work of the dock `Train virtual staining`, without Qt and without the viewer."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...data import plane_at
from ...errors import InputError
from ...normalisation import spread_evenly
from ...progress import CancelToken, Progress, ProgressCallback, counted
from ..kit.jobs import JobContext
from ..kit.layer_region import whole
from ..kit.preferences import Preferences
from ..kit.worker_threads import import_torch
from ..stain.job import PlaneStainer, StainRequest
from .dock_settings import ALLOW_SHARED, DockSettings
from .drawn_regions import DrawnRegion, shared
from .sources import PairSource, held_out_regions

if TYPE_CHECKING:
    from ...data import CorrelativePairs, MemoryRoom, Region
    from ...training import PlaneReading, TrainingConfig, TrainingEvent

_HELD_OUT_BY_TIME = 0.25
_FEWEST_FRAMES = 4
_EVERY = 5
_MOST_FRAMES = 12
_LAST_FRAMES = "last frames"


@dataclass(frozen=True, slots=True)
class TrainRequest:
    """Everything that the thread needs, copied from the dock in the GUI thread.

    Attributes
    ----------
    sources : tuple of PairSource
        Layers and regions.
    settings : DockSettings
        What else the form says.
    output : Path
        Model file to write; the model is called like it.
    preferences : Preferences
        Device, and how many threads may be used.
    shown : tuple of int
        The plane of the first pair's bright-field that the user looks at.
    resume : bool
        Whether to go on with a training that was stopped.
    stop : CancelToken
        Ends the training early, with its model.
    """

    sources: tuple[PairSource, ...]
    settings: DockSettings
    output: Path
    preferences: Preferences
    shown: tuple[int, ...] = ()
    resume: bool = False
    stop: CancelToken = field(default_factory=CancelToken)


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
    from ...data import MemoryRoom, joined

    if reason := why_not_split(request.sources, request.settings):
        raise InputError(reason)
    several = len(request.sources) > 1
    room = MemoryRoom()
    parts = [
        _pairs_of(source, request.settings, reading, room, check, several=several)
        for source in request.sources
    ]
    return joined(parts)


def held_out_groups(sources: tuple[PairSource, ...], settings: DockSettings) -> tuple[str, ...]:
    """Return the names of the groups that are held out once."""
    several = len(sources) > 1
    if settings.by == "time":
        return (_LAST_FRAMES,)
    if settings.by == "pair":
        return (sources[-1].name,)
    return tuple(
        _region_name(source, region, several=several)
        for source, region in held_out_regions(sources)
    )


def held_out_text(sources: tuple[PairSource, ...], settings: DockSettings) -> str:
    """Return in words what is held out."""
    if settings.folds:
        what = {"time": "frames", "region": "regions", "pair": "pairs"}[settings.by]
        return f"{what} in turn"
    if settings.by == "time":
        count = max((_late_frames(source) for source in sources), default=0)
        what = "the last frame" if count == 1 else f"the last {count} frames"
        return what + " of each pair" * (len(sources) > 1)
    if settings.by == "pair":
        return f"pair {sources[-1].name!r}" if sources else ""
    several = len(sources) > 1
    names = [
        f"{region.number} of {source.name}" if several else str(region.number)
        for source, region in held_out_regions(sources)
    ]
    return f"region{'s' * (len(names) != 1)} {', '.join(names)}" if names else ""


def why_not_split(sources: tuple[PairSource, ...], settings: DockSettings) -> str | None:
    """Return why pairs cannot be trained on and judged as asked, None when they can."""
    if settings.simulate:
        return None
    for source in sources:
        if (reason := source.why_not()) is not None:
            return reason
    regions = sum(len(source.regions) for source in sources)
    if settings.by == "pair":
        if len(sources) < 2:
            return (
                "There is one pair of layers: expected at least two to hold one out. Add a pair, "
                "or hold out regions or frames."
            )
        return None
    if settings.by == "time":
        return next(
            (r for s in sources if (r := why_not_held_out("time", 0, s.sizes.get("t", 1)))), None
        )
    if reason := why_not_held_out("region", regions, 0):
        return reason
    held = held_out_regions(sources)
    if not settings.folds and len(held) == regions:
        return "All regions are held out: leave at least one to train on."
    return _why_shared(sources, settings)


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
            "rectangles or polygons, ideally on different cells, so that one can be held out. Draw "
            "more, or hold out the last frames."
        )
    if by == "time" and frames < _FEWEST_FRAMES:
        return (
            f"There {'are' if frames != 1 else 'is'} {frames} frame{'s' * (frames != 1)} of "
            f"fluorescence: expected at least {_FEWEST_FRAMES} to hold out the last ones. Hold out "
            "a region instead."
        )
    return None


def _why_shared(sources: tuple[PairSource, ...], settings: DockSettings) -> str | None:
    """Return why regions cannot judge each other, None when they can."""
    if settings.allow_leakage:
        return None
    held = {id(region) for _, region in held_out_regions(sources)}
    for source in sources:
        for one, other in shared(source.regions):
            if settings.folds or (id(one) in held) != (id(other) in held):
                return (
                    f"Regions {one.number} and {other.number} overlap: the model would be judged "
                    f"on pixels that trained it. Draw them apart, or tick {ALLOW_SHARED}."
                )
    return None


def _region_name(source: PairSource, region: DrawnRegion, *, several: bool) -> str:
    return f"{source.name}, region {region.number}" if several else f"region {region.number}"


def _pairs_of(
    source: PairSource,
    settings: DockSettings,
    reading: PlaneReading,
    room: MemoryRoom,
    check: Callable[[], None],
    *,
    several: bool,
) -> CorrelativePairs:
    from ...data import stack_pairs, usual_planes

    leading = source.axes[:-2]
    depth = dict(zip(source.axes, source.bright_field.shape, strict=True))
    planes = reading.planes or usual_planes(depth.get(reading.plane_axis, 1))
    light, frames = source.bright_field, source.frames
    if frames is not None and reading.plane_axis != "t":  # else neighbours in time are read too
        along = (slice(None),) * leading.index("t")
        light, frames = light[(*along, list(frames))], None
    pairs = stack_pairs(
        _read(light, source.axes, room, check),
        _read(source.fluorescence, source.axes, room, check),
        leading,
        planes=planes,
        plane_axis=reading.plane_axis,
        plane_step=reading.plane_step,
        name=f"{source.name}_plane" if several else "plane",
        movie=source.name,
        frames=frames,
        pixel_size_um=settings.pixel_size_um,
    )
    times = [
        index[leading.index("t")] if "t" in leading else 0
        for index in np.ndindex(*source.fluorescence.shape[:-2])
    ]
    used = _used_regions(source, times)
    cut = pairs.within([region for _, region in used])
    chosen: list[tuple[int, DrawnRegion | None]] = [
        (pair, drawn)
        for pair in range(len(pairs))
        for drawn, region in used
        if region.pair in (None, pair)
    ]
    chosen = chosen if used else [(pair, None) for pair in range(len(pairs))]
    groups = tuple(
        _group(source, settings, times[pair], drawn, several=several) for pair, drawn in chosen
    )
    return replace(cut, groups=groups)


def _read(images: Any, axes: str, room: MemoryRoom, check: Callable[[], None]) -> Any:
    """Return the images of a layer in memory, or as they are where there is no room for them."""
    from ...engine import Planes, as_image, is_lazy

    size = math.prod(images.shape) * images.dtype.itemsize
    if isinstance(images, np.ndarray) or room.holds(size):
        return Planes(images, axes, check=check).in_memory()
    return as_image(images) if is_lazy(images) else images


def _used_regions(source: PairSource, times: list[int]) -> list[tuple[DrawnRegion, Region]]:
    """Return the regions as the core takes them: those of one frame once for each of its planes."""
    from ...data import Region

    frames = range(max(times, default=0) + 1) if source.frames is None else source.frames
    used = []
    for drawn in source.regions:
        places: list[int | None] = [None]
        if drawn.frame is not None:
            places = [pair for pair, time in enumerate(times) if frames[time] == drawn.frame]
        used += [(drawn, Region(*drawn.box, pair=pair, vertices=drawn.vertices)) for pair in places]
    return used


def _group(
    source: PairSource,
    settings: DockSettings,
    time: int,
    region: DrawnRegion | None,
    *,
    several: bool,
) -> str:
    if settings.by == "pair":
        return source.name
    if settings.by == "region" and region is not None:
        return _region_name(source, region, several=several)
    if settings.by == "region":
        return f"{source.name}, whole images"
    return _part_of_time(time, source.sizes.get("t", 1), settings.folds)


def _late_frames(source: PairSource) -> int:
    frames = source.sizes.get("t", 1)
    return frames - round(frames * (1 - _HELD_OUT_BY_TIME))


def _part_of_time(time: int, frames: int, folds: int | None) -> str:
    """Return the name of the group that frame `time` of `frames` belongs to."""
    if folds is None:
        late = round(frames * (1 - _HELD_OUT_BY_TIME))
        return _LAST_FRAMES if time >= late else "first frames"
    parts = np.array_split(np.arange(frames), min(folds, frames))
    part = next(part for part in parts if time <= part[-1])
    return f"frames {part[0]} to {part[-1]}"


def train_job(request: TrainRequest, context: JobContext) -> Generator[Any, None, Any]:
    """Yield the training's events; return its result."""
    import_torch(context.cancel)
    from ...engine import use_threads
    from ...training import StepFinished, StepReporter, TrainingFinished

    use_threads(request.preferences.threads)
    context.progress(Progress(0, None, "pair", "reading the pairs"))
    config, pairs = configured(request, context.cancel, context.progress)
    text = f"checking {counted(len(pairs), 'pair')}: shared pixels, registration, weight maps"
    context.progress(Progress(0, None, "pair", text))
    steps = StepReporter(context.progress, config.minutes)
    result = None
    for event in _events(request, config, pairs, context.cancel):
        steps.follow(event)
        if isinstance(event, StepFinished):
            if event.step == event.steps:
                text = "judging the held-out images, writing the model"
                context.progress(Progress(0, None, "image", text))
            elif event.step != 1 and event.step % _EVERY:
                continue
        if isinstance(event, TrainingFinished):
            result = event.result
        yield event
    for compared in _compared(request, context):
        yield compared
        context.wait_until_shown()  # each layer costs the window a tenth of a second
    return result


def write_job_folder(request: TrainRequest, folder: Path, context: JobContext) -> Any:
    """Write the training as a folder that runs elsewhere, and return it."""
    import_torch(context.cancel)
    from ...training import write_job

    config, pairs = configured(request, context.cancel, context.progress)
    return write_job(folder, pairs, _holding_out(config, request), folds=request.settings.folds)


def _holding_out(config: TrainingConfig, request: TrainRequest) -> TrainingConfig:
    """Return the settings with what is held out; folds and simulated scenes hold out their own."""
    if request.settings.folds or request.settings.simulate:
        return config
    return config.updated(validation_groups=held_out_groups(request.sources, request.settings))


def measure_job(request: TrainRequest, context: JobContext) -> Any:
    """Return how the channels of each group of pairs lie on each other."""
    import_torch(context.cancel)
    from ...engine import use_threads
    from ...training import measure_registration

    use_threads(request.preferences.threads)
    config, pairs = configured(request, context.cancel)
    return measure_registration(pairs, config, cancel=context.cancel)


def configured(
    request: TrainRequest, cancel: CancelToken, progress: ProgressCallback | None = None
) -> tuple[TrainingConfig, CorrelativePairs]:
    """Return the training's settings, and its pairs.

    Raises
    ------
    InputError
        As :func:`collect_pairs`, or nothing that is simulated resembles the movie.
    """
    from ...training import plane_reading, with_planes_of

    settings = request.settings
    config = settings.training_config(request.output.stem, request.preferences.device_to_train)
    if settings.simulate:
        return _simulated(request, config, cancel, progress)
    reading = plane_reading(config, settings.planes, settings.plane_axis)
    pairs = collect_pairs(request, reading, cancel.raise_if_cancelled)
    return with_planes_of(config, pairs, reading), pairs


def _simulated(
    request: TrainRequest,
    config: TrainingConfig,
    cancel: CancelToken,
    progress: ProgressCallback | None,
) -> tuple[TrainingConfig, CorrelativePairs]:
    from ...simulation import Microscope
    from ...training import simulated_training

    settings, source = request.settings, request.sources[0]
    made = simulated_training(
        _frames_of(source, cancel.raise_if_cancelled),
        config,
        pixel_size_um=settings.pixel_size_um,
        microscope=replace(
            Microscope(),
            na=settings.numerical_aperture,
            n_immersion=settings.immersion_index,
            emission_um=settings.wavelength_um,
        ),
        number=settings.simulated_pairs,
        source=source.name,
        progress=progress,
        cancel=cancel,
    )
    return made.config, made.pairs


def _frames_of(source: PairSource, check: Callable[[], None]) -> list[np.ndarray]:
    """Return a dozen frames at most, spread over time; of z-stacks the middle plane."""
    leading = source.axes[:-2]
    shape = source.bright_field.shape[:-2]
    middle = [length // 2 for length in shape]
    if "t" not in leading:
        return [plane_at(source.bright_field, middle)]
    along, frames = leading.index("t"), []
    for time in spread_evenly(_MOST_FRAMES, shape[along]):
        check()
        index = [time if axis == along else n for axis, n in enumerate(middle)]
        frames.append(plane_at(source.bright_field, index))
    return frames


def _events(
    request: TrainRequest, config: TrainingConfig, pairs: CorrelativePairs, cancel: CancelToken
) -> Iterator[TrainingEvent]:
    from ...training import cross_validation_events, train_events

    how: dict[str, Any] = {"output": request.output, "resume": request.resume, "cancel": cancel}
    if folds := request.settings.folds:
        # there is no model of this name, but there may be folds that were given up
        how["overwrite"] = not request.resume
        return cross_validation_events(pairs, config, folds=folds, **how)
    return train_events(pairs, _holding_out(config, request), **how, stop=request.stop)


def _compared(request: TrainRequest, context: JobContext) -> Iterator[Compared]:
    """Yield the visible plane as the model stains it with which training began, and the new one."""
    settings, source = request.settings, request.sources[0]
    if not settings.compare:
        return
    models = {"before": settings.init, "after": str(request.output)}
    for kind, model in models.items():
        if model:
            asked = StainRequest(
                data=source.bright_field,
                axes=source.axes,
                region=whole(source.bright_field.shape),
                centre=request.shown,
                model=model,
                pixel_size_um=settings.pixel_size_um,
                device=settings.device or request.preferences.device,
                preferences=request.preferences,
            )
            [(stained, _)] = PlaneStainer(asked, context.cancel).stain([request.shown])
            yield Compared(kind, request.shown, stained)
