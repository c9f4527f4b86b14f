"""Preallocated image files in which planes are written in any order."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ...axes import ORDER, Geometry
from ...errors import AxesError, InputError

_TIFF_SUFFIXES = (".tif", ".tiff")
_MAX_CHUNK = 2048


@dataclass(frozen=True, slots=True)
class Layout:
    """Everything that fixes the file before its first plane.

    Attributes
    ----------
    shape : tuple of int
        Length of each axis.
    dtype : dtype
        Of the pixels.
    geometry : Geometry
        Axes and physical steps.
    channel_names : tuple of str
        Empty, or one for each channel.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    geometry: Geometry
    channel_names: tuple[str, ...] = ()

    @property
    def plane_shape(self) -> tuple[int, int]:
        """Rows and columns of a plane."""
        return self.shape[-2], self.shape[-1]

    @property
    def planes(self) -> int:
        """Number of planes."""
        return int(np.prod(self.shape[:-2], dtype=int))

    @property
    def nbytes(self) -> int:
        """Size of all pixels in bytes."""
        return int(np.prod(self.shape, dtype=int)) * self.dtype.itemsize


class PlaneStore(Protocol):
    """A preallocated image of one format."""

    def create(self) -> None:
        """Make the file with all its metadata and no pixels yet."""

    def write(self, index: int, plane: np.ndarray) -> None:
        """Put a plane at its place."""

    def read(self, index: int) -> np.ndarray:
        """Return a plane as it lies on the disk."""

    def close(self) -> None:
        """Bring everything to the disk."""


def image_format(path: Path) -> str:
    """Return ``tiff`` or ``zarr`` from the name of an image to be written.

    Raises
    ------
    InputError
        Neither.

    Examples
    --------
    >>> image_format(Path("stained.ome.tif"))
    'tiff'
    """
    name = path.name.lower()
    if name.endswith(".zarr"):
        return "zarr"
    if name.endswith(_TIFF_SUFFIXES):
        return "tiff"
    raise InputError(
        f"{path} cannot be written: expected a name that ends in .ome.tif, .tif or .ome.zarr."
    )


def check_layout(layout: Layout) -> None:
    """Refuse shapes and axes that do not go together or are not in order."""
    axes = layout.geometry.axes
    if axes != "".join(axis for axis in ORDER if axis in axes):
        raise AxesError(f"Axes {axes!r}: expected the order of {ORDER!r}, for instance 'tyx'.")
    if not layout.shape or min(layout.shape) < 1:
        raise InputError(f"An image of shape {layout.shape} holds no pixels.")


def open_store(path: Path, image: str, layout: Layout) -> PlaneStore:
    """Return the store of an image format (``tiff`` or ``zarr``) at `path`."""
    return TiffStore(path, layout) if image == "tiff" else ZarrStore(path, layout)


class TiffStore:
    """An uncompressed OME-TIFF whose planes follow each other.

    Planes are written with seek and write, not through a memory map: on a full disk
    a map kills the process, a write raises an error that can be explained.
    """

    def __init__(self, path: Path, layout: Layout) -> None:
        self._path, self._layout = path, layout
        self._file: Any = None
        self._offset = 0

    def create(self) -> None:
        """Make the file with all its metadata and no pixels yet."""
        import tifffile

        layout, geometry = self._layout, self._layout.geometry
        pixel_um = geometry.pixel_size_um
        tifffile.imwrite(
            self._path,
            shape=layout.shape,
            dtype=layout.dtype,
            ome=True,
            photometric="minisblack",
            metadata=_ome_metadata(layout),
            resolution=(1e4 / pixel_um, 1e4 / pixel_um) if pixel_um else None,
            resolutionunit="CENTIMETER" if pixel_um else None,
        )

    def write(self, index: int, plane: np.ndarray) -> None:
        """Put a plane at its place."""
        file = self._opened()
        file.seek(self._offset + index * plane.nbytes)
        file.write(np.ascontiguousarray(plane).tobytes())
        file.flush()

    def read(self, index: int) -> np.ndarray:
        """Return a plane as it lies on the disk."""
        layout, file = self._layout, self._opened()
        nbytes = int(np.prod(layout.plane_shape)) * layout.dtype.itemsize
        file.seek(self._offset + index * nbytes)
        return np.frombuffer(file.read(nbytes), layout.dtype).reshape(layout.plane_shape)

    def close(self) -> None:
        """Bring everything to the disk."""
        if self._file is not None:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            self._file = None

    def _opened(self) -> Any:
        if self._file is None:
            import tifffile

            with tifffile.TiffFile(self._path) as tiff:
                self._offset = int(tiff.pages[0].dataoffsets[0])  # type: ignore[union-attr]
            self._file = self._path.open("r+b")
        return self._file


