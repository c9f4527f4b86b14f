"""Controls as they are drawn, and what mouse wheel, keys and ears find of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QWheelEvent
from qtpy.QtWidgets import QApplication, QLabel, QPushButton, QToolButton, QVBoxLayout, QWidget

from napari_virtualstain.plugin.kit.controls import (
    Choice,
    FormArea,
    IntegerBox,
    NumberBox,
    add_row,
    button,
    in_row,
    new_form,
    note,
    plain_tooltip,
)
from napari_virtualstain.plugin.kit.section import Section


def _drawn(choice: Choice) -> np.ndarray:
    image = choice.grab().toImage().convertToFormat(choice.grab().toImage().Format.Format_RGB32)
    pixels = np.frombuffer(image.constBits().asstring(image.sizeInBytes()), np.uint8)
    return pixels.reshape(image.height(), image.bytesPerLine())


def test_a_choice_without_a_value_shows_what_to_choose(qtbot: Any) -> None:
    choice = Choice([("red", 1)])
    qtbot.addWidget(choice)
    choice.resize(220, 30)
    choice.show()
    choice.setCurrentIndex(-1)
    empty = _drawn(choice)
    choice.setPlaceholderText("choose true fluorescence")
    asking = _drawn(choice)
    assert (asking != empty).sum() > 200
    choice.setCurrentIndex(0)
    assert (_drawn(choice) != asking).sum() > 200


def _turn_wheel(widget: QWidget) -> bool:
    """Turn the wheel by a notch towards the user, and return whether the widget took it."""
    event = QWheelEvent(
        QPointF(2, 2),
        QPointF(widget.mapToGlobal(QPoint(2, 2))),
        QPoint(0, 0),
        QPoint(0, -120),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(widget, event)
    return bool(event.isAccepted())


@pytest.mark.parametrize("kind", ["integer", "number", "choice"])
def test_the_wheel_changes_a_field_only_while_it_has_the_focus(qtbot: Any, kind: str) -> None:
    window = QWidget()
    qtbot.addWidget(window)
    field: Any = {
        "integer": lambda: IntegerBox(5, 0, 9),
        "number": lambda: NumberBox(5, 0, 9, step=1, decimals=0),
        "choice": lambda: Choice([("five", 5), ("four", 4)]),
    }[kind]()
    other = QPushButton("Run")
    room = QVBoxLayout(window)
    room.addWidget(other)
    room.addWidget(field)
    with qtbot.waitExposed(window):
        window.show()
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow, timeout=5000)

    def value() -> float:
        return float(field.value if kind == "choice" else field.value())

    other.setFocus()
    assert not _turn_wheel(field)
    assert value() == 5
    field.setFocus()
    assert _turn_wheel(field)
    assert value() == 4


@pytest.mark.parametrize(
    ("stretch", "wide"), [({}, [0]), ({"stretch": 1}, [1]), ({"stretch": None}, [0, 1])]
)
def test_in_a_row_the_room_left_goes_to_the_chosen_field(
    qtbot: Any, stretch: dict[str, Any], wide: list[int]
) -> None:
    fields = [QToolButton(), QToolButton()]
    for field in fields:
        policy = field.sizePolicy().Policy
        field.setSizePolicy(policy.Expanding, policy.Fixed)
        field.setMinimumWidth(20)
    row = in_row(*fields, **stretch)
    qtbot.addWidget(row)
    row.resize(400, 30)
    row.show()
    assert [place for place, field in enumerate(fields) if field.width() > 150] == wide


def test_a_row_passes_the_focus_to_its_first_field_and_shares_its_tooltip(qtbot: Any) -> None:
    body = QWidget()
    qtbot.addWidget(body)
    form = new_form()
    body.setLayout(form)
    first, second = IntegerBox(0, 0, 9), IntegerBox(0, 0, 9)
    row = in_row(first, second)
    label = add_row(form, "Frames", row, "From <b> to", name="frames")
    assert label.buddy() is first
    assert label.toolTip() == row.toolTip() == plain_tooltip("From <b> to")
    assert (row.accessibleName(), row.objectName()) == ("Frames", "frames")
    plain = add_row(form, "Size", second, "In pixels")
    assert plain.buddy() is second
    assert (second.toolTip(), second.objectName()) == ("In pixels", "")


@pytest.mark.parametrize(
    ("text", "heard"), [("…", "Open a file"), ("▶", "Open a file"), ("Go", "")]
)
def test_a_button_with_a_sign_is_heard_by_its_tooltip(qtbot: Any, text: str, heard: str) -> None:
    pressed: list[Any] = []
    made = button(text, "Open a file", lambda *given: pressed.append(given))
    qtbot.addWidget(made)
    assert made.accessibleName() == heard
    qtbot.mouseClick(made, Qt.MouseButton.LeftButton)
    assert pressed == [()]
    assert not made.autoDefault()  # Enter in a field must not press it


@pytest.mark.parametrize(("rich", "shown"), [(False, "PlainText"), (True, "RichText")])
def test_a_note_is_read_as_html_only_where_it_is_ours(qtbot: Any, rich: bool, shown: str) -> None:
    made = note("<b>cell</b> 3", rich=rich)
    qtbot.addWidget(made)
    assert made.textFormat() == getattr(Qt.TextFormat, shown)
    made.resize(60, 200)
    made.setText("a sentence that is longer than the note is wide")
    assert made.heightForWidth(60) > 2 * QLabel("a").sizeHint().height()
    qtbot.mousePress(made, Qt.MouseButton.LeftButton)
    assert made.textInteractionFlags() & Qt.TextInteractionFlag.TextSelectableByMouse


def test_what_was_filled_comes_into_view(qtbot: Any) -> None:
    body = QWidget()
    room = QVBoxLayout(body)
    top, bottom = QLabel("top"), QLabel("bottom")
    top.setFixedSize(300, 900)
    room.addWidget(top)
    room.addWidget(bottom)
    area = FormArea(body)
    qtbot.addWidget(area)
    area.resize(340, 200)
    with qtbot.waitExposed(area):
        area.show()
    assert bottom.visibleRegion().isEmpty()
    area.show_filled(bottom)
    qtbot.waitUntil(lambda: not bottom.visibleRegion().isEmpty(), timeout=2000)
    area.verticalScrollBar().setValue(0)
    qtbot.wait(100)
    assert bottom.visibleRegion().isEmpty()  # once, and not again at each change
    top.setFixedWidth(500)
    qtbot.waitUntil(lambda: area.width() >= 500, timeout=2000)


def test_a_section_folds_and_unfolds_with_its_heading(qtbot: Any) -> None:
    for is_open in (False, True):
        section = Section("More", "What is inside", is_open=is_open)
        qtbot.addWidget(section)
        section.show()
        for shown in (is_open, not is_open, is_open):
            assert section.body.isVisible() == section.heading.isChecked() == shown
            arrow = Qt.ArrowType.DownArrow if shown else Qt.ArrowType.RightArrow
            assert section.heading.arrowType() == arrow
            qtbot.mouseClick(section.heading, Qt.MouseButton.LeftButton)
        section.unfold(True)
        assert section.heading.isChecked()
