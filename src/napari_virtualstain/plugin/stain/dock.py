"""The dock `Virtual staining`."""

from __future__ import annotations

import math
from typing import Any

from qtpy.QtWidgets import QFormLayout

from ...progress import counted
from ...settings import StainSettings
from ..kit.controls import (
    Choice,
    IntegerBox,
    add_row,
    check_box,
    keep_former_box,
    new_form,
    note,
)
from ..kit.jobs import JobContext, Outcome, Work
from ..kit.layer_choice import LayerChoice, choose_if_fitting
from ..kit.layer_region import LayerRegion, visible_frame, visible_index
from ..kit.model_choice import ModelChoice
from ..kit.preferences import DEVICES
from ..kit.region_choice import RegionChoice
from ..kit.sampling_rows import SamplingRows
from ..kit.section import Advanced
from ..kit.settings_form import SettingsForm
from ..kit.step import NextStep, StepWidget
from ..kit.suitable_layers import LOAD_FIRST, fitting_model, is_movie, nothing_fits, why_no_movie
from ..kit.work_request import dock_fields
from ..layers.colours import brighten_bare
from ..layers.description import (
    axes_of,
    geometry_of,
    has_layer,
    newest_stain,
    shifted,
    still_there,
)
from ..layers.insertion import Placed
from ..layers.replacing import settle_unfinished
from .compare import CompareSlider
from .fit_check import FitCheck
from .fit_light import fit_end
from .job import FitChecked, PlanesDone, StainRequest, Started, stain_job, why_not_steady
from .layer import add_stain_layer
from .preview import LivePreview
from .warm_up import WarmUp


