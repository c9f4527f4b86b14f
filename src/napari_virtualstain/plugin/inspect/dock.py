"""The dock `Track inspector`: table, film strip, curves, verdicts, edits, undo."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from qtpy.QtGui import QUndoStack
from qtpy.QtWidgets import QFileDialog

from ...errors import VirtualStainError
from ...tracking import TrackState, editing, next_risky, summarise_tracks
from ..kit.controls import add_row, new_form
from ..kit.jobs import JobContext, Work, error_text
from ..kit.layer_choice import LayerChoice
from ..kit.step import StepWidget
from ..kit.suitable_layers import is_movie
from ..kit.table import FrameTable
from ..layers.description import has_layer, sampling_of, source_of, unwrap
from .buttons import InspectorButtons
from .commands import EditCommand, VerdictCommand
from .highlight import OVERLAY, TrackHighlight
from .selection import Selection
from .track_layer import labels_beside, put_state, state_of
from .track_view import TrackView

_DOUBTFUL = 0.15
_MOST_UNDOS = 30


def is_inspectable(layer: Any) -> bool:
    """Whether a layer holds tracks of planes, and is not our own highlight."""
    return type(layer).__name__ == "Tracks" and layer.ndim == 3 and layer.name != OVERLAY


class InspectorWidget(StepWidget):
    """Goes through the tracks of a layer, the doubtful ones first, and mends them."""

    title = "Track inspector"
    tab_title = "Inspect"
    run_text = "List tracks"
    run_tooltip = "List the tracks of the layer, the doubtful ones first"

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__(napari_viewer)
        self.selection = Selection()
        self.highlight = TrackHighlight(napari_viewer)
        self.undo_stack = QUndoStack(self)
        self.undo_stack.setUndoLimit(_MOST_UNDOS)
        self.tracks = TrackState(pd.DataFrame(), {}, pd.DataFrame())
        self._layer: Any = None
        self._file: Path | None = None
        self._add_form(napari_viewer)
        self.buttons = InspectorButtons(self)
        for row in self.buttons.rows:
            self.form.addWidget(row)
        self.table.row_chosen.connect(self._on_row)
        self.table.row_entered.connect(self._go)
        self.view.frame_chosen.connect(self._on_frame)
        self.selection.changed.connect(self._on_selection)
        self.source.chosen.connect(lambda _layer: self._on_source())
        self.source.chosen.connect(lambda _layer: self.film_source.refresh())
        self.film_source.chosen.connect(lambda _layer: self._show_view())
        self.cleanup.add(self.highlight.drop)
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
        graph, core = dict(layer.graph), layer.metadata.get("tracks")
        self._layer, scale = layer, self._scale(layer)

        def work(context: JobContext) -> tuple[TrackState, pd.DataFrame]:
            from ...tracking import mean_squared_displacement  # noqa: F401  the plots need it soon

            state = state_of(data, features, graph, core)
            context.cancel.raise_if_cancelled()
            return state, summarise_tracks(state.rows, **scale)

        return work

    def on_result(self, value: tuple[TrackState, pd.DataFrame]) -> str:
        """Fill the table."""
        self.tracks, table = value
        self.undo_stack.clear()
        self._fill(table)
        self.selection.choose(None)
        doubtful = int((table["risk"] >= _DOUBTFUL).sum())
        return f"{len(table)} tracks, {doubtful} worth a look. Next risky: N."

    def render(self) -> None:
        """Also say which buttons need a chosen track."""
        super().render()
        if hasattr(self, "buttons"):
            self.buttons.render(is_chosen=self.selection.track_id is not None)

    def track_at(self, row: int) -> int:
        """Return the track of a row of the table."""
        return int(self.table.frame["track_id"].iloc[row])

    def step(self, direction: int) -> None:
        """Go to the next (1) or previous (-1) risky track without a verdict."""
        if not len(self.table.frame):
            self.say("List the tracks first.")
            return
        row = next_risky(self.table.frame, self.table.row, direction, least=_DOUBTFUL)
        if row is None:
            self.say("Every doubtful track has a verdict.")
            return
        self.table.choose(row)
        self._on_row(row)
        self._go(row)

    def judge(self, verdict: str) -> None:
        """Give the chosen track a verdict; it can be undone."""
        if (track := self._chosen()) is not None:
            self.undo_stack.push(VerdictCommand(self, track, verdict))

    def cut(self) -> None:
        """End the chosen track before the visible frame; a new one goes on."""
        if (track := self._chosen()) is not None:
            frame = self.highlight.current_frame(self._layer)
            # a number that was ever judged must not come back for another track
            number = 1 + max(*self._verdicts(), *self.tracks.graph, *self.tracks.rows["track_id"])
            text = f"Cut track {track} before frame {frame}; it goes on as {number}"
            self._edit(text, lambda: editing.cut(self.tracks, track, frame, number), track)

    def join(self) -> None:
        """Make the chosen track and the one chosen under `With` one."""
        track, other = self._chosen(), self.buttons.partner.value
        if track is not None and other is not None:
            earlier = min(track, other, key=lambda name: int(self._track(name)["frame"].min()))
            text = f"Joined tracks {track} and {other} as {earlier}"
            self._edit(text, lambda: editing.join(self.tracks, track, other), earlier)

    def delete(self) -> None:
        """Remove the chosen track."""
        if (track := self._chosen()) is not None:
            self._edit(f"Deleted track {track}", lambda: editing.delete(self.tracks, track), None)

    def verdict_of(self, track_id: int) -> str:
        """Return the verdict of a track, empty if it has none."""
        return str(self._verdicts().get(track_id, ""))

    def put_verdict(self, track_id: int, verdict: str) -> None:
        """Write a verdict into table, layer and file; see :meth:`judge` for users."""
        self._verdicts()[track_id] = verdict
        rows = np.flatnonzero(self.table.frame["track_id"] == track_id)
        for row in rows:
            self.table.frame_model.set_cell(int(row), "verdict", verdict)
        self._save_again()
        given = int((self.table.frame["verdict"] != "").sum())
        text = f"Track {track_id}: {verdict or 'no verdict'}."
        self.say(f"{text} {given} of {len(self.table.frame)} judged.")

    def put_tracks(self, state: TrackState, chosen: int | None) -> None:
        """Show edited tracks in layer, table and file; see :meth:`cut` for users."""
        self.tracks = state
        put_state(self._layer, state)
        self._fill(summarise_tracks(state.rows, **self._scale(self._layer)))
        self._save_again()
        self.selection.choose(None)
        rows = np.flatnonzero(self.table.frame["track_id"] == chosen)
        if len(rows):
            self.table.choose(int(rows[0]))
            self._on_row(int(rows[0]))

    def save(self, path: Path) -> None:
        """Write the table to `path`, and from now on again after each verdict and edit."""
        from ...io import write_table

        try:
            write_table(path, self.table.frame, overwrite=True)
        except (VirtualStainError, OSError) as error:
            self._file = None
            self.say(error_text(error))
            return
        self._file = path

    def _add_form(self, viewer: Any) -> None:
        form = new_form()
        self.source = self.add_choice(
            LayerChoice(viewer, is_inspectable, role="tracks", nothing="track a movie first")
        )
        add_row(form, "Tracks", self.source, "The tracks to look through", name="source")
        self.film_source = self.add_choice(
            LayerChoice(
                viewer, is_movie, role="fluorescence", optional=True, hint=self._tracked_movie
            )
        )
        add_row(form, "Film of", self.film_source, "Where the film strip is cut from", name="film")
        self.table = FrameTable()
        self.table.setAccessibleName("Tracks")
        self.table.setToolTip(
            "One row a mitochondrion; choose to highlight, Enter or double-click to go there"
        )
        self.view = TrackView()
        self.form.addLayout(form)
        self.form.addWidget(self.table, 1)
        self.form.addWidget(self.view)

    def _tracked_movie(self) -> Any:
        """Return the image whose outlines were tracked."""
        return source_of(self.viewer, source_of(self.viewer, self.source.value))

    def _edit(self, text: str, edit: Callable[[], TrackState], chosen: int | None) -> None:
        try:
            after = edit()
        except VirtualStainError as error:
            self.say(error_text(error))
            return
        labels = labels_beside(self.viewer, self._layer)
        self.undo_stack.push(EditCommand(self, text, after, chosen, labels))

    def _chosen(self) -> int | None:
        """Return the chosen track, or say that there is none."""
        if self.selection.track_id is None or not has_layer(self.viewer, self._layer):
            self.say("Choose a track in the table first.")
            return None
        return self.selection.track_id

    def _fill(self, table: pd.DataFrame) -> None:
        table["verdict"] = [self.verdict_of(int(track)) for track in table["track_id"]]
        self.table.show_frame(table)

    def _verdicts(self) -> dict[int, str]:
        """Return the verdicts, which live with the layer."""
        verdicts: dict[int, str] = self._layer.metadata.setdefault("verdicts", {})
        return verdicts

    def _save_again(self) -> None:
        if self._file is not None:
            self.save(self._file)

    def _scale(self, layer: Any) -> dict[str, float]:
        stated = sampling_of(layer)
        return {
            "pixel_size_um": stated.pixel_size_um or 1.0,
            "frame_interval_s": stated.frame_interval_s or 1.0,
        }

    def _on_source(self) -> None:
        if self.source.value is not unwrap(self._layer):
            self.tracks = TrackState(pd.DataFrame(), {}, pd.DataFrame())
            self.undo_stack.clear()
            self.table.show_frame(pd.DataFrame())
            self.selection.choose(None)
        self.runner.reset()
        self.render()
        if self.state.value == "idle" and self.why_not() is None:
            self.say("Ready to list the tracks.")

    def _on_row(self, row: int) -> None:
        frames = self._track(self.track_at(row))["frame"].to_numpy()
        now = self.highlight.current_frame(self._layer)
        frame = int(frames[np.argmin(np.abs(frames - now))]) if len(frames) else None
        self.selection.choose(self.track_at(row), frame)

    def _on_frame(self, frame: int) -> None:
        self.selection.choose(self.selection.track_id, frame)
        self._look_at(frame)

    def _on_selection(self, track_id: int | None, _frame: int | None) -> None:
        if track_id is None:
            self.highlight.drop()
        else:
            self.highlight.show(self._track(track_id), self._layer)
        self._show_view()
        if track_id is None:
            self.buttons.offer_partners(None, 1.0)
        else:
            size_um = self._scale(self._layer)["pixel_size_um"]
            self.buttons.offer_partners(editing.partners(self.tracks, track_id), size_um)
        self.render()

    def _track(self, track_id: int) -> pd.DataFrame:
        rows = self.tracks.rows
        return rows[rows["track_id"] == track_id].sort_values("frame")

    def _go(self, row: int) -> None:
        """Go to the worst frame of the track."""
        rows = self._track(self.track_at(row))
        place = int(np.argmin(rows["quality"].to_numpy())) if "quality" in rows else 0
        self.selection.choose(self.track_at(row), int(rows["frame"].iloc[place]))
        self._look_at(int(rows["frame"].iloc[place]))

    def _look_at(self, frame: int) -> None:
        track = self.selection.track_id
        if track is None or not has_layer(self.viewer, self._layer):
            return
        rows = self._track(track)
        row = rows.iloc[int(np.argmin(np.abs(rows["frame"].to_numpy() - frame)))]
        self.highlight.look_at(self._layer, int(row.frame), row.y_px, row.x_px)

    def _show_view(self) -> None:
        movie, track = self.film_source.value, self.selection.track_id
        if track is None:
            self.view.clear()
            return
        planes = movie.data if movie is not None and movie.ndim == 3 else None
        self.view.show_track(
            self._track(track), planes, self.selection.frame, self._scale(self._layer)
        )

    def ask_where_to_save(self) -> None:
        """Ask for a file, and save the table there."""
        path, _ = QFileDialog.getSaveFileName(self, "Save verdicts", "verdicts.csv", "CSV (*.csv)")
        if path:
            self.save(Path(path))
