"""The dock `Evaluate staining`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtWidgets import QFileDialog, QFormLayout

from ...errors import InputError, VirtualStainError
from ..kit.controls import add_row, button, in_row, new_form, note
from ..kit.jobs import JobContext, Work, error_text
from ..kit.layer_choice import LayerChoice
from ..kit.sampling_rows import pixel_size_row
from ..kit.step import StepWidget
from ..kit.suitable_layers import is_movie
from ..kit.table import FrameTable
from ..layers.description import (
    provenance_of,
    sampling_of,
    source_of,
    stack_of,
    still_there,
    unwrap,
)
from .common_part import common_part
from .running_control import RunningControl

if TYPE_CHECKING:
    import pandas as pd

    from ...pipeline import MovieScore

SHOWN = ["bandpass_pearson", "pearson", "ssim", "psnr", "kl", "nrmse", "mask_iou"]


class EvaluateWidget(StepWidget):
    """Dock that scores a virtual stain against the true fluorescence, frame by frame."""

    title = "Evaluate staining"
    tab_title = "Evaluate"
    run_text = "Evaluate"
    run_tooltip = "Compare the two layers frame by frame"

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__(napari_viewer)
        self._shown_layer: Any = None
        form = new_form()
        self._add_layers(napari_viewer, form)
        self.form.addLayout(form)
        self._add_results()
        self.predicted.chosen.connect(self._on_predicted)
        self.reference.chosen.connect(self._on_layers)
        self.table.row_entered.connect(self._go_to_frame)
        self._on_layers()

    def _add_layers(self, napari_viewer: Any, form: QFormLayout) -> None:
        self.predicted = self.add_choice(
            LayerChoice(napari_viewer, is_movie, role="fluorescence", nothing="stain a movie first")
        )
        add_row(form, "Virtual", self.predicted, "The stained layer", name="predicted")
        self.reference = self.add_choice(
            LayerChoice(
                napari_viewer,
                is_movie,
                role="true_fluorescence",
                nothing="choose true fluorescence",
                proposes=self._may_be_true,
            )
        )
        add_row(form, "True", self.reference, "Fluorescence of the same frames", name="reference")
        self.pixel_size = pixel_size_row(form)

    def _add_results(self) -> None:
        self.summary = note(name="summary")
        self.table = FrameTable()
        self.table.setToolTip("One row per frame; double-click or Enter goes to the frame")
        self.table.setAccessibleName("Scores of each frame")
        self.report_button = button(
            "Report…",
            "Evaluate, and write a page with plots and baselines to a folder",
            self._ask_for_report,
            name="report_button",
        )
        self._report: Path | None = None
        self.save_button = button("Save CSV…", "Save the table", self._save, name="save_button")
        self.form.addWidget(self.summary)
        self.control = RunningControl()
        self.form.addWidget(self.control)
        self.form.addWidget(self.table, 1)
        self.form.addWidget(in_row(self.save_button, self.report_button))

    def why_not(self) -> str | None:
        """Return why nothing can be compared now."""
        predicted, reference = self.predicted.value, self.reference.value
        if predicted is None or reference is None:
            return "Two layers are needed: a virtual stain and the true fluorescence."
        if predicted is reference:
            return "Both layers are the same. Choose the true fluorescence under True."
        if unwrap(source_of(self.viewer, predicted)) is unwrap(reference):
            return (
                f"{reference.name!r} is the bright-field. Choose the true fluorescence under True."
            )
        try:
            common_part(predicted, reference)
        except InputError as error:
            return str(error)
        return None

    def _may_be_true(self, layer: Any) -> bool:
        """Whether a layer can be the truth of the chosen stain: no result and not its source."""
        predicted = self.predicted.value
        return (
            layer is not predicted
            and layer is not unwrap(source_of(self.viewer, predicted))
            and provenance_of(layer).get("step") not in ("stain", "preview", "compare")
        )

    def prepare(self) -> Work:
        """Return the work of scoring."""
        size_um, light = self.pixel_size.value(), self._bright_field()
        common = common_part(self.predicted.value, self.reference.value)
        predicted = stack_of(self.predicted.value, pixel_size_um=size_um)
        reference = stack_of(self.reference.value, pixel_size_um=size_um)
        bright_field = None if light is None else stack_of(light, pixel_size_um=size_um)
        if not common.is_whole:
            predicted = replace(predicted, data=common.of_first(predicted.data))
            reference = replace(reference, data=common.of_second(reference.data))
            if bright_field is not None:
                bright_field = replace(bright_field, data=common.of_first(bright_field.data))
        self._shown_layer, self._common = self.predicted.value, common
        folder, self._report = self._report, None

        def work(context: JobContext) -> MovieScore:
            from ...pipeline import score_movie

            return score_movie(
                predicted,
                reference,
                folder,
                bright_field=bright_field,
                overwrite=True,
                progress=context.progress,
                cancel=context.cancel,
            )

        return work

    def _bright_field(self) -> Any:
        """Return the layer that was stained, as a trivial baseline, if it is still there."""
        layer = source_of(self.viewer, self.predicted.value)
        is_fitting = layer is not None and layer.data.shape == self.predicted.value.data.shape
        return layer if is_fitting else None

    def on_result(self, value: MovieScore) -> str:
        """Fill the table."""
        table = value.table
        first = [name for name in ("frame", *SHOWN) if name in table]
        others = [name for name in table.columns if name not in first]
        self.table.show_frame(table[first + others])
        self.summary.setText(
            value.sentence[0].upper()
            + value.sentence[1:]
            + "."
            + self._compared_text()
            + self._trained_text()
        )
        self._show_control(table)
        return f"Scored {len(table)} frame{'s' * (len(table) != 1)}."

    def _compared_text(self) -> str:
        """Return what was compared where that is not all of both layers."""
        if self._common.is_whole:
            return ""
        frames = self._common.frames
        shown = ", ".join(map(str, frames[:8])) + ", …" * (len(frames) > 8)
        return f" Compared where both lie{f', in frames {shown}' if frames else ''}."

    def _trained_text(self) -> str:
        """Return the honest score of a sample on which the model of the stain was trained."""
        source = source_of(self.viewer, self._shown_layer)
        known = provenance_of(source).get("also_trained", {}) if source is not None else {}
        model = provenance_of(self._shown_layer).get("model")
        if model not in known:
            return ""
        return f" This cell also trained {model}. A model that had not seen it: {known[model]}."

    def _show_control(self, table: pd.DataFrame) -> None:
        """Draw the scores over time."""
        common, layer = self._common, self._shown_layer
        if common.axes != "tyx":  # of planes of z there is no curve over time
            self.control.setVisible(False)
            return
        unit = str(layer.units[0])
        seconds = layer.units[0].is_compatible_with("second")
        times = np.array(common.times if seconds else common.frames, float)
        self.control.show_scores(table, times, unit if seconds else "frame")

    def render(self) -> None:
        """Also enable saving once there is a table."""
        super().render()
        filled = len(self.table.frame) > 0
        self.save_button.setEnabled(filled)
        self.save_button.setToolTip("Save the table" if filled else "Evaluate first")

    def save(self, path: Path) -> None:
        """Write the table to `path`."""
        from ...io import write_table

        write_table(path, self.table.frame, overwrite=True)
        self.say(f"Saved {path}.")

    def write_report(self, folder: Path) -> None:
        """Evaluate, and write ``report.html`` with its plots into `folder`."""
        self._report = folder
        self.run()

    def _ask_for_report(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Folder for the report")
        if folder:
            self.write_report(Path(folder))

    def _save(self) -> None:
        path, _ = QFileDialog.getSaveFileName(self, "Save scores", "metrics.csv", "CSV (*.csv)")
        if path:
            try:
                self.save(Path(path))
            except (VirtualStainError, OSError) as error:
                self.say(error_text(error))

    def _on_predicted(self, *_: Any) -> None:
        self.reference.refresh()  # what can be its truth depends on it
        self._on_layers()

    def _on_layers(self, *_: Any) -> None:
        layer = self.reference.value or self.predicted.value
        if layer is not None and (size := sampling_of(layer).pixel_size_um):
            self.pixel_size.setValue(size)
        self.runner.reset()
        self.render()
        if self.state.value == "idle" and self.why_not() is None:
            self.say("Ready to evaluate.")

    def _go_to_frame(self, row: int) -> None:
        layer = still_there(self.viewer, self._shown_layer)
        if layer is None:
            return
        place = int(self.table.frame["frame"].iloc[row])
        point = layer.data_to_world((*self._common.plane_of_first(layer.data, place), 0, 0))
        first = self.viewer.dims.ndim - layer.ndim
        for axis, position in enumerate(point[:-2]):
            self.viewer.dims.set_point(first + axis, position)
