"""A layer's data read plane by plane, with the neighbours that a model needs."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ...engine import as_array
from ...normalisation import SAMPLED_FRAMES, spread_evenly


class Movie:
    """Planes of an array (…, Y, X), numpy or dask, by their index over the leading axes.

    Parameters
    ----------
    data : array
        Lazy arrays are computed one plane at a time in the calling thread.
    axes : str
        One letter for each dimension.
    check : callable or None
        Called before each plane is read; raises when the job was cancelled. Slow storage
        takes seconds for the planes that only the normalisation looks at.

    Examples
    --------
    >>> movie = Movie(np.arange(12).reshape(3, 2, 2), "tyx")
    >>> movie.plane((1,)).tolist()
    [[4, 5], [6, 7]]
    """

    def __init__(self, data: Any, axes: str, check: Callable[[], None] = lambda: None) -> None:
        self._data = data
        self._axes = axes
        self._check = check
        self.leading: tuple[int, ...] = tuple(int(n) for n in data.shape[:-2])

    def __len__(self) -> int:
        return math.prod(self.leading)

    def plane(
        self, index: tuple[int, ...], window: tuple[slice, slice] | None = None
    ) -> np.ndarray:
        """Return the plane at `index`, or a window of it."""
        self._check()
        part = self._data[(*index, *(window or (slice(None), slice(None))))]
        if hasattr(part, "compute"):
            # the default scheduler would start threads that fight with the network's
            part = part.compute(scheduler="synchronous")
        return as_array(part)

    def whole(self) -> np.ndarray:
        """Return all planes in memory, (…, Y, X); what is there already is not copied."""
        if isinstance(self._data, np.ndarray):
            return self._data
        planes = [self.plane(index) for index in np.ndindex(*self.leading)]
        return np.stack(planes).reshape(self._data.shape)

    def read(self, index: tuple[int, ...], inputs: Any) -> np.ndarray:
        """Return the plane with its neighbours, (C, Y, X).

        Parameters
        ----------
        index : tuple of int
            The plane.
        inputs : napari_virtualstain.models.Inputs
            Which neighbours go with a plane.
        """
        axis = self._axes.find(inputs.axis)
        if inputs.planes == 1 or axis < 0:
            return np.stack([self.plane(index)] * inputs.planes)
        neighbours = inputs.indices(index[axis], self.leading[axis])
        planes = [self.plane((*index[:axis], other, *index[axis + 1 :])) for other in neighbours]
        return np.stack(planes)

    def sample(self, count: int = SAMPLED_FRAMES) -> list[np.ndarray]:
        """Return `count` planes, or all, spread evenly over the movie."""
        indices = [
            np.unravel_index(flat, self.leading) if self.leading else ()
            for flat in spread_evenly(count, len(self))
        ]
        return [self.plane(tuple(int(i) for i in index)) for index in indices]
