"""The dock `Track mitochondria`."""

from __future__ import annotations

from typing import Any

from qtpy.QtWidgets import QFormLayout

from ...hooks import add_on_key, add_on_name, trackers
from ..kit.controls import Choice, NumberBox, add_row, check_box, keep_former_box, new_form
from ..kit.jobs import JobContext, Work
from ..kit.layer_choice import LayerChoice, choose_if_fitting
from ..kit.regions import visible_index
from ..kit.sampling_rows import SamplingRows
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
from ..layers.insertion import COLOUR_BY, add_relabelled_layer, add_tracks_layer, track_sentence
from .job import Relabelled, TrackRequest, TrackResult, geometry_in_stack, track_job


def is_label_movie(layer: Any) -> bool:
    """Whether a layer holds labels of a time-lapse, of planes or of z-stacks."""
    return type(layer).__name__ == "Labels" and axes_of(layer) in ("tyx", "tzyx")


def why_no_label_movie(layer: Any) -> str | None:
    """Return why labels cannot be tracked, None for those that can and for other layers."""
    if type(layer).__name__ != "Labels" or is_label_movie(layer):
        return None
    return "no time axis" if "t" not in axes_of(layer) else "has channels"


class TrackWidget(StepWidget):
    """Follows each mitochondrion of a Labels layer through the movie."""

    title = "Track mitochondria"
    tab_title = "Track"
    next_step = NextStep("Inspect tracks", "Track inspector")
    run_text = "Track"
    run_tooltip = "Add a Tracks layer, with fission and fusion, and labels that keep their number"

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__(napari_viewer)
        self._tracks_layer: Any = None
        self._request: TrackRequest | None = None
        form = new_form()
        self._add_layers(napari_viewer, form)
        self.z_plane = Choice([("maximum over z", "max"), ("the visible plane", "visible")])
        self._z_label = add_row(
            form, "Planes", self.z_plane, "What of the z-stack is tracked", name="z_plane"
        )
        self.sampling = SamplingRows(form, changed=self.reset_choices)
        self.pixel_size, self.interval = self.sampling.pixel_size, self.sampling.interval
        self._add_limits(form)
        self._add_method(form)
        self.form.addLayout(form)
        self._add_boxes()
        self.form.addStretch(1)
        self.source.chosen.connect(self._on_source)
        self.mode.currentIndexChanged.connect(self._on_mode)
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

    def _add_limits(self, form: QFormLayout) -> None:
        self.radius = NumberBox(0, 0, 1000, step=0.1, decimals=2, suffix=" µm", special="automatic")
        add_row(
            form,
            "Farthest step",
            self.radius,
            "Largest distance that a mitochondrion moves between frames; automatic: from the movie",
            name="search_radius",
        )
        self.gap = NumberBox(6, 0, 1e6, step=1, decimals=2, suffix=" s")
        add_row(
            form,
            "Longest gap",
            self.gap,
            "Longest time for which a mitochondrion may be missing and keep its number",
            name="max_gap",
        )
        self.shortest = NumberBox(0, 0, 1e6, step=1, decimals=2, suffix=" s", special="automatic")
        add_row(
            form,
            "Shortest track",
            self.shortest,
            "Shorter tracks are removed as false alarms; automatic: by the length of the movie",
            name="min_length",
        )

    def _add_method(self, form: QFormLayout) -> None:
        own = [("extended", "extended"), ("as in the paper", "paper"), ("trackpy", "trackpy")]
        added = [(name, add_on_key(name)) for name in sorted(trackers())]
        self.mode = Choice([*own, *added])
        add_row(
            form,
            "Method",
            self.mode,
            "extended: masks, appearance, fission and fusion. As in the paper: Kalman filter and "
            "Hungarian assignment alone. trackpy: Crocker and Grier's linker.",
            name="method",
        )
        self.colour = Choice([(text, text) for text in COLOUR_BY])
        add_row(form, "Colour by", self.colour, "Meaning of the tracks' colour", name="colour")

    def _add_boxes(self) -> None:
        self.events_box = check_box(
            "Fission and fusion", "Join tracks that split and merge", checked=True, name="events"
        )
        self.relabel_box = check_box(
            "Labels that keep their number",
            "Add a Labels layer in which one mitochondrion keeps its number and colour in time",
            checked=True,
            name="relabel",
        )
        self.form.addWidget(self.events_box)
        self.form.addWidget(self.relabel_box)
        self.keep_former = keep_former_box()
        self.form.addWidget(self.keep_former)

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

    def _asked_plane(self, layer: Any) -> Any:
        """Return the plane of a z-stack to track on, None for labels without z."""
        if "z" not in axes_of(layer):
            return None
        return "max" if self.z_plane.value == "max" else visible_index(self.viewer, layer)[1]

    def _fits_labels(self, layer: Any) -> bool:
        labels = self.source.value
        return is_movie(layer) and labels is not None and layer.data.shape == labels.data.shape

    def settings(self) -> dict[str, Any]:
        """Return the tracker's settings, times turned into frames."""
        interval = self.interval.value()
        mode = self.mode.value
        return {
            "mode": "paper" if mode == "paper" else "extended",
            "linker": "trackpy" if mode == "trackpy" else "kalman",
            "search_radius_um": self.radius.value() or None,
            "max_gap": round(self.gap.value() / interval),
            "min_length": max(1, round(self.shortest.value() / interval))
            if self.shortest.value()
            else None,
            "fission_fusion": self.events_box.isChecked(),
        }

    def prepare(self) -> Work:
        """Return the work of tracking the chosen labels."""
        layer, intensity, mode = self.source.value, self.intensity.value, str(self.mode.value)
        errors = uncertainty_of(self.viewer, intensity) if intensity is not None else None
        request = TrackRequest(
            labels=layer.data,
            intensity=intensity.data if intensity is not None else None,
            pixel_size_um=self.pixel_size.value(),
            frame_interval_s=self.interval.value(),
            settings=self.settings(),
            tracker=add_on_name(mode),
            relabel=self.relabel_box.isChecked(),
            uncertainty=errors.data if errors is not None else None,
            z_plane=self._asked_plane(layer),
        )
        self._request = request
        self._tracked, self._source_name, self._geometry = layer, layer.name, geometry_of(layer)

        def work(context: JobContext) -> Any:
            return track_job(request, context)

        return work

    def on_items(self, items: list[Any]) -> None:
        """Add the labels that keep their number."""
        for item in items:
            if isinstance(item, Relabelled) and self._request is not None:
                add_relabelled_layer(
                    self.viewer,
                    item.labels,
                    self._request,
                    self._source_name,
                    geometry_in_stack(
                        self._geometry, self._request.z_plane, self._tracked.data.shape[1]
                    ),
                    self._tracked,
                    keep_former=self.keep_former.isChecked(),
                )

    def on_result(self, value: TrackResult) -> str:
        """Add the Tracks layer."""
        if not len(value.data):
            return "No track was found. Lower the shortest track, or check the labels."
        if self._request is None:
            return "The dock was closed in the meantime."
        self._tracks_layer = add_tracks_layer(
            self.viewer,
            value,
            self._request,
            self._source_name,
            self._geometry,
            self.colour.value,
            keep_former=self.keep_former.isChecked(),
        ).layer
        return f"{track_sentence(value.tracks)} in {self.took_text()}."

    def result_layer(self) -> Any:
        """Return the tracks."""
        return still_there(self.viewer, self._tracks_layer)

    def take(self, layer: Any) -> None:
        """Choose the labels that were made, and the image that they outline."""
        choose_if_fitting(self.source, layer)

    def _on_source(self, *_: Any) -> None:
        self.intensity.refresh()
        is_stack = self.source.value is not None and "z" in axes_of(self.source.value)
        for widget in (self.z_plane, self._z_label):
            widget.setVisible(is_stack)
        self.sampling.follow(self.source.value)
        if self.source.value is not None:
            self.gap.setValue(3 * self.interval.value())
        self._ready()

    def _on_mode(self, *_: Any) -> None:
        self.events_box.setEnabled(self.mode.value == "extended")
        self.events_box.setToolTip(
            "Join tracks that split and merge"
            if self.mode.value == "extended"
            else "Only the extended method looks for fission and fusion"
        )

    def _recolour(self, *_: Any) -> None:
        layer = self._tracks_layer
        if layer is not None and has_layer(self.viewer, layer):
            column, colormap = COLOUR_BY[self.colour.value]
            layer.color_by = column
            layer.colormap = colormap

    def _ready(self) -> None:
        self.runner.reset()
        self.render()
        if self.state.value == "idle" and self.why_not() is None:
            self.say("Ready to track.")
