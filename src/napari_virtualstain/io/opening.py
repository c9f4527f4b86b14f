"""Opening of any supported image as a lazy :class:`Stack`."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..axes import ORDER, normalise_axes
from ..errors import AxesError, ImageFileError, InputError, reading
from .limits import check_extent
from .output import PARTIAL_SUFFIX
from .readers.companion import read_companion
from .readers.deltavision import read_deltavision
from .readers.folder import frames_in, frames_matching, read_frames
from .readers.micromanager import dataset_file
from .readers.ngff import is_zarr, read_ngff
from .readers.ome_xml import is_ome_set
from .readers.pictures import read_picture
from .readers.positions import choose_position
from .readers.sniff import file_kind, missing_file_error
from .readers.source import NativeReader, Source
from .readers.tiff import read_tiff
from .stack import Stack
from .units import FRAME_INTERVAL_RANGE_S, PIXEL_SIZE_RANGE_UM, check_given

if TYPE_CHECKING:
    import dask.array as da

_READERS = {
    "deltavision": read_deltavision,
    "png": read_picture,
    "jpeg": read_picture,
}
_WITH_POSITIONS = {"tiff": read_tiff, "companion": read_companion}
_IMAGE_SUFFIXES = (
    ".tif",
    ".tiff",
    ".btf",
    ".tf8",
    ".dv",
    ".zarr",
    ".ome",
    ".companion",
    ".png",
    ".jpg",
    ".jpeg",
)


def open_stack(
    path: str | Path,
    *,
    axes: str | None = None,
    channel: int | str | None = None,
    position: int | str | None = None,
    pixel_size_um: float | None = None,
    frame_interval_s: float | None = None,
) -> Stack:
    """Return an image as a lazy stack with its axes and physical geometry.

    Parameters
    ----------
    path : str or Path
        A TIFF, OME-TIFF, BigTIFF or ImageJ hyperstack, a DeltaVision ``.dv``, an OME-Zarr
        (0.1 to 0.5), a PNG or JPEG picture, a folder of frames, or a glob such as
        ``"movie/*_t*.png"``. The content decides, not the name.
    axes : str, optional
        One letter for each dimension of the file, in its order, with y and x last, such as
        ``"tcyx"``. Overrides the file. For a folder of frames: one letter for each counter in
        the names, in their order, then ``yx``; ``"tyx"`` takes all files as frames.
    channel : int or str, optional
        Keep this channel only, by number or name.
    position : int or str, optional
        Which position, well or image of several, by number or name; the first by default, which
        a note says.
    pixel_size_um, frame_interval_s : float, optional
        Override the file.

    Returns
    -------
    Stack
        Axes are a part of ``"tczyx"`` in that order; t, c and z of length one are dropped.

    Raises
    ------
    ImageFileError
        Missing, truncated, damaged, of an unknown format, or frames that differ.
    AxesError
        The axes are ambiguous or do not describe the image.
    InputError
        No path, colour, no such channel, or a pixel size or interval that cannot be.

    Notes
    -----
    Three dimensions without metadata are taken as ``"tyx"``, which a note says; four or
    more without metadata are an error. RGB is refused unless the three samples are
    equal, as in a grey image that was exported as a picture.

    Examples
    --------
    >>> import tempfile, numpy as np
    >>> from napari_virtualstain.io import write_image
    >>> file = Path(tempfile.mkdtemp()) / "movie.ome.tif"
    >>> movie = np.zeros((3, 32, 32), np.uint16)
    >>> _ = write_image(file, movie, axes="tyx", pixel_size_um=0.08)
    >>> stack = open_stack(file)
    >>> stack.axes, stack.pixel_size_um
    ('tyx', 0.08)
    """
    if not isinstance(path, str | PathLike):
        raise InputError(
            f"A {type(path).__name__} was given: expected the path of a file or folder. Arrays "
            "need not be opened: give them to stain, segment or track as they are."
        )
    given_size = check_given(pixel_size_um, "pixel size", "µm", PIXEL_SIZE_RANGE_UM)
    given_interval = check_given(frame_interval_s, "frame interval", "s", FRAME_INTERVAL_RANGE_S)
    with reading(path, "an image"):
        source, axes = _read(path, axes, position)
        stack = _stack(source, axes, Path(path))
    stack = replace(
        stack,
        pixel_size_um=given_size or stack.pixel_size_um,
        frame_interval_s=given_interval or stack.frame_interval_s,
    )
    return stack if channel is None else stack.select_channel(channel)


def _read(
    path: str | Path, axes: str | None, position: int | str | None
) -> tuple[Source, str | None]:
    """Return the image, and the axes that were given if they are still to be applied."""
    place = Path(path)
    try:
        exists, is_folder = place.exists(), place.is_dir()
    except (OSError, ValueError) as error:  # name too long, or a NUL in it
        raise ImageFileError(f"{str(path)[:120]!r} is no usable path: {error}.") from error
    if not exists:
        if any(mark in str(path) for mark in "*?["):
            return _read_many(frames_matching(str(path)), place, axes, position)
        raise missing_file_error(place)
    if PARTIAL_SUFFIX in place.suffixes:
        raise ImageFileError(
            f"{place} is the unfinished output of an interrupted run. Repeat the command that "
            "wrote it with --resume, or delete it."
        )
    if is_zarr(place):
        return read_ngff(place, position), axes
    if is_folder:
        return _read_many(frames_in(place), place, axes, position)
    return _read_file(place, position), axes


def _read_file(path: Path, position: int | str | None) -> Source:
    kind = file_kind(path)
    if kind in _WITH_POSITIONS:
        return _WITH_POSITIONS[kind](path, position)
    if position is not None:
        choose_position([path.name], position, str(path))
    return _READERS[kind](path)


def _read_many(
    paths: list[Path], given: Path, axes: str | None, position: int | str | None
) -> tuple[Source, str | None]:
    if len(paths) == 1:
        return _read(paths[0], axes, position)
    dataset = paths[0] if is_ome_set(paths) else dataset_file(paths)
    if dataset is not None:
        return _read(dataset, axes, position)
    return read_frames(paths, given, axes=axes, position=position), None


def _stack(source: Source, asked: str | None, given: Path) -> Stack:
    letters, notes = _letters(source, asked)
    if letters[-2:] != "yx":
        raise AxesError(
            f"Axes {letters!r} of {source.path}: expected y and x last, for instance 'tyx'. "
            "Re-order the dimensions and save again."
        )
    data = _dask(source)
    kept = [i for i, a in enumerate(letters) if a in "yx" or source.shape[i] > 1]
    data = data[tuple(slice(None) if i in kept else 0 for i in range(len(letters)))]
    letters = "".join(letters[i] for i in kept)
    order = [letters.index(axis) for axis in ORDER if axis in letters]
    names = source.channel_names
    count = data.shape[letters.index("c")] if "c" in letters else 1
    return Stack(
        data=data.transpose(order),
        axes="".join(letters[i] for i in order),
        pixel_size_um=source.pixel_size_um,
        frame_interval_s=source.frame_interval_s,
        z_step_um=source.z_step_um,
        channel_names=names if len(names) == count else (),
        name=plain_name(given),
        source=given,
        notes=source.notes + notes,
        assumed_axes=bool(notes),
        optics=source.optics.of_channels(count),
    )


def _letters(source: Source, asked: str | None) -> tuple[str, tuple[str, ...]]:
    """Return a letter for each dimension of the file, and notes on what was assumed."""
    shape = source.shape
    long = [i for i, length in enumerate(shape[:-2]) if length > 1]
    if asked is not None:
        letters = normalise_axes(asked)
        if len(letters) == len(shape):
            return letters, ()
        if len(letters) == len(long) + 2:
            return _spread(letters, long, len(shape)), ()
        raise AxesError(
            f"Axes {asked!r} name {len(letters)} dimensions but {source.path} has "
            f"{len(shape)} (shape {shape}). Give one letter for each."
        )
    if source.axes is not None:
        return normalise_axes(source.axes, len(shape)), ()
    if len(shape) < 2 or len(long) > 1:
        usual = "tczyx" if len(long) > 2 else "tcyx"
        raise AxesError(
            f"{source.path} has shape {shape} and does not say what its axes mean. Give them, "
            f"for instance axes={usual!r} (--axes {usual}): t time, c channel, z plane, y row, "
            "x column."
        )
    if not long:
        return _spread("yx", long, len(shape)), ()
    note = f"The file does not name its axes; its {shape[long[0]]} planes are taken as time."
    return _spread("tyx", long, len(shape)), (note,)


def _spread(letters: str, long: list[int], ndim: int) -> str:
    """Give `letters` to the dimensions longer than one, and spare letters to the others."""
    spare = iter(axis for axis in ORDER if axis not in letters)
    named = dict(zip([*long, ndim - 2, ndim - 1], letters, strict=True))
    if ndim > len(ORDER):
        raise AxesError(f"The image has {ndim} dimensions: expected at most five.")
    return "".join(named.get(i) or next(spare) for i in range(ndim))


def _dask(source: Source) -> da.Array:
    import dask.array as da  # the slowest import of all: not for arrays in memory

    plane = (source.shape[-2], source.shape[-1])
    check_extent(source.path, source.shape, source.dtype)
    leading = source.shape[:-2]
    chunks = tuple((1,) * length for length in leading) + tuple((length,) for length in plane)
    return da.map_blocks(
        _read_block,
        reader=NativeReader(source.read, source.dtype, plane, source.path),
        leading=leading,
        chunks=chunks,
        dtype=source.dtype,
        meta=np.empty((0,) * len(source.shape), source.dtype),
        name=f"open-stack-{_token(source)}",
    )


def _read_block(
    *, reader: NativeReader, leading: tuple[int, ...], block_id: tuple[int, ...] = ()
) -> np.ndarray:
    place = block_id[: len(leading)]
    index = int(np.ravel_multi_index(place, leading)) if leading else 0
    return reader(index)[(np.newaxis,) * len(leading)]


def _token(source: Source) -> str:
    """Return a name that changes when the file does, so that caches stay right."""
    changed = source.path.stat().st_mtime_ns if source.path.exists() else repr(source.read)
    text = f"{source.path.absolute()}|{changed}|{source.shape}|{source.dtype}"
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()[:24]


def plain_name(path: str | Path) -> str:
    """Return what to call an image: its name without extensions, of a glob its folder's.

    It can be used as the name of a file: it is never empty, ``.`` or ``..``, and holds no control
    characters.

    Examples
    --------
    >>> plain_name("day1/movie.ome.tif"), plain_name("day1/cell_3/*.png"), plain_name("...tif")
    ('movie', 'cell_3', 'image')
    """
    path = Path(path)
    if any(mark in path.name for mark in "*?[") and not path.exists():
        path = path.parent
    name = path.resolve().name if path.name in ("", ".", "..") else path.name
    while (suffix := Path(name).suffix.lower()) in _IMAGE_SUFFIXES and Path(name).stem:
        name = name[: -len(suffix)]
    name = "".join(c if c.isprintable() else "_" for c in name)
    return "image" if not name.strip(". ") else name
