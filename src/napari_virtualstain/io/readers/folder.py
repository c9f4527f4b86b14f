"""A folder, or a glob, of single frames as one movie."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import AxesError, ImageFileError
from .file_series import arrange
from .ngff import is_zarr
from .pictures import picture_size, read_picture
from .sniff import KNOWN, file_kind, missing_file_error
from .source import Source
from .tiff import read_tiff

SUFFIXES = (".tif", ".tiff", ".png", ".jpg", ".jpeg")


def natural_key(name: str) -> list[tuple[int, int | str]]:
    """Return a sort key by which ``t2`` comes before ``t10``.

    Examples
    --------
    >>> sorted(["t10.tif", "t2.tif"], key=natural_key)
    ['t2.tif', 't10.tif']
    """
    parts = re.split(r"(\d+)", name.casefold())
    return [(0, int(part)) if part.isdecimal() else (1, part) for part in parts if part]


def frames_in(folder: Path) -> list[Path]:
    """Return the image files of a folder in natural order.

    Without any, those of its sub-folders ``TimePoint_1`` ... or ``Pos0`` ..., as MetaXpress and
    Micro-Manager 1.4 write them.

    Raises
    ------
    ImageFileError
        There is none.
    """
    found = _images_in(folder)
    if not found:
        inner = sorted(
            (entry for entry in folder.iterdir() if entry.is_dir()),
            key=lambda entry: natural_key(entry.name),
        )
        if all(_FOLDER_COUNTER.fullmatch(entry.name) for entry in inner):
            found = [path for entry in inner for path in _images_in(entry)]
        if not found:
            holding = [entry.name for entry in inner[:100] if is_zarr(entry) or _images_in(entry)]
            way_out = f"one of its folders ({', '.join(holding[:6])})" if holding else "a folder"
            raise ImageFileError(
                f"The folder {folder} holds no frames: expected files ending in "
                f"{', '.join(SUFFIXES)}. Give {way_out} of frames or one of: {KNOWN}."
            )
    return sorted(found, key=lambda path: natural_key(str(path.relative_to(folder))))


_FOLDER_COUNTER = re.compile(r"(?:time_?point|pos|position|t)_?\d+", re.IGNORECASE)


def _images_in(folder: Path) -> list[Path]:
    return [
        entry
        for entry in folder.iterdir()
        if entry.suffix.lower() in SUFFIXES and not entry.name.startswith(".") and entry.is_file()
    ]


def frames_matching(pattern: str) -> list[Path]:
    """Return the files that a glob matches in natural order.

    A folder of the pattern that exists under its very name is taken by name, so that ``[`` and
    ``]`` in it match themselves.

    Raises
    ------
    ImageFileError
        There is none.
    """
    found = [Path(name) for name in glob.glob(_with_literal_folder(pattern), recursive=True)]
    if not found:
        raise ImageFileError(f"No file matches {pattern!r}. Check the folder and the pattern.")
    return sorted(found, key=lambda path: natural_key(str(path)))


def _with_literal_folder(pattern: str) -> str:
    path = Path(pattern)
    for folder in path.parents:
        if str(folder) not in (".", "/") and folder.is_dir():
            rest = path.relative_to(folder)
            return os.path.join(glob.escape(str(folder)), str(rest))
    return pattern


def read_frames(
    paths: Sequence[Path],
    folder: Path,
    *,
    axes: str | None = None,
    position: int | str | None = None,
) -> Source:
    """Return frames of one file each as a movie; only headers are read now.

    Parameters
    ----------
    paths : sequence of Path
        Files; their names tell time, channel, plane and position, see :mod:`.file_series`.
    folder : Path
        What the user gave, for messages and the name.
    axes : str, optional
        What the counters in the names count, see :func:`.file_series.arrange`.
    position : int or str, optional
        Which of several positions.

    Raises
    ------
    ImageFileError
        Sizes or pixel types differ; the message names the first frame that does.
    AxesError
        A file holds more than one frame, or the names hold counters that they do not explain.
    """
    series = arrange(_names(paths), str(folder), axes=axes, position=position)
    paths = [paths[i] for i in series.files]
    first = _read_one(paths[0])
    readers = [_FrameReader(path) for path in paths]
    expected = _header(paths[0])
    for path in paths[1:]:
        if (found := _header(path)) != expected:
            raise ImageFileError(
                f"The frames of {folder} differ: {paths[0].name} is {_text(expected)}, "
                f"{path.name} is {_text(found)}. Expected frames of one size and pixel type; "
                "move the others to a folder of their own."
            )
    return replace(
        first,
        path=folder,
        shape=(*series.shape, *first.shape),
        axes=f"{series.axes}yx",
        read=_FramesReader(tuple(readers)),
        channel_names=series.channel_names,
        notes=(*series.notes, *first.notes),
    )


def _names(paths: Sequence[Path]) -> list[str]:
    """Return the names of files, with their folders where they lie in several."""
    if len({path.parent for path in paths}) == 1:
        return [path.name for path in paths]
    common = os.path.commonpath([str(path.parent) for path in paths])
    return [path.relative_to(common).as_posix() for path in paths]


def _read_one(path: Path) -> Source:
    kind = file_kind(path)
    if kind not in ("tiff", "png", "jpeg"):
        raise ImageFileError(
            f"{path} is a {kind} file: expected a TIFF, PNG or JPEG frame. Open it by itself."
        )
    source = read_tiff(path) if kind == "tiff" else read_picture(path)
    if any(length != 1 for length in source.shape[:-2]):
        raise AxesError(
            f"{path} holds {int(np.prod(source.shape[:-2]))} planes: expected one frame a file. "
            "Open the file by itself instead of its folder."
        )
    return replace(source, shape=source.shape[-2:], axes="yx")


def _header(path: Path) -> tuple[tuple[int, ...], str]:
    """Return size and pixel type without decoding the pixels."""
    if file_kind(path) == "tiff":
        source = _read_one(path)
        return source.shape, str(source.dtype)
    return picture_size(path)


def _text(header: tuple[tuple[int, ...], str]) -> str:
    (height, width), pixel = header
    return f"{height} × {width} px {pixel}"


@dataclass(frozen=True, slots=True)
class _FrameReader:
    path: Path

    def __call__(self) -> np.ndarray:
        return np.asarray(_read_one(self.path).read(0))


@dataclass(frozen=True, slots=True)
class _FramesReader:
    frames: tuple[Any, ...]

    def __call__(self, index: int) -> np.ndarray:
        frame: np.ndarray = self.frames[index]()
        return frame


def image_paths(given: str | Path) -> list[Path]:
    """Return the image files that a folder, a glob or one path names, in natural order.

    An OME-Zarr counts as one image.

    Raises
    ------
    ImageFileError
        There is none.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> for name in ("t10.tif", "t9.tif", "notes.txt"):
    ...     (folder / name).touch()
    >>> [path.name for path in image_paths(folder)]
    ['t9.tif', 't10.tif']
    """
    path = Path(given)
    if not path.exists():
        if any(mark in str(given) for mark in "*?["):
            return frames_matching(str(given))
        raise missing_file_error(path)
    if not path.is_dir() or is_zarr(path):
        return [path]
    images = [entry for entry in path.iterdir() if is_zarr(entry)]
    if images:
        return sorted(images, key=lambda entry: natural_key(entry.name))
    return frames_in(path)
