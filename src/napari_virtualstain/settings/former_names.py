"""Former names of keywords, which keep working."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from ..errors import InputError

_Given = ParamSpec("_Given")
_Returned = TypeVar("_Returned")


def renamed_keywords(
    **new_names: str,
) -> Callable[[Callable[_Given, _Returned]], Callable[_Given, _Returned]]:
    """Return a decorator by which a function also takes keywords by their former names.

    Parameters
    ----------
    **new_names : str
        ``former="present"``.

    Examples
    --------
    >>> @renamed_keywords(turns="average")
    ... def stain(average=False):
    ...     return average
    >>> stain(turns=True)  # doctest: +SKIP
    True
    """

    def decorated(function: Callable[_Given, _Returned]) -> Callable[_Given, _Returned]:
        @functools.wraps(function)
        def translated(*args: _Given.args, **given: _Given.kwargs) -> _Returned:
            for former in new_names.keys() & given:
                _rename(given, former, new_names[former])
            return function(*args, **given)

        return translated

    return decorated


def _rename(given: dict[str, Any], former: str, present: str) -> None:
    """Move a value from a former name of a setting to the present one, with a warning.

    Raises
    ------
    InputError
        Both names were given.
    """
    if present in given:
        raise InputError(f"{former} and {present} were given, which are one: give {present} only.")
    warnings.warn(
        f"{former} is called {present} now: write {present}=...; the former name still works.",
        FutureWarning,
        stacklevel=3,
    )
    given[present] = given.pop(former)
