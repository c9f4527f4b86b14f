"""The work of the dock `Export figure`: napari takes the pictures, a thread writes them."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...errors import InputError
from ...progress import Reporter
from ..kit.jobs import JobContext

if TYPE_CHECKING:
    from tifffile import TiffWriter

ENDINGS = (".png", ".tif", ".tiff")
_CLASSIC_TIFF_BYTES = 2**32 - 2**25


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
    """Call for a picture of a request, which the GUI thread takes; None: the visible frame."""

    request: FigureRequest
    frame: int | None


def figure_job(request: FigureRequest, context: JobContext) -> Generator[Take, None, FigureRequest]:
    """Yield what pictures are to be taken, and write them; one file, or one a frame as PNG.

    Returns the request.

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
    for one in paths:
        check_output(one, overwrite=False)
    reporter = Reporter(len(request.frames), "frame", "exporting", context.progress, context.cancel)
    pages: TiffWriter | None = None
    with contextlib.ExitStack() as opened:
        for place, frame in enumerate(request.frames):
            reporter.check()
            yield Take(request, frame)
            context.wait_until_shown(most_s=60)
            if frame not in request.pictures:
                raise InputError("napari took no picture: no layer is visible. Show one first.")
            picture = request.pictures.pop(frame)
            if ending == ".png":
                _write_png(paths[place], picture)
            else:
                if pages is None:
                    pages = opened.enter_context(_tiff(path, len(request.frames) * picture.nbytes))
                pages.write(picture, photometric="rgb", compression="zlib", metadata=None)
            reporter.advance()
    return request


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


@contextlib.contextmanager
def _tiff(path: Path, size_bytes: int) -> Iterator[TiffWriter]:
    """Hold a TIFF that appears under its name when it is complete."""
    import tifffile

    from ...io import atomic_path

    with (
        atomic_path(path, overwrite=False) as temporary,
        tifffile.TiffWriter(temporary, bigtiff=size_bytes >= _CLASSIC_TIFF_BYTES) as pages,
    ):
        yield pages


def _write_png(path: Path, picture: np.ndarray) -> None:
    import imageio.v3 as imageio

    from ...io import atomic_path

    with atomic_path(path, overwrite=False) as temporary:
        imageio.imwrite(temporary, picture, extension=".png")
