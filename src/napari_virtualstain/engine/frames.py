"""Choice of some frames of a movie in words."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import InputError


def parse_frames(text: str | slice | int | Sequence[int] | None, count: int) -> list[int]:
    """Return the frames meant, in the order given.

    Parameters
    ----------
    text : str, slice, int, sequence of int, or None
        As on the command line: ``"5"``, ``"0:10"``, ``"::2"`` (the end is left out, as
        in Python), ``"-1"`` for the last, several joined with commas. None means all.
    count : int
        Frames there are.

    Raises
    ------
    InputError
        Not understood, a frame that does not exist, or none at all.

    Examples
    --------
    >>> parse_frames("0:3,-1", 10)
    [0, 1, 2, 9]
    """
    if text is None:
        return list(range(count))
    if isinstance(text, slice):
        chosen = list(range(*text.indices(count)))
    elif isinstance(text, str):
        chosen = [frame for part in text.split(",") for frame in _part(part.strip(), count)]
    else:
        chosen = [_one(int(n), count) for n in ([text] if isinstance(text, int) else text)]
    if not chosen:
        raise InputError(f"Frames {text!r} select none of the {count}. Give for instance '0:10'.")
    return chosen


def _part(part: str, count: int) -> list[int]:
    try:
        numbers = [int(piece) if piece.strip() else None for piece in part.split(":")]
    except ValueError:
        numbers = []
    if len(numbers) == 1 and numbers[0] is not None:
        return [_one(numbers[0], count)]
    if len(numbers) not in (2, 3) or (len(numbers) == 3 and numbers[2] == 0):
        raise InputError(
            f"Frames {part!r} cannot be understood: expected for instance '5', '0:10', '::2' or "
            "'0,4,9'."
        )
    return list(range(*slice(*numbers).indices(count)))


def _one(number: int, count: int) -> int:
    if not -count <= number < count:
        raise InputError(f"There is no frame {number}: the movie has frames 0 to {count - 1}.")
    return number % count
