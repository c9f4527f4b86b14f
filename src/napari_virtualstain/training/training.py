"""Training of a generator: to the end, or event by event."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from ..data import Alignment, CorrelativePairs
from ..errors import DeviceError, TrainingError, check_kind
from ..progress import CancelToken, ProgressCallback
from .checkpoint import settle
from .device import compute_for
from .loop.parallel import check_batch, processes
from .loop.trainer import Trainer
from .loop.training_run import Session
from .networks import (
    acquaintance_notes,
    at_size_of_start,
    discriminator_for,
    generator_for,
    match_units,
    pixel_size_notes,
    with_settings_of,
)
from .places import Places, places_for
from .preparation import alignments_of, prepare
from .presets import preset
from .step_reporter import StepReporter
from .training_config import TrainingConfig
from .training_events import (
    TrainingEvent,
    TrainingFinished,
    TrainingResult,
)
from .validation import image_of


def train(
    pairs: CorrelativePairs,
    config: TrainingConfig | None = None,
    *,
    output: str | Path | None = None,
    overwrite: bool = False,
    resume: bool = False,
    progress: ProgressCallback | None = None,
    cancel: CancelToken | None = None,
) -> TrainingResult:
    """Train a generator and return where it is and how good it is.

    Parameters
    ----------
    pairs : CorrelativePairs
        Of :func:`match_pairs`.
    config : TrainingConfig, optional
        The ``recommended`` preset when not given.
    output : path, optional
        Model file ending in ``.safetensors``, with ``history.csv`` and ``report/`` beside it.
        Without it the model goes to the user's models.
    overwrite : bool
        Whether existing output may be replaced.
    resume : bool
        Whether to go on from a checkpoint, if there is one. On the CPU the result is bit-identical
        to that of an uninterrupted training.
    progress, cancel
        See :mod:`napari_virtualstain.progress`. Cancelling leaves a checkpoint.

    Raises
    ------
    InputError
        The pairs or settings cannot train; said before the first step.
    OutputExistsError
        The output is there already.
    TrainingError
        The numbers became meaningless, or the checkpoint does not fit.
    DeviceError
        The device is absent or its memory does not suffice.
    CancelledError
        Cancelled.

    Notes
    -----
    With several processes (``torchrun``) only the first writes, and only it returns.

    Examples
    --------
    >>> import numpy as np, tempfile, pathlib
    >>> images = np.random.default_rng(0).normal(size=(4, 32, 32))
    >>> pairs = CorrelativePairs.from_arrays(images, images, groups=["a", "a", "b", "b"])
    >>> config = TrainingConfig(steps=1, batch_size=2, crop_size=32,
    ...                         architecture={"name": "unet", "arguments": {"widths": [4]}})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     train(pairs, config, output=pathlib.Path(folder) / "m.safetensors").steps
    1
    """
    events = train_events(
        pairs, config, output=output, overwrite=overwrite, resume=resume, cancel=cancel
    )
    return result_of(events, progress, config)


def train_events(
    pairs: CorrelativePairs,
    config: TrainingConfig | None = None,
    *,
    output: str | Path | None = None,
    overwrite: bool = False,
    resume: bool = False,
    cancel: CancelToken | None = None,
    stop: CancelToken | None = None,
) -> Iterator[TrainingEvent]:
    """Yield what happens while a generator is trained, for a live display.

    Parameters
    ----------
    pairs, config, output, overwrite, resume, cancel
        As for :func:`train`.
    stop : CancelToken, optional
        Once it is cancelled the training ends after the present step, and its model is kept.

    Yields
    ------
    TrainingPrepared
        Once, when everything is checked.
    TrainingWarning
        Whenever there is something to know.
    StepFinished
        After each step.
    Validated
        After each look at held-out images, with a preview.
    TrainingFinished
        At the end, with the result.

    Raises
    ------
    As :func:`train`.

    Examples
    --------
    >>> import numpy as np
    >>> one = CorrelativePairs.from_arrays(np.zeros((1, 32, 32)), np.zeros((1, 32, 32)))
    >>> next(train_events(one))  # doctest: +IGNORE_EXCEPTION_DETAIL
    Traceback (most recent call last):
    napari_virtualstain.errors.InputError: 1 of 1 pairs cannot train ...
    """
    settings = checked_settings(pairs, config)
    places = places_for(settings, output, overwrite=overwrite, resume=resume)
    settle(places.checkpoint)
    try:
        yield from _session(pairs, settings, places, resume, cancel, stop).run()
    except RuntimeError as error:
        # torch raises RuntimeError for memory and shapes alike, and a napari worker loses it
        raise _translated(error) from error


def checked_settings(pairs: CorrelativePairs, config: TrainingConfig | None) -> TrainingConfig:
    """Return the settings of a training, completed from its preset and starting model.

    Raises
    ------
    InputError
        One of the two is something else.

    Examples
    --------
    >>> import numpy as np
    >>> one = CorrelativePairs.from_arrays(np.zeros((1, 32, 32)), np.zeros((1, 32, 32)))
    >>> checked_settings(one, None).preset
    'recommended'
    """
    config = preset() if config is None else config
    check_kind(pairs, CorrelativePairs, "pairs", "CorrelativePairs, as match_pairs returns them")
    check_kind(config, TrainingConfig, "config", "a TrainingConfig, as preset() returns it")
    return with_settings_of(config)


def result_of(
    events: Iterator[TrainingEvent],
    progress: ProgressCallback | None = None,
    config: TrainingConfig | None = None,
) -> TrainingResult:
    """Return the result at the end of a training's events, after telling its steps.

    Raises
    ------
    TrainingError
        This was a helping process.
    """
    # a config of another kind is refused by the first event
    minutes = config.minutes if isinstance(config, TrainingConfig) else None
    reporter = StepReporter(progress, minutes)
    result: TrainingResult | None = None
    for event in events:
        reporter.follow(event)
        if isinstance(event, TrainingFinished):
            result = event.result
    if result is None:
        raise TrainingError("This process helped; the model is written by the first process.")
    return result


def measure_registration(
    pairs: CorrelativePairs, config: TrainingConfig, *, cancel: CancelToken | None = None
) -> dict[str, Alignment]:
    """Return how the channels of each group lie on each other, as a training would measure it.

    Parameters
    ----------
    pairs, config, cancel
        As for :func:`train`; with a model to start from, its stain is compared.

    Examples
    --------
    >>> import numpy as np
    >>> images = np.random.default_rng(0).normal(size=(2, 64, 64))
    >>> pairs = CorrelativePairs.from_arrays(images, images)
    >>> measure_registration(pairs, TrainingConfig())["all"].problem
    'same'
    """
    settings = with_settings_of(config)
    stain = partial(image_of, generator_for(settings)[0]) if settings.init else None
    return alignments_of(pairs, settings, stain, cancel)


def _session(
    pairs: CorrelativePairs,
    config: TrainingConfig,
    places: Places,
    resume: bool,
    cancel: CancelToken | None,
    stop: CancelToken | None,
) -> Session:
    group = processes()
    check_batch(config.batch_size, group)
    compute = compute_for(config)
    generator, architecture = generator_for(config)
    pairs, config, notes = at_size_of_start(pairs, config)
    prepared = prepare(
        pairs,
        config,
        stride=int(getattr(generator, "stride", 1)),
        stain=partial(image_of, generator) if config.init else None,
        cancel=cancel,
    )
    notes = (*notes, *pixel_size_notes(prepared, config), *acquaintance_notes(prepared, config))
    prepared = replace(prepared, warnings=(*prepared.warnings, *notes))
    match_units(generator, prepared, config)
    pixels = sum(pair.fluorescence.size for pair in prepared.train)
    steps = config.step_count(len(prepared.train), pixels)
    discriminator = discriminator_for(config)
    trainer = Trainer(generator, discriminator, config, steps, compute, group, cancel)
    session = Session(prepared, trainer, architecture, config, places, cancel, stop)
    if resume:
        session.resume()
    return session


def _translated(error: RuntimeError) -> Exception:
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    if "out of memory" in text.lower() or "can't allocate" in text.lower():
        return DeviceError(
            f"The device has not enough memory for this training ({text}). Use a smaller batch, "
            "smaller crops, or a smaller network."
        )
    return TrainingError(f"Training failed: {text}.")
