"""The dock `Evaluate staining`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from qtpy.QtWidgets import QFileDialog

from ..errors import InputError, VirtualStainError
from .controls import NumberBox, add_row, button, in_row, new_form, note
from .jobs import JobContext, Work, error_text
from .layer_choice import LayerChoice
from .layers import axes_of, sampling_of
from .stain import is_movie
from .step import StepWidget
from .table import FrameTable

SHOWN = ["bandpass_pearson", "pearson", "ssim", "psnr", "kl", "nrmse", "mask_iou"]


class EvaluateWidget(StepWidget):
    """Scores a virtual stain against the true fluorescence, frame by frame."""

    title = "Evaluate staining"
    run_text = "Evaluate"
    run_tooltip = "Compare the two layers frame by frame"

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__(napari_viewer)
        form = new_form()
        self.predicted = self.add_choice(
            LayerChoice(napari_viewer, is_movie, role="fluorescence", nothing="stain a movie first")
        )
        add_row(form, "Virtual", self.predicted, "The stained layer", name="predicted")
        self.reference = self.add_choice(
            LayerChoice(
                napari_viewer, is_movie, role="true_fluorescence", nothing="load true fluorescence"
            )
        )
        add_row(form, "True", self.reference, "Fluorescence of the same frames", name="reference")
        self.pixel_size = NumberBox(0.08, 0.001, 100, step=0.005, decimals=4, suffix=" µm")
        add_row(form, "Pixel size", self.pixel_size, "Micrometres a pixel", name="pixel_size")
        self.summary = note(name="summary")
        self.table = FrameTable()
        self.table.setToolTip("One row a frame; double-click or Enter goes to the frame")
        self.table.setAccessibleName("Scores of each frame")
        self.report_button = button(
            "Report…",
            "Evaluate, and write a page with plots and baselines to a folder",
            self._ask_for_report,
            name="report_button",
        )
        self._report: Path | None = None
        self.save_button = button("Save CSV…", "Save the table", self._save, name="save_button")
        self.form.addLayout(form)
        self.form.addWidget(self.summary)
        self.form.addWidget(self.table, 1)
        self.form.addWidget(in_row(self.save_button, self.report_button))
        self.predicted.chosen.connect(self._on_layers)
        self.reference.chosen.connect(self._on_layers)
        self.table.row_entered.connect(self._go_to_frame)
        self._on_layers()

    def why_not(self) -> str | None:
        """Return why nothing can be compared now."""
        predicted, reference = self.predicted.value, self.reference.value
        if predicted is None or reference is None:
            return "Two layers are needed: a virtual stain and the true fluorescence."
        if predicted is reference:
            return "Both layers are the same. Choose the true fluorescence under True."
        if predicted.data.shape != reference.data.shape:
            return (
                f"The layers have unlike shapes, {predicted.data.shape} and "
                f"{reference.data.shape}. Choose layers of the same frames."
            )
        return None

    def prepare(self) -> Work:
        """Return the work of scoring."""
        predicted, reference = self.predicted.value.data, self.reference.value.data
        pixel_size_um = self.pixel_size.value()
        self._shown_layer = self.predicted.value
        self._leading = tuple(predicted.shape[:-2])
        folder, self._report = self._report, None
        names = f"{self.predicted.value.name} against {self.reference.value.name}"

        def work(context: JobContext) -> pd.DataFrame:
            from ..metrics import evaluate, write_report

            if folder is not None:
                return write_report(
                    folder,
                    predicted,
                    reference,
                    pixel_size_um=pixel_size_um,
                    title=names,
                    overwrite=True,
                    progress=context.progress,
                    cancel=context.cancel,
                ).table
            return evaluate(
                predicted,
                reference,
                pixel_size_um=pixel_size_um,
                progress=context.progress,
                cancel=context.cancel,
            )

        return work

    def on_result(self, value: pd.DataFrame) -> str:
        """Fill the table."""
        first = [name for name in ("frame", *SHOWN) if name in value]
        others = [name for name in value.columns if name not in first]
        self.table.show_frame(value[first + others])
        self.summary.setText(summary_text(value))
        self.save_button.setEnabled(True)
        return f"Scored {len(value)} frames."

    def render(self) -> None:
        """Also enable saving once there is a table."""
        super().render()
        if hasattr(self, "save_button"):
            filled = len(self.table.frame) > 0
            self.save_button.setEnabled(filled)
            self.save_button.setToolTip("Save the table" if filled else "Evaluate first")

    def save(self, path: Path) -> None:
        """Write the table to `path`."""
        from ..io import write_table

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

    def _on_layers(self, *_: Any) -> None:
        layer = self.reference.value or self.predicted.value
        if layer is not None and (size := sampling_of(layer).pixel_size_um):
            self.pixel_size.setValue(size)
        self.runner.reset()
        self.render()
        if self.state.value == "idle" and self.why_not() is None:
            self.say("Ready to evaluate.")

    def _go_to_frame(self, row: int) -> None:
        layer = getattr(self, "_shown_layer", None)
        if layer is None:
            return
        index = np.unravel_index(int(self.table.frame["frame"].iloc[row]), self._leading)
        point = layer.data_to_world((*index, 0, 0))
        first = self.viewer.dims.ndim - layer.ndim
        for axis in range(len(axes_of(layer)) - 2):
            self.viewer.dims.set_point(first + axis, point[axis])


def summary_text(table: pd.DataFrame) -> str:
    """Return the means over frames in words, best known first.

    Raises
    ------
    InputError
        The table has no rows.
    """
    if table.empty:
        raise InputError("No frame was scored. Choose layers with at least one frame.")
    parts = [
        f"{name.replace('_', ' ')} {table[name].mean():.3g}" for name in SHOWN if name in table
    ]
    return f"Mean of {len(table)} frames: " + ", ".join(parts)
