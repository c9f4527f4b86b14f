"""The dock `Track mitochondria`."""

from __future__ import annotations

from typing import Any

from qtpy.QtWidgets import QFormLayout

from ...hooks import add_on_key, trackers
from ...settings import LINKERS, TrackSettings
from ..kit.controls import Choice, add_row, button, check_box, keep_former_box, new_form
from ..kit.jobs import JobContext, Work
from ..kit.layer_choice import LayerChoice, choose_if_fitting
from ..kit.layer_region import visible_index
from ..kit.sampling_rows import SamplingRows
from ..kit.section import Advanced
from ..kit.settings_form import SettingsForm
from ..kit.step import NextStep, StepWidget
from ..kit.suitable_layers import is_movie
from ..layers.description import (
    axes_of,
    geometry_of,
    has_layer,
    source_of,
    still_there,
    uncertainty_of,
)
from .job import Relabelled, TrackRequest, TrackResult, geometry_in_stack, track_job
from .layer import COLOUR_BY, add_relabelled_layer, add_tracks_layer, doubt_said, track_sentence


def is_label_movie(layer: Any) -> bool:
    """Whether a layer holds labels of a time-lapse, of planes or of z-stacks."""
    return type(layer).__name__ == "Labels" and axes_of(layer) in ("tyx", "tzyx")


def why_no_label_movie(layer: Any) -> str | None:
    """Return why labels cannot be tracked, None for those that can and for other layers."""
    if type(layer).__name__ != "Labels" or is_label_movie(layer):
        return None
    return "no time axis" if "t" not in axes_of(layer) else "has channels"


def linkers() -> list[tuple[str, str]]:
    """Return the linkers, own and of other packages, with their names in settings."""
    added = [(name, add_on_key(name)) for name in sorted(trackers())]
    return [*((name, name) for name in LINKERS), *added]


