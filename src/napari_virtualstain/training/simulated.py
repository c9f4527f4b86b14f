"""Training for a microscope without fluorescence: on simulated pairs like its bright-field."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..data import CorrelativePairs
from ..progress import CancelToken, ProgressCallback
from ..simulation import Microscope, simulate_like
from .training_config import TrainingConfig

_HELD_OUT = "simulated, held out"
_FAR = 1.3
SIMULATED_PROMISE = (
    "No real fluorescence taught or judged this model: its scores are of simulated scenes like the "
    "movie. On real H9c2 cells a network that saw simulated pairs only reached Pearson 0.56 to "
    "0.58 and band-pass Pearson 0.29 to 0.30. Judge it on one pair of your own before you measure."
)


@dataclass(frozen=True, slots=True, eq=False)
class SimulatedTraining:
    """Pairs and settings of a training that resembles a movie.

    Attributes
    ----------
    pairs : CorrelativePairs
        Simulated; each tenth is held out to judge.
    config : TrainingConfig
        The settings, with the optics, and with the scenes that judge.
    distance : float
        How far the movie lies from the scenes, about 1 if it could be one of them.
    notes : tuple of str
        What the user should know.
    """

    pairs: CorrelativePairs
    config: TrainingConfig
    distance: float
    notes: tuple[str, ...]


def simulated_training(
    bright_field: Sequence[NDArray[np.generic]],
    config: TrainingConfig,
    *,
    pixel_size_um: float,
    microscope: Microscope | None = None,
    focus_known: bool = False,
    condenser_known: bool = False,
    number: int = 200,
    source: str = "",
    progress: ProgressCallback | None = None,
    cancel: CancelToken | None = None,
) -> SimulatedTraining:
    """Return pairs and settings for a microscope of which there is only bright-field.

    Parameters
    ----------
    bright_field : sequence of ndarray of shape (Y, X)
        Frames of the user's movie.
    config : TrainingConfig
        Settings to start from; network, steps and seed are kept.
    pixel_size_um, microscope, focus_known, condenser_known, number
        As for :func:`napari_virtualstain.simulation.simulate_like`.
    source : str
        Name of the movie, for the card.
    progress, cancel
        See :mod:`napari_virtualstain.progress`.

    Raises
    ------
    InputError
        The optics are impossible, or no scene resembles the movie.
    CancelledError
        Cancelled.

    Examples
    --------
    >>> from napari_virtualstain.simulation import simulate_frames
    >>> from napari_virtualstain.training import preset
    >>> frame = next(simulate_frames(1, size=64)).bright_field
    >>> made = simulated_training([frame], preset(), pixel_size_um=0.08, number=10)
    >>> made.config.validation_groups
    ('simulated, held out',)
    """
    optics = microscope or Microscope()
    size = int(min(256, *(min(frame.shape) for frame in bright_field))) if bright_field else 256
    like = simulate_like(
        bright_field,
        pixel_size_um=pixel_size_um,
        microscope=optics,
        focus_known=focus_known,
        condenser_known=condenser_known,
        number=number,
        size=size,
        seed=config.seed,
        progress=progress,
        cancel=cancel,
    )
    # the photo-electrons before noise: the mean of the noisy ones, found in fewer steps
    pairs = CorrelativePairs.from_arrays(
        [still.bright_field for still in like.stills],
        [still.expected_fluorescence for still in like.stills],
        groups=[_HELD_OUT if i % 10 == 0 else "simulated" for i in range(len(like.stills))],
        movies=[str(i) for i in range(len(like.stills))],  # each has a camera of its own
        pixel_size_um=pixel_size_um,
    )
    notes = [SIMULATED_PROMISE]
    if like.distance > _FAR:
        notes.append(
            f"The movie lies {like.distance:.1f} times as far from the nearest simulated scenes as "
            "they lie from each other: pixel size or optics may differ from what was given."
        )
    settings = config.updated(
        data_source=f"{number} simulated pairs like {source or 'a movie'}; no real fluorescence",
        validation_groups=[_HELD_OUT],
        pixel_size_um=pixel_size_um,
        wavelength_um=optics.emission_um,
        numerical_aperture=optics.na,
        immersion_index=optics.n_immersion,
    )
    return SimulatedTraining(pairs.with_notes(*notes), settings, like.distance, tuple(notes))
