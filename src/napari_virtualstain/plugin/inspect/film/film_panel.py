"""The film strip with its controls: rows, outlines, size, export."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtGui import QAction
from qtpy.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QMenu,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from ....errors import VirtualStainError
from ...kit.controls import button, check_box
from ...kit.jobs import JobContext, JobRunner, Outcome, error_text
from ..model import InspectorModel
from .cells import Film, FilmSource
from .film_files import FILTER, write_film
from .rows import film_layers, film_source, proposed
from .strip import FilmStrip


class FilmPanel(QWidget):
    """The film strip with its controls: rows, outlines, size, export."""

    said = Signal(str)

    def __init__(self, model: InspectorModel, viewer: Any) -> None:
        super().__init__()
        self.model, self._viewer = model, viewer
        self.tracks_layer: Any = None
        self._chosen: list[Any] | None = None
        self.strip = FilmStrip()
        self.strip.wanted.connect(self._read)
        self.reader = JobRunner(self)
        self.reader.conclude = self._on_read
        self._reading: Film | None = None
        self.title = QLabel()
        self.title.setObjectName("film_title")
        # beside the tabs there is room for two words on a small screen
        self.title.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.title.setMinimumWidth(self.title.fontMetrics().horizontalAdvance("No. 000000"))
        self.rows = QToolButton()
        self.rows.setText("Rows")
        self.rows.setToolTip("Image layers shown as rows of the film")
        self.rows.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.menu = QMenu(self.rows)
        self.menu.aboutToShow.connect(self._fill_menu)
        self.rows.setMenu(self.menu)
        self.outlines = check_box("Outlines", "Draw the border of the mask", checked=True)
        self.outlines.toggled.connect(self._on_outlines)
        smaller = button(
            "−", "Smaller pictures (Ctrl+wheel)", lambda: self.strip.resize_pictures(0.8)
        )
        larger = button(
            "+", "Larger pictures (Ctrl+wheel)", lambda: self.strip.resize_pictures(1.25)
        )
        for made in (smaller, larger):
            made.setMaximumWidth(28)
        tooltip = "Save the film: PNG or TIFF as a strip, GIF or MP4 to be played"
        export = button("Export…", tooltip, self.ask, name="export_film")
        above = QHBoxLayout()
        above.setContentsMargins(0, 0, 0, 0)
        for widget in (self.title, self.outlines, self.rows, smaller, larger, export):
            above.addWidget(widget, 1 if widget is self.title else 0)
        # a small screen has no line to spare: the controls stand beside the tabs
        self.controls = QWidget()
        self.controls.setLayout(above)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 2, 4, 2)
        layout.addWidget(self.strip, 1)

    @property
    def layers(self) -> list[Any]:
        """The image layers that are rows now."""
        if self.tracks_layer is None:
            return []
        there = film_layers(self._viewer, self.tracks_layer)
        if self._chosen is None:
            return proposed(there)
        return [layer for layer in there if any(layer is one for one in self._chosen)]

    def sources(self) -> list[FilmSource]:
        """Return the image layers that are rows now, as the film reads them."""
        return [film_source(layer, self.tracks_layer) for layer in self.layers]

    def draw(self) -> None:
        """Show the film of the chosen track."""
        selection, model = self.model.selection, self.model
        if selection.track_id is None or self.tracks_layer is None:
            self.strip.show_film(None, model.scale, None)
            self._name("", "")
            return
        film = Film(model.tracks, selection.track_id, self.sources(), model.masks)
        self.strip.show_film(film, model.scale, selection.frame)
        begins, ends = model.tracks.extent(selection.track_id)
        seen, track_id = f"{len(film)} frames", selection.track_id
        whole = f"Mitochondrion {track_id}: {seen}, {begins} to {ends}"
        self._name(f"No. {track_id}", whole)

    def _name(self, short: str, whole: str) -> None:
        self.title.setText(short)
        self.title.setToolTip(whole)

    def ask(self) -> None:
        """Ask for a file, and write the film there."""
        if self.strip.film is None:
            self.said.emit("Choose a mitochondrion first.")
            return
        name = f"mitochondrion_{self.strip.film.track_id}.png"
        path, _ = QFileDialog.getSaveFileName(self, "Export film", name, FILTER)
        if path:
            self.save(Path(path))

    def save(self, path: Path) -> None:
        """Write the film to a file."""
        film = self.strip.film
        if film is None:
            return
        try:
            write_film(film, self.model.scale, path)
        except (VirtualStainError, OSError) as error:
            self.said.emit(error_text(error))
            return
        self.said.emit(f"Saved the film of mitochondrion {film.track_id} as {path.name}.")

    def _read(self, missing: list[tuple[int, int]]) -> None:
        """Read pictures in a thread; the strip asks again for pictures that have come into view."""
        film = self.strip.film
        if self.reader.state.is_active or film is None:
            return
        self._reading = film

        def work(context: JobContext) -> None:
            for place, source in missing:
                context.cancel.raise_if_cancelled()
                film.read(place, source)

        self.reader.start(work, "Read the film")

    def _on_read(self, outcome: Outcome) -> Outcome:
        if outcome.error is not None and not outcome.cancelled:
            self.said.emit(f"The film cannot be read: {error_text(outcome.error)}")
        self.strip.viewport().update()
        return outcome

    def _on_outlines(self, shown: bool) -> None:
        self.strip.outlines = shown
        self.strip.viewport().update()

    def _fill_menu(self) -> None:
        self.menu.clear()
        if self.tracks_layer is None:
            return
        now = self.layers
        for layer in film_layers(self._viewer, self.tracks_layer):
            action = QAction(str(layer.name), self.menu)
            action.setCheckable(True)
            action.setChecked(any(layer is one for one in now))
            action.toggled.connect(lambda on, one=layer: self._toggle(one, on))
            self.menu.addAction(action)

    def _toggle(self, layer: Any, on: bool) -> None:
        now = [one for one in self.layers if one is not layer]
        self._chosen = [*now, layer] if on else now
        self.draw()
