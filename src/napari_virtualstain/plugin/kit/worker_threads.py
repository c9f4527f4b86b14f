"""Low-priority worker threads that leave the window responsive.

The system's scheduler gets the window's priority: without that, a step through
time takes twice as long on two cores while a movie is stained. And torch is imported
so that Python's lock is never held for long: the window would stand still.
"""

from __future__ import annotations

import ctypes
import gc
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from ...progress import CancelToken

_NICER_BY = 5
_LOOK_EVERY_S = 0.02
_LIBRARIES = ("libtorch_cpu.so", "libtorch_python.so")
_MESA, _MAPS = "libLLVM", Path("/proc/self/maps")


def run_behind(function: Callable[[], object]) -> None:
    """Run `function` in a thread of low priority and wait for it.

    The priority of a thread cannot be raised again by a normal user, so a thread of
    Qt's pool, which others use after us, is not lowered itself.

    Examples
    --------
    >>> run_behind(lambda: print("done"))
    done
    """

    def run() -> None:
        give_way()
        keep_triton_out()
        function()

    thread = threading.Thread(target=run, name="virtualstain", daemon=True)
    thread.start()
    thread.join()


def give_way() -> None:
    """Lower the priority of the calling thread, where the system has one for a thread."""
    if sys.platform == "linux":  # elsewhere this call would mean the whole process
        thread = threading.get_native_id()
        nicer = min(19, os.getpriority(os.PRIO_PROCESS, thread) + _NICER_BY)
        os.setpriority(os.PRIO_PROCESS, thread, nicer)


def keep_triton_out() -> None:
    """Make Triton count as not installed where Mesa's copy of LLVM is loaded.

    Torch's builds for CUDA import Triton as soon as an optimiser is made; its own LLVM and that
    of the canvas's OpenGL then end the process (seen with torch 2.14 and Mesa 22.3). Nothing
    of this package uses Triton.
    """
    if sys.platform == "linux" and "triton" not in sys.modules and _MESA in _MAPS.read_text():
        sys.modules["triton"] = None  # type: ignore[assignment]


def import_torch(cancel: CancelToken | None = None) -> None:
    """Import torch, and what of this package needs it, without stopping the window.

    A job that is cancelled meanwhile ends at once; the import goes on for the next one.

    Three things would stop it for more than a tenth of a second: the loader of torch's
    libraries, which a C function called through ctypes does without Python's lock; the
    garbage collector, which sets in because so many objects are new; and the drawing, which
    gives the lock away with each call of OpenGL and gets it back 5 ms later.
    """
    if not _torch.is_ready():
        _torch.wait(cancel or CancelToken())


class _TorchImport:
    """The import of torch, in one thread for all jobs that wait for it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None

    def is_ready(self) -> bool:
        """Whether nothing is left to wait for."""
        return "torch" in sys.modules and (self._thread is None or not self._thread.is_alive())

    def wait(self, cancel: CancelToken) -> None:
        """Begin the import unless it runs already, and wait for its end.

        Raises
        ------
        CancelledError
            The job was cancelled meanwhile.
        """
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                self._error = None
                self._thread = threading.Thread(target=self._run, name="torch", daemon=True)
                self._thread.start()
            thread = self._thread
        while thread.is_alive():
            cancel.raise_if_cancelled()
            thread.join(_LOOK_EVERY_S)
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            with collecting_later(), _changing_over_quickly():
                _load_libraries()
                from ...staining import Stainer  # noqa: F401
        except BaseException as error:  # raised again in the job that waits
            self._error = error


_torch = _TorchImport()


def _load_libraries() -> None:
    """Load torch's libraries beforehand; where they have other names, nothing happens."""
    found = find_spec("torch")
    if sys.platform != "linux" or found is None or found.origin is None:
        return
    load = ctypes.CDLL(None).dlopen
    load.restype, load.argtypes = ctypes.c_void_p, [ctypes.c_char_p, ctypes.c_int]
    for name in _LIBRARIES:
        path = Path(found.origin).parent / "lib" / name
        if path.exists():
            load(os.fsencode(path), os.RTLD_LAZY)


@contextmanager
def _changing_over_quickly() -> Iterator[None]:
    """Let threads that wait for Python's lock have it after half a millisecond."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(0.0005)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


@contextmanager
def collecting_later() -> Iterator[None]:
    """Collect no garbage meanwhile, and take what is new for old afterwards.

    Freezing and unfreezing moves every object to the oldest generation, so that the new
    ones do not count as a reason for a full collection.
    """
    if not gc.isenabled() or gc.get_freeze_count():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.unfreeze()
        gc.enable()
