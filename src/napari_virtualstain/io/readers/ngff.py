"""OME-Zarr of version 0.1 to 0.5, and plain Zarr arrays.

Nothing is invented: an axis has a step only where the metadata give both a scale and a unit for
it. Names of axes are free, their ``type`` tells what they are; versions 0.1 and 0.2 have the
five axes ``tczyx`` by their specification.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np

from ...axes import ORDER
from ...errors import ImageFileError, VirtualStainError
from ..units import micrometres, seconds
from .ome_optics import optics_of_zarr
from .positions import choose_position
from .source import Facts, Source, kept_dtype

_MARKS = ("zarr.json", ".zgroup", ".zarray")
_MAX_CHUNK_BYTES = 2**29
_MAX_CHUNKS_COUNTED = 100_000
_MAX_NESTING = 4
_NAMES = {
    "t": "t time times frame frames timepoint",
    "c": "c ch channel channels wavelength",
    "z": "z depth plane slice section",
    "y": "y row rows height",
    "x": "x column columns col width",
}
_AXIS_OF_NAME = {name: axis for axis, names in _NAMES.items() for name in names.split()}
_AXIS_OF_TYPE = {"time": "t", "channel": "c"}


def is_zarr(path: Path) -> bool:
    """Return whether a folder is a Zarr group or array."""
    return path.is_dir() and any((path / mark).exists() for mark in _MARKS)


def read_ngff(path: Path, position: int | str | None = None) -> Source:
    """Return the full-resolution image of an OME-Zarr folder.

    Parameters
    ----------
    path : Path
        An image, a plate, a well, or a collection as bioformats2raw writes it.
    position : int or str, optional
        Which well and field, or image; the first that is there by default.

    Raises
    ------
    ImageFileError
        Damaged, or without an image.
    InputError
        There is no such position.
    """
    try:
        return _read(path, position, 0)
    except VirtualStainError:
        raise
    except Exception as error:  # zarr and its codecs raise a dozen kinds on damaged metadata
        text = str(error).strip().partition("\n")[0][:200]
        raise ImageFileError(
            f"{path} looks like Zarr but cannot be opened ({type(error).__name__}: {text}). "
            "Copy it again from its source."
        ) from error


def _read(path: Path, position: int | str | None, depth: int) -> Source:
    import zarr

    node = zarr.open(path, mode="r")
    if isinstance(node, zarr.Array):
        if position is not None:
            choose_position([path.name], position, str(path))
        return _array_source(path, node, _array_axes(node))
    attributes = _ome_attributes(dict(node.attrs))
    if "multiscales" in attributes:
        return _image_source(path, node, attributes, position)
    images = _images(path, attributes)
    if not images or depth >= _MAX_NESTING:
        raise ImageFileError(
            f"{path} is a Zarr group without a readable OME-Zarr image: expected 'multiscales' "
            "metadata of version 0.1 to 0.5. Give the folder of an image."
        )
    chosen, notes = choose_position(images, position, str(path))
    source = _read(path / images[chosen], None, depth + 1)
    return replace(source, notes=(*notes, *source.notes))


def _ome_attributes(attributes: dict[str, Any]) -> dict[str, Any]:
    """Return the metadata where 0.5 (under ``ome``) or 0.4 (at the top) keeps it."""
    ome = attributes.get("ome")
    return ome if isinstance(ome, dict) else attributes


def _images(path: Path, attributes: dict[str, Any]) -> list[str]:
    """Return the images of a plate, a well or a collection that are there, by their path."""
    if isinstance(attributes.get("plate"), dict):
        wells = [well for well in _paths(attributes["plate"], "wells") if is_zarr(path / well)]
        found = [f"{well}/{field}" for well in wells for field in _fields(path / well)]
        if not found:
            raise ImageFileError(
                f"{path} is an OME-Zarr plate: expected one image, and of its "
                f"{len(_paths(attributes['plate'], 'wells'))} wells none is there. Copy it again "
                "from its source."
            )
        return found
    if isinstance(attributes.get("well"), dict):
        return _fields(path)
    series = attributes.get("series")
    if not isinstance(series, list) and is_zarr(path / "OME"):
        series = _attributes_of(path / "OME").get("series")
    names = [str(name) for name in series] if isinstance(series, list) else []
    labels = attributes.get("labels")
    names += [str(name) for name in labels] if isinstance(labels, list) else []
    if not names:  # bioformats2raw keeps its images in numbered groups
        names = sorted((e.name for e in path.iterdir() if e.name.isdecimal()), key=int)
    return [name for name in names if is_inside(name) and _is_group(path / name)]


def _fields(well: Path) -> list[str]:
    described = _attributes_of(well).get("well")
    names = _paths(described, "images") if isinstance(described, dict) else []
    return [name for name in names if is_zarr(well / name)]


def _paths(described: dict[str, Any], key: str) -> list[str]:
    entries = described.get(key)
    if not isinstance(entries, list):
        return []
    paths = [str(entry["path"]) for entry in entries if isinstance(entry, dict) and "path" in entry]
    return [path for path in paths if is_inside(path)]


def is_inside(name: str) -> bool:
    """Return whether a path of the metadata stays inside its folder.

    Examples
    --------
    >>> is_inside("0/labels"), is_inside("../other.zarr")
    (True, False)
    """
    return bool(name) and not name.startswith("/") and ".." not in Path(name).parts


def _is_group(path: Path) -> bool:
    import zarr

    try:
        return is_zarr(path) and isinstance(zarr.open(path, mode="r"), zarr.Group)
    except Exception:  # damaged: it is none that can be chosen
        return False


def _attributes_of(path: Path) -> dict[str, Any]:
    for name, inner in (("zarr.json", "attributes"), (".zattrs", None)):
        place = path / name
        if place.is_file():
            held = json.loads(place.read_text(encoding="utf-8"))
            held = held.get(inner, {}) if inner and isinstance(held, dict) else held
            return _ome_attributes(held) if isinstance(held, dict) else {}
    return {}


def _image_source(
    path: Path, group: Any, attributes: dict[str, Any], position: int | str | None
) -> Source:
    every = attributes["multiscales"]
    if not isinstance(every, list) or not every or not all(isinstance(m, dict) for m in every):
        raise _unreadable(path, "'multiscales' is no list of images")
    names = [str(m.get("name") or i) for i, m in enumerate(every)]
    chosen, notes = choose_position(names, position, str(path))
    multiscale = every[chosen]
    levels = multiscale.get("datasets")
    if not isinstance(levels, list) or not levels:
        raise _unreadable(path, "'datasets' is no list of levels")
    dataset, array = _largest(path, group, levels)
    axes, units = _axes(multiscale, attributes, array.ndim)
    facts = Facts(notes=list(notes))
    if axes is None:
        axes = _array_axes(array)
        facts.notes.extend(_unknown_axes(multiscale))
    steps = _steps(dataset, multiscale, axes, array.ndim, facts)
    facts.set_pixel_size(*(_length(steps, units, axis) for axis in "yx"))
    facts.set_z_step(_length(steps, units, "z"))
    if "t" in steps and units.get("t"):
        facts.set_frame_interval(seconds(steps["t"], units["t"]))
    facts.channel_names = _channel_names(attributes.get("omero"))
    facts.optics = optics_of_zarr(path, attributes.get("omero"))
    return _array_source(path / dataset["path"], array, axes, facts)


def _unreadable(path: Path, reason: str) -> ImageFileError:
    return ImageFileError(
        f"{path} is a Zarr group without a readable OME-Zarr image: {reason}. Expected "
        "'multiscales' metadata of version 0.1 to 0.5."
    )


def _largest(path: Path, group: Any, levels: Sequence[Any]) -> tuple[dict[str, Any], Any]:
    """Return the level of most pixels; the list need not begin with it."""
    import zarr

    found = []
    for level in levels:
        name = level.get("path") if isinstance(level, dict) else None
        if not isinstance(name, str) or not is_inside(name):
            raise _unreadable(path, f"the path {name!r} of a level leads out of the folder")
        try:
            array = group[name]
        except KeyError:
            array = None
        if isinstance(array, zarr.Array):
            found.append((level, array))
        elif not found:
            raise _unreadable(path, f"its level {name!r} is missing")
    return max(found, key=lambda pair: math.prod(pair[1].shape))


def _axes(
    multiscale: dict[str, Any], attributes: dict[str, Any], ndim: int
) -> tuple[str | None, dict[str, str]]:
    """Return a letter for each axis, None where they do not say, and the units by letter."""
    described = multiscale.get("axes")
    if not isinstance(described, list) or not described:
        version = str(multiscale.get("version") or attributes.get("version") or "0.1")
        is_old = version in ("0.1", "0.2")
        return (ORDER if is_old and ndim == len(ORDER) else None), {}
    entries = [axis if isinstance(axis, dict) else {"name": axis} for axis in described]
    letters = [_letter(entry) for entry in entries]
    spatial = [i for i, letter in enumerate(letters) if letter == "space"]
    free = [axis for axis in "xyz" if axis not in letters]
    for i, axis in zip(reversed(spatial), free, strict=False):
        letters[i] = axis
    if len(letters) != ndim or not set(letters) <= set(ORDER) or len(set(letters)) < ndim:
        return None, {}
    units = {
        letter: str(entry["unit"])
        for letter, entry in zip(letters, entries, strict=True)
        if entry.get("unit")
    }
    return "".join(letters), units


def _array_axes(array: Any) -> str | None:
    """Return a letter for each dimension as Zarr 3 or xarray names them, None without names."""
    names = getattr(array.metadata, "dimension_names", None) or array.attrs.get("_ARRAY_DIMENSIONS")
    if not isinstance(names, list | tuple):
        return None
    letters = [_AXIS_OF_NAME.get(str(name).casefold(), "?") for name in names]
    is_known = "?" not in letters and len(set(letters)) == len(letters) == array.ndim
    return "".join(letters) if is_known else None


def _unknown_axes(multiscale: dict[str, Any]) -> list[str]:
    described = multiscale.get("axes")
    if not isinstance(described, list) or not described:
        return []
    names = [str(axis.get("name") if isinstance(axis, dict) else axis) for axis in described]
    return [f"The metadata name the axes {', '.join(names)[:100]}, which are not all known here."]


def _letter(entry: dict[str, Any]) -> str:
    """Return the letter of an axis, ``space`` for one of space by another name, else ``?``."""
    name, kind = (str(entry.get(key, "")).casefold() for key in ("name", "type"))
    if kind in _AXIS_OF_TYPE:
        return _AXIS_OF_TYPE[kind]
    letter = _AXIS_OF_NAME.get(name)
    if kind == "space":
        return letter if letter in ("z", "y", "x") else "space"
    return letter or "?"


def _steps(
    dataset: dict[str, Any],
    multiscale: dict[str, Any],
    axes: str | None,
    ndim: int,
    facts: Facts,
) -> dict[str, float]:
    """Return the step of each axis that has one; a list of another length is placed or dropped."""
    if axes is None:
        return {}
    steps: dict[str, float] = {}
    for holder in (dataset, multiscale):
        transforms = holder.get("coordinateTransformations")
        for transform in transforms if isinstance(transforms, list) else []:
            if not isinstance(transform, dict) or transform.get("type") != "scale":
                continue
            scale = transform.get("scale")
            if not _is_numbers(scale):
                facts.notes.append("A scale in the metadata is no list of numbers; it was ignored.")
                return {}
            owners = _owners(len(scale), axes)
            if owners is None:
                facts.notes.append(
                    f"The metadata give {len(scale)} scales for {ndim} axes ({axes}); they were "
                    "ignored. Give the pixel size yourself."
                )
                return {}
            for axis, step in zip(owners, scale, strict=True):
                steps[axis] = steps.get(axis, 1.0) * float(step)
    return steps


def _is_numbers(scale: Any) -> TypeGuard[list[float]]:
    return isinstance(scale, list) and all(
        isinstance(step, int | float) and not isinstance(step, bool) for step in scale
    )


def _owners(count: int, axes: str) -> str | None:
    """Return the axes to which a list of `count` scales can belong."""
    measured = axes.replace("c", "")
    spatial = measured.replace("t", "")
    return next((some for some in (axes, measured, spatial) if len(some) == count), None)


def _length(steps: dict[str, float], units: dict[str, str], axis: str) -> float | None:
    return micrometres(steps[axis], units[axis]) if axis in steps and axis in units else None


def _channel_names(omero: Any) -> tuple[str, ...]:
    channels = omero.get("channels") if isinstance(omero, dict) else None
    if not isinstance(channels, list) or not all(isinstance(c, dict) for c in channels):
        return ()
    names = [str(channel.get("label") or "") for channel in channels]
    return tuple(names) if any(names) else ()


def _array_source(
    path: Path, array: Any, axes: str | None = None, facts: Facts | None = None
) -> Source:
    shape, dtype = tuple(array.shape), np.dtype(array.dtype)
    chunk = math.prod(array.chunks) * dtype.itemsize
    if chunk > max(_MAX_CHUNK_BYTES, 2 * math.prod(shape) * dtype.itemsize):
        raise ImageFileError(
            f"{path} states chunks of {chunk / 1e9:.3g} GB for an image of shape {shape}. "
            "Copy it again from its source."
        )
    if len(shape) < 2:
        raise ImageFileError(f"{path} is an array of shape {shape}: expected an image.")
    facts = facts or Facts()
    facts.notes.extend(_missing_chunks(array))
    return Source(
        path=path,
        shape=shape,
        dtype=kept_dtype(dtype, path),
        read=_ZarrReader(path, tuple(shape[:-2])),
        axes=axes,
        **facts.as_fields(),
    )


def _missing_chunks(array: Any) -> list[str]:
    """Return a note when some chunks are no files: never written, or lost when copied.

    An image that is 0 everywhere has none.
    """
    if array.shards is not None or not 0 < array.nchunks <= _MAX_CHUNKS_COUNTED:
        return []
    present = array.nchunks_initialized
    absent = array.nchunks - present
    if absent <= 0 or not present:
        return []
    return [
        f"Of its {array.nchunks} chunks, {absent} are not there and read as "
        f"{array.fill_value or 0}: they were empty, never written, or not copied."
    ]


@dataclass(frozen=True, slots=True)
class _ZarrReader:
    path: Path
    leading: tuple[int, ...]

    def __call__(self, index: int) -> np.ndarray:
        import zarr

        array = zarr.open_array(self.path, mode="r")
        return np.asarray(array[np.unravel_index(index, self.leading) if self.leading else ...])
