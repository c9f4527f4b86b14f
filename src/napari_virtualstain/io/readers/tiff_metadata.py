"""Pixel size, frame interval and channel names from the dialects of TIFF."""

from __future__ import annotations

import itertools
import math
import statistics
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..units import micrometres, seconds
from .ome_optics import optics_of_ome
from .ome_xml import images, missing_files, parsed
from .source import Facts

if TYPE_CHECKING:
    import tifffile


def read_facts(file: tifffile.TiffFile, facts: Facts, index: int = 0) -> None:
    """Fill `facts` about image `index` from OME-XML, ImageJ's description or resolution tags."""
    if file.ome_metadata:
        _from_ome(Path(file.filehandle.path), file.ome_metadata, facts, index)
    elif file.is_stk:
        _from_metamorph(file.stk_metadata or {}, facts)
    elif file.imagej_metadata:
        _from_imagej(file.imagej_metadata, _resolution(file), facts)
    else:
        _from_resolution(file, facts)


def _from_ome(path: Path, xml: str, facts: Facts, index: int) -> None:
    root = parsed(xml)
    if root is None:
        facts.notes.append("The OME-XML of the file is damaged; its metadata was ignored.")
        return
    # images of which no file is there are none of tifffile's series
    every = images(root, path) or root.findall("{*}Image/{*}Pixels")
    if not every:
        return
    if absent := missing_files(root, path):
        facts.notes.append(f"Images in other files are missing: {', '.join(absent[:6])}.")
    facts_of_ome(root, every[index] if index < len(every) else every[0], facts)


def facts_of_ome(root: Any, pixels: Any, facts: Facts) -> None:
    """Fill `facts` from the ``Pixels`` of an image, and from its objective."""
    y_um, x_um, z_um = (_ome_length(pixels, axis) for axis in "YXZ")
    facts.set_pixel_size(y_um, x_um)
    facts.set_z_step(z_um)
    facts.set_frame_interval(_ome_interval(pixels, facts))
    names = [channel.get("Name") or "" for channel in pixels.findall("{*}Channel")]
    facts.channel_names = tuple(names) if any(names) else ()
    facts.optics = optics_of_ome(root, pixels)


def _ome_length(pixels: Any, axis: str) -> float | None:
    value = _number(pixels.get(f"PhysicalSize{axis}"))
    unit = pixels.get(f"PhysicalSize{axis}Unit", "µm")
    return None if value is None else micrometres(value, unit)


def _ome_interval(pixels: Any, facts: Facts) -> float | None:
    """Return ``TimeIncrement``, or what the times of the planes give where it says nothing."""
    stated = _number(pixels.get("TimeIncrement"))
    if stated is not None:
        stated = seconds(stated, pixels.get("TimeIncrementUnit", "s"))
    if stated is not None and stated != 0 and math.isfinite(stated):
        return stated
    times: dict[tuple[str, str], dict[int, float]] = {}
    for plane in pixels.findall("{*}Plane"):
        delta, frame = _number(plane.get("DeltaT")), _number(plane.get("TheT", "0"))
        if delta is None or frame is None or not math.isfinite(frame):
            continue
        time = seconds(delta, plane.get("DeltaTUnit", "s"))
        if time is not None and math.isfinite(time):
            place = (plane.get("TheC", "0"), plane.get("TheZ", "0"))
            times.setdefault(place, {})[int(frame)] = time
    if not times:
        return None
    # some programs time one channel only
    return _even_step(_steps_of(max(times.values(), key=len)), facts)


def _even_step(steps: list[float], facts: Facts) -> float | None:
    """Return the median of the times from frame to frame, and note where they differ."""
    if not steps:
        return None
    middle = statistics.median(steps)
    if max(steps) > _UNEVEN * middle or min(steps) * _UNEVEN < middle:
        facts.notes.append(
            f"The frames are not evenly spaced ({min(steps):.3g} to {max(steps):.3g} s apart); the "
            f"median of {middle:.3g} s is taken as the frame interval."
        )
    return middle


