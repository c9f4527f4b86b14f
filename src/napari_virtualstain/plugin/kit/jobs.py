"""One job at a time in a thread, whose errors are never lost.

Three traps of generator thread workers are closed here, once for all docks:

- a ``RuntimeError`` (every out-of-memory and shape error of torch is one) inside a
  generator worker vanishes without ``errored`` or ``finished``: here any exception
  becomes an :class:`Outcome`, and ``finished`` always follows;
- ``worker.quit()`` never closes the generator: here a :class:`CancelToken` is raised,
  the core stops by itself at its next tile, and the generator is closed in any case;
- each yield is a cross-thread signal and floods the event loop: here results wait in
  a queue that a timer in the GUI thread empties ten times a second.
"""

from __future__ import annotations

import inspect
import re
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from napari.qt.threading import FunctionWorker, create_worker
from qtpy.QtCore import QObject, QTimer, Signal

from ...errors import CancelledError, VirtualStainError
from ...progress import CancelToken, Progress
from .worker_threads import run_behind

POLL_MS = 100
# bounded: a message may quote a text of any length, and this runs in the GUI thread
_OPTION = re.compile(r"\s{0,4}\((--[\w-]{1,40})[^()]{0,200}\)")


class JobState(StrEnum):
    """State of a dock; compares equal to its lower-case name."""

    IDLE = "idle"
    RUNNING = "running"
    CANCELLING = "cancelling"
    DONE = "done"
    FAILED = "failed"

    @property
    def is_active(self) -> bool:
        """Whether a thread is at work."""
        return self in (JobState.RUNNING, JobState.CANCELLING)


@dataclass(slots=True)
class JobContext:
    """The thread's side of a job: where it reports, and what it must look at.

    Attributes
    ----------
    cancel : CancelToken
        To be handed to the core function.
    latest : Progress or None
        The newest progress; older ones that nobody saw are dropped.
    items : deque
        Results that the GUI thread has not taken yet.
    watched, showing : bool
        Whether somebody takes the items, and is busy with some.
    """

    cancel: CancelToken = field(default_factory=CancelToken)
    latest: Progress | None = None
    items: deque[Any] = field(default_factory=deque)
    watched: bool = False
    showing: bool = False

    def progress(self, value: Progress) -> None:
        """Report `value`; may be called as often as the core likes."""
        self.latest = value

    def emit(self, item: Any) -> None:
        """Hand a partial result to the GUI thread."""
        self.items.append(item)

    def wait_until_shown(self, most_s: float = 1.0) -> None:
        """Wait until the GUI thread has shown what was emitted, `most_s` seconds at most.

        napari takes a tenth of a second to add a layer, and half as long again where it has
        to fight with this thread for Python's lock.
        """
        end = time.monotonic() + most_s
        while self.watched and (self.items or self.showing) and time.monotonic() < end:
            self.cancel.raise_if_cancelled()
            time.sleep(0.005)

    def take(self) -> list[Any]:
        """Return the items that waited, oldest first, and forget them."""
        taken = []
        with suppress(IndexError):
            while True:
                taken.append(self.items.popleft())
        return taken


@dataclass(frozen=True, slots=True)
class Outcome:
    """Outcome of a job: a value or an error."""

    value: Any = None
    error: Exception | None = None

    @property
    def cancelled(self) -> bool:
        """Whether the user stopped the job."""
        return isinstance(self.error, CancelledError)

    @property
    def expected(self) -> bool:
        """Whether the error is one that the user can do something about."""
        return isinstance(self.error, VirtualStainError | OSError | MemoryError)

    @property
    def surprising(self) -> bool:
        """Whether the error is a fault of the program, to be shown with its traceback."""
        return self.error is not None and not self.cancelled and not self.expected


Work = Callable[[JobContext], Any]


def perform(work: Work, context: JobContext) -> Outcome:
    """Return how `work` ended; never raises.

    Parameters
    ----------
    work : callable
        Takes the context; returns a value, or a generator that yields partial results
        and returns the value.
    context : JobContext
        Receives progress and partial results.
    """
    try:
        value = work(context)
        if inspect.isgenerator(value):
            value = _drain(value, context)
    except Exception as error:
        return Outcome(error=error)
    return Outcome(value=value)


def _drain(generator: Any, context: JobContext) -> Any:
    try:
        while True:
            context.cancel.raise_if_cancelled()
            context.emit(next(generator))
    except StopIteration as stop:
        return stop.value
    finally:
        generator.close()


def error_text(error: Exception, controls: Mapping[str, str] = MappingProxyType({})) -> str:
    """Return one line for the user: what happened and, where it is known, what to do.

    Parameters
    ----------
    error : Exception
        What was raised.
    controls : mapping of str to str
        See :func:`in_dock_terms`.
    """
    text = in_dock_terms(str(error).strip(), controls) or type(error).__name__
    if isinstance(error, MemoryError) or "out of memory" in text.lower():
        return (
            f"Not enough memory: {text}. Choose a smaller tile, fewer frames, or the processor "
            "as the device."
        )
    if isinstance(error, VirtualStainError):
        return text
    return f"{type(error).__name__}: {text}"


def in_dock_terms(text: str, controls: Mapping[str, str]) -> str:
    """Return a message without the options of the command line that it names in brackets.

    Parameters
    ----------
    text : str
        Of an error or a warning.
    controls : mapping of str to str
        What to do in the dock in place of an option.

    Examples
    --------
    >>> in_dock_terms("Name the axes (--axes), or allow it (--force).", {"--force": "tick Force"})
    'Name the axes, or allow it (tick Force).'
    """

    def control(found: re.Match[str]) -> str:
        named = controls.get(found[1])
        return f" ({named})" if named else ""

    return _OPTION.sub(control, text)


