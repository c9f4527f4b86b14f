"""The part of ``virtualstain train`` for a microscope without fluorescence."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import InputError
from ..settings import PairSettings, TrainSettings
from .options import open_input, setting_option
from .running import Job

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..data import CorrelativePairs
    from ..io import Stack
    from ..training import TrainingConfig

_MOST_FRAMES = 12
_WORDS = {"na": "an aperture of", "n_immersion": "an immersion index of"}
_LIKE = "--simulate-like"

NumericalAperture = Annotated[
    float | None, setting_option(TrainSettings, "numerical_aperture", "--na", only_with=_LIKE)
]
ImmersionIndex = Annotated[
    float | None,
    setting_option(TrainSettings, "immersion_index", only_with=_LIKE, default="from --na"),
]
Emission = Annotated[
    float | None, setting_option(TrainSettings, "wavelength_um", "--emission-um", only_with=_LIKE)
]
SimulatedPairs = Annotated[int, setting_option(PairSettings, "simulated_pairs", only_with=_LIKE)]
Illumination = Annotated[
    float | None,
    typer.Option("--illumination-um", help="With --simulate-like: bright-field wavelength [0.45]."),
]
Condenser = Annotated[
    float | None,
    typer.Option(
        "--condenser-na", help="With --simulate-like: NA of the condenser; varied if not given."
    ),
]
FocusOffset = Annotated[
    float | None,
    typer.Option(
        "--focus-offset-um",
        help="With --simulate-like: offset of the bright-field focus from the fluorescence focus, "
        "towards the objective; varied if not given.",
    ),
]


def simulated(
    job: Job,
    movie: str,
    config: TrainingConfig,
    optics: dict[str, float],
    *,
    number: int,
    axes: str | None,
    channel: str | None,
    pixel_size_um: float | None,
) -> tuple[CorrelativePairs, TrainingConfig]:
    """Return pairs simulated like a movie, and the settings to train on them.

    Raises
    ------
    InputError
        The movie has no pixel size, the optics are impossible, or nothing resembles it.
    """
    from ..simulation import Microscope
    from ..training import simulated_training

    stack = open_input(movie, job, axes=axes, channel=channel, pixel_size_um=pixel_size_um)
    if stack.pixel_size_um is None:
        raise InputError(
            "The movie does not say its pixel size, and scenes are simulated for it: give it "
            "(--pixel-size-um)."
        )
    stated = stack.optics.as_record()
    of_file = {"na": "numerical_aperture", "n_immersion": "immersion_index"}
    known = {name: stated[key] for name, key in of_file.items() if key in stated}
    if taken := {name: value for name, value in known.items() if name not in optics}:
        listed = ", ".join(f"{_WORDS[name]} {value:g}" for name, value in taken.items())
        job.note(f"Note: the movie states {listed}.")
    optics = {**known, **optics}
    microscope = replace(Microscope(), **optics)
    if "n_immersion" not in optics and "na" in optics:
        microscope = replace(microscope, n_immersion=usual_immersion(optics["na"]))
    made = simulated_training(
        frames_of(stack),
        config,
        pixel_size_um=stack.pixel_size_um,
        microscope=microscope,
        focus_known="bright_field_offset_um" in optics,
        condenser_known="condenser_na" in optics,
        number=number,
        source=stack.name,
        progress=job.progress,
        cancel=job.cancel,
    )
    for note in made.notes:
        job.note(f"Note: {note}")
    return made.pairs, made.config


def usual_immersion(na: float) -> float:
    """Return the index of the medium that objectives of that aperture have.

    Examples
    --------
    >>> usual_immersion(0.75), usual_immersion(1.2), usual_immersion(1.4)
    (1.0, 1.33, 1.515)
    """
    return 1.0 if na < 1 else 1.33 if na <= 1.27 else 1.515


def frames_of(stack: Stack) -> list[NDArray[Any]]:
    """Return up to a dozen frames of a stack, spread over time; of z-stacks the middle plane."""
    import numpy as np

    from ..normalisation import spread_evenly

    data = stack.data
    axes = stack.axes
    if "z" in axes:
        data = np.take(data, stack.sizes["z"] // 2, axis=axes.index("z"))
        axes = axes.replace("z", "")
    if axes == "yx":
        return [np.asarray(data)]
    return [np.asarray(data[index]) for index in spread_evenly(_MOST_FRAMES, len(data))]
