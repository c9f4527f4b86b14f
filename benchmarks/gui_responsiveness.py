"""How long the window ever stands still: docks made, a large movie stained, scrubbing meanwhile.

Run with a display::

    xvfb-run -a -s "-screen 0 1600x1000x24" python benchmarks/gui_responsiveness.py

Prints a table. The peers' docks are measured in the same way where they are installed
(``pip install careamics-napari nellie``).
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("QT_API", "pyqt6")
os.environ["NAPARI_CONFIG"] = str(Path(tempfile.mkdtemp()) / "settings.yaml")

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
]
PEERS = [("nellie", "Nellie"), ("careamics-napari", "Train CAREamics")]
_START_UP = """
import time
start = time.perf_counter()
import napari_virtualstain
from npe2 import PluginManifest
begin = time.perf_counter()
import pathlib
PluginManifest.from_file(pathlib.Path(napari_virtualstain.__file__).parent / "napari.yaml")
end = time.perf_counter()
import sys
print(end - begin, "torch" in sys.modules, "qtpy" in sys.modules)
"""


def start_up() -> None:
    """Print what napari pays at its start for knowing the plugin: reading its manifest."""
    shown = [
        subprocess.run([sys.executable, "-c", _START_UP], capture_output=True, text=True).stdout
        for _ in range(5)
    ]
    times = sorted(float(line.split()[0]) for line in shown)
    print(
        f"start-up: manifest read in {1000 * times[len(times) // 2]:.0f} ms; {shown[0].split()[1:]}"
    )


def creation(viewer: Any) -> None:
    """Print how long each dock takes to appear, the first time in this process.

    Time of the processor does not depend on what else the machine is doing.
    """
    import numpy as np
    from qtpy.QtWidgets import QApplication

    viewer.add_image(np.zeros((2, 64, 64)), name="bright-field")
    QApplication.processEvents()
    for plugin, name in [(PLUGIN, dock) for dock in DOCKS] + PEERS:
        begin, busy = time.perf_counter(), time.process_time()
        try:
            viewer.window.add_plugin_dock_widget(plugin, name)
        except (ValueError, KeyError, ImportError) as error:
            print(f"creation: {plugin}, {name}: not here ({type(error).__name__})")
            continue
        QApplication.processEvents()
        took = 1000 * (time.perf_counter() - begin)
        worked = 1000 * (time.process_time() - busy)
        torch = ", torch imported" if "torch" in sys.modules else ""
        print(f"creation: {plugin}, {name}: {took:.0f} ms, of the processor {worked:.0f}{torch}")


class Watch:
    """Notes how long the event loop was away between ticks of a timer."""

    def __init__(self, interval_ms: int = 5) -> None:
        from qtpy.QtCore import QTimer

        self.gaps: list[float] = []
        self._last = time.perf_counter()
        self._timer = QTimer()
        self._timer.setInterval(interval_ms)
        self._timer.timeout.connect(self._tick)
        self._timer.start()

    def _tick(self) -> None:
        now = time.perf_counter()
        self.gaps.append(now - self._last)
        self._last = now

    def text(self) -> str:
        """Return the longest and the 99th percentile of the gaps."""
        gaps = sorted(self.gaps)
        if not gaps:
            return "no ticks"
        high = gaps[int(0.99 * (len(gaps) - 1))]
        return f"longest block {1000 * gaps[-1]:.0f} ms, 99 % below {1000 * high:.0f} ms"


def scrub(viewer: Any, frames: int, seconds: float, meanwhile: str) -> None:
    """Print how long a step through time takes, drawing included, ten steps a second."""
    from qtpy.QtWidgets import QApplication

    watch, steps = Watch(), []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        viewer.dims.set_current_step(0, len(steps) % frames)
        QApplication.processEvents()
        steps.append(time.perf_counter() - start)
        while time.perf_counter() < start + 0.1:
            QApplication.processEvents()
            time.sleep(0.001)
    middle = 1000 * sorted(steps)[len(steps) // 2]
    print(f"scrubbing, {meanwhile}: {watch.text()}; a step takes {middle:.0f} ms (median)")


def staining(viewer: Any, model: str | None, frames: int, size: int, seconds: float) -> None:
    """Print blocks of the GUI thread while a movie is stained, at rest and while scrubbing."""
    import numpy as np
    from qtpy.QtWidgets import QApplication

    rng = np.random.default_rng(0)
    movie = rng.integers(400, 600, (frames, size, size), dtype=np.uint16)
    viewer.add_image(
        movie,
        name="bright-field",
        scale=(2, 0.08, 0.08),
        units=("s", "um", "um"),
        axis_labels=("t", "y", "x"),
        contrast_limits=(400, 600),
    )
    _, dock = viewer.window.add_plugin_dock_widget(PLUGIN, "Virtual staining")
    if model is not None:
        dock.model.value = model
    scrub(viewer, frames, seconds / 2, "nothing running")
    dock.run()
    begin = time.perf_counter()

    while "bright-field [fluorescence]" not in viewer.layers and dock.state.is_active:
        QApplication.processEvents()
        time.sleep(0.005)
    layer = viewer.layers["bright-field [fluorescence]"]
    while dock.state.is_active and not layer.data[0].any() and not layer.data.any():
        QApplication.processEvents()
        time.sleep(0.005)
    print(
        f"staining: first frame after {time.perf_counter() - begin:.1f} s (torch import included)"
    )
    watch, end = Watch(), time.perf_counter() + seconds
    while time.perf_counter() < end and dock.state.is_active:
        QApplication.processEvents()
        time.sleep(0.001)
    print(f"staining {frames} x {size} x {size}, at rest: {watch.text()}")
    scrub(viewer, frames, seconds, "staining")
    dock.cancel()
    start = time.perf_counter()
    while dock.state.is_active:
        QApplication.processEvents()
        time.sleep(0.001)
    print(f"cancelled within {time.perf_counter() - start:.2f} s")


def main() -> None:
    """Run all measures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default=None)
    parser.add_argument("--frames", type=int, default=200)
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--no-staining", action="store_true", help="measure the docks only")
    arguments = parser.parse_args()
    start_up()
    import napari

    viewer = napari.Viewer()
    creation(viewer)
    viewer.layers.clear()
    for widget in list(viewer.window.dock_widgets.values()):
        viewer.window.remove_dock_widget(widget)
    if not arguments.no_staining:
        staining(viewer, arguments.model, arguments.frames, arguments.size, arguments.seconds)
    viewer.close()


if __name__ == "__main__":
    main()
