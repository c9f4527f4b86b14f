"""Form rows of the method and of how long to train; the rest folds away."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget

from ..kit.controls import Choice, IntegerBox, NumberBox, add_row, new_form, note
from ..kit.preferences import DEVICE_CHOICES

_AROUND = {"z": "above and below", "t": "before and after"}
_COUNTS = (3, 5)


class EffortRows(QWidget):
    """Method and minutes."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        from ...training import preset_names

        self.preset = Choice([(_title(name), name) for name in preset_names()])
        self.method_note = note(name="method_note")
        self.minutes = NumberBox(
            10, 0, 10_000, step=5, decimals=1, suffix=" min", special="no limit"
        )
        form = new_form()
        tooltip = "Method: ours, or one of Table 1 of the paper"
        add_row(form, "Method", self.preset, tooltip, name="preset")
        form.addRow(self.method_note)
        tooltip = "Time limit of the training; the number of steps is fitted to it"
        add_row(form, "Time", self.minutes, tooltip, name="minutes")
        form.setContentsMargins(0, 0, 0, 0)
        self.setLayout(form)
        self.preset.currentIndexChanged.connect(self._on_preset)
        self.minutes.valueChanged.connect(self._on_changed)
        self._on_preset()

    def _on_preset(self, _index: int = 0) -> None:
        from ...training import preset_sentence

        self.method_note.setText(preset_sentence(self.preset.value))
        self.changed.emit()

    def _on_changed(self, _value: object) -> None:
        self.changed.emit()


class PlanesChoice(Choice):
    """Drop-down of how many bright-field planes a new model reads.

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

    def load(self, planes: tuple[int, str] | None) -> None:
        """Choose what settings ask for, where the layer and the model have it."""
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
        tooltip = (
            "Bright-field planes that the model reads for each one: its contrast turns over in "
            "focus, and the neighbours show on which side a structure lies"
        )
        add_row(form, "Planes", self.planes, tooltip, name="planes")
        self.steps = IntegerBox(0, 0, 1_000_000, special="automatic")
        tooltip = "Steps of training; automatic: as many as the data is worth, within the time"
        add_row(form, "Steps", self.steps, tooltip, name="steps")
        self.crop = IntegerBox(128, 16, 2048, suffix=" px")
        add_row(form, "Crop", self.crop, "Side of the training crops in pixels", name="crop")
        self.batch = IntegerBox(8, 1, 1024)
        add_row(form, "Batch", self.batch, "Crops per step; fewer need less memory", name="batch")
        self.foreground = NumberBox(0, 0, 90, step=1, decimals=0, suffix=" %")
        tooltip = (
            "Smallest share of bright pixels in a crop; 0 accepts every crop (the paper: 14 %)"
        )
        add_row(form, "Foreground", self.foreground, tooltip, name="min_foreground")
        self.simulated_pairs = IntegerBox(200, 10, 10_000)
        tooltip = "How many pairs are simulated where there is no fluorescence; a tenth judges"
        add_row(form, "Simulated pairs", self.simulated_pairs, tooltip, name="simulated_pairs")
        self.device = Choice(DEVICE_CHOICES)
        add_row(form, "Device", self.device, "Where the network trains", name="device")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(form)
        for box in (self.steps, self.crop, self.batch, self.foreground, self.simulated_pairs):
            box.valueChanged.connect(self._on_changed)

    def take_preset(self, config: Any) -> None:
        """Show crop and batch of a method."""
        self.crop.setValue(config.crop_size)
        self.batch.setValue(config.batch_size)

    def _on_changed(self, _value: object) -> None:
        self.changed.emit()


def _title(name: str) -> str:
    return name if len(name) > 1 else f"{name} (Table 1)"


def _planes_text(inputs: Any) -> str:
    return "one" if inputs.planes == 1 else f"{inputs.planes}, {_AROUND[inputs.axis]}"
