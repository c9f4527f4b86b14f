"""The dock `Train virtual staining`."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from napari.layers import Image
from qtpy.QtWidgets import QFileDialog

from ...errors import InputError, VirtualStainError
from ..kit.jobs import JobContext, JobState, Outcome, Work, error_text, in_dock_terms
from ..kit.layer_region import visible_index
from ..kit.model_choice import scores_text
from ..kit.preferences import preferences
from ..layers.description import (
    geometry_of,
    layer_name,
    provenance,
    sampling_of,
    shifted,
    sizes_of,
)
from ..layers.insertion import hide_stains, insert
from ..stain.job import display_limits
from .dock_settings import ALLOW_SHARED, CORRECT_REGISTRATION, FOREGROUND, recall_settings
from .form import TrainForm
from .hold_out import SharedPixelsCheck
from .job import (
    Compared,
    TrainRequest,
    held_out_text,
    measure_job,
    why_not_split,
    write_job_folder,
)
from .kept_training import forget, keep_and_train, kept_pairs, restore, unfinished
from .own_models import next_name, why_no_file_name, why_no_name
from .sources import PairSource, pairing_text, pixel_size_text, simulated_text


class TrainWidget(TrainForm):
    """Dock that fits the generator to the user's own microscope, on an honest held-out part."""

    title = "Train virtual staining"
    tab_title = "Train"
    run_text = "Train"
    run_tooltip = "Train on the pairs; the model then appears in the list of Virtual staining"
    controls: ClassVar[Mapping[str, str]] = {
        "--allow-leakage": f"tick {ALLOW_SHARED}",
        "--correct-registration": f"tick {CORRECT_REGISTRATION}",
        "--min-foreground": f"lower {FOREGROUND} under Advanced",
    }

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__(napari_viewer)
        self._source = ""
        self._geometry: dict[str, Any] = {}
        self._request: TrainRequest | None = None
        self._sources: tuple[PairSource, ...] = ()
        self._why_no_pairs: str | None = None
        self._unfinished: Path | None = None
        self._is_new = False
        self.writer = self.add_runner()
        self.writer.conclude = self._after_writing
        self.measurer = self.add_runner()
        self.measurer.conclude = self._after_measuring
        self.shared_check = SharedPixelsCheck(self)
        self.shared_check.found.connect(self._on_shared)
        self.add_form(napari_viewer)
        self.cleanup.add(self.pairs.stop)
        self.cleanup.add(self.shared_check.canceller())
        self._connect_form()
        self._on_bright_field(self.bright_field.value)
        self._on_fine_tune(self.fine_tune.isChecked())
        self._fill_optics()
        self._propose_name()
        self._offer_unfinished()
        self._recall()

    def why_not(self) -> str | None:
        """Return why nothing can be trained now."""
        if not hasattr(self, "optics"):
            return None
        if self._why_no_pairs is not None:
            return self._why_no_pairs
        if (reason := why_not_split(self._sources, self.settings)) is not None:
            return reason
        if (reason := self.shared_check.why_not) is not None:
            return reason
        if (reason := self.why_not_planes()) or (reason := self.optics.why_not()):
            return reason
        if self.pairs.are_simulated and (reason := self.optics.why_not_simulated()) is not None:
            return reason
        if (reason := why_no_name(self.name.text().strip())) is not None:
            return reason
        if self.fine_tune.isChecked():
            return self.why_not_start_from()
        return None

    def output(self) -> Path:
        """Return the model file that will be written."""
        from ...models import user_model_folder

        return user_model_folder() / f"{self.name.text().strip()}.safetensors"

    def prepare(self) -> Work:
        """Return the work of training."""
        request = self._request_now()
        kept = kept_pairs(self.pairs.rows)
        layer = self.bright_field.value
        self._source, self._geometry = layer.name, geometry_of(layer)
        self._request = request
        self.watcher.stop()
        self.display.clear()
        self.display.setVisible(True)
        self._is_new = True

        def work(context: JobContext) -> Any:
            return keep_and_train(request, kept, context)

        return work

    def stop_and_keep(self) -> None:
        """End the training after the present step, and keep its model."""
        if self._request is not None and self.state is JobState.RUNNING:
            self._request.stop.cancel()
            self.stop_button.setEnabled(False)
            self.say("Stopping after this step; the model is judged and kept.")

    def on_items(self, items: list[Any]) -> None:
        """Draw the curves and the newest held-out picture."""
        from ...training import TrainingPrepared, TrainingWarning

        for event in items:
            if isinstance(event, Compared):
                self._show_compared(event)
            elif isinstance(event, TrainingWarning):
                self.display.remark(in_dock_terms(event.message, self.controls))
            else:
                self.display.follow(event)
                if isinstance(event, TrainingPrepared) and self._is_new:
                    self._is_new = False
                    self.area.show_filled(self.display.curve)

    def on_result(self, value: Any) -> str:
        """Name the model and its held-out score."""
        from ...training import training_folder

        forget(training_folder(value.path))
        sentence = self._show_outcome(value)
        if self._request is not None and self._request.settings.simulate:
            sentence += ", on simulated scenes: judge it on a pair of your own before you measure"
        return f"{value.card.name} is in the model list after {self.took_text()}; {sentence}."

    def _show_outcome(self, result: Any) -> str:
        """Show table, sentence and worst images; return the held-out score in words."""
        self.display.outcome.show_result(result)
        self.area.show_filled(self.display.outcome)
        return scores_text(result.card.scores) or "no honest score can be given"

    def on_end(self, outcome: Outcome) -> None:
        """See whether the name is still free, or the training can go on."""
        self.start_from.refresh()
        self.own_models.refresh()
        self._follow()
        if outcome.error is None:
            self._propose_name()
        elif outcome.cancelled and self._is_unfinished():
            self.say("Cancelled. Train goes on from here, or begins again if Resume is unticked.")

    def render(self) -> None:
        """Also say whether the training can be ended with its model."""
        super().render()
        if hasattr(self, "stop_button"):
            running = self.state is JobState.RUNNING
            stopped = self._request is not None and self._request.stop.cancelled
            folds = self._request is not None and self._request.settings.folds is not None
            self.stop_button.setVisible(running)
            self.stop_button.setEnabled(running and not stopped and not folds)
            self.stop_button.setToolTip(
                "A cross-validation has no final model before its last training"
                if folds
                else "Stop after the current step, judge the model and keep it"
            )
            idle = not self.working.is_active
            self.job_button.setEnabled(self.run_button.isEnabled() and idle)
            self.registration.measure_button.setEnabled(self.run_button.isEnabled() and idle)

    def tear_down(self) -> None:
        """Let go of the folder that is watched, too."""
        if not self._closed:
            self.watcher.stop()
            self.shared_check.abandon()
        super().tear_down()

    def write_job(self, folder: Path) -> None:
        """Write the training as a folder that runs elsewhere."""
        if (reason := self.why_not()) is not None:
            self.say(reason)
            return
        request = self._request_now()

        def work(context: JobContext) -> Any:
            return write_job_folder(request, folder, context)

        self.writer.start(work, "Write job folder")

    def measure_shifts(self) -> None:
        """Measure the shift between the channels."""
        if (reason := self.why_not()) is not None:
            self.say(reason)
            return
        request = self._request_now()

        def work(context: JobContext) -> Any:
            return measure_job(request, context)

        self.say("Measuring the shift between the channels")
        self.measurer.start(work, "Measure shifts")

    def _after_measuring(self, outcome: Outcome) -> Outcome:
        if outcome.error is not None:
            self.say(error_text(outcome.error, self.controls))
        else:
            self.registration.show_found(outcome.value)
            found = outcome.value.values()
            known = "measured" if any(one.is_certain for one in found) else "unknown"
            faults = [one.text for one in found if one.problem]
            self.say(
                (faults or [f"the shift between the channels is {known}"])[0].capitalize() + "."
            )
            if self.registration.isVisible():
                self.area.show_filled(self.registration.text)
        return outcome

    def go_on_with(self, model: Path) -> None:
        """Restore layers, regions and settings of a training that was stopped."""
        from ...training import training_folder

        try:
            pairs = restore(training_folder(model), self.viewer)
        except InputError as error:
            self.say(error_text(error))
            return
        while len(self.pairs.rows) > max(1, len(pairs)):
            self.pairs.remove()
        for number, layers in enumerate(pairs):
            row = self.pairs.rows[number] if number < len(self.pairs.rows) else self.pairs.add()
            for role, layer in layers.items():
                choice = getattr(row, role)
                choice.refresh()
                choice.value = layer
        self.name.setText(model.stem)
        if (known := recall_settings(model)) is not None:
            self.load_settings(known)
        self.resume.setChecked(True)
        self._on_layers()
        if self.why_not() is None:
            self.say(f"Layers, regions and settings of {model.stem} are back. Train goes on.")

    def _request_now(self) -> TrainRequest:
        layer = self.bright_field.value
        return TrainRequest(
            sources=self.pairs.sources(),
            settings=self.settings,
            output=self.output(),
            preferences=preferences(),
            shown=visible_index(self.viewer, layer),
            resume=self.resume.isChecked() and self._is_unfinished(),
        )

    def _show_compared(self, compared: Compared) -> None:
        """Add the frame, on its place in the movie, as a layer; before lies hidden under after."""
        plane, index = compared.fluorescence, compared.index
        settings = self._request.settings.model_dump() if self._request is not None else {}
        layer = Image(
            plane[(np.newaxis,) * len(index)],
            name=layer_name(self._source, compared.kind),
            colormap="green",
            blending="additive",
            contrast_limits=display_limits(plane),
            visible=compared.kind == "after",
            metadata=provenance("train", self._source, model=self.output().stem, settings=settings),
            **shifted(self._geometry, (*index, 0, 0)),
        )
        if compared.kind == "after":
            hide_stains(self.viewer, self._source)
        insert(self.viewer, layer)

    def _connect_form(self) -> None:
        self.pairs.changed.connect(self._on_layers)
        self.bright_field.chosen.connect(self._on_bright_field)
        self.fluorescence.chosen.connect(self._fill_optics)
        self.hold_out.changed.connect(self._on_layers)
        self.effort.changed.connect(self._on_layers)
        self.preset.activated.connect(self._on_preset)
        self.advanced.changed.connect(self._on_layers)
        self.optics.changed.connect(self._on_layers)
        self.pixel_size.valueChanged.connect(self._on_pixel_size)
        self.name.textChanged.connect(self._on_layers)
        self.name.editingFinished.connect(self._recall)
        self.fine_tune.toggled.connect(self._on_fine_tune)
        self.start_from.changed.connect(self._on_start)
        self.own_models.changed.connect(self._on_models)
        self.watcher.finished.connect(self._on_job_done)
        self.watcher.said.connect(self.say)

    def _on_preset(self, _index: int) -> None:
        from ...training import preset

        self.advanced.take_preset(preset(self.effort.method))

    def _on_fine_tune(self, checked: bool) -> None:
        self.start_from.set_wanted(checked)
        self._on_layers()

    def _on_start(self, *_: Any) -> None:
        self._fill_optics()
        self._on_layers()

    def _on_models(self) -> None:
        self.start_from.refresh()
        self._on_layers()

    def _on_pixel_size(self, _value: float) -> None:
        self.optics.follow()
        self._on_layers()

    def _fill_optics(self, *_: Any) -> None:
        card = self.start_from.card if self.fine_tune.isChecked() else None
        self.optics.fill(self.fluorescence.value, card)

    def _on_bright_field(self, layer: Any) -> None:
        # on a new layer only: what was typed in must not be undone
        if layer is not None and (size := sampling_of(layer).pixel_size_um):
            self.pixel_size.setValue(size)

    def _on_layers(self, *_: Any) -> None:
        if self._closed:
            return
        self._read_pairs()
        self._follow()
        self.shared_check.follow(self._sources, self.hold_out)
        self.runner.reset()
        self.render()
        if self.state.value == "idle" and self.why_not() is None:
            replaced = self.start_from.replaced if self.fine_tune.isChecked() else ""
            self.say(f"{replaced} Ready to train.".strip())

    def _on_shared(self, reason: str) -> None:
        """Say that held-out regions show what trains; a training that runs says it itself."""
        if not self.state.is_active:
            self.render()
            self.say(reason)

    def _read_pairs(self) -> None:
        """Look at layers and regions once, for all that depends on them."""
        self.hold_out.show_rows(not self.pairs.are_simulated)
        self.registration_section.setVisible(not self.pairs.are_simulated)
        try:
            self._sources, self._why_no_pairs = self.pairs.sources(), None
        except InputError as error:
            self._sources, self._why_no_pairs = (), str(error)
        regions = sum(len(source.regions) for source in self._sources)
        marked = self.pairs.marks_any
        if self.pairs.are_simulated:
            number = self.advanced.rows.given["simulated_pairs"]
            self.pairs.summary.setText(simulated_text(self._sources, number))
            self.pairs.summary.setVisible(True)
            return
        if len(self._sources) > 1 and not marked:
            self.hold_out.suggest("pair")
        else:
            self.hold_out.suggest("region" if regions > 1 else "time")
        text = ""
        if self._sources:
            try:
                settings = self.settings
            except ValueError:  # a field is out of its range while it is typed in
                return
            problem = why_not_split(self._sources, settings)
            text = pairing_text(
                self._sources,
                "" if problem else held_out_text(self._sources, settings),
                unit="plane" if "z" in self._sources[0].axes else "frame",
                crop_size=settings.crop_size,
            )
            text = f"{text}\n{self._pixel_size_text()}".strip()
        self.pairs.summary.setText(text)
        self.pairs.summary.setVisible(bool(text))

    def _pixel_size_text(self) -> str:
        card = self.start_from.card if self.fine_tune.isChecked() else None
        stated_um = sampling_of(self.bright_field.value).pixel_size_um
        return pixel_size_text(self.pixel_size.value(), stated_um, card)

    def _follow(self) -> None:
        """Offer what fits the layers, the model to start from, and what was stopped."""
        layer = self.bright_field.value
        sizes = {} if layer is None else sizes_of(layer)
        self.planes.follow(sizes, self.start_from.card if self.fine_tune.isChecked() else None)
        parts = {
            "time": min((source.sizes.get("t", 1) for source in self._sources), default=1),
            "region": sum(len(source.regions) for source in self._sources),
            "pair": len(self._sources),
        }[self.hold_out.by]
        steps, minutes = self.advanced.rows.given["steps"], self.effort.minutes.value()
        limit = f"at most {minutes:g} min" if minutes else "as many steps as the data is worth"
        each = f"{steps} steps" if steps else limit
        self.hold_out.follow(parts, each)
        self.resume.setVisible(self._is_unfinished())

    def _is_unfinished(self) -> bool:
        from ...training import is_unfinished

        usable = why_no_file_name(self.name.text().strip()) is None
        return usable and is_unfinished(self.output())

    def _propose_name(self) -> None:
        """Propose the next free name, but that of a training that can go on."""
        from ...models import user_model_folder

        taken = [path.stem for path in user_model_folder().glob("*.safetensors")]
        self.name.setText(next_name(self.name.text().strip() or "my-model", taken))

    def _offer_unfinished(self) -> None:
        """Offer the newest training that was stopped."""
        from ...models import user_model_folder

        found = unfinished(user_model_folder())
        self._unfinished = found[-1] if found else None
        self.offer.setVisible(bool(found))
        if found:
            self.going_on.setText(f"The training of {found[-1].stem} was stopped.")

    def go_on_with_unfinished(self) -> None:
        """Go on with the training that is offered."""
        if self._unfinished is not None:
            self.offer.setVisible(False)
            self.go_on_with(self._unfinished)

    def _recall(self) -> None:
        """Fill in the settings of a training of this name that was stopped on another day."""
        if self.state.is_active or not self._is_unfinished():
            return
        known = recall_settings(self.output())
        if known is not None and known != self.settings:
            self.load_settings(known)
            how = "Train goes on with it, or begins again if Resume training is not ticked."
            if not self._sources and self._unfinished == self.output():
                how = "Continue brings its layers and regions back."
            stem = self.output().stem
            self.say(f"The training of {stem} was stopped. Its settings were filled in: {how}")

    def ask_job_folder(self) -> None:
        """Ask for a folder, and write the training into it."""
        folder = QFileDialog.getExistingDirectory(self, "Empty folder for the job")
        if folder:
            self.write_job(Path(folder))

    def ask_watch(self) -> None:
        """Ask for a job folder, and watch it."""
        folder = QFileDialog.getExistingDirectory(self, "Folder of the job")
        if folder:
            self.watch(Path(folder))

    def watch(self, folder: Path) -> None:
        """Show the curve of a job that runs elsewhere, and take its model when it is done."""
        try:
            self.watcher.start(folder, self.display)
        except VirtualStainError as error:
            self.say(error_text(error))
        else:
            self.area.show_filled(self.display.curve)

    def _after_writing(self, outcome: Outcome) -> Outcome:
        if outcome.error is not None:
            self.say(error_text(outcome.error, self.controls))
        else:
            self.say(
                f"Written. On the other computer: virtualstain train --job "
                f"{shlex.quote(str(outcome.value.folder))}. Then choose Watch job folder."
            )
        return outcome

    def _on_job_done(self, outcome: Any) -> None:
        self.start_from.refresh()
        self.own_models.refresh()
        self._propose_name()
        if isinstance(outcome, Path):
            self.say(f"{outcome.stem} was trained elsewhere and is in the model list.")
            return
        for warning in outcome.warnings:
            self.display.remark(in_dock_terms(warning, self.controls))
        name, sentence = outcome.path.stem, self._show_outcome(outcome)
        self.say(f"{name} was trained elsewhere and is in the model list; {sentence}.")
