"""Planes and metadata that a reader passes to :func:`open_stack`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import ImageFileError, InputError, VirtualStainError
from ..stated_optics import NOT_STATED, StatedOptics
from ..units import FRAME_INTERVAL_RANGE_S, PIXEL_SIZE_RANGE_UM, Z_STEP_RANGE_UM, is_plausible

PlaneReader = Callable[[int], np.ndarray]


@dataclass(frozen=True, slots=True)
class Source:
    """An image as its file describes it.

    Attributes
    ----------
    path : Path
        The file or folder.
    shape : tuple of int
        Length of each dimension, y and x last.
    dtype : dtype
        Of a plane as `read` returns it.
    read : callable
        ``read(index)`` returns the (y, x) plane at the flat index over the leading
        dimensions. It opens the file each time, so it may run in any thread or process.
    axes : str or None
        Lower case, as the file states them; None when it does not.
    pixel_size_um, frame_interval_s, z_step_um : float or None
        As the file states them, None when it does not.
    channel_names : tuple of str
        As the file states them.
    optics : StatedOptics
        As the file states them.
    notes : tuple of str
        See :attr:`Stack.notes`.
    """

    path: Path
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    read: PlaneReader
    axes: str | None = None
    pixel_size_um: float | None = None
    frame_interval_s: float | None = None
    z_step_um: float | None = None
    channel_names: tuple[str, ...] = ()
    optics: StatedOptics = NOT_STATED
    notes: tuple[str, ...] = ()


@dataclass(slots=True)
class Facts:
    """Collected metadata, without what cannot be true, which is noted."""

    pixel_size_um: float | None = None
    frame_interval_s: float | None = None
    z_step_um: float | None = None
    channel_names: tuple[str, ...] = ()
    optics: StatedOptics = NOT_STATED
    notes: list[str] = field(default_factory=list)

    def set_pixel_size(self, y_um: float | None, x_um: float | None) -> None:
        """Keep the pixel size, the mean of y and x where these differ."""
        sizes = [size for size in (y_um, x_um) if size is not None]
        kept = [size for size in sizes if is_plausible(size, PIXEL_SIZE_RANGE_UM)]
        if len(kept) < len(sizes):
            self._ignore("pixel size", min(sizes), "µm")
            return
        if not kept:
            return
        if max(kept) > 1.02 * min(kept):
            self.notes.append(
                f"Pixels are not square ({y_um:g} × {x_um:g} µm); their mean size is used."
            )
        self.pixel_size_um = float(sum(kept) / len(kept))

    def set_frame_interval(self, interval_s: float | None) -> None:
        """Keep the frame interval if it can be true."""
        if interval_s is None:
            return
        if is_plausible(interval_s, FRAME_INTERVAL_RANGE_S):
            self.frame_interval_s = float(interval_s)
        elif interval_s != 0:  # many programs write 0 for "not a movie"
            self._ignore("frame interval", interval_s, "s")

    def set_z_step(self, step_um: float | None) -> None:
        """Keep the z step if it can be true; its sign is the direction of travel."""
        if step_um is not None and is_plausible(abs(step_um), Z_STEP_RANGE_UM):
            self.z_step_um = abs(float(step_um))

    def _ignore(self, name: str, value: float, unit: str) -> None:
        self.notes.append(
            f"The file states a {name} of {value:g} {unit}, which cannot be true of a "
            f"microscope image; it was ignored. Give the {name} yourself."
        )

    def as_fields(self) -> dict[str, Any]:
        """Return the keyword arguments of :class:`Source` that are known here."""
        return {
            "pixel_size_um": self.pixel_size_um,
            "frame_interval_s": self.frame_interval_s,
            "z_step_um": self.z_step_um,
            "channel_names": self.channel_names,
            "optics": self.optics,
            "notes": tuple(self.notes),
        }


def kept_dtype(dtype: np.dtype[Any], path: Path) -> np.dtype[Any]:
    """Return the type in which pixels of `dtype` are returned.

    Native byte order; one-bit pixels become uint8 of 0 and 1, and half-precision
    floats become float32, which every later step can compute with.
    """
    if dtype.kind == "b":
        return np.dtype(np.uint8)
    if dtype.kind == "f" and dtype.itemsize == 2:
        return np.dtype(np.float32)
    if dtype.kind not in "uif":
        raise ImageFileError(
            f"{path} has pixels of type {dtype}: expected whole or real numbers. "
            "Save it as 8-bit, 16-bit or 32-bit float."
        )
    return dtype.newbyteorder("=")


def grey_plane(plane: np.ndarray, path: Path) -> np.ndarray:
    """Return the one grey plane of a (Y, X, samples) picture.

    Parameters
    ----------
    plane : ndarray of shape (Y, X) or (Y, X, S)
        Grey, grey + alpha, RGB or RGBA. Alpha is left out.

    Raises
    ------
    InputError
        Colours differ, so that the picture is not a grey image saved as RGB.
    """
    if plane.ndim == 2:
        return plane
    if plane.shape[-1] in (1, 2):
        return plane[..., 0]
    grey = plane[..., 0]
    if any((plane[..., sample] != grey).any() for sample in (1, 2)):
        raise InputError(
            f"{path} is a colour (RGB) picture: expected grey values as the camera wrote "
            "them. Export the raw channel as grey TIFF; in Fiji: Image > Type > 16-bit, "
            "or split the channels and keep one. If its colours are frames or channels, save it as "
            "OME-TIFF; tifffile.imwrite needs photometric='minisblack' for three of them."
        )
    return grey


@dataclass(frozen=True, slots=True)
class RawReader:
    """Reader of planes that lie uncompressed one after the other in a file.

    Attributes
    ----------
    path : Path
        File.
    offset : int
        Bytes before the first plane.
    dtype : dtype
        As stored, byte order included.
    shape : tuple of int
        Of one plane as stored.
    """

    path: Path
    offset: int
    dtype: np.dtype[Any]
    shape: tuple[int, ...]

    def __call__(self, index: int) -> np.ndarray:
        """Return plane `index`."""
        count = int(np.prod(self.shape))
        offset = self.offset + index * count * self.dtype.itemsize
        return np.fromfile(self.path, self.dtype, count, offset=offset).reshape(self.shape)


@dataclass(frozen=True, slots=True)
class NativeReader:
    """Wrapper of a reader that gives its planes the promised type or a clear error."""

    read: PlaneReader
    dtype: np.dtype[Any]
    shape: tuple[int, int]
    path: Path

    def __call__(self, index: int) -> np.ndarray:
        """Return plane `index` as (Y, X) of the promised type."""
        try:
            plane = self.read(index)
        except (VirtualStainError, MemoryError):
            raise
        except FileNotFoundError as error:
            raise ImageFileError(
                f"{self.path} was deleted, renamed or moved since it was opened. Put it back, or "
                "open it where it is now."
            ) from error
        except Exception as error:
            raise ImageFileError(
                f"Plane {index} of {self.path} cannot be read ({_reason(error)}). "
                "The file is damaged or was changed since it was opened; copy it again."
            ) from error
        if plane.shape != self.shape:
            raise ImageFileError(
                f"Plane {index} of {self.path} has {plane.shape} pixels, expected {self.shape}. "
                "The file was changed since it was opened; open it again."
            )
        return np.ascontiguousarray(plane, dtype=self.dtype)


def _reason(error: Exception) -> str:
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0]}" if text else type(error).__name__
