"""The wide dock of the inspector: film, plots, and fission and fusion of the chosen track."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtCore import QSize, Signal
from qtpy.QtWidgets import QTabWidget, QToolButton, QVBoxLayout, QWidget

from .film.film_panel import FilmPanel
from .model import InspectorModel
from .theme import ThemeColours, theme_colours

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
        return QSize(600, 260)

    def draw(self) -> None:
        """Show the chosen track; hidden pages update when they are shown."""
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

    def _looks(self) -> ThemeColours:
        return theme_colours(self._viewer)

    def _draw_page(self) -> None:
        page = self.currentWidget()
        self.film.controls.setVisible(page is self.film)
        # pyqtgraph takes a third of a second to import: only who looks at a plot pays for it
        if page is self._pages["Plots"]:
            if self.plots is None:
                from .plots.plots_panel import PlotPanel

                self.plots = PlotPanel(self.model, self._looks)
                self.plots.frame_chosen.connect(self.frame_chosen)
                self.plots.track_chosen.connect(lambda track: self.track_chosen.emit(track, None))
                page.layout().addWidget(self.plots)
            self.plots.draw()
        elif page is self._pages["Fission and fusion"]:
            if self.lineage is None:
                from .plots.lineage_panel import LineagePanel

                self.lineage = LineagePanel(
                    self.model, self._edit, self._current_frame, self._looks
                )
                self.lineage.track_chosen.connect(self.track_chosen)
                page.layout().addWidget(self.lineage)
            self.lineage.draw()
