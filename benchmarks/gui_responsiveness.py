"""Longest block of the window, and delays of docks, cancels and settings.

Run with a display::

    xvfb-run -a -s "-screen 0 1600x1000x24" python -m benchmarks.gui_responsiveness

Prints a table. ``--only creation`` and the like run one part; ``--stacks`` also says what
the main thread was doing in the longest block. The peers' docks are measured in the same
way where they are installed (``pip install --no-deps careamics-napari nellie`` and what they
import, best in an environment of their own over this one).
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
import tempfile
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from .window.creation import DOCKS, PLUGIN, creation, let_qt_work
from .window.start import sample, start_up

os.environ.setdefault("QT_API", "pyqt6")
os.environ["NAPARI_CONFIG"] = str(Path(tempfile.mkdtemp()) / "settings.yaml")
os.environ.setdefault("VIRTUALSTAIN_MODELS", tempfile.mkdtemp())

PARTS = ("startup", "creation", "table", "staining", "cut", "cancel", "inspector")
GEOMETRY = {"scale": (2, 0.08, 0.08), "units": ("s", "um", "um"), "axis_labels": ("t", "y", "x")}


def table(viewer: Any, arguments: argparse.Namespace) -> None:
    """Print how soon 20,000 segmented objects are in the table, and how it goes on from there."""
    import numpy as np

    spacing, count = 14, 142
    y, x = np.mgrid[:spacing, :spacing] - spacing / 2
    dot = 1000 * np.exp(-(y**2 + x**2) / 8)
    image = np.tile(dot, (2, count, count)).astype(np.float32)
    dock = segmented(viewer, image)
    watch = Watch(stacks=arguments.stacks)
    took = let_qt_work(lambda: len(dock.table.frame) > 0, limit_s=600)
    print(f"table: {len(dock.table.frame)} objects listed {took:.1f} s later; {watch.text()}")
    labels, view = viewer.layers["segmented · cell [mitochondria]"], dock.table

    def timed(text: str, act: Callable[[], Any]) -> None:
        taken, worked = [], []
        for _ in range(5):
            begin, busy = time.perf_counter(), time.thread_time()
            act()
            let_qt_work()
            taken.append(1000 * (time.perf_counter() - begin))
            worked.append(1000 * (time.thread_time() - busy))
            rest(0.05)
        middle, own = sorted(taken)[2], sorted(worked)[2]
        print(f"table: {text}: {middle:.0f} ms (median), of the processor {own:.0f} ms")

    rows = iter(range(5, 20000, 1999))
    timed("choosing a row", lambda: view.selectRow(next(rows)))
    names = iter(range(7, 20000, 1999))
    timed("choosing a label on the canvas", lambda: setattr(labels, "selected_label", next(names)))
    columns = iter(range(2, 9))
    header = view.horizontalHeader()
    timed("sorting", lambda: header.setSortIndicator(next(columns), header.sortIndicatorOrder()))
    watch, shown = Watch(stacks=arguments.stacks), dock.measures.measured
    viewer.dims.set_current_step(0, 1)
    took = let_qt_work(lambda: dock.measures.measured not in (None, shown), limit_s=600)
    print(f"table: the next frame listed after {took:.1f} s; {watch.text()}")


class Watch:
    """Notes how long the event loop was away between ticks of a timer.

    Parameters
    ----------
    stacks : bool
        Whether another thread looks every 10 ms at what the main thread is doing.
    """

    def __init__(self, *, stacks: bool = False, interval_ms: int = 5) -> None:
        from qtpy.QtCore import QTimer

        self.gaps: list[float] = []
        self._longest, self._where = 0.0, ""
        self._seen: deque[tuple[float, str]] = deque(maxlen=400)
        self._last, self._busy_last = time.perf_counter(), time.thread_time()
        self.busiest = 0.0
        self._timer = QTimer()
        self._timer.setInterval(interval_ms)
        self._timer.timeout.connect(self._tick)
        self._timer.start()
        self._began, self._collections = 0.0, [0.0]
        gc.callbacks.append(self._on_collection)
        self._over = threading.Event()
        if stacks:
            threading.Thread(target=self._look, daemon=True).start()

    def _tick(self) -> None:
        now = time.perf_counter()
        gap = now - self._last
        self.gaps.append(gap)
        busy = time.thread_time()
        # what else the machine is doing does not count here
        self.busiest, self._busy_last = max(self.busiest, busy - self._busy_last), busy
        if gap > self._longest:
            self._longest = gap
            seen = [text for when, text in list(self._seen) if self._last < when < now]
            counted = sorted({text: seen.count(text) for text in seen}.items(), key=lambda c: -c[1])
            self._where = "".join(f"--- {count} of {len(seen)}\n{t}" for t, count in counted[:3])
        self._last = now

    def _on_collection(self, phase: str, info: dict[str, int]) -> None:
        """Note how long each full garbage collection holds Python's lock."""
        if info["generation"] == 2 and phase == "start":
            self._began = time.perf_counter()
        elif info["generation"] == 2:
            self._collections.append(time.perf_counter() - self._began)

    def _look(self) -> None:
        main = threading.main_thread().ident
        while not self._over.wait(0.01):
            frames = sys._current_frames()
            text = "".join(traceback.format_stack(frames[main])[-9:]) if main in frames else ""
            others = [f for thread, f in frames.items() if thread != main]
            busy = "".join(f"    beside: {f.f_code.co_qualname}\n" for f in others)
            self._seen.append((time.perf_counter(), text + busy))

    def text(self) -> str:
        """Return the longest and the 99th percentile of the gaps, and stop looking."""
        self._over.set()
        self._timer.stop()
        gc.callbacks.remove(self._on_collection)
        gaps = sorted(self.gaps)
        if not gaps:
            return "no ticks"
        high = gaps[int(0.99 * (len(gaps) - 1))]
        where = f"\n{self._where}" if self._where else ""
        own = f"of the processor {1000 * self.busiest:.0f} ms"
        longest = f"longest block {1000 * gaps[-1]:.0f} ms ({own}), 99 % below {1000 * high:.0f} ms"
        if (held := 1000 * max(self._collections)) > 1:
            longest += f", a full garbage collection {held:.0f} ms"
        return f"{longest}{where}"


