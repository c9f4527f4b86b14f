"""Form rows of the method and the duration of a training; the rest folds away."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget

from ...settings import fields_of
from ..kit.controls import Choice, add_row, new_form, note
from ..kit.preferences import DEVICES_TO_TRAIN
from ..kit.settings_form import SettingsForm
from .dock_settings import DockSettings

_AROUND = {"z": "above and below", "t": "before and after"}
_COUNTS = (3, 5)
_ADVANCED = ["steps", "crop_size", "batch_size", "min_foreground", "simulated_pairs"]
_MINUTES = 10.0  # in a window somebody waits
_CROP_PX = 128


class EffortRows(QWidget):
    """Method and minutes."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        from ...training import preset_names

        form = new_form()
        presets = [(_title(name), name) for name in preset_names()]
        method = SettingsForm(DockSettings, form, names=["preset"], choices={"preset": presets})
        self._method = method
        self.preset = method["preset"].native
        self.method_note = note(name="method_note")
        form.addRow(self.method_note)
        time = SettingsForm(DockSettings, form, names=["minutes"], start={"minutes": _MINUTES})
        self.minutes = time["minutes"].native
        self.forms = (method, time)
        form.setContentsMargins(0, 0, 0, 0)
        self.setLayout(form)
        method.on_change(self._on_preset)
        time.on_change(self.changed.emit)
        self._on_preset()

    @property
    def method(self) -> str:
        """Name of the chosen preset."""
        return str(self._method["preset"].value)

    def _on_preset(self) -> None:
        from ...training import preset_sentence

        self.method_note.setText(preset_sentence(self.method))
        self.changed.emit()


class PlanesChoice(Choice):
    """Drop-down of the number of bright-field planes that a new model reads.

    It offers the plane itself, or with its neighbours along the axes that a layer has.
    Until the user chooses, z-stacks are read as usual, with the planes above and below, and
    movies plane by plane. A model to start from has its own number, which is then shown.
    """

    def __init__(self) -> None:
        super().__init__()
        self._offered: Any = None
        self.follow({}, None)

    @property
    def asked(self) -> int | None:
        """Planes for one target; None leaves it to the model to start from."""
        return None if self.value is None else int(self.value[0])

    @property
    def axis(self) -> str:
        """Where they lie: ``z`` or ``t``."""
        return "z" if self.value is None else str(self.value[1])

    @property
    def given(self) -> dict[str, Any]:
        """Settings by name."""
        return {"planes": self.asked, "plane_axis": self.axis}

    def load(self, settings: DockSettings) -> None:
        """Choose what settings ask for, where the layer and the model have it."""
        planes = None if settings.planes is None else (settings.planes, settings.plane_axis)
        if planes in map(self.itemData, range(self.count())):
            self.value = planes

    def follow(self, sizes: dict[str, int], start: Any) -> None:
        """Offer what fits a layer.

        Parameters
        ----------
        sizes : dict
            Length of each axis of the layer by its letter.
        start : ModelCard or None
            Card of the model to start from.
        """
        from ...data import usual_planes

        if start is not None:
            options: list[tuple[str, Any]] = [(f"{_planes_text(start.inputs)}, as the model", None)]
            usual = None
        else:
            options = [("one", (1, "z"))]
            options += [
                (f"{count}, {_AROUND[axis]}", (count, axis))
                for axis in "zt"
                for count in _COUNTS
                if sizes.get(axis, 1) >= count
            ]
            usual = (usual_planes(sizes.get("z", 1)), "z")
        if options == self._offered:  # the user's own choice stays
            return
        self._offered = options
        self.blockSignals(True)
        self.clear()
        for text, value in options:
            self.addItem(text, value)
        self.value = usual
        self.setEnabled(len(options) > 1)
        self.blockSignals(False)


class AdvancedRows(QWidget):
    """Steps, crop, batch, foreground, planes and device."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        form = new_form()
        form.setContentsMargins(0, 0, 0, 0)
        self.planes = PlanesChoice()
        field = fields_of(DockSettings)["planes"]
        add_row(form, field.title, self.planes, field.description, name=field.name)
        self.rows = SettingsForm(DockSettings, form, names=_ADVANCED, start={"crop_size": _CROP_PX})
        boxes = [self.rows[name].native for name in _ADVANCED]
        self.steps, self.crop, self.batch, self.foreground, self.simulated_pairs = boxes
        self.device = Choice(DEVICES_TO_TRAIN)
        add_row(form, "Device", self.device, "Where the network trains", name="device")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(form)
        self.rows.on_change(self.changed.emit)

    def take_preset(self, config: Any) -> None:
        """Show crop and batch of a method."""
        self.rows.show({"crop_size": config.crop_size, "batch_size": config.batch_size})


def _title(name: str) -> str:
    return name if len(name) > 1 else f"{name} (Table 1)"


def _planes_text(inputs: Any) -> str:
    return "one" if inputs.planes == 1 else f"{inputs.planes}, {_AROUND[inputs.axis]}"
