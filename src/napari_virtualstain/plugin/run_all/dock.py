"""The dock `Run all`: stain, segment and track in a row, and settings as a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qtpy.QtWidgets import QFileDialog

from ...errors import VirtualStainError
from ..kit.controls import (
    Folded,
    IntegerBox,
    add_row,
    button,
    in_row,
    keep_former_box,
    new_form,
    note,
)
from ..kit.jobs import JobContext, Outcome, Work, error_text
from ..kit.layer_choice import LayerChoice, choose_if_fitting
from ..kit.model_choice import ModelChoice
from ..kit.outline_choice import OutlineChoice
from ..kit.regions import visible_index, whole
from ..kit.sampling_rows import SamplingRows
from ..kit.step import NextStep, StepWidget
from ..kit.suitable_layers import LOAD_FIRST, fitting_model, is_movie, nothing_fits, why_no_movie
from ..kit.work_request import work_fields
from ..layers.description import axes_of, geometry_of, has_layer, still_there
from ..layers.insertion import (
    Placed,
    add_labels_layer,
    add_relabelled_layer,
    add_stain_layer,
    add_tracks_layer,
    track_sentence,
)
from ..layers.replacing import settle_unfinished
from ..segment.job import SegmentRequest
from ..segment.job import Started as SegmentStarted
from ..stain.fit_check import FitCheck
from ..stain.job import FitChecked, PlanesDone, StainRequest
from ..stain.job import Started as StainStarted
from ..stain.options import StainOptions
from ..stain.warm_up import WarmUp
from ..track.job import Relabelled, TrackRequest, TrackResult, geometry_in_stack
from .job import RunAllRequest, StepItem, run_all_job
from .record import recorded_settings


class RunAllWidget(StepWidget):
    """Bright-field in; stained, segmented and tracked movie out, with one button."""

    title = "Run all"
    tab_title = "Run all"
    next_step = NextStep("Inspect tracks", "Track inspector")
    run_text = "Stain, segment and track"
    run_tooltip = "Run the three steps; results appear as they are made"

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__(napari_viewer)
        self._request: RunAllRequest | None = None
        self._geometry: dict[str, Any] = {}
        self._name = ""
        self._layers: dict[str, Any] = {}
        self._placed: list[tuple[str, Placed]] = []
        self._frames_done = {"stain": 0, "segment": 0}
        self._tracks: Any = None
        self._tracks_layer: Any = None
        self._track_settings: dict[str, Any] = {}
        self.warm_up = WarmUp(self)
        self.cleanup.add(self.warm_up.stop)
        self._add_form(napari_viewer)
        self.source.chosen.connect(self._on_source)
        for choice in (self.generator, self.segmenter):
            choice.changed.connect(self._refresh_state)
        self.stain_options.steady.toggled.connect(lambda _checked: self._refresh_state())
        self._on_source()

    def why_not(self) -> str | None:
        """Return why nothing can run now."""
        layer = self.source.value
        if layer is None:
            return nothing_fits(self.viewer, LOAD_FIRST)
        if axes_of(layer) not in ("tyx", "tzyx"):
            return (
                f"{layer.name!r} has axes {axes_of(layer)}; tracking needs a movie (t, y, x) or "
                "(t, z, y, x)."
            )
        models = self.generator.why_not() or self.segmenter.why_not()
        return models or self.stain_options.why_not(layer.data.shape[0])

    def track_settings(self) -> dict[str, Any]:
        """Return the tracker's settings."""
        return {**self._track_settings, "max_gap": self.max_gap.value()}

    def prepare(self) -> Work:
        """Return the work of all three steps."""
        self.fit_check.pause()
        layer = self.source.value

        def fields(model: Any) -> dict[str, Any]:
            region, size_um = whole(layer.data.shape), self.pixel_size.value()
            return work_fields(self.viewer, layer, region, model=model, pixel_size_um=size_um)

        request = RunAllRequest(
            stain=StainRequest(**fields(self.generator.value), **self.stain_options.values),
            segment=SegmentRequest(**fields(self.segmenter.value), **self.outline.network),
            cut=self.outline.cut,
            track=self.track_settings(),
            frame_interval_s=self.interval.value(),
        )
        self._request, self._layers, self._tracks = request, {}, None
        self._tracks_layer = None
        self._placed, self._frames_done = [], {"stain": 0, "segment": 0}
        self._geometry, self._name = geometry_of(layer), layer.name

        def work(context: JobContext) -> Any:
            return run_all_job(request, context)

        return work

    def on_items(self, items: list[StepItem]) -> None:
        """Add each layer when its step begins, and show its planes as they come."""
        done: dict[str, list[Any]] = {"stain": [], "segment": []}
        for step in items:
            if isinstance(step.item, StainStarted | SegmentStarted | Relabelled | TrackResult):
                self._add(step.item)
            elif isinstance(step.item, PlanesDone):
                done["stain"].extend(step.item.indices)
            elif isinstance(step.item, FitChecked):
                self.fit_check.show(step.item)
            else:
                done["segment"].append(step.item)
        for name, indices in done.items():
            self._frames_done[name] += len(indices)
            layer = self._layers.get(name)
            if layer is not None and visible_index(self.viewer, layer) in indices:
                layer.refresh(extent=False, highlight=False)

    def reset_choices(self, event: Any = None) -> None:
        """Follow the viewer's layers; a step whose layer was removed ends the run."""
        super().reset_choices(event)
        if any(not has_layer(self.viewer, layer) for layer in self._layers.values()):
            self._layers = {}
            self.cancel()

    def on_result(self, value: Any) -> str:
        """Report the end."""
        if self._tracks is None:
            return "Stained and segmented; no track was found. Lower the threshold."
        return f"{track_sentence(self._tracks)} in {self.took_text()}."

    def result_layer(self) -> Any:
        """Return the tracks."""
        return still_there(self.viewer, self._tracks_layer)

    def take(self, layer: Any) -> None:
        """Choose the movie that was loaded."""
        choose_if_fitting(self.source, layer)

    def on_end(self, outcome: Outcome) -> None:
        """Draw the last state of the layers."""
        if outcome.error is not None:
            self._settle_unfinished()
        for layer in self._layers.values():
            layer.refresh(extent=False, highlight=False)
        self._layers = {}

    def tear_down(self) -> None:
        """Also mark what was not finished."""
        if not self._closed and self.state.is_active:
            self._settle_unfinished()
        super().tear_down()

    def _settle_unfinished(self) -> None:
        for step, placed in self._placed:
            frames = len(placed.layer.data)
            done = max(step == "stain", self._frames_done[step])
            settle_unfinished(self.viewer, placed.layer, placed.former, done, frames)
        self._placed = []

    def save_settings(self, path: Path) -> None:
        """Write what was done to the source, for ``virtualstain run --config``.

        Raises
        ------
        InputError, OutputError
            Nothing was done yet, or the file cannot be written.
        """
        from ...pipeline import save_settings

        settings = recorded_settings(self.viewer, self.source.value)
        save_settings(path, settings, overwrite=True)
        self.say(
            f"Saved {path.name}. Repeat it with: virtualstain run MOVIE -o RESULTS --config "
            f"{path.name}"
        )

    def load_settings(self, path: Path) -> None:
        """Fill the form from a settings file.

        Raises
        ------
        InputError
            The file is missing or no settings file.
        """
        from ...models import default_model
        from ...pipeline import load_settings

        settings = load_settings(path)
        self.generator.value = settings.stain.model or default_model("generator")
        self.segmenter.value = settings.segment.model or default_model("segmenter")
        self.outline.load(settings.segment)
        self.max_gap.setValue(settings.track.max_gap)
        self._track_settings = settings.track.model_dump()
        self.stain_options.load(settings.stain)
        if settings.read.pixel_size_um:
            self.pixel_size.setValue(settings.read.pixel_size_um)
        if settings.read.frame_interval_s:
            self.interval.setValue(settings.read.frame_interval_s)
        # Run all takes the whole movie, and the arithmetic that is fastest here
        ignored = {"frames": settings.stain.frames, "channel": settings.read.channel}
        names = [name for name, value in ignored.items() if value is not None]
        but = f", but for its {' and '.join(names)}: choose these layers yourself" if names else ""
        self.say(f"Loaded {path.name}{but}.")

    def _add(self, item: Any) -> None:
        request = self._request
        if request is None:
            return
        where, keep = (self._name, self._geometry), self.keep_former.isChecked()
        if isinstance(item, StainStarted):
            placed = add_stain_layer(self.viewer, item, request.stain, *where, keep_former=keep)
            self._placed.append(("stain", placed))
            self._layers["stain" if item.kind == "fluorescence" else item.kind] = placed.layer
        elif isinstance(item, SegmentStarted):
            placed = add_labels_layer(
                self.viewer, item, request.segment, request.cut, *where, keep_former=keep
            )
            self._placed.append(("segment", placed))
            self._layers["segment"] = placed.layer
        elif isinstance(item, Relabelled):
            tracked = self._layers.get("segment")
            asked = self._track_request(request)
            planes = request.stain.region.shape[1]
            place = geometry_in_stack(self._geometry, asked.z_plane, planes)
            add_relabelled_layer(
                self.viewer, item.labels, asked, self._name, place, tracked, keep_former=keep
            )
        elif len(item.data):
            self._tracks = item.tracks
            self._tracks_layer = add_tracks_layer(
                self.viewer, item, self._track_request(request), *where, keep_former=keep
            ).layer

    @staticmethod
    def _track_request(request: RunAllRequest) -> TrackRequest:
        return TrackRequest(
            labels=None,
            intensity=None,
            pixel_size_um=request.stain.pixel_size_um or 1.0,
            frame_interval_s=request.frame_interval_s,
            settings=request.track,
            z_plane="max" if "z" in request.stain.axes else None,
        )

    def _add_form(self, viewer: Any) -> None:
        form = new_form()
        self.source = self.add_choice(
            LayerChoice(
                viewer,
                is_movie,
                role="bright_field",
                nothing="load a bright-field movie",
                why_unfit=why_no_movie,
            )
        )
        add_row(form, "Bright-field", self.source, "The movie to work on", name="source")
        self.sampling = SamplingRows(form, changed=self.reset_choices)
        self.pixel_size, self.interval = self.sampling.pixel_size, self.sampling.interval
        self.generator = ModelChoice("generator", form, text="Generator", brief=True)
        self.fit_note = note(name="fit", rich=True)
        self.fit_note.setVisible(False)
        form.addRow(self.fit_note)
        self.fit_check = FitCheck(self.fit_note)
        self.cleanup.add(self.fit_check.stop)
        self.segmenter = ModelChoice("segmenter", form, text="Segmenter", brief=True)
        for choice in (self.generator, self.segmenter):
            choice.combo.setObjectName(choice.kind)
        self.advanced = Folded()
        self.outline = OutlineChoice(form, self.advanced.form)
        self.max_gap = IntegerBox(3, 0, 1000, suffix=" frames")
        tooltip = "Longest time for which a mitochondrion may be missing and keep its number"
        add_row(self.advanced.form, "Longest gap", self.max_gap, tooltip, name="max_gap")
        self.stain_options = StainOptions()
        self.keep_former = keep_former_box()
        for box in (*self.stain_options.boxes, self.keep_former):
            self.advanced.form.addRow(box)
        save = button(
            "Save settings…",
            "Write the settings of the newest results to a file that 'virtualstain run --config' "
            "repeats",
            self._save,
            name="save_settings",
        )
        load = button(
            "Load settings…", "Fill the form from a settings file", self._load, name="load_settings"
        )
        self.form.addLayout(form)
        self.form.addWidget(self.advanced)
        self.form.addWidget(in_row(save, load))
        self.form.addStretch(1)

    def _save(self) -> None:
        path, _ = QFileDialog.getSaveFileName(
            self, "Save settings", "settings.json", "Settings (*.json)"
        )
        self._try(self.save_settings, path)

    def _load(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Load settings", "", "Settings (*.json)")
        self._try(self.load_settings, path)

    def _try(self, function: Any, path: str) -> None:
        if not path:
            return
        try:
            function(Path(path))
        except (VirtualStainError, OSError) as error:
            self.say(error_text(error))

    def _on_source(self, *_: Any) -> None:
        self.generator.suggest(fitting_model(self.source.value))
        self.sampling.follow(self.source.value)
        self._refresh_state()

    def _refresh_state(self) -> None:
        self.outline.follow(self.segmenter.value)
        if not self.state.is_active:
            size_um = self.pixel_size.value()
            self.fit_check.follow(self.source.value, self.generator.value, size_um)
        self.runner.reset()
        self.render()
        if self.state.value == "idle" and self.why_not() is None:
            self.say("Ready to run all three steps.")
            self.warm_up.soon()
