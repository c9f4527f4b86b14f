"""How long each dock takes to appear."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

PLUGIN = "napari-virtualstain"
DOCKS = [
    "Load time-lapse",
    "Virtual staining",
    "Segment mitochondria",
    "Track mitochondria",
    "Track inspector",
    "Evaluate staining",
    "Train virtual staining",
    "Run all",
    "Run on many movies",
    "Export figure",
]
PEERS = [
    ("nellie", "Nellie"),
    ("careamics-napari", "Noise2Void (N2V)"),
    ("careamics-napari", "CARE"),
]


def creation(viewer: Any) -> None:
    """Print how long each dock takes to appear, the first time in this process and again.

    The modules are compiled beforehand, as an installation does.
    """
    import compileall
    from importlib.util import find_spec

    import numpy as np
    from qtpy.QtWidgets import QWidget

    for folder in find_spec("napari_virtualstain").submodule_search_locations:
        compileall.compile_dir(folder, quiet=2)
    viewer.add_image(np.zeros((2, 64, 64)), name="bright-field")
    let_qt_work()
    window = viewer.window
    empty = _opened_twice(viewer, lambda: window.add_dock_widget(QWidget(), name="empty"))
    print(f"creation: empty dock: {empty}")
    for plugin, name in [(PLUGIN, dock) for dock in DOCKS] + PEERS:
        try:
            shown = _opened_twice(
                viewer, lambda p=plugin, n=name: window.add_plugin_dock_widget(p, n)[0]
            )
        except (ValueError, KeyError, ImportError, TypeError) as error:
            shown = f"none ({type(error).__name__}: {error})"[:120]
        print(f"creation: {plugin}, {name}: {shown}")


def _opened_twice(viewer: Any, open_one: Callable[[], Any]) -> str:
    """Open a dock twice and return both times; the first time modules are imported, too.

    Time of the processor does not depend on what else the machine is doing.
    """
    shown = []
    for _ in range(2):
        begin, busy = time.perf_counter(), time.process_time()
        dock = open_one()
        let_qt_work()
        took, worked = time.perf_counter() - begin, time.process_time() - busy
        torch = ", torch imported" if "torch" in sys.modules else ""
        shown.append(f"{1000 * took:.0f} ms, of the processor {1000 * worked:.0f}{torch}")
        # an open dock would soon import torch in a thread, beside the next one
        viewer.window.remove_dock_widget(dock)
        let_qt_work()
    return "; again ".join(shown)


def let_qt_work(until: Callable[[], bool] = lambda: True, limit_s: float = 120) -> float:
    """Let Qt work until a condition holds; return the seconds that took."""
    from qtpy.QtWidgets import QApplication

    begin = time.perf_counter()
    while True:
        QApplication.processEvents()
        if until():
            return time.perf_counter() - begin
        if time.perf_counter() - begin > limit_s:
            raise TimeoutError("a step did not end in time")
        time.sleep(0.001)
