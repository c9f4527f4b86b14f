"""Fission and fusion: the family of the chosen track over time, and the table of all events."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pyqtgraph
from qtpy.QtCore import QModelIndex, Signal
from qtpy.QtWidgets import QHBoxLayout, QPushButton, QSplitter, QVBoxLayout, QWidget

from ...kit.controls import button, in_row, note
from ...kit.table import FrameTable
from ..model import InspectorModel
from ..theme import ThemeColours, dress
from .lineage import Life, family
from .plots_panel import COLOURS

_COLUMNS = ("kind", "frame", "tracks", "P", "status")
_WIDTHS = (230, 310)  # the events have room for who became whom on a small screen


class LineagePanel(QWidget):
    """A lineage graph that selects tracks, and a table of events to accept, reject or move.

    Parameters
    ----------
    model : InspectorModel
        What is shown.
    edit : callable
        Takes an action and its arguments, and says what went wrong.
    current_frame : callable
        Returns the frame that the viewer shows.
    looks : callable
        Returns the colours of the theme.
    """

    track_chosen = Signal(int, object)

    def __init__(
        self,
        model: InspectorModel,
        edit: Callable[..., Any],
        current_frame: Callable[[], int],
        looks: Callable[[], ThemeColours],
    ) -> None:
        super().__init__()
        self._looks = looks
        self.model, self._edit, self._frame = model, edit, current_frame
        self.lives: list[Life] = []
        self.plot = pyqtgraph.PlotWidget()
        self.plot.setMinimumHeight(60)
        self.plot.getPlotItem().hideAxis("left")
        self.plot.getPlotItem().invertY(True)
        self.plot.scene().sigMouseClicked.connect(self._on_click)
        self.table = FrameTable()
        self.table.setAccessibleName("Events")
        self.table.setMinimumHeight(30)
        self.table.setToolTip("Fissions and fusions; choose one to go there")
        self.table.row_chosen.connect(self._on_event)
        self.table.row_chosen.connect(lambda _row: self._render())
        self.empty = note("No fission or fusion yet. Select the tracks of one, then press Add.")
        self._needing_event = self._event_buttons()
        add = button(
            "Add",
            "Add an event of the selected tracks: those that end are the parents",
            self._add,
            name="add_event",
        )
        self._arrange(in_row(*self._needing_event, add, stretch=None))
        self._render()

    def _event_buttons(self) -> list[QPushButton]:
        """Return the buttons that change the chosen event."""
        return [
            button(
                "Accept", "Confirmed by eye", lambda: self._on_place("accept_event"), name="accept"
            ),
            button(
                "Reject",
                "Not an event: its links are removed, the tracks stay",
                lambda: self._on_place("reject_event"),
                name="reject",
            ),
            button(
                "Move here",
                "Move the event to the visible frame",
                lambda: self._on_place("move_event", frame=self._frame()),
                name="move_event",
            ),
        ]

    def _arrange(self, buttons: QWidget) -> None:
        """Put the plot beside the events."""
        events = QWidget()
        column = QVBoxLayout(events)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.empty)
        column.addWidget(self.table, 1)
        column.addWidget(buttons)
        sides = QSplitter()
        sides.setChildrenCollapsible(False)
        for place, side in enumerate((self.plot, events)):
            sides.addWidget(side)
            sides.setStretchFactor(place, 1)
        sides.setSizes(list(_WIDTHS))
        layout = QHBoxLayout(self)
        layout.setContentsMargins(4, 2, 4, 2)
        layout.addWidget(sides)

    def draw(self) -> None:
        """Draw the family of the chosen track, and list the events."""
        self._draw_events()
        item, chosen = self.plot.getPlotItem(), self.model.selection.track_id
        item.clear()
        text, interval = self._looks().text, self.model.scale.per_frame
        dress(self.plot, self._looks())
        item.setLabel("bottom", "time (s)" if self.model.scale.frame_interval_s else "frame")
        self.lives = family(self.model.tracks, chosen) if chosen is not None else []
        lanes = {life.track_id: life for life in self.lives}
        for life in self.lives:
            own = life.track_id == chosen
            pen = pyqtgraph.mkPen(COLOURS[0] if own else COLOURS[1], width=7 if own else 4)
            ends = np.array([life.first, life.last + (life.first == life.last) * 0.3]) * interval
            item.plot(ends, [life.lane] * 2, pen=pen)
            label = pyqtgraph.TextItem(str(life.track_id), color=text, anchor=(0, 1))
            label.setPos(float(ends[0]), life.lane)
            item.addItem(label)
            for parent in life.parents:
                if (other := lanes.get(parent)) is not None:
                    line = np.array([other.last, life.first]) * interval
                    item.plot(line, [other.lane, life.lane], pen=pyqtgraph.mkPen(text, width=1.5))
        item.enableAutoRange(axis="x")
        shown = [life.lane for life in self.lives] or [0.0]
        item.setYRange(min(shown) - 1.3, max(shown) + 0.4, padding=0)  # room for the numbers

    def _draw_events(self) -> None:
        events = self.model.tracks.events_frame()
        if len(events):
            sides = (events[name].fillna("") for name in ("parents", "children"))
            whom = [became(*pair) for pair in zip(*sides, strict=True)]
            status = events.get("status", pd.Series("", events.index)).fillna("")
            table = events.assign(tracks=whom, P=events["probability"], status=status)
            table = table[list(_COLUMNS)].reset_index(drop=True)
        else:
            table = pd.DataFrame()
        if not table.equals(self.table.frame):  # the chosen event stays chosen
            row, count = self.table.row, len(self.table.frame)
            self.table.show_frame(table)
            # where one has gone, the same row is another event
            if row is not None and len(table) == count:
                self.table.choose(row)
            else:
                self.table.setCurrentIndex(QModelIndex())
            self._render()

    def _render(self) -> None:
        """Enable what can be done with the chosen event."""
        is_chosen = self.table.row is not None
        for made in self._needing_event:
            made.setEnabled(is_chosen)
        is_empty = not len(self.table.frame)
        self.empty.setVisible(is_empty)
        self.table.setHidden(is_empty)

    def _on_event(self, place: int) -> None:
        from ....tracking import editing

        event = self.model.tracks.events[place]
        parents = editing.members(event.get("parents"))
        known = [t for t in parents if t in self.model.tracks]
        if known:
            self.track_chosen.emit(known[0], int(event["frame"]))

    def _on_place(self, action: str, **arguments: Any) -> None:
        if self.table.row is not None:
            self._edit(action, place=self.table.row, **arguments)

    def _add(self) -> None:
        """Add an event: selected tracks that end before the latest ones begin are the parents."""
        tracks = self.model.tracks
        chosen = sorted(self.model.selection.tracks, key=tracks.extent)
        if not chosen:
            return
        begins = tracks.extent(chosen[-1])[0]
        parents = [t for t in chosen if tracks.extent(t)[1] < begins]
        children = [t for t in chosen if t not in parents]
        kind = "fission" if len(parents) == 1 else "fusion"
        self._edit("add_event", kind=kind, frame=begins, parents=parents, children=children)

    def _on_click(self, event: Any) -> None:
        box = self.plot.getPlotItem().getViewBox()
        point = box.mapSceneToView(event.scenePos())
        if not self.lives:
            return
        frame = float(point.x()) / self.model.scale.per_frame

        def away(life: Life) -> float:
            beside = max(life.first - frame, 0.0, frame - life.last)
            span = max(other.last for other in self.lives) + 1
            return abs(life.lane - float(point.y())) + beside / span

        near = min(self.lives, key=away)
        self.track_chosen.emit(near.track_id, round(min(max(frame, near.first), near.last)))


def became(parents: str, children: str) -> str:
    """Return which tracks became which, as a person reads it.

    Examples
    --------
    >>> became("16", "48;97")
    '16 → 48, 97'
    """
    return " → ".join(text.replace(";", ", ") or "?" for text in (parents, children))
