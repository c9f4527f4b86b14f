"""TIFF, BigTIFF, OME-TIFF and ImageJ hyperstacks, one plane at a time.

The places of all planes are looked up once when the file is opened; a plane is then
read by seeking there, in whatever thread or process asks, with no open handle kept.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from ..errors import ImageFileError, VirtualStainError
from .source import Facts, RawReader, Source, grey_plane, kept_dtype
from .tiff_metadata import read_facts


def read_tiff(path: Path) -> Source:
    """Return the first image series of a TIFF file.

    Raises
    ------
    ImageFileError
        Truncated, damaged, or of a layout that is not supported.
    InputError
        Colour.
    """
    with _tifffile_log() as messages:
        try:
            with tifffile.TiffFile(path) as file:
                return _read_series(path, file, messages)
        except (VirtualStainError, MemoryError):
            raise
        except Exception as error:  # tifffile raises a dozen kinds on damaged files
            raise _damaged(path, str(error)) from error


def _read_series(path: Path, file: tifffile.TiffFile, messages: list[str]) -> Source:
    series = file.series[0]
    reader, samples = _plane_reader(path, file, series)
    if any(_tells_of_truncation(message) for message in messages):
        raise _damaged(path, "its end is missing")
    facts = Facts()
    read_facts(file, facts)
    if len(file.series) > 1:
        facts.notes.append(f"The file holds {len(file.series)} images; the first is used.")
    axes, shape = series.axes.lower(), tuple(series.shape)
    if samples and _are_planes(reader, axes):
        reader = replace(reader, shape=shape[-2:])
        facts.notes.append(f"Stored as colour with {samples} separate planes; taken as planes.")
    elif samples:
        at = axes.index("s")
        axes, shape = axes[:at] + axes[at + 1 :], shape[:at] + shape[at + 1 :]
        reader = _GreyReader(reader, path)
        reader(0)  # refuse colour before anything is built on it
    known = set(axes) <= set("tczyx")
    return Source(
        path=path,
        shape=shape,
        dtype=kept_dtype(series.dtype, path),
        read=reader,
        axes=axes if known else None,
        **facts.as_fields(),
    )


def _are_planes(reader: Any, axes: str) -> bool:
    """Return whether what is called colour are the frames of a movie.

    tifffile writes three frames of (Y, X) as the samples of a colour picture unless told otherwise;
    colour pictures of more than 8 bit with a plane for each colour are hardly met.
    """
    if not isinstance(reader, RawReader) or axes[-3:] != "syx" or reader.dtype.itemsize == 1:
        return False
    picture = reader(0)
    return bool((picture != picture[:1]).any())


def _plane_reader(path: Path, file: Any, series: Any) -> tuple[Any, int]:
    """Return the reader of planes and the number of samples of a colour pixel (0: grey)."""
    axes, shape = series.axes.upper(), tuple(series.shape)
    samples = shape[axes.index("S")] if "S" in axes else 0
    inner = axes[-3:] if samples else axes[-2:]
    if inner not in ("YX", "YXS", "SYX"):
        raise ImageFileError(
            f"{path} stores its axes as {axes!r}: expected y and x last. "
            "Save it as OME-TIFF with Fiji."
        )
    plane_shape, count = shape[-len(inner) :], int(np.prod(shape[: -len(inner)], dtype=int))
    size = path.stat().st_size
    if series.dataoffset is not None and not _is_multi_file(series):
        nbytes = int(np.prod(plane_shape)) * series.dtype.itemsize
        end = series.dataoffset + count * nbytes
        if end > size:
            raise _damaged(path, f"{end} bytes expected, {size} found")
        dtype = series.dtype.newbyteorder(file.byteorder)
        return RawReader(path, series.dataoffset, dtype, plane_shape), samples
    pages = list(series)
    if len(pages) != count:
        raise ImageFileError(
            f"{path} holds {len(pages)} pages for {count} planes (axes {axes!r}): this layout "
            "is not supported. Save it as OME-TIFF with Fiji."
        )
    places = tuple(_place(path, page) for page in pages)
    return _PageReader(places, plane_shape), samples


def _tells_of_truncation(message: str) -> bool:
    """Return whether a log line says that the file ends before a frame or its description."""
    if "invalid page offset" in message:
        return True
    return "invalid value offset" in message and "TiffTag 270 " in message


def _is_multi_file(series: Any) -> bool:
    return bool(getattr(series, "is_multifile", False))


def _place(path: Path, page: Any) -> tuple[Path, int]:
    """Return file and offset of a page after checking that its data is all there."""
    if page is None:
        raise _damaged(path, "the metadata names planes that are not in the file")
    handle = page.parent.filehandle
    ends = (o + n for o, n in zip(page.dataoffsets, page.databytecounts, strict=False))
    if (end := max(ends, default=0)) > handle.size:
        raise _damaged(path, f"{end} bytes expected, {handle.size} found")
    return Path(handle.path), page.offset


@dataclass(frozen=True, slots=True)
class _PageReader:
    """Reads planes that are pages of their own, compressed or tiled."""

    places: tuple[tuple[Path, int], ...]
    shape: tuple[int, ...]

    def __call__(self, index: int) -> np.ndarray:
        path, offset = self.places[index]
        with tifffile.TiffFile(path) as file:
            file.filehandle.seek(offset)
            page = tifffile.TiffPage(file, index=0)
            return np.asarray(page.asarray(maxworkers=1)).reshape(self.shape)


@dataclass(frozen=True, slots=True)
class _GreyReader:
    """Reduces colour pixels whose samples are equal, and refuses others."""

    read: Any
    path: Path

    def __call__(self, index: int) -> np.ndarray:
        picture = self.read(index)
        is_planar = picture.shape[0] < picture.shape[-1]  # (S, Y, X)
        return grey_plane(np.moveaxis(picture, 0, -1) if is_planar else picture, self.path)


def _damaged(path: Path, reason: str) -> ImageFileError:
    return ImageFileError(
        f"{path} is truncated or damaged: {reason}. Expected a complete TIFF file; "
        "copy it again from its source."
    )


@contextmanager
def _tifffile_log() -> Iterator[list[str]]:
    """Collect what tifffile logs: it reports a broken chain of frames there only."""
    messages: list[str] = []

    class Collect(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            messages.append(record.getMessage())

    logger, handler = logging.getLogger("tifffile"), Collect()
    propagate, logger.propagate = logger.propagate, False
    logger.addHandler(handler)
    try:
        yield messages
    finally:
        logger.removeHandler(handler)
        logger.propagate = propagate
