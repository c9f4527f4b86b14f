"""The dock `Train virtual staining`."""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.layers import Image
from qtpy.QtWidgets import QLineEdit

from .cleanup import Cleanup
from .controls import Choice, IntegerBox, NumberBox, add_row, check_box, new_form, note
from .curve import TrainingCurve
from .film import FilmStrip
from .jobs import JobContext, Outcome, Work
from .layer_choice import LayerChoice
from .layers import axes_of, geometry_of, layer_name, provenance, sampling_of, shifted, sizes_of
from .model_choice import ModelChoice, scores_text
from .planes_choice import PlanesChoice
from .preferences import preferences
from .regions import rectangles_on, visible_index
from .shown import hide_results, insert
from .stain import is_movie
from .stain_job import display_limits
from .step import StepWidget
from .train_job import Compared, TrainRequest, train_job, why_not_held_out


class TrainWidget(StepWidget):
    """Fits the generator to the user's own microscope, on an honest held-out part."""

    title = "Train virtual staining"
    run_text = "Train"
    run_tooltip = "Train on the two layers; the model is in the list of Virtual staining at once"

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__(napari_viewer)
        self._source = ""
        self._geometry: dict[str, Any] = {}
        self._drawing = Cleanup()
        self.cleanup.add(self._drawing.run)
        self._add_form(napari_viewer)
        self._follow_drawing(self.shapes.value)
        self.shapes.chosen.connect(self._follow_drawing)
        self.bright_field.chosen.connect(self._on_bright_field)
        for choice in (self.bright_field, self.fluorescence, self.shapes):
            choice.chosen.connect(self._on_layers)
        self.by.currentIndexChanged.connect(lambda _index: self._on_layers())
        self.name.textChanged.connect(lambda _text: self._on_layers())
        self.fine_tune.toggled.connect(self._on_fine_tune)
        self.start_from.changed.connect(self._on_layers)
        self._on_bright_field(self.bright_field.value)
        self._on_fine_tune(self.fine_tune.isChecked())

    def why_not(self) -> str | None:
        """Return why nothing can be trained now."""
        first, second = self.bright_field.value, self.fluorescence.value
        if first is None or second is None or first is second:
            return "Two layers are needed: bright-field and fluorescence of the same frames."
        if first.data.shape != second.data.shape:
            return (
                f"The layers have unlike shapes, {first.data.shape} and {second.data.shape}. "
                "Choose layers of the same frames."
            )
        shapes = self.shapes.value
        regions = 0 if shapes is None else len(shapes.data)
        frames = sizes_of(first).get("t", 1)
        if (reason := why_not_held_out(self.by.value, regions, frames)) is not None:
            return reason
        if not self.name.text().strip():
            return "Give the new model a name."
        if self.output().exists():
            return f"There is a model {self.name.text().strip()!r} already. Choose another name."
        return self._why_not_start_from(first) if self.fine_tune.isChecked() else None

    def _why_not_start_from(self, layer: Any) -> str | None:
        if (reason := self.start_from.why_not()) is not None:
            return reason
        if self.start_from.card is None:
            return "An add-on cannot be trained. Choose a model to start from, or begin anew."
        inputs = self.start_from.card.inputs
        if inputs.planes > 1 and inputs.axis not in axes_of(layer):
            return (
                f"{self.start_from.card.name!r} reads {inputs.planes} planes along {inputs.axis}, "
                "which the layers do not have. Choose another model, or begin anew."
            )
        return None

    def output(self) -> Any:
        """Return the model file that will be written."""
        from ..models import user_model_folder

        return user_model_folder() / f"{self.name.text().strip()}.safetensors"

    def prepare(self) -> Work:
        """Return the work of training."""
        layer, shapes = self.bright_field.value, self.shapes.value
        chosen = preferences()
        changes: dict[str, Any] = {
            "name": self.name.text().strip(),
            "steps": self.steps.value(),
            "crop_size": self.crop.value(),
            "batch_size": self.batch.value(),
            "validate_every": max(1, min(50, self.steps.value() // 10)),
            "device": chosen.device,
            "pixel_size_um": self.pixel_size.value(),
        }
        if self.fine_tune.isChecked():
            changes["init"] = str(self.start_from.value)
        request = TrainRequest(
            bright_field=layer.data,
            fluorescence=self.fluorescence.value.data,
            axes=axes_of(layer),
            rectangles=rectangles_on(layer, shapes) if shapes is not None else (),
            by=self.by.value,
            pixel_size_um=self.pixel_size.value(),
            preset=self.preset.value,
            changes=changes,
            output=self.output(),
            preferences=chosen,
            planes=self.planes.asked,
            plane_axis=self.planes.axis,
            shown=visible_index(self.viewer, layer) if self.compare_box.isChecked() else None,
        )
        self._source, self._geometry = layer.name, geometry_of(layer)
        self.curve.clear()
        self.pictures.clear()
        self._remarks: list[str] = []

        def work(context: JobContext) -> Any:
            return train_job(request, context)

        return work

    def on_items(self, items: list[Any]) -> None:
        """Draw the curve and the newest held-out picture."""
        from ..training import StepFinished, TrainingWarning, Validated

        for event in items:
            if isinstance(event, StepFinished):
                self.curve.add_loss(event.step, event.loss)
            elif isinstance(event, Validated):
                self.curve.add_score(event.step, event.scores.get("bandpass_pearson", np.nan))
                shown = event.preview
                self.pictures.show_pictures(
                    [shown.bright_field, shown.virtual, shown.fluorescence],
                    ["input", "virtual", "true"],
                )
            elif isinstance(event, Compared):
                self._show_compared(event)
            elif isinstance(event, TrainingWarning):
                self._remarks.append(event.message)
                self.remarks.setText("\n".join(self._remarks[-3:]))

    def _show_compared(self, compared: Compared) -> None:
        """Add the frame, on its place in the movie, as a layer; before lies hidden under after."""
        plane, index = compared.fluorescence, compared.index
        layer = Image(
            plane[(np.newaxis,) * len(index)],
            name=layer_name(self._source, compared.kind),
            colormap="green",
            blending="additive",
            contrast_limits=display_limits(plane),
            visible=compared.kind == "after",
            metadata=provenance("train", self._source, model=self.name.text().strip()),
            **shifted(self._geometry, (*index, 0, 0)),
        )
        if compared.kind == "after":
            hide_results(self.viewer, self._source)
        insert(self.viewer, layer)

    def on_result(self, value: Any) -> str:
        """Name the model and its held-out score."""
        told = scores_text(value.card.scores) or "no honest score can be given"
        report = f" Report: {value.report}" if value.report else ""
        return f"{value.card.name} is in the model list; {told}.{report}"

    def on_end(self, outcome: Outcome) -> None:
        """See whether the name is still free."""
        self.start_from.refresh()

    def _add_form(self, viewer: Any) -> None:
        form = new_form()
        self.bright_field = self.add_choice(
            LayerChoice(viewer, is_movie, role="bright_field", nothing="load a pair of layers")
        )
        tooltip = "What the model will see"
        add_row(form, "Bright-field", self.bright_field, tooltip, name="bright_field")
        self.fluorescence = self.add_choice(
            LayerChoice(viewer, is_movie, role="true_fluorescence", nothing="load a pair of layers")
        )
        tooltip = "What it shall learn: true fluorescence of the same frames"
        add_row(form, "True", self.fluorescence, tooltip, name="fluorescence")
        self.shapes = self.add_choice(
            LayerChoice(
                viewer,
                lambda layer: type(layer).__name__ == "Shapes",
                role="shapes",
                optional=True,
            )
        )
        tooltip = "Rectangles to learn from, best one a cell; none: the whole frames"
        add_row(form, "Regions", self.shapes, tooltip, name="shapes")
        self.by = Choice([("the last frames", "time"), ("the last region", "region")])
        tooltip = "What the model never sees and is judged on; another cell is the honest choice"
        add_row(form, "Hold out", self.by, tooltip, name="hold_out")
        self.pixel_size = NumberBox(0.08, 0.001, 100, step=0.005, decimals=4, suffix=" µm")
        add_row(form, "Pixel size", self.pixel_size, "Micrometres a pixel", name="pixel_size")
        self.fine_tune = check_box(
            "Start from a model", "Fine-tune a model instead of beginning anew", checked=True
        )
        form.addRow("", self.fine_tune)
        self.start_from = ModelChoice("generator", form, brief=True)
        self.planes = PlanesChoice()
        tooltip = (
            "Bright-field planes that the model reads for each one: its contrast turns over in "
            "focus, and the neighbours tell on which side a structure lies"
        )
        add_row(form, "Planes", self.planes, tooltip, name="planes")
        from ..training import preset_names

        self.preset = Choice([(name, name) for name in preset_names()])
        tooltip = "Method: ours, or one of the paper's Table 1"
        add_row(form, "Method", self.preset, tooltip, name="preset")
        self.steps = IntegerBox(500, 1, 1_000_000)
        add_row(form, "Steps", self.steps, "Steps of training", name="steps")
        self.crop = IntegerBox(128, 16, 2048, suffix=" px")
        add_row(form, "Crop", self.crop, "Side of the pieces that are learnt from", name="crop")
        self.batch = IntegerBox(8, 1, 1024)
        add_row(form, "Batch", self.batch, "Pieces a step; fewer need less memory", name="batch")
        self.name = QLineEdit("my-model")
        add_row(form, "Name", self.name, "Under which the model will be listed", name="model_name")
        self.compare_box = check_box(
            "Before and after",
            "Stain the visible frame with the model as it was and as it is, as two layers",
            checked=True,
            name="compare",
        )
        form.addRow("", self.compare_box)
        self.curve = TrainingCurve()
        self.pictures = FilmStrip()
        self.pictures.setToolTip("A held-out image: bright-field, virtual, true")
        self.remarks = note(name="remarks")
        self.form.addLayout(form)
        self.form.addWidget(self.curve, 1)
        self.form.addWidget(self.pictures)
        self.form.addWidget(self.remarks)

    def _on_fine_tune(self, checked: bool) -> None:
        self.start_from.set_wanted(checked)
        self._on_layers()

    def _follow_drawing(self, layer: Any) -> None:
        """Look again whenever a rectangle is drawn or deleted."""
        self._drawing.run()
        if layer is not None:
            self._drawing.connect(layer.events.data, self._on_layers)

    def _on_bright_field(self, layer: Any) -> None:
        # on a new layer only: what was typed in must not be undone
        if layer is not None and (size := sampling_of(layer).pixel_size_um):
            self.pixel_size.setValue(size)

    def _on_layers(self, *_: Any) -> None:
        layer = self.bright_field.value
        start = self.start_from.card if self.fine_tune.isChecked() else None
        self.planes.follow({} if layer is None else sizes_of(layer), start)
        self.runner.reset()
        self.render()
        if self.state.value == "idle" and self.why_not() is None:
            self.say("Ready to train.")
