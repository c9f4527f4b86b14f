"""Micro-Manager image stacks and NDTiff datasets, by their own index of planes.

Both are TIFF files with an index of all planes: ``_MMStack`` files hold a table of
(channel, slice, frame, position, offset of the TIFF directory) each; an NDTiff dataset has one
``NDTiff.index`` with names of axes and offsets of pixels. The chain of TIFF directories alone
does not tell which plane is which, and after an aborted acquisition it holds fewer.

References
----------
https://micro-manager.org/Micro-Manager_File_Formats and the NDTiff specification in
github.com/micro-manager/NDStorage.
"""

from __future__ import annotations

import itertools
import os
import re
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from ...errors import ImageFileError
from ..stated_optics import StatedOptics, optics_in_words
from .file_names import Value, natural_value
from .page_chain import open_tiff
from .plane_grid import PlaneGrid, complete_shape, gap_notes, sort_key
from .positions import choose_position
from .source import Facts, Source
from .tiff_metadata import median_step, read_facts

_TAG = 51123  # MicroManagerMetadata
_AXES = {"time": "t", "channel": "c", "z": "z", "slice": "z", "frame": "t"}
_NDTIFF_TYPES = {0: "u1", 1: "u2", 3: "u2", 4: "u2", 5: "u2", 6: "u2"}
_MAX_TAGS = 200
_MAX_STEPS = 200


@dataclass(frozen=True, slots=True)
class _Plane:
    """A plane of the index: its place on the axes, and where its pixels lie."""

    at: dict[str, Value]
    words: dict[str, str]
    path: Path
    offset: int
    shape: tuple[int, int]
    dtype: np.dtype[Any]

    @property
    def is_there(self) -> bool:
        nbytes = self.shape[0] * self.shape[1] * self.dtype.itemsize
        try:
            return self.offset > 0 and self.offset + nbytes <= self.path.stat().st_size
        except OSError:
            return False


def dataset_file(paths: Sequence[Path]) -> Path | None:
    """Return the file by which the dataset of a folder is opened, None where it is none."""
    folders = {path.parent for path in paths}
    tiffs = [path for path in paths if path.suffix.lower() in (".tif", ".tiff")]
    if not tiffs or len(folders) > 1:
        return None
    if (tiffs[0].parent / "NDTiff.index").is_file():
        return tiffs[0]
    is_stack = all("_MMStack" in path.name for path in paths)
    return tiffs[0] if is_stack else None


def read_micromanager(
    path: Path, file: tifffile.TiffFile, position: int | str | None
) -> Source | None:
    """Return the image of a Micro-Manager stack or NDTiff dataset, None of other files.

    Raises
    ------
    ImageFileError
        Planes are missing in the middle, or are compressed or in colour.
    InputError
        There is no such position.
    """
    first = file.pages[0]
    if not isinstance(first, tifffile.TiffPage) or _TAG not in first.tags:
        return None
    settings = file.micromanager_metadata or {}
    summary = settings.get("Summary")
    summary = summary if isinstance(summary, dict) else {}
    index = path.parent / "NDTiff.index"
    planes: list[_Plane] = []
    if file.is_ndtiff and index.is_file():
        planes = list(_ndtiff_planes(index))
    elif "IndexMap" in settings:
        planes = _stack_planes(path, file, summary)
    if not planes:
        planes = list(_described_planes(path, file))
    if not planes:
        return None
    facts = Facts()
    read_facts(file, facts)
    source = _assembled(path, planes, position, facts)
    _add_summary(facts, summary, first.tags[_TAG].value, source, file)
    facts.notes[:0] = source.notes
    return replace(source, **facts.as_fields())


