"""Events of a running training, for a dock, a progress bar or a log."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

    from ..models import ModelCard


@dataclass(frozen=True, slots=True)
class TrainingPrepared:
    """Start of the first step, after all checks.

    Attributes
    ----------
    steps, first_step : int
        Steps in all, and where a resumed training goes on.
    train_pairs, validation_pairs : int
        How many.
    split : dict
        The model card's description of the split.
    parameters : int
        Weights of the generator.
    device, precision : str
        On what, and how exactly.
    crop_size : int
        Side of the crops, after fitting it to the frames.
    reached : dict
        What the foreground and focus filters left.
    baselines : dict of str to dict of str to float
        Pearson and band-pass Pearson that cost nothing, for each trivial method.
    """

    steps: int
    first_step: int
    train_pairs: int
    validation_pairs: int
    split: dict[str, Any]
    parameters: int
    device: str
    precision: str
    crop_size: int
    reached: dict[str, float]
    baselines: dict[str, dict[str, float]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FoldStarted:
    """Start of one of the trainings of a cross-validation.

    Attributes
    ----------
    groups : tuple of str
        Held out; none for the last training, that of all pairs.
    number, folds : int
        Which training, counted from 1, and of how many folds.
    """

    groups: tuple[str, ...]
    number: int
    folds: int

    @property
    def text(self) -> str:
        """What is done, for a progress bar.

        Examples
        --------
        >>> FoldStarted(("cell 2",), 2, 5).text
        'fold 2 of 5, without cell 2'
        """
        if not self.groups:
            return "training on all pairs"
        return f"fold {self.number} of {self.folds}, without {', '.join(self.groups)}"


@dataclass(frozen=True, slots=True)
class FoldFinished:
    """End of a fold, with its groups judged.

    Attributes
    ----------
    groups : tuple of str
        Held out.
    number, folds : int
        Which fold, counted from 1, of how many.
    scores : DataFrame
        One row for each held-out image and method, as :class:`TrainingResult` has them.
    """

    groups: tuple[str, ...]
    number: int
    folds: int
    scores: pd.DataFrame

    @property
    def text(self) -> str:
        """The fold with its means, for a line of a dock or a log.

        Examples
        --------
        >>> import pandas as pd
        >>> row = {"method": "virtual stain", "pearson": 0.61, "bandpass_pearson": 0.33}
        >>> FoldFinished(("cell 2",), 2, 5, pd.DataFrame([row])).text
        'fold 2 of 5, without cell 2: Pearson 0.61, band-pass Pearson 0.33'
        """
        own = self.scores[self.scores["method"] == "virtual stain"]
        fold = FoldStarted(self.groups, self.number, self.folds).text
        whole, fine = own["pearson"].mean(), own["bandpass_pearson"].mean()
        return f"{fold}: Pearson {whole:.2f}, band-pass Pearson {fine:.2f}"


@dataclass(frozen=True, slots=True)
class TrainingWarning:
    """Problem that the user should know; the training continues."""

    message: str


@dataclass(frozen=True, slots=True)
class StepFinished:
    """End of one step.

    Attributes
    ----------
    step, steps : int
        Which, of how many; counted from 1.
    loss : float
        The generator's whole loss.
    terms : dict of str to float
        Its parts before their weights, and ``discriminator``.
    learning_rate : float
        Of this step.
    seconds : float
        Since the training began.
    """

    step: int
    steps: int
    loss: float
    terms: dict[str, float]
    learning_rate: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Preview:
    """One held-out image with what the network makes of it, in the target's units.

    `before` is what the starting model made of it, where there is one.
    """

    name: str
    bright_field: NDArray[np.float32]
    fluorescence: NDArray[np.float32]
    virtual: NDArray[np.float32]
    before: NDArray[np.float32] | None = None


@dataclass(frozen=True, slots=True)
class Validated:
    """Scores of the held-out images.

    Attributes
    ----------
    step : int
        After which step.
    scores : dict of str to float
        ``loss``, ``pearson`` and ``bandpass_pearson``.
    is_best : bool
        Whether it is the best so far.
    preview : Preview
        One of the images.
    """

    step: int
    scores: dict[str, float]
    is_best: bool
    preview: Preview


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """A finished training.

    Attributes
    ----------
    path : Path
        The model file.
    card : ModelCard
        Its card.
    scores : DataFrame or None
        One row for each held-out image and method (``virtual stain`` and the trivial baselines);
        None when no honest score can be given.
    history : Path
        CSV of losses and scores over the steps.
    report : Path or None
        Page with the held-out scores.
    steps : int
        Steps that were made.
    stopped_early : bool
        Whether patience ended it.
    warnings : tuple of str
        All that were given.
    worst : tuple of Preview
        The held-out images with the lowest band-pass Pearson, worst first.
    """

    path: Path
    card: ModelCard
    scores: pd.DataFrame | None
    history: Path
    report: Path | None
    steps: int
    stopped_early: bool = False
    warnings: tuple[str, ...] = field(default=())
    worst: tuple[Preview, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class TrainingFinished:
    """End of a training, with its model written."""

    result: TrainingResult


TrainingEvent: TypeAlias = (
    FoldStarted
    | FoldFinished
    | TrainingPrepared
    | TrainingWarning
    | StepFinished
    | Validated
    | TrainingFinished
)
