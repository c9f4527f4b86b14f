"""The dock `Track inspector`: table, verdicts, mending, undo; film and plots in a wide dock."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import numpy as np
import pandas as pd
from qtpy.QtCore import Qt, QTimer

from ...tracking import next_risky
from ..kit.controls import NumberBox, add_row, check_box, new_form
from ..kit.jobs import JobContext, Outcome, Work
from ..kit.layer_choice import LayerChoice
from ..kit.step import StepWidget
from ..layers.description import has_layer, provenance_of, source_of, unwrap
from .buttons import InspectorButtons
from .canvas import CanvasClicks
from .film.rows import film_layers
from .keeping.colours_as_json import CONTOUR
from .keeping.files import Keeping
from .keeping.found_log import FoundLog, LogNotice
from .keeping.session import SETTINGS
from .keys import InspectorKeys
from .layer_sync import LayerSync
from .loading import Loaded, load, scale_of, why_not_whole
from .mask_book import find_masks
from .mending.mending import Mending
from .model import InspectorModel
from .overlay import SelectionOverlay, is_overlay
from .region_columns import RegionColumns
from .sampling.sampling_panel import SamplePanel
from .summary_rows import JUDGED, counts_text, described, judge
from .track_table import TrackTable, quoted
from .wide_dock import WideDock
from .workspace import TITLE, Workspace

DOUBTFUL = 0.2
_OUTLINE_PX = 80


def is_inspectable(layer: Any) -> bool:
    """Whether a layer holds tracks, and is not our own highlight."""
    return type(layer).__name__ == "Tracks" and not is_overlay(layer)


class InspectorWidget(StepWidget):
    """Dock in which the tracks of a layer are gone through, the doubtful ones first, and mended."""

    title = "Track inspector"
    tab_title = "Inspect"
    run_text = "List tracks"
    run_tooltip = "List the tracks of the layer again, the doubtful ones first"

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__(napari_viewer)
        self.model = InspectorModel(self.say_later)
        self.selection = self.model.selection
        self.overlay = SelectionOverlay(napari_viewer)
        self.sync = LayerSync(napari_viewer, self.model, self)
        self.clicks = CanvasClicks(napari_viewer, self._on_click)
        self.mending = Mending(self, lambda: self.workspace.film.sources())
        self.keeping = Keeping(self, self.sync.flush)
        self._layer: Any = None
        self._watched: Any = None
        self._notes: tuple[str, ...] = ()
        self._is_reading = False
        self._foreign = QTimer(self, singleShot=True, interval=0)
        self._foreign.timeout.connect(self._list_again)
        self._add_form(napari_viewer)
        self.buttons = InspectorButtons(self, self.mending, self.keeping, self)
        going, judging, *mending = self.buttons.rows
        for row in (going, judging, self.sample, *mending):
            self.form.addWidget(row)
        self.workspace = Workspace(self.model, napari_viewer, self.mending.try_edit, self.frame)
        self.wide_dock = WideDock(napari_viewer, self.workspace, self, TITLE)
        self.cleanup.add(self.wide_dock.close)
        self.keys = InspectorKeys(self.buttons.keys(), self)
        self.keys.add_to(self.workspace)
        self.cleanup.add(self.keys.stop)
        self._connect_views()
        self._on_source()

    @property
    def layer(self) -> Any:
        """The Tracks layer that is listed."""
        return self._layer

    def why_not(self) -> str | None:
        """Return why there is nothing to list."""
        if self.source.value is None:
            return "Track a movie first (dock Track mitochondria), or open tracks."
        return why_not_whole(self.source.value)

    def take(self, layer: Any) -> None:
        """List the tracks of `layer`."""
        if is_inspectable(layer):
            self.source.value = layer

    def prepare(self) -> Work:
        """Return the work of summarising the tracks, and then of judging them."""
        layer, self._is_reading = self.source.value, True
        self.sync.flush()
        data, features = np.array(layer.data), layer.features.copy()
        graph, core = dict(layer.graph), layer.metadata.get("tracks")
        self._layer, scale, movie = layer, scale_of(layer), self._movie()

        def work(context: JobContext) -> Generator[Loaded, None, pd.DataFrame]:
            check = context.cancel.raise_if_cancelled
            pixels = movie.data if movie is not None else None
            loaded = load(data, features, graph, core, scale, pixels, check)
            yield loaded  # many tracks take ten seconds to judge: they are shown before
            return judge(loaded.rows, scale)

        return work

    def on_items(self, items: list[Loaded]) -> None:
        """Fill the table; what takes long to find is filled in later."""
        layer, self._is_reading = self._layer, False
        for value in items:
            verdicts = layer.metadata.setdefault("verdicts", {})
            links = layer.metadata.setdefault("link_verdicts", {})
            self.model.load(value.tracks, value.table, value.scale, verdicts, links)
            self.model.masks = find_masks(self.viewer, value.tracks, self._preferred_masks())
            self.sync.watch(layer)
            self._take_settings(layer)
            self.sample.take()
            self.clicks.layer = layer
            self.keys.follow(layer)
            self.workspace.film.tracks_layer = layer
            self.wide_dock.open()
            self.workspace.draw()
            self._watch_layer(layer)
            if len(value.tracks):
                self.overlay.prepare(value.tracks.track(value.tracks.track_ids[0]), layer)
            self._notes += (*value.notes, self.found.open(layer, self._movie(), value.movie))

    def on_result(self, value: pd.DataFrame) -> str:
        """Fill in probabilities and motion."""
        self.model.take_judged(value)
        notes, self._notes = [note for note in self._notes if note], ()
        return " ".join(notes) or self._counts()

    def on_end(self, outcome: Outcome) -> None:
        """Say of tracks that were not judged that they were not."""
        self._is_reading = False
        if outcome.error is not None:
            self.model.take_judged(pd.DataFrame(columns=list(JUDGED)))

    def render(self) -> None:
        """Also say which buttons need a chosen track."""
        super().render()
        if hasattr(self, "buttons"):
            self.buttons.render(is_chosen=self.model.selection.track_id is not None)

    def frame(self) -> int:
        """Return the frame of the tracks that the viewer shows."""
        return self.overlay.current_frame(self._layer) if self._layer is not None else 0

    def chosen(self) -> int | None:
        """Return the chosen track, or say that there is none."""
        if self.model.selection.track_id is None:
            self.say("Choose a track first: in the table, or by a click on it in the image.")
            return None
        return self.model.selection.track_id

    def step(self, direction: int) -> None:
        """Go to the next (1) or previous (-1) doubtful track, or on in a sample."""
        if self.sample.is_on and direction > 0:
            self.sample.advance()
            return
        listed = self.table.tracks()
        if not listed:
            self.say("List the tracks first.")
            return
        places = [self.model.row_of(track) or 0 for track in listed]
        table = self.model.table.iloc[places].reset_index(drop=True)
        table = table.assign(risk=table["error_probability"].fillna(0.0))
        now = self.model.selection.track_id
        row = listed.index(now) if now in listed else None
        found = next_risky(table, row, direction, least=self.threshold.value())
        if found is None:
            is_any = bool((table["risk"] >= self.threshold.value()).any())
            self.say(
                "Every track worth a look has a verdict."
                if is_any
                else f"No listed track reaches {self.threshold.value():.2f}. Lower Worth a look "
                "from, or choose a track in the table."
            )
            return
        self.go_to_worst(listed[found])
        self._say_why(listed[found])

    def judge(self, verdict: str) -> None:
        """Give the chosen track a verdict; it can be undone."""
        if self.sample.judge(verdict):
            return
        if (track := self.chosen()) is not None:
            self.model.judge(track, verdict)
            self._say_judged(track, verdict)

    def undo(self) -> None:
        """Take the latest edit or verdict back."""
        text = self.model.undo()
        self.say(f"Undone: {text}." if text else "There is nothing to undo.")

    def redo(self) -> None:
        """Make again what was undone."""
        text = self.model.redo()
        self.say(f"{text}." if text else "There is nothing to redo.")

    def say_later(self, text: str) -> None:
        """Show a line of text after what is said of the edit or verdict that is being made."""
        QTimer.singleShot(0, lambda: None if self._closed else self.say(text))

    def go_to_worst(self, track_id: int, *, centre: bool = False) -> None:
        """Choose a track and go to its least sure frame."""
        tracks = self.model.tracks
        row = self.model.row_of(track_id)
        frame = int(self.model.table["doubtful_frame"].iloc[row]) if row is not None else -1
        if frame < 0:  # not judged
            rows = tracks.rows_of(track_id)
            place = int(np.argmin(tracks["quality"][rows])) if "quality" in tracks.columns else 0
            frame = int(tracks["frame"][rows[place]])
        self.go_to(track_id, frame, centre=centre)

    def go_to(self, track_id: int, frame: int | None = None, *, centre: bool = False) -> None:
        """Choose a track and look at it in a frame, the nearest of its frames without one."""
        wanted = self.frame() if frame is None else frame
        rows = self.model.tracks.rows_of(track_id)
        frames = self.model.tracks["frame"][rows]
        row = int(rows[int(np.argmin(np.abs(frames - wanted)))])
        self.model.choose(track_id, int(self.model.tracks["frame"][row]))
        if has_layer(self.viewer, self._layer):
            self.overlay.look_at(self._layer, self.place_of(row), centre=centre)

    def place_of(self, row: int) -> tuple[float, ...]:
        """Return frame, (plane,) row and column of a row, in the layer's coordinates."""
        names = ["frame", *(["z_px"] if self._layer.ndim == 4 else []), "y_px", "x_px"]
        return tuple(float(self.model.tracks[name][row]) for name in names)

    def show_workspace(self) -> None:
        """Bring film and plots to the front; they may have been closed."""
        self.wide_dock.to_front()

    def take_sample(self, record: dict[str, Any]) -> None:
        """Go on with a random sample that was drawn before."""
        kept = ("what", "seed", "population", "items")
        self._layer.metadata["sample"] = {name: record[name] for name in kept}
        self.sample.take()

    def draw_region(self) -> None:
        """Add a Shapes layer to draw a region in, and list only the tracks that pass through it."""
        if self._layer is None:
            self.say("List the tracks first.")
            return
        made = self.regions.draw(self._layer)
        self.table.also(quoted(made.name))
        self.say("Draw a rectangle, ellipse or polygon: tracks that pass through it are listed.")

    def show_sample(self, shown: bool) -> None:
        """Show or hide the controls of the random sample."""
        self.sample.setVisible(shown)

    def dim_others(self, dim: bool) -> None:
        """Let the other tracks and all labels fade, or bring them back."""
        self.overlay.dim(None)
        if dim and has_layer(self.viewer, self._layer):
            labels = [one for one in self.viewer.layers if type(one).__name__ == "Labels"]
            self.overlay.dim([self._layer, *labels])

    def keyPressEvent(self, event: Any) -> None:
        """End the placing of a detection with Esc."""
        if event.key() == Qt.Key.Key_Escape and self.mending.placing is not None:
            self.buttons.stop_placing()
        else:
            super().keyPressEvent(event)

    def tear_down(self) -> None:
        """Also take the wide dock and the highlight away."""
        if not self._closed:
            self.workspace.stop()
        super().tear_down()

    def _add_form(self, viewer: Any) -> None:
        form = new_form()
        self.source = self.add_choice(
            LayerChoice(viewer, is_inspectable, role="tracks", nothing="track a movie first")
        )
        add_row(form, "Tracks", self.source, "The tracks to look through", name="source")
        self.threshold = self._threshold_box(form)
        self.table = TrackTable(self.model)
        self.notice = LogNotice()
        self.found = FoundLog(self, self.notice)
        self.dim_box = check_box("Dim others", "Dim other tracks and labels", name="dim_others")
        self.dim_box.toggled.connect(self.dim_others)
        self.form.addLayout(form)
        self.form.addWidget(self.notice)
        self.form.addWidget(self.table, 1)
        self.regions = RegionColumns(viewer, self.table.refilter)
        self.cleanup.add(self.regions.stop)
        self.table.region_names = lambda: [str(one.name) for one in self.regions.layers]
        self.table.more_columns = lambda text, ids: self.regions.columns(
            text, self.model.tracks, ids, self._layer
        )
        self.table.region_wanted.connect(self.draw_region)
        self.sample = SamplePanel(self)
        self.table.above.addWidget(self.dim_box)
        self.setTabOrder(self.table.filter, self.table.menu_button)
        self.setTabOrder(self.table.menu_button, self.dim_box)
        self.setTabOrder(self.dim_box, self.table.view)

    def _threshold_box(self, form: Any) -> Any:
        box = NumberBox(DOUBTFUL, 0, 1, step=0.05, decimals=2)
        tooltip = "Next stops at tracks with at least this error probability"
        add_row(form, "Worth a look from", box, tooltip, name="threshold")
        box.valueChanged.connect(lambda _value: self.say(self._counts()))
        return box

    def _connect_views(self) -> None:
        model, workspace = self.model, self.workspace
        self.table.track_chosen.connect(self._on_row)
        self.table.track_entered.connect(lambda track: self.go_to_worst(track, centre=True))
        self.table.said.connect(lambda text: self.say(text or self._counts()))
        workspace.film.said.connect(self.say)
        workspace.frame_chosen.connect(self._on_frame)
        workspace.frame_entered.connect(lambda frame: self._on_frame(frame, centre=True))
        workspace.track_chosen.connect(lambda track, frame: self.go_to(track, frame))
        model.loaded.connect(self.table.show_tracks)
        model.edited.connect(self._on_edited)
        model.judged.connect(self._on_judged)
        model.undo_changed.connect(self.buttons.render_undo)
        model.selection.changed.connect(self._on_selection)
        self.cleanup.connect(self.viewer.dims.events.current_step, self._on_time)
        self.cleanup.connect(self.viewer.layers.events.removed, self._on_removed)
        self.cleanup.add(self.overlay.drop)
        self.cleanup.add(self.clicks.stop)
        self.cleanup.add(self.sync.stop)
        self.source.chosen.connect(lambda _layer: self._on_source())

    def _movie(self) -> Any:
        """Return the image whose outlines were tracked, None where that is unknown."""
        layer = self.source.value
        images = film_layers(self.viewer, layer) if layer is not None else []
        return images[0] if images else None

    def _preferred_masks(self) -> tuple[Any, ...]:
        source = provenance_of(self._layer).get("source")
        near = [one for one in self.viewer.layers if provenance_of(one).get("source") == source]
        return tuple(one for one in [*near, source_of(self.viewer, self._layer)] if one is not None)

    def _watch_layer(self, layer: Any) -> None:
        if self._watched is not layer:
            if self._watched is not None:
                self._watched.events.data.disconnect(self._on_foreign_edit)
            layer.events.data.connect(self._on_foreign_edit)
            self.cleanup.add(layer.events.data.disconnect, self._on_foreign_edit)
            self._watched = layer

    def _on_foreign_edit(self, _event: Any = None) -> None:
        """List the tracks again after changes from outside, once for all of the moment."""
        if not self.sync.is_putting and not self._closed:
            self._foreign.start()

    def _list_again(self) -> None:
        if self._closed:
            return
        text = "The tracks were changed from outside and are listed again; verdicts are kept."
        if self.sync.forget():
            text += " The latest edit had not reached the layer yet: it is in the log."
        self._notes = (text,)
        self._run_again()

    def _run_again(self) -> None:
        self.runner.abandon()
        self.runner.reset()
        self.run()

    def _counts(self) -> str:
        table, least = self.model.table, self.threshold.value()
        if not len(table):
            return "There are no tracks."
        return counts_text(table["error_probability"], least, len(self.table.frame))

    def _on_source(self) -> None:
        if self.source.value is not unwrap(self._layer):
            self.runner.abandon()
            self.sync.flush()
            self._notes = ()
            self._foreign.stop()
            self._layer = self.clicks.layer = self.workspace.film.tracks_layer = None
            self.keys.stop()
            self.overlay.drop_soon()
            self.model.clear()
        self.runner.reset()
        self.render()
        if self.state.value == "idle" and self.why_not() is None:
            self.run()

    def keep_settings(self) -> None:
        """Write threshold, filter and hidden columns into the layer, for a session."""
        if has_layer(self.viewer, self._layer):
            self._layer.metadata[SETTINGS] = {
                "threshold": self.threshold.value(),
                "filter": self.table.filter.text(),
                "hidden": sorted(self.table.hidden),
            }

    def _take_settings(self, layer: Any) -> None:
        """Take the settings of a session, once: those of the dock count from then on."""
        for one in self.viewer.layers:  # napari's readers cannot ask for outlines
            if (contour := one.metadata.pop(CONTOUR, None)) is not None:
                one.contour = contour
        kept = layer.metadata.pop(SETTINGS, None)
        if isinstance(kept, dict):
            self.threshold.setValue(float(kept.get("threshold", DOUBTFUL)))
            self.table.hidden = set(kept.get("hidden", self.table.hidden))
            self.table.filter.setText(str(kept.get("filter", "")))

    def _on_edited(self, _tracks: Any) -> None:
        self.table.show_tracks()
        self.keeping.save_again()
        if self._is_reading:  # without this edit
            self.sync.flush()
            self._run_again()

    def _on_judged(self, track_id: int) -> None:
        self.table.set_verdict(track_id, self.model.verdicts.get(track_id, ""))
        self.sample.follow()
        self.keeping.save_again()

    def _on_row(self, track_id: int) -> None:
        self.go_to(track_id)
        self._say_why(track_id)

    def _say_why(self, track_id: int) -> None:
        if (row := self.model.row_of(track_id)) is not None:
            self.say(described(self.model.table.iloc[row]))

    def _say_judged(self, track_id: int, verdict: str) -> None:
        given = int((self.model.table["verdict"] != "").sum())
        self.say(f"Track {track_id}: {verdict}. {given} of {len(self.model.table)} judged.")

    def _on_selection(self, track_id: int | None, _frame: int | None) -> None:
        if not has_layer(self.viewer, self._layer):
            self.overlay.drop_soon()
        elif track_id is None:
            self.overlay.hide()
        else:
            self.overlay.show(self.model.rows(track_id), self._layer)
            self._draw_outline()
        self.table.follow()
        self.workspace.draw()
        self.buttons.follow(track_id)
        self.render()

    def _on_frame(self, frame: int, *, centre: bool = False) -> None:
        if (track := self.model.selection.track_id) is not None:
            self.go_to(track, frame, centre=centre)

    def _on_time(self, _event: Any = None) -> None:
        """Follow the viewer's time: outline, film and plot."""
        if self.model.selection.track_id is not None and has_layer(self.viewer, self._layer):
            self.model.selection.frame = self.frame()  # what is looked at, also after an edit
            if "outline" in self.overlay.layers:  # not while all layers are being removed
                self._draw_outline()
            self.workspace.go(self.frame())

    def _draw_outline(self) -> None:
        track = self.model.selection.track_id
        row = self.model.tracks.row_at(track, self.frame()) if track is not None else None
        if row is None:
            self.overlay.no_outline()
            return
        at, masks = self.place_of(row), self.model.masks
        mask = masks.mask(self.model.tracks, row, _OUTLINE_PX) if masks is not None else None
        corner = (round(at[-2]) - _OUTLINE_PX, round(at[-1]) - _OUTLINE_PX)
        self.overlay.outline(mask, corner, at, self._layer)

    def _on_click(self, place: tuple[float, ...], reach: float) -> None:
        """Choose the mitochondrion under a click, or place a detection there."""
        frame, y, x = round(place[0]), place[-2], place[-1]
        if self.mending.placing is not None:
            self.mending.place(frame, y, x, place[1] if len(place) == 4 else None)
            return
        tail = int(getattr(self._layer, "tail_length", 0))
        found = self.model.track_under(frame, y, x, reach, tail)
        if found is None:
            self.say("There is no mitochondrion of these tracks under the click.")
            return
        self.model.choose(found, frame)
        self._say_why(found)

    def _on_removed(self, _event: Any = None) -> None:
        self.regions.forget_removed()
        masks = self.model.masks
        if masks is not None and not has_layer(self.viewer, masks.layer):
            self.model.masks = None
            self._on_selection(self.model.selection.track_id, self.model.selection.frame)
