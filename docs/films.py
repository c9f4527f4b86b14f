"""Make the short films of the tutorials from the simulated sample.

Run with a display (Xvfb and Mesa do)::

    .ci/with-display python docs/films.py [compare] [follow]

Each film is a GIF of the whole window while the docks do what the tutorial describes.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import screenshots  # sets the environment before napari is imported
from PIL import Image
from qtpy.QtWidgets import QApplication
from screenshots import IMAGES, PLUGIN, SOURCE, press

from napari_virtualstain.plugin.layers.description import layer_name

SIZE = (800, 600)
COLOURS = 40
LONGEST = 14  # frames of the track, for the size of the file
LARGEST_BYTES = 1_000_000


def shot(viewer: Any, wait_s: float = 0.15) -> Image.Image:
    """Return a picture of the window once it has drawn."""
    end = time.monotonic() + wait_s
    while time.monotonic() < end:
        QApplication.processEvents()
        time.sleep(0.01)
    picture = viewer.window.screenshot(canvas_only=False, flash=False)
    return Image.fromarray(picture[..., :3])


def save(pictures: Iterable[Image.Image], path: Path, frame_s: float) -> None:
    """Write a GIF with one palette, so that only what moves takes space."""
    frames = list(pictures)
    width, height = frames[0].size
    several = Image.new("RGB", (width, 3 * height))
    for place, frame in enumerate((frames[2], frames[len(frames) // 2], frames[-1])):
        several.paste(frame, (0, place * height))
    palette = several.quantize(COLOURS)
    first, *others = [f.quantize(palette=palette, dither=Image.Dither.NONE) for f in frames]
    first.save(
        path,
        save_all=True,
        append_images=others,
        duration=round(1000 * frame_s),
        loop=0,
        optimize=True,
    )
    if path.stat().st_size > LARGEST_BYTES:
        raise RuntimeError(f"{path} has {path.stat().st_size} bytes, more than {LARGEST_BYTES}")


def only(viewer: Any, *names: str) -> None:
    """Hide all layers but some."""
    for layer in viewer.layers:
        layer.visible = layer.name in names


def compare(viewer: Any, stain: Any) -> Iterator[Image.Image]:
    """Swipe from bright-field to the virtual and on to the true fluorescence."""
    stain.true_layer.value = viewer.layers["simulated fluorescence"]
    stain.compare.follow()
    slider = stain.compare.slider
    stops = [1, 1, *range(10, 101, 10), 100, 100, *range(110, 201, 10), 200, 200]
    for value in stops:
        slider.setValue(value)
        yield shot(viewer)
    stain.compare.end()


def follow(viewer: Any, inspector: Any) -> Iterator[Image.Image]:
    """Choose the longest track and follow it through the movie."""
    table = inspector.model.table
    track_id = int(table.loc[table["frames"].idxmax(), "track_id"])
    inspector.go_to(track_id, 0)
    yield shot(viewer, 1.0)
    frames = inspector.model.tracks["frame"][inspector.model.tracks.rows_of(track_id)]
    for frame in frames[:LONGEST]:
        viewer.dims.set_current_step(0, int(frame))
        yield shot(viewer, 0.3)


def main() -> None:
    """Write ``film-compare.gif`` and ``film-follow.gif``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("films", nargs="*", default=["compare", "follow"])
    parser.add_argument("--out", type=Path, default=IMAGES)
    given = parser.parse_args()
    viewer = screenshots.napari.Viewer(show=False)
    viewer.window.resize(*SIZE)
    viewer.show()
    for dock in (
        viewer.window._qt_viewer.dockLayerList,
        viewer.window._qt_viewer.dockLayerControls,
    ):
        dock.hide()  # what the docks do is the subject
    viewer.open_sample(PLUGIN, "simulated")
    stain = press(viewer, "Virtual staining")
    if "compare" in given.films:
        save(compare(viewer, stain), given.out / "film-compare.gif", 0.2)
    if "follow" in given.films:
        docks = [stain, press(viewer, "Segment mitochondria"), press(viewer, "Track mitochondria")]
        for dock in docks:
            viewer.window.remove_dock_widget(dock)
        inspector = press(viewer, "Track inspector")
        only(viewer, SOURCE, layer_name(SOURCE, "fluorescence"))
        save(follow(viewer, inspector), given.out / "film-follow.gif", 0.5)
    viewer.close()


if __name__ == "__main__":
    main()
