"""Where a training writes: the model, its history, its report, its checkpoint."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..errors import ModelError, OutputExistsError
from ..models import user_model_folder
from .config import TrainingConfig

_SUFFIX = ".safetensors"


@dataclass(frozen=True, slots=True)
class Places:
    """Files of one training.

    Attributes
    ----------
    model : Path
        ``<name>.safetensors``.
    history : Path
        ``history.csv``.
    report : Path
        Folder of the held-out scores.
    checkpoint : Path
        For resuming; deleted when the training is complete.
    """

    model: Path
    history: Path
    report: Path
    checkpoint: Path


def places_for(
    config: TrainingConfig, output: str | Path | None, *, overwrite: bool, resume: bool
) -> Places:
    """Return where to write, after making sure that nothing is lost.

    A model with a path has its history and report beside it; one without goes to the
    user's models, where it is listed at once, with a folder of its own for the rest.

    Raises
    ------
    ModelError, OutputExistsError
        The suffix is wrong, or something is there already.
    """
    if output is None:
        model = user_model_folder() / f"{config.name}{_SUFFIX}"
        beside = model.with_name(f"{model.stem}.training")
    else:
        model = Path(output).expanduser().absolute()
        beside = model.parent
    if model.suffix != _SUFFIX:
        raise ModelError(f"A model file ends in {_SUFFIX}, but {model.name!r} was given.")
    places = Places(
        model=model,
        history=beside / "history.csv",
        report=beside / "report",
        checkpoint=model.with_name(f"{model.stem}.training") / "checkpoint.pt",
    )
    if not overwrite and not resume:
        for path in (places.model, places.history, places.report):
            if path.exists():
                raise OutputExistsError(
                    f"{str(path)!r} exists already. Choose another output, or ask for overwriting "
                    "or for resuming."
                )
    if resume and places.model.exists() and not overwrite:
        raise OutputExistsError(
            f"{str(places.model)!r} is complete already: there is nothing to resume. Ask for "
            "overwriting to train it again."
        )
    return places
