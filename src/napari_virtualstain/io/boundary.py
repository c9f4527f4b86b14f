"""The boundary between foreign files and this package.

Libraries that parse files raise whatever breaks first on a damaged or hostile one: key, index,
type and overflow errors, recursion, their own classes. :func:`reading` is the one place that turns
these into an error in words; :func:`check_extent` refuses sizes that a file only declares, before
space is made for them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from ..errors import ImageFileError, VirtualStainError

MAX_PLANES = 2_000_000  # a week at three frames a second
MAX_PLANE_BYTES = 2**29  # 16,384 x 16,384 px of 16 bits


@contextmanager
def reading(
    path: str | Path,
    expected: str,
    *,
    error_class: type[VirtualStainError] = ImageFileError,
) -> Iterator[None]:
    """Turn any exception of the block into an error that names the file and what was expected.

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


def check_extent(path: str | Path, shape: Sequence[int], dtype: np.dtype) -> None:  # type: ignore[type-arg]
    """Refuse an image of more planes, or larger ones, than a microscope makes.

    Raises
    ------
    ImageFileError
        No pixels, more than two million planes, or planes of more than half a gigabyte.
    """
    if 0 in shape or any(length < 0 for length in shape):
        raise ImageFileError(f"{shown(path)} holds no pixels (shape {tuple(shape)}).")
    planes = math.prod(shape[:-2])
    plane_bytes = math.prod(shape[-2:]) * dtype.itemsize
    if planes > MAX_PLANES or plane_bytes > MAX_PLANE_BYTES:
        raise ImageFileError(
            f"{shown(path)} declares {planes:,} planes of {plane_bytes / 1e6:,.3g} MB: expected at "
            f"most {MAX_PLANES:,} planes of {MAX_PLANE_BYTES / 1e6:,.0f} MB. It is damaged or must "
            "be cut."
        )
