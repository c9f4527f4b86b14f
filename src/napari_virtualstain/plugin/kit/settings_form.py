"""Form rows of the settings of a step, made by magicgui from the settings class."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any, Generic, TypeVar

from magicgui.widgets import create_widget
from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtWidgets import (
    QAbstractSlider,
    QAbstractSpinBox,
    QComboBox,
    QFormLayout,
    QLabel,
    QLineEdit,
    QWidget,
)

from ...settings import SettingField, Settings, checked_settings, fields_of
from .controls import add_row, keep_narrow, plain_tooltip

Chosen = TypeVar("Chosen", bound=Settings)
_NARROWEST = 100
_NARROWEST_SLIDER = 150
_FIELDS = (QAbstractSpinBox, QAbstractSlider, QComboBox)


class SettingsForm(QObject, Generic[Chosen]):
    """Rows for the settings of a step, with labels, units, limits and tooltips of the class.

    Settings without a row keep their values, so that a settings file which is shown and read
    back is the same.

    Parameters
    ----------
    settings : type
        A class of :mod:`napari_virtualstain.settings`.
    form, advanced : QFormLayout
        Receive the rows that are always in sight, and those that are folded away; with
        `form` alone all are in sight.
    choices : dict, optional
        Choices of settings that take more than the class knows, such as add-ons.
    in_sight : iterable of str
        Names of settings whose rows are not folded away here, wherever else they are.
    names : iterable of str, optional
        Settings to show, where a dock shows those of one class in several places.
    start : dict, optional
        Values shown at first that are not the defaults of the class.
    """

    def __init__(
        self,
        settings: type[Chosen],
        form: QFormLayout,
        advanced: QFormLayout | None = None,
        *,
        choices: dict[str, list[tuple[str, Any]]] | None = None,
        in_sight: Iterable[str] = (),
        names: Iterable[str] | None = None,
        start: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self._class = settings
        self._kept: dict[str, Any] = {}
        self._fields = fields_of(settings)
        self._wheel = WheelGuard(self)
        self.widgets: dict[str, Any] = {}
        self._labels: dict[str, QLabel] = {}
        folded = form if advanced is None else advanced
        known = [name for name, field in self._fields.items() if field.place]
        for name in known if names is None else names:
            field, offered = self._fields[name], (choices or {}).get(name)
            is_folded = field.place == "advanced" and name not in set(in_sight)
            self._add(field, folded if is_folded else form, offered)
        self.show(start or {})
        # dies with the dock, in the GUI thread; the form itself may not be in a window yet
        self.setParent(next(iter(self.widgets.values())).native)

    def __getitem__(self, name: str) -> Any:
        """Return the magicgui widget of a setting."""
        return self.widgets[name]

    @property
    def value(self) -> Chosen:
        """Settings of the moment."""
        return checked_settings(self._class, **{**self._kept, **self.given})

    @value.setter
    def value(self, settings: Chosen) -> None:
        self._kept = dict(settings)
        self.show({name: getattr(settings, name) for name in self.widgets})

    @property
    def given(self) -> dict[str, Any]:
        """Values of the rows by the names of their settings."""
        return {name: self._value(name) for name in self.widgets}

    def show(self, values: dict[str, Any]) -> None:
        """Show values of settings that have a row."""
        for name, value in values.items():
            self.widgets[name].value = self._shown_as(name, value)

    def on_change(self, slot: Callable[[], Any], *names: str) -> None:
        """Call `slot` when one of the named settings is changed, or any where none is named."""
        for name in names or self.widgets:
            self.widgets[name].changed.connect(lambda _value: slot())

    def show_row(self, name: str, shown: bool) -> None:
        """Show or hide the row of a setting that has a label."""
        for part in (self.widgets[name].native, self._labels[name]):
            part.setVisible(shown)

    def offer(self, offered: bool, reason: str, names: Iterable[str] = ()) -> None:
        """Enable the named settings, or all; a tooltip gives the reason where they are not."""
        for name in names or self.widgets:
            native = self.widgets[name].native
            native.setEnabled(offered)
            tooltip = plain_tooltip(self._fields[name].description if offered else reason)
            for part in (native, *fields_within(native)):
                part.setToolTip(tooltip)

    def _value(self, name: str) -> Any:
        field, value = self._fields[name], self.widgets[name].value
        factor = field.display.factor
        if field.value_of_none is not None and value <= factor * field.value_of_none:
            return field.word
        if field.none and value == "":
            return None
        if value is None or field.choices or field.kind not in (int, float):
            return value
        return field.kind(value / factor)

    def _shown_as(self, name: str, value: Any) -> Any:
        """Return what the widget of a setting holds for a value."""
        field = self._fields[name]
        if field.kind is str and not field.choices:
            return "" if value is None else str(value)
        if field.kind in (int, float) and not field.choices:
            number: Any = field.value_of_none if value in (None, field.word) else value
            return field.display.factor * number
        return value

    def _add(
        self, field: SettingField, form: QFormLayout, choices: list[tuple[str, Any]] | None
    ) -> None:
        options = field.widget
        if choices is not None:
            options |= {"widget_type": "ComboBox", "choices": choices}
        made = create_widget(annotation=Any, name=field.name, options=options)
        native = made.native
        native.setObjectName(field.name)
        self._dress(native, field)
        made.value = self._shown_as(field.name, field.default)  # as many decimals as it has then
        if field.kind is bool and not field.none:
            native.setToolTip(plain_tooltip(field.description))
            form.addRow(native)
        else:
            self._labels[field.name] = add_row(
                form, field.title, native, field.description, name=field.name
            )
        self.widgets[field.name] = made

    def _dress(self, native: QWidget, field: SettingField) -> None:
        """Show unit and meaning of None; leave the wheel to the form that scrolls."""
        if hasattr(native, "setDecimals") and isinstance(native, QAbstractSpinBox):
            display = field.display
            decimals = max(2, 1 + math.ceil(-math.log10(field.step)))
            decimals = decimals if display.decimals is None else display.decimals
            native.setDecimals(0 if field.kind is int else decimals)
            native.setSuffix(f" {display.unit}" if display.unit else "")
            native.setSpecialValueText(field.none or display.lowest)
            native.setMinimumWidth(_NARROWEST)  # its hint has room for the largest number
        if isinstance(native, QLineEdit):
            native.setPlaceholderText(field.none)
        if isinstance(native, QComboBox):
            keep_narrow(native)
        parts = fields_within(native)
        for part in (native, *parts):
            part.installEventFilter(self._wheel)
            part.setToolTip(plain_tooltip(field.description))
            if isinstance(part, _FIELDS):
                part.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
                part.setAccessibleName(field.title)
        if parts and not isinstance(native, _FIELDS):
            native.setFocusProxy(parts[0])
            native.setMinimumWidth(_NARROWEST_SLIDER)


def fields_within(native: QWidget) -> list[QWidget]:
    """Return what of a widget takes values, for instance slider and number of a slider."""
    return [part for part in native.findChildren(QWidget) if isinstance(part, _FIELDS)]


class WheelGuard(QObject):
    """Event filter that leaves the wheel to the form unless a field has the focus."""

    def eventFilter(self, watched: Any, event: Any) -> bool:
        """Leave a wheel over a field without focus to the form."""
        if event.type() == QEvent.Type.Wheel and not watched.hasFocus():
            event.ignore()
            return True
        return bool(super().eventFilter(watched, event))
