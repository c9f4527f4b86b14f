"""``virtualstain train``."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..axes import check_positive
from ..errors import InputError
from ..settings import PairSettings, TrainSettings
from .options import (
    Axes,
    Overwrite,
    PixelSize,
    Resume,
    TrainingDevice,
    is_terminal,
    setting_option,
)
from .running import Job, running_job
from .simulated_training import (
    Condenser,
    Emission,
    FocusOffset,
    Illumination,
    ImmersionIndex,
    NumericalAperture,
    SimulatedPairs,
    simulated,
)

if TYPE_CHECKING:
    from ..data import CorrelativePairs, Region
    from ..training import TrainingConfig, TrainingEvent, TrainingResult

_OF_PRESET = "as the preset"


def train(
    bright_field: Annotated[
        str | None,
        typer.Option(help="Folder, glob or stack of bright-field; or a CSV that lists pairs."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Model file to write, ends in .safetensors."),
    ] = None,
    fluorescence: Annotated[
        str | None, typer.Option(help="Folder, glob or stack of the same frames in fluorescence.")
    ] = None,
    simulate_like: Annotated[
        str | None,
        typer.Option(
            help="Bright-field movie without fluorescence: pairs are simulated for its microscope."
        ),
    ] = None,
    na: NumericalAperture = None,
    immersion_index: ImmersionIndex = None,
    emission_um: Emission = None,
    illumination_um: Illumination = None,
    condenser_na: Condenser = None,
    focus_offset_um: FocusOffset = None,
    simulated_pairs: SimulatedPairs = 200,
    preset: Annotated[str, setting_option(TrainSettings, "preset")] = "recommended",
    arch: Annotated[
        str | None,
        typer.Option(help="Network: compact, paper or unet; by default that of the preset."),
    ] = None,
    epochs: Annotated[float | None, setting_option(TrainSettings, "epochs")] = None,
    steps: Annotated[int | None, setting_option(TrainSettings, "steps")] = None,
    minutes: Annotated[float | None, setting_option(TrainSettings, "minutes")] = None,
    init: Annotated[
        str,
        typer.Option(
            help="Model to start from, by name or file; none: random weights; auto: a shipped "
            "model for the recommended network, random weights for the paper's."
        ),
    ] = "auto",
    trainable: Annotated[
        str | None,
        typer.Option(help="Part of the network to train: all, first_blocks, decoder or head."),
    ] = None,
    group_by: Annotated[
        str | None,
        typer.Option(help=r"Regular expression that finds the cell or movie in a name: 'TL_\d+'."),
    ] = None,
    validation_groups: Annotated[
        list[str] | None, typer.Option(help="Cells or movies to hold out, separated by commas.")
    ] = None,
    folds: Annotated[int | None, setting_option(PairSettings, "folds")] = None,
    planes: Annotated[int | None, setting_option(PairSettings, "planes")] = None,
    plane_axis: Annotated[str, setting_option(PairSettings, "plane_axis")] = "z",
    roi: Annotated[
        list[str] | None,
        typer.Option(help="Region of all images to use, in pixels, Y0:Y1,X0:X1; may be repeated."),
    ] = None,
    batch_size: Annotated[
        int | None, setting_option(TrainSettings, "batch_size", default=_OF_PRESET)
    ] = None,
    min_foreground: Annotated[
        float | None, setting_option(TrainSettings, "min_foreground", default=_OF_PRESET)
    ] = None,
    crop_size: Annotated[
        int | None, setting_option(TrainSettings, "crop_size", default=_OF_PRESET)
    ] = None,
    learning_rate: Annotated[
        float | None, typer.Option(help="Peak learning rate; by default that of the preset.")
    ] = None,
    bright_field_channel: Annotated[
        str | None, typer.Option(help="Bright-field channel, by number from 0 or by name.")
    ] = None,
    fluorescence_channel: Annotated[
        str | None, typer.Option(help="Fluorescence channel, by number from 0 or by name.")
    ] = None,
    axes: Axes = None,
    pixel_size_um: PixelSize = None,
    seed: Annotated[int | None, setting_option(TrainSettings, "seed")] = None,
    device: TrainingDevice = None,
    drop_bad_pairs: Annotated[
        bool,
        typer.Option("--drop-bad-pairs", help="Leave out constant, empty and saturated pairs."),
    ] = False,
    ignore_unmatched: Annotated[
        bool, typer.Option("--ignore-unmatched", help="Leave out files without a partner.")
    ] = False,
    correct_registration: Annotated[
        bool, setting_option(TrainSettings, "correct_registration", "--correct-registration")
    ] = False,
    allow_leakage: Annotated[
        bool, setting_option(TrainSettings, "allow_leakage", "--allow-leakage")
    ] = False,
    job_folder: Annotated[
        Path | None,
        typer.Option(
            "--job", help="Folder from 'Write job folder' in napari; it holds everything else."
        ),
    ] = None,
    resume: Resume = False,
    overwrite: Overwrite = False,
) -> None:
    """Train a generator on correlative pairs of bright-field and fluorescence.

    Cells or movies are held out as a whole to judge it honestly. Writes the model, and
    beside it history.csv and report/.

    Example:  virtualstain train --bright-field bf/ --fluorescence fl/ -o mine.safetensors

    Without fluorescence:  virtualstain train --simulate-like movie.tif --na 1.4 -o mine.safetensors
    """
    from ..training import AUTOMATIC, plane_reading, with_planes_of, with_start

    if job_folder is not None:
        _run_job(job_folder, device, resume=resume, overwrite=overwrite)
        return
    regions = [_region(text) for text in roi or []]
    groups = [part.strip() for text in validation_groups or [] for part in text.split(",")]
    with running_job() as job:
        if out is None:
            raise InputError(
                "--output was not given: expected the model file to write (-o mine.safetensors), "
                "or --job with the folder of a job."
            )
        if folds and groups:
            raise InputError("Both --folds and --validation-groups were given: expected one.")
        config = _config(
            preset,
            architecture=None if arch is None else {"name": arch, "arguments": {}},
            epochs=epochs,
            steps=steps,
            minutes=minutes,
            validation_groups=groups or None,
            batch_size=batch_size,
            crop_size=crop_size,
            learning_rate=learning_rate,
            min_foreground=min_foreground,
            seed=seed,
            device=device,
            pixel_size_um=pixel_size_um,
            bad_pairs="drop" if drop_bad_pairs else None,
            correct_registration=correct_registration or None,
            allow_leakage=allow_leakage or None,
            name=out.stem,
        )
        started = with_start(config, init)
        if started.init:
            job.note(f"Starts from {started.init}; --init none trains from nothing.")
        # z-stacks are read with three planes, whatever an automatic start was made for
        named = started if init != AUTOMATIC else config
        optics = {
            "na": na,
            "n_immersion": immersion_index,
            "emission_um": emission_um,
            "illumination_um": illumination_um,
            "condenser_na": condenser_na,
            "bright_field_offset_um": focus_offset_um,
        }
        given = {name: value for name, value in optics.items() if value is not None}
        if simulate_like is not None:
            _check_alone(bright_field, fluorescence, planes, groups, folds)
            pairs, config = simulated(
                job,
                simulate_like,
                started,
                given,
                number=simulated_pairs,
                axes=axes,
                channel=bright_field_channel,
                pixel_size_um=pixel_size_um,
            )
        elif bright_field is None:
            raise InputError(
                "No pairs were given: expected --bright-field and --fluorescence, or "
                "--simulate-like with a bright-field movie if there is no fluorescence."
            )
        elif given:
            raise InputError("Optics were given without --simulate-like: they describe its movie.")
        else:
            reading = plane_reading(named, planes, plane_axis)
            pairs = _pairs(
                job,
                bright_field,
                fluorescence,
                regions,
                planes=asdict(reading),
                group_by=group_by,
                bright_field_channel=bright_field_channel,
                fluorescence_channel=fluorescence_channel,
                axes=axes,
                pixel_size_um=pixel_size_um,
                unmatched="ignore" if ignore_unmatched else "stop",
            )
            config = with_planes_of(started, pairs, reading)
        if trainable:
            config = config.updated(trainable=trainable)
        how = {"output": out, "overwrite": overwrite, "resume": resume, "cancel": job.cancel}
        _train(job, _events(pairs, config, folds, **how), config)


def _run_job(folder: Path, device: str | None, *, resume: bool, overwrite: bool) -> None:
    """Run the training job in a folder; the model is written into it."""
    from ..training import kept_in_folder, read_job

    with running_job() as job:
        saved = read_job(folder)
        config = saved.config if device is None else saved.config.updated(device=device)
        how = {"output": saved.output, "overwrite": overwrite, "resume": resume}
        events = _events(saved.pairs, config, saved.folds, **how, cancel=job.cancel)
        _train(job, kept_in_folder(saved, events), config)


def _train(job: Job, events: Iterator[TrainingEvent], config: TrainingConfig) -> None:
    result = _result(job, events, config.minutes)
    if result is None:
        job.note("This process helped; the first process judges and writes the model.")
    else:
        _say_result(job, result)


def _check_alone(
    bright_field: str | None,
    fluorescence: str | None,
    planes: int | None,
    groups: list[str],
    folds: int | None,
) -> None:
    """Refuse what a training on simulated pairs has no use for."""
    for name, value in (
        ("--bright-field", bright_field),
        ("--fluorescence", fluorescence),
        ("--planes", planes),
        ("--validation-groups", groups),
        ("--folds", folds),
    ):
        if value:
            raise InputError(
                f"{name} was given with --simulate-like: there the movie is the only input, and "
                "simulated scenes of their own judge."
            )


def _config(preset_name: str, **given: Any) -> TrainingConfig:
    """Return the preset, updated with the given options."""
    from ..training import preset

    changes = {name: value for name, value in given.items() if value is not None}
    if "steps" in changes and "epochs" in changes:
        raise InputError("Both --steps and --epochs were given: expected one of them.")
    config = preset(preset_name)
    if "learning_rate" in changes:
        rate = {"learning_rate": changes.pop("learning_rate")}
        changes["optimisation"] = config.optimisation.model_dump() | rate
    return config.updated(**changes)


def _pairs(
    job: Job,
    bright_field: str,
    fluorescence: str | None,
    regions: list[Region],
    *,
    planes: dict[str, Any],
    **options: Any,
) -> CorrelativePairs:
    from ..data import match_pairs

    pairs = match_pairs(
        bright_field,
        fluorescence,
        **planes,
        progress=job.progress,
        cancel=job.cancel,
        **options,
    )
    for note in pairs.notes:
        job.note(f"Note: {note}")
    return _with_pixel_size(pairs).within(regions)


def _with_pixel_size(pairs: CorrelativePairs) -> CorrelativePairs:
    """Return the pairs, with their pixel size asked for where the files do not say it."""
    if pairs.pixel_size_um is not None or not is_terminal():
        return pairs
    given = typer.prompt(
        "The images do not say their pixel size. Pixel size in µm (0: unknown)",
        default=0.0,
        type=float,
        err=True,
    )
    if not given:
        return pairs
    return replace(pairs, pixel_size_um=check_positive(given, "pixel size", "µm"))


def _events(
    pairs: CorrelativePairs, config: TrainingConfig, folds: int | None, **how: Any
) -> Iterator[TrainingEvent]:
    from ..training import cross_validation_events, train_events

    if folds:
        return cross_validation_events(pairs, config, folds=folds, **how)
    return train_events(pairs, config, **how)


def _result(
    job: Job, events: Iterator[TrainingEvent], minutes: float | None
) -> TrainingResult | None:
    """Train with a bar, and with warnings and held-out scores as lines.

    None in a process that only helps: an error there would make `torchrun` stop the first
    process, which still judges and writes the model.
    """
    from ..training import (
        FoldFinished,
        FoldStarted,
        StepReporter,
        TrainingFinished,
        TrainingPrepared,
        TrainingWarning,
        Validated,
    )

    reporter = StepReporter(job.progress, minutes)
    for event in events:
        reporter.follow(event)
        if isinstance(event, FoldStarted | FoldFinished):
            job.note(event.text)
        elif isinstance(event, TrainingPrepared):
            job.note(
                f"{event.train_pairs} pairs train, {event.validation_pairs} are held out; "
                f"{event.parameters / 1e6:.2g} million weights on {event.device}"
            )
        elif isinstance(event, TrainingWarning):
            job.note(f"Warning: {event.message}")
        elif isinstance(event, Validated):
            scores = ", ".join(f"{name} {value:.3g}" for name, value in event.scores.items())
            job.note(f"step {event.step}, held out: {scores}{' (best)' * event.is_best}")
        elif isinstance(event, TrainingFinished):
            return event.result
    return None


def _say_result(job: Job, result: TrainingResult) -> None:
    early = " (stopped early)" if result.stopped_early else ""
    job.say(f"{result.path}: model after {result.steps} steps{early}")
    job.say(f"{result.history}: losses and held-out scores over the steps")
    if result.report is not None:
        job.say(f"{result.report}: held-out scores beside trivial baselines")
    if result.scores is None:
        job.say("No honest score can be given: no cell or movie was held out.")
        return
    means = result.scores.groupby("method")[["bandpass_pearson", "pearson", "ssim"]].mean()
    for method, row in means.iterrows():
        fine, whole, similarity = (_shown(value) for value in row)
        job.say(f"{method}: band-pass Pearson {fine}, Pearson {whole}, SSIM {similarity}")


def _shown(score: float) -> str:
    return f"{score:.3f}" if math.isfinite(score) else "undefined"


def _region(text: str) -> Region:
    """Return the region that ``Y0:Y1,X0:X1`` names."""
    from ..data import Region

    match = re.fullmatch(r"\s*(\d+):(\d+)\s*,\s*(\d+):(\d+)\s*", text)
    if match is None:
        raise InputError(
            f"The region {text!r} cannot be understood: expected Y0:Y1,X0:X1 in pixels, such as "
            "0:256,100:356."
        )
    y0, y1, x0, x1 = map(int, match.groups())
    if y0 >= y1 or x0 >= x1:
        raise InputError(f"The region {text!r} is empty: expected Y0 below Y1 and X0 below X1.")
    return Region(y0, x0, y1, x1)
