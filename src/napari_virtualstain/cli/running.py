"""Progress bar, warnings and Ctrl-C of a running command."""

from __future__ import annotations

import signal
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from ..progress import CancelToken, Progress
from .exits import complain, tell

_SECONDS_BETWEEN_LINES = 10.0


class ProgressLine:
    """Progress on stderr: a bar on a terminal, a line now and then in a log."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._step = ""
        self._last = 0.0
        self._is_terminal = sys.stderr.isatty()

    def __call__(self, progress: Progress) -> None:
        """Show a :class:`Progress`."""
        if progress.step != self._step:
            self.close()
            self._step, self._last = progress.step, time.monotonic()
        if self._is_terminal:
            self._show_bar(progress)
        else:
            self._show_line(progress)

    def _show_bar(self, progress: Progress) -> None:
        from tqdm import tqdm

        if self._bar is None:
            shape = "{desc} |{bar}| {percentage:3.0f}%" if progress.total else "{desc}"
            self._bar = tqdm(
                total=progress.total,
                bar_format=shape,
                file=sys.stderr,
                dynamic_ncols=True,
            )
        self._bar.total = progress.total
        self._bar.set_description_str(str(progress), refresh=False)
        self._bar.update(progress.done - self._bar.n)

    def _show_line(self, progress: Progress) -> None:
        now, is_last = time.monotonic(), progress.done == progress.total
        if is_last or now - self._last >= _SECONDS_BETWEEN_LINES:
            self._last = now
            complain(str(progress))

    def close(self) -> None:
        """Finish the bar so that other lines can follow."""
        if self._bar is not None:
            self._bar.refresh()
            self._bar.close()
        self._bar, self._step = None, ""


class Job:
    """Progress, cancellation and output of one command.

    Attributes
    ----------
    progress : callable
        For the core's ``progress``.
    cancel : CancelToken
        For the core's ``cancel``; raised by Ctrl-C.
    """

    def __init__(self) -> None:
        self.progress = ProgressLine()
        self.cancel = CancelToken()

    def say(self, text: str) -> None:
        """Write a line of the result to stdout."""
        self.progress.close()
        tell(text)

    def note(self, text: str) -> None:
        """Write a line about how the result came about to stderr."""
        self.progress.close()
        complain(text)


@contextmanager
def running_job() -> Iterator[Job]:
    """Yield a job whose cancel token Ctrl-C raises; a second Ctrl-C stops at once."""
    from ..io import no_empty_folders

    job = Job()
    with _interrupts(job), _plain_warnings(job), no_empty_folders():
        try:
            yield job
        finally:
            job.progress.close()


@contextmanager
def _interrupts(job: Job) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handle(number: int, frame: FrameType | None) -> None:
        if job.cancel.cancelled:
            raise KeyboardInterrupt("Stopped at once; repeat the command with --resume to go on.")
        job.cancel.cancel()
        job.note("Stopping after the work in hand; press Ctrl-C again to stop at once.")

    numbers = [signal.SIGINT, signal.SIGTERM]
    before = {number: signal.signal(number, handle) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _plain_warnings(job: Job) -> Iterator[None]:
    """Show this package's warnings as plain lines, each once; those of libraries not at all."""
    seen: set[str] = set()

    def show(message: Any, category: type[Warning], *_: Any, **__: Any) -> None:
        text = " ".join(str(message).split())
        if text not in seen and category.__module__.startswith("napari_virtualstain"):
            seen.add(text)
            job.note(f"Warning: {text}")

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = show
        yield
