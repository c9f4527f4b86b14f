"""Small form controls that the docks share."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable
from typing import Any

from qtpy.QtCore import QEvent, QSize, Qt, QTimer
from qtpy.QtGui import QWheelEvent
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QSpinBox,
    QStyle,
    QStyleOptionComboBox,
    QStylePainter,
    QWidget,
)

_MIDDLE = Qt.TextElideMode.ElideMiddle
_PADDING = 16  # of the text, in napari's style


def _wheel(widget: Any, event: QWheelEvent | None, base: type) -> None:
    """Let a scrolling form scroll: the wheel changes a number only where it has the focus."""
    if event is None:
        return
    if widget.hasFocus():
        base.wheelEvent(widget, event)  # type: ignore[attr-defined]
    else:
        event.ignore()


class IntegerBox(QSpinBox):
    """An integer field that a passing mouse wheel leaves alone."""

    def __init__(
        self, value: int, minimum: int, maximum: int, *, suffix: str = "", special: str = ""
    ) -> None:
        super().__init__()
        self.setRange(minimum, maximum)
        self.setSuffix(suffix)
        self.setSpecialValueText(special)
        self.setValue(value)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)

    def wheelEvent(self, event: QWheelEvent | None) -> None:
        """Scroll the form unless the field has the focus."""
        _wheel(self, event, QSpinBox)


class NumberBox(QDoubleSpinBox):
    """A number field that a passing mouse wheel leaves alone."""

    def __init__(
        self,
        value: float,
        minimum: float,
        maximum: float,
        *,
        step: float,
        decimals: int,
        suffix: str = "",
        special: str = "",
    ) -> None:
        super().__init__()
        self.setDecimals(decimals)
        self.setRange(minimum, maximum)
        self.setSingleStep(step)
        self.setSuffix(suffix)
        self.setSpecialValueText(special)
        self.setValue(value)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)

    def wheelEvent(self, event: QWheelEvent | None) -> None:
        """Scroll the form unless the field has the focus."""
        _wheel(self, event, QDoubleSpinBox)


def keep_narrow(combo: QComboBox) -> None:
    """Keep a long entry, such as a model's name, from pushing the dock wider than the screen."""
    combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    combo.setMinimumContentsLength(11)
    combo.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)


class Choice(QComboBox):
    """A drop-down of (text, value) pairs that a passing mouse wheel leaves alone."""

    def __init__(self, options: Iterable[tuple[str, Any]] = ()) -> None:
        super().__init__()
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        keep_narrow(self)
        for text, value in options:
            self.addItem(text, value)

    def showPopup(self) -> None:
        """Leave out the middle of long names in the list too."""
        # not in __init__: Python, left with lists that never opened, crashed at its end
        self.view().setTextElideMode(_MIDDLE)
        super().showPopup()

    def paintEvent(self, event: Any) -> None:
        """Leave out the middle of a long name: the end tells one result from another."""
        option = QStyleOptionComboBox()
        self.initStyleOption(option)
        combo, arrow = QStyle.ComplexControl.CC_ComboBox, QStyle.SubControl.SC_ComboBoxArrow
        room = self.style().subControlRect(combo, option, arrow, self).left() - _PADDING
        text = option.currentText or self.placeholderText()  # Qt draws it only in its own event
        option.currentText = self.fontMetrics().elidedText(text, _MIDDLE, room)
        painter = QStylePainter(self)
        painter.drawComplexControl(combo, option)
        painter.drawControl(QStyle.ControlElement.CE_ComboBoxLabel, option)
        painter.end()  # a frame that somebody keeps would keep it open

    def wheelEvent(self, event: QWheelEvent | None) -> None:
        """Scroll the form unless the field has the focus."""
        _wheel(self, event, QComboBox)

    @property
    def value(self) -> Any:
        """The value behind the chosen text."""
        return self.currentData()

    @value.setter
    def value(self, value: Any) -> None:
        index = next((i for i in range(self.count()) if self.itemData(i) == value), -1)
        if index < 0:
            raise ValueError(f"{value!r} is not among the choices")
        self.setCurrentIndex(index)


