"""DeltaVision ``.dv`` files, through the package mrc."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ImageFileError
from .source import Facts, RawReader, Source, kept_dtype
from .tiff_metadata import median_step

_HEADER_BYTES = 1024


def read_deltavision(path: Path) -> Source:
    """Return the image of a DeltaVision file.

    Raises
    ------
    ImageFileError
        Truncated, damaged or complex-valued.
    """
    from mrc import DVFile

    try:
        file = DVFile(path)
    except Exception as error:  # mmap, struct and key errors on damaged headers
        raise ImageFileError(
            f"{path} is truncated or damaged: its header promises other data than the file "
            f"holds ({error}). Copy it again from its source."
        ) from error
    try:
        return _source(path, file)
    finally:
        file.close()


def _source(path: Path, file: Any) -> Source:
    shape, dtype = tuple(file.shape), file.dtype
    facts, size = Facts(), file.voxel_size
    facts.set_pixel_size(size.y or None, size.x or None)
    facts.set_z_step(size.z or None)
    facts.set_frame_interval(_interval(file))
    header = file.hdr
    waves = [getattr(header, f"wave{i + 1}") for i in range(min(5, header.nc))]
    if len(waves) == header.nc > 1 and all(waves):
        facts.channel_names = tuple(f"{wave} nm" for wave in waves)
    offset = _HEADER_BYTES + header.ext_hdr_len
    return Source(
        path=path,
        shape=shape,
        dtype=kept_dtype(dtype, path),
        read=RawReader(path, offset, dtype, shape[-2:]),
        axes=file.axes.lower(),
        **facts.as_fields(),
    )


def _interval(file: Any) -> float | None:
    """Return the median step of the time stamps, None without an extended header."""
    if file.ext_hdr is None or file.hdr.nt < 2:
        return None
    leading = file.axes[:-2]
    stride = int(np.prod([file.sizes[a] for a in leading[leading.index("T") + 1 :]], dtype=int))
    try:
        frames = [file.ext_hdr.frame(t * stride) for t in range(file.hdr.nt)]
        return median_step([float(frame.timeStampSeconds) for frame in frames])
    except Exception:  # an extended header of another maker holds other things
        return None