def _of_position(
    path: Path, planes: Sequence[_Plane], position: int | str | None
) -> tuple[list[_Plane], Sequence[str]]:
    """Return the planes of the asked stage position, else of that which `path` is of, and notes."""
    groups: dict[tuple[tuple[int, Fraction | str], ...], list[_Plane]] = {}
    for plane in planes:
        groups.setdefault(sort_key(plane.at.get("p", ())), []).append(plane)
    keys = sorted(groups)
    names = [groups[key][0].words.get("p", "") for key in keys]
    own = [
        i for i, key in enumerate(keys) if any(_is_same(plane.path, path) for plane in groups[key])
    ]
    if position is None and own and len(keys) > 1:
        chosen, notes = own[0], choose_position(names, None, str(path))[1]
        notes = [notes[0].replace("the first is opened", f"{names[chosen]} is opened")]
    else:
        chosen, notes = choose_position(names, position, str(path))
    return groups[keys[chosen]], notes


def _assembled(
    path: Path, planes: Sequence[_Plane], position: int | str | None, facts: Facts
) -> Source:
    """Return the source of one stage position, its planes in the order t, c, z.

    Raises
    ------
    ImageFileError
        The position holds no whole plane, or planes of several sizes or pixel types.
    """
    of_position, notes = _of_position(path, planes, position)
    present = [plane for plane in of_position if plane.is_there]
    if not present:
        raise ImageFileError(f"{path} holds no complete plane. Copy it again from its source.")
    axes = "".join(axis for axis in "tcz" if len({plane.at.get(axis) for plane in of_position}) > 1)
    levels = {a: sorted({plane.at[a] for plane in of_position}, key=sort_key) for a in axes}
    table = {
        tuple(levels[a].index(plane.at[a]) for a in axes): i for i, plane in enumerate(present)
    }
    words = {(a, plane.at[a]): plane.words[a] for plane in of_position for a in axes}
    grid = PlaneGrid(axes, levels, words, table)
    shape, more = complete_shape(grid, str(path))
    places = [present[table[at]] for at in itertools.product(*map(range, shape))]
    unlike = {(plane.shape, plane.dtype) for plane in places}
    if len(unlike) > 1:
        listed = " and ".join(f"{h} x {w} px {dtype}" for (h, w), dtype in sorted(unlike, key=str))
        raise ImageFileError(f"{path} holds planes of {listed}: expected one size and pixel type.")
    first = places[0]
    facts.channel_names = tuple(grid.words["c", key] for key in levels["c"]) if "c" in axes else ()
    return Source(
        path=path,
        shape=(*shape, *first.shape),
        dtype=first.dtype.newbyteorder("="),
        read=PlacesReader(
            tuple((plane.path, plane.offset) for plane in places), first.dtype, first.shape
        ),
        axes=f"{axes}yx",
        notes=(*notes, *more, *gap_notes(grid, shape)),
    )


@dataclass(frozen=True, slots=True)
class PlacesReader:
    """Reader of uncompressed planes whose pixels lie anywhere in one or more files."""

    places: tuple[tuple[Path, int], ...]
    dtype: np.dtype[Any]
    shape: tuple[int, int]

    def __call__(self, index: int) -> np.ndarray:
        """Return plane `index`."""
        path, offset = self.places[index]
        count = self.shape[0] * self.shape[1]
        return np.fromfile(path, self.dtype, count, offset=offset).reshape(self.shape)


def _is_same(one: Path, other: Path) -> bool:
    return one.name == other.name and one.parent.absolute() == other.parent.absolute()


def _ndtiff_planes(index: Path) -> Iterator[_Plane]:
    """Return the planes that an NDTiff index lists; the last entry of one place counts."""
    byteorder: dict[str, str] = {}
    for axes, name, offset, width, height, kind, compression, *_ in tifffile.read_ndtiff_index(
        index
    ):
        path = index.parent / Path(name).name
        if kind not in _NDTIFF_TYPES or compression:
            raise ImageFileError(
                f"{index.parent} holds colour or compressed planes: expected grey ones as the "
                "camera wrote them. Export it as OME-TIFF."
            )
        if name not in byteorder:
            byteorder[name] = _byteorder(path)
        dtype = np.dtype(byteorder[name] + _NDTIFF_TYPES[kind])
        yield _plane(dict(axes), path, offset, (height, width), dtype)


