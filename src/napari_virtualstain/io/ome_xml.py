"""OME-XML of TIFF files: what it declares against what can be there."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import tifffile

from ..errors import ImageFileError

_MAX_PLANES = 2_000_000  # a week at four frames a second
_COUNTS = ("NumPlanes", "PlaneCount", "IFD", "FirstT", "FirstC", "FirstZ")


def parsed(xml: str | None) -> Any:
    """Return the root of OME-XML, None where there is none or it is damaged."""
    if not xml:
        return None
    try:
        return ElementTree.fromstring(xml)
    except (ElementTree.ParseError, ValueError):
        return None


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
    names_others = any(
        uuid.get("FileName", path.name).casefold() != path.name.casefold()
        for uuid in root.iterfind(".//{*}TiffData/{*}UUID")
    )
    most = _MAX_PLANES if names_others else min(_MAX_PLANES, len(file.pages))
    for pixels in root.iterfind("{*}Image/{*}Pixels"):
        if pixels.find("{*}TiffData") is None:
            continue
        sizes = {axis: _whole(pixels.get(f"Size{axis}")) for axis in "XYZCT"}
        if any(size is None or size < 1 for size in sizes.values()):
            told = ", ".join(f"Size{axis} {pixels.get(f'Size{axis}')!r}" for axis in sizes)
            raise _wrong(path, f"declares {told}, expected positive numbers")
        planes = math.prod(sizes[axis] or 1 for axis in "ZCT")
        samples = sum(
            _whole(channel.get("SamplesPerPixel")) or 1 for channel in pixels.iterfind("{*}Channel")
        )
        if planes > most * max(samples, 1):
            raise _wrong(path, f"declares {planes} planes, but {most} can be there")
        for data in pixels.iterfind("{*}TiffData"):
            numbers = {name: _whole(data.get(name, "0")) for name in _COUNTS}
            absurd = [n for n, v in numbers.items() if v is None or not 0 <= v <= _MAX_PLANES]
            if absurd:
                raise _wrong(path, f"gives {absurd[0]}={data.get(absurd[0])!r} for its planes")


def _whole(text: str | None) -> int | None:
    try:
        return int(text) if text is not None and len(text) < 20 else None
    except ValueError:
        return None


def _wrong(path: Path, reason: str) -> ImageFileError:
    return ImageFileError(
        f"{path} is truncated or damaged: its OME-XML {reason}. Copy it again from its source, or "
        "save it anew with Fiji."
    )
