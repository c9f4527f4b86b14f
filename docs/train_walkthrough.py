"""Make the pictures and figures of the page `Train in napari`.

    QT_API=pyqt6 xvfb-run -s "-screen 0 1280x720x24" python docs/train_walkthrough.py OUT

The pictures are of simulated pairs: two cells under a water objective, a microscope that the
starting model never saw. With ``--pairs FOLDER`` (``bright_field`` and ``fluorescence`` of the
public H9c2 sample, whose licence does not allow its images here) the cell TL_012 takes their
place, for the figures and for the pictures ``registration`` and ``done``: they show the dock
alone, with its plots and table. ``--start MODEL`` is the model to start from.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

GEOMETRY: dict[str, Any] = {
    "scale": (2.0, 0.08, 0.08),
    "units": ("s", "um", "um"),
    "axis_labels": ("t", "y", "x"),
}
ADDED = {"colormap": "magenta", "blending": "additive"}


def wait(condition: Callable[[], bool] = lambda: False, timeout_s: float = 0.5) -> None:
    """Let the window work until a condition holds, or the time is over."""
    from qtpy.QtWidgets import QApplication

    end = time.monotonic() + timeout_s
    while not condition() and time.monotonic() < end:
        QApplication.processEvents()
        time.sleep(0.01)


def simulated_cell(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return bright-field and fluorescence (T, Y, X) of a cell under a water objective."""
    from napari_virtualstain.simulation import Microscope, SceneConfig, simulate

    optics = replace(Microscope(), na=1.2, n_immersion=1.333, emission_um=0.525, condenser_na=0.3)
    scene = simulate(
        frames=8, size=256, seed=seed, config=replace(SceneConfig(), microscope=optics)
    )
    return scene.bright_field, scene.fluorescence


def real_cell(pairs: Path, cell: str) -> tuple[np.ndarray, np.ndarray]:
    """Return bright-field and fluorescence (T, Y, X) of a cell of the H9c2 sample."""
    from skimage.io import imread

    names = sorted(path.name for path in (pairs / "bright_field").glob(f"*{cell}*"))
    light, glow = (
        np.stack([imread(pairs / folder / name) for name in names])
        for folder in ("bright_field", "fluorescence")
    )
    return light, glow


class Walk:
    """A window with the dock, and the person who uses it."""

    def __init__(self, out: Path, cells: dict[str, tuple[np.ndarray, np.ndarray]]) -> None:
        import napari

        self.out, self.cells = out, cells
        self.viewer = napari.Viewer()
        self.viewer.theme = "light"  # whatever theme was last used here
        self.viewer.window._qt_window.resize(1280, 720)
        self.add_cell(next(iter(cells)), visible=True)
        self.dock = self.viewer.window.add_plugin_dock_widget(
            "napari-virtualstain", "Train virtual staining"
        )[1]

    def add_cell(self, name: str, *, visible: bool) -> None:
        """Add both channels of a cell as layers."""
        light, glow = self.cells[name]
        self.viewer.add_image(light, name=name, visible=visible, **GEOMETRY)
        self.viewer.add_image(glow, name=f"{name} GFP", visible=visible, **ADDED, **GEOMETRY)

    def unfold(self, name: str, *, shown: bool = True) -> None:
        """Open or close a part of the form."""
        from qtpy.QtWidgets import QToolButton

        self.dock.findChild(QToolButton, name).setChecked(shown)

    def picture(self, name: str, *shown: Any, alone: bool = False) -> None:
        """Photograph the window, or the dock alone, with some fields in view."""
        wait()
        for widget in shown:
            self.dock.area.ensureWidgetVisible(widget)
        wait()
        window = self.dock if alone else self.viewer.window._qt_window
        window.grab().save(str(self.out / f"train-{name}.png"))

    def draw_regions(self) -> None:
        """Draw a rectangle to train in, and a polygon that is held out."""
        self.dock.pairs.new_regions.click()
        regions = self.dock.shapes.value
        regions.add_rectangles([[4, 4], [250, 120]])
        regions.add_polygons([[4, 136], [250, 140], [250, 250], [100, 250], [4, 200]])
        regions.selected_data = {1}
        self.dock.pairs.hold_button.click()
        self.picture("regions")

    def look_at_optics(self) -> None:
        """Show the kernel and the weight map of the visible frame."""
        self.unfold("optics")
        self.dock.optics.show_button.click()
        self.picture("optics", self.dock.optics.ratio_note)
        for layer in [one for one in self.viewer.layers if "weight map" in one.name]:
            self.viewer.layers.remove(layer)
        self.unfold("optics", shown=False)

    def measure(self) -> None:
        """Measure the registration of the channels."""
        self.unfold("registration")
        self.dock.registration.measure_button.click()
        wait(lambda: bool(self.dock.registration.found), 300)
        self.picture("registration", self.dock.correct_registration, alone=True)
        self.unfold("registration", shown=False)

    def train(self, name: str, steps: int, *, weight_map: str | None, picture: str) -> None:
        """Train a model and print its table."""
        self.dock.name.setText(name)
        self.dock.optics.kind.value = weight_map
        self.dock.effort.minutes.setValue(0)
        self.dock.steps.setValue(steps)
        self.dock.batch.setValue(4)
        self.dock.run_button.click()
        if picture:
            curve = self.dock.display.curve
            wait(lambda: len(curve.scores["pearson"]) > 4 or not self.dock.state.is_active, 3600)
            self.picture("running", self.dock.display.curve.loss_plot)
        wait(lambda: not self.dock.state.is_active, 7200)
        if picture:
            self.picture(picture, self.dock.display.outcome, alone=True)
        print(f"{name}: {self.dock.status_label.text()}")
        print(self.dock.display.outcome.sentence.text())
        print(self.dock.display.outcome.table.frame.to_string(), flush=True)


def main() -> None:
    """Go through a training, with the PSF weight and without, and photograph each state."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--pairs", type=Path)
    parser.add_argument("--start", type=Path)
    parser.add_argument("--steps", type=int, default=160)
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    models = Path(tempfile.mkdtemp())
    os.environ["VIRTUALSTAIN_MODELS"] = str(models)
    start = "mito-simulated"
    if asked.start is not None:
        start = asked.start.stem
        shutil.copyfile(asked.start, models / asked.start.name)
    if asked.pairs is None:
        cells = {"cell 1": simulated_cell(3), "cell 2": simulated_cell(4)}
    else:
        cells = {"TL_012": real_cell(asked.pairs, "TL_012")}
    walk = Walk(asked.out, cells)
    walk.dock.start_from.value = start
    if asked.pairs is None:  # the crops of the sample lie elsewhere in each frame
        walk.draw_regions()
    walk.look_at_optics()
    walk.measure()
    walk.train("with-psf", asked.steps, weight_map=None, picture="done")
    walk.train("without-psf", asked.steps, weight_map="none", picture="")


if __name__ == "__main__":
    main()
    os._exit(0)  # without waiting for threads of the window
