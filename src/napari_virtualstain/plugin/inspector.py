"""The dock `Track inspector`: table, film strip, verdicts, undo."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from qtpy.QtGui import QKeySequence, QShortcut, QUndoCommand, QUndoStack
from qtpy.QtWidgets import QFileDialog

from ..errors import VirtualStainError
from .controls import add_row, button, in_row, new_form
from .film import FilmStrip
from .jobs import JobContext, Work, error_text
from .layer_choice import LayerChoice
from .layers import geometry_of, has_layer, provenance, sampling_of, unwrap
from .selection import Selection
from .stain import is_movie
from .step import StepWidget
from .table import FrameTable
from .track_summary import VERDICTS, next_risky, summarise_tracks, track_rows

OVERLAY = "inspected mitochondrion"


def is_inspectable(layer: Any) -> bool:
    """Whether a layer holds tracks of planes, and is not our own highlight."""
    return type(layer).__name__ == "Tracks" and layer.ndim == 3 and layer.name != OVERLAY


class _VerdictCommand(QUndoCommand):
    """Gives a track a verdict; undo gives it the one it had."""

    def __init__(self, dock: InspectorWidget, row: int, verdict: str) -> None:
        super().__init__(f"{verdict or 'no verdict'} for track {dock.track_at(row)}")
        self._dock, self._row = dock, row
        self._after = verdict
        self._before = str(dock.table.frame["verdict"].iloc[row])

    def redo(self) -> None:
        """Set the new verdict."""
        self._dock.put_verdict(self._row, self._after)

    def undo(self) -> None:
        """Set the verdict of before."""
        self._dock.put_verdict(self._row, self._before)


class InspectorWidget(StepWidget):
    """Goes through the tracks of a layer, the doubtful ones first."""

    title = "Track inspector"
    run_text = "List tracks"
    run_tooltip = "List the tracks of the layer, the doubtful ones first"

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__(napari_viewer)
        self.selection = Selection()
        self.undo_stack = QUndoStack(self)
        self._rows = pd.DataFrame()
        self._layer: Any = None
        self._overlay: Any = None
        self._file: Path | None = None
        form = new_form()
        self.source = self.add_choice(
            LayerChoice(napari_viewer, is_inspectable, role="tracks", nothing="track a movie first")
        )
        add_row(form, "Tracks", self.source, "The tracks to look through", name="source")
        self.film_source = self.add_choice(
            LayerChoice(napari_viewer, is_movie, role="fluorescence", optional=True)
        )
        add_row(form, "Film of", self.film_source, "Where the film strip is cut from", name="film")
        self.table = FrameTable()
        self.table.setAccessibleName("Tracks")
        self.table.setToolTip(
            "One row a mitochondrion; choose to highlight, Enter or double-click to go there"
        )
        self.film = FilmStrip()
        self.form.addLayout(form)
        self.form.addWidget(self.table, 1)
        self.form.addWidget(self.film)
        self._add_buttons()
        self.table.row_chosen.connect(self._on_row)
        self.table.row_entered.connect(self._go)
        self.film.frame_chosen.connect(self._on_film)
        self.selection.changed.connect(self._on_selection)
        self.source.chosen.connect(lambda _layer: self._on_source())
        self.film_source.chosen.connect(lambda _layer: self._show_film())
        self.cleanup.add(self._drop_overlay)
        self._on_source()

    def why_not(self) -> str | None:
        """Return why there is nothing to list."""
        if self.source.value is None:
            return "Track a movie first (dock Track mitochondria), or open tracks."
        return None

    def prepare(self) -> Work:
        """Return the work of summarising the tracks."""
        layer = self.source.value
        data, features = np.array(layer.data), layer.features.copy()
        stated = sampling_of(layer)
        self._layer = layer

        def work(context: JobContext) -> tuple[pd.DataFrame, pd.DataFrame]:
            rows = track_rows(data, features)
            context.cancel.raise_if_cancelled()
            table = summarise_tracks(
                rows,
                pixel_size_um=stated.pixel_size_um or 1.0,
                frame_interval_s=stated.frame_interval_s or 1.0,
            )
            return rows, table

        return work

    def on_result(self, value: tuple[pd.DataFrame, pd.DataFrame]) -> str:
        """Fill the table."""
        self._rows, table = value
        self.undo_stack.clear()
        known = self._layer.metadata.get("verdicts", {})
        table["verdict"] = [known.get(int(track), "") for track in table["track_id"]]
        self.table.show_frame(table)
        self.selection.choose(None)
        doubtful = int((table["risk"] >= 0.15).sum())
        return f"{len(table)} tracks, {doubtful} worth a look. Next risky: N."

    def track_at(self, row: int) -> int:
        """Return the track of a row of the table."""
        return int(self.table.frame["track_id"].iloc[row])

    def step(self, direction: int) -> None:
        """Go to the next (1) or previous (-1) risky track without a verdict."""
        if not len(self.table.frame):
            self.say("List the tracks first.")
            return
        row = next_risky(self.table.frame, self.table.row, direction)
        if row is None:
            self.say("Every doubtful track has a verdict.")
            return
        self.table.choose(row)
        self._on_row(row)
        self._go(row)

    def judge(self, verdict: str) -> None:
        """Give the chosen track a verdict; it can be undone."""
        row = self.table.row
        if row is None:
            self.say("Choose a track in the table first.")
            return
        self.undo_stack.push(_VerdictCommand(self, row, verdict))

    def put_verdict(self, row: int, verdict: str) -> None:
        """Write a verdict into table, layer and file; see :meth:`judge` for users."""
        self.table.frame_model.set_cell(row, "verdict", verdict)
        if self._layer is not None:
            verdicts = self._layer.metadata.setdefault("verdicts", {})
            verdicts[self.track_at(row)] = verdict
        if self._file is not None:
            self.save(self._file)
        given = int((self.table.frame["verdict"] != "").sum())
        text = f"Track {self.track_at(row)}: {verdict or 'no verdict'}."
        self.say(f"{text} {given} of {len(self.table.frame)} judged.")

    def save(self, path: Path) -> None:
        """Write the table to `path`, and from now on again after each verdict."""
        from ..io import write_table

        try:
            write_table(path, self.table.frame, overwrite=True)
        except (VirtualStainError, OSError) as error:
            self._file = None
            self.say(error_text(error))
            return
        self._file = path

    def _add_buttons(self) -> None:
        previous = button("◀ Previous", "Previous risky track (P)", lambda: self.step(-1))
        following = button("Next ▶", "Next risky track (N)", lambda: self.step(1), name="next")
        verdicts = [
            button(
                text,
                f"Verdict for the chosen track ({key})",
                partial(self.judge, text),
                name=text,
            )
            for key, text in zip("123", VERDICTS, strict=True)
        ]
        undo = button("Undo", "Undo the last verdict (Ctrl+Z)", self.undo_stack.undo, name="undo")
        redo = button("Redo", "Redo it (Ctrl+Shift+Z)", self.undo_stack.redo, name="redo")
        for made, signal in ((undo, "canUndoChanged"), (redo, "canRedoChanged")):
            made.setEnabled(False)
            getattr(self.undo_stack, signal).connect(made.setEnabled)
        save = button("Save CSV…", "Save table and verdicts, then keep them up to date", self._save)
        self.form.addWidget(in_row(previous, following))
        self.form.addWidget(in_row(*verdicts))
        self.form.addWidget(in_row(undo, redo, save, stretch=2))
        keys = {
            "N": lambda: self.step(1),
            "P": lambda: self.step(-1),
            "Ctrl+Z": self.undo_stack.undo,
            "Ctrl+Shift+Z": self.undo_stack.redo,
            **{key: partial(self.judge, v) for key, v in zip("123", VERDICTS, strict=True)},
        }
        for key, slot in keys.items():
            # only while the dock has the focus: napari's own keys stay as they are
            shortcut = QShortcut(QKeySequence(key), self)
            shortcut.setContext(_within_dock())
            shortcut.activated.connect(slot)

    def _on_source(self) -> None:
        if self.source.value is not unwrap(self._layer):
            self._rows = pd.DataFrame()
            self.table.show_frame(pd.DataFrame())
            self.film.clear()
            self._drop_overlay()
        self.runner.reset()
        self.render()
        if self.state.value == "idle" and self.why_not() is None:
            self.say("Ready to list the tracks.")

    def _on_row(self, row: int) -> None:
        rows = self._track(self.track_at(row))
        frames = rows["frame"].to_numpy()
        now = self._current_frame()
        frame = int(frames[np.argmin(np.abs(frames - now))]) if len(frames) else None
        self.selection.choose(self.track_at(row), frame)

    def _on_film(self, frame: int) -> None:
        self.selection.choose(self.selection.track_id, frame)
        self._look_at(frame)

    def _on_selection(self, track_id: int | None, _frame: int | None) -> None:
        if track_id is None:
            self._drop_overlay()
            self.film.clear()
            return
        self._highlight(track_id)
        self._show_film()

    def _track(self, track_id: int) -> pd.DataFrame:
        return self._rows[self._rows["track_id"] == track_id].sort_values("frame")

    def _go(self, row: int) -> None:
        """Go to the worst frame of the track."""
        rows = self._track(self.track_at(row))
        place = int(np.argmin(rows["quality"].to_numpy())) if "quality" in rows else 0
        frame = int(rows["frame"].iloc[place])
        self.selection.choose(self.track_at(row), frame)
        self._look_at(frame)

    def _look_at(self, frame: int) -> None:
        layer, track = self._layer, self.selection.track_id
        if layer is None or track is None or not has_layer(self.viewer, layer):
            return
        rows = self._track(track)
        place = int(np.argmin(np.abs(rows["frame"].to_numpy() - frame)))
        row = rows.iloc[place]
        point = layer.data_to_world((row.frame, row.y_px, row.x_px))
        first = self.viewer.dims.ndim - layer.ndim
        self.viewer.dims.set_point(first, point[0])
        self._centre_if_outside(point[1:])
        self._show_film()

    def _centre_if_outside(self, point: Any) -> None:
        """Move the camera only where the target is out of sight; the zoom stays."""
        camera = getattr(self.viewer, "scene", self.viewer).camera
        centre = np.asarray(camera.center, float)[-2:]
        height, width = getattr(self.viewer.canvas, "size", (600, 800))
        half = np.array([height, width]) / camera.zoom / 2 * 0.9
        if np.any(np.abs(np.asarray(point, float) - centre) > half):
            camera.center = (*np.asarray(camera.center)[:-2], *point)

    def _current_frame(self) -> int:
        layer = self._layer
        first = self.viewer.dims.ndim - layer.ndim
        world = np.asarray(self.viewer.dims.point, float)[first:]
        return round(float(layer.world_to_data(world)[0]))

    def _highlight(self, track_id: int) -> None:
        rows = self._track(track_id)
        data = rows[["track_id", "frame", "y_px", "x_px"]].to_numpy(float)
        if self._overlay is not None and has_layer(self.viewer, self._overlay):
            self._overlay.data = data
            return
        before = self.viewer.layers.selection.active
        self._overlay = self.viewer.add_tracks(
            data,
            name=OVERLAY,
            tail_width=8,
            tail_length=max(30, len(data)),
            head_length=len(data),
            colormap="gray",
            blending="additive",
            metadata=provenance("inspect", self._layer.name),
            **geometry_of(self._layer),
        )
        if before is not None:
            self.viewer.layers.selection.active = before

    def _drop_overlay(self) -> None:
        overlay, self._overlay = self._overlay, None
        if overlay is not None and has_layer(self.viewer, overlay):
            self.viewer.layers.remove(unwrap(overlay))

    def _show_film(self) -> None:
        movie, track = self.film_source.value, self.selection.track_id
        if movie is None or track is None or movie.ndim != 3:
            self.film.clear()
            return
        rows = self._track(track)
        rows = rows[rows["frame"].between(0, movie.data.shape[0] - 1)]
        if len(rows):
            self.film.show_track(movie.data, rows, self.selection.frame)

    def _save(self) -> None:
        path, _ = QFileDialog.getSaveFileName(self, "Save verdicts", "verdicts.csv", "CSV (*.csv)")
        if path:
            self.save(Path(path))


def _within_dock() -> Any:
    from qtpy.QtCore import Qt

    return Qt.ShortcutContext.WidgetWithChildrenShortcut
