"""PNG and JPEG pictures: single frames."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from ...errors import ImageFileError
from .source import Source, grey_plane, kept_dtype


def read_picture(path: Path) -> Source:
    """Return a PNG or JPEG picture as a single (y, x) frame.

    A picture stored as RGB is taken if its three samples are equal everywhere.

    Raises
    ------
    ImageFileError
        Truncated or damaged.
    InputError
        Colour.
    """
    picture_size(path)
    reader = _PictureReader(path)
    try:
        plane = reader(0)
    except OSError as error:
        raise ImageFileError(
            f"{path} is truncated or damaged: {error}. Copy it again from its source."
        ) from error
    return Source(path, plane.shape, kept_dtype(plane.dtype, path), reader, axes="yx")


def picture_size(path: Path) -> tuple[tuple[int, int], str]:
    """Return (height, width) and pixel mode from the header alone.

    Raises
    ------
    ImageFileError
        Damaged, or more pixels than a picture of a microscope has.
    """
    try:
        with _unlimited(), Image.open(path) as picture:
            size, mode = (picture.height, picture.width), picture.mode
    except (OSError, SyntaxError, ValueError) as error:
        raise ImageFileError(
            f"{path} is truncated or damaged: {error}. Copy it again from its source."
        ) from error
    if size[0] * size[1] > _MAX_PIXELS:
        raise ImageFileError(
            f"{path} declares {size[0]} × {size[1]} px: expected at most {_MAX_PIXELS / 1e6:.0f} "
            "megapixels in a PNG or JPEG. Save it as TIFF."
        )
    return size, mode


_MAX_PIXELS = 80_000_000


@contextmanager
def _unlimited() -> Iterator[None]:
    """Silence Pillow's own warning; :data:`_MAX_PIXELS` is the limit."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        try:
            yield
        except Image.DecompressionBombError as error:
            raise OSError(str(error)) from error


@dataclass(frozen=True, slots=True)
class _PictureReader:
    path: Path

    def __call__(self, index: int) -> np.ndarray:
        try:
            with _unlimited(), Image.open(self.path) as picture:
                is_plain = picture.mode not in ("P", "PA", "CMYK", "YCbCr", "LAB", "HSV")
                plane = np.asarray(picture if is_plain else picture.convert("RGB"))
        except SyntaxError as error:  # Pillow's word for a broken PNG chunk
            raise OSError(str(error)) from error
        if plane.dtype == np.int32:  # Pillow's old mode for 16-bit grey
            plane = plane.astype(np.uint16)
        return grey_plane(plane, self.path)
