"""The work of the dock `Export figure`: napari takes the pictures, a thread writes them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ...errors import InputError
from ...progress import Reporter
from ..kit.jobs import JobContext

ENDINGS = (".png", ".tif", ".tiff")


@dataclass(frozen=True, slots=True)
class FigureRequest:
    """Request to write pictures.

    Attributes
    ----------
    path : Path
        Of the picture; of several PNG files, without their numbers.
    frames : tuple of int or None
        Frames to take one after another, None for the visible one alone.
    pictures : dict
        Filled by the GUI thread: pixels by frame, (Y, X, 3) uint8.
    """

    path: Path
    frames: tuple[int | None, ...]
    pictures: dict[int | None, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Take:
    """Call for a picture, which the GUI thread takes; None stands for the visible frame."""

    frame: int | None


def figure_job(request: FigureRequest, context: JobContext) -> Iterator[Take]:
    """Yield what pictures are to be taken, and write them; one file, or one a frame as PNG.

    Raises
    ------
    InputError
        The ending is unknown, or napari took no picture.
    OutputError
        A file is there, or cannot be written.
    """
    from ...io import check_output

    path, ending = request.path, request.path.suffix.lower()
    if ending not in ENDINGS:
        raise InputError(
            f"A figure cannot be written as {ending or 'a file without an ending'}: expected "
            f"{', '.join(ENDINGS)}."
        )
    paths = files_of(path, request.frames)
    is_stack = len(paths) < len(request.frames)
    for one in paths:
        check_output(one, overwrite=False)
    reporter = Reporter(len(request.frames), "frame", "exporting", context.progress, context.cancel)
    kept: list[np.ndarray] = []
    for place, frame in enumerate(request.frames):
        reporter.check()
        yield Take(frame)
        context.wait_until_shown(most_s=60)
        if frame not in request.pictures:
            raise InputError("napari took no picture: no layer is visible. Show one first.")
        picture = request.pictures.pop(frame)
        if is_stack:
            kept.append(picture)
        else:
            _write(paths[place], picture)
        reporter.advance()
    if is_stack:
        _write(path, np.stack(kept))


def files_of(path: Path, frames: tuple[int | None, ...]) -> list[Path]:
    """Return the files of a figure: one, or one PNG a frame.

    Examples
    --------
    >>> [name.name for name in files_of(Path("figure.png"), (0, 12))]
    ['figure_00.png', 'figure_12.png']
    >>> [name.name for name in files_of(Path("figure.tif"), (0, 12))]
    ['figure.tif']
    """
    if len(frames) == 1 or path.suffix.lower() != ".png":
        return [path]
    digits = len(str(max(frame or 0 for frame in frames)))
    return [path.with_name(f"{path.stem}_{frame or 0:0{digits}}{path.suffix}") for frame in frames]


def free_figure_path(path: Path, frames: tuple[int | None, ...]) -> Path:
    """Return `path`, or a numbered one where any of its files is there: none is ever replaced."""
    from ...io import free_path

    return free_path(path, lambda one: any(file.exists() for file in files_of(one, frames)))


def _write(path: Path, picture: np.ndarray) -> None:
    import imageio.v3 as imageio
    import tifffile

    from ...io import atomic_path

    with atomic_path(path, overwrite=True) as temporary:
        if path.suffix.lower() == ".png":
            imageio.imwrite(temporary, picture, extension=".png")
        else:
            tifffile.imwrite(temporary, picture, photometric="rgb", compression="zlib")
