"""Images of a set that is larger than the memory: read from their file at each use.

A :class:`StoredImage` has shape and type of an array, and is one to everything that calls
``np.asarray`` or takes a part of it. :class:`MemoryRoom` decides which images are held in memory
instead: the first ones, as long as they need a third of what is free.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

SHARE_OF_FREE = 1 / 3


class StoredImage:
    """An image that is read when its pixels are needed, and not kept.

    Parameters
    ----------
    read : callable
        Returns the pixels; can be pickled where other processes load the crops.
    shape : tuple of int
        Of the array that it returns.
    dtype : numpy.dtype
        Likewise.

    Examples
    --------
    >>> image = StoredImage(partial(np.ones, (2, 4)), (2, 4), np.dtype(float))
    >>> image.size, float(image[1, :2].sum())
    (8, 2.0)
    """

    __slots__ = ("_read", "dtype", "shape")

    def __init__(
        self, read: Callable[[], NDArray[Any]], shape: Sequence[int], dtype: np.dtype[Any]
    ) -> None:
        self._read = read
        self.shape = tuple(int(n) for n in shape)
        self.dtype = np.dtype(dtype)

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of pixels."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes of the array in memory."""
        return self.size * self.dtype.itemsize

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> NDArray[Any]:
        part: NDArray[Any] = np.asarray(self)[key]
        return part

    def __array__(
        self, dtype: np.dtype[Any] | None = None, copy: bool | None = None
    ) -> NDArray[Any]:
        image = np.asarray(self._read())
        return image if dtype is None else image.astype(dtype, copy=False)


class MemoryRoom:
    """Room for the images of a set in memory, taken by the first ones that come.

    Parameters
    ----------
    size : int, optional
        Bytes; a third of the free memory when not given.

    Examples
    --------
    >>> room = MemoryRoom(100)
    >>> room.holds(80), room.holds(80), room.holds(10)
    (True, False, False)
    """

    def __init__(self, size: int | None = None) -> None:
        if size is None:
            from ..io import free_memory  # readers need not be imported for one plane

            size = int(SHARE_OF_FREE * free_memory())
        self._left = size

    def holds(self, size: int) -> bool:
        """Take `size` bytes, and return whether they are there; nothing fits after a refusal."""
        self._left = self._left - size if self._left >= size else -1
        return self._left >= 0


def plane_at(images: Any, index: Sequence[int]) -> NDArray[Any]:
    """Return one plane of an array (..., Y, X), read in the calling thread.

    Examples
    --------
    >>> plane_at(np.eye(2)[None], (0,)).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    part = images[tuple(index)]
    if hasattr(part, "compute"):
        # the default scheduler would start threads that fight with the network's
        part = part.compute(scheduler="synchronous")
    return np.asarray(part)


def stored_plane(images: Any, index: Sequence[int]) -> NDArray[Any]:
    """Return one plane of an array (..., Y, X): a view of an array in memory, else stored.

    Examples
    --------
    >>> stored_plane(np.zeros((3, 4, 4)), (1,)).shape
    (4, 4)
    """
    if isinstance(images, np.ndarray):
        return np.asarray(images[tuple(index)])
    return later(partial(plane_at, images, tuple(index)), images.shape[-2:], images.dtype)


def later(
    read: Callable[[], NDArray[Any]], shape: Sequence[int], dtype: np.dtype[Any]
) -> NDArray[Any]:
    """Return a stored image, under the type of the array that it stands in for.

    Examples
    --------
    >>> image = later(lambda: np.ones((2, 3)), (2, 3), np.dtype(float))
    >>> image.shape, float(np.asarray(image).sum())
    ((2, 3), 6.0)
    """
    return cast("NDArray[Any]", StoredImage(read, shape, dtype))


def changed(
    image: NDArray[Any],
    change: Callable[[NDArray[Any]], NDArray[Any]],
    shape: Sequence[int] | None = None,
    dtype: np.dtype[Any] | None = None,
) -> NDArray[Any]:
    """Return what becomes of an image: at once if it is in memory, else each time it is read.

    Parameters
    ----------
    image : ndarray or StoredImage
        Unchanged.
    change : callable
        Takes and returns an array.
    shape, dtype : tuple of int and numpy.dtype, optional
        Of its result, where they differ from those of the image.

    Examples
    --------
    >>> changed(np.ones(2), np.negative).tolist()
    [-1.0, -1.0]
    """
    if not isinstance(image, StoredImage):
        return change(image)
    return later(partial(_changed, image, change), shape or image.shape, dtype or image.dtype)


def _changed(image: StoredImage, change: Callable[[NDArray[Any]], NDArray[Any]]) -> NDArray[Any]:
    return change(np.asarray(image))
