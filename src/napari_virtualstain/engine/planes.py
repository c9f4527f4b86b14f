"""The planes of an image in one flat order, with the neighbours that a model reads."""

from __future__ import annotations

import math
import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..models import Inputs
from ..normalisation import SAMPLED_FRAMES, spread_evenly
from .arrays import as_array, is_lazy
from .warnings import MissingPlanesWarning

_KEPT_PLANES = 32


def _go_on() -> None:
    """Check nothing."""


def planes_of(array: Any, axes: str, inputs: Inputs, *, assumed: bool) -> Planes:
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
    return Planes(array, axes, inputs)


@dataclass(slots=True)
class Planes:
    """Planes of an image by their flat index over all axes but y and x.

    Parameters
    ----------
    array : numpy or dask array of shape (..., Y, X)
        A lazy one is computed one plane at a time, in the calling thread.
    axes : str
        One letter for each dimension.
    inputs : Inputs
        Which neighbours go with a plane.
    whole : Planes, optional
        The movie that these frames were chosen from: the neighbours of a frame, and what the
        normalisation is fitted to, are those of the movie, so that a frame is stained alike.
    frames : tuple of int
        Their positions along the movie's t axis.
    check : callable
        Called before each plane is read; may raise to stop. Slow storage takes seconds for the
        planes that only the normalisation looks at.

    Examples
    --------
    >>> movie = np.arange(3)[:, None, None] * np.ones((3, 2, 2))
    >>> Planes(movie, "tyx", Inputs(planes=3)).read(0)[:, 0, 0].tolist()
    [0.0, 0.0, 1.0]
    """

    array: Any
    axes: str
    inputs: Inputs = field(default_factory=Inputs)
    whole: Planes | None = None
    frames: tuple[int, ...] = ()
    check: Callable[[], None] = _go_on
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

    def place(self, index: int) -> tuple[int, ...]:
        """Return the position along each leading axis of a plane.

        Examples
        --------
        >>> Planes(np.zeros((2, 3, 4, 4)), "tzyx").place(4)
        (1, 1)
        """
        return tuple(int(i) for i in np.unravel_index(index, self.leading)) if self.leading else ()

    def number(self, place: Sequence[int]) -> int:
        """Return the flat index of the plane at a position along each leading axis.

        Examples
        --------
        >>> Planes(np.zeros((2, 3, 4, 4)), "tzyx").number((1, 1))
        4
        """
        return int(np.ravel_multi_index(tuple(place), self.leading)) if self.leading else 0

    def neighbours(self, index: int) -> list[int]:
        """Return the flat indices of the planes that the model reads for one plane."""
        axis = self.axes.find(self.inputs.axis)
        if self.inputs.planes == 1:
            return [index]
        if axis < 0:
            return [index] * self.inputs.planes
        place = list(self.place(index))
        found = []
        for position in self.inputs.indices(place[axis], self.leading[axis]):
            place[axis] = position
            found.append(self.number(place))
        return found

    def read(self, index: int) -> NDArray[Any]:
        """Return the plane with its neighbours, (C, Y, X), in the type of the image."""
        if self.whole is not None:
            return self.whole.read(self._in_whole(index))
        return np.stack([self.plane(i) for i in self.neighbours(index)])

    def plane(self, index: int, window: tuple[slice, slice] | None = None) -> NDArray[Any]:
        """Return one plane, (Y, X), or a window of it, in the type of the image."""
        self.check()
        part = self.array[(*self.place(index), *(window or ()))]
        if not is_lazy(part):
            return as_array(part)
        if window is not None:
            return as_array(part.compute(scheduler="synchronous"))
        if index not in self._kept:
            # the default scheduler would start threads that fight with the network's
            computed = as_array(part.compute(scheduler="synchronous"))
            if self.inputs.planes == 1:
                return computed
            # neighbours are read again for the next planes; the file need not be
            self._kept[index] = computed
            while len(self._kept) > _KEPT_PLANES:
                self._kept.popitem(last=False)
        return self._kept[index]

    def in_memory(self) -> NDArray[Any]:
        """Return all planes, (..., Y, X); what is in memory already is not copied."""
        if isinstance(self.array, np.ndarray):
            return self.array
        planes = [self.plane(index) for index in range(len(self))]
        return np.stack(planes).reshape(self.array.shape)

    def sample(self, count: int = SAMPLED_FRAMES) -> list[NDArray[Any]]:
        """Return `count` planes, or all, spread evenly over the image."""
        if self.whole is not None:
            return self.whole.sample(count)
        return [self.plane(index) for index in spread_evenly(count, len(self))]

    def _in_whole(self, index: int) -> int:
        whole, place = self.whole or self, list(self.place(index))
        along = self.axes.index("t")
        place[along] = self.frames[place[along]]
        return whole.number(place)


def outward(shape: Sequence[int], centre: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """Yield every index of an array of `shape`, nearest to `centre` first.

    The user sees the result where she looks at once, and then the frames that she
    reaches first when she scrubs; of two as near, the later comes first.

    Examples
    --------
    >>> [index[0] for index in outward((5,), (2,))]
    [2, 3, 1, 4, 0]
    """

    def distance(index: tuple[int, ...]) -> tuple[int, tuple[int, ...]]:
        steps = [i - c for i, c in zip(index, centre, strict=True)]
        return sum(abs(step) for step in steps), tuple(-step for step in steps)

    yield from sorted(np.ndindex(*shape), key=distance)
