"""Resumable writer of an image plane by plane; a torn file never looks whole.

The image grows under the name ``<output>.partial`` beside a journal of finished planes,
``<output>.partial.journal``. Each line of the journal is a plane and the checksum of its
bytes, appended after the plane itself was written. When all planes are there, the
image is renamed and the journal deleted. A process killed at any moment therefore loses
at most the plane in work: on resuming, a plane counts as done if its line is there and
its bytes on the disk still give that checksum.
"""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from ...axes import Geometry, check_positive, normalise_axes
from ...errors import InputError, OutputError, OutputExistsError
from ..output import (
    JOURNAL_SUFFIX,
    PARTIAL_SUFFIX,
    check_free_space,
    check_output,
    has_begun,
    move_into_place,
    remove,
    translated_errors,
)
from ..stack import Stack
from .plane_store import Layout, PlaneStore, check_layout, image_format, open_store


class PlaneWriter:
    """Writer of the planes of one image in any order; a context manager.

    Made by :func:`open_plane_writer`. Leaving the block without an error finishes the
    image; leaving it with one keeps the partial image for resuming.

    Attributes
    ----------
    path : Path
        Where the complete image will be.
    layout : Layout
        Shape, type and geometry.
    """

    def __init__(
        self, path: Path, layout: Layout, *, overwrite: bool, resume: bool, settings: str
    ) -> None:
        self.path, self.layout = path, layout
        self._overwrite = overwrite
        self._partial = path.with_name(path.name + PARTIAL_SUFFIX)
        self._journal = path.with_name(path.name + PARTIAL_SUFFIX + JOURNAL_SUFFIX)
        self._store: PlaneStore = open_store(self._partial, image_format(path), layout)
        self._header = _header(layout, settings)
        self._checksums: dict[int, int] = {}
        self._checked: set[int] = set()
        self._lines: Any = None
        self._is_resumed = resume and has_begun(path)

    def __enter__(self) -> Self:
        with translated_errors(self.path):
            if self._is_resumed:
                self._read_journal()
                # parts of chunks, which zarr renames when they are whole
                for torn in self._partial.rglob(f"*{PARTIAL_SUFFIX}"):
                    remove(torn)
            else:
                self._start()
            self._lines = self._journal.open("a", encoding="utf-8")
            if self._is_resumed:
                self._lines.write("\n")  # ends a line that a kill tore
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with translated_errors(self.path):
            self._lines.close()
            self._store.close()
            if kind is None:
                self._finish()

    @property
    def planes(self) -> int:
        """Number of planes of the whole image."""
        return self.layout.planes

    def write(self, index: int, plane: np.ndarray) -> None:
        """Put a plane at its place and note it as done.

        Parameters
        ----------
        index : int
            Flat position over all axes but y and x.
        plane : ndarray of shape (Y, X)
            Cast to the type of the image if that loses nothing but precision.

        Raises
        ------
        InputError
            No such plane, or a plane of another shape.
        OutputError
            The disk is full or gone.
        """
        self._check_index(index)
        if plane.shape != self.layout.plane_shape:
            raise InputError(
                f"Plane {index} has shape {plane.shape}: expected {self.layout.plane_shape}."
            )
        plane = np.ascontiguousarray(plane, dtype=self.layout.dtype)
        with translated_errors(self.path):
            self._store.write(index, plane)
            checksum = zlib.crc32(plane)  # type: ignore[arg-type]
            self._lines.write(f"{index} {checksum}\n")
            self._lines.flush()
        self._checksums[index] = checksum
        self._checked.add(index)

    def is_done(self, index: int) -> bool:
        """Return whether a plane was written, now or before the interruption."""
        self._check_index(index)
        if index not in self._checksums:
            return False
        if index not in self._checked:
            try:
                found = zlib.crc32(np.ascontiguousarray(self._store.read(index)))  # type: ignore[arg-type]
            except Exception:  # a torn chunk fails in its codec, each in its own way
                found = -1
            if found != self._checksums[index]:
                del self._checksums[index]
                return False
            self._checked.add(index)
        return True

    def read(self, index: int) -> np.ndarray:
        """Return a plane that is done.

        Raises
        ------
        InputError
            It is not done.
        """
        if not self.is_done(index):
            raise InputError(f"Plane {index} of {self.path} has not been written yet.")
        return self._store.read(index)

    def discard(self) -> None:
        """Delete the partial image and its journal."""
        self._store.close()
        remove(self._partial)
        remove(self._journal)

    def _start(self) -> None:
        self.discard()
        check_free_space(self.path, self.layout.nbytes if self._is_tiff else 0)
        self._store.create()
        self._journal.write_text(self._header + "\n", encoding="utf-8")

    @property
    def _is_tiff(self) -> bool:
        return image_format(self.path) == "tiff"

    def _read_journal(self) -> None:
        header, *lines = self._journal.read_text(encoding="utf-8").split("\n")
        if header != self._header:
            raise InputError(
                f"{self._partial} was begun with another image, model or settings: it cannot be "
                "resumed. Repeat the command as it was, or start again without resuming (--resume)."
            )
        for line in lines:
            fields = line.split(" ")
            if len(fields) == 2 and all(field.isdecimal() for field in fields):
                self._checksums[int(fields[0])] = int(fields[1])

    def _finish(self) -> None:
        missing = [index for index in range(self.planes) if index not in self._checksums]
        if missing:
            raise OutputError(
                f"{self.path} is incomplete: {len(missing)} of {self.planes} planes were not "
                f"written (first: {missing[0]}). What was written is kept for resuming."
            )
        move_into_place(self._partial, self.path, overwrite=self._overwrite)
        remove(self._journal)

    def _check_index(self, index: int) -> None:
        if not 0 <= index < self.planes:
            raise InputError(f"Plane {index} does not exist: expected 0 to {self.planes - 1}.")


