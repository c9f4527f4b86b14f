"""The dock `Load time-lapse`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from qtpy.QtWidgets import QFileDialog, QFormLayout, QLineEdit

from ...errors import InputError
from ..kit.controls import Choice, NumberBox, add_row, button, check_box, in_row, new_form, note
from ..kit.jobs import JobContext, Work, error_text
from ..kit.step import NextStep, StepWidget
from ..layers.description import still_there
from ..layers.from_stack import stack_to_layers
from .remembered import recall, remember

_FROM_FILE = "from the file"


class LoadWidget(StepWidget):
    """Dock that opens a bright-field time-lapse lazily, with its pixel size and frame interval.

    Choosing a file reads its metadata only and shows what was understood; whatever is
    corrected is remembered for that folder.
    """

    title = "Load time-lapse"
    tab_title = "Load"
    next_step = NextStep("Stain", "Virtual staining")
    run_text = "Load"
    run_tooltip = "Add the channels as layers; frames are read when they are shown"
    controls: ClassVar[Mapping[str, str]] = {"--axes": "the field Axes"}

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__(napari_viewer)
        self.setAcceptDrops(True)
        self._understood: dict[str, Any] = {}
        self._looked_at = ""
        self._loaded: Any = None
        form = new_form()
        self._add_path(form)
        self._add_corrections(form)
        self.channel = Choice([("all, one layer each", None)])
        add_row(
            form,
            "Channels",
            self.channel,
            "Channels to load. With two, the second is the correlative partner of the first.",
            name="channel",
        )
        self.remember_box = check_box(
            "Remember corrections for this folder",
            "Apply them to other files of the same folder",
            checked=True,
        )
        self.summary = note(name="summary")
        self.form.addLayout(form)
        self.form.addWidget(self.remember_box)
        self.form.addWidget(self.summary)
        self.form.addStretch(1)
        self._on_path()

    def _add_path(self, form: QFormLayout) -> None:
        self.path_edit = QLineEdit()
        self.path_edit.setPlaceholderText("file or folder; drop it here")
        self.path_edit.setClearButtonEnabled(True)
        # the field alone would take a dropped file for text, file:// and all
        self.path_edit.setAcceptDrops(False)
        self.path_edit.textChanged.connect(self._on_path)
        self.path_edit.editingFinished.connect(self.look)
        browse = button("File…", "Choose a TIFF, OME-TIFF or .dv file", self._browse_file)
        folder = button("Folder…", "Choose a folder of frames or an OME-Zarr", self._browse_folder)
        add_row(form, "Path", self.path_edit, "The movie to open", name="path_edit")
        form.addRow("", in_row(browse, folder))

    def _add_corrections(self, form: QFormLayout) -> None:
        """Add what a file may say wrongly or not at all."""
        self.axes_edit = QLineEdit()
        self.axes_edit.setPlaceholderText(_FROM_FILE)
        self.axes_edit.editingFinished.connect(self.look)
        add_row(
            form,
            "Axes",
            self.axes_edit,
            "Order of the axes, slowest first, such as tyx or tczyx. Empty: as in the file.",
            name="axes_edit",
        )
        self.pixel_size = NumberBox(
            0, 0, 1000, step=0.01, decimals=4, suffix=" µm", special=_FROM_FILE
        )
        add_row(form, "Pixel size", self.pixel_size, "Pixel size in µm", name="pixel_size")
        self.interval = NumberBox(0, 0, 1e6, step=1, decimals=4, suffix=" s", special=_FROM_FILE)
        add_row(form, "Interval", self.interval, "Frame interval in seconds", name="interval")

    @property
    def path(self) -> Path | None:
        """The chosen path, None while there is none."""
        text = self.path_edit.text().strip().strip('"')
        return Path(text).expanduser() if text else None

    @path.setter
    def path(self, path: Path | str) -> None:
        self.path_edit.setText(str(path))
        self.look()

    def why_not(self) -> str | None:
        """Return why nothing can be loaded now."""
        path = self.path
        if not path:
            return "Choose a file or folder, or drop one here."
        if not path.exists():
            return f"There is no file or folder {path}. Check the name."
        return None

    def look(self) -> None:
        """Read the metadata of the chosen path and show what was understood."""
        path = self.path
        if path is None or not path.exists() or self.state.is_active:
            return
        key = f"{path}|{self.axes_edit.text()}"
        if key == self._looked_at:
            return
        if not self._looked_at.startswith(f"{path}|"):
            self._recall(path)
        self._looked_at = f"{path}|{self.axes_edit.text()}"
        try:
            stack = self._open_function()(path, axes=self._axes())
        except (InputError, OSError) as error:
            self.summary.setText(error_text(error, self.controls))
            return
        self._show(stack)

    def prepare(self) -> Work:
        """Return the work of opening the file with the corrections."""
        path, axes = self.path, self._axes()
        open_stack = self._open_function()
        pixel_size_um = self.pixel_size.value() or None
        frame_interval_s = self.interval.value() or None
        channel = self.channel.value
        if self.remember_box.isChecked() and path is not None:
            corrections = {
                "axes": axes,
                "pixel_size_um": pixel_size_um,
                "frame_interval_s": frame_interval_s,
            }
            remember(path.parent, corrections)

        def work(context: JobContext) -> Any:
            whole = open_stack(
                path, axes=axes, pixel_size_um=pixel_size_um, frame_interval_s=frame_interval_s
            )
            one = channel is not None and "c" in whole.axes
            stack = whole.select_channel(channel) if one else whole
            context.cancel.raise_if_cancelled()
            return whole, stack, stack_to_layers(stack)

        return work

    def on_result(self, value: Any) -> str:
        """Add the layers."""
        whole, stack, layers = value
        added = [self.viewer.add_image(data, **settings) for data, settings, _kind in layers]
        self._loaded = added[0]
        self._show(whole)
        size = " x ".join(str(length) for length in stack.data.shape)
        return f"Loaded {stack.name}: {size} ({stack.axes})"

    def result_layer(self) -> Any:
        """Return the first channel that was loaded."""
        return still_there(self.viewer, self._loaded)

    def dragEnterEvent(self, event: Any) -> None:
        """Accept files and folders."""
        if _local_paths(event):
            event.acceptProposedAction()

    def dropEvent(self, event: Any) -> None:
        """Take the first file or folder that was dropped."""
        if files := _local_paths(event):
            self.path = files[0]
            event.acceptProposedAction()

    @staticmethod
    def _open_function() -> Any:
        from ...io import open_stack

        return open_stack

    def _axes(self) -> str | None:
        return self.axes_edit.text().strip() or None

    def _browse_file(self) -> None:
        pattern = "Time-lapses (*.tif *.tiff *.dv *.r3d);;All files (*)"
        path, _ = QFileDialog.getOpenFileName(self, "Open time-lapse", "", pattern)
        if path:
            self.path = path

    def _browse_folder(self) -> None:
        path = QFileDialog.getExistingDirectory(self, "Open folder of frames or OME-Zarr")
        if path:
            self.path = path

    def _on_path(self, *_: Any) -> None:
        self.runner.reset()
        self.render()
        if self.why_not() is None:
            self.say("Ready to load.")

    def _recall(self, path: Path) -> None:
        known = recall(path.parent)
        self.axes_edit.setText(str(known.get("axes", "")))
        self.pixel_size.setValue(float(known.get("pixel_size_um", 0)))
        self.interval.setValue(float(known.get("frame_interval_s", 0)))

    def _show(self, stack: Any) -> None:
        size = " x ".join(str(length) for length in stack.data.shape)
        pixel = f"{stack.pixel_size_um:g} µm" if stack.pixel_size_um else "not in the file"
        seconds = f"{stack.frame_interval_s:g} s" if stack.frame_interval_s else "not in the file"
        lines = [
            f"Understood: {size} ({stack.axes}), {stack.data.dtype}",
            f"Pixel size {pixel}, frame interval {seconds}",
            *(str(remark) for remark in stack.notes),
        ]
        names = []
        if "c" in stack.axes:
            count = stack.data.shape[stack.axes.index("c")]
            names = [
                (name or f"channel {index}")
                for index, name in enumerate(list(stack.channel_names) or [""] * count)
            ]
            lines.append("Channels: " + ", ".join(names))
        self.summary.setText("\n".join(lines))
        self._fill_channels(names)

    def _fill_channels(self, names: list[str]) -> None:
        before = self.channel.currentIndex()
        self.channel.clear()
        self.channel.addItem("all, one layer each", None)
        for index, name in enumerate(names):
            self.channel.addItem(f"{index}: {name}", index)
        self.channel.setCurrentIndex(before if before <= len(names) else 0)
        self.channel.setEnabled(bool(names))


def _local_paths(event: Any) -> list[str]:
    """Return the files and folders that are dragged, without addresses of the web."""
    return [url.toLocalFile() for url in event.mimeData().urls() if url.isLocalFile()]
