"""Make the screenshots of the README and the documentation from the simulated movie.

Run with a display (Xvfb and Mesa do)::

    xvfb-run -a -s "-screen 0 1600x1000x24" python docs/screenshots.py

Everything shown is what the docks themselves made, with the models that are shipped.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("QT_API", "pyqt6")
# the user's own window layout and preferences must not show
os.environ["NAPARI_CONFIG"] = str(Path(tempfile.mkdtemp()) / "settings.yaml")

import napari
from qtpy.QtWidgets import QApplication

from napari_virtualstain.plugin.layers.description import layer_name

PLUGIN = "napari-virtualstain"
SOURCE = "simulated bright-field"
IMAGES = Path(__file__).parent / "images"
LARGEST_BYTES = 600_000


def wait_until(condition: Callable[[], bool], timeout_s: float = 600) -> None:
    """Let Qt work until `condition` holds."""
    end = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError("a step did not end in time")
        QApplication.processEvents()
        time.sleep(0.01)


def press(viewer: Any, display_name: str, prepare: Callable[[Any], None] | None = None) -> Any:
    """Open a dock, press its run button and wait until it is done."""
    _, widget = viewer.window.add_plugin_dock_widget(PLUGIN, display_name, tabify=True)
    if prepare is not None:
        prepare(widget)
    widget.run_button.click()
    wait_until(lambda: not widget.state.is_active)
    if widget.state != "done":
        raise RuntimeError(f"{display_name}: {widget.status_label.text()}")
    return widget


def run_pipeline(viewer: Any, model: str | None) -> dict[str, Any]:
    """Do the daily path on the simulated sample and arrange the layers for a picture."""
    viewer.open_sample(PLUGIN, "simulated")
    viewer.dims.set_point(0, viewer.dims.range[0].stop / 2)

    def choose(widget: Any) -> None:
        if model is not None:
            widget.model.value = model

    docks = {
        "stain": press(viewer, "Virtual staining", choose),
        "segment": press(viewer, "Segment mitochondria"),
        "track": press(viewer, "Track mitochondria"),
    }
    arrange(viewer)
    return docks


def arrange(viewer: Any) -> None:
    """Show bright-field, virtual fluorescence, labels and tracks in a grid of four."""
    made = [layer_name(SOURCE, kind) for kind in ("fluorescence", "tracked", "tracks")]
    names = [SOURCE, *made]
    for layer in list(viewer.layers):
        if layer.name not in names:
            viewer.layers.remove(layer)
    for place, name in enumerate(names):
        viewer.layers.move(viewer.layers.index(name), place)
        viewer.layers[name].visible = True
    viewer.layers[layer_name(SOURCE, "tracked")].opacity = 1.0
    viewer.canvas.grid.shape = (2, 2)
    viewer.canvas.grid.stride = 1
    viewer.canvas.grid.enabled = True
    viewer.reset_view()


def picture(viewer: Any, path: Path) -> None:
    """Save the whole window; small enough for a repository."""
    for _ in range(20):
        QApplication.processEvents()
        time.sleep(0.02)
    image = viewer.window.screenshot(canvas_only=False, flash=False)
    from PIL import Image

    Image.fromarray(image[..., :3]).quantize(256).save(path, optimize=True)
    if path.stat().st_size > LARGEST_BYTES:
        raise RuntimeError(f"{path} has {path.stat().st_size} bytes, more than {LARGEST_BYTES}")


def main() -> None:
    """Write ``napari-dark.png``, ``napari-light.png`` and one picture of each dock."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default=None, help="generator by name; default: the docks' own")
    parser.add_argument("--size", default="1500x900", help="size of the window")
    parser.add_argument("--out", type=Path, default=IMAGES)
    arguments = parser.parse_args()
    width, height = map(int, arguments.size.split("x"))
    arguments.out.mkdir(parents=True, exist_ok=True)
    viewer = napari.Viewer(show=False)
    viewer.window.resize(width, height)
    viewer.show()
    docks = run_pipeline(viewer, arguments.model)
    viewer.window.resize(width, height)
    for name in ("segment", "track"):
        viewer.window.remove_dock_widget(docks.pop(name))
    viewer.reset_view()
    for theme in ("light", "dark"):
        viewer.theme = theme
        picture(viewer, arguments.out / f"napari-{theme}.png")
    viewer.window.remove_dock_widget(docks.pop("stain"))
    viewer.canvas.grid.enabled = False
    viewer.layers[layer_name(SOURCE, "tracked")].visible = False
    inspector = press(viewer, "Track inspector")
    inspector.step(1)
    viewer.window.resize(width, height + 150)
    viewer.reset_view()
    picture(viewer, arguments.out / "dock-inspect.png")
    viewer.close()


if __name__ == "__main__":
    main()
