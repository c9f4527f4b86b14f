"""The dock `Segment mitochondria`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from ...hooks import add_on_name
from ...progress import counted
from ...settings import SegmenterTraining, SegmentSettings
from ..kit.controls import Choice, add_row, button, keep_former_box, new_form
from ..kit.jobs import JobContext, JobState, Outcome, Work, error_text
from ..kit.layer_choice import LayerChoice, choose_if_fitting
from ..kit.layer_region import visible_index
from ..kit.model_choice import ModelChoice
from ..kit.preferences import DEVICES
from ..kit.region_choice import RegionChoice
from ..kit.sampling_rows import SamplingRows
from ..kit.section import Advanced
from ..kit.settings_form import SettingsForm
from ..kit.settling import debouncer
from ..kit.step import NextStep, StepWidget
from ..kit.suitable_layers import is_movie, nothing_fits, why_no_movie
from ..kit.work_request import dock_fields
from ..layers.description import (
    axes_of,
    base_name,
    geometry_of,
    has_layer,
    shifted,
    still_there,
)
from ..layers.insertion import Placed
from ..layers.replacing import settle_unfinished
from ..stain.warm_up import WarmUp
from .fine_tuning_job import FineTuned, FineTuneRequest, fine_tuning_job
from .job import SegmentRequest, Session, Started, cut_job, segment_job
from .layer import Corrections, add_labels_layer
from .measuring import VisibleMeasures
from .picture_row import PictureRow

if TYPE_CHECKING:
    from ...segmentation import MeasuredWidth

_SETTLE_MS = 40
# 14 images of H9c2 cells, which the segmenter knows: 0.50 to 0.72 µm, median 0.57
_USUAL_WIDTH_UM = 0.65
_AT_ONCE = ("threshold", "min_area_um2", "split")
_ADD_ON = "The chosen add-on has no such setting"


class SegmentWidget(StepWidget):
    """Dock that outlines each mitochondrion of a fluorescence layer, real or virtual.

    After the network ran once, threshold, smallest area and split change the labels at
    once. Frames that were painted on keep their corrections.
    """

    title = "Segment mitochondria"
    tab_title = "Segment"
    next_step = NextStep("Track", "Track mitochondria", runs=True)
    run_text = "Segment"
    run_tooltip = "Add a Labels layer with one number per mitochondrion, the visible frame first"

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__(napari_viewer)
        self._session: Session | None = None
        self._source: Any = None
        self._layer: Any = None
        self._geometry: dict[str, Any] = {}
        self._placed: Placed | None = None
        self._frames_done = 0
        self._pending_cut = False
        self.corrections = Corrections(self.render)
        self.measures = VisibleMeasures(napari_viewer, self.say, self)
        self.table = self.measures.table
        self.cutter = self.add_runner()
        self.cutter.produced.connect(self._on_planes)
        self.cutter.conclude = self._after_cut
        self.width_runner = self.add_runner()
        self.width_runner.conclude = self._after_width
        self.warm_up = WarmUp(self)
        self.cleanup.add(self.warm_up.stop)
        self._add_form(napari_viewer)
        self._settle = debouncer(self, _SETTLE_MS, self._cut_again)
        self.settings.on_change(self._settle.throttle, *_AT_ONCE)
        self.settings.on_change(self._on_network_setting, "width_um", "average", "precision")
        self.source.chosen.connect(self._on_source)
        self.model.changed.connect(self._refresh_state)
        self.region.kind.currentIndexChanged.connect(lambda _index: self._refresh_state())
        self.cleanup.connect(napari_viewer.dims.events.point, self._on_moved)
        self.cleanup.add(self.measures.runner.canceller())
        self._on_source()

    def why_not(self) -> str | None:
        """Return why nothing can be segmented now."""
        if self.source.value is None:
            return nothing_fits(
                self.viewer, "Stain a movie first (dock Virtual staining), or load fluorescence."
            )
        return self.model.why_not() or self.region.why_not()

    def cancel(self) -> None:
        """Stop the network, or the new outlines; what is finished stays."""
        self._pending_cut = False
        self._settle.cancel()
        super().cancel()

    def prepare(self) -> Work:
        """Return the work of segmenting the chosen region."""
        layer = self.source.value
        region = self.region.region_of(layer)
        fields = dock_fields(self, layer, region)
        self._forget()
        self._placed, self._frames_done = None, 0
        self._geometry = shifted(geometry_of(layer), region.offset)
        request = SegmentRequest(**fields, settings=self.settings.value)
        self._request, self._source = request, layer

        def work(context: JobContext) -> Any:
            return segment_job(request, context)

        return work

    def on_items(self, items: list[Any]) -> None:
        """Add the layer at the start, then show the planes as they come."""
        for item in items:
            if isinstance(item, Started):
                self._add_layer(item)
        planes = [item for item in items if not isinstance(item, Started)]
        self._frames_done += len(planes)
        self._on_planes(planes)

    def learn(self, settings: SegmenterTraining | None = None) -> None:
        """Fine-tune the segmenter on the frames that were painted on."""
        painted = self.corrections
        if self.state.is_active or not painted.planes:
            return
        from ...engine import Planes
        from ...io import free_path
        from ...models import user_model_folder

        request, movie = self._request, Planes(self._request.data, self._request.axes)
        # the plane that the user looks at last: it is shown before and after
        frames = sorted(painted.planes, key=lambda frame: (frame == self._visible(), frame))
        window = (request.region.slices[-2], request.region.slices[-1])
        places = [self._in_source(frame) for frame in frames]
        labels = tuple(np.array(painted.layer.data[frame]) for frame in frames)
        start, size_um = str(self.model.value), self.pixel_size.value()
        threads = request.preferences.threads
        name = f"{base_name(self._source.name)} corrected.safetensors"
        output = free_path(user_model_folder() / name)

        def work(context: JobContext) -> Any:
            images = tuple(movie.plane(movie.number(place), window) for place in places)
            wanted = FineTuneRequest(
                images, labels, start, size_um, output, threads, settings or SegmenterTraining()
            )
            return fine_tuning_job(wanted, context)

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
            ready = bool(self.corrections.planes) and not self.state.is_active
            is_model = add_on_name(self.model.value) is None
            self.learn_button.setEnabled(ready and is_model)
            self.learn_button.setToolTip(
                "Fine-tune the segmenter on the frames that were painted on; takes minutes"
                if ready
                else "Correct the labels of a frame with the brush first"
            )

    def on_result(self, value: Any) -> str:
        """Keep the session, so that settings can change the labels, or choose the new model."""
        if isinstance(value, FineTuned):
            return self._show_fine_tuned(value)
        self._session = value
        self.measures.measure()
        if self._cut_differs(self._request.settings):
            self._settle.throttle()  # the threshold was moved while the network ran
        return self._told(self._found_text(value.labels))

    def result_layer(self) -> Any:
        """Return the labels."""
        return still_there(self.viewer, self._layer) if self._session is not None else None

    def _has_next(self, working: JobState) -> bool:
        """Also whether there are frames to follow mitochondria through."""
        return super()._has_next(working) and "t" in axes_of(self.result_layer())

    def take(self, layer: Any) -> None:
        """Choose the stain that was made."""
        choose_if_fitting(self.source, layer)

    def _found_text(self, labels: np.ndarray) -> str:
        planes = labels.reshape(-1, *labels.shape[-2:])
        objects = sum(int(np.count_nonzero(np.bincount(plane.ravel())[1:])) for plane in planes)
        frames = counted(len(planes), "frame")
        return (
            f"Found {objects:,} outlines in {frames} in {self.took_text()}. Threshold, smallest "
            "and split now act at once."
        )

    def _told(self, text: str) -> str:
        """Return `text`, or what to do where the labels are empty."""
        found = self._session is not None and self._session.labels.any()
        return text if found else "No mitochondrion was found. Lower the threshold."

    def _show_fine_tuned(self, tuned: FineTuned) -> str:
        """Choose the new model and show what it changed on a corrected frame."""
        self.model.refresh()
        self.model.value = str(tuned.result.path)
        self.pictures.show_pictures(list(tuned.pictures), ["image", "before", "after", "corrected"])
        self.pictures.setVisible(True)
        return (
            f"{tuned.result.card.name} is chosen; press Segment to use it. {tuned.result.summary}"
        )

    def on_end(self, outcome: Outcome) -> None:
        """Draw the last state of the layer."""
        if outcome.error is not None:
            self._settle_unfinished()
        self._refresh_layer()

    def tear_down(self) -> None:
        """Stop the threads beside the main one, too."""
        if not self._closed:
            if self.state.is_active:
                last = self.runner.last_items()
                self._frames_done += sum(isinstance(item, tuple) for item in last)
                self._settle_unfinished()
            self._settle.cancel()
            self.measures.stop()
            self.corrections.forget()
            self._layer, self._session = None, None
        super().tear_down()

    def _add_form(self, viewer: Any) -> None:
        form = new_form()
        self.source = self.add_choice(
            LayerChoice(
                viewer,
                is_movie,
                role="fluorescence",
                nothing="stain a movie first",
                why_unfit=why_no_movie,
            )
        )
        add_row(form, "Fluorescence", self.source, "Real or virtual", name="source")
        self.sampling = SamplingRows(form, with_interval=False, changed=self.reset_choices)
        self.pixel_size = self.sampling.pixel_size
        self.model = ModelChoice("segmenter", form)
        self.region = RegionChoice(viewer, form)
        self.add_choice(self.region.shapes)
        self.advanced = Advanced()
        self.settings = SettingsForm(SegmentSettings, form, self.advanced.form)
        width = self.settings["width_um"].native
        place, _ = form.getWidgetPosition(width)
        measure = button(
            "Measure width",
            "Measure how wide the mitochondria of the visible frame are, and set Width to it",
            self.measure_width,
            name="measure_width",
        )
        form.insertRow(place + 1, "", measure)
        self.device = Choice(DEVICES)
        add_row(self.advanced.form, "Device", self.device, "Where the network runs", name="device")
        self.learn_button = button(
            "Learn from corrections",
            "Correct the labels of a frame with the brush first",
            self.learn,
            name="learn_button",
        )
        self.form.addLayout(form)
        self.setTabOrder(width, measure)
        self.keep_former = keep_former_box()
        self.advanced.form.addRow(self.keep_former)
        self.form.addWidget(self.advanced)
        self.form.addWidget(self.table, 1)
        self.form.addWidget(self.learn_button)
        self.pictures = PictureRow()
        self.pictures.setToolTip("A corrected frame: image, outlines before, after, as corrected")
        self.pictures.setVisible(False)
        self.form.addWidget(self.pictures)

    def measure_width(self) -> None:
        """Offer a width from the visible frame of the chosen fluorescence."""
        layer = self.source.value
        if layer is None or self.width_runner.state.is_active:
            return
        data, index = layer.data, visible_index(self.viewer, layer)
        size_um = self.pixel_size.value()

        def work(_context: JobContext) -> Any:
            from ...segmentation import measure_width

            return measure_width(np.asarray(data[index]), size_um)

        self.width_runner.start(work, "Measure the width")

    def _after_width(self, outcome: Outcome) -> Outcome:
        if outcome.error is not None:
            self.say(error_text(outcome.error))
        elif outcome.value is None:
            self.say("No width was found: nothing stands out in this frame.")
        else:
            self.say(self._offer_width(outcome.value))
        return outcome

    def _offer_width(self, measured: MeasuredWidth) -> str:
        """Set a measured width that is sure, and return what was found."""
        if not measured.is_sure:
            return (
                f"Unsure: what stands out is about {measured.median_um:.2f} µm wide, but no more "
                "than noise or bright-field does. Width stays as it is."
            )
        usual = measured.median_um <= _USUAL_WIDTH_UM
        self.settings["width_um"].value = 0 if usual else measured.median_um
        end = "as usual, so nothing is to be set" if usual else "set as Width; press Segment"
        return (
            f"Mitochondria of this frame are about {measured.median_um:.2f} µm wide (half of "
            f"them {measured.lower_um:.2f} to {measured.upper_um:.2f}): {end}."
        )

    def _add_layer(self, started: Started) -> None:
        request, source = self._request, self._source
        self._placed = add_labels_layer(
            self.viewer,
            started,
            request,
            source.name,
            self._geometry,
            keep_former=self.keep_former.isChecked(),
        )
        self._layer = self._placed.layer
        self.corrections.watch(self._layer)
        size_um = request.pixel_size_um or 1.0
        self.measures.watch(self._layer, source, request.region, size_um)

    def _settle_unfinished(self) -> None:
        """Mark labels that were not finished, and show what their layer held before."""
        placed, self._placed = self._placed, None
        if placed is not None:
            frames = math.prod(placed.layer.data.shape[:-2])
            settle_unfinished(self.viewer, placed.layer, placed.former, self._frames_done, frames)

    def _on_planes(self, indices: list[Any]) -> None:
        if self._layer is None:
            return
        if self._layer_is_gone():
            self._forget()
        elif self._visible() in indices:
            self._refresh_layer()
            self.measures.measure()

    def _cut_differs(self, former: SegmentSettings) -> bool:
        now = self.settings.value
        return any(getattr(now, name) != getattr(former, name) for name in _AT_ONCE)

    def _cut_again(self) -> None:
        """Label again with the current settings, the visible frame first."""
        session, layer = self._session, self._layer
        if session is None or layer is None or self.state.is_active:
            return
        if self.cutter.state.is_active:
            self._pending_cut = True
            self.cutter.cancel()
            return
        layer.visible = True  # tracking hides it below the labels that keep their number
        cut, centre = self.settings.value, self._in_source(self._visible())
        spared = frozenset(self.corrections.planes)
        layer.metadata["virtualstain"]["settings"].update(cut.model_dump(include=set(_AT_ONCE)))

        def work(context: JobContext) -> Any:
            return cut_job(session, cut, centre, spared, context, step="outlining again")

        self.cutter.start(work, "Segment mitochondria")

    def _after_cut(self, outcome: Outcome) -> Outcome:
        self._refresh_layer()
        if self._pending_cut:
            self._pending_cut = False
            self._settle.throttle()
        elif outcome.cancelled:
            self.say(
                "Cancelled: frames that were not reached keep their former outlines. Any change "
                "of threshold, smallest area or split goes through all frames again."
            )
        elif outcome.error is not None:
            self.say(error_text(outcome.error))
        else:
            self.say(self._told("All frames are outlined again."))
        return outcome

    def _on_moved(self, _event: Any = None) -> None:
        if not self.state.is_active:
            self.measures.measure_if_moved()

    def _visible(self) -> tuple[int, ...]:
        return visible_index(self.viewer, self._layer)

    def _in_source(self, index: tuple[int, ...]) -> tuple[int, ...]:
        """Return the place of a plane of the labels in their source."""
        return tuple(i + o for i, o in zip(index, self._request.region.offset, strict=False))

    def _refresh_layer(self) -> None:
        if has_layer(self.viewer, self._layer):
            self._layer.refresh(extent=False, highlight=False)

    def _layer_is_gone(self) -> bool:
        return self._layer is not None and not has_layer(self.viewer, self._layer)

    def _forget(self) -> None:
        """Stop working on the layer of the moment and let go of it."""
        self.cancel()
        self.cutter.abandon()
        self._layer, self._session = None, None
        self.corrections.forget()
        self.measures.forget()
        self.render()

    def _on_source(self, *_: Any) -> None:
        layer = self.source.value
        self.region.follow(layer)
        self.sampling.follow(layer)
        self._refresh_state()

    def _on_network_setting(self) -> None:
        if self._session is not None and not self.state.is_active:
            self.say("Press Segment: width and turns act when the network runs.")

    def _refresh_state(self, *_: Any) -> None:
        self.settings.offer(add_on_name(self.model.value) is None, _ADD_ON)
        self.runner.reset()
        self.render()
        if self.state.value == "idle" and self.why_not() is None:
            self.say("Ready to segment.")
            self.warm_up.soon()
