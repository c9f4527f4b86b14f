"""Pairs of planes from a pair of stacks, each plane with its neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .correlative_pairs import CorrelativePairs
from .stored_image import later, plane_at, stored_plane

# Contrast of bright-field turns over in focus; the planes around tell on which side one is
USUAL_PLANES = 3


def usual_planes(depth: int) -> int:
    """Return the default number of bright-field planes that are read for one: 3 where there are 3.

    Parameters
    ----------
    depth : int
        Planes of the stack along the axis of the neighbours.

    Examples
    --------
    >>> usual_planes(12), usual_planes(1)
    (3, 1)
    """
    return USUAL_PLANES if depth >= USUAL_PLANES else 1


def stack_pairs(
    bright_field: NDArray[np.generic],
    fluorescence: NDArray[np.generic],
    axes: str,
    *,
    planes: int = 1,
    plane_axis: Literal["t", "z"] = "t",
    plane_step: int = 1,
    name: str = "",
    movie: str = "movie",
    frames: Sequence[int] | None = None,
    pixel_size_um: float | None = None,
    notes: tuple[str, ...] = (),
) -> CorrelativePairs:
    """Return one pair for each plane of two stacks of the same field, all of one group.

    Parameters
    ----------
    bright_field, fluorescence : ndarray of shape (..., Y, X)
        Of equal shape, but for the frames. Pairs of a lazy array are read at each use.
    axes : str
        One letter of ``tz`` for each leading axis.
    planes, plane_axis, plane_step : int, {"t", "z"}, int
        How many bright-field planes go with one target, along which axis, and how far apart.
    name : str
        Begins the name of each pair.
    movie : str
        What is normalised together.
    frames : sequence of int, optional
        The bright-field frame that each fluorescence frame goes with; all of them in order
        when not given.
    pixel_size_um : float, optional
        Micrometres.
    notes : tuple of str
        See :class:`CorrelativePairs`.

    Raises
    ------
    InputError
        Neighbours are wanted along an axis that is not there.

    Examples
    --------
    >>> stack = np.arange(5.0)[:, None, None] + np.zeros((5, 8, 8))
    >>> pairs = stack_pairs(stack, stack, "z", planes=3, plane_axis="z")
    >>> pairs.bright_field[0][:, 0, 0].tolist()
    [0.0, 0.0, 1.0]
    """
    if planes > 1 and plane_axis not in axes:
        raise InputError(
            f"{planes} planes along {plane_axis} were asked for, but the images have "
            f"axes {axes + 'yx'!r}. Give stacks with that axis, name another one "
            "(--plane-axis) or the axes of the files (--axes), or ask for one plane."
        )
    taken = list(np.ndindex(fluorescence.shape[:-2]))
    indices = taken if frames is None else [_at_frame(i, axes.index("t"), frames) for i in taken]
    along = axes.find(plane_axis)
    return CorrelativePairs(
        bright_field=tuple(
            _with_neighbours(bright_field, index, along, planes, plane_step) for index in indices
        ),
        fluorescence=tuple(stored_plane(fluorescence, index) for index in taken),
        names=tuple(_plane_name(name, axes, index) for index in indices),
        groups=("",) * len(indices),
        movies=(movie,) * len(indices),
        pixel_size_um=pixel_size_um,
        notes=notes,
    )


def _at_frame(index: tuple[int, ...], along: int, frames: Sequence[int]) -> tuple[int, ...]:
    return (*index[:along], int(frames[index[along]]), *index[along + 1 :])


def _with_neighbours(
    images: NDArray[np.generic], index: tuple[int, ...], along: int, planes: int, step: int
) -> NDArray[np.generic]:
    """Return the planes around `index` along one axis, (P, Y, X); the ends are repeated."""
    if not isinstance(images, np.ndarray):
        read = partial(_stacked, images, index, along, planes, step)
        return later(read, (planes, *images.shape[-2:]), images.dtype)
    if planes == 1:
        return np.asarray(images[index][None])
    last = images.shape[along] - 1
    half = planes // 2
    far = half * step
    reach = slice(index[along] - far, index[along] + far + 1)
    if reach.start >= 0 and reach.stop <= last + 1:
        # a view: the planes are not copied once for each neighbour
        place: list[int | slice] = list(index)
        place[along] = slice(reach.start, reach.stop, step)
        return images[tuple(place)]
    return _stacked(images, index, along, planes, step)


def _stacked(
    images: NDArray[np.generic], index: tuple[int, ...], along: int, planes: int, step: int
) -> NDArray[np.generic]:
    half = planes // 2
    chosen = []
    for offset in range(-half, half + 1):
        place = list(index)
        if planes > 1:
            place[along] = min(max(index[along] + offset * step, 0), images.shape[along] - 1)
        chosen.append(plane_at(images, place))
    return np.stack(chosen)


def _plane_name(name: str, axes: str, index: tuple[int, ...]) -> str:
    return name + "".join(f"_{axis}{i:03d}" for axis, i in zip(axes, index, strict=True))
