"""The planes of an image in one flat order, with the neighbours that a model reads."""

from __future__ import annotations

import math
import warnings
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..models import Inputs
from ..normalisation import SAMPLED_FRAMES, spread_evenly
from .arrays import as_array, is_lazy
from .warnings import MissingPlanesWarning

_KEPT_PLANES = 32


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
            return as_array(plane)
        if index not in self._kept:
            # neighbours are read again for the next planes; the file need not be
            computed = as_array(plane.compute(scheduler="synchronous"))
            if self.inputs.planes == 1:
                return computed
            self._kept[index] = computed
            while len(self._kept) > _KEPT_PLANES:
                self._kept.popitem(last=False)
        return self._kept[index]

    def sample(self, count: int = SAMPLED_FRAMES) -> list[NDArray[Any]]:
        """Return `count` planes, or all, spread evenly over the image."""
        if self.whole is not None:
            return self.whole.sample(count)
        return [self._plane(index) for index in spread_evenly(count, len(self))]