def rest(seconds: float) -> None:
    """Let Qt work for some seconds."""
    end = time.perf_counter() + seconds
    let_qt_work(lambda: time.perf_counter() > end)


def watched(seconds: float, meanwhile: str, *, stacks: bool) -> None:
    """Print the longest block of some seconds."""
    watch = Watch(stacks=stacks)
    rest(seconds)
    print(f"{meanwhile}, at rest: {watch.text()}")


def scrub(viewer: Any, frames: int, seconds: float, meanwhile: str, *, stacks: bool) -> None:
    """Print how long a step through time takes, drawing included, ten steps a second."""
    watch, steps = Watch(stacks=stacks), []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        viewer.dims.set_current_step(0, len(steps) % frames)
        let_qt_work()
        steps.append(time.perf_counter() - start)
        rest(max(0.0, start + 0.1 - time.perf_counter()))
    middle = 1000 * sorted(steps)[len(steps) // 2]
    print(f"scrubbing, {meanwhile}: a step takes {middle:.0f} ms (median); {watch.text()}")


def open_dock(viewer: Any, name: str) -> Any:
    """Return a dock that was just added."""
    _, dock = viewer.window.add_plugin_dock_widget(PLUGIN, name)
    return dock


def cancelled(dock: Any, step: str) -> None:
    """Press *Cancel* and print how long the thread took to end."""
    dock.cancel_button.click()
    took = let_qt_work(lambda: not dock.state.is_active)
    print(f"cancel: {step} ended after {took:.2f} s ({dock.state})")


def clear(viewer: Any) -> None:
    """Close all docks and layers."""
    for widget in list(viewer.window.dock_widgets.values()):
        with suppress(LookupError):  # the inspector takes its wide dock along
            viewer.window.remove_dock_widget(widget)
    viewer.layers.clear()
    let_qt_work()


def staining(viewer: Any, arguments: argparse.Namespace) -> None:
    """Print blocks of the GUI thread while a movie is stained, at rest and while scrubbing."""
    import numpy as np

    frames, size, seconds = arguments.frames, arguments.size, arguments.seconds
    rng = np.random.default_rng(0)
    plane = rng.integers(400, 600, (size, size), dtype=np.uint16)
    movie = np.stack([np.roll(plane, 7 * frame, axis=0) for frame in range(frames)])
    viewer.add_image(movie, name="bright-field", contrast_limits=(400, 600), **GEOMETRY)
    for name in DOCKS if arguments.all_docks else ():
        open_dock(viewer, name)
        rest(0.3)
    dock = open_dock(viewer, "Virtual staining")
    if arguments.model is not None:
        dock.model.value = arguments.model
    scrub(viewer, frames, seconds / 2, "nothing running", stacks=arguments.stacks)
    for time_of in ("first run: torch imported too", "second run"):
        watch = Watch(stacks=arguments.stacks)
        dock.run_button.click()
        index = int(viewer.dims.current_step[0])

        def shown(index: int = index) -> bool:
            name = "stained · bright-field [fluorescence]"
            layer = next((one for one in viewer.layers if one.name == name), None)
            return layer is not None and layer.visible and bool(layer.data[index].any())

        took = let_qt_work(shown)
        rest(0.5)  # the layer's first drawing belongs to the block
        print(f"staining: visible frame after {took:.1f} s ({time_of}); {watch.text()}")
        if time_of == "second run":
            break
        cancelled(dock, "staining")
        for layer in list(viewer.layers)[1:]:
            viewer.layers.remove(layer)
    watch = Watch(stacks=arguments.stacks)
    rest(seconds)
    print(f"staining {frames} x {size} x {size}, at rest: {watch.text()}")
    scrub(viewer, frames, seconds, "staining", stacks=arguments.stacks)
    cancelled(dock, "staining, after scrubbing")


def scene(size: int, frames: int) -> Any:
    """Return a small simulated time-lapse."""
    from napari_virtualstain import simulate

    return simulate(frames=frames, size=size, count=size // 5, seed=0)


def segmented(viewer: Any, image: Any) -> Any:
    """Return the segmenting dock after it has outlined `image`."""
    viewer.add_image(image, name="cell [fluorescence]", **GEOMETRY)
    dock = open_dock(viewer, "Segment mitochondria")
    dock.run_button.click()
    let_qt_work(lambda: not dock.state.is_active, limit_s=600)
    return dock


def cut(viewer: Any, arguments: argparse.Namespace) -> None:
    """Print how soon another threshold, split or smallest area shows in the visible frame.

    Once for an image of mitochondria, once for the worst: nearly everything is foreground.
    """
    import numpy as np

    image = scene(arguments.size, 1).fluorescence[:1]
    dock = segmented(viewer, np.concatenate([image, image]))
    layer = viewer.layers["segmented · cell [mitochondria]"]
    changes = [
        ("threshold 0.7", lambda: setattr(dock.settings["threshold"], "value", 0.7)),
        ("split at blobs", lambda: setattr(dock.settings["split"], "value", "log")),
        ("split along the skeleton", lambda: setattr(dock.settings["split"], "value", "skeleton")),
        ("smallest 1 µm²", lambda: setattr(dock.settings["min_area_um2"], "value", 1.0)),
        ("threshold 0.02", lambda: setattr(dock.settings["threshold"], "value", 0.02)),
    ]
    for text, change in changes:
        rest(1.0)
        let_qt_work(lambda: not dock.cutter.state.is_active)
        before = np.array(layer.data[0])
        watch = Watch(stacks=arguments.stacks)
        change()
        took = let_qt_work(lambda before=before: not np.array_equal(layer.data[0], before))
        print(f"cut: {text}: visible frame after {took:.2f} s; {watch.text()}")


def cancel(viewer: Any, arguments: argparse.Namespace) -> None:
    """Print blocks while segmenting, tracking and training, and how soon *Cancel* ends them."""
    import numpy as np

    made = scene(256, 8)
    large = np.tile(scene(arguments.size // 2, 1).fluorescence, (3, 2, 2))
    viewer.add_image(large, name="cell [fluorescence]", **GEOMETRY)
    dock = open_dock(viewer, "Segment mitochondria")
    dock.run_button.click()
    rest(1.0)
    watched(3.0, "segmenting", stacks=arguments.stacks)
    cancelled(dock, "segmentation in the network")
    clear(viewer)
    tiles = np.arange(9).reshape(3, 3).repeat(256, axis=0).repeat(256, axis=1)
    masks = np.tile(made.labels, (75, 3, 3))
    masks += np.where(masks > 0, tiles * masks.max(), 0)  # an object has a number of its own
    viewer.add_labels(masks, name="cell [mitochondria]", **GEOMETRY)
    dock = open_dock(viewer, "Track mitochondria")
    rest(1.0)
    dock.run_button.click()
    watched(4.0, "tracking", stacks=arguments.stacks)
    cancelled(dock, "tracking")
    clear(viewer)
    viewer.add_image(made.bright_field, name="cell bright-field", **GEOMETRY)
    viewer.add_image(made.fluorescence, name="cell fluorescence", **GEOMETRY)
    dock = open_dock(viewer, "Train virtual staining")
    dock.name.setText("benchmark")
    dock.run_button.click()
    let_qt_work(lambda: len(dock.display.curve.losses) > 0 or not dock.state.is_active)
    watched(4.0, "training", stacks=arguments.stacks)
    cancelled(dock, "training")


def inspector(viewer: Any, arguments: argparse.Namespace) -> None:
    """Print how soon choosing, cutting and undoing show among many tracks of 20 frames.

    All views are open. The Tracks layer itself follows an edit when no other has come for a
    moment; how long it takes then is printed apart.
    """
    import numpy as np

    count, frames, side = arguments.tracks, 20, 2048
    rng = np.random.default_rng(0)
    starts = np.repeat(rng.uniform(0, side, (count, 2)), frames, axis=0)
    ids, times = np.repeat(np.arange(1, count + 1), frames), np.tile(np.arange(frames), count)
    data = np.column_stack([ids, times, starts + rng.normal(0, 1, starts.shape)])
    quality = rng.uniform(0.3, 1, len(data))
    viewer.add_image(rng.random((frames, side // 4, side // 4)), name="cell", scale=(1, 4, 4))
    features = {"track_id": ids, "quality": quality}
    layer = viewer.add_tracks(data, features=features, name="cell [tracks]")
    begin = time.perf_counter()
    dock = open_dock(viewer, "Track inspector")
    let_qt_work(lambda: len(dock.table.frame) == count)
    print(f"inspector: {count} tracks listed {time.perf_counter() - begin:.1f} s after opening")
    rest(2.0)  # a million lines are drawn once
    watch = Watch(stacks=arguments.stacks)
    let_qt_work(lambda: str(dock.state) == "done")
    took = time.perf_counter() - begin
    print(f"inspector: all judged {took:.1f} s after opening; {watch.text()}")
    # a million lines take a processor seconds to draw, where there is no graphics card
    layer.visible = False
    rest(1.0)
    model, chosen = dock.model, dock.selection

    def timed(text: str, act: Callable[[], Any], repeats: int = 7) -> None:
        taken, drawn, worked = [], [], []
        for _ in range(repeats):
            begin, busy = time.perf_counter(), time.process_time()
            act()
            worked.append(1000 * (time.process_time() - busy))
            taken.append(1000 * (time.perf_counter() - begin))
            let_qt_work()
            drawn.append(1000 * (time.perf_counter() - begin))
            rest(0.05)
        middle, late, own = (sorted(one)[repeats // 2] for one in (taken, drawn, worked))
        print(
            f"inspector: {text}: {middle:.0f} ms (median), of the processor {own:.0f} ms, "
            f"worst {max(taken):.0f} ms; the canvas drawn after {late:.0f} ms"
        )

    def select() -> None:
        dock.table.view.selectRow(int(rng.integers(0, 200)))

    timed("choosing a row, shown in every view", select)
    places = iter(rng.permutation(starts[::frames]))
    now = float(dock.frame())
    timed("choosing by a click on the canvas", lambda: dock._on_click((now, *next(places)), 12.0))
    dock.go_to(int(chosen.track_id), 10)
    timed("a verdict", lambda: dock.judge("ok"))

    def cut_one() -> None:
        track = int(rng.integers(1, count))
        model.selection.choose(track, 10)
        model.edit("cut", track_id=track, frame=10, chosen=track)

    timed("cutting a track", cut_one)
    timed("undoing it", model.undo)
    timed("redoing it", model.redo)
    model.selection.choose(5, 10)
    timed("deleting a track", lambda: model.edit("delete", track_id=int(chosen.track_id or 6)), 1)
    timed("undoing that", model.undo, 1)
    begin = time.perf_counter()
    dock.sync.put()
    print(f"inspector: the Tracks layer follows in {time.perf_counter() - begin:.1f} s")
    layer.visible = True
    let_qt_work()
    begin = time.perf_counter()
    viewer.dims.set_point(0, 3)
    let_qt_work()
    print(f"inspector: all tracks are drawn in {time.perf_counter() - begin:.1f} s")


def main() -> None:
    """Run all measures, or those that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--model", default=None)
    parser.add_argument("--frames", type=int, default=200)
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--tracks", type=int, default=50_000)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--stacks", action="store_true")
    parser.add_argument("--all-docks", action="store_true", help="open all for the staining part")
    arguments = parser.parse_args()
    if "startup" in arguments.only:
        start_up()
        sample()
    import napari

    viewer = napari.Viewer()
    for part, measure in (
        ("creation", lambda: creation(viewer)),
        ("table", lambda: table(viewer, arguments)),
        ("staining", lambda: staining(viewer, arguments)),
        ("cut", lambda: cut(viewer, arguments)),
        ("cancel", lambda: cancel(viewer, arguments)),
        ("inspector", lambda: inspector(viewer, arguments)),
    ):
        if part in arguments.only:
            measure()
            clear(viewer)
    viewer.close()


if __name__ == "__main__":
    main()
