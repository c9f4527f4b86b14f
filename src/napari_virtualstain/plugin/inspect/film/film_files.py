"""Writing the film of a mitochondrion to a file: PNG or TIFF as a strip, GIF or MP4 playing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from qtpy.QtGui import QImage

from ....errors import InputError
from ..summary_rows import Scale
from .cells import Film
from .drawing import film_image, frame_image

STILLS, MOVIES = (".png", ".tif", ".tiff"), (".gif", ".mp4")
FILTER = "PNG strip (*.png);;TIFF strip (*.tif);;GIF film (*.gif);;MP4 film (*.mp4)"
_FRAMES_PER_S = 6
_MOVIE: dict[str, dict[str, Any]] = {
    ".gif": {"duration": 1000 / _FRAMES_PER_S, "loop": 0},
    ".mp4": {"plugin": "pyav", "codec": "libx264", "fps": _FRAMES_PER_S},
}


def write_film(film: Film, scale: Scale, path: str | Path) -> Path:
    """Write a film; the ending of the name says how. A file that is there is replaced.

    Raises
    ------
    InputError
        The ending is unknown.
    OutputError
        The file cannot be written.
    """
    from ....io import atomic_path

    path = Path(path)
    ending = path.suffix.lower()
    if ending not in (*STILLS, *MOVIES):
        raise InputError(
            f"A film cannot be written as {ending or 'a file without an ending'}: expected "
            f"{', '.join((*STILLS, *MOVIES))}."
        )
    for place, source in film.missing(range(len(film))):
        film.read(place, source)
    if ending in STILLS:
        content = _encoded(to_array(film_image(film, scale)), ending)
    else:
        frames = [to_array(frame_image(film, place, scale)) for place in range(len(film))]
        content = _encoded(np.stack(frames), ending, **_MOVIE[ending])
    with atomic_path(path, overwrite=True) as unfinished:
        unfinished.write_bytes(content)
    return path


def to_array(image: QImage) -> np.ndarray:
    """Return an RGB image as an array of shape (Y, X, 3), uint8."""
    image = image.convertToFormat(QImage.Format.Format_RGB888)
    pointer: Any = image.constBits()
    if hasattr(pointer, "setsize"):  # PyQt
        pointer.setsize(image.sizeInBytes())
    lines = np.frombuffer(pointer, np.uint8).reshape(image.height(), image.bytesPerLine())
    return lines[:, : 3 * image.width()].reshape(image.height(), image.width(), 3).copy()


def _encoded(pixels: np.ndarray, ending: str, **options: Any) -> bytes:
    import imageio.v3 as imageio

    # to memory: the encoder of MP4 goes by the name, which is another while the file is written
    return bytes(imageio.imwrite("<bytes>", pixels, extension=ending, **options))
