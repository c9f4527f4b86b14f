"""Fine-tuning the segmenter on frames that the user has corrected with the brush."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ...settings import SegmenterTraining
from ..kit.jobs import JobContext
from ..kit.worker_threads import import_torch


@dataclass(frozen=True, slots=True)
class FineTuneRequest:
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
    threads : int
        See :class:`Preferences`.
    settings : SegmenterTraining
        Of the training.
    """

    images: tuple[np.ndarray, ...]
    labels: tuple[np.ndarray, ...]
    init: str
    pixel_size_um: float
    output: Path
    threads: int
    settings: SegmenterTraining = field(default_factory=SegmenterTraining)


@dataclass(frozen=True, slots=True)
class FineTuned:
    """Fine-tuned segmenter, as the dock shows it.

    Attributes
    ----------
    result : SegmenterResult
        Model file, card and held-out scores.
    pictures : tuple of ndarray (Y, X)
        The last corrected frame: fluorescence, outlines before, after, and as corrected.
    """

    result: Any
    pictures: tuple[np.ndarray, ...]


def fine_tuning_job(request: FineTuneRequest, context: JobContext) -> FineTuned:
    """Return the result of the fine-tuning; the model is in the user's folder then."""
    import_torch(context.cancel)
    from ...engine import use_threads
    from ...segmentation import train_segmenter

    use_threads(request.threads)
    result = train_segmenter(
        # one movie: neighbouring frames, all but alike, are no test of each other
        [np.stack(request.images)],
        [np.stack(request.labels)],
        request.output,
        init=request.init,
        settings=request.settings,
        pixel_size_um=request.pixel_size_um,
        progress=context.progress,
        cancel=context.cancel,
    )
    image, corrected = request.images[-1], request.labels[-1]
    made = [
        outlines(_segmented(image, model, request, context))
        for model in (request.init, str(request.output))
    ]
    return FineTuned(result, (np.asarray(image), *made, outlines(corrected)))


def _segmented(
    image: np.ndarray, model: str, request: FineTuneRequest, context: JobContext
) -> np.ndarray:
    from ...segmentation import segment

    size_um = request.pixel_size_um
    return np.asarray(segment(image, model, pixel_size_um=size_um, cancel=context.cancel))


def outlines(labels: np.ndarray) -> np.ndarray:
    """Return labels as a picture: objects grey, their borders white.

    Examples
    --------
    >>> outlines(np.pad(np.ones((3, 3), int), 1))[2]
    array([  0, 255,  90, 255,   0], dtype=uint8)
    """
    from skimage.segmentation import find_boundaries

    marks = np.asarray(labels)
    picture = np.where(marks > 0, 90, 0).astype(np.uint8)
    picture[find_boundaries(marks, mode="inner")] = 255
    return picture
