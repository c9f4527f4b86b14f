"""PNG and JPEG pictures: single frames."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from ..errors import ImageFileError
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
    reader = _PictureReader(path)
    try:
        plane = reader(0)
    except OSError as error:
        raise ImageFileError(
            f"{path} is truncated or damaged: {error}. Copy it again from its source."
        ) from error
    return Source(path, plane.shape, kept_dtype(plane.dtype, path), reader, axes="yx")


def picture_size(path: Path) -> tuple[tuple[int, int], str]:
    """Return (height, width) and pixel mode from the header alone."""
    try:
        with Image.open(path) as picture:
            return (picture.height, picture.width), picture.mode
    except OSError as error:
        raise ImageFileError(
            f"{path} is truncated or damaged: {error}. Copy it again from its source."
        ) from error


@dataclass(frozen=True, slots=True)
class _PictureReader:
    path: Path

    def __call__(self, index: int) -> np.ndarray:
        try:
            with Image.open(self.path) as picture:
                is_plain = picture.mode not in ("P", "PA", "CMYK", "YCbCr", "LAB", "HSV")
                plane = np.asarray(picture if is_plain else picture.convert("RGB"))
        except SyntaxError as error:  # Pillow's word for a broken PNG chunk
            raise OSError(str(error)) from error
        if plane.dtype == np.int32:  # Pillow's old mode for 16-bit grey
            plane = plane.astype(np.uint16)
        return grey_plane(plane, self.path)
