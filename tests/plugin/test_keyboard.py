"""Every dock with the keyboard alone."""

from __future__ import annotations

from importlib import import_module
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QLabel,
    QWidget,
)

from napari_virtualstain.plugin.kit.mnemonics import MENUS, with_mnemonic

pytestmark = pytest.mark.usefixtures("tiny_models")
DOCKS = [
    "load.dock:LoadWidget",
    "stain.dock:StainWidget",
    "segment.dock:SegmentWidget",
    "track.dock:TrackWidget",
    "inspect.dock:InspectorWidget",
    "evaluate.dock:EvaluateWidget",
    "train.dock:TrainWidget",
    "run_all.dock:RunAllWidget",
    "run_all.many_dock:RunManyWidget",
    "figure.dock:FigureWidget",
]
SCALE = {"scale": (2.0, 0.08, 0.08), "units": ("s", "um", "um"), "axis_labels": ("t", "y", "x")}
ALT = Qt.KeyboardModifier.AltModifier
CONTROL = Qt.KeyboardModifier.ControlModifier


@pytest.fixture(params=DOCKS)
def dock(request: Any, qtbot: Any, viewer_model: Any) -> Any:
    rng = np.random.default_rng(0)
    for name in ("bright-field", "true fluorescence"):
        viewer_model.add_image(rng.random((6, 48, 48), np.float32), name=name, **SCALE)
    labels = np.zeros((6, 48, 48), np.int32)
    labels[:, 10:20, 10:30] = 1
    viewer_model.add_labels(labels, name="cell [mitochondria]", **SCALE)
    tracks = np.array([[1, t, 15, 20] for t in range(6)])
    viewer_model.add_tracks(tracks, name="cell [tracks]", **SCALE)
    module, _, name = request.param.partition(":")
    made = getattr(import_module(f"napari_virtualstain.plugin.{module}"), name)(viewer_model)
    qtbot.addWidget(made)
    made.resize(420, 700)
    with qtbot.waitExposed(made):
        made.show()
    # the inspector fills itself at once, and its controls wait for that
    qtbot.waitUntil(lambda: not made.state.is_active, timeout=20_000)
    made.activateWindow()
    made.setFocus()
    qtbot.waitUntil(made.isActiveWindow, timeout=5_000)
    return made


def _controls(dock: Any) -> set[QWidget]:
    """Return what a hand could reach with the mouse."""
    inner = ("qt_spinbox_lineedit", "qt_scrollarea_viewport")
    return {
        widget
        for widget in dock.findChildren(QWidget)
        if widget.focusPolicy() & Qt.FocusPolicy.ClickFocus
        and widget.isVisible()
        and widget.isEnabled()
        and widget.objectName() not in inner
        and not isinstance(widget, QLabel)
    }


def _is_framed(widget: QWidget) -> bool:
    """Whether the blue frame of the focus is around a control."""
    image = widget.grab().toImage()
    colours = {image.pixelColor(image.width() // 2, y).name() for y in range(image.height())}
    return "#3d8eea" in colours


@pytest.mark.gui
def test_tab_goes_down_the_form_and_ends_at_run(dock: Any) -> None:
    first = min(_controls(dock), key=lambda w: w.mapTo(dock, w.rect().topLeft()).y())
    first.setFocus(Qt.FocusReason.TabFocusReason)
    seen: list[QWidget] = []
    while (focus := QApplication.focusWidget()) is not None and focus not in seen:
        seen.append(focus)
        if isinstance(focus, QComboBox | QAbstractSpinBox):
            assert _is_framed(focus), focus.objectName()
        QTest.keyClick(focus, Qt.Key.Key_Tab)
    assert _controls(dock) <= set(seen)
    assert not any(_is_framed(w) for w in seen if isinstance(w, QComboBox) and not w.hasFocus())
    heights = [w.mapTo(dock, w.rect().center()).y() for w in seen]
    assert all(later >= sooner - 12 for sooner, later in pairwise(heights))
    assert seen[-1] is dock.run_button or not dock.run_button.isEnabled()


@pytest.mark.gui
def test_each_letter_belongs_to_one_control_and_to_no_menu(dock: Any) -> None:
    letters = [
        child.text().partition("&")[2][0].lower()
        for child in dock.findChildren(QWidget)
        if isinstance(child, QLabel | QAbstractButton) and "&" in child.text()
    ]
    assert len(letters) >= 3
    assert len(set(letters)) == len(letters)
    assert not MENUS & set(letters)


@pytest.mark.gui
def test_alt_and_the_letter_go_to_the_field(dock: Any) -> None:
    label = next(
        child
        for child in dock.findChildren(QLabel)
        if child.buddy() is not None and "&" in child.text() and child.buddy().isEnabled()
    )
    dock.cancel_button.setFocus()
    letter = label.text().partition("&")[2][0].upper()
    QTest.keyClick(dock, getattr(Qt.Key, f"Key_{letter}"), ALT)
    field = label.buddy()
    assert QApplication.focusWidget() in {field, field.focusProxy(), *field.findChildren(QWidget)}


@pytest.mark.gui
def test_ctrl_enter_runs_from_any_field(dock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    runs: list[QWidget] = []
    monkeypatch.setattr(type(dock), "run", lambda self: runs.append(QApplication.focusWidget()))
    wanted = _controls(dock) - {dock.cancel_button}
    for control in wanted:
        control.setFocus()
        QTest.keyClick(control, Qt.Key.Key_Return, CONTROL)
    assert set(runs) == {w for w in wanted if w.focusPolicy() & Qt.FocusPolicy.TabFocus}


@pytest.mark.gui
def test_escape_cancels_from_any_field(dock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    cancels: list[int] = []
    monkeypatch.setattr(type(dock), "cancel", lambda self: cancels.append(1))
    wanted = _controls(dock)
    dock.runner._state = type(dock.state).RUNNING
    for control in wanted:
        control.setFocus()
        QTest.keyClick(control, Qt.Key.Key_Escape)
    dock.runner._state = type(dock.state).IDLE
    assert len(cancels) == len(wanted)


@pytest.mark.parametrize(
    ("text", "taken", "expected"),
    [
        ("Bright-field", "", "&Bright-field"),
        ("Fluorescence", "", "Fl&uorescence"),
        ("Pixel size", "s", "P&ixel size"),
        ("▶", "", "▶"),
    ],
)
def test_a_letter_is_free_and_begins_a_word_if_it_can(text: str, taken: str, expected: str) -> None:
    assert with_mnemonic(text, taken) == expected


def test_a_button_without_a_word_has_a_name_for_those_who_hear_it(dock: Any) -> None:
    for made in dock.findChildren(QAbstractButton):
        if made.text() and not any(letter.isalnum() for letter in made.text()):
            assert made.accessibleName(), (made.text(), made.toolTip())
