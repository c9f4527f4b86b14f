"""Fine-tuning the segmenter on frames that the user has corrected with the brush."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .background import import_torch
from .jobs import JobContext


@dataclass(frozen=True, slots=True)
class LearnRequest:
    """Everything that the thread needs, copied from the dock in the GUI thread.

    Attributes
    ----------
    images : tuple of ndarray (Y, X)
        Fluorescence of the corrected frames.
    labels : tuple of ndarray (Y, X) of int
        What the user made of them; 0 is background.
    init : str
        Segmenter to start from, name or path.
    pixel_size_um : float
        Of the images.
    output : Path
        Model file to write.
    steps, crop, batch_size : int
        Of the training.
    """

    images: tuple[np.ndarray, ...]
    labels: tuple[np.ndarray, ...]
    init: str
    pixel_size_um: float
    output: Path
    steps: int = 150
    crop: int = 128
    batch_size: int = 6


def learn_job(request: LearnRequest, context: JobContext) -> Any:
    """Return the result of the fine-tuning; the model is in the user's folder then."""
    import_torch()
    from ..segmentation import SegmenterTraining, train_segmenter

    settings = SegmenterTraining(
        steps=request.steps, crop=request.crop, batch_size=request.batch_size
    )
    return train_segmenter(
        list(request.images),
        list(request.labels),
        request.output,
        init=request.init,
        settings=settings,
        pixel_size_um=request.pixel_size_um,
        progress=context.progress,
        cancel=context.cancel,
    )


def free_path(folder: Path, stem: str) -> Path:
    """Return a model path in `folder` that is not taken, numbered if need be.

    Examples
    --------
    >>> free_path(Path("no-such-folder"), "cell corrected").name
    'cell corrected.safetensors'
    """
    path, number = folder / f"{stem}.safetensors", 2
    while path.exists():
        path, number = folder / f"{stem} {number}.safetensors", number + 1
    return path