class FormArea(QScrollArea):
    """Scroll area of a form, never narrower than what it holds."""

    def __init__(self, body: QWidget) -> None:
        super().__init__()
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # it follows the field that has the focus
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setWidget(body)
        self._filled: QWidget | None = None
        self._laid_out = QTimer(self)  # a child: never fires after the dock is gone
        self._laid_out.setSingleShot(True)
        self._laid_out.setInterval(50)
        self._laid_out.timeout.connect(self._show_filled)
        body.installEventFilter(self)

    def eventFilter(self, watched: Any, event: Any) -> bool:
        """Ask for more room when the form has grown wider."""
        # a theme makes fields wider without a LayoutRequest; the body is resized then
        if event.type() in (QEvent.Type.LayoutRequest, QEvent.Type.Resize):
            self._follow_width()
        return bool(super().eventFilter(watched, event))

    def show_filled(self, widget: QWidget) -> None:
        """Bring a part of the form into view that was filled just now, once it is laid out."""
        self._filled = widget
        self._laid_out.start()

    def _show_filled(self) -> None:
        if self._filled is not None:
            self.ensureWidgetVisible(self._filled)
        self._filled = None

    def minimumSizeHint(self) -> QSize:
        """Return the least width and the height of a few rows."""
        return QSize(self._least_width(), 120)

    def _least_width(self) -> int:
        body = self.widget()
        width = body.minimumSizeHint().width() if body is not None else 0
        return int(width + self.verticalScrollBar().sizeHint().width())

    def _follow_width(self) -> None:
        if (wanted := self._least_width()) != self.minimumWidth():
            self.setMinimumWidth(wanted)


def add_row(
    form: QFormLayout, text: str, field: QWidget, tooltip: str, *, name: str = ""
) -> QLabel:
    """Add a labelled `field` to `form`; label and field share the tooltip."""
    label = QLabel(text)
    label.setBuddy(field.focusProxy() or field)  # a row itself takes no focus
    label.setToolTip(plain_tooltip(tooltip))
    field.setToolTip(plain_tooltip(tooltip))
    field.setAccessibleName(text)
    if name:
        field.setObjectName(name)
    form.addRow(label, field)
    return label


def new_form() -> QFormLayout:
    """Return a form layout that stays narrow: long rows wrap."""
    form = QFormLayout()
    form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
    form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.DontWrapRows)
    form.setHorizontalSpacing(8)
    form.setVerticalSpacing(6)
    return form


def check_box(text: str, tooltip: str, *, checked: bool = False, name: str = "") -> QCheckBox:
    """Return a check box with a tooltip."""
    box = QCheckBox(text)
    box.setToolTip(plain_tooltip(tooltip))
    box.setChecked(checked)
    if name:
        box.setObjectName(name)
    return box


def keep_former_box() -> QCheckBox:
    """Return the box that asks for a new layer each time a step is run."""
    return check_box(
        "Keep the former result",
        "Add a numbered layer each time, instead of showing the new result in the layer of the "
        "former one. Labels that were painted on and tracks that were edited are always kept",
        name="keep_former",
    )


def button(text: str, tooltip: str, slot: Callable[[], Any], *, name: str = "") -> QPushButton:
    """Return a push button that calls `slot`."""
    made = QPushButton(text)
    made.setToolTip(plain_tooltip(tooltip))
    made.setAutoDefault(False)
    if not any(letter.isalnum() for letter in text):  # a sign cannot be read out
        made.setAccessibleName(tooltip)
    # clicked carries `checked`, which slots such as cancel() must not receive
    made.clicked.connect(lambda _checked=False: slot())
    if name:
        made.setObjectName(name)
    return made


def in_row(*widgets: QWidget, stretch: int | None = 0) -> QWidget:
    """Return the widgets side by side; the one at `stretch` takes the room left, None: all do."""
    row = QWidget()
    layout = QHBoxLayout(row)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(4)
    for index, widget in enumerate(widgets):
        layout.addWidget(widget, 1 if stretch in (index, None) else 0)
    row.setFocusProxy(widgets[0])
    return row


def plain_tooltip(text: str) -> str:
    """Return a text of a file or layer for a tooltip, which Qt else reads as HTML if it can."""
    return f"<qt>{html.escape(text, quote=False)}</qt>" if Qt.mightBeRichText(text) else text


def note(text: str = "", *, name: str = "", rich: bool = False) -> QLabel:
    """Return a label for sentences: it wraps and can be copied from.

    Texts of files and layers are shown as they are; only a `rich` label reads them as HTML.
    """
    label = QLabel()
    label.setTextFormat(Qt.TextFormat.RichText if rich else Qt.TextFormat.PlainText)
    label.setText(text)
    label.setWordWrap(True)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
    if name:
        label.setObjectName(name)
    return label
