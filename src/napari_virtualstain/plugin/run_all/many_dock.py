"""The dock `Run on many movies`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from napari.layers import Image, Labels, Layer, Tracks
from qtpy.QtWidgets import QAbstractItemView, QFileDialog, QFormLayout, QLineEdit, QListWidget

from ...errors import InputError, VirtualStainError
from ...progress import counted
from ...settings import PipelineSettings, ReadSettings
from ..contributions.track_readers import tracks_layer
from ..kit.controls import add_row, button, check_box, in_row, new_form
from ..kit.jobs import JobContext, Outcome, Work, error_text
from ..kit.layer_choice import rank
from ..kit.preferences import preferences
from ..kit.section import Advanced
from ..kit.settings_form import SettingsForm
from ..kit.suitable_layers import fitting_model, is_movie
from ..kit.table import FrameTable
from ..layers.colours import (
    STAIN_COLORMAP,
    dim,
    label_colormap,
    outline_width,
    track_colormap,
)
from ..layers.description import (
    axes_of,
    find_layer,
    has_layer,
    layer_name,
    provenance,
    provenance_of,
    sampling_of,
    unwrap,
)
from ..layers.from_stack import contrast_limits, spatial
from ..track.job import rows_in_stack
from .many_job import LayerMovie, RunManyRequest, movie_name, movies_in, run_many_job
from .pipeline_form import PipelineForm
from .settings_file import SettingsFileStep

_ROWS_SHOWN = 5
_TABLE_HEIGHT = 180


class RunManyWidget(SettingsFileStep):
    """Dock that stains, segments and tracks many movies with the same settings, one after another.

    Results are those of ``virtualstain run``: a folder for each movie, and the table of all in
    ``movies.csv``. A movie that fails does not stop the others.
    """

    title = "Run on many movies"
    tab_title = "Run many"
    run_text = "Run on all movies"
    run_tooltip = "Stain, segment and track each movie; movies that are done already are kept"
    controls: ClassVar[Mapping[str, str]] = {
        "--channel": "Channel, in Advanced",
        "--overwrite": "Replace results of other settings",
    }

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__(napari_viewer)
        self._movies: list[Path | LayerMovie] = []
        self._rows: list[dict[str, Any]] = []
        self._folders: list[Path | None] = []
        self._opened: dict[Path, list[Any]] = {}
        self.setAcceptDrops(True)
        form = new_form()
        self._add_movies()
        self._add_output(form)
        self._add_settings(form)
        self.form.addLayout(form)
        self.form.addWidget(self.advanced)
        self.form.addWidget(self.settings_buttons("Write these settings to a file"))
        self._add_results()
        self.form.addStretch(1)
        self.out_edit.textChanged.connect(self._refresh_state)
        for choice in (self.steps.generator, self.steps.segmenter):
            choice.changed.connect(self._refresh_state)
        self._refresh_state()

    def _add_settings(self, form: QFormLayout) -> None:
        self.advanced = Advanced()
        self.steps = PipelineForm(form, self.advanced.form)
        self.read = SettingsForm(ReadSettings, form, self.advanced.form)
        self.replace_box = check_box(
            "Replace results of other settings",
            "Without this, results in the folder that were made with other settings are kept and "
            "the movie is listed as failed",
            name="overwrite",
        )
        self.advanced.form.addRow(self.replace_box)

    def _add_results(self) -> None:
        self.table = FrameTable()
        self.table.setAccessibleName("Results of the movies")
        self.table.setToolTip("Results of each movie; double-click a row to open them")
        self.table.row_entered.connect(self.open_row)
        self.table.setVisible(False)
        self.table.setMinimumHeight(_TABLE_HEIGHT)
        self.form.addWidget(self.table, 1)

    @property
    def out(self) -> Path | None:
        """Folder of the results, None while there is none."""
        text = self.out_edit.text().strip()
        return Path(text).expanduser() if text else None

    @property
    def settings(self) -> PipelineSettings:
        """Settings of all movies."""
        return self.steps.value.model_copy(update={"read": self.read.value})

    def why_not(self) -> str | None:
        """Return why nothing can run now."""
        if not self._movies:
            return "Add movies: files, all movies of a folder, or the layers that are open."
        if self.out is None:
            return "Choose a folder for the results."
        return self.steps.why_not()

    def add(self, *paths: Path) -> None:
        """Add files, and all movies of folders that are no movie themselves."""
        self._extend([path for path in paths if path not in self._movies])

    def add_layers(self) -> None:
        """Add the bright-field movies that are open as layers."""
        sources = [layer for layer in self.viewer.layers if _is_bright_field(layer)]
        listed = {movie_name(movie) for movie in self._movies}
        self._extend(
            [
                LayerMovie(
                    layer.name,
                    layer.data,
                    axes_of(layer),
                    sampling_of(layer).pixel_size_um,
                    sampling_of(layer).frame_interval_s,
                    fitting_model(layer),
                )
                for layer in sources
                if layer.name not in listed
            ]
        )

    def add_folder(self, folder: Path) -> None:
        """Add all movies of a folder."""
        try:
            self.add(*movies_in(folder))
        except (InputError, OSError) as error:
            self.say(error_text(error))

    def remove_chosen(self) -> None:
        """Remove the chosen movies from the list; their files stay."""
        rows = {index.row() for index in self.list.selectedIndexes()}
        self._movies = [movie for row, movie in enumerate(self._movies) if row not in rows]
        self._show_movies()

    def prepare(self) -> Work:
        """Return the work of all movies."""
        if self.out is None:
            raise InputError("Choose a folder for the results.")
        request = RunManyRequest(
            tuple(self._movies),
            self.out,
            self.settings,
            self.replace_box.isChecked(),
            preferences(),
        )
        self._rows, self._folders, self._opened = [], [], {}
        self._show_rows()
        self.table.setVisible(True)  # from now on, so that rows can be scrolled to

        def work(context: JobContext) -> Any:
            return run_many_job(request, context)

        return work

    def on_items(self, items: list[Any]) -> None:
        """Show the rows of finished movies."""
        for outcome in items:
            row = asdict(outcome.row)
            if outcome.error is not None:
                row["message"] = error_text(outcome.error, self.controls)
            self._rows.append(row)
            self._folders.append(None if outcome.error is not None else outcome.movie.folder)
        self._show_rows()
        self.area.ensureWidgetVisible(self.table)

    def on_result(self, value: Any) -> str:
        """Say how many movies are done and how many failed."""
        failed = self._folders.count(None)
        done = counted(len(self._folders) - failed, "movie")
        but = f", {failed} failed: see the message in the table" if failed else ""
        return f"{done} done in {self.took_text()}{but}. Double-click a row to open its results."

    def on_end(self, outcome: Outcome) -> None:
        """Say how to go on after a cancel."""
        if outcome.cancelled:
            self.say("Cancelled. What is finished is kept; press the button again to go on.")

    def open_row(self, row: int) -> None:
        """Show the results of a movie, and its bright-field if it is open, without the others."""
        folder = self._folders[row] if row < len(self._folders) else None
        if folder is None:
            self.say("This movie has no results: its message says why.")
            return
        try:
            layers = self._results(folder)
        except (VirtualStainError, OSError) as error:
            self.say(error_text(error))
            return
        source = find_layer(self.viewer, folder.name)
        dim(source)
        for layer in self.viewer.layers:  # stains of two movies would add up
            layer.visible = any(unwrap(layer) is shown for shown in (unwrap(source), *layers))
        self.viewer.layers.selection.active = layers[-1]
        self.say(f"Opened the results of {folder.name}.")

    def _results(self, folder: Path) -> list[Any]:
        """Return the layers of a folder of results, which are read once."""
        opened = self._opened.get(folder, [])
        if not opened or not all(has_layer(self.viewer, layer) for layer in opened):
            opened = self._opened[folder] = result_layers(folder)
            for layer in opened:
                self.viewer.add_layer(layer)
        return opened

    def save_settings(self, path: Path) -> None:
        """Write the settings for ``virtualstain run --config``."""
        from ...pipeline import save_settings

        save_settings(path, self.settings, overwrite=True)
        self.say(f"Saved. The same headless: virtualstain run MOVIES -o OUT --config {path.name}")

    def load_settings(self, path: Path) -> None:
        """Fill the form from a settings file of a run or of *Run all*."""
        from ...pipeline import load_settings

        settings = load_settings(path)
        self.steps.value, self.read.value = settings, settings.read
        self.say(f"Loaded {path.name}.")

    def dragEnterEvent(self, event: Any) -> None:
        """Accept files and folders."""
        if event.mimeData().hasUrls():
            event.acceptProposedAction()

    def dropEvent(self, event: Any) -> None:
        """Add the files that were dropped."""
        paths = [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]
        self.add(*paths)
        event.acceptProposedAction()

    def _extend(self, movies: list[Any]) -> None:
        self._movies += movies
        self._show_movies()

    def _show_movies(self) -> None:
        self.list.clear()
        for movie in self._movies:
            text = movie.name
            self.list.addItem(text)
            self.list.item(self.list.count() - 1).setToolTip(movie_name(movie))
        self._suggest_model()
        self._refresh_state()

    def _suggest_model(self) -> None:
        """Propose the generator that the dock Virtual staining proposes for these movies."""
        files = fitting_model(None)
        models = {m.model if isinstance(m, LayerMovie) else files for m in self._movies}
        self.steps.generator.suggest(models.pop() if len(models) == 1 else files)

    def _show_rows(self) -> None:
        rows = pd.DataFrame(self._rows)
        if len(rows):
            rows["movie"] = [Path(name).name for name in rows["movie"]]
        self.table.show_frame(rows)
        self.table.fit_columns()

    def _add_movies(self) -> None:
        self.list = QListWidget()
        self.list.setObjectName("movies")
        self.list.setAccessibleName("Movies")
        self.list.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.list.setMaximumHeight(_ROWS_SHOWN * 20)
        self.form.addWidget(self.list)
        files = button("Files…", "Add movies", self._browse_files, name="add_files")
        folder = button("Folder…", "Add all movies of a folder", self._browse_folder)
        layers = button(
            "Layers",
            "Add the bright-field movies that are open",
            self.add_layers,
            name="add_layers",
        )
        remove = button("Remove", "Remove the chosen movies from the list", self.remove_chosen)
        self.form.addWidget(in_row(files, folder, stretch=None))
        self.form.addWidget(in_row(layers, remove, stretch=None))

    def _add_output(self, form: QFormLayout) -> None:
        self.out_edit = QLineEdit()
        self.out_edit.setPlaceholderText("folder")
        more = button("…", "Choose a folder", self._browse_out)
        more.setMaximumWidth(32)
        tooltip = "Gets a folder for each movie, and the table of all as movies.csv"
        add_row(form, "Results", in_row(self.out_edit, more), tooltip, name="out_row")
        self.out_edit.setObjectName("out")
        self.out_edit.setToolTip(tooltip)
        self.out_edit.setAccessibleName("Results")

    def _browse_files(self) -> None:
        pattern = "Movies (*.tif *.tiff *.dv *.r3d);;All files (*)"
        paths, _ = QFileDialog.getOpenFileNames(self, "Add movies", "", pattern)
        self.add(*map(Path, paths))

    def _browse_folder(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Add all movies of a folder")
        if folder:
            self.add_folder(Path(folder))

    def _browse_out(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Folder for the results")
        if folder:
            self.out_edit.setText(folder)

    def _refresh_state(self, *_: Any) -> None:
        self.steps.follow()
        self.runner.reset()
        self.render()
        if self.state.value == "idle" and self.why_not() is None:
            self.say(f"Ready to run on {counted(len(self._movies), 'movie')}.")


def _is_bright_field(layer: Any) -> bool:
    """Whether a layer is a movie that was opened, and not called fluorescence."""
    record = provenance_of(layer)
    is_source = record.get("step") in (None, "load", "sample", "simulate")
    is_glowing = record.get("role") == "fluorescence"
    named_score, _, _ = rank(layer.name, "bright_field", active=False, position=0)
    return is_movie(layer) and is_source and not is_glowing and named_score >= 0


def result_layers(folder: Path) -> list[Any]:
    """Return stain, outlines and tracks in the folder of a movie.

    Raises
    ------
    InputError
        A file is missing or damaged.
    """
    from ...io import open_stack
    from ...pipeline import FLUORESCENCE, LABELS, load_settings
    from ...tracking import Tracks as Tracked

    name = folder.name
    stain, labels = open_stack(folder / FLUORESCENCE), open_stack(folder / LABELS)
    image = Image(
        stain.data,
        name=layer_name(name, "fluorescence"),
        colormap=STAIN_COLORMAP,
        blending="additive",
        contrast_limits=contrast_limits(stain.data),
        metadata=provenance("stain", name, kind="fluorescence"),
        **spatial(stain.geometry),
    )
    outlines = Labels(
        np.asarray(labels.data),
        name=layer_name(name, "mitochondria"),
        opacity=1.0,
        colormap=label_colormap(),
        metadata=provenance("segment", name),
        **spatial(labels.geometry),
    )
    outlines.contour = outline_width(outlines.data.shape)
    made: list[Layer] = [image, outlines]
    tracked = Tracked.from_csv(folder / "tracks.csv")
    if len(tracked):
        rows, settings, _ = tracks_layer(tracked, layer_name(name, "tracks"), name)
        if "z" in labels.axes:
            z_plane = load_settings(folder / "settings.json").track.z_plane
            rows = rows_in_stack(rows, z_plane, labels.sizes["z"])
        settings |= spatial(labels.geometry) if "t" in labels.axes else {}
        made.append(Tracks(rows, colormaps_dict={"track_id": track_colormap()}, **settings))
    return made
