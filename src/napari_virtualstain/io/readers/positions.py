"""Choice among positions, wells or images in one file or folder."""

from __future__ import annotations

from collections.abc import Sequence

from ...errors import InputError

_LISTED = 8


def choose_position(
    names: Sequence[str], asked: int | str | None, given: str
) -> tuple[int, list[str]]:
    """Return the place of a position, and a note when the first of several was taken unasked.

    Parameters
    ----------
    names : sequence of str
        What the positions are called.
    asked : int or str or None
        Place from 0 (negative from the end) or name.
    given : str
        The file or folder, for messages.

    Raises
    ------
    InputError
        There is no such position; the message lists those there are.

    Examples
    --------
    >>> choose_position(["Pos0", "Pos1"], "Pos1", "movie.tif")
    (1, [])
    """
    count = len(names)
    if asked is None:
        if count == 1:
            return 0, []
        return 0, [
            f"{given} holds {count} positions ({_listed(names)}); the first is opened. "
            "Choose another with position=1 (--position 1), by number or name."
        ]
    if asked in names:
        return list(names).index(str(asked)), []
    try:
        number = int(asked)
    except ValueError:
        number = count
    if -count <= number < count:
        return number % count, []
    raise InputError(
        f"There is no position {asked!r} in {given}. It has {count}: {_listed(names)}. "
        f"Give a number from 0 to {count - 1} or a name."
    )


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(f"{i} {name}".strip() for i, name in enumerate(names[:_LISTED]))
    return shown if len(names) <= _LISTED else f"{shown}, ..."