def _ome_metadata(layout: Layout) -> dict[str, Any]:
    geometry = layout.geometry
    metadata: dict[str, Any] = {"axes": geometry.axes.upper()}
    if geometry.pixel_size_um:
        metadata |= {f"PhysicalSize{axis}": geometry.pixel_size_um for axis in "XY"}
        metadata |= {f"PhysicalSize{axis}Unit": "µm" for axis in "XY"}
    if geometry.z_step_um:
        metadata |= {"PhysicalSizeZ": geometry.z_step_um, "PhysicalSizeZUnit": "µm"}
    if geometry.frame_interval_s:
        metadata |= {"TimeIncrement": geometry.frame_interval_s, "TimeIncrementUnit": "s"}
    if layout.channel_names:
        metadata["Channel"] = {"Name": list(layout.channel_names)}
    return metadata


class ZarrStore:
    """An OME-Zarr 0.5 of one resolution level, a plane a chunk up to 2048 x 2048."""

    def __init__(self, path: Path, layout: Layout) -> None:
        self._path, self._layout = path, layout
        self._array: Any = None

    def create(self) -> None:
        """Make the folder with all its metadata and no pixels yet."""
        import zarr

        layout = self._layout
        group = zarr.create_group(self._path, zarr_format=3, overwrite=True)
        height, width = (min(length, _MAX_CHUNK) for length in layout.plane_shape)
        group.create_array(
            "0",
            shape=layout.shape,
            dtype=layout.dtype,
            chunks=(1,) * (len(layout.shape) - 2) + (height, width),
            dimension_names=list(layout.geometry.axes),
            fill_value=0,
        )
        group.attrs["ome"] = _ngff_metadata(layout, self._path)

    def write(self, index: int, plane: np.ndarray) -> None:
        """Put a plane at its place."""
        self._opened()[self._place(index)] = plane

    def read(self, index: int) -> np.ndarray:
        """Return a plane as it lies on the disk."""
        return np.asarray(self._opened()[self._place(index)])

    def close(self) -> None:
        """Forget the open array; every plane is on the disk already."""
        self._array = None

    def _place(self, index: int) -> Any:
        leading = self._layout.shape[:-2]
        return np.unravel_index(index, leading) if leading else ...

    def _opened(self) -> Any:
        if self._array is None:
            import zarr

            self._array = zarr.open_array(self._path / "0", mode="r+")
        return self._array


_NGFF_TYPES = {"t": "time", "c": "channel", "z": "space", "y": "space", "x": "space"}


def _ngff_metadata(layout: Layout, path: Path) -> dict[str, Any]:
    geometry = layout.geometry
    axes: list[dict[str, str]] = []
    for axis, unit in zip(geometry.axes, geometry.units, strict=True):
        entry = {"name": axis, "type": _NGFF_TYPES[axis]}
        axes.append(entry if unit == "pixel" else {**entry, "unit": unit})
    scale = {"type": "scale", "scale": list(geometry.scale)}
    name = path.name.removesuffix(".partial").removesuffix(".zarr").removesuffix(".ome")
    metadata: dict[str, Any] = {
        "version": "0.5",
        "multiscales": [
            {
                "name": name,
                "axes": axes,
                "datasets": [{"path": "0", "coordinateTransformations": [scale]}],
            }
        ],
    }
    if layout.channel_names:
        channels = [{"label": label, "color": "FFFFFF"} for label in layout.channel_names]
        metadata["omero"] = {"channels": channels}
    return metadata
