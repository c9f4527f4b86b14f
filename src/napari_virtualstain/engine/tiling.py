"""Tiles of a frame, whose cores join without a seam.

A window is what the network reads, a core what is kept of it. Cores cover the frame
once; windows reach `halo` pixels further, but not beyond the frame, so that the
network pads by itself at the true borders and nowhere else. All edges but the frame's
own lie on multiples of `stride`.

Examples
--------
>>> [(tile.core, tile.window) for tile in plan_tiles((8, 64), 32, halo=8, stride=8)]
... # doctest: +NORMALIZE_WHITESPACE
[(Box(top=0, bottom=8, left=0, right=32), Box(top=0, bottom=8, left=0, right=40)),
 (Box(top=0, bottom=8, left=32, right=64), Box(top=0, bottom=8, left=24, right=64))]
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise, product

_WORTHWHILE = 1.1


@dataclass(frozen=True, slots=True)
class Box:
    """Rows top <= y < bottom and columns left <= x < right."""

    top: int
    bottom: int
    left: int
    right: int

    @classmethod
    def whole(cls, shape: tuple[int, int]) -> Box:
        """Return the box of a whole frame of this shape."""
        return cls(0, shape[0], 0, shape[1])

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.bottom - self.top, self.right - self.left

    @property
    def slices(self) -> tuple[slice, slice]:
        """For indexing the last two axes of an array."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def within(self, outer: Box) -> Box:
        """Return this box in coordinates that begin at the corner of `outer`."""
        return Box(
            self.top - outer.top,
            self.bottom - outer.top,
            self.left - outer.left,
            self.right - outer.left,
        )


@dataclass(frozen=True, slots=True)
class Tile:
    """One window of a frame and the part of it that is kept."""

    window: Box
    core: Box


def plan_tiles(
    shape: tuple[int, int], core: int | tuple[int, int], *, halo: int, stride: int
) -> list[Tile]:
    """Return tiles that cover a frame, row by row.

    Parameters
    ----------
    shape : (Y, X)
        Of the frame, multiples of `stride`.
    core : int or (Y, X)
        Largest height and width of a core; rounded down to a multiple of `stride`, but
        at least that. Cores of a frame are as equal as the stride allows.
    halo, stride : int
        Of the network.
    """
    cores = (core, core) if isinstance(core, int) else core
    spans = [_spans(*each, halo, stride) for each in zip(shape, cores, strict=True)]
    return [
        Tile(Box(*rows[1], *columns[1]), Box(*rows[0], *columns[0]))
        for rows, columns in product(*spans)
    ]


def choose_core(
    shape: tuple[int, ...], *, halo: int, stride: int, largest_window: float, lean: bool
) -> int:
    """Return the core size that weighs memory against pixels computed twice in halos.

    Parameters
    ----------
    shape : (Y, X) or (Y,)
        Of the frame; only its height where tiles are strips of its full width.
    halo, stride : int
        Of the network.
    largest_window : float
        Pixels of a window, or rows of a strip, for which the memory suffices.
    lean : bool
        Whether to take the smallest tiles that cost at most a tenth more work,
        instead of the least work.

    Examples
    --------
    >>> choose_core((4096, 4096), halo=56, stride=8, largest_window=2e7, lean=True)
    2048
    """
    options = [
        (core, *_cost(shape, core, halo, stride)) for core in _core_sizes(max(shape), halo, stride)
    ]
    fitting = [(core, extra) for core, window, extra in options if window <= largest_window]
    if not fitting:
        return options[-1][0]
    cheap = [core for core, extra in fitting if extra <= _WORTHWHILE]
    return cheap[-1] if lean and cheap else fitting[0][0]


def _core_sizes(length: int, halo: int, stride: int) -> list[int]:
    """Return sizes from the whole frame down; halved where halos would dominate."""
    smallest = max(halo, 4 * stride)
    sizes = [-(-length // count) for count in range(1, max(2, length // smallest + 1))]
    while sizes[-1] >= 4 * stride:
        sizes.append(sizes[-1] // 2)
    return sizes


def _cost(shape: tuple[int, ...], core: int, halo: int, stride: int) -> tuple[int, float]:
    """Return the pixels of the largest window, and of all windows over the frame's."""
    largest, extra = 1, 1.0
    for length in shape:
        windows = [stop - start for _, (start, stop) in _spans(length, core, halo, stride)]
        largest *= max(windows)
        extra *= sum(windows) / length
    return largest, extra


Span = tuple[int, int]


def _spans(length: int, core: int, halo: int, stride: int) -> list[tuple[Span, Span]]:
    """Return (core, window) along one axis."""
    blocks = -(-length // stride)
    count = -(-blocks // max(1, core // stride))
    edges = [min(length, round(i * blocks / count) * stride) for i in range(count + 1)]
    return [
        ((start, stop), (max(0, start - halo), min(length, stop + halo)))
        for start, stop in pairwise(edges)
    ]
