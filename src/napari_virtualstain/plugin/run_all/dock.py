"""The dock `Run all`: stain, segment and track in a row, and settings as a file."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from ..kit.controls import (
    add_row,
    keep_former_box,
    new_form,
    note,
)
from ..kit.jobs import JobContext, Outcome, Work
from ..kit.layer_choice import LayerChoice, choose_if_fitting
from ..kit.layer_region import visible_index, whole
from ..kit.sampling_rows import SamplingRows
from ..kit.section import Advanced
from ..kit.step import NextStep
from ..kit.suitable_layers import LOAD_FIRST, fitting_model, is_movie, nothing_fits, why_no_movie
from ..kit.work_request import work_fields
from ..layers.description import axes_of, geometry_of, has_layer, still_there
from ..layers.insertion import Placed
from ..layers.replacing import settle_unfinished
from ..segment.job import SegmentRequest
from ..segment.job import Started as SegmentStarted
from ..segment.layer import add_labels_layer
from ..stain.fit_check import FitCheck
from ..stain.job import FitChecked, PlanesDone, StainRequest, why_not_steady
from ..stain.job import Started as StainStarted
from ..stain.layer import add_stain_layer
from ..stain.warm_up import WarmUp
from ..track.job import Relabelled, TrackResult, geometry_in_stack
from ..track.layer import add_relabelled_layer, add_tracks_layer, doubt_said, track_sentence
from .job import RunAllRequest, StepItem, run_all_job
from .layer_settings import recorded_settings
from .pipeline_form import PipelineForm, read_settings_said
from .settings_file import SettingsFileStep


class RunAllWidget(SettingsFileStep):
    """Dock that stains, segments and tracks a movie with one button."""

    title = "Run all"
    tab_title = "Run all"
    next_step = NextStep("Inspect tracks", "Track inspector")
    run_text = "Stain, segment and track"
    run_tooltip = "Run the three steps; results appear as they are made"

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__(napari_viewer)
        self._geometry: dict[str, Any] = {}
        self._name = ""
        self._layers: dict[str, Any] = {}
        self._placed: list[tuple[str, Placed]] = []
        self._frames_done = {"stain": 0, "segment": 0}
        self._tracks: Any = None
        self._tracks_layer: Any = None
        self.warm_up = WarmUp(self)
        self.cleanup.add(self.warm_up.stop)
        self._add_form(napari_viewer)
        self.source.chosen.connect(self._on_source)
        for choice in (self.steps.generator, self.steps.segmenter):
            choice.changed.connect(self._refresh_state)
        self.steps.stain.on_change(self._refresh_state, "temporal")
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
        settings = self.steps.stain.value
        return self.steps.why_not() or why_not_steady(settings, layer.data.shape[0])

    def prepare(self) -> Work:
        """Return the work of all three steps."""
        self.fit_check.pause()
        layer, steps = self.source.value, self.steps

        def fields(model: Any) -> dict[str, Any]:
            region, size_um = whole(layer.data.shape), self.pixel_size.value()
            return work_fields(self.viewer, layer, region, model=model, pixel_size_um=size_um)

        request = RunAllRequest(
            stain=StainRequest(**fields(steps.generator.value), settings=steps.stain.value),
            segment=SegmentRequest(**fields(steps.segmenter.value), settings=steps.segment.value),
            track=steps.track.value,
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
        return f"{track_sentence(self._tracks)} in {self.took_text()}.{doubt_said(self._tracks)}"

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
            last = self.runner.last_items()
            self.on_items([one for one in last if isinstance(one.item, PlanesDone | tuple)])
            self._settle_unfinished()
        super().tear_down()

    def _settle_unfinished(self) -> None:
        for step, placed in self._placed:
            frames = math.prod(placed.layer.data.shape[:-2])
            # the visible frame of a stain is there when its layer is
            done = max(int(step == "stain"), self._frames_done[step])
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
        from ...pipeline import load_settings

        settings = load_settings(path)
        # Run all works on the whole of the layer that is chosen here
        self.steps.value = settings.model_copy(
            update={"stain": settings.stain.model_copy(update={"frames": None})}
        )
        if settings.read.pixel_size_um:
            self.pixel_size.setValue(settings.read.pixel_size_um)
        if settings.read.frame_interval_s:
            self.interval.setValue(settings.read.frame_interval_s)
        names = [read_settings_said(settings.read), "frames" * bool(settings.stain.frames)]
        left = " and ".join(name for name in names if name)
        but = f", but for its {left}: choose the layer yourself" if left else ""
        self.say(f"Loaded {path.name}{but}.")

    def _add(self, item: Any) -> None:
        request = self._request
        where, keep = (self._name, self._geometry), self.keep_former.isChecked()
        if isinstance(item, StainStarted):
            placed = add_stain_layer(self.viewer, item, request.stain, *where, keep_former=keep)
            self._placed.append(("stain", placed))
            self._layers["stain" if item.kind == "fluorescence" else item.kind] = placed.layer
        elif isinstance(item, SegmentStarted):
            placed = add_labels_layer(self.viewer, item, request.segment, *where, keep_former=keep)
            self._placed.append(("segment", placed))
            self._layers["segment"] = placed.layer
        elif isinstance(item, Relabelled):
            tracked = self._layers.get("segment")
            asked = request.tracking
            place = geometry_in_stack(
                self._geometry, asked.settings.z_plane, request.stain.region.shape
            )
            add_relabelled_layer(
                self.viewer, item.labels, asked, self._name, place, tracked, keep_former=keep
            )
        elif len(item.data):
            self._tracks = item.tracks
            self._tracks_layer = add_tracks_layer(
                self.viewer, item, request.tracking, *where, keep_former=keep
            ).layer

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
        self.advanced = Advanced()
        self.steps = PipelineForm(form, self.advanced.form)
        self.fit_note = note(name="fit", rich=True)
        self.fit_note.setVisible(False)
        place, _ = form.getWidgetPosition(self.steps.generator.card_note)
        form.insertRow(place + 1, self.fit_note)
        self.fit_check = FitCheck(self.fit_note)
        self.cleanup.add(self.fit_check.stop)
        self.keep_former = keep_former_box()
        self.advanced.form.addRow(self.keep_former)
        self.form.addLayout(form)
        self.form.addWidget(self.advanced)
        self.form.addWidget(
            self.settings_buttons(
                "Write the settings of the newest results to a file that 'virtualstain run "
                "--config' repeats"
            )
        )
        self.form.addStretch(1)

    def _on_source(self, *_: Any) -> None:
        self.steps.generator.suggest(fitting_model(self.source.value))
        self.sampling.follow(self.source.value)
        self.steps.track.show_row(
            "z_plane", self.source.value is not None and "z" in axes_of(self.source.value)
        )
        self._refresh_state()

    def _refresh_state(self) -> None:
        self.steps.follow()
        if not self.state.is_active:
            size_um = self.pixel_size.value()
            self.fit_check.follow(self.source.value, self.steps.generator.value, size_um)
        self.runner.reset()
        self.render()
        if self.state.value == "idle" and self.why_not() is None:
            self.say("Ready to run all three steps.")
            self.warm_up.soon()
