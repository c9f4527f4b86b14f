"""Docks as tabs of one place, and the underlined letters of their controls."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QDockWidget,
    QLabel,
    QLineEdit,
    QMainWindow,
    QPushButton,
    QTabBar,
    QVBoxLayout,
    QWidget,
)

from napari_virtualstain.plugin.kit.dock_place import can_open_docks, dock_of, share_place
from napari_virtualstain.plugin.kit.mnemonics import give_mnemonics

RIGHT, LEFT = Qt.DockWidgetArea.RightDockWidgetArea, Qt.DockWidgetArea.LeftDockWidgetArea


@pytest.fixture
def window(qtbot: Any) -> QMainWindow:
    made = QMainWindow()
    qtbot.addWidget(made)
    made.resize(800, 600)
    made.show()
    return made


def _dock(window: QMainWindow, area: Any = RIGHT, *, floating: bool = False) -> QWidget:
    dock, body, inner = QDockWidget("Long title (napari-virtualstain)"), QWidget(), QWidget()
    QVBoxLayout(body).addWidget(inner)
    dock.setWidget(body)
    window.addDockWidget(area, dock)
    dock.setFloating(floating)
    dock.show()
    return inner


def _beside(qtbot: Any, window: QMainWindow, widget: QWidget) -> set[str]:
    qtbot.wait(30)  # until Qt has laid them out
    return {dock.windowTitle() for dock in window.tabifiedDockWidgets(dock_of(widget))}


def test_docks_of_the_plugin_become_tabs_with_their_short_titles(
    window: QMainWindow, qtbot: Any
) -> None:
    foreign = QDockWidget("Another plugin")
    window.addDockWidget(RIGHT, foreign)
    first, second, third = (_dock(window) for _ in range(3))
    for widget, title in ((first, "Load"), (second, "Stain"), (third, "Segment")):
        share_place(widget, title)
        assert dock_of(widget).windowTitle() == title
    assert _beside(qtbot, window, first) == {"Stain", "Segment"}
    assert not window.tabifiedDockWidgets(foreign)
    [bar] = [bar for bar in window.findChildren(QTabBar) if bar.count() == 3]
    assert bar.elideMode() == Qt.TextElideMode.ElideNone
    assert bar.usesScrollButtons()
    share_place(first, "Another name")  # it is shown again
    assert dock_of(first).windowTitle() == "Load"


@pytest.mark.parametrize(
    ("before", "new"),
    [
        ({"area": LEFT}, {}),
        ({"floating": True}, {}),
        ({}, {"area": LEFT}),
        ({}, {"floating": True}),
    ],
)
def test_docks_that_stand_elsewhere_or_alone_stay_there(
    window: QMainWindow, qtbot: Any, before: dict[str, Any], new: dict[str, Any]
) -> None:
    first, second = _dock(window, **before), _dock(window, **new)
    share_place(first, "Load")
    share_place(second, "Stain")
    assert _beside(qtbot, window, first) == set()
    assert dock_of(second).isFloating() == new.get("floating", False)
    third = _dock(window)
    share_place(third, "Segment")
    assert _beside(qtbot, window, third) == ({"Stain"} if before else {"Load"})


def test_a_widget_that_is_in_no_dock_is_left_alone(qtbot: Any) -> None:
    alone, body = QWidget(), QWidget()
    qtbot.addWidget(alone)
    qtbot.addWidget(body)
    assert dock_of(alone) is None
    share_place(alone, "Load")
    dock = QDockWidget("Long title", body)  # in a window that is none of napari's
    dock.setWidget(alone)
    share_place(alone, "Load")
    assert dock.windowTitle() == "Long title"


def test_docks_are_opened_where_there_is_a_window(viewer_model: Any) -> None:
    assert not can_open_docks(viewer_model)
    assert not can_open_docks(SimpleNamespace(window=None))
    window = SimpleNamespace(add_plugin_dock_widget=print)
    assert can_open_docks(SimpleNamespace(window=window))


def test_controls_have_letters_of_their_own_and_keep_them(qtbot: Any) -> None:
    body = QWidget()
    qtbot.addWidget(body)
    room = QVBoxLayout(body)
    field = QLineEdit()
    texts = ("Save", "&Other", "…", "", "Spared")
    save, other, sign, empty, spared = (QPushButton(text) for text in texts)
    heading, named = QLabel("Heading"), QLabel("Size")
    named.setBuddy(field)
    for widget in (heading, named, field, save, other, sign, empty, spared):
        room.addWidget(widget)
    for _ in range(2):
        give_mnemonics(body, spared=[spared])
        assert [widget.text() for widget in (named, save, other)] == ["&Size", "S&ave", "&Other"]
        assert [widget.text() for widget in (heading, sign, empty, spared)] == [
            "Heading",
            "…",
            "",
            "Spared",
        ]
