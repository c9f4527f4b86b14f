"""The wide dock of the inspector: film, plots, and fission and fusion of the chosen track."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from qtpy.QtCore import QSize, Signal
from qtpy.QtGui import QAction
from qtpy.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QMenu,
    QTabWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from ...errors import VirtualStainError
from ..kit.controls import button, check_box
from ..kit.jobs import JobContext, JobRunner, Outcome, error_text
from .film_cells import Film
from .film_export import FILTER, write_film
from .film_rows import film_layers, film_source, proposed
from .film_strip import FilmStrip
from .looks import Looks, looks_of
from .model import InspectorModel

TITLE = "Mitochondrion"


class Workspace(QTabWidget):
    """Film, plots and lineage of what the model has chosen.

    Parameters
    ----------
    model : InspectorModel
        What is shown.
    viewer : napari.Viewer
        Its image layers are the rows of the film.
    edit : callable
        Edits events; see :class:`LineagePanel`.
    current_frame : callable
        Returns the frame on the canvas.
    """

    frame_chosen = Signal(int)
    frame_entered = Signal(int)
    track_chosen = Signal(int, object)

    def __init__(
        self,
        model: InspectorModel,
        viewer: Any,
        edit: Callable[..., Any],
        current_frame: Callable[[], int],
    ) -> None:
        super().__init__()
        self.setObjectName("inspector_workspace")
        self.setDocumentMode(True)
        self.setUsesScrollButtons(False)
        for arrow in self.tabBar().findChildren(QToolButton):
            arrow.setObjectName("qt_tab_arrow")  # Qt's own, and never shown
        self.model, self._viewer = model, viewer
        self._edit, self._current_frame = edit, current_frame
        self.film = FilmPanel(model, viewer)
        self.film.strip.frame_chosen.connect(self.frame_chosen)
        self.film.strip.frame_entered.connect(self.frame_entered)
        self.plots: Any = None
        self.lineage: Any = None
        self.addTab(self.film, "Film")
        self._pages = {}
        for name in ("Plots", "Fission and fusion"):
            page = QWidget()
            QVBoxLayout(page).setContentsMargins(0, 0, 0, 0)
            self._pages[name] = page
            self.addTab(page, name)
        self.setCornerWidget(self.film.controls)
        self.currentChanged.connect(lambda _index: self._draw_page())

    def sizeHint(self) -> QSize:
        """Return a size that leaves the canvas the larger part of a small screen."""
        return QSize(700, 230)

    def draw(self) -> None:
        """Show what the model has chosen; hidden pages wait until they are looked at."""
        self.film.draw()
        self._draw_page()

    def go(self, frame: int | None) -> None:
        """Mark the current frame."""
        self.film.strip.go(frame)
        if self.plots is not None:
            self.plots.go(frame)

    def stop(self) -> None:
        """End the reading of pictures."""
        self.film.reader.abandon()

    def _looks(self) -> Looks:
        return looks_of(self._viewer)

    def _draw_page(self) -> None:
        page = self.currentWidget()
        self.film.controls.setVisible(page is self.film)
        # pyqtgraph takes a third of a second to import: only who looks at a plot pays for it
        if page is self._pages["Plots"]:
            if self.plots is None:
                from .plot_panel import PlotPanel

                self.plots = PlotPanel(self.model, self._looks)
                self.plots.frame_chosen.connect(self.frame_chosen)
                self.plots.track_chosen.connect(lambda track: self.track_chosen.emit(track, None))
                page.layout().addWidget(self.plots)
            self.plots.draw()
        elif page is self._pages["Fission and fusion"]:
            if self.lineage is None:
                from .lineage_panel import LineagePanel

                self.lineage = LineagePanel(
                    self.model, self._edit, self._current_frame, self._looks
                )
                self.lineage.track_chosen.connect(self.track_chosen)
                page.layout().addWidget(self.lineage)
            self.lineage.draw()


class FilmPanel(QWidget):
    """The film strip with its controls: rows, outlines, size, export."""

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
        self.title = QLabel("No mitochondrion is chosen.")
        self.title.setObjectName("film_title")
        self.rows = QToolButton()
        self.rows.setText("Rows")
        self.rows.setToolTip("Which image layers are the rows of the film")
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
        export = button("Export film…", tooltip, self.ask, name="export_film")
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

    def draw(self) -> None:
        """Show the film of the chosen track."""
        selection, model = self.model.selection, self.model
        if selection.track_id is None or self.tracks_layer is None:
            self.strip.show_film(None, model.scale, None)
            self.title.setText("No mitochondrion is chosen.")
            return
        sources = [film_source(layer, self.tracks_layer) for layer in self.layers]
        film = Film(model.tracks, selection.track_id, sources, model.masks)
        self.strip.show_film(film, model.scale, selection.frame)
        begins, ends = model.tracks.extent(selection.track_id)
        seen = f"{len(film)} frames, {begins} to {ends}"
        self.title.setText(f"Mitochondrion {selection.track_id}: {seen}")

    def ask(self) -> None:
        """Ask for a file, and write the film there."""
        if self.strip.film is None:
            self.title.setText("Choose a mitochondrion first.")
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
            self.title.setText(error_text(error))
            return
        self.title.setText(f"Saved the film of mitochondrion {film.track_id} as {path.name}.")

    def _read(self, missing: list[tuple[int, int]]) -> None:
        """Read pictures in a thread; the strip asks again for what came into view meanwhile."""
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
            self.title.setText(f"The film cannot be read: {error_text(outcome.error)}")
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
