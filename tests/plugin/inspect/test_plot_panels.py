"""Plots and family of the chosen tracks: what is drawn, said, and chosen by a click."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pyqtgraph
import pytest
from qtpy.QtCore import QPointF
from qtpy.QtWidgets import QPushButton

from napari_virtualstain.plugin.inspect.loading import load
from napari_virtualstain.plugin.inspect.model import InspectorModel
from napari_virtualstain.plugin.inspect.plots.lineage_panel import LineagePanel
from napari_virtualstain.plugin.inspect.plots.plots_panel import PlotPanel
from napari_virtualstain.plugin.inspect.summary_rows import Scale
from napari_virtualstain.plugin.inspect.theme import ThemeColours

from .. import inspected

SCALE = Scale(0.1, 2.0)
DARK = ThemeColours("#000000", "#ffffff", "#ff0000")


def _model(
    rows: list[tuple[int, int, float, float]],
    graph: dict[int, list[int]] | None = None,
    core: Any = None,
    scale: Scale = SCALE,
) -> InspectorModel:
    data = np.array(rows, float)
    none = pd.DataFrame(index=range(len(rows)))
    loaded = load(data, none, graph or {}, core, scale, None, lambda: None)
    model = InspectorModel()
    model.load(loaded.tracks, loaded.table, scale, {})
    return model


def _moving(count: int, frames: int = 3) -> InspectorModel:
    """Tracks side by side, that move on by their number in each frame."""
    rows = [(k, t, 5.0 * k, float(k * t)) for k in range(1, count + 1) for t in range(frames)]
    return _model(rows)


def _family() -> InspectorModel:
    tracks = inspected.family()
    data, _, graph = tracks.to_napari()
    return _model([tuple(row) for row in data], graph, tracks)


@pytest.fixture(scope="module")
def panel(qapp: Any) -> PlotPanel:
    """One panel for all: pyqtgraph crashes where many are made and deleted."""
    return PlotPanel(InspectorModel(), lambda: DARK)


def _plot(panel: PlotPanel, model: InspectorModel, kind: str = "speed", of: str = "one") -> None:
    panel.model, panel.kind.value, panel.of.value = model, kind, of
    panel.draw()


def _items(panel: PlotPanel, kind: type) -> list[Any]:
    return [one for one in panel.plot.getPlotItem().items if isinstance(one, kind)]


def _click(plot: Any, x: float, y: float = 0.0) -> None:
    """Click on a place of the plot, in the units of its axes."""
    plot.getPlotItem().vb.setRange(xRange=(0, 40), yRange=(-5, 5), padding=0)
    place = plot.getPlotItem().vb.mapViewToScene(QPointF(x, y))
    plot.scene().sigMouseClicked.emit(SimpleNamespace(scenePos=lambda: place))


@pytest.mark.parametrize(
    ("count", "least", "most"), [(1, 1, 1), (79, 79, 79), (80, 40, 79), (119, 40, 79)]
)
def test_of_many_tracks_an_even_sample_is_drawn(
    panel: PlotPanel, count: int, least: int, most: int
) -> None:
    _plot(panel, _moving(count), of="all")
    assert least <= len(panel.shown) <= most
    assert len(_items(panel, pyqtgraph.PlotDataItem)) == len(panel.shown)


@pytest.mark.parametrize(("count", "named"), [(1, 0), (2, 2), (7, 7), (8, 0)])
def test_two_to_seven_curves_have_their_names_at_their_ends(
    panel: PlotPanel, count: int, named: int
) -> None:
    _plot(panel, _moving(count), of="all")
    names = _items(panel, pyqtgraph.TextItem)
    assert [one.textItem.toPlainText() for one in names] == [str(k + 1) for k in range(named)]
    for number, name in enumerate(names, 1):  # k px a frame, of 0.1 um and 2 s
        assert (name.pos().x(), name.pos().y()) == pytest.approx((4.0, 0.05 * number))


@pytest.mark.parametrize(
    ("count", "frames", "has_dots"), [(3, 5, True), (4, 5, False), (1, 199, True), (1, 200, False)]
)
def test_few_points_are_drawn_as_dots(
    panel: PlotPanel, count: int, frames: int, has_dots: bool
) -> None:
    _plot(panel, _moving(count, frames + 1), of="all")
    symbols = {one.opts["symbol"] for one in _items(panel, pyqtgraph.PlotDataItem)}
    assert symbols == ({"o"} if has_dots else {None})


def test_the_chosen_the_selected_or_all_tracks_are_plotted(panel: PlotPanel) -> None:
    model = _moving(4)
    model.selection.choose(3, 1, (1, 2))
    _plot(panel, model)
    for of, names in (("one", ["3"]), ("some", ["3", "1", "2"]), ("all", ["1", "2", "3", "4"])):
        panel.of.value = of
        assert [curve.name for curve in panel.shown] == names


def test_only_the_displacement_has_logarithmic_axes(panel: PlotPanel) -> None:
    model = _moving(1, 9)
    model.choose(1, 0)
    for kind, is_log in (("msd", True), ("speed", False), ("distribution", False)):
        _plot(panel, model, kind)
        axes = [panel.plot.getPlotItem().getAxis(side) for side in ("bottom", "left")]
        assert [axis.logMode for axis in axes] == [is_log, is_log]


def _marked(panel: PlotPanel) -> dict[str, float]:
    """Upright lines with a text, and where they stand."""
    lines = _items(panel, pyqtgraph.InfiniteLine)
    return {one.label.format: one.value() for one in lines if hasattr(one, "label")}


def test_events_of_a_single_track_and_the_frame_on_show_are_marked(panel: PlotPanel) -> None:
    model = _family()
    model.selection.choose(2, 4, (3,))
    _plot(panel, model)
    assert _marked(panel) == {"fission": 18.0}  # s: in the last frame of the mother
    now = _items(panel, pyqtgraph.InfiniteLine)[-1]
    assert now.value() == 8.0
    panel.go(5)
    assert now.value() == 10.0
    panel.go(None)
    assert now.value() == 10.0
    panel.of.value = "some"
    assert _marked(panel) == {}


def test_why_a_plot_is_empty_is_said(panel: PlotPanel) -> None:
    model = _model([(1, 0, 5.0, 5.0), (2, 0, 9.0, 9.0), (2, 1, 9.0, 9.5)])
    _plot(panel, model)
    assert panel.fit_label.text() == "Choose a mitochondrion first."
    panel.of.value = "all"
    assert panel.fit_label.text() == ""
    panel.of.value = "one"
    model.choose(1, 0)
    for kind in ("speed", "msd"):
        panel.kind.value = kind
        panel.draw()
        assert panel.fit_label.text() == "The track is too short."
    panel.kind.value = "intensity"
    assert panel.fit_label.text().startswith("These tracks hold no mean intensity: track with")
    _click(panel.plot, 3.0)  # on nothing
    model.choose(None)
    panel.kind.value = "distribution"
    panel.column.value = "quality"
    assert panel.fit_label.text() == "No track has a number in this column."
    panel.column.value = "frames"
    assert panel.fit_label.text() == ""
    assert panel.shown[0].y.sum() == 2
    _plot(panel, InspectorModel(), "distribution")
    assert panel.fit_label.text() == "No track has a number in this column."


def test_a_click_on_a_plot_goes_to_the_nearest_frame_or_track(panel: PlotPanel) -> None:
    model = _model(
        [(1, t, 5.0, 1.0 * t) for t in range(10)] + [(2, t, 9.0, 2.0 * t) for t in range(4)]
    )
    model.choose(1, 0)
    _plot(panel, model)
    frames: list[int] = []
    tracks: list[int] = []
    panel.frame_chosen.connect(frames.append)
    panel.track_chosen.connect(tracks.append)
    for at, frame in ((8.9, 4), (9.1, 5), (39.0, 9), (0.2, 1)):
        _click(panel.plot, at)
        assert frames[-1] == frame
    panel.kind.value = "msd"
    _click(panel.plot, 2.0)
    assert len(frames) == 4
    panel.kind.value = "distribution"
    panel.column.value = "frames"
    for at, track in ((7.1, 1), (6.9, 2)):
        _click(panel.plot, at)
        assert tracks[-1] == track
    panel.column.value = "quality"
    _click(panel.plot, 1.0)  # no track has one
    assert (len(frames), len(tracks)) == (4, 2)


def test_a_distribution_is_of_columns_of_numbers_and_marks_the_chosen_tracks(
    panel: PlotPanel,
) -> None:
    model = _moving(5)
    model.selection.choose(4, 0, (2,))
    _plot(panel, model, "distribution")
    offered = [panel.column.itemData(i) for i in range(panel.column.count())]
    assert {"frames", "y_px", "speed_um_per_s"} <= set(offered)
    assert not {"track_id", "first", "last", "verdict", "why", "motion"} & set(offered)
    panel.column.value = "y_px"
    assert [curve.name for curve in panel.shown] == ["y_px", "4", "2"]
    assert [curve.x.tolist() for curve in panel.shown[1:]] == [[20.0], [10.0]]
    panel.draw()  # the column stays that was chosen
    assert panel.column.value == "y_px"
    assert not panel.of.isVisibleTo(panel)
    assert panel.column.isVisibleTo(panel)
    other = _model([(1, 0, 5.0, 5.0), (1, 1, 5.0, 6.0)], scale=Scale(None, None))
    _plot(panel, other, "distribution")
    assert panel.column.value == "y_px"  # these have it too
    panel.column.value = "speed_px_per_frame"
    _plot(panel, model, "distribution")
    assert panel.column.value == offered[0]  # those have micrometres
    panel.kind.value = "speed"
    assert panel.of.isVisibleTo(panel)
    assert not panel.column.isVisibleTo(panel)


class _Lineage:
    """The panel of the family, and what it asks for."""

    def __init__(self) -> None:
        self.edits: list[tuple[str, dict[str, Any]]] = []
        self.chosen: list[tuple[int, int | None]] = []

        def edit(action: str, **arguments: Any) -> None:
            self.edits.append((action, arguments))

        self.panel = LineagePanel(InspectorModel(), edit, lambda: 7, lambda: DARK)
        self.panel.track_chosen.connect(lambda track, frame: self.chosen.append((track, frame)))

    def show(self, model: InspectorModel) -> None:
        self.panel.model = model
        self.panel.draw()
        self.edits.clear()
        self.chosen.clear()

    def press(self, name: str) -> None:
        self.panel.findChild(QPushButton, name).click()


@pytest.fixture(scope="module")
def lineage(qapp: Any) -> _Lineage:
    return _Lineage()


def test_a_click_on_the_family_goes_to_a_track_within_its_life(lineage: _Lineage) -> None:
    model = _family()
    lineage.show(model)
    _click(lineage.panel.plot, 4.0)  # nothing is chosen yet
    assert lineage.chosen == []
    model.choose(2, 0)
    lineage.panel.draw()
    lanes = {life.track_id: life.lane for life in lineage.panel.lives}
    assert set(lanes) == {2, 3, 4}
    for track, time_s, frame in (
        (2, 8.9, 4),
        (2, 9.1, 5),
        (2, -3.0, 0),
        (3, 39.0, 14),
        (4, 19.0, 10),
    ):
        _click(lineage.panel.plot, time_s, lanes[track])
        assert lineage.chosen[-1] == (track, frame)
        assert isinstance(lineage.chosen[-1][1], int)
    beside = 0.8 * lanes[3] + 0.2 * lanes[4]  # nearer to the lane of 3 than to that of 2
    for time_s, near in ((22.0, (3, 11)), (4.9, (2, 2))):  # where the time decides
        _click(lineage.panel.plot, time_s, beside)
        assert lineage.chosen[-1] == near


def test_a_family_of_a_single_frame_is_clicked_too(lineage: _Lineage) -> None:
    model = _model([(1, 0, 5.0, 5.0), (2, 0, 9.0, 9.0)])
    model.choose(2, 0)
    lineage.show(model)
    for time_s in (0.0, 5.0):
        _click(lineage.panel.plot, time_s)
        assert lineage.chosen[-1] == (2, 0)


@pytest.mark.parametrize(
    ("selected", "kind", "parents", "children"),
    [((2, 3, 4), "fission", [2], [3, 4]), ((1, 2, 3), "fusion", [1, 2], [3])],
)
def test_tracks_that_end_before_the_others_begin_are_the_parents(
    lineage: _Lineage, selected: tuple[int, ...], kind: str, parents: list[int], children: list[int]
) -> None:
    model = _family()
    lineage.show(model)
    lineage.press("add_event")
    assert lineage.edits == []  # of no track
    for first in selected:
        model.selection.choose(first, 0, tuple(t for t in selected if t != first))
        lineage.press("add_event")
        action, given = lineage.edits[-1]
        assert (action, given["kind"], given["frame"]) == ("add_event", kind, 10)
        assert (sorted(given["parents"]), sorted(given["children"])) == (parents, children)


def test_a_track_that_is_still_there_when_the_others_begin_is_no_parent(lineage: _Lineage) -> None:
    spans = {1: range(11), 2: range(10), 3: range(10, 14)}
    model = _model([(k, t, 5.0 * k, 1.0 * t) for k, frames in spans.items() for t in frames])
    lineage.show(model)
    model.selection.choose(1, 0, (2, 3))
    lineage.press("add_event")
    _, given = lineage.edits[-1]
    assert (given["parents"], sorted(given["children"])) == ([2], [1, 3])


def test_an_event_is_edited_only_while_it_is_chosen(lineage: _Lineage) -> None:
    model = _family()
    lineage.show(model)
    table = lineage.panel.table
    buttons = [lineage.panel.findChild(QPushButton, n) for n in ("accept", "reject", "move_event")]
    assert not any(one.isEnabled() for one in buttons)
    lineage.panel._on_place("accept_event")
    assert lineage.edits == []
    table.selectRow(0)
    assert lineage.chosen == [(2, 10)]
    assert all(one.isEnabled() for one in buttons)
    for name in ("accept", "reject", "move_event"):
        lineage.press(name)
    moved = {"place": 0, "frame": 7}
    accepted, rejected = (f"{what}_event" for what in ("accept", "reject"))
    assert lineage.edits == [
        (accepted, {"place": 0}), (rejected, {"place": 0}), ("move_event", moved)
    ]  # fmt: skip
    model.edit("accept_event", place=0)
    lineage.panel.draw()
    assert table.row == 0  # the same event, accepted
    model.edit("reject_event", place=0)
    lineage.panel.draw()
    assert table.row is None
    assert table.isHidden()
    assert not any(one.isEnabled() for one in buttons)
