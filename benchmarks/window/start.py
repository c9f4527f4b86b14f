"""What a start of napari costs with the plugin and without it, and how soon the sample is there."""

from __future__ import annotations

import subprocess
import sys
import time

# a package is hidden in both, so that hiding it costs the same: this one, or one that is not there
_START_UP = """
import sys, time
from importlib import metadata
hidden, found = sys.argv[2], metadata.distributions
metadata.distributions = lambda **given: (one for one in found(**given) if one.name != hidden)
import napari
viewer = napari.Viewer()
from qtpy.QtWidgets import QApplication
QApplication.processEvents()
took = time.process_time()
import npe2
known = "napari-virtualstain" in npe2.PluginManager.instance()
heavy = [name for name in ("torch", "napari_virtualstain.plugin.kit") if name in sys.modules]
print(took, known, *heavy, flush=True)
import os
os._exit(0)  # no orderly end is timed
"""


def start_up(repeats: int = 7) -> None:
    """Print what a start of napari costs with the plugin and without it, in turns.

    Seconds of the processor, from the start of Python until the window is there.
    """
    taken: dict[str, list[float]] = {"with": [], "without": []}
    for _ in range(repeats):
        for kind, times in taken.items():
            hidden = "napari-virtualstain" if kind == "without" else "none-of-this-name"
            command = [sys.executable, "-c", _START_UP, kind, hidden]
            shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            seconds, known, *heavy = shown.split()
            if (known == "True") != (kind == "with") or heavy:
                raise RuntimeError(f"napari started {kind} the plugin says: {shown}")
            times.append(float(seconds))
    for kind, times in taken.items():
        middle = sorted(times)[repeats // 2]
        print(f"start-up {kind} the plugin: {middle:.3f} s of the processor, best {min(times):.3f}")
    more = sorted(a - b for a, b in zip(taken["with"], taken["without"], strict=True))
    least = min(taken["with"]) - min(taken["without"])
    print(
        f"start-up: the plugin costs {1000 * more[repeats // 2]:.0f} ms (median of {repeats} "
        f"pairs), {1000 * least:.0f} ms between the best of each"
    )


def sample() -> None:
    """Print how long the first layers of a session, those of the sample, take to appear."""
    import napari
    from qtpy.QtWidgets import QApplication

    viewer = napari.Viewer()
    QApplication.processEvents()
    for time_of in ("first layers of the session", "again"):
        begin, busy = time.perf_counter(), time.process_time()
        viewer.open_sample("napari-virtualstain", "simulated")
        QApplication.processEvents()
        took, worked = time.perf_counter() - begin, time.process_time() - busy
        print(f"sample: {took:.2f} s, of the processor {worked:.2f} ({time_of})")
        viewer.layers.clear()
    viewer.close()
