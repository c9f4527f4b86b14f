"""Open any supported image as a lazy :class:`Stack`."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from os import PathLike
from pathlib import Path

import dask.array as da
import numpy as np

from ..axes import ORDER, normalise_axes
from ..errors import AxesError, ImageFileError, InputError
from .deltavision import read_deltavision
from .folder import frames_in, frames_matching, read_frames
from .ngff import is_zarr, read_ngff
from .output import PARTIAL_SUFFIX
from .pictures import read_picture
from .sniff import file_kind, missing_file_error
from .source import NativeReader, Source
from .stack import Stack
from .tiff import read_tiff
from .units import FRAME_INTERVAL_RANGE_S, PIXEL_SIZE_RANGE_UM, check_given

_READERS = {
    "tiff": read_tiff,
    "deltavision": read_deltavision,
    "png": read_picture,
    "jpeg": read_picture,
}
_IMAGE_SUFFIXES = (".tif", ".tiff", ".btf", ".tf8", ".dv", ".zarr", ".ome", ".png", ".jpg", ".jpeg")


def open_stack(
    path: str | Path,
    *,
    axes: str | None = None,
    channel: int | str | None = None,
    pixel_size_um: float | None = None,
    frame_interval_s: float | None = None,
) -> Stack:
    """Return an image as a lazy stack with its axes and physical geometry.

    Parameters
    ----------
    path : str or Path
        A TIFF, OME-TIFF, BigTIFF or ImageJ hyperstack, a DeltaVision ``.dv``, an OME-Zarr
        (0.4 or 0.5), a PNG or JPEG picture, a folder of frames, or a glob such as
        ``"movie/*_t*.png"``. The content decides, not the name.
    axes : str, optional
        One letter for each dimension of the file, in its order, with y and x last, such as
        ``"tcyx"``. Overrides the file.
    channel : int or str, optional
        Keep this channel only, by position or name.
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
    source = _read(path)
    stack = _stack(source, axes, Path(path))
    stack = replace(
        stack,
        pixel_size_um=given_size or stack.pixel_size_um,
        frame_interval_s=given_interval or stack.frame_interval_s,
    )
    return stack if channel is None else stack.select_channel(channel)


def _read(path: str | Path) -> Source:
    place = Path(path)
    try:
        exists, is_folder = place.exists(), place.is_dir()
    except (OSError, ValueError) as error:  # name too long, or a NUL in it
        raise ImageFileError(f"{str(path)[:120]!r} is no usable path: {error}.") from error
    if not exists:
        if any(mark in str(path) for mark in "*?["):
            return _read_many(frames_matching(str(path)), place)
        raise missing_file_error(place)
    if PARTIAL_SUFFIX in place.suffixes:
        raise ImageFileError(
            f"{place} is the unfinished output of an interrupted run. Repeat the command that "
            "wrote it with --resume, or delete it."
        )
    if is_zarr(place):
        return read_ngff(place)
    if is_folder:
        return _read_many(frames_in(place), place)
    return _READERS[file_kind(place)](place)


def _read_many(paths: list[Path], given: Path) -> Source:
    return read_frames(paths, given) if len(paths) > 1 else _read(paths[0])


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
        raise AxesError(
            f"{source.path} has shape {shape} and does not say what its axes mean. Give them, "
            "for instance axes='tcyx' (--axes tcyx): t time, c channel, z plane, y row, x column."
        )
    if not long:
        return _spread("yx", long, len(shape)), ()
    note = f"The file does not name its axes; its {shape[long[0]]} planes are taken as time."
    return _spread("tyx", long, len(shape)), (note,)


def _spread(letters: str, long: list[int], ndim: int) -> str:
    """Give `letters` to the dimensions longer than one, and spare letters to the others."""
    spare = iter(axis for axis in ORDER if axis not in letters)
    named = dict(zip([*long, ndim - 2, ndim - 1], letters, strict=True))
    try:
        return "".join(named.get(i) or next(spare) for i in range(ndim))
    except StopIteration:
        raise AxesError(f"The image has {ndim} dimensions: expected at most five.") from None


def _dask(source: Source) -> da.Array:
    plane = (source.shape[-2], source.shape[-1])
    if 0 in source.shape:
        raise ImageFileError(f"{source.path} holds no pixels (shape {source.shape}).")
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

    Examples
    --------
    >>> plain_name("day1/movie.ome.tif"), plain_name("day1/cell_3/*.png")
    ('movie', 'cell_3')
    """
    path = Path(path)
    if any(mark in path.name for mark in "*?["):
        path = path.parent
    name = path.resolve().name if path.name in ("", ".", "..") else path.name
    while (suffix := Path(name).suffix.lower()) in _IMAGE_SUFFIXES and Path(name).stem:
        name = name[: -len(suffix)]
    return name
