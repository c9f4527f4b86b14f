"""``virtualstain train-segmenter``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import InputError
from ..settings import SegmenterTraining, checked_settings
from .options import Axes, Overwrite, PixelSize, Resume, given_options, setting_option
from .running import Job, running_job


def train_segmenter(
    images: Annotated[str, typer.Option(help="Folder, glob or file of fluorescence.")],
    labels: Annotated[
        str, typer.Option(help="Folder, glob or file of labels with the same names.")
    ],
    out: Annotated[
        Path, typer.Option("--output", "-o", help="Model file to write, ends in .safetensors.")
    ],
    init: Annotated[
        str, typer.Option(help="Model to start from, or none for a new network.")
    ] = "mito-segment",
    painted: Annotated[
        bool,
        typer.Option(
            "--painted",
            help="Labels are brush strokes: 0 unknown, 1 background, mitochondria from 2.",
        ),
    ] = False,
    steps: Annotated[int | None, setting_option(SegmenterTraining, "steps")] = None,
    held_out: Annotated[float | None, setting_option(SegmenterTraining, "held_out")] = None,
    axes: Axes = None,
    pixel_size_um: PixelSize = None,
    seed: Annotated[int | None, setting_option(SegmenterTraining, "seed")] = None,
    resume: Resume = False,
    overwrite: Overwrite = False,
) -> None:
    """Train or fine-tune a segmenter on images and their labels.

    Some labels are held out; the score before and after on these is reported.

    Example:  virtualstain train-segmenter --images fl/ --labels lab/ -o mine.safetensors
    """
    from ..io import check_output, remove

    with running_job() as job:
        if out.suffix != ".safetensors":
            raise InputError(f"The model {out}: expected a name that ends in .safetensors.")
        check_output(out, overwrite=overwrite)
        names, pictures, truths, size_um = _pairs(job, images, labels, axes, pixel_size_um)
        from ..segmentation import train_segmenter as train

        settings = checked_settings(
            SegmenterTraining, **given_options(steps=steps, held_out=held_out, seed=seed)
        )

        checkpoint = out.with_name(out.name + ".checkpoint")
        if not resume:
            remove(checkpoint)
        result = train(
            pictures,
            truths,
            out,
            init=None if init == "none" else init,
            painted=painted,
            settings=settings,
            pixel_size_um=size_um,
            names=names,
            checkpoint=checkpoint,
            overwrite=overwrite,
            progress=job.progress,
            cancel=job.cancel,
        )
        job.say(f"{result.path}: segmenter after {settings.steps} steps")
        job.say(result.summary)


def _pairs(
    job: Job, images: str, labels: str, axes: str | None, pixel_size_um: float | None
) -> tuple[list[str], list[Any], list[Any], float | None]:
    """Return names, images, labels and pixel size of the pairs matched by name."""
    import numpy as np

    from ..data import match_names
    from ..io import image_paths, open_stack

    first, second = image_paths(images), image_paths(labels)
    if len(first) == len(second) == 1:
        pairs: Any = [(0, 0)]
    else:
        match = match_names([path.name for path in first], [path.name for path in second])
        pairs = match.pairs
        lonely = [name for side in match.left_over for name in side]
        if lonely or not pairs:
            raise InputError(
                f"{len(pairs)} of {len(first)} images and {len(second)} labels match by name; "
                f"without partner: {', '.join(lonely[:5])}. Give both of a pair one name."
            )
    names, pictures, truths, size_um = [], [], [], pixel_size_um
    for image_index, label_index in pairs:
        job.cancel.raise_if_cancelled()
        image = open_stack(first[image_index], axes=axes, pixel_size_um=pixel_size_um)
        label = open_stack(second[label_index], axes=axes)
        if image.shape != label.shape or label.dtype.kind not in "ui":
            raise InputError(
                f"{image.source} has shape {image.shape}, its labels {label.source} "
                f"{label.shape} of type {label.dtype}: expected equal shapes and whole numbers."
            )
        size_um = size_um or image.pixel_size_um
        names.append(image.name)
        pictures.append(np.asarray(image.data))
        truths.append(np.asarray(label.data))
    job.note(f"labelled images: {len(names)}")
    return names, pictures, truths, size_um
