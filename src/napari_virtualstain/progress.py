"""Progress reporting and cancellation.

A core function takes ``progress``, a callable that receives :class:`Progress`
values, and ``cancel``, a :class:`CancelToken` that it looks at once a tile, frame or
batch. Neither knows who listens: a progress bar, a napari dock, or nobody.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from types import NoneType
from typing import TypeVar

from .errors import CancelledError, InputError, check_kind

_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True)
class Progress:
    """Completed share of a job.

    Attributes
    ----------
    done : int
        Finished units.
    total : int or None
        Units in all, None when that is not known.
    unit : str
        What is counted, in the singular: ``"frame"``, ``"epoch"``.
    step : str
        What is being done, as a verb form: ``"staining"``.
    elapsed_s : float
        Seconds that the finished units took; 0 while their pace is not known.
    limit_s : float or None
        Seconds after which the job ends at the latest, None without a limit.
    """

    done: int
    total: int | None = None
    unit: str = "frame"
    step: str = ""
    elapsed_s: float = 0.0
    limit_s: float | None = None

    @property
    def fraction(self) -> float | None:
        """Done over total in [0, 1], or None when the total is not known."""
        return min(1.0, self.done / self.total) if self.total else None

    @property
    def remaining_s(self) -> float | None:
        """Seconds left at the mean speed, the limit at most, or None while that is not known."""
        if not self.total or not self.done or not self.elapsed_s > 0:
            return None
        left = self.elapsed_s / self.done * max(0, self.total - self.done)
        return left if self.limit_s is None else min(left, max(0.0, self.limit_s))

    def __str__(self) -> str:
        """Return for instance ``frame 12/120, 3.1 s/frame, 5 min left``."""
        if self.step and not self.done and not self.total:
            return self.step
        count = f"{self.unit} {self.done}" + (f"/{self.total}" if self.total else "")
        parts = [f"{self.step}: {count}" if self.step else count]
        if self.done and self.elapsed_s > 0:
            parts.append(f"{self.elapsed_s / self.done:.2g} s/{self.unit}")
        if (left := self.remaining_s) is not None:
            parts.append(f"{duration_text(left)} left")
        return ", ".join(parts)


ProgressCallback = Callable[[Progress], None]


def duration_text(seconds: float) -> str:
    """Return a duration as a person says it: ``8 s``, ``5 min``, ``2 h 10 min``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def counted(number: int, unit: str) -> str:
    """Return a number of things as a person says it.

    Examples
    --------
    >>> counted(1, "frame"), counted(1200, "track")
    ('1 frame', '1,200 tracks')
    """
    return f"{number:,} {unit}{'s' * (number != 1)}"


class CancelToken:
    """A flag that one thread raises and another looks at.

    Examples
    --------
    >>> token = CancelToken()
    >>> token.cancelled
    False
    >>> token.cancel()
    >>> token.cancelled
    True
    """

    def __init__(self) -> None:
        self._event = threading.Event()

    def cancel(self) -> None:
        """Ask the work to stop at its next look."""
        self._event.set()

    @property
    def cancelled(self) -> bool:
        """Whether somebody asked the work to stop."""
        return self._event.is_set()

    def raise_if_cancelled(self) -> None:
        """Raise :class:`CancelledError` if somebody asked the work to stop."""
        if self._event.is_set():
            raise CancelledError("Cancelled. What was finished by then has been kept.")


def watched(items: Iterable[_Item], cancel: CancelToken | None) -> Iterator[_Item]:
    """Yield the items, looking at the token before each.

    Examples
    --------
    >>> token = CancelToken()
    >>> for item in watched([1, 2], token):
    ...     token.cancel()
    Traceback (most recent call last):
    napari_virtualstain.errors.CancelledError: Cancelled. ...
    """
    _check_token(cancel)
    for item in items:
        if cancel is not None:
            cancel.raise_if_cancelled()
        yield item


def check_progress(progress: object) -> None:
    """Raise InputError unless `progress` is a function or None.

    Examples
    --------
    >>> check_progress(None)
    """
    if progress is not None and not callable(progress):
        raise InputError(
            f"progress is a {type(progress).__name__}: expected a function that takes a Progress."
        )


def _check_token(cancel: object) -> None:
    check_kind(cancel, (CancelToken, NoneType), "cancel", "a CancelToken")


@dataclass(slots=True)
class Reporter:
    """Counter of the units of one job, which reports them and looks at the cancel token.

    Parameters
    ----------
    total : int or None
        Units in all.
    unit, step : str
        See :class:`Progress`.
    progress : callable or None
        Receives a :class:`Progress` after each unit.
    cancel : CancelToken or None
        Looked at before each unit.
    """

    total: int | None
    unit: str = "frame"
    step: str = ""
    progress: ProgressCallback | None = None
    cancel: CancelToken | None = None
    done: int = 0
    _start: float = field(default_factory=time.perf_counter)

    def __post_init__(self) -> None:
        check_progress(self.progress)
        _check_token(self.cancel)

    def check(self) -> None:
        """Raise :class:`CancelledError` if the job was cancelled."""
        if self.cancel is not None:
            self.cancel.raise_if_cancelled()

    def begin(self) -> None:
        """Report that the first unit is at work, which may take minutes."""
        if self.progress is not None:
            self.progress(Progress(self.done, self.total, self.unit, self.step))

    def finish(self) -> None:
        """Report what is left of the total as done: it was not needed."""
        if self.total is not None and self.done < self.total:
            self.advance(self.total - self.done)

    def advance(self, units: int = 1) -> None:
        """Count `units` as done, report, and look at the cancel token."""
        self.done += units
        if self.progress is not None:
            elapsed_s = time.perf_counter() - self._start
            self.progress(Progress(self.done, self.total, self.unit, self.step, elapsed_s))
        self.check()
