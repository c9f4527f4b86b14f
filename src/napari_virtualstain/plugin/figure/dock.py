"""The dock `Export figure`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from qtpy.QtWidgets import QFileDialog, QLineEdit

from ...errors import InputError
from ...progress import counted
from ..kit.controls import Choice, NumberBox, add_row, button, check_box, in_row, new_form
from ..kit.jobs import JobContext, Work
from ..kit.step import StepWidget
from ..layers.description import axes_of
from .job import FigureRequest, Take, figure_job, free_figure_path
from .overlays import Annotations, annotated, shown_images

_SHORT_SIDE_PX = 1000
_FILTER = "PNG (*.png);;TIFF (*.tif)"


class FigureWidget(StepWidget):
    """Dock that writes the canvas as a picture, with scale bar, time and names of channels."""

    title = "Export figure"
    tab_title = "Figure"
    run_text = "Export figure"
    run_tooltip = "Write the picture; the layers stay as they are"

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__(napari_viewer)
        self._annotations = Annotations()
        form = new_form()
        self.what = Choice([("the whole image", "image"), ("the view, as zoomed", "view")])
        add_row(form, "Show", self.what, "What of the canvas is exported", name="what")
        self.frames = Choice([("the visible frame", False), ("every frame", True)])
        tooltip = "One picture, or one for each frame: numbered PNG files, or one TIFF stack"
        add_row(form, "Frames", self.frames, tooltip, name="frames")
        self.magnification = NumberBox(
            0, 0, 20, step=1, decimals=2, special="for print", suffix=" x"
        )
        tooltip = "Pixels of the picture for each pixel of the image; for print: 1,000 at least"
        add_row(form, "Enlarge", self.magnification, tooltip, name="magnification")
        self.path_edit = QLineEdit(str(Path.home() / "figure.png"))
        more = button("…", "Choose name and format", self._browse)
        more.setMaximumWidth(32)
        add_row(form, "File", in_row(self.path_edit, more), "PNG or TIFF, by the ending")
        self.path_edit.setObjectName("path_edit")
        self.path_edit.setToolTip("PNG or TIFF, by the ending; a file that exists is kept")
        self.path_edit.setAccessibleName("File")
        self.form.addLayout(form)
        self.scale_bar = check_box("Scale bar", "Its length in micrometres", checked=True)
        self.time = check_box("Time", "Time of the frame", checked=True)
        self.names = check_box("Names", "Names of the images, in their colours", checked=True)
        for box in (self.scale_bar, self.time, self.names):
            self.form.addWidget(box)
        self.form.addStretch(1)
        self.path_edit.textChanged.connect(self._refresh_state)
        self._refresh_state()

    def why_not(self) -> str | None:
        """Return why nothing can be exported now."""
        if not any(layer.visible for layer in self.viewer.layers):
            return "Nothing is shown: load a movie, or make a layer visible."
        if not hasattr(self.viewer, "window"):
            return "Pictures need napari's window."
        return None if self.path_edit.text().strip() else "Choose a file for the figure."

    def prepare(self) -> Work:
        """Return the work of writing the pictures."""
        self._annotations = Annotations(
            self.scale_bar.isChecked(), self.time.isChecked(), self.names.isChecked()
        )
        frames: tuple[int | None, ...] = (None,)
        if self.frames.value:
            frames = tuple(range(self.viewer.dims.nsteps[self._time_axis()]))
        path = free_figure_path(Path(self.path_edit.text().strip()).expanduser(), frames)
        request = FigureRequest(path, frames)

        def work(context: JobContext) -> Any:
            return figure_job(request, context)

        return work

    def on_items(self, items: list[Take]) -> None:
        """Take the pictures that the thread asks for."""
        for item in items:
            item.request.pictures[item.frame] = self._picture(item.frame)

    def on_result(self, value: FigureRequest) -> str:
        """Say where the figure is."""
        frames = len(value.frames)
        what = "the figure" if frames == 1 else counted(frames, "frame")
        return f"Exported {what} to {value.path}."

    def _picture(self, frame: int | None) -> np.ndarray:
        """Return what the canvas shows, of another frame if one is given."""
        dims = self.viewer.dims
        before = dims.current_step
        try:
            if frame is not None:
                dims.set_current_step(self._time_axis(), frame)
            with annotated(self.viewer, self._annotations):
                if self.what.value == "view":
                    taken = self.viewer.screenshot(canvas_only=True, flash=False)
                else:
                    taken = self.viewer.export_figure(scale_factor=self._scale(), flash=False)
        finally:
            dims.current_step = before
        return np.ascontiguousarray(taken[..., :3])

    def _scale(self) -> float:
        chosen = self.magnification.value()
        images = shown_images(self.viewer)
        if chosen or not images:
            return float(chosen or 1.0)
        sides_px = images[0].data.shape[: images[0].ndim][-2:]  # without the axis of colours
        return float(max(1, round(_SHORT_SIDE_PX / min(sides_px))))

    def _time_axis(self) -> int:
        for layer in shown_images(self.viewer):
            if "t" in axes_of(layer):
                return int(axes_of(layer).index("t") + self.viewer.dims.ndim - layer.ndim)
        raise InputError("No visible image has a time axis. Choose the visible frame.")

    def _browse(self) -> None:
        path, _ = QFileDialog.getSaveFileName(self, "Export figure", self.path_edit.text(), _FILTER)
        if path:
            self.path_edit.setText(path)

    def _refresh_state(self, *_: Any) -> None:
        self.runner.reset()
        self.render()
        if self.state.value == "idle" and self.why_not() is None:
            self.say("Ready to export.")