def open_plane_writer(
    path: str | Path,
    *,
    shape: tuple[int, ...],
    dtype: Any,
    axes: str,
    pixel_size_um: float | None = None,
    frame_interval_s: float | None = None,
    z_step_um: float | None = None,
    channel_names: tuple[str, ...] | None = None,
    overwrite: bool = False,
    resume: bool = False,
    settings: str = "",
) -> PlaneWriter:
    """Return a writer that fills a preallocated image plane by plane.

    Parameters
    ----------
    path : str or Path
        Ends in ``.ome.tif``, ``.tif`` or ``.ome.zarr``; its folder is made if need be.
    shape : tuple of int
        Of the whole image.
    dtype : dtype
        Of its pixels; bool is stored as uint8, float16 as float32, int64 as int32.
    axes : str
        A part of ``"tczyx"`` in that order.
    pixel_size_um, frame_interval_s, z_step_um : float, optional
        Physical steps, written into the metadata.
    channel_names : tuple of str, optional
        One for each channel.
    overwrite : bool
        Whether an existing image may be replaced; it stays until the new one is complete.
    resume : bool
        Go on with what an interrupted run left, if there is any; else it is discarded.
    settings : str
        Anything that must be the same for a resumed run, such as a model's checksum.

    Raises
    ------
    OutputExistsError
        The image is there and `overwrite` is False.
    OutputError
        It cannot be written there, or does not fit on the disk.
    InputError
        On entering, when the interrupted run had another layout or other settings.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "movie.ome.tif"
    >>> with open_plane_writer(path, shape=(2, 8, 8), dtype="float32", axes="tyx") as writer:
    ...     for index in range(writer.planes):
    ...         writer.write(index, np.full((8, 8), index))
    >>> path.exists()
    True
    """
    path = Path(path)
    geometry = Geometry(
        normalise_axes(axes, len(shape)),
        check_positive(pixel_size_um, "pixel size", "µm"),
        check_positive(frame_interval_s, "frame interval", "s"),
        check_positive(z_step_um, "z step", "µm"),
    )
    layout = Layout(tuple(shape), stored_dtype(dtype), geometry, tuple(channel_names or ()))
    check_layout(layout)
    image_format(path)
    try:
        check_output(path, overwrite=overwrite)
    except OutputExistsError:
        if resume:
            raise OutputExistsError(
                f"{path} is already complete; nothing is left to resume. Allow overwriting it "
                "(--overwrite) to make it again."
            ) from None
        raise
    return PlaneWriter(path, layout, overwrite=overwrite, resume=resume, settings=settings)


def open_writer_like(
    path: str | Path,
    stack: Stack,
    dtype: Any,
    *,
    overwrite: bool = False,
    resume: bool = False,
    settings: str = "",
) -> PlaneWriter:
    """Return a writer of an image with the shape, axes and physical steps of another one.

    Parameters and errors are those of :func:`open_plane_writer`.

    Examples
    --------
    >>> import tempfile
    >>> import dask.array as da
    >>> from napari_virtualstain.io import Stack
    >>> stack = Stack(da.zeros((2, 8, 8), chunks=(1, 8, 8)), "tyx", pixel_size_um=0.1)
    >>> open_writer_like(Path(tempfile.mkdtemp()) / "labels.ome.tif", stack, "int32").planes
    2
    """
    return open_plane_writer(
        path,
        shape=stack.shape,
        dtype=dtype,
        axes=stack.axes,
        pixel_size_um=stack.pixel_size_um,
        frame_interval_s=stack.frame_interval_s,
        z_step_um=stack.z_step_um,
        overwrite=overwrite,
        resume=resume,
        settings=settings,
    )


def stored_dtype(dtype: Any) -> np.dtype[Any]:
    """Return the type in which pixels of `dtype` are stored, one that OME knows.

    Raises
    ------
    InputError
        Complex, text or other pixels that no image format here holds.
    """
    dtype = np.dtype(dtype).newbyteorder("=")
    replaced = {"bool": "uint8", "float16": "float32", "int64": "int32", "uint64": "uint32"}
    stored: np.dtype[Any] = np.dtype(replaced.get(dtype.name, dtype))
    if stored.kind not in "uif":
        raise InputError(f"Pixels of type {stored} cannot be written: expected numbers.")
    return stored


def _header(layout: Layout, settings: str) -> str:
    geometry = layout.geometry
    return json.dumps(
        {
            "journal": 1,
            "shape": list(layout.shape),
            "dtype": layout.dtype.str,
            "axes": geometry.axes,
            "scale": list(geometry.scale),
            "settings": settings,
        }
    )
