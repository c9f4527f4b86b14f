"""OME-XML of TIFF files: what it declares against what can be there."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import tifffile

from ...errors import ImageFileError
from ..limits import MAX_PLANES

_COUNTS = ("NumPlanes", "PlaneCount", "IFD", "FirstT", "FirstC", "FirstZ")


def parsed(xml: str | None) -> Any:
    """Return the root of OME-XML, None where there is none or it is damaged.

    A plane in a file with the UUID of the document itself is in this file whatever its name says,
    because files are renamed.
    """
    if not xml:
        return None
    try:
        root = ElementTree.fromstring(xml)
    except (ElementTree.ParseError, ValueError):
        return None
    own = root.get("UUID")
    for uuid in root.iterfind(".//{*}TiffData/{*}UUID"):
        if own and (uuid.text or "").strip() == own:
            uuid.attrib.pop("FileName", None)
    return root


def check_ome(path: Path, file: tifffile.TiffFile) -> None:
    """Refuse OME-XML that declares more planes than can be there, before space is made for them.

    Raises
    ------
    ImageFileError
        A size is no positive number, or the planes exceed those of the file, where it names no
        other, or two million.
    """
    root = parsed(file.ome_metadata)
    if root is None:
        return
    if root.find("{*}Image/{*}Pixels/{*}TiffData") is not None and not images(root, path):
        raise _wrong(path, f"names {missing_files(root, path)[0]}, which is not in its folder")
    names_others = any(
        uuid.get("FileName", path.name).casefold() != path.name.casefold()
        for uuid in root.iterfind(".//{*}TiffData/{*}UUID")
    )
    most = MAX_PLANES if names_others else min(MAX_PLANES, len(file.pages))
    check_declared(root, path, most)


def check_declared(root: Any, path: Path, most: int = MAX_PLANES) -> None:
    """Refuse images of more than `most` planes, and sizes and numbers that cannot be true.

    Raises
    ------
    ImageFileError
        As :func:`check_ome`.
    """
    for pixels in root.iterfind("{*}Image/{*}Pixels"):
        if pixels.find("{*}TiffData") is None:
            continue
        sizes = {axis: _whole(pixels.get(f"Size{axis}")) for axis in "XYZCT"}
        if any(size is None or size < 1 for size in sizes.values()):
            declared = ", ".join(f"Size{axis} {pixels.get(f'Size{axis}')!r}" for axis in sizes)
            raise _wrong(path, f"declares {declared}, expected positive numbers")
        planes = math.prod(sizes[axis] or 1 for axis in "ZCT")
        samples = sum(
            _whole(channel.get("SamplesPerPixel")) or 1 for channel in pixels.iterfind("{*}Channel")
        )
        if planes > most * max(samples, 1):
            raise _wrong(path, f"declares {planes} planes, but {most} can be there")
        for data in pixels.iterfind("{*}TiffData"):
            numbers = {name: _whole(data.get(name, "0")) for name in _COUNTS}
            absurd = [n for n, v in numbers.items() if v is None or not 0 <= v <= MAX_PLANES]
            if absurd:
                raise _wrong(path, f"gives {absurd[0]}={data.get(absurd[0])!r} for its planes")


def metadata_file(file: tifffile.TiffFile) -> str | None:
    """Return the name of the file that describes a TIFF with pixels only, None for others."""
    root = parsed(file.ome_metadata)
    only = None if root is None else root.find("{*}BinaryOnly")
    return None if only is None else Path(only.get("MetadataFile") or "").name or None


def images(root: Any, path: Path) -> list[Any]:
    """Return the ``Pixels`` of the images of which any plane is in a file that is there.

    Parameters
    ----------
    root : Element
        Of the OME-XML.
    path : Path
        File that holds it.
    """
    every = [p for p in root.iterfind("{*}Image/{*}Pixels") if p.find("{*}TiffData") is not None]
    return [p for p in every if any(_is_there(name, path) for name in files_of(p, path))]


def files_of(pixels: Any, path: Path) -> list[str]:
    """Return the names of the files that hold the planes of an image, each once."""
    names = []
    for data in pixels.iterfind("{*}TiffData"):
        uuid = data.find("{*}UUID")
        names.append(path.name if uuid is None else uuid.get("FileName", path.name))
    return list(dict.fromkeys(names))


def is_ome_set(paths: Sequence[Path]) -> bool:
    """Return whether the first of several files, or one that it names, describes all of them."""
    if not all(path.name.casefold().endswith((".ome.tif", ".ome.tiff")) for path in paths):
        return False
    try:
        with tifffile.TiffFile(paths[0]) as file:
            root, described_in = parsed(file.ome_metadata), metadata_file(file)
    except (OSError, tifffile.TiffFileError):
        return False
    if root is None:
        return False
    if described_in:
        return (paths[0].parent / described_in).is_file()
    named = {n for p in root.iterfind("{*}Image/{*}Pixels") for n in files_of(p, paths[0])}
    return {path.name for path in paths} <= named


def _is_there(name: str, path: Path) -> bool:
    return name.casefold() == path.name.casefold() or (path.parent / Path(name).name).is_file()


def missing_files(root: Any, path: Path) -> list[str]:
    """Return the names of the files of all images that are not in the folder."""
    names = [n for p in root.iterfind("{*}Image/{*}Pixels") for n in files_of(p, path)]
    return [name for name in dict.fromkeys(names) if not _is_there(name, path)]


def _whole(text: str | None) -> int | None:
    try:
        return int(text) if text is not None and len(text) < 20 else None
    except ValueError:
        return None


def _wrong(path: Path, reason: str) -> ImageFileError:
    return ImageFileError(
        f"{path} is truncated or damaged: its OME-XML {reason}. Copy it again from its source, or "
        "save it again with Fiji."
    )
