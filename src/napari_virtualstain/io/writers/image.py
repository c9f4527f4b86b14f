"""Writer of a whole image, in memory or lazy, in one call."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...axes import ORDER, normalise_axes
from ...errors import InputError
from ...progress import CancelToken, ProgressCallback, Reporter
from .plane_writer import open_plane_writer, stored_dtype


def write_image(
    path: str | Path,
    data: Any,
    *,
    axes: str,
    pixel_size_um: float | None = None,
    frame_interval_s: float | None = None,
    z_step_um: float | None = None,
    channel_names: Sequence[str] | None = None,
    overwrite: bool = False,
    progress: ProgressCallback | None = None,
    cancel: CancelToken | None = None,
) -> Path:
    """Write an image with its metadata, whole or not at all, and return its path.

    Parameters
    ----------
    path : str or Path
        Ends in ``.ome.tif``, ``.tif`` (OME-TIFF too) or ``.ome.zarr`` (version 0.5).
    data : array
        NumPy or dask; dask is computed and written plane by plane. NaN is kept.
    axes : str
        One letter for each dimension, in any order.
    pixel_size_um, frame_interval_s, z_step_um : float, optional
        Physical steps, written into the metadata.
    channel_names : sequence of str, optional
        One for each channel.
    overwrite : bool
        Whether an existing image may be replaced.
    progress : callable, optional
        Called after each plane.
    cancel : CancelToken, optional
        Looked at before each plane.

    Raises
    ------
    OutputExistsError, OutputError
        See :func:`check_output`.
    AxesError
        The axes do not describe `data`.
    InputError
        Whole numbers of 64 bits that do not fit into 32, or pixels that are no numbers.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> labels = np.zeros((2, 16, 16), np.int32)
    >>> write_image(folder / "labels.ome.tif", labels, axes="tyx", pixel_size_um=0.08).name
    'labels.ome.tif'
    """
    if not hasattr(data, "compute"):
        data = np.asarray(data)
    given = normalise_axes(axes, data.ndim)
    ordered = "".join(axis for axis in ORDER if axis in given)
    data = data.transpose([given.index(axis) for axis in ordered])
    names = tuple(channel_names or ())
    count = data.shape[ordered.index("c")] if "c" in ordered else 1
    if names and len(names) != count:
        raise InputError(f"{len(names)} channel names for {count} channels: expected one for each.")
    writer = open_plane_writer(
        path,
        shape=data.shape,
        dtype=data.dtype,
        axes=ordered,
        pixel_size_um=pixel_size_um,
        frame_interval_s=frame_interval_s,
        z_step_um=z_step_um,
        channel_names=names,
        overwrite=overwrite,
    )
    reporter = Reporter(writer.planes, "plane", "writing", progress, cancel)
    try:
        with writer:
            for index in range(writer.planes):
                reporter.check()
                writer.write(index, _plane(data, index))
                reporter.advance()
    except BaseException:
        writer.discard()  # nothing here can be resumed: the caller has the data
        raise
    return writer.path


def _plane(data: Any, index: int) -> np.ndarray:
    leading = data.shape[:-2]
    plane = data[tuple(np.unravel_index(index, leading))] if leading else data
    plane = np.asarray(plane)
    target = stored_dtype(plane.dtype)
    if plane.dtype.kind in "ui" and plane.dtype.itemsize > target.itemsize:
        limits = np.iinfo(target)
        if plane.size and not limits.min <= plane.min() <= plane.max() <= limits.max:
            raise InputError(
                f"Values from {plane.min()} to {plane.max()} do not fit into {target}: expected "
                "32-bit whole numbers. Scale or relabel the image."
            )
    return plane.astype(target, copy=False)
