"""Make the pictures of the page `Train in napari` from real pairs.

    QT_API=pyqt6 xvfb-run -s "-screen 0 1280x720x24" python docs/train_walkthrough.py PAIRS OUT

PAIRS holds the folders ``bright_field`` and ``fluorescence`` of the public H9c2 sample.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from skimage.io import imread

MINUTES = 1.5
GEOMETRY: dict[str, Any] = {
    "scale": (2.0, 0.08, 0.08),
    "units": ("s", "um", "um"),
    "axis_labels": ("t", "y", "x"),
}


def wait(condition: Callable[[], bool] = lambda: False, timeout_s: float = 0.5) -> None:
    """Let the window work until a condition holds, or the time is over."""
    from qtpy.QtWidgets import QApplication

    end = time.monotonic() + timeout_s
    while not condition() and time.monotonic() < end:
        QApplication.processEvents()
        time.sleep(0.01)


def add_cell(viewer: Any, pairs: Path, cell: str, *, visible: bool) -> None:
    """Add bright-field and fluorescence of a cell as layers."""
    names = sorted(path.name for path in (pairs / "bright_field").glob(f"*{cell}*"))
    for folder, name, look in (
        ("bright_field", cell, {}),
        ("fluorescence", f"{cell} mCherry", {"colormap": "magenta", "blending": "additive"}),
    ):
        movie = np.stack([imread(pairs / folder / one) for one in names])
        viewer.add_image(movie, name=name, visible=visible, **look, **GEOMETRY)


def main(pairs: Path, out: Path) -> None:
    """Go through a training and photograph each state."""
    os.environ["VIRTUALSTAIN_MODELS"] = tempfile.mkdtemp()
    import napari
    from qtpy.QtWidgets import QToolButton

    viewer = napari.Viewer()
    viewer.window._qt_window.resize(1280, 720)

    def picture(name: str, *shown: Any) -> None:
        wait()
        for widget in shown:
            dock.area.ensureWidgetVisible(widget)
        wait()
        viewer.window._qt_window.grab().save(str(out / f"train-{name}.png"))

    add_cell(viewer, pairs, "TL_012", visible=True)
    dock = viewer.window.add_plugin_dock_widget("napari-virtualstain", "Train virtual staining")[1]
    dock.start_from.value = "mito-simulated"
    dock.pairs.new_regions.click()
    regions = dock.shapes.value
    regions.add_rectangles([[4, 4], [250, 120]])
    regions.add_polygons([[4, 136], [250, 140], [250, 250], [100, 250], [4, 200]])
    regions.selected_data = {1}
    dock.pairs.hold_button.click()
    picture("regions")
    for name in ("optics", "registration"):
        dock.findChild(QToolButton, name).setChecked(True)
    dock.optics.show_button.click()
    picture("optics", dock.optics.ratio_note)
    for layer in [one for one in viewer.layers if one is regions or "weight map" in one.name]:
        viewer.layers.remove(layer)
    add_cell(viewer, pairs, "TL_011", visible=False)
    dock.pairs.add_button.click()
    dock.registration.measure_button.click()
    wait(lambda: bool(dock.registration.found), 120)
    picture("registration", dock.registration.text)
    for name in ("optics", "registration"):
        dock.findChild(QToolButton, name).setChecked(False)
    dock.effort.minutes.setValue(MINUTES)
    dock.crop.setValue(96)
    dock.batch.setValue(4)
    dock.run_button.click()
    wait(lambda: len(dock.display.curve.scores["pearson"]) > 4, 300)
    picture("running", dock.display.curve.loss_plot)
    wait(lambda: not dock.state.is_active, 600)
    picture("done", dock.display.outcome)
    print(dock.display.outcome.sentence.text())
    print(dock.display.outcome.table.frame.to_string())


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
    os._exit(0)  # without waiting for threads of the window
