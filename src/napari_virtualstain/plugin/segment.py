"""The dock `Segment mitochondria`."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QSlider

from .addons import ADDON
from .controls import Choice, NumberBox, add_row, button, in_row, new_form
from .jobs import JobContext, JobRunner, Outcome, Work, error_text
from .layer_choice import LayerChoice
from .layers import (
    axes_of,
    base_name,
    geometry_of,
    has_layer,
    sampling_of,
    shifted,
)
from .learn_job import LearnRequest, free_path, learn_job
from .model_choice import ModelChoice
from .movie import Movie
from .preferences import preferences
from .region_choice import RegionChoice
from .regions import visible_index
from .segment_job import Cut, SegmentRequest, Session, Started, cut_job, segment_job
from .shown import add_labels_layer, as_dict
from .stain import DEVICES, is_movie, nothing_fits
from .step import StepWidget
from .table import FrameTable

_SETTLE_MS = 40
SPLITS = [("along the skeleton", "skeleton"), ("at blobs", "log"), ("not at all", "none")]
SHOWN = ["label", "shape_class", "area_um2", "skeleton_length_um", "aspect_ratio", "branches"]


class SegmentWidget(StepWidget):
    """Outlines each mitochondrion of a fluorescence layer, real or virtual.

    After the network ran once, threshold, smallest area and split change the labels at
    once. Frames that were painted on keep their corrections.
    """

    title = "Segment mitochondria"
    run_text = "Segment"
    run_tooltip = "Add a Labels layer with one number a mitochondrion, the visible frame first"

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__(napari_viewer)
        self._session: Session | None = None
        self._request: SegmentRequest | None = None
        self._source_data: Any = None
        self._layer: Any = None
        self._painted: set[tuple[int, ...]] = set()
        self._geometry: dict[str, Any] = {}
        self._name = ""
        self._pending_cut = False
        self._pending_measure = False
        self._measured: tuple[int, ...] | None = None
        self.cutter = JobRunner(self)
        self.cutter.produced.connect(self._on_planes)
        self.cutter.conclude = self._after_cut
        self.measurer = JobRunner(self)
        self.measurer.conclude = self._after_measuring
        self._add_form(napari_viewer)
        self._remeasure = QTimer(self)
        self._remeasure.setSingleShot(True)
        self._remeasure.setInterval(0)
        self._remeasure.timeout.connect(self._measure)
        self._settle = QTimer(self)
        self._settle.setSingleShot(True)
        self._settle.setInterval(_SETTLE_MS)
        self._settle.timeout.connect(self._cut_again)
        for changed in (
            self.threshold.valueChanged,
            self.min_area.valueChanged,
            self.split.currentIndexChanged,
        ):
            changed.connect(lambda _value: self._settle.start())
        self.source.chosen.connect(self._on_source)
        self.model.changed.connect(self._refresh_state)
        self.region.kind.currentIndexChanged.connect(lambda _index: self._refresh_state())
        self.cleanup.connect(napari_viewer.dims.events.point, self._on_moved)
        self.cleanup.add(self.cutter.canceller())
        self.cleanup.add(self.measurer.canceller())
        self._on_source()

    def why_not(self) -> str | None:
        """Return why nothing can be segmented now."""
        if self.source.value is None:
            return nothing_fits(
                self.viewer, "Stain a movie first (dock Virtual staining), or load fluorescence."
            )
        return self.model.why_not() or self.region.why_not()

    @property
    def cut(self) -> Cut:
        """Threshold, smallest area and split of the moment."""
        return Cut(self.threshold.value(), self.min_area.value(), self.split.value)

    def prepare(self) -> Work:
        """Return the work of segmenting the chosen region."""
        layer = self.source.value
        region = self.region.region_of(layer)
        chosen = preferences()
        device = self.device.value or chosen.device
        request = SegmentRequest(
            data=layer.data,
            axes=axes_of(layer),
            region=region,
            centre=visible_index(self.viewer, layer),
            model=str(self.model.value),
            pixel_size_um=self.pixel_size.value(),
            device=None if device == "auto" else device,
            preferences=chosen,
        )
        self._forget()
        self._geometry = shifted(geometry_of(layer), region.offset)
        self._name, cut = layer.name, self.cut
        self._request, self._source_data = request, layer.data

        def work(context: JobContext) -> Any:
            return segment_job(request, cut, context)

        return work

    def on_items(self, items: list[Any]) -> None:
        """Add the layer at the start, then show the planes as they come."""
        for item in items:
            if isinstance(item, Started):
                self._add_layer(item)
        self._on_planes([item for item in items if not isinstance(item, Started)])

    def learn(self, *, steps: int = 150, crop: int = 128, batch_size: int = 6) -> None:
        """Fine-tune the segmenter on the frames that were painted on."""
        layer, source = self._layer, self._source_data
        if self.state.is_active or layer is None or source is None or not self._painted:
            return
        from ..models import user_model_folder

        offset = self._session.region.offset if self._session is not None else ()
        movie = Movie(source, "tzyx"[-source.ndim :])
        frames = sorted(self._painted)
        window = self._session.region.slices[-2:] if self._session is not None else ()
        places = [tuple(i + o for i, o in zip(f, offset, strict=False)) for f in frames]
        labels = tuple(np.array(layer.data[frame]) for frame in frames)
        start = str(self.model.value)
        size_um, name = self.pixel_size.value(), base_name(self._name)
        output = free_path(user_model_folder(), f"{name} corrected")

        def work(context: JobContext) -> Any:
            images = tuple(movie.plane(place)[window] for place in places)
            request = LearnRequest(images, labels, start, size_um, output, steps, crop, batch_size)
            return learn_job(request, context)

        self.runner.start(work, "Learn from corrections")

    def reset_choices(self, event: Any = None) -> None:
        """Follow the viewer's layers; without its layer the segmentation is over."""
        super().reset_choices(event)
        if not self._closed and self._layer_is_gone():
            self._forget()

    def render(self) -> None:
        """Also say whether there is anything to learn from."""
        super().render()
        if hasattr(self, "learn_button"):
            ready = bool(self._painted) and not self.state.is_active
            addon = str(self.model.value).startswith(ADDON)
            self.learn_button.setEnabled(ready and not addon)
            self.learn_button.setToolTip(
                "Fine-tune the segmenter on the frames that were painted on; takes minutes"
                if ready
                else "Correct the labels of a frame with the brush first"
            )

    def on_result(self, value: Any) -> str:
        """Keep the session, so that settings can change the labels; or choose what was learnt."""
        if not isinstance(value, Session):
            self.model.refresh()
            self.model.value = str(value.path)
            return f"{value.card.name} is chosen. {value.summary}"
        self._session = value
        count = int(value.labels.max(initial=0))
        self._measure()
        if not count:
            return "No mitochondrion was found. Lower the threshold."
        return f"Segmented {self._name}; threshold and split now act at once."

    def on_end(self, outcome: Outcome) -> None:
        """Draw the last state of the layer."""
        self._refresh_layer()

    def tear_down(self) -> None:
        """Stop the threads beside the main one, too."""
        if not self._closed:
            self._settle.stop()
            self._remeasure.stop()
            self.cutter.abandon()
            self.measurer.abandon()
        super().tear_down()

    def _add_form(self, viewer: Any) -> None:
        form = new_form()
        self.source = self.add_choice(
            LayerChoice(viewer, is_movie, role="fluorescence", nothing="stain a movie first")
        )
        add_row(form, "Fluorescence", self.source, "Real or virtual", name="source")
        self.model = ModelChoice("segmenter", form)
        self.pixel_size = NumberBox(0.08, 0.001, 100, step=0.005, decimals=4, suffix=" µm")
        add_row(form, "Pixel size", self.pixel_size, "Micrometres a pixel", name="pixel_size")
        self.region = RegionChoice(viewer, form)
        self.add_choice(self.region.shapes)
        self.device = Choice(DEVICES)
        add_row(form, "Device", self.device, "Where the network runs", name="device")
        self.threshold = NumberBox(0.5, 0.02, 0.98, step=0.02, decimals=2)
        slider = QSlider(Qt.Orientation.Horizontal)
        slider.setRange(2, 98)
        slider.setValue(50)
        slider.setAccessibleName("Threshold")
        slider.valueChanged.connect(lambda value: self.threshold.setValue(value / 100))
        self.threshold.valueChanged.connect(lambda value: slider.setValue(round(100 * value)))
        add_row(
            form,
            "Threshold",
            in_row(slider, self.threshold),
            "Probability from which on a pixel belongs to a mitochondrion; acts at once",
        )
        self.threshold.setObjectName("threshold")
        self.threshold.setToolTip(slider.toolTip() or "Acts at once after the network has run")
        slider.setToolTip("Acts at once after the network has run")
        self.min_area = NumberBox(0.05, 0, 100, step=0.01, decimals=3, suffix=" µm²")
        add_row(form, "Smallest", self.min_area, "Smaller objects are left out", name="min_area")
        self.split = Choice(SPLITS)
        add_row(
            form, "Split", self.split, "How touching mitochondria are taken apart", name="split"
        )
        self.table = FrameTable()
        self.table.setAccessibleName("Mitochondria of the visible frame")
        self.table.setToolTip("Mitochondria of the visible frame; choosing one selects its label")
        self.table.row_chosen.connect(self._select_label)
        self.learn_button = button(
            "Learn from corrections",
            "Correct the labels of a frame with the brush first",
            self.learn,
            name="learn_button",
        )
        self.form.addLayout(form)
        self.form.addWidget(self.table, 1)
        self.form.addWidget(self.learn_button)

    def _add_layer(self, started: Started) -> None:
        if self._request is None:  # the dock was closed meanwhile
            return
        self._layer = add_labels_layer(
            self.viewer, started, self._request, self.cut, self._name, self._geometry
        )
        self._layer.events.paint.connect(self._on_paint)
        self._layer.events.selected_label.connect(self._on_label)

    def _on_planes(self, indices: list[Any]) -> None:
        if self._layer is None or not indices:
            return
        if self._layer_is_gone():
            self._forget()
        elif self._visible() in indices:
            self._refresh_layer()
            self._measure()

    def _cut_again(self) -> None:
        """Label anew with the settings of the moment, the visible frame first."""
        session, layer = self._session, self._layer
        if session is None or layer is None or self.state.is_active:
            return
        if self.cutter.state.is_active:
            self._pending_cut = True
            self.cutter.cancel()
            return
        cut, centre, spared = self.cut, self._centre(), frozenset(self._painted)
        layer.metadata["virtualstain"]["settings"].update(as_dict(cut))

        def work(context: JobContext) -> Any:
            return cut_job(session, cut, centre, spared, context)

        self.cutter.start(work, "Segment mitochondria")

    def _after_cut(self, outcome: Outcome) -> Outcome:
        self._refresh_layer()
        if outcome.error is not None and not outcome.cancelled:
            self.say(error_text(outcome.error))
        if self._pending_cut:
            self._pending_cut = False
            self._settle.start()
        return outcome

    def _measure(self) -> None:
        """Measure the visible frame in a thread."""
        layer = self._layer
        if layer is None or self._layer_is_gone():
            return
        if self.measurer.state.is_active:
            self._pending_measure = True
            return
        index = self._visible()
        plane = np.array(layer.data[index])
        size = self.pixel_size.value()

        def work(_context: JobContext) -> tuple[tuple[int, ...], pd.DataFrame]:
            from ..segmentation import measure

            return index, measure(plane, pixel_size_um=size)

        self.measurer.start(work, "Measure mitochondria")

    def _after_measuring(self, outcome: Outcome) -> Outcome:
        if outcome.error is not None and not outcome.cancelled:
            self.say(error_text(outcome.error))
        elif outcome.error is None and self._layer is not None:
            self._measured, table = outcome.value
            first = [name for name in SHOWN if name in table]
            others = [name for name in table.columns if name not in (*first, "frame")]
            self.table.show_frame(table[first + others])
            self._layer.features = table.rename(columns={"label": "index"})
        if self._pending_measure:
            self._pending_measure = False
            self._remeasure.start()  # the runner is still busy with this job's end
        return outcome

    def _on_moved(self, _event: Any = None) -> None:
        idle = self._layer is not None and not self.state.is_active
        if idle and self._visible() != self._measured:
            self._measure()

    def _on_paint(self, event: Any) -> None:
        """Remember which planes were painted: cutting again must not lose corrections."""
        shape = event.source.data.shape[:-2]
        for indices, *_ in event.value:
            painted = [
                range(*part.indices(size)) if isinstance(part, slice) else np.unique(part).tolist()
                for part, size in zip(indices[:-2], shape, strict=False)
            ]
            self._painted.update(product(*painted))
        self.render()

    def _on_label(self, _event: Any = None) -> None:
        if self._layer is None or self.table.frame.empty:
            return
        rows = np.flatnonzero(self.table.frame["label"] == self._layer.selected_label)
        if len(rows):
            self.table.choose(int(rows[0]))

    def _select_label(self, row: int) -> None:
        if self._layer is not None and has_layer(self.viewer, self._layer):
            self._layer.selected_label = int(self.table.frame["label"].iloc[row])

    def _visible(self) -> tuple[int, ...]:
        return visible_index(self.viewer, self._layer)

    def _centre(self) -> tuple[int, ...]:
        """Return the visible plane as an index into the source of the session."""
        offset = self._session.region.offset if self._session is not None else ()
        return tuple(i + o for i, o in zip(self._visible(), offset, strict=False))

    def _refresh_layer(self) -> None:
        if self._layer is not None and has_layer(self.viewer, self._layer):
            self._layer.refresh(extent=False, highlight=False)

    def _layer_is_gone(self) -> bool:
        return self._layer is not None and not has_layer(self.viewer, self._layer)

    def _forget(self) -> None:
        """Stop working on the layer of the moment and let go of it."""
        self.cancel()
        self.cutter.abandon()
        self._layer, self._session = None, None
        self._painted.clear()
        self._measured = None
        self.table.show_frame(pd.DataFrame())

    def _on_source(self, *_: Any) -> None:
        layer = self.source.value
        self.region.follow(layer)
        if layer is not None and (size := sampling_of(layer).pixel_size_um):
            self.pixel_size.setValue(size)
        self._refresh_state()

    def _refresh_state(self, *_: Any) -> None:
        self.runner.reset()
        self.render()
        if self.state.value == "idle" and self.why_not() is None:
            stated = sampling_of(self.source.value).pixel_size_um
            unknown = "The layer does not state its pixel size. Correct it here."
            self.say("Ready to segment." if stated else unknown)
