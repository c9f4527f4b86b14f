"""Baselines and outcome of a job folder, for the dock that watches it."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..errors import InputError
from ..io import write_bytes_atomically
from ..models import read_card
from .training_events import (
    Preview,
    TrainingEvent,
    TrainingFinished,
    TrainingPrepared,
    TrainingResult,
)

if TYPE_CHECKING:
    from .job_folder import TrainingJob

_BASELINES, _OUTCOME = "baselines.json", "outcome.npz"
_IMAGES = tuple(field.name for field in fields(Preview) if field.name != "name")


def kept_in_folder(job: TrainingJob, events: Iterator[TrainingEvent]) -> Iterator[TrainingEvent]:
    """Yield the events of a job; keep its baselines and its outcome in the folder.

    The outcome is written last, after the model: where it is, the job is done.

    Examples
    --------
    >>> import tempfile
    >>> from napari_virtualstain.data import CorrelativePairs
    >>> from napari_virtualstain.training import TrainingWarning, preset, write_job
    >>> planes = np.random.default_rng(0).normal(size=(2, 32, 32))
    >>> pairs = CorrelativePairs.from_arrays(planes, planes)
    >>> job = write_job(Path(tempfile.mkdtemp()) / "job", pairs, preset("A"))
    >>> [event.message for event in kept_in_folder(job, iter([TrainingWarning("few pairs")]))]
    ['few pairs']
    """
    (job.folder / _OUTCOME).unlink(missing_ok=True)
    for event in events:
        if isinstance(event, TrainingPrepared):
            text = json.dumps(event.baselines)
            write_bytes_atomically(job.folder / _BASELINES, text.encode())
        elif isinstance(event, TrainingFinished):
            content = _packed(event.result, job.folder.absolute())
            write_bytes_atomically(job.folder / _OUTCOME, content)
        yield event


def baselines_of_job(folder: Path) -> dict[str, dict[str, float]]:
    """Return the scores of trivial methods that a job has written, none before it began.

    Examples
    --------
    >>> baselines_of_job(Path("no such folder"))
    {}
    """
    try:
        found: dict[str, dict[str, float]] = json.loads((folder / _BASELINES).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found


def outcome_of_job(model: Path) -> TrainingResult | None:
    """Return the result of the job that has written `model`, None while it is not done.

    Raises
    ------
    InputError
        The outcome cannot be read.

    Examples
    --------
    >>> outcome_of_job(Path("no such folder/mine.safetensors")) is None
    True
    """
    path = model.parent / _OUTCOME
    if not path.exists():
        return None
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as arrays:
            return _unpacked(model, dict(arrays))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(
            f"The outcome of the job in {str(model.parent)!r} cannot be read ({error})."
        ) from error


def _packed(result: TrainingResult, folder: Path) -> bytes:
    """Return table and worst images as the bytes of an ``.npz`` file."""
    text: dict[str, Any] = {
        "scores": None if result.scores is None else result.scores.to_csv(index=False),
        "worst": [one.name for one in result.worst],
        "report": None if result.report is None else str(result.report.relative_to(folder)),
    }
    arrays = {
        f"{name}_{number}": image
        for number, one in enumerate(result.worst)
        for name in _IMAGES
        if (image := getattr(one, name)) is not None
    }
    buffer = io.BytesIO()
    np.savez_compressed(buffer, text=np.array(json.dumps(text)), **arrays)
    return buffer.getvalue()


def _unpacked(model: Path, arrays: dict[str, Any]) -> TrainingResult:
    text = json.loads(str(arrays["text"]))
    card, folder, scores = read_card(model), model.parent, text["scores"]
    return TrainingResult(
        path=model,
        card=card,
        scores=None if scores is None else pd.read_csv(io.StringIO(scores)),
        history=folder / "history.csv",
        report=None if text["report"] is None else folder / text["report"],
        steps=int(card.training["steps"]),
        stopped_early=bool(card.training["stopped_early"]),
        warnings=tuple(card.training["warnings"]),
        worst=tuple(
            _preview(name, {key: arrays.get(f"{key}_{number}") for key in _IMAGES})
            for number, name in enumerate(text["worst"])
        ),
    )


def _preview(name: str, images: dict[str, Any]) -> Preview:
    return Preview(name, **images)
