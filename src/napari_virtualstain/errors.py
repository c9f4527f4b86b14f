"""The errors a user can meet, one family.

Every message says what was given, what was expected, and what to do. Each class
also inherits the builtin that a programmer would catch for it. The command line
turns any :class:`VirtualStainError` into one plain line and exit code 2; the docks
show it inline.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path


class VirtualStainError(Exception):
    """Base of every error that napari-virtualstain raises on purpose."""


class InputError(VirtualStainError, ValueError):
    """Error about data or a setting that cannot be used."""


class AxesError(InputError):
    """Error about axes of an image that are missing, wrong or ambiguous."""


class ImageFileError(VirtualStainError, OSError):
    """Error about an image file that is missing, truncated, of an unknown format or unreadable."""


class OutputError(VirtualStainError, OSError):
    """Error about output that cannot be written: folder read-only, disk full, name impossible."""


class OutputExistsError(OutputError, FileExistsError):
    """Error about output that is there already and must not be overwritten."""


class ModelError(VirtualStainError, ValueError):
    """Error about a model file that is unknown, foreign, corrupt, or of the wrong kind."""


class DeviceError(VirtualStainError):
    """Error about a device that is absent, or whose memory does not suffice."""


class TrainingError(VirtualStainError):
    """Error about a training that cannot start, or whose numbers became meaningless."""


class CancelledError(VirtualStainError):
    """Cancellation by the user; what was complete by then has been kept."""


@contextmanager
def reading(
    path: str | Path,
    expected: str,
    *,
    error_class: type[VirtualStainError] = ImageFileError,
) -> Iterator[None]:
    """Turn any exception of the block into an error that names the file and what was expected.

    The boundary between foreign files and this package: libraries that parse files raise whatever
    breaks first on a damaged or hostile one, such as key, type and overflow errors.

    Parameters
    ----------
    path : str or Path
        File or folder that is read.
    expected : str
        What it should be, for instance ``"a TrackMate XML file"``.
    error_class : type
        Class of the error.

    Examples
    --------
    >>> with reading("a.xml", "a TrackMate file"):  # doctest: +IGNORE_EXCEPTION_DETAIL
    ...     {}["Model"]
    Traceback (most recent call last):
    ImageFileError: a.xml is truncated, damaged or of another kind (KeyError: 'Model'): ...
    """
    try:
        yield
    except (VirtualStainError, Warning):
        raise
    except Exception as error:
        raise error_class(
            f"{shown(path)} is truncated, damaged or of another kind ({reason(error)}): expected "
            f"{expected}. Copy it again from its source."
        ) from error


def as_path(path: object) -> Path:
    """Return what was given as a path.

    Raises
    ------
    InputError
        It is neither a string nor a path.
    """
    if not isinstance(path, str | PathLike):
        raise InputError(
            f"A {type(path).__name__} was given: expected the path of a file or folder."
        )
    return Path(path)


def check_kind(value: object, kind: type | tuple[type, ...], name: str, expected: str) -> None:
    """Refuse an argument of another type than expected.

    Raises
    ------
    InputError
        It is not an instance of `kind`.

    Examples
    --------
    >>> check_kind(5, str, "axes", "letters such as 'tyx'")  # doctest: +IGNORE_EXCEPTION_DETAIL
    Traceback (most recent call last):
    InputError: axes is 5 (int): expected letters such as 'tyx'.
    """
    if not isinstance(value, kind):
        raise InputError(
            f"{name} is {shown(repr(value))} ({type(value).__name__}): expected {expected}."
        )


def check_choice(value: object, choices: Iterable[str], name: str) -> None:
    """Refuse what is not one of a few words.

    Raises
    ------
    InputError
        It is another text, or no text.

    Examples
    --------
    >>> check_choice("up", ["left", "right"], "side")  # doctest: +IGNORE_EXCEPTION_DETAIL
    Traceback (most recent call last):
    InputError: side is 'up': expected one of left, right.
    """
    allowed = list(choices)
    # an array compares pixel by pixel, so its type is looked at first
    if not isinstance(value, str) or value not in allowed:
        listed = ", ".join(allowed)
        raise InputError(f"{name} is {shown(repr(value))}: expected one of {listed}.")


def expanded(path: str | Path) -> Path:
    """Return a path with ``~`` and ``~user`` replaced by the home folder.

    Raises
    ------
    InputError
        There is no such user.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise InputError(
            f"{shown(path)} names the home folder of a user that is not known here. Give the "
            "folder by its path."
        ) from error


def reason(error: BaseException) -> str:
    """Return the class and the first line of an exception, cut to a line's length."""
    text = str(error).strip().splitlines()
    name = type(error).__name__
    return f"{name}: {text[0][:160]}" if text and text[0] else name


def shown(path: str | Path) -> str:
    """Return a path for a message: one line of at most 300 characters that can be printed."""
    text = str(path).encode(errors="backslashreplace").decode()
    text = "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
    return text if len(text) <= 300 else f"{text[:150]}…{text[-100:]}"
