"""Planes of an acquisition by time, channel and depth: what is complete, and what is missing."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from ...errors import ImageFileError
from .file_names import Value

_LISTED = 8
_JITTER = 1.5


def sort_key(value: Value) -> tuple[tuple[int, Fraction | str], ...]:
    """Return a key by which numbers come before words, each in their own order."""
    return tuple((0, part) if isinstance(part, Fraction) else (1, part) for part in value)


@dataclass(frozen=True, slots=True)
class PlaneGrid:
    """Planes by their place along each axis.

    Attributes
    ----------
    axes : str
        A part of ``"tcz"`` in that order.
    levels : dict
        Sorted values along each axis.
    words : dict
        How an axis and value are called in messages.
    table : dict
        Index of a plane by its place along each axis.
    """

    axes: str
    levels: dict[str, list[Value]]
    words: dict[tuple[str, Value], str]
    table: dict[tuple[int, ...], int]

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis."""
        return tuple(len(self.levels[axis]) for axis in self.axes)

    def word(self, at: tuple[int, ...]) -> str:
        """Return a place as the names write it."""
        keys = ((axis, self.levels[axis][i]) for axis, i in zip(self.axes, at, strict=False))
        return " ".join(self.words[key] for key in keys)


def complete_shape(grid: PlaneGrid, given: str) -> tuple[tuple[int, ...], list[str]]:
    """Return the shape without the last frames of an aborted acquisition, which a note names.

    Raises
    ------
    ImageFileError
        Planes are missing elsewhere.
    """
    shape = grid.shape
    missing = [at for at in itertools.product(*map(range, shape)) if at not in grid.table]
    if not missing:
        return shape, []
    first = missing[0]
    first_incomplete = first[0] if grid.axes.startswith("t") else 0
    later = [at for at in grid.table if at[0] > first_incomplete]
    if first_incomplete == 0 or later:
        raise ImageFileError(
            f"{given} lacks {len(missing)} of {math.prod(shape)} planes, the first at "
            f"{grid.word(first)}. Expected one for each combination of time, channel and depth. "
            "Of a folder, give the files of one channel or depth by a glob; else export it again."
        )
    note = (
        f"The last frame ({grid.word(first[:1])}) is not complete: {len(missing)} of its planes "
        f"are missing; {first_incomplete} frames are opened."
    )
    return (first_incomplete, *shape[1:]), [note]


def gap_notes(grid: PlaneGrid, shape: Sequence[int]) -> list[str]:
    """Return notes on the numbers that are missing between the first and the last."""
    notes = []
    for axis, length in zip(grid.axes, shape, strict=True):
        levels = grid.levels[axis][:length]
        if axis == "c" or any(len(v) != 1 or not isinstance(v[0], Fraction) for v in levels):
            continue
        numbers = [value[0] for value in levels if isinstance(value[0], Fraction)]
        steps = [b - a for a, b in itertools.pairwise(numbers)]
        if len(set(steps)) < 2:
            continue
        what = {"t": "frames", "z": "planes"}[axis]
        usual = Counter(steps).most_common(1)[0][0]
        absent = [
            number + k * usual
            for number, step in zip(numbers, steps, strict=False)
            if step > usual and step % usual == 0
            for k in range(1, min(int(step // usual), _LISTED + 1))
        ]
        is_regular = all(step % usual == 0 for step in steps)
        if not is_regular and max(steps) < _JITTER * min(steps):
            continue  # times of day are never quite even
        if is_regular:
            gone = ", ".join(_number(value) for value in absent[:_LISTED])
            more = " and more" if len(absent) > _LISTED else ""
            notes.append(
                f"Of the {what} from {_number(numbers[0])} to {_number(numbers[-1])}, {gone}{more} "
                f"{'is' if len(absent) == 1 else 'are'} missing; the {len(numbers)} that are there "
                "follow each other."
            )
        else:
            notes.append(
                f"The numbers of the {what} are not evenly spaced ({_number(min(steps))} to "
                f"{_number(max(steps))}); they follow each other as if they were."
            )
    return notes


def _number(value: Fraction) -> str:
    return str(int(value)) if value.denominator == 1 else f"{float(value):g}"
