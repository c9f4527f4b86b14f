"""The planes of an image in one flat order, with the neighbours that a model reads."""

from __future__ import annotations

import math
import warnings
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..axes import ORDER, normalise_axes
from ..errors import AxesError, InputError
from ..io import Stack
from ..models import Inputs
from .warnings import MissingPlanesWarning

# What axes an unlabelled array most likely has: a movie rather than a z stack
_USUAL_AXES = {2: "yx", 3: "tyx", 4: "tzyx", 5: ORDER}
_KEPT_PLANES = 32


def is_lazy(array: Any) -> bool:
    """Whether `array` is a dask array.

    Examples
    --------
    >>> is_lazy(np.zeros(3))
    False
    """
    return hasattr(array, "dask") and hasattr(array, "compute")


def as_image(image: ArrayLike | Stack) -> Any:
    """Return the array of `image` as numpy or dask, after checking that it is an image.

    Raises
    ------
    InputError
        Not numbers, fewer than two dimensions, empty, or RGB.

    Examples
    --------
    >>> as_image([[1, 2], [3, 4]]).shape
    (2, 2)
    """
    array: Any = image.data if isinstance(image, Stack) else image
    if not is_lazy(array):
        array = np.asarray(array)
    if array.dtype.kind not in "biuf":
        raise InputError(
            f"The image holds {array.dtype} values: expected real numbers (integer or float)."
        )
    if array.ndim < 2:
        raise InputError(
            f"The image has shape {array.shape}: expected (Y, X), with any axes before them."
        )
    if 0 in array.shape:
        raise InputError(f"The image is empty (shape {array.shape}): give at least one frame.")
    if array.ndim > 2 and array.shape[-1] in (3, 4) and min(array.shape[-3:-1]) >= 16:
        raise InputError(
            f"The image of shape {array.shape} looks like RGB with the colours last: expected "
            "(..., Y, X). Take one channel, image[..., 0], or the mean over the colours."
        )
    return array


def image_axes(image: ArrayLike | Stack, ndim: int, axes: str | None) -> str:
    """Return the axes of an image, those of a stack or the usual ones if not given.

    Raises
    ------
    AxesError
        The axes do not fit, or there are several channels.

    Examples
    --------
    >>> image_axes(np.zeros((3, 8, 8)), 3, None)
    'tyx'
    """
    if axes is None and isinstance(image, Stack):
        axes = image.axes
    if axes is None:
        axes = _USUAL_AXES.get(ndim)
    if axes is None:
        raise AxesError(f"The image has {ndim} dimensions: expected 2 to 5. Select one position.")
    return normalise_axes(axes, ndim)


def planes_of(array: Any, axes: str, inputs: Inputs, *, assumed: bool) -> PlaneSource:
    """Return the planes of an image for a model, which may read neighbours along one axis.

    Parameters
    ----------
    array : numpy or dask array of shape (..., Y, X)
        The image.
    axes : str
        One letter for each dimension.
    inputs : Inputs
        Of the model.
    assumed : bool
        Whether neither the user nor the file named the axes: then the one axis before y and x
        is that along which the model reads.

    Examples
    --------
    >>> len(planes_of(np.zeros((3, 8, 8)), "tyx", Inputs(planes=3), assumed=False))
    3
    """
    if inputs.planes > 1 and inputs.axis not in axes:
        if assumed and len(axes) == 3:
            axes = f"{inputs.axis}yx"
        else:
            warnings.warn(
                f"The model reads {inputs.planes} planes along {inputs.axis}, but the image has "
                f"axes {axes!r}: each plane stands in for its neighbours, and the result is worse. "
                "Give a stack with that axis, name the axes (--axes), or use a model of single "
                "planes.",
                MissingPlanesWarning,
                stacklevel=3,
            )
    return PlaneSource(array, axes, inputs)


def spread_evenly(count: int, length: int) -> list[int]:
    """Return `count` of `length` indices, or all, from the first to the last.

    Examples
    --------
    >>> spread_evenly(3, 9)
    [0, 4, 8]
    """
    return [round(i) for i in np.linspace(0, length - 1, min(count, length)).tolist()]


@dataclass(slots=True)
class PlaneSource:
    """Planes of an image by their flat index over all axes but y and x.

    Parameters
    ----------
    array : numpy or dask array of shape (..., Y, X)
    axes : str
        One letter for each dimension.
    inputs : Inputs
        Which neighbours go with a plane.
    whole : PlaneSource, optional
        The movie that these frames were chosen from: the neighbours of a frame, and what the
        normalisation is fitted to, are those of the movie, so that a frame is stained alike.
    frames : tuple of int
        Their positions along the movie's t axis.

    Examples
    --------
    >>> movie = np.arange(3)[:, None, None] * np.ones((3, 2, 2))
    >>> PlaneSource(movie, "tyx", Inputs(planes=3)).read(0)[:, 0, 0].tolist()
    [0.0, 0.0, 1.0]
    """

    array: Any
    axes: str
    inputs: Inputs
    whole: PlaneSource | None = None
    frames: tuple[int, ...] = ()
    _kept: OrderedDict[int, NDArray[Any]] = field(default_factory=OrderedDict)

    @property
    def leading(self) -> tuple[int, ...]:
        """Lengths of the axes before y and x."""
        return tuple(int(n) for n in self.array.shape[:-2])

    @property
    def plane_shape(self) -> tuple[int, int]:
        """Rows and columns of a plane."""
        return int(self.array.shape[-2]), int(self.array.shape[-1])

    def __len__(self) -> int:
        return math.prod(self.leading)

    def neighbours(self, index: int) -> list[int]:
        """Return the flat indices of the planes that the model reads for one plane."""
        axis = self.axes.find(self.inputs.axis)
        if self.inputs.planes == 1:
            return [index]
        if axis < 0:
            return [index] * self.inputs.planes
        place = list(np.unravel_index(index, self.leading))
        found = []
        for position in self.inputs.indices(int(place[axis]), self.leading[axis]):
            place[axis] = np.intp(position)
            found.append(int(np.ravel_multi_index(place, self.leading)))
        return found

    def read(self, index: int) -> NDArray[Any]:
        """Return the plane with its neighbours, (C, Y, X), in the type of the image."""
        if self.whole is not None:
            place = list(np.unravel_index(index, self.leading))
            along = self.axes.index("t")
            place[along] = np.intp(self.frames[int(place[along])])
            return self.whole.read(int(np.ravel_multi_index(place, self.whole.leading)))
        return np.stack([self._plane(i) for i in self.neighbours(index)])

    def _plane(self, index: int) -> NDArray[Any]:
        place = np.unravel_index(index, self.leading) if self.leading else ()
        plane = self.array[tuple(place)]
        if not is_lazy(plane):
            return np.asarray(plane)
        if index not in self._kept:
            # neighbours are read again for the next planes; the file need not be
            computed = np.asarray(plane.compute(scheduler="synchronous"))
            if self.inputs.planes == 1:
                return computed
            self._kept[index] = computed
            while len(self._kept) > _KEPT_PLANES:
                self._kept.popitem(last=False)
        return self._kept[index]

    def sample(self, count: int) -> list[NDArray[Any]]:
        """Return `count` planes, or all, spread evenly over the image."""
        if self.whole is not None:
            return self.whole.sample(count)
        return [self._plane(index) for index in spread_evenly(count, len(self))]
