"""The dock `Train virtual staining`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from napari.layers import Image
from qtpy.QtWidgets import QFormLayout, QLineEdit

from ...errors import InputError
from ..kit.cleanup import Cleanup
from ..kit.controls import Choice, IntegerBox, add_row, check_box, new_form, note
from ..kit.jobs import JobContext, Outcome, Work, in_dock_terms
from ..kit.layer_choice import LayerChoice
from ..kit.model_choice import ModelChoice, scores_text
from ..kit.preferences import preferences
from ..kit.regions import rectangles_on, visible_index
from ..kit.sampling_rows import pixel_size_row
from ..kit.step import StepWidget
from ..kit.suitable_layers import is_movie
from ..layers.description import (
    axes_of,
    geometry_of,
    layer_name,
    provenance,
    sampling_of,
    shifted,
    sizes_of,
)
from ..layers.insertion import hide_results, insert
from ..stain.job import display_limits
from .display import TrainingDisplay
from .hold_out import HoldOutChoice
from .job import Compared, TrainRequest, train_job, why_not_held_out, why_shared
from .planes_choice import PlanesChoice
from .settings import ALLOW_SHARED, CORRECT_SHIFTS, TrainSettings, recall_settings


class TrainWidget(StepWidget):
    """Fits the generator to the user's own microscope, on an honest held-out part."""

    title = "Train virtual staining"
    tab_title = "Train"
    run_text = "Train"
    run_tooltip = "Train on the two layers; the model is in the list of Virtual staining at once"
    controls: ClassVar[Mapping[str, str]] = {
        "--allow-leakage": f"tick {ALLOW_SHARED}",
        "--correct-registration": f"tick {CORRECT_SHIFTS}",
    }

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
        self.hold_out.changed.connect(self._on_layers)
        self.steps.valueChanged.connect(lambda _steps: self._on_layers())
        self.name.textChanged.connect(lambda _text: self._on_layers())
        self.name.editingFinished.connect(self._recall)
        self.fine_tune.toggled.connect(self._on_fine_tune)
        self.start_from.changed.connect(self._on_layers)
        self._on_bright_field(self.bright_field.value)
        self._on_fine_tune(self.fine_tune.isChecked())
        self._recall()

    @property
    def settings(self) -> TrainSettings:
        """What the form says, but for the layers and the name."""
        return TrainSettings(
            by=self.hold_out.by,
            folds=self.hold_out.folds,
            allow_leakage=self.hold_out.shared.isChecked(),
            correct_shifts=self.correct_shifts.isChecked(),
            pixel_size_um=self.pixel_size.value(),
            start_from=self.start_from.value if self.fine_tune.isChecked() else None,
            preset=self.preset.value,
            planes=self.planes.value,
            steps=self.steps.value(),
            crop_size=self.crop.value(),
            batch_size=self.batch.value(),
            compare=self.compare_box.isChecked(),
        )

    def load_settings(self, settings: TrainSettings) -> None:
        """Fill the form, as far as layers and models of the moment allow."""
        self.hold_out.load(settings)
        self.correct_shifts.setChecked(settings.correct_shifts)
        self.pixel_size.setValue(settings.pixel_size_um)
        self.fine_tune.setChecked(settings.start_from is not None)
        if settings.start_from is not None:
            self.start_from.value = settings.start_from
        self.preset.value = settings.preset
        self.planes.load(settings.planes)
        self.steps.setValue(settings.steps)
        self.crop.setValue(settings.crop_size)
        self.batch.setValue(settings.batch_size)
        self.compare_box.setChecked(settings.compare)

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
        if (reason := self._why_not_held_out(first)) is not None:
            return reason
        if not self.name.text().strip():
            return "Give the new model a name."
        if self.output().exists():
            return f"There is a model {self.name.text().strip()!r} already. Choose another name."
        return self._why_not_start_from(first) if self.fine_tune.isChecked() else None

    def _why_not_held_out(self, layer: Any) -> str | None:
        by, frames = self.hold_out.by, sizes_of(layer).get("t", 1)
        if (reason := why_not_held_out(by, self._region_count(), frames)) is not None:
            return reason
        try:
            return why_shared(self.settings, self._rectangles(layer))
        except InputError as error:
            return str(error)

    def _region_count(self) -> int:
        return 0 if self.shapes.value is None else len(self.shapes.value.data)

    def _rectangles(self, layer: Any) -> tuple[tuple[int, int, int, int], ...]:
        shapes = self.shapes.value
        return () if shapes is None else rectangles_on(layer, shapes)

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
        from ...models import user_model_folder

        return user_model_folder() / f"{self.name.text().strip()}.safetensors"

    def prepare(self) -> Work:
        """Return the work of training."""
        layer = self.bright_field.value
        request = TrainRequest(
            bright_field=layer.data,
            fluorescence=self.fluorescence.value.data,
            axes=axes_of(layer),
            rectangles=self._rectangles(layer),
            settings=self.settings,
            output=self.output(),
            preferences=preferences(),
            shown=visible_index(self.viewer, layer),
            resume=self.resume.isChecked() and self._is_unfinished(),
        )
        self._source, self._geometry = layer.name, geometry_of(layer)
        self._asked = request.settings
        self.display.clear()
        self.area.ensureWidgetVisible(self.display)

        def work(context: JobContext) -> Any:
            return train_job(request, context)

        return work

    def on_items(self, items: list[Any]) -> None:
        """Draw the curve and the newest held-out picture."""
        from ...training import TrainingWarning

        for event in items:
            if isinstance(event, Compared):
                self._show_compared(event)
            elif isinstance(event, TrainingWarning):
                self.display.remark(in_dock_terms(event.message, self.controls))
            else:
                self.display.follow(event)

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
            metadata=provenance(
                "train",
                self._source,
                model=self.name.text().strip(),
                settings=self._asked.model_dump(),
            ),
            **shifted(self._geometry, (*index, 0, 0)),
        )
        if compared.kind == "after":
            hide_results(self.viewer, self._source)
        insert(self.viewer, layer)

    def on_result(self, value: Any) -> str:
        """Name the model and its held-out score."""
        scores = value.card.scores
        told = scores_text(scores) or "no honest score can be given"
        if not scores.get("independent", True):
            told += "; images that judged share pixels with those that trained"
        report = f" Report: {value.report}" if value.report else ""
        return f"{value.card.name} is in the model list; {told}.{report}"

    def on_end(self, outcome: Outcome) -> None:
        """See whether the name is still free, or the training can go on."""
        self.start_from.refresh()
        self._follow()
        if outcome.cancelled and self._is_unfinished():
            self.say("Cancelled. Train goes on from here, or anew if Resume training is unticked.")

    def _add_form(self, viewer: Any) -> None:
        form = new_form()
        self._add_data(form, viewer)
        self.hold_out = HoldOutChoice(form)
        self._add_start(form)
        self._add_effort(form)
        self._add_output(form)
        self.form.addLayout(form)
        self.display = TrainingDisplay()
        self.form.addWidget(self.display, 1)

    def _add_data(self, form: QFormLayout, viewer: Any) -> None:
        """Add what is learnt from."""
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
        self.pixel_size = pixel_size_row(form)
        self.correct_shifts = check_box(
            CORRECT_SHIFTS,
            "Undo shifts between the two channels, in the frames where the evidence suffices",
            name="correct_shifts",
        )
        form.addRow("", self.correct_shifts)

    def _add_start(self, form: QFormLayout) -> None:
        """Add what training begins with."""
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

    def _add_effort(self, form: QFormLayout) -> None:
        """Add how is trained, and for how long."""
        from ...training import preset_names

        self.preset = Choice([(name, name) for name in preset_names()])
        tooltip = "Method: ours, or one of the paper's Table 1"
        add_row(form, "Method", self.preset, tooltip, name="preset")
        self._method_note = note(name="method_note")
        form.addRow(self._method_note)
        self.preset.currentIndexChanged.connect(self._on_preset)
        self._on_preset()
        self.steps = IntegerBox(500, 1, 1_000_000)
        add_row(form, "Steps", self.steps, "Steps of training", name="steps")
        self.crop = IntegerBox(128, 16, 2048, suffix=" px")
        add_row(form, "Crop", self.crop, "Side of the pieces that are learnt from", name="crop")
        self.batch = IntegerBox(8, 1, 1024)
        add_row(form, "Batch", self.batch, "Pieces a step; fewer need less memory", name="batch")

    def _on_preset(self, _index: int = 0) -> None:
        from ...training import preset_sentence

        self._method_note.setText(preset_sentence(self.preset.value))

    def _add_output(self, form: QFormLayout) -> None:
        """Add what comes out, and whether it was begun already."""
        self.name = QLineEdit("my-model")
        add_row(form, "Name", self.name, "Under which the model will be listed", name="model_name")
        self.resume = check_box(
            "Resume training",
            "Go on with the unfinished training of this name; layers, regions and settings must be "
            "the same. Untick to begin anew",
            checked=True,
            name="resume",
        )
        form.addRow("", self.resume)
        self.compare_box = check_box(
            "Before and after",
            "Stain the visible frame with the model as it was and as it is, as two layers",
            checked=True,
            name="compare",
        )
        form.addRow("", self.compare_box)

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
        self._follow()
        self.runner.reset()
        self.render()
        if self.state.value == "idle" and self.why_not() is None:
            self.say("Ready to train.")

    def _follow(self) -> None:
        """Offer what fits the layers, the model to start from, and what was stopped."""
        layer = self.bright_field.value
        sizes = {} if layer is None else sizes_of(layer)
        self.planes.follow(sizes, self.start_from.card if self.fine_tune.isChecked() else None)
        is_region = self.hold_out.by == "region"
        parts = self._region_count() if is_region else sizes.get("t", 1)
        self.hold_out.follow(parts, self.steps.value())
        self.resume.setVisible(self._is_unfinished())

    def _is_unfinished(self) -> bool:
        from ...training import is_unfinished

        return bool(self.name.text().strip()) and is_unfinished(self.output())

    def _recall(self) -> None:
        """Fill in the settings of a training of this name that was stopped on another day."""
        if self.state.is_active or not self._is_unfinished():
            return
        known = recall_settings(self.output())
        if known is not None and known != self.settings:
            self.load_settings(known)
            self.say(
                f"The training of {self.output().stem} was stopped. Its settings were filled in: "
                "Train goes on with it, or begins anew if Resume training is not ticked."
            )