_UNEVEN = 1.5  # clocks of microscopes jitter, and a long exposure comes late


def _steps_of(times_s: dict[int, float]) -> list[float]:
    """Return the times from frame to frame, of frames that need not all be there."""
    return [
        (times_s[b] - times_s[a]) / (b - a)
        for a, b in itertools.pairwise(sorted(times_s))
        if times_s[b] > times_s[a]
    ]


def median_step(times_s: list[float]) -> float | None:
    """Return the median of the positive steps between frame times, None without any."""
    steps = [b - a for a, b in itertools.pairwise(times_s) if b > a]
    return statistics.median(steps) if steps else None


def _from_imagej(metadata: dict[str, Any], size: tuple[float | None, ...], facts: Facts) -> None:
    unit = str(metadata.get("unit") or "")
    y_um, x_um = (None if s is None else micrometres(s, unit) for s in size[:2])
    facts.set_pixel_size(y_um, x_um)
    spacing = _number(metadata.get("spacing"))
    facts.set_z_step(None if spacing is None else micrometres(spacing, unit))
    interval = _number(metadata.get("finterval"))
    if interval is not None:
        facts.set_frame_interval(seconds(interval, str(metadata.get("tunit") or "s")))
    labels = metadata.get("Labels")
    channels = int(metadata.get("channels") or 1)
    if isinstance(labels, list) and len(labels) == channels > 1:
        facts.channel_names = tuple(str(label) for label in labels)


def _from_metamorph(metadata: dict[str, Any], facts: Facts) -> None:
    """Use the tags of a MetaMorph stack: calibration, times and distances of its planes."""
    unit = str(metadata.get("CalibrationUnits") or "").strip()
    if metadata.get("SpatialCalibration", 1):  # 0: the numbers beside it mean nothing
        sizes = (_number(metadata.get(f"{axis}Calibration")) for axis in "YX")
        facts.set_pixel_size(*(None if s is None else micrometres(s, unit) for s in sizes))
    distances = [float(d) for d in metadata.get("ZDistance", ()) if d]
    if distances:
        facts.set_z_step(micrometres(statistics.median(distances), unit or "um"))
    days = metadata.get("DatetimeCreated")  # unlike TimeCreated, it goes on after midnight
    if days is not None and not distances:
        times_s = {i: float(t) / 1e9 for i, t in enumerate((days - days[0]).astype("int64"))}
        facts.set_frame_interval(_even_step(_steps_of(times_s), facts))
    if len(set(metadata.get("Wavelengths", ()))) > 1:
        facts.notes.append(
            "Its planes are of several wavelengths, which the file does not order into channels. "
            "If they are channels, name the axes (--axes cyx)."
        )


def _from_resolution(file: tifffile.TiffFile, facts: Facts) -> None:
    """Use the resolution tags unless they are the dots per inch of a printer or screen."""
    unit = file.pages[0].tags.get("ResolutionUnit")
    name = {2: "inch", 3: "cm"}.get(int(unit.value) if unit is not None else 2)
    if name is None:
        return
    sizes = [None if s is None else micrometres(s, name) for s in _resolution(file)]
    # every office program writes 72 to 1200 dots per inch; that is no statement on the
    # microscope and not worth a word to the user
    if all(size is not None and size < 20 for size in sizes):
        facts.set_pixel_size(*sizes)


def _resolution(file: tifffile.TiffFile) -> tuple[float | None, float | None]:
    """Return units per pixel in y and x, None where the tag is absent or zero."""
    tags = file.pages[0].tags
    return _per_pixel(tags.get("YResolution")), _per_pixel(tags.get("XResolution"))


def _per_pixel(tag: Any) -> float | None:
    if tag is None:
        return None
    pixels, units = tag.value
    return units / pixels if pixels and units else None


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None