@dataclass(frozen=True, slots=True)
class _Task:
    """Thread task; its text stands in napari's list of running tasks."""

    work: Work
    title: str

    def __call__(self) -> None:
        raise NotImplementedError  # the worker runs `work` itself

    def __repr__(self) -> str:
        return self.title


class _Worker(FunctionWorker):
    """A napari worker whose thread ends in ``finished`` whatever happens.

    ``run`` is replaced because the original swaps ``warnings.showwarning`` of the whole
    process, which two workers at once restore in the wrong order.
    """

    context: JobContext
    outcome: Outcome

    def run(self) -> None:
        with suppress(RuntimeError):  # the window, and with it the signals, may be gone
            self.started.emit()
        self._running = True
        run_behind(self._perform)
        self._running = False
        with suppress(RuntimeError):
            if self.outcome.surprising:
                self.errored.emit(self.outcome.error)
            self.finished.emit()
            self._finished.emit(self)

    def _perform(self) -> None:
        self.outcome = perform(self._func.work, self.context)

    def quit(self) -> None:
        """Ask the thread to stop; napari calls this when its window closes."""
        self.context.cancel.cancel()
        super().quit()


class JobRunner(QObject):
    """Runner of one job after another in a thread, with signals in the GUI thread.

    Signals
    -------
    state_changed : JobState
    progressed : Progress
        At most ten times a second.
    produced : list
        The partial results since the last time.

    Attributes
    ----------
    conclude : callable
        Called in the GUI thread exactly once for each started job that was not
        abandoned, after the last ``produced``; returns the outcome that decides the
        state, so that a result which cannot be shown counts as a failure.
    """

    state_changed = Signal(object)
    progressed = Signal(object)
    produced = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._state = JobState.IDLE
        self._worker: _Worker | None = None
        self._seen: Progress | None = None
        self._polling = False
        self.conclude: Callable[[Outcome], Outcome] = lambda outcome: outcome
        self._timer = QTimer(self)
        self._timer.setInterval(POLL_MS)
        self._timer.timeout.connect(self._poll)

    @property
    def state(self) -> JobState:
        """What the runner is doing."""
        return self._state

    def start(self, work: Work, title: str = "Virtual staining") -> None:
        """Run `work` in a thread; see :func:`perform`.

        Parameters
        ----------
        work : callable
            See :func:`perform`.
        title : str
            Shown when napari is closed while the job runs.

        Raises
        ------
        RuntimeError
            A job is still running.
        """
        if self._state.is_active:
            raise RuntimeError("A job is still running; cancel it or wait for it.")
        worker = create_worker(
            _Task(work, title), _worker_class=_Worker, _start_thread=False, _ignore_errors=True
        )
        worker.context = JobContext(watched=True)
        worker.finished.connect(self._finish)
        self._worker, self._seen = worker, None
        self._set_state(JobState.RUNNING)
        self._timer.start()
        worker.start()

    def cancel(self) -> None:
        """Ask the job to stop; it ends at its next tile, frame or batch."""
        if self._state is JobState.RUNNING and self._worker is not None:
            self._worker.context.cancel.cancel()
            self._set_state(JobState.CANCELLING)

    def reset(self) -> None:
        """Go back to idle after a job has ended."""
        if not self._state.is_active:
            self._set_state(JobState.IDLE)

    def canceller(self) -> Callable[[], None]:
        """Return a function that stops the job of the moment and touches no Qt object."""
        box = self.__dict__

        def cancel() -> None:
            worker = box.get("_worker")
            if worker is not None:
                worker.context.cancel.cancel()

        return cancel

    def last_items(self) -> list[Any]:
        """Stop the job, and return what it has handed over and nobody has seen yet."""
        if self._worker is None:
            return []
        self._worker.context.cancel.cancel()
        return self._worker.context.take()

    def abandon(self) -> None:
        """Stop the job and never speak of it again; for the end of a dock."""
        worker, self._worker = self._worker, None
        self._timer.stop()
        if worker is not None:
            with suppress(RuntimeError, TypeError):
                worker.finished.disconnect(self._finish)
            worker.context.cancel.cancel()
            worker.context.items.clear()
            self._state = JobState.IDLE

    def _set_state(self, state: JobState) -> None:
        if state is not self._state:
            self._state = state
            self.state_changed.emit(state)

    def _poll(self) -> None:
        # Slots may let Qt process events, and with them the next tick.
        if self._worker is None or self._polling:
            return
        self._polling = True
        context = self._worker.context
        try:
            if context.latest is not None and context.latest is not self._seen:
                self._seen = context.latest
                self.progressed.emit(self._seen)
            context.showing = True
            if items := context.take():
                self.produced.emit(items)
        finally:
            self._polling = context.showing = False

    def _finish(self) -> None:
        worker = self._worker
        if worker is None:
            return
        self._timer.stop()
        self._poll()
        self._worker = None
        state = JobState.FAILED
        try:
            outcome = self.conclude(worker.outcome)
            if outcome.error is None:
                state = JobState.DONE
            elif outcome.cancelled:
                state = JobState.IDLE
        finally:  # a fault in showing the outcome must not leave the dock busy
            self._set_state(state)
