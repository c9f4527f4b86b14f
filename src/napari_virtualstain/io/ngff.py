"""OME-Zarr, version 0.4 and 0.5, and plain Zarr arrays."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ImageFileError
from .source import Facts, Source, kept_dtype
from .units import micrometres, seconds

_MARKS = ("zarr.json", ".zgroup", ".zarray")


def is_zarr(path: Path) -> bool:
    """Return whether a folder is a Zarr group or array."""
    return path.is_dir() and any((path / mark).exists() for mark in _MARKS)


def read_ngff(path: Path) -> Source:
    """Return the full-resolution image of an OME-Zarr folder.

    Raises
    ------
    ImageFileError
        Damaged, a plate, or without an image.
    """
    import zarr

    try:
        node = zarr.open(path, mode="r")
    except Exception as error:
        raise ImageFileError(
            f"{path} looks like Zarr but cannot be opened ({type(error).__name__}: {error}). "
            "Copy it again from its source."
        ) from error
    if isinstance(node, zarr.Array):
        return _array_source(path, "", node)
    attributes = _ome_attributes(dict(node.attrs))
    if "multiscales" not in attributes and "0" in node and isinstance(node["0"], zarr.Group):
        return read_ngff(path / "0")  # bioformats2raw keeps its images in numbered groups
    if "plate" in attributes:
        raise ImageFileError(
            f"{path} is an OME-Zarr plate: expected one image. Give one of its wells' images, "
            f"for instance {path / 'A' / '1' / '0'}."
        )
    try:
        multiscale = attributes["multiscales"][0]
        dataset = multiscale["datasets"][0]
        array = node[dataset["path"]]
    except (KeyError, IndexError, TypeError) as error:
        raise ImageFileError(
            f"{path} is a Zarr group without a readable OME-Zarr image ({error!r} is missing). "
            "Expected 'multiscales' metadata of version 0.4 or 0.5."
        ) from error
    return _image_source(path, array, attributes, multiscale, dataset)


def _ome_attributes(attributes: dict[str, Any]) -> dict[str, Any]:
    """Return the metadata where 0.5 (under ``ome``) or 0.4 (at the top) keeps it."""
    ome = attributes.get("ome")
    return ome if isinstance(ome, dict) else attributes


def _image_source(
    path: Path, array: Any, attributes: dict[str, Any], multiscale: Any, dataset: Any
) -> Source:
    axes, units = _axes(multiscale.get("axes"))
    scale = np.ones(array.ndim)
    for holder in (dataset, multiscale):
        for transform in holder.get("coordinateTransformations") or []:
            if transform.get("type") == "scale" and len(transform["scale"]) == array.ndim:
                scale = scale * np.asarray(transform["scale"], float)
    facts = Facts()
    steps = dict(zip(axes or "", scale, strict=False))
    facts.set_pixel_size(*(_length(steps, units, axis) for axis in "yx"))
    facts.set_z_step(_length(steps, units, "z"))
    if units.get("t"):
        facts.set_frame_interval(seconds(steps["t"], units["t"]))
    facts.channel_names = _channel_names(attributes.get("omero"))
    return _array_source(path, dataset["path"], array, axes, facts)


def _axes(described: Any) -> tuple[str | None, dict[str, str]]:
    """Return the axes string and the units by axis; 0.3 named axes only, 0.1 not at all."""
    if not described:
        return None, {}
    entries = [{"name": axis} if isinstance(axis, str) else axis for axis in described]
    names = "".join(str(entry.get("name", "?"))[:1].lower() for entry in entries)
    units = {n: str(e["unit"]) for n, e in zip(names, entries, strict=True) if e.get("unit")}
    return names if set(names) <= set("tczyx") else None, units


def _length(steps: dict[str, float], units: dict[str, str], axis: str) -> float | None:
    return micrometres(steps[axis], units[axis]) if axis in steps and axis in units else None


def _channel_names(omero: Any) -> tuple[str, ...]:
    channels = omero.get("channels", []) if isinstance(omero, dict) else []
    names = [str(channel.get("label") or "") for channel in channels]
    return tuple(names) if any(names) else ()


def _array_source(
    path: Path, part: str, array: Any, axes: str | None = None, facts: Facts | None = None
) -> Source:
    return Source(
        path=path,
        shape=tuple(array.shape),
        dtype=kept_dtype(np.dtype(array.dtype), path),
        read=_ZarrReader(path / part if part else path, tuple(array.shape[:-2])),
        axes=axes,
        **(facts or Facts()).as_fields(),
    )


@dataclass(frozen=True, slots=True)
class _ZarrReader:
    path: Path
    leading: tuple[int, ...]

    def __call__(self, index: int) -> np.ndarray:
        import zarr

        array = zarr.open_array(self.path, mode="r")
        return np.asarray(array[np.unravel_index(index, self.leading) if self.leading else ...])
