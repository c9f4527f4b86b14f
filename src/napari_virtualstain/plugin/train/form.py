"""The form of the dock `Train virtual staining`: its rows, and its settings as one value."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qtpy.QtWidgets import QLineEdit

from ...settings import TrainSettings
from ..kit.controls import add_row, button, check_box, in_row, new_form, note
from ..kit.model_choice import ModelChoice
from ..kit.sampling_rows import pixel_size_row
from ..kit.section import Section
from ..kit.settings_form import SettingsForm
from ..kit.step import StepWidget
from ..layers.description import axes_of
from .display import TrainingDisplay
from .dock_settings import DockSettings
from .effort_rows import AdvancedRows, EffortRows
from .hold_out import HoldOutChoice
from .optics_panel import OpticsPanel
from .own_models import OwnModels
from .pair_rows import PairRows
from .registration_panel import RegistrationPanel
from .watched_job import JobWatcher


class TrainForm(StepWidget):
    """A dock with the rows of a training; what its buttons do is left to the dock itself."""

    def showEvent(self, event: Any) -> None:
        """Order the tab key; widgets take an order only when they are in one window."""
        self.pairs.order_tabs()
        super().showEvent(event)

    def measure_shifts(self) -> None:
        """Measure the shift between the channels."""
        raise NotImplementedError

    def stop_and_keep(self) -> None:
        """End the training early, with its model."""
        raise NotImplementedError

    def go_on_with_unfinished(self) -> None:
        """Go on with the training that is offered."""
        raise NotImplementedError

    def ask_job_folder(self) -> None:
        """Ask for a folder, and write the training into it."""
        raise NotImplementedError

    def ask_watch(self) -> None:
        """Ask for a job folder, and watch it."""
        raise NotImplementedError

    @property
    def bright_field(self) -> Any:
        """The bright-field of the first pair."""
        return self.pairs.first.bright_field

    @property
    def fluorescence(self) -> Any:
        """The true fluorescence of the first pair."""
        return self.pairs.first.fluorescence

    @property
    def shapes(self) -> Any:
        """The regions of the first pair."""
        return self.pairs.first.shapes

    @property
    def settings(self) -> DockSettings:
        """What the form says, but for the layers and the name."""
        start = self.start_from.value if self.fine_tune.isChecked() else None
        simulates = self.pairs.are_simulated
        shown = {name: value for rows in self._forms for name, value in rows.given.items()}
        return DockSettings(
            **shown,
            **self.advanced.planes.given,
            simulate=simulates,
            by=self.hold_out.by,
            folds=None if simulates else self.hold_out.folds,
            pixel_size_um=self.pixel_size.value(),
            init=start or "",
            device=self.advanced.device.value,
            each_frame=self.pairs.each_frame.isChecked(),
            compare=self.compare_box.isChecked(),
        )

    def load_settings(self, settings: DockSettings) -> None:
        """Fill the form, as far as layers and models of the moment allow."""
        self.pairs.simulate_box.setChecked(settings.simulate)
        self.hold_out.load(settings)
        self.pixel_size.setValue(settings.pixel_size_um)
        self.fine_tune.setChecked(bool(settings.init))
        if settings.init:
            self.start_from.value = settings.init
        for rows in self._forms:
            rows.show({name: getattr(settings, name) for name in rows.widgets})
        self.advanced.planes.load(settings)
        self.advanced.device.value = settings.device
        self.pairs.each_frame.setChecked(settings.each_frame)
        self.compare_box.setChecked(settings.compare)

    @property
    def _forms(self) -> tuple[SettingsForm[Any], ...]:
        """Forms of plain settings, wherever they are in the dock."""
        return (
            self.hold_out.rows,
            *self.effort.forms,
            *self.optics.forms,
            self.registration_rows,
            self.advanced.rows,
        )

    def why_not_planes(self) -> str | None:
        """Return why the planes asked for cannot be read, None when they can."""
        planes, layer = self.advanced.planes, self.bright_field.value
        if planes.asked in (None, 1):
            return None
        if self.pairs.are_simulated:
            return "Simulated pairs have one plane each. Choose one under Planes."
        if layer is None or planes.axis in axes_of(layer):
            return None
        return f"Planes along {planes.axis} were asked for, which the layers do not have."

    def why_not_start_from(self) -> str | None:
        """Return why the model to start from cannot be used, None when it can."""
        layer = self.bright_field.value
        if (reason := self.start_from.why_not()) is not None:
            return reason
        if self.start_from.card is None:
            return "An add-on cannot be trained. Choose a model to start from, or begin without."
        value = self.start_from.value
        if value is None or not Path(value).exists():
            return f"The model to start from is gone: {value!r}. Choose another one."
        inputs = self.start_from.card.inputs
        if inputs.planes > 1 and self.pairs.are_simulated:
            return (
                f"{self.start_from.card.name!r} reads {inputs.planes} planes, and simulated pairs "
                "have one. Choose another model, or begin without one."
            )
        if inputs.planes > 1 and inputs.axis not in axes_of(layer):
            return (
                f"{self.start_from.card.name!r} reads {inputs.planes} planes along {inputs.axis}, "
                "which the layers do not have. Choose another model, or begin without one."
            )
        return None

    def add_form(self, viewer: Any) -> None:
        """Add all rows."""
        self.going_on = note(name="unfinished")
        self.resume_button = button(
            "Continue",
            "Restore layers, regions and settings, and continue",
            self.go_on_with_unfinished,
            name="resume_button",
        )
        self.offer = in_row(self.going_on, self.resume_button, stretch=0)
        self.form.addWidget(self.offer)
        self.pairs = PairRows(viewer, self.add_choice, self.say)
        self.form.addWidget(self.pairs)
        self._add_main_rows()
        self._add_sections(viewer)
        self.display = TrainingDisplay()
        self.display.setVisible(False)
        self.form.addWidget(self.display, 1)
        self.form.addStretch(0)
        self.stop_button = button("Stop and keep", "", self.stop_and_keep, name="stop_button")
        self.stop_button.setVisible(False)
        self.layout().insertWidget(self.layout().count() - 1, self.stop_button)

    def _add_main_rows(self) -> None:
        form = new_form()
        self.hold_out = HoldOutChoice(form)
        self.pixel_size = pixel_size_row(form)
        self.fine_tune = check_box(
            "Start from a model", "Fine-tune a model instead of training a new one", checked=True
        )
        form.addRow("", self.fine_tune)
        self.start_from = ModelChoice("generator", form, brief=True)
        self.form.addLayout(form)
        self.effort = EffortRows()
        self.preset = self.effort.preset
        self.form.addWidget(self.effort)
        named = new_form()
        self.name = QLineEdit("my-model")
        add_row(named, "Name", self.name, "Name in the list of models", name="model_name")
        self.resume = check_box(
            "Resume training",
            "Go on with the unfinished training of this name; layers, regions and settings must be "
            "the same. Untick to begin again",
            checked=True,
            name="resume",
        )
        named.addRow("", self.resume)
        self.form.addLayout(named)

    def _add_sections(self, viewer: Any) -> None:
        mine = Section("My models", "Compare, rename, delete", name="my_models")
        self.own_models = OwnModels()
        mine.room.addWidget(self.own_models)
        self.registration_section = self._registration_section(viewer)
        for section in (
            self._optics_section(viewer),
            self.registration_section,
            self._advanced_section(),
            self._elsewhere_section(),
            mine,
        ):
            self.form.addWidget(section)

    def _optics_section(self, viewer: Any) -> Section:
        self.optics = OpticsPanel(
            viewer, lambda: self.fluorescence.value, self.pixel_size.value, self.say
        )
        section = Section("Optics and weight map", "Kernel of the PSF-weighted loss", name="optics")
        section.room.addWidget(self.optics)
        section.heading.toggled.connect(self.optics.open)
        return section

    def _registration_section(self, viewer: Any) -> Section:
        self.registration = RegistrationPanel(
            viewer, lambda: self.fluorescence.value, self.measure_shifts
        )
        section = Section("Registration", "Shift between the channels", name="registration")
        section.room.addWidget(self.registration)
        correction = new_form()
        self.registration_rows = SettingsForm(
            TrainSettings, correction, names=["correct_registration"]
        )
        self.correct_registration = self.registration_rows["correct_registration"].native
        section.room.addLayout(correction)
        return section

    def _advanced_section(self) -> Section:
        section = Section("Advanced", "Steps, crops, planes, device", name="advanced")
        self.advanced = AdvancedRows()
        self.steps, self.crop, self.batch = (
            self.advanced.steps,
            self.advanced.crop,
            self.advanced.batch,
        )
        self.planes = self.advanced.planes
        self.compare_box = check_box(
            "Before and after",
            "Stain the visible frame with the model before and after training, as two layers",
            checked=True,
            name="compare",
        )
        section.room.addWidget(self.advanced)
        section.room.addWidget(self.compare_box)
        return section

    def _elsewhere_section(self) -> Section:
        section = Section("Train elsewhere", "Workstation or cluster", name="elsewhere")
        self.job_button = button(
            "Write job folder…",
            "Write pairs, settings and starting model to a folder that "
            "'virtualstain train --job FOLDER' runs on another computer",
            self.ask_job_folder,
            name="write_job",
        )
        self.watch_button = button(
            "Watch job folder…",
            "Show the curve of a job that runs elsewhere, and take its model when it is done",
            self.ask_watch,
            name="watch_job",
        )
        self.watcher = JobWatcher(self)
        section.room.addWidget(in_row(self.job_button, self.watch_button, stretch=None))
        return section
