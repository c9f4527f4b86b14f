"""The filter against flicker, while a movie is being stained.

A stained plane is held back until its neighbours in time are stained too, in whatever
order they come, and leaves averaged with them. Held are only planes that are still needed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..engine import Planes
from ..errors import AxesError, InputError
from ..models import Inputs
from ..normalisation import FittedNormalisation, spread_evenly
from .flicker import agreeing_difference, averaged_in_time, flicker_deviation
from .model_opening import AnyStainer
from .stainer import StainedPlane

_SAMPLED_TIMES = 4


class Steadying:
    """Filter from stained planes to planes with less flicker.

    Parameters
    ----------
    source : Planes
        The movie; says which planes follow each other in time.
    radius : int
        Frames before and after that are averaged, where they agree.
    limit : float
        Differences up to about this are flicker; see :func:`flicker_limit`.
    wanted : sequence of int
        Planes that are to come out.
    """

    def __init__(self, source: Planes, radius: int, limit: float, wanted: Sequence[int]) -> None:
        self._times = in_time(source, radius)
        self._limit = limit
        self._missing = {i: set(self._times.neighbours(i)) for i in wanted}
        self._users = Counter(n for needed in self._missing.values() for n in needed)
        self._held: dict[int, StainedPlane] = {}

    @property
    def needed(self) -> list[int]:
        """The planes that have to be stained, in the order that holds back fewest."""
        return sorted(self._users)

    def add(self, index: int, plane: StainedPlane) -> Iterator[tuple[int, StainedPlane]]:
        """Take a stained plane and yield those that are ready now."""
        self._held[index] = plane
        for each in sorted(set(self._times.neighbours(index)) & self._missing.keys()):
            self._missing[each].discard(index)
            if not self._missing[each]:
                del self._missing[each]
                yield each, self._averaged(each)

    def _averaged(self, index: int) -> StainedPlane:
        around = set(self._times.neighbours(index))
        others = [self._held[i].fluorescence for i in sorted(around - {index})]
        plane = self._held[index]
        filtered = averaged_in_time(plane.fluorescence, others, self._limit)
        self._users.subtract(around)
        for each in [i for i in around if not self._users[i]]:
            del self._held[each]
        return replace(plane, fluorescence=filtered)


def steadying_of(
    planes: Planes,
    stainer: AnyStainer,
    fitted: FittedNormalisation,
    radius: int,
    wanted: Sequence[int],
) -> Steadying | None:
    """Return the filter for a movie, None for a radius of 0.

    Raises
    ------
    AxesError, InputError
        See :func:`in_time`.
    """
    if not radius:
        return None
    return Steadying(planes, radius, flicker_limit(planes, stainer, fitted, radius), wanted)


def in_time(source: Planes, radius: int) -> Planes:
    """Return the source with the neighbours in time that the filter looks at.

    Raises
    ------
    AxesError, InputError
        There is no time axis, or it is shorter than three frames.
    """
    if "t" not in source.axes:
        raise AxesError(
            f"Flicker can only be filtered in a movie, but the image has axes {source.axes!r}. "
            "Leave the filter out, or name the axes."
        )
    frames = source.leading[source.axes.index("t")]
    if frames < 3:
        raise InputError(f"Flicker needs a movie of at least three frames, not {frames}.")
    if not 1 <= radius <= 15:
        raise InputError(f"The filter looks {radius} frames around: expected 1 to 15, such as 2.")
    return Planes(source.array, source.axes, Inputs(planes=2 * radius + 1, axis="t"))


def flicker_limit(
    source: Planes, stainer: AnyStainer, fitted: FittedNormalisation, radius: int
) -> float:
    """Return the difference of two frames up to which it is flicker, in stained units.

    Measured on a few places of the movie, three neighbouring frames each.
    """
    return _limit(
        in_time(source, radius),
        lambda index: stainer.stain(source.read(index), fitted).fluorescence,
    )


def steady_in_place(movie: NDArray[np.float32], axes: str, radius: int = 2) -> Iterator[int]:
    """Filter flicker out of a stained movie, and yield each plane's index when it is final.

    Parameters
    ----------
    movie : ndarray of shape (..., Y, X), float32
        Is changed; may lie in a memory-mapped file.
    axes : str
        One letter for each dimension; ``t`` among them.
    radius : int
        Frames before and after that are averaged, where they agree.

    Raises
    ------
    AxesError, InputError
        There is no time axis, or it is shorter than three frames.

    Examples
    --------
    >>> movie = np.random.default_rng(0).normal(size=(9, 32, 32)).astype(np.float32)
    >>> before = movie.std()
    >>> list(steady_in_place(movie, "tyx")) == list(range(9)), bool(movie.std() < before)
    (True, True)
    """
    source = Planes(movie, axes, Inputs())
    limit = _limit(in_time(source, radius), lambda index: source.read(index)[0])
    steadying = Steadying(source, radius, limit, range(len(source)))
    for index in steadying.needed:
        for final, plane in steadying.add(index, StainedPlane(source.read(index)[0])):
            movie[tuple(np.unravel_index(final, source.leading))] = plane.fluorescence
            yield final


def _limit(times: Planes, stained: Callable[[int], NDArray[np.float32]]) -> float:
    triples = replace(times, inputs=Inputs(planes=3, axis="t"))
    inner = [i for i in range(len(times)) if len(set(triples.neighbours(i))) == 3]
    chosen = spread_evenly(_SAMPLED_TIMES, len(inner))
    deviations = [
        flicker_deviation(np.stack([stained(i) for i in triples.neighbours(inner[place])]))
        for place in chosen
    ]
    return agreeing_difference(float(np.median(deviations)))