def _byteorder(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return ">" if file.read(2) == b"MM" else "<"
    except OSError:
        return "<"


def _plane(
    axes: dict[str, Any], path: Path, offset: int, shape: tuple[int, int], dtype: np.dtype[Any]
) -> _Plane:
    """Return a plane with its axes as ``tczp``; axes of any other name make the position."""
    at: dict[str, Value] = {}
    words: dict[str, str] = {}
    others = []
    for name, value in axes.items():
        axis = _AXES.get(name.casefold())
        if axis is None:
            others.append((name, value))
            continue
        at[axis] = _value(value)
        words[axis] = value if isinstance(value, str) else f"{name} {value}"
    at["p"] = tuple(itertools.chain.from_iterable(_value(value) for _, value in others))
    words["p"] = " ".join(v if isinstance(v, str) else f"{n} {v}" for n, v in others)
    return _Plane(at, words, path, int(offset), shape, dtype)


def _value(value: Any) -> Value:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return natural_value(str(value), is_folded=False)
    return (Fraction(value),)


def _stack_planes(path: Path, file: tifffile.TiffFile, summary: dict[str, Any]) -> list[_Plane]:
    """Return the planes of all ``_MMStack`` files of one acquisition.

    Files that were exported one by one each count from position 0; then those of the file that
    was opened, and its continuations, are the acquisition.
    """
    prefix, _, rest = path.name.partition("_MMStack")
    own = _indexed_planes(path, file, summary)
    if not rest:
        return own
    planes = {_place_key(plane): plane for plane in own}
    stem = re.sub(r"(?:\.ome)?\.tiff?$", "", path.name, flags=re.IGNORECASE)
    for name in sorted(os.listdir(path.parent)):
        if name == path.name or not name.startswith(f"{prefix}_MMStack"):
            continue
        if not name.lower().endswith((".tif", ".tiff")):
            continue
        other = path.parent / name
        with open_tiff(other) as part:
            found = _indexed_planes(other, part, summary)
        is_conflicting = any(_place_key(plane) in planes for plane in found)
        if is_conflicting and not name.startswith(stem):
            continue
        for plane in found:
            planes.setdefault(_place_key(plane), plane)
    return list(planes.values())


def _place_key(plane: _Plane) -> tuple[Any, ...]:
    return tuple(sorted((axis, sort_key(value)) for axis, value in plane.at.items()))


def _indexed_planes(path: Path, file: tifffile.TiffFile, summary: dict[str, Any]) -> list[_Plane]:
    settings = tifffile.tifffile.read_micromanager_metadata(file.filehandle, {"IndexMap"})
    page = file.pages[0]
    if "IndexMap" not in settings or not isinstance(page, tifffile.TiffPage):
        return []
    if page.compression != 1 or len(page.shape) != 2 or page.dtype is None:
        raise ImageFileError(
            f"{path} holds colour or compressed planes: expected grey ones as the camera wrote "
            "them. Export it as OME-TIFF."
        )
    shape, dtype = (page.shape[0], page.shape[1]), page.dtype.newbyteorder(file.byteorder)
    names = summary.get("ChNames")
    names = names if isinstance(names, list) else []
    label = path.name.partition("_MMStack")[2].lstrip("_").split(".")[0]
    planes = []
    for channel, depth, time, position, directory in settings["IndexMap"].tolist():
        offset = _pixel_offset(file, int(directory))
        axes = {"frame": time, "channel": channel, "slice": depth, "position": position}
        plane = _plane(axes, path, offset, shape, dtype)
        plane.words["p"] = label or f"position {position}"
        if channel < len(names):
            plane.words["c"] = str(names[channel])
        planes.append(plane)
    return planes


def _pixel_offset(file: tifffile.TiffFile, directory: int) -> int:
    """Return where the pixels of a TIFF directory begin, 0 where there is no such directory."""
    order, handle = file.byteorder, file.filehandle
    if not 8 <= directory <= handle.size - 2:
        return 0
    handle.seek(directory)
    count = struct.unpack(f"{order}H", handle.read(2))[0]
    entries = handle.read(12 * min(count, _MAX_TAGS))
    if count > _MAX_TAGS or len(entries) < 12 * count:
        return 0
    for at in range(0, 12 * count, 12):
        tag, kind, number = struct.unpack_from(f"{order}HHI", entries, at)
        if tag == 273 and number == 1:  # StripOffsets
            return int(
                struct.unpack_from(f"{order}{'H' if kind == 3 else 'I'}", entries, at + 8)[0]
            )
    return 0


def _described_planes(path: Path, file: tifffile.TiffFile) -> Iterator[_Plane]:
    """Return the planes as each page describes itself, where the index is missing."""
    if len(file.pages) < 2:
        return
    for i in range(len(file.pages)):
        try:
            page = file.pages.get(i, aspage=True)
        except Exception:  # the last directory of an aborted acquisition may be cut
            return
        if not isinstance(page, tifffile.TiffPage) or _TAG not in page.tags:
            return
        stated = page.tags[_TAG].value
        axes = stated.get("Axes") if isinstance(stated, dict) else None
        if not isinstance(axes, dict):
            keys = {"frame": "FrameIndex", "channel": "ChannelIndex", "slice": "SliceIndex"}
            keys["position"] = "PositionIndex"
            axes = {
                k: stated[n] for k, n in keys.items() if isinstance(stated, dict) and n in stated
            }
        if not axes or page.compression != 1 or len(page.shape) != 2 or page.dtype is None:
            return
        shape, dtype = (page.shape[0], page.shape[1]), page.dtype.newbyteorder(file.byteorder)
        plane = _plane(axes, path, page.dataoffsets[0], shape, dtype)
        if isinstance(stated.get("Channel"), str):
            plane.words["c"] = stated["Channel"]
        yield plane


def _add_summary(
    facts: Facts, summary: dict[str, Any], stated: Any, source: Source, file: tifffile.TiffFile
) -> None:
    """Fill what the TIFF tags leave open from the acquisition's summary and first plane."""
    stated = stated if isinstance(stated, dict) else {}
    size = _positive(stated.get("PixelSizeUm")) or _positive(summary.get("PixelSize_um"))
    if facts.pixel_size_um is None and size:
        facts.set_pixel_size(size, size)
    facts.optics = _optics(stated, facts.optics)
    if facts.z_step_um is None:
        facts.set_z_step(_positive(summary.get("z-step_um")))
    if facts.frame_interval_s is None and source.axes and source.axes.startswith("t"):
        times = _elapsed_times(source, file)
        interval_ms = _positive(summary.get("Interval_ms"))
        facts.set_frame_interval(interval_ms / 1000 if interval_ms else median_step(times))


def _optics(stated: dict[str, Any], known: StatedOptics) -> StatedOptics:
    """Return the optics of the objective whose label the first plane gives, if it names them."""
    labels = [value for name, value in stated.items() if "objective" in str(name).lower()]
    found = [optics_in_words(_value_of(label)) for label in labels]
    best = next((one for one in found if one.numerical_aperture is not None), known)
    return known if known.numerical_aperture is not None else best


def _value_of(stated: Any) -> Any:
    """Return a property, which Micro-Manager 2 wraps as ``{"PropVal": ...}``."""
    return stated.get("PropVal", "") if isinstance(stated, dict) else stated


def _elapsed_times(source: Source, file: tifffile.TiffFile) -> list[float]:
    """Return seconds of the first planes of each frame, where the pages tell them."""
    places = source.read.places if isinstance(source.read, PlacesReader) else ()
    stride = int(np.prod(source.shape[1:-2], dtype=int))
    wanted = {offset for _, offset in places[: _MAX_STEPS * stride : stride]}
    times = []
    for i in range(min(len(file.pages), _MAX_STEPS * stride)):
        try:
            page = file.pages.get(i, aspage=True)
        except Exception:  # a cut or foreign directory has no time to tell
            break
        if not isinstance(page, tifffile.TiffPage) or page.dataoffsets[0] not in wanted:
            continue
        stated = page.tags.valueof(_TAG)
        elapsed = _positive(stated.get("ElapsedTime-ms")) if isinstance(stated, dict) else None
        times.append((elapsed or 0.0) / 1000)
    return times


def _positive(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if 0 < number < float("inf") else None
