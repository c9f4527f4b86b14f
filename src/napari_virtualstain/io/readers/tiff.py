"""TIFF, BigTIFF, OME-TIFF and ImageJ hyperstacks, one plane at a time.

The places of all planes are looked up once when the file is opened; a plane is then
read by seeking there, in whatever thread or process asks, with no open handle kept.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from ...errors import ImageFileError, VirtualStainError
from .companion import read_companion
from .micromanager import read_micromanager
from .ome_xml import check_ome, metadata_file
from .page_chain import open_tiff
from .positions import choose_position
from .sniff import file_kind
from .source import Facts, RawReader, Source, grey_plane, kept_dtype
from .tiff_metadata import read_facts

_WHITE_IS_ZERO, _BLACK_IS_ZERO = 0, 1  # of the tag PhotometricInterpretation


def read_tiff(path: Path, position: int | str | None = None) -> Source:
    """Return an image of a TIFF file.

    Parameters
    ----------
    path : Path
        File. The files that its metadata name are read along with it.
    position : int or str, optional
        Which image of several; the first by default.

    Raises
    ------
    ImageFileError
        Truncated, damaged, or of a layout that is not supported.
    InputError
        Colour, or there is no such position.
    """
    with _tifffile_log() as messages:
        try:
            with open_tiff(path) as file:
                source = read_micromanager(path, file, position)
                return source or _read_series(path, file, messages, position)
        except (VirtualStainError, MemoryError):
            raise
        except Exception as error:  # tifffile raises a dozen kinds on damaged files
            raise _damaged(path, str(error)) from error


def _read_series(
    path: Path, file: tifffile.TiffFile, messages: list[str], position: int | str | None
) -> Source:
    facts = Facts()
    if name := metadata_file(file):
        place = path.parent / name
        if place.is_file() and file_kind(place) == "companion":
            note = f"{path.name} is a part of the dataset that {name} describes; that is opened."
            source = read_companion(place, position)
            return replace(source, notes=(note, *source.notes))
        facts.notes.append(
            f"{path.name} is a part of the dataset that {name} describes; only the planes of this "
            f"file are opened. Open {name} for all."
        )
    check_ome(path, file)
    every = list(file.series)
    if not every:
        raise _damaged(path, "it holds no image")
    alike = _written_one_by_one(file, every) if position is None else []
    if len(alike) > 1:
        index = every.index(alike[0])
        source = _joined(path, [_image(path, file, series, messages, facts) for series in alike])
        facts.notes.append(
            f"The file holds {len(alike)} images of one size, written one by one; they are taken "
            "as frames in this order."
        )
        if len(every) > len(alike):
            facts.notes.append(f"{len(every) - len(alike)} images of another size are left out.")
    else:
        names = [series.name for series in every]
        index, notes = choose_position(
            names if len(set(names)) == len(names) else [str(i) for i in range(len(names))],
            position,
            str(path),
        )
        facts.notes.extend(notes)
        source = _image(path, file, every[index], messages, facts)
        facts.notes.extend(_left_out(file, every))
    facts.notes.extend(_lacking(path, file, source))
    if every[index].keyframe.photometric == _WHITE_IS_ZERO:
        facts.notes.append("The file shows 0 as white; values are taken as stored.")
    read_facts(file, facts, index)
    return replace(source, **facts.as_fields())


def _image(
    path: Path, file: tifffile.TiffFile, series: Any, messages: list[str], facts: Facts
) -> Source:
    """Return the planes of a series, without facts about them."""
    reader, samples = _plane_reader(path, series, messages)
    if any(_tells_of_truncation(message) for message in messages):
        raise _damaged(path, "its end is missing")
    axes, shape = series.axes.lower(), tuple(series.shape)
    if samples and _are_planes(series, axes) and isinstance(reader, RawReader):
        reader = replace(reader, shape=shape[-2:])
        note = f"Stored as colour with {samples} separate planes; taken as planes."
        facts.notes.extend([note] if note not in facts.notes else [])
    elif samples and _are_channels(series, axes):
        axes, shape = f"{axes[:-3]}cyx", (*shape[:-3], samples, *shape[-3:-1])
        reader = _SampleReader(reader, samples)
    elif samples:
        at = axes.index("s")
        axes, shape = axes[:at] + axes[at + 1 :], shape[:at] + shape[at + 1 :]
        reader = _GreyReader(reader, path)
        reader(0)  # refuse colour before anything is built on it
    known = set(axes) <= set("tczyx")
    return Source(path, shape, kept_dtype(series.dtype, path), reader, axes if known else None)


def _written_one_by_one(file: tifffile.TiffFile, every: Sequence[Any]) -> list[Any]:
    """Return the series that a program wrote one call at a time: the frames of one movie.

    A TIFF without metadata of its maker, and an OME-TIFF in which tifffile made an image of each
    call. Images of another OME-TIFF are positions.
    """
    first = every[0]
    is_plain = first.kind in ("shaped", "generic", "uniform")
    if not is_plain and not (first.kind == "ome" and _is_by_tifffile(file)):
        return []
    alike = [s for s in every if (s.shape[-2:], s.dtype) == (first.shape[-2:], first.dtype)]
    is_flat = all(len(s.shape) == 2 or (is_plain and len(s.shape) == 3) for s in alike)
    is_grey = all("S" not in s.axes.upper() or _are_planes(s, s.axes.lower()) for s in alike)
    return alike if is_flat and is_grey else []


def _is_by_tifffile(file: tifffile.TiffFile) -> bool:
    return 'Creator="tifffile' in (file.ome_metadata or "")[:2000]


def _joined(path: Path, parts: Sequence[Source]) -> Source:
    counts = tuple(int(np.prod(part.shape[:-2], dtype=int)) for part in parts)
    reader = _JoinedReader(tuple(part.read for part in parts), counts)
    shape = (sum(counts), *parts[0].shape[-2:])
    return replace(parts[0], shape=shape, axes="tyx", read=reader)


def _left_out(file: tifffile.TiffFile, every: Sequence[Any]) -> list[str]:
    """Return a note when the file holds more pages than its metadata describe."""
    if every[0].kind not in ("ome", "imagej", "shaped", "uniform", "generic"):
        return []
    handle = file.filehandle
    described = sum(
        1 for s in every for page in s if page is not None and page.parent.filehandle is handle
    )
    pages = len(file.pages)
    if described >= pages or len(every[0]) < 1:
        return []
    return [
        f"The file holds {pages} pages, of which its metadata describe {described}; the others "
        "are not opened. If they belong to the movie, export it again."
    ]


def _lacking(path: Path, file: tifffile.TiffFile, source: Source) -> list[str]:
    """Return a note when ImageJ's description declares more images than there are.

    Raises
    ------
    ImageFileError
        They should follow the only page and are cut off.
    """
    declared = (file.imagej_metadata or {}).get("images", 1)
    held = int(np.prod(source.shape[:-2], dtype=int))
    if not isinstance(declared, int) or declared <= held:
        return []
    if len(file.pages) == 1 and held == 1:
        raise _damaged(path, f"it declares {declared} images, but 1 is whole")
    return [
        f"The file declares {declared} images, but {held} are there. Copy it again from its source "
        "if frames are missing."
    ]


def _are_planes(series: Any, axes: str) -> bool:
    """Return whether what is called colour are the frames of a movie.

    tifffile writes three frames of (Y, X) as the samples of a colour picture unless asked for
    grey; colour pictures of more than 8 bit with a plane for each colour are hardly met.
    """
    is_by_tifffile = series.kind == "shaped"
    return bool(is_by_tifffile and axes[-3:] == "syx" and series.dtype.itemsize > 1)


def _are_channels(series: Any, axes: str) -> bool:
    """Return whether the samples of a pixel are channels: grey, and none of them opacity."""
    page = series.keyframe
    is_grey = page.photometric in (_WHITE_IS_ZERO, _BLACK_IS_ZERO)
    return bool(axes[-3:] == "yxs" and is_grey and not any(page.extrasamples))


def _plane_reader(path: Path, series: Any, messages: list[str]) -> tuple[Any, int]:
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
    place = _only_file(series)
    if series.dataoffset is not None and place is not None:
        parent = series.keyframe.parent
        size = place.stat().st_size
        nbytes = int(np.prod(plane_shape)) * series.dtype.itemsize
        end = series.dataoffset + count * nbytes
        if end > size:
            raise _damaged(path, f"{end} bytes expected, {size} found")
        dtype = series.dtype.newbyteorder(parent.byteorder)
        return RawReader(place, series.dataoffset, dtype, plane_shape), samples
    pages = list(series)
    if len(pages) < count:
        raise _damaged(path, f"it declares {count} images, but {len(pages)} are there")
    if len(pages) != count:
        raise ImageFileError(
            f"{path} holds {len(pages)} pages for {count} planes (axes {axes!r}): this layout "
            "is not supported. Save it as OME-TIFF with Fiji."
        )
    places = tuple(_place(path, page, messages) for page in pages)
    return _PageReader(places, plane_shape), samples


def _only_file(series: Any) -> Path | None:
    """Return the file that holds all planes, which need not be the one that was opened."""
    paths = {page.parent.filehandle.path for page in series if page is not None}
    return Path(paths.pop()) if len(paths) == 1 else None


def _tells_of_truncation(message: str) -> bool:
    """Return whether a log line says that the file ends before a frame or its description."""
    if "invalid page offset" in message:
        return True
    return "invalid value offset" in message and "TiffTag 270 " in message


def _place(path: Path, page: Any, messages: list[str]) -> tuple[Path, int]:
    """Return file and offset of a page after checking that its data is all there."""
    if page is None:
        unread = next((m for m in messages if "failed to read" in m), None)
        found = re.search(r"failed to read '([^']*)'", unread) if unread else None
        where = f"in {found[1]}, which cannot be read" if found else "that are not in the file"
        raise _damaged(path, f"the metadata names planes {where}")
    handle = page.parent.filehandle
    ends = (o + n for o, n in zip(page.dataoffsets, page.databytecounts, strict=False))
    if (end := max(ends, default=0)) > handle.size:
        raise _damaged(path, f"{end} bytes expected, {handle.size} found")
    return Path(handle.path), page.offset


@dataclass(frozen=True, slots=True)
class _JoinedReader:
    """Reader of the planes of several series one after the other."""

    readers: tuple[Any, ...]
    counts: tuple[int, ...]

    def __call__(self, index: int) -> np.ndarray:
        for read, count in zip(self.readers, self.counts, strict=True):
            if index < count:
                return np.asarray(read(index))
            index -= count
        raise IndexError(index)


@dataclass(frozen=True, slots=True)
class _PageReader:
    """Reader of planes that are pages of their own, compressed or tiled."""

    places: tuple[tuple[Path, int], ...]
    shape: tuple[int, ...]

    def __call__(self, index: int) -> np.ndarray:
        path, offset = self.places[index]
        with tifffile.TiffFile(path) as file:
            file.filehandle.seek(offset)
            page = tifffile.TiffPage(file, index=0)
            return np.asarray(page.asarray(maxworkers=1)).reshape(self.shape)


@dataclass(frozen=True, slots=True)
class _SampleReader:
    """Reader of one sample of each pixel as a plane."""

    read: Any
    samples: int

    def __call__(self, index: int) -> np.ndarray:
        pixels, sample = divmod(index, self.samples)
        return np.asarray(self.read(pixels))[..., sample]


@dataclass(frozen=True, slots=True)
class _GreyReader:
    """Reader of colour pixels whose samples are equal as grey ones; others are refused."""

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