class TrackWidget(StepWidget):
    """Dock that follows each mitochondrion of a Labels layer through the movie."""

    title = "Track mitochondria"
    tab_title = "Track"
    next_step = NextStep("Inspect tracks", "Track inspector")
    run_text = "Track"
    run_tooltip = "Add a Tracks layer, with fission and fusion, and labels that keep their number"

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__(napari_viewer)
        self._tracks_layer: Any = None
        form = new_form()
        self._add_layers(napari_viewer, form)
        self.sampling = SamplingRows(form, changed=self.reset_choices)
        self.pixel_size, self.interval = self.sampling.pixel_size, self.sampling.interval
        self.advanced = Advanced()
        self.settings = SettingsForm(
            TrackSettings,
            form,
            self.advanced.form,
            choices={"linker": linkers()},
            in_sight=["z_plane"],
        )
        self.plane_button = button(
            "Take the visible plane",
            "Set Plane of z-stacks to the plane that the viewer shows now",
            self.take_visible_plane,
            name="visible_plane",
        )
        place, _ = form.getWidgetPosition(self.settings["z_plane"].native)
        form.insertRow(place + 1, "", self.plane_button)
        self.colour = Choice([(text, text) for text in COLOUR_BY])
        add_row(form, "Colour by", self.colour, "Meaning of the tracks' colour", name="colour")
        self._add_boxes(self.advanced.form)
        self.form.addLayout(form)
        self.setTabOrder(self.settings["z_plane"].native, self.plane_button)
        self.form.addWidget(self.advanced)
        self.form.addStretch(1)
        self.source.chosen.connect(self._on_source)
        self.settings.on_change(self._on_method, "mode", "linker")
        self.colour.currentIndexChanged.connect(self._recolour)
        self._on_source()

    def _add_layers(self, napari_viewer: Any, form: QFormLayout) -> None:
        self.source = self.add_choice(
            LayerChoice(
                napari_viewer,
                is_label_movie,
                role="mitochondria",
                nothing="segment a movie first",
                why_unfit=why_no_label_movie,
            )
        )
        add_row(form, "Labels", self.source, "One number per mitochondrion", name="source")
        self.intensity = self.add_choice(
            LayerChoice(
                napari_viewer,
                self._fits_labels,
                role="fluorescence",
                optional=True,
                hint=lambda: source_of(napari_viewer, self.source.value),
            )
        )
        add_row(
            form,
            "Intensity",
            self.intensity,
            "Fluorescence, real or virtual; helps to distinguish neighbours",
            name="intensity",
        )

    def _add_boxes(self, form: QFormLayout) -> None:
        self.relabel_box = check_box(
            "Labels that keep their number",
            "Add a Labels layer in which one mitochondrion keeps its number and colour in time",
            checked=True,
            name="relabel",
        )
        self.keep_former = keep_former_box()
        for box in (self.relabel_box, self.keep_former):
            form.addRow(box)

    def why_not(self) -> str | None:
        """Return why nothing can be tracked now."""
        layer = self.source.value
        if layer is None:
            for other in self.viewer.layers:
                if (reason := why_no_label_movie(other)) is not None:
                    return (
                        f"{other.name!r} cannot be tracked: {reason}. Tracking needs labels of a "
                        "movie, with axes t, y, x or t, z, y, x."
                    )
            return "Segment a movie first (dock Segment mitochondria), or load labels (t, y, x)."
        return None

    def _fits_labels(self, layer: Any) -> bool:
        labels = self.source.value
        return is_movie(layer) and labels is not None and layer.data.shape == labels.data.shape

    def prepare(self) -> Work:
        """Return the work of tracking the chosen labels."""
        layer, intensity = self.source.value, self.intensity.value
        errors = uncertainty_of(self.viewer, intensity) if intensity is not None else None
        request = TrackRequest(
            labels=layer.data,
            intensity=intensity.data if intensity is not None else None,
            pixel_size_um=self.pixel_size.value(),
            frame_interval_s=self.interval.value(),
            settings=self.settings.value,
            relabel=self.relabel_box.isChecked(),
            uncertainty=errors.data if errors is not None else None,
        )
        self._request = request
        self._tracked, self._source_name, self._geometry = layer, layer.name, geometry_of(layer)

        def work(context: JobContext) -> Any:
            return track_job(request, context)

        return work

    def on_items(self, items: list[Relabelled]) -> None:
        """Add the labels that keep their number."""
        for item in items:
            add_relabelled_layer(
                self.viewer,
                item.labels,
                self._request,
                self._source_name,
                geometry_in_stack(
                    self._geometry,
                    self._request.settings.z_plane,
                    self._tracked.data.shape,
                ),
                self._tracked,
                keep_former=self.keep_former.isChecked(),
            )

    def on_result(self, value: TrackResult) -> str:
        """Add the Tracks layer."""
        if not len(value.data):
            return "No track was found. Lower the shortest track, or check the labels."
        self._tracks_layer = add_tracks_layer(
            self.viewer,
            value,
            self._request,
            self._source_name,
            self._geometry,
            self.colour.value,
            keep_former=self.keep_former.isChecked(),
        ).layer
        return f"{track_sentence(value.tracks)} in {self.took_text()}.{doubt_said(value.tracks)}"

    def result_layer(self) -> Any:
        """Return the tracks."""
        return still_there(self.viewer, self._tracks_layer)

    def take(self, layer: Any) -> None:
        """Choose the labels that were made, and the image that they outline."""
        choose_if_fitting(self.source, layer)

    def take_visible_plane(self) -> None:
        """Track on the plane of the z-stack that the viewer shows."""
        layer = self.source.value
        if layer is not None and "z" in axes_of(layer):
            plane = visible_index(self.viewer, layer)[axes_of(layer).index("z")]
            self.settings["z_plane"].value = plane

    def _on_source(self, *_: Any) -> None:
        self.intensity.refresh()
        is_stack = self.source.value is not None and "z" in axes_of(self.source.value)
        self.settings.show_row("z_plane", is_stack)
        self.plane_button.setVisible(is_stack)
        self.sampling.follow(self.source.value)
        self._ready()

    def _on_method(self) -> None:
        chosen = self.settings.value
        is_own, is_extended = chosen.linker == "kalman", chosen.mode == "extended"
        self.settings.offer(is_own, "Only the linker kalman has two methods", ["mode"])
        self.settings.offer(
            is_own and is_extended,
            "Only the extended method of the linker kalman looks for fission and fusion",
            ["fission_fusion"],
        )

    def _recolour(self, *_: Any) -> None:
        layer = self._tracks_layer
        if has_layer(self.viewer, layer):
            column, colormap = COLOUR_BY[self.colour.value]
            layer.color_by = column
            layer.colormap = colormap

    def _ready(self) -> None:
        self.runner.reset()
        self.render()
        if self.state.value == "idle" and self.why_not() is None:
            self.say("Ready to track.")
