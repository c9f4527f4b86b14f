"""DeltaVision ``.dv`` files: a header of 1024 bytes, an extended header, then raw planes."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...errors import ImageFileError
from ..stated_optics import optics_of_lens
from .source import Facts, RawReader, Source, kept_dtype
from .tiff_metadata import median_step

_HEADER_BYTES = 1024
_TYPES = {0: "u1", 1: "i2", 2: "f4", 5: "i2", 6: "u2", 7: "i4"}
# slowest first; the header names the fastest first
_ORDERS = {0: "ctz", 1: "tzc", 2: "tcz"}
_TIME_STAMP = 1  # of the numbers a plane has in the extended header
_MAX_SIDE = 65536


@dataclass(frozen=True, slots=True)
class _Header:
    """Contents of the header, with counts of zero taken as one."""

    byteorder: str
    width: int
    height: int
    sections: int
    pixel_type: int
    step_um: tuple[float, float, float]
    extended_bytes: int
    integers: int
    numbers: int
    frames: int
    order: int
    channels: int
    waves: tuple[int, ...]
    lens: int

    @property
    def axes(self) -> str:
        return _ORDERS.get(self.order, "ctz")

    @property
    def sizes(self) -> dict[str, int]:
        depth = self.sections // (self.channels * self.frames)
        return {"t": self.frames, "c": self.channels, "z": depth}


def read_deltavision(path: Path) -> Source:
    """Return the image of a DeltaVision file.

    Raises
    ------
    ImageFileError
        Truncated, damaged or complex-valued.
    """
    with path.open("rb") as file:
        header = _header(path, file.read(_HEADER_BYTES))
        extended = file.read(header.extended_bytes)
    sizes = header.sizes
    leading = tuple(sizes[axis] for axis in header.axes)
    dtype = np.dtype(header.byteorder + _TYPES[header.pixel_type])
    offset = _HEADER_BYTES + header.extended_bytes
    plane_bytes = header.width * header.height * dtype.itemsize
    end, size = offset + header.sections * plane_bytes, path.stat().st_size
    if end > size:
        raise _damaged(path, f"{end} bytes expected, {size} found")
    facts = Facts()
    x_um, y_um, z_um = header.step_um
    facts.set_pixel_size(y_um or None, x_um or None)
    facts.set_z_step(z_um or None)
    facts.set_frame_interval(_interval(header, leading, extended))
    if header.channels > 1 and any(header.waves):
        facts.channel_names = tuple(_wave_name(wave) for wave in header.waves)
    facts.optics = optics_of_lens(
        header.lens, [wave / 1000 if wave > 0 else None for wave in header.waves]
    )
    return Source(
        path=path,
        shape=(*leading, header.height, header.width),
        dtype=kept_dtype(dtype, path),
        read=RawReader(path, offset, dtype, (header.height, header.width)),
        axes=f"{header.axes}yx",
        **facts.as_fields(),
    )


def _header(path: Path, head: bytes) -> _Header:
    if len(head) < _HEADER_BYTES:
        raise _damaged(path, f"{_HEADER_BYTES} bytes of header expected, {len(head)} found")
    order = "<" if head[96:98] == b"\xa0\xc0" else ">"

    def at(form: str, offset: int) -> tuple[int, ...]:
        return struct.unpack_from(order + form, head, offset)

    width, height, sections, pixel_type = at("4i", 0)
    (extended_bytes,) = at("i", 92)
    integers, numbers = at("2h", 128)
    frames, sequence = at("2h", 180)
    channels, *waves = at("6h", 196)
    frames, channels = max(frames, 1), max(channels, 1)  # single images state 0
    steps = struct.unpack_from(order + "3f", head, 40)
    if pixel_type not in _TYPES:
        raise ImageFileError(
            f"{path} has pixels of type {pixel_type}: expected whole or real numbers. "
            "Save it as 16-bit or 32-bit float."
        )
    if not (0 < width <= _MAX_SIDE and 0 < height <= _MAX_SIDE and sections > 0):
        raise _damaged(path, f"it states {sections} planes of {height} × {width} px")
    if extended_bytes < 0 or sections % (frames * channels):
        raise _damaged(path, f"it states {sections} planes of {frames} times {channels} channels")
    return _Header(
        order,
        width,
        height,
        sections,
        pixel_type,
        (steps[0], steps[1], steps[2]),
        extended_bytes,
        integers,
        numbers,
        frames,
        sequence,
        channels,
        tuple(waves[:channels]) if channels <= len(waves) else (),
        at("h", 162)[0],
    )


def _wave_name(wave: int) -> str:
    """Return the name of a channel; transmitted light is a wave below 0 (-50 by default)."""
    if wave == 0:
        return ""
    return f"{wave} nm" if wave > 0 else "bright-field"


def _interval(header: _Header, leading: tuple[int, ...], extended: bytes) -> float | None:
    """Return the median step of the time stamps, None without an extended header."""
    length = 4 * (header.integers + header.numbers)
    if header.frames < 2 or header.integers < 0 or header.numbers <= _TIME_STAMP:
        return None
    stride = int(np.prod(leading[header.axes.index("t") + 1 :], dtype=int))
    times = []
    for frame in range(header.frames):
        offset = frame * stride * length + 4 * (header.integers + _TIME_STAMP)
        if offset + 4 > len(extended):
            break
        times.append(float(struct.unpack_from(f"{header.byteorder}f", extended, offset)[0]))
    return median_step([time for time in times if np.isfinite(time)])


def _damaged(path: Path, reason: str) -> ImageFileError:
    return ImageFileError(
        f"{path} is truncated or damaged: {reason}. Copy it again from its source."
    )