class StainWidget(StepWidget):
    """Dock that adds the virtual fluorescence of a bright-field layer, the visible frame first."""

    title = "Virtual staining"
    tab_title = "Stain"
    next_step = NextStep("Segment", "Segment mitochondria", runs=True)
    run_text = "Stain"
    run_tooltip = "Add a layer of virtual fluorescence, the visible frame first"

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__(napari_viewer)
        self._request: StainRequest | None = None
        self._geometry: dict[str, Any] = {}
        self._placed: list[Placed] = []
        self._frames_done = 0
        self._layer: Any = None
        self._made: Any = None
        self._fit: FitChecked | None = None
        self._error_layer: Any = None
        self.warm_up = WarmUp(self)
        self.cleanup.add(self.warm_up.stop)
        form = new_form()
        self._add_movie(napari_viewer, form)
        self._add_comparison(napari_viewer, form)
        self.form.addLayout(form)
        self.advanced = Advanced()
        self.settings = SettingsForm(StainSettings, form, self.advanced.form)
        self._add_boxes(self.advanced.form)
        self._add_computing(self.advanced.form)
        self.form.addWidget(self.advanced)
        self.form.addStretch(1)
        self.preview = LivePreview(napari_viewer, self._visible_request, self.say, self)
        self.cleanup.add(self.preview.stop)
        self._follow_changes()
        self._on_layer(self.source.value)

    def _add_movie(self, napari_viewer: Any, form: QFormLayout) -> None:
        self.source = self.add_choice(
            LayerChoice(
                napari_viewer,
                is_movie,
                role="bright_field",
                nothing="load a bright-field movie",
                why_unfit=why_no_movie,
            )
        )
        add_row(form, "Bright-field", self.source, "The layer to stain", name="source")
        self.sampling = SamplingRows(form, with_interval=False, changed=self.reset_choices)
        self.pixel_size, self.pixel_note = self.sampling.pixel_size, self.sampling.remark
        self.model = ModelChoice("generator", form)
        self.fit_note = note(name="fit", rich=True)
        self.fit_note.setVisible(False)
        form.addRow(self.fit_note)
        self.fit_check = FitCheck(self.fit_note)
        self.cleanup.add(self.fit_check.stop)
        self.region = RegionChoice(napari_viewer, form)
        self.add_choice(self.region.shapes)

    def _add_computing(self, form: QFormLayout) -> None:
        self.device = Choice(DEVICES)
        add_row(form, "Device", self.device, "Where the network runs", name="device")
        self.tile = IntegerBox(0, 0, 8192, suffix=" px", special="automatic")
        self.tile.setSingleStep(64)
        add_row(
            form,
            "Tile size",
            self.tile,
            "Edge of the tiles; smaller ones need less memory and give the same result",
            name="tile",
        )

    def _add_comparison(self, napari_viewer: Any, form: QFormLayout) -> None:
        self.true_layer = self.add_choice(
            LayerChoice(napari_viewer, is_movie, role="true_fluorescence", optional=True)
        )
        self.compare = CompareSlider(napari_viewer, self._compared)
        add_row(
            form,
            "Truth",
            self.true_layer,
            "True fluorescence of the same cell, for comparison",
            name="true_layer",
        )
        form.addRow("Compare", self.compare)

    def _add_boxes(self, form: QFormLayout) -> None:
        self.preview_box = check_box(
            "Live preview",
            "Stain the visible frame while you scrub, with the settings above",
            name="preview",
        )
        self.keep_former = keep_former_box()
        self.form.addWidget(self.preview_box)
        form.addRow(self.keep_former)

    def _follow_changes(self) -> None:
        self.preview_box.toggled.connect(self._on_preview)
        self.pixel_size.valueChanged.connect(self._check_fit)
        for changed in (
            self.pixel_size.valueChanged,
            self.device.currentIndexChanged,
            self.tile.valueChanged,
        ):
            changed.connect(lambda _value: self.preview.renew())
        self.settings.on_change(self.preview.renew, "average", "precision", "flat_field")
        self.source.chosen.connect(self._on_layer)
        self.true_layer.chosen.connect(lambda _layer: self.compare.follow())
        self.model.changed.connect(self._on_source)
        self.region.kind.currentIndexChanged.connect(lambda _index: self._refresh_state())
        self.settings.on_change(self._refresh_state, "temporal")
        for box in (self.region.first, self.region.last):
            box.valueChanged.connect(lambda _value: self._refresh_state())

    def why_not(self) -> str | None:
        """Return why nothing can be stained now."""
        if self.source.value is None:
            return nothing_fits(self.viewer, LOAD_FIRST)
        return self.model.why_not() or self.region.why_not() or self._why_not_steady()

    def _why_not_steady(self) -> str | None:
        axes = axes_of(self.source.value)
        shape = self.region.region_of(self.source.value).shape
        frames = shape[axes.index("t")] if "t" in axes else 1
        return why_not_steady(self.settings.value, frames)

    def prepare(self) -> Work:
        """Return the work of staining the chosen region."""
        self.compare.end()
        self.fit_check.pause()
        layer = self.source.value
        region = self.region.region_of(layer)
        request = StainRequest(**self._fields(layer, region), settings=self.settings.value)
        self._request = request
        self._geometry = shifted(geometry_of(layer), region.offset)
        self._name = layer.name
        self._layer = self._fit = None
        self._placed, self._frames_done = [], 0

        def work(context: JobContext) -> Any:
            return stain_job(request, context)

        return work

    def on_items(self, items: list[Any]) -> None:
        """Add the layers at the start, then show the planes as they come."""
        finished: list[tuple[int, ...]] = []
        for item in items:
            if isinstance(item, Started):
                self._add_layer(item)
            elif isinstance(item, PlanesDone):
                finished.extend(item.indices)
                self._frames_done += len(item.indices)
            elif isinstance(item, FitChecked):
                self._fit = item
                self.fit_check.show(item)
        if self._layer is not None and visible_index(self.viewer, self._layer) in finished:
            self._refresh_layers()

    def on_result(self, value: Any) -> str:
        """Say what came out, how long it took, and whether the model fits."""
        self._made = self._layer
        if self._layer is None:
            return f"Stained {self._name}."
        frames = math.prod(self._layer.data.shape[:-2])
        fits = fit_end(self._fit.level if self._fit is not None else None)
        return f"Stained {counted(frames, 'frame')} in {self.took_text()}{fits}"

    def result_layer(self) -> Any:
        """Return the stain."""
        return still_there(self.viewer, self._made)

    def take(self, layer: Any) -> None:
        """Choose the movie that was loaded."""
        choose_if_fitting(self.source, layer)

    def on_end(self, outcome: Outcome) -> None:
        """Draw the last state of the layers."""
        if outcome.error is not None:
            self._settle_unfinished()
        self.fit_check.resume()
        self._refresh_layers()
        self._layer = self._error_layer = self._request = None

    def reset_choices(self, event: Any = None) -> None:
        """Follow the viewer's layers, the compare slider too."""
        super().reset_choices(event)
        if not self._closed and hasattr(self, "compare"):
            brighten_bare(self.viewer)
            self.compare.follow()
            if self._layer is not None and not has_layer(self.viewer, self._layer):
                self._layer = self._error_layer = None
                self.cancel()

    def tear_down(self) -> None:
        """Also mark what was not finished."""
        if not self._closed:
            self.compare.end()
            if self.state.is_active:
                # no new layer while the dock goes: what was finished is only counted
                last = self.runner.last_items()
                self.on_items([item for item in last if isinstance(item, PlanesDone)])
                self._settle_unfinished()
        super().tear_down()

    def _settle_unfinished(self) -> None:
        for placed in self._placed:
            frames = math.prod(placed.layer.data.shape[:-2])
            # the visible frame is there when the layer is
            done = max(1, self._frames_done)
            settle_unfinished(self.viewer, placed.layer, placed.former, done, frames)
        self._placed = []

    def _fields(self, layer: Any, region: LayerRegion) -> dict[str, Any]:
        return {**dock_fields(self, layer, region), "tile": self.tile.value() or None}

    def _visible_request(self) -> tuple[StainRequest, Any] | None:
        layer = self.source.value
        if layer is None or self.model.why_not() is not None:
            return None
        fields = self._fields(layer, visible_frame(self.viewer, layer))
        shown = self.settings.value.model_copy(update={"temporal": 0, "uncertainty": False})
        return StainRequest(**fields, settings=shown), layer

    def _on_preview(self, checked: bool) -> None:
        if checked:
            self.preview.start()
        else:
            self.preview.stop()

    def _compared(self) -> tuple[Any, Any, Any]:
        source = self.source.value
        if source is None:
            return None, None, None
        return source, newest_stain(self.viewer, source), self.true_layer.value

    def _refresh_layers(self) -> None:
        for layer in (self._layer, self._error_layer):
            if has_layer(self.viewer, layer):
                layer.refresh(extent=False, highlight=False)

    def _add_layer(self, started: Started) -> None:
        if self._request is None:  # the dock was closed meanwhile
            return
        if started.kind == "uncertainty" and self._layer is None:  # the stain was deleted
            return
        if started.kind == "fluorescence":
            self.preview_box.setChecked(False)  # both would add up
        placed = add_stain_layer(
            self.viewer,
            started,
            self._request,
            self._name,
            self._geometry,
            keep_former=self.keep_former.isChecked(),
        )
        self._placed.append(placed)
        if started.kind == "uncertainty":
            self._error_layer = placed.layer
        else:
            self._layer = placed.layer

    def _on_layer(self, layer: Any) -> None:
        # on a new layer only: the user's own choice of a model must not be undone
        self.model.suggest(fitting_model(layer))
        self._on_source()

    def _on_source(self, *_: Any) -> None:
        layer, card = self.source.value, self.model.card
        self.region.follow(layer)
        assumed = card.pixel_size_um if card is not None else None
        self.sampling.follow(layer, assumed_um=assumed)
        self._check_fit()
        self.compare.follow()
        self.preview.renew()
        self._refresh_state()

    def _check_fit(self, *_: Any) -> None:
        if not self.state.is_active:
            self.fit_check.follow(self.source.value, self.model.value, self.pixel_size.value())

    def _refresh_state(self) -> None:
        self.runner.reset()
        self.render()
        if self.state.value == "idle" and self.why_not() is None:
            self.say("Ready to stain.")
            self.warm_up.soon()
