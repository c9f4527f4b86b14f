"""OME-TIFF datasets with a separate metadata file, ``.companion.ome``."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from ...axes import ORDER
from ...errors import ImageFileError
from .ome_xml import check_declared, files_of, images, missing_files, parsed
from .page_chain import open_tiff
from .positions import choose_position
from .source import Facts, Source, kept_dtype
from .tiff_metadata import facts_of_ome

_MAX_BYTES = 2**28


def read_companion(path: Path, position: int | str | None = None) -> Source:
    """Return an image of the TIFF files that a companion file describes.

    Raises
    ------
    ImageFileError
        Damaged, or files are missing.
    InputError
        There is no such position.
    """
    root = parsed(path.read_text(encoding="utf-8")) if path.stat().st_size < _MAX_BYTES else None
    if root is None:
        raise ImageFileError(f"{path} is no OME-XML. Copy it again from its source.")
    check_declared(root, path)
    every = images(root, path)
    if not every:
        absent = missing_files(root, path)
        what = f"names {absent[0]}, which is not in its folder" if absent else "names no file"
        raise ImageFileError(f"{path} {what}. Copy its TIFF files into the same folder.")
    names = [image.get("Name") or str(i) for i, image in enumerate(root.iterfind("{*}Image"))]
    names = names if len(names) == len(every) else [str(i) for i in range(len(every))]
    chosen, notes = choose_position(names, position, str(path))
    pixels = every[chosen]
    axes = pixels.get("DimensionOrder", "XYCZT")[:1:-1].lower()
    shape = tuple(int(pixels.get(f"Size{axis.upper()}")) for axis in axes)
    files = {name: _File(path.parent / Path(name).name) for name in files_of(pixels, path)}
    places = _places(path, pixels, axes, shape, files)
    first = files[next(iter(files))].page
    facts = Facts(notes=list(notes))
    facts_of_ome(root, pixels, facts)
    source = Source(
        path=path,
        shape=(*shape, *first.shape),
        dtype=kept_dtype(np.dtype(first.dtype), path),
        read=_PagesReader(places, first.shape),
        axes=f"{axes}yx",
    )
    return replace(source, **facts.as_fields())


class _File:
    """The pages of one TIFF file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.is_file():
            raise ImageFileError(f"{path} is missing. Copy it into the folder of its metadata.")
        with open_tiff(path) as file:
            page = file.pages[0]
            assert isinstance(page, tifffile.TiffPage)
            self.page = page
            self.pages = len(file.pages)
        if len(page.shape) != 2:
            raise ImageFileError(
                f"{path} holds colour: expected grey values. Save it as grey TIFF."
            )


def _places(
    path: Path, pixels: Any, axes: str, shape: tuple[int, ...], files: dict[str, _File]
) -> tuple[tuple[Path, int], ...]:
    """Return file and page of each plane."""
    table: dict[int, tuple[Path, int]] = {}
    for data in pixels.iterfind("{*}TiffData"):
        uuid = data.find("{*}UUID")
        file = files[path.name if uuid is None else uuid.get("FileName", path.name)]
        at = [int(data.get(f"First{axis.upper()}", 0)) for axis in axes]
        start = int(np.ravel_multi_index(at, shape))
        page = int(data.get("IFD", 0))
        count = int(data.get("PlaneCount", 1 if "IFD" in data.attrib else file.pages))
        for i in range(count):
            if page + i < file.pages:
                table[start + i] = (file.path, page + i)
    planes = math.prod(shape)
    absent = [i for i in range(planes) if i not in table]
    if absent:
        place = dict(zip(axes, (int(i) for i in np.unravel_index(absent[0], shape)), strict=True))
        where = ", ".join(f"{axis} {place[axis]}" for axis in ORDER if axis in place)
        raise ImageFileError(
            f"{path} describes {planes} planes, of which {len(absent)} are in no file, the first "
            f"at {where}. Copy the missing files into its folder."
        )
    return tuple(table[i] for i in range(planes))


@dataclass(frozen=True, slots=True)
class _PagesReader:
    """Reader of planes that are pages of one or more files."""

    places: tuple[tuple[Path, int], ...]
    shape: tuple[int, ...]

    def __call__(self, index: int) -> np.ndarray:
        path, page = self.places[index]
        with tifffile.TiffFile(path) as file:
            return np.asarray(file.pages[page].asarray(maxworkers=1)).reshape(self.shape)
