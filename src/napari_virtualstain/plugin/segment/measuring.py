"""The table of the visible frame: measured in a thread, linked with the Labels layer."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from qtpy.QtCore import QObject

from ..kit.cleanup import Cleanup
from ..kit.jobs import JobContext, JobRunner, Outcome, error_text
from ..kit.layer_region import LayerRegion, visible_index
from ..kit.settling import debouncer
from ..kit.table import FrameTable
from ..kit.worker_threads import collecting_later
from ..layers.description import axes_of, has_layer, uncertainty_of

SHOWN = ["label", "shape_class", "area_um2", "trust", "skeleton_length_um", "aspect_ratio"]


class VisibleMeasures(QObject):
    """Measures of the mitochondria of the visible frame, up to date whenever that changes.

    Parameters
    ----------
    viewer : napari.Viewer
        Whose visible frame counts.
    say : callable
        Receives what went wrong.
    parent : QObject
        The dock; what is measured after its end is dropped.
    """

    def __init__(self, viewer: Any, say: Callable[[str], None], parent: QObject) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._say = say
        self._labels: Any = None
        self._source: Any = None
        self._region: Any = None
        self._pixel_size_um = 1.0
        self._pending = False
        self._cleanup = Cleanup()
        self.measured: tuple[int, ...] | None = None
        self.table = FrameTable()
        self.table.setAccessibleName("Mitochondria of the visible frame")
        self.table.setToolTip("Mitochondria of the visible frame; a click selects the label")
        self.table.row_chosen.connect(self._select_label)
        self.runner = JobRunner(self)
        self.runner.conclude = self._conclude
        self._again = debouncer(self, 0, self.measure)

    def watch(self, labels: Any, source: Any, region: LayerRegion, pixel_size_um: float) -> None:
        """Measure `labels` from now on.

        Parameters
        ----------
        labels : napari.layers.Labels
            Of the region's shape.
        source : napari layer
            The fluorescence that they outline.
        region : LayerRegion
            The part of the source that they cover.
        pixel_size_um : float
            Of both.
        """
        self.forget()
        self._labels, self._source, self._region = labels, source, region
        self._pixel_size_um = pixel_size_um
        self._cleanup.connect(labels.events.selected_label, self._on_label)

    def forget(self) -> None:
        """Let go of the layer and empty the table."""
        self._cleanup.run()
        self._labels = self._source = self._region = self.measured = None
        self.table.show_frame(pd.DataFrame())

    def stop(self) -> None:
        """End the thread; for the end of the dock."""
        self._again.cancel()
        self.runner.abandon()
        self._cleanup.run()

    def measure_if_moved(self) -> None:
        """Measure unless the visible frame is the one that was measured last."""
        if self._labels is not None and self._visible() != self.measured:
            self.measure()

    def measure(self) -> None:
        """Measure the visible frame in a thread."""
        layer = self._labels
        if not has_layer(self._viewer, layer):
            return
        if self.runner.state.is_active:
            self._pending = True
            return
        index = self._visible()
        plane = np.array(layer.data[index])
        size, planes = self._pixel_size_um, self._images(index)

        def work(_context: JobContext) -> tuple[Any, tuple[int, ...], pd.DataFrame]:
            images = (read() for read in planes)
            with collecting_later():  # 20,000 rows would have all objects of the session looked at
                return layer, index, measured(plane, *images, pixel_size_um=size)

        self.runner.start(work, "Measure mitochondria")

    def _images(self, index: tuple[int, ...]) -> list[Callable[[], np.ndarray]]:
        """Return what reads the fluorescence of a plane and, if there is one, its error."""
        from ...engine import Planes

        source, region = self._source, self._region
        inside = tuple(i + o for i, o in zip(index, region.offset, strict=False))
        window = (region.slices[-2], region.slices[-1])
        error = uncertainty_of(self._viewer, source)
        movies = [Planes(layer.data, axes_of(source)) for layer in (source, error) if layer]
        return [partial(movie.plane, movie.number(inside), window) for movie in movies]

    def _conclude(self, outcome: Outcome) -> Outcome:
        if outcome.error is not None and not outcome.cancelled:
            self._say(error_text(outcome.error))
        elif outcome.error is None and outcome.value[0] is self._labels:
            _, self.measured, table = outcome.value
            first = [name for name in SHOWN if name in table]
            others = [name for name in table.columns if name not in (*first, "frame")]
            self.table.show_frame(table[first + others])
            self._labels.features = table.rename(columns={"label": "index"})
        if self._pending:
            self._pending = False
            self._again.throttle()  # the runner is still busy with this job's end
        return outcome

    def _visible(self) -> tuple[int, ...]:
        return visible_index(self._viewer, self._labels)

    def _on_label(self, _event: Any = None) -> None:
        if self.table.frame.empty:  # it is measured only now
            return
        rows = np.flatnonzero(self.table.frame["label"] == self._labels.selected_label)
        if len(rows):
            self.table.choose(int(rows[0]))

    def _select_label(self, row: int) -> None:
        if has_layer(self._viewer, self._labels):
            self._labels.selected_label = int(self.table.frame["label"].iloc[row])


def measured(
    labels: np.ndarray,
    fluorescence: np.ndarray,
    uncertainty: np.ndarray | None = None,
    *,
    pixel_size_um: float,
) -> pd.DataFrame:
    """Return one row per mitochondrion of a plane; with `uncertainty`, also its ``trust``."""
    from ...segmentation import measure

    table = measure(labels, fluorescence, pixel_size_um=pixel_size_um)
    if uncertainty is not None:
        from ...staining import label_trust

        table["trust"] = table["label"].map(label_trust(labels, fluorescence, uncertainty))
    return table
