"""The microscope and the weight map: kernel, its width, and the map of the visible frame."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from napari.layers import Image
from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QImage, QPixmap
from qtpy.QtWidgets import QLabel, QVBoxLayout, QWidget

from ...data import plane_at
from ...errors import InputError
from ..kit.controls import Choice, NumberBox, add_row, button, in_row, new_form, note
from ..kit.layer_region import visible_index
from ..layers.description import (
    flat_geometry,
    geometry_of,
    layer_name,
    provenance,
    provenance_of,
)
from ..layers.insertion import insert
from .settings import OpticsSettings

KINDS = (
    ("as the method", None),
    ("PSF deconvolution", "psf_deconvolution"),
    ("PSF convolution", "psf_convolution"),
    ("Gaussian", "gaussian"),
    ("logit", "logit"),
    ("binary", "binary"),
    ("none", "none"),
)
_TEXTS = {
    "numerical_aperture": "NA",
    "immersion_index": "immersion",
    "wavelength_um": "emission",
    "depth_um": "depth",
}
_USUAL = "psf_deconvolution"
_PICTURE_PX = 90
_KERNEL_PX = 15


class OpticsPanel(QWidget):
    """Rows of the optics, with the kernel drawn and the weight map on demand.

    Parameters
    ----------
    viewer : napari.Viewer
        Where the map is shown.
    fluorescence : callable
        Returns the layer of true fluorescence, or None.
    pixel_size_um : callable
        Returns the pixel size.
    say : callable
        Receives advice.
    """

    changed = Signal()

    def __init__(
        self,
        viewer: Any,
        fluorescence: Callable[[], Any],
        pixel_size_um: Callable[[], float],
        say: Callable[[str], None],
    ) -> None:
        super().__init__()
        self._viewer, self._fluorescence = viewer, fluorescence
        self._pixel_size_um, self._say = pixel_size_um, say
        self._typed: set[QWidget] = set()
        self._filling, self._filled_for = False, None
        self._is_open = False
        self.origin = note(name="optics_origin")
        self.na = NumberBox(1.42, 0.05, 1.7, step=0.05)
        self.immersion = NumberBox(1.515, 1.0, 2.0, step=0.01, decimals=3)
        self.wavelength = NumberBox(608, 50, 5000, step=10, decimals=0, suffix=" nm")
        self.depth = NumberBox(0, 0, 200, step=0.5, decimals=1, suffix=" µm")
        self.kind = Choice(KINDS)
        self.background = NumberBox(25, 0, 50, step=5, decimals=0, suffix=" %", special="off")
        form = new_form()
        add_row(form, "NA", self.na, "Numerical aperture of the objective", name="na")
        tooltip = "Refractive index of the immersion: oil 1.515, glycerol 1.47, water 1.33, air 1"
        add_row(form, "Immersion", self.immersion, tooltip, name="immersion_index")
        tooltip = "Emission wavelength of the fluorescence"
        add_row(form, "Emission", self.wavelength, tooltip, name="wavelength")
        add_row(form, "Depth", self.depth, "Depth below the cover glass", name="depth")
        tooltip = "How the weight of each pixel follows from the true fluorescence"
        add_row(form, "Weight map", self.kind, tooltip, name="weight_map")
        tooltip = (
            "Percentile of the frame that is subtracted before: the strong lever, which decides "
            "how much the mitochondria count beside their background"
        )
        add_row(form, "Background", self.background, tooltip, name="weight_background")
        self.kernel_picture = QLabel()
        self.kernel_picture.setObjectName("kernel_picture")
        self.kernel_picture.setAccessibleName("Kernel of the weight map")
        self.kernel_note = note(name="kernel_note")
        self.show_button = button(
            "Show weight map",
            "Add the weight map of the visible frame as a layer",
            self.show_map,
            name="show_weight_map",
        )
        self.ratio_note = note(name="weight_ratio")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.origin)
        layout.addLayout(form)
        layout.addWidget(in_row(self.kernel_picture, self.kernel_note, stretch=1))
        layout.addWidget(self.show_button)
        layout.addWidget(self.ratio_note)
        self.ratio_note.setVisible(False)
        for box in (self.na, self.immersion, self.wavelength, self.depth, self.background):
            box.valueChanged.connect(self._on_changed)
        self.kind.currentIndexChanged.connect(self._on_changed)
        # the optics of the shipped models have a kernel; computing it takes half a second at first
        self._judged: tuple[Any, str | None] = (self._physics, None)

    @property
    def value(self) -> OpticsSettings:
        """What the rows say."""
        return OpticsSettings(
            numerical_aperture=self.na.value(),
            immersion_index=self.immersion.value(),
            wavelength_um=self.wavelength.value() / 1000,
            depth_um=self.depth.value(),
            weight_map=self.kind.value,
            weight_background=self.background.value(),
        )

    @value.setter
    def value(self, optics: OpticsSettings) -> None:
        self.na.setValue(optics.numerical_aperture)
        self.immersion.setValue(optics.immersion_index)
        self.wavelength.setValue(1000 * optics.wavelength_um)
        self.depth.setValue(optics.depth_um)
        self.kind.value = optics.weight_map
        self.background.setValue(optics.weight_background)

    def why_not(self) -> str | None:
        """Return why there is no kernel for these optics, None when there is one."""
        if self._judged[0] != self._physics:
            reason = None
            try:
                self.kernel()
            except InputError as error:
                reason = str(error)
            self._judged = (self._physics, reason)
        return self._judged[1]

    @property
    def _physics(self) -> tuple[float, ...]:
        boxes = (self.na, self.immersion, self.wavelength, self.depth)
        return tuple(box.value() for box in boxes)

    def why_not_simulated(self) -> str | None:
        """Return why no scene can be simulated with these optics, None when one can."""
        from dataclasses import replace

        from ...simulation import Microscope, checked_microscope

        try:
            checked_microscope(
                replace(
                    Microscope(),
                    na=self.na.value(),
                    n_immersion=self.immersion.value(),
                    emission_um=self.wavelength.value() / 1000,
                )
            )
        except InputError as error:
            return str(error)
        return None

    def kernel(self, size: int | None = None) -> np.ndarray:
        """Return the kernel, sum 1.

        Raises
        ------
        InputError
            The optics are not physical.
        """
        kernel: np.ndarray = self._config(size).psf(self._pixel_size_um())
        return kernel

    def fill(self, layer: Any, card: Any) -> None:
        """Take the optics that the layer's file states, else those of the starting model.

        What was typed in stays until another layer is chosen.
        """
        if layer is not self._filled_for:
            self._typed.clear()
            self._filled_for = layer
        stated = stated_optics(layer)
        known = dict(card.optics) if card is not None else {}
        fields = (
            (self.na, "numerical_aperture", 1.0),
            (self.immersion, "immersion_index", 1.0),
            (self.wavelength, "wavelength_um", 1000.0),
            (self.depth, "depth_um", 1.0),
        )
        for box, name, factor in fields:
            value = stated.get(name, known.get(name))
            if isinstance(value, int | float) and value > 0 and box not in self._typed:
                self._filling = True
                box.setValue(factor * value)
                self._filling = False
        if stated:
            rest = {name: value for name, value in known.items() if name not in stated}
            text = f"From the file: {_named(stated)}"
            text += f"; from {card.name}: {_named(rest)}." if _named(rest) else "."
        elif known:
            text = f"The file does not state the optics: those of {card.name} are shown."
        else:
            text = "The file does not state the optics: enter those of your objective."
        self.origin.setText(text)

    def open(self, is_open: bool) -> None:
        """Draw the kernel when the panel is unfolded."""
        self._is_open = is_open
        self.follow()

    def follow(self) -> None:
        """Draw the kernel again, if it is seen."""
        if not self._is_open:
            return
        try:
            kernel = self.kernel(_KERNEL_PX)
        except InputError as error:
            self.kernel_picture.clear()
            self.kernel_note.setText(str(error))
            return
        self.kernel_picture.setPixmap(_picture(kernel))
        width_um = full_width_um(kernel, self._pixel_size_um())
        self.kernel_note.setText(
            f"Kernel: full width at half maximum {1000 * width_um:.0f} nm, "
            f"{width_um / self._pixel_size_um():.1f} px of {1000 * self._pixel_size_um():.0f} nm."
        )

    def show_map(self) -> None:
        """Add the weight map of the visible frame, and say how much mitochondria count in it."""
        layer = self._fluorescence()
        if layer is None:
            self._say("Choose the true fluorescence first; the map is made of it.")
            return
        index = visible_index(self._viewer, layer)
        kind = self.kind.value or _USUAL
        try:
            plane = plane_at(layer.data, index)
            weights = self.map_of(plane, kind)
        except InputError as error:
            self._say(str(error))
            return
        inside, outside, ratio = foreground_ratio(weights, plane)
        text = {value: text for text, value in KINDS}[kind]
        self.ratio_note.setText(
            f"{text}: mean weight {inside:.2f} on mitochondria, {outside:.2f} beside them, ratio "
            f"{ratio:.1f}."
            if np.isfinite(ratio)
            else f"{text}: the background has no weight."
        )
        self.ratio_note.setVisible(True)
        name = f"{layer_name(layer.name, 'weights')} {text}"
        for old in [known for known in self._viewer.layers if known.name == name]:
            self._viewer.layers.remove(old)
        insert(
            self._viewer,
            Image(
                weights,
                name=name,
                colormap="magma",
                contrast_limits=(0.0, max(float(weights.max()), 1e-6)),
                metadata=provenance("train", layer.name, weight_map=kind),
                **flat_geometry(geometry_of(layer)),
            ),
        )

    def map_of(self, plane: np.ndarray, kind: str) -> np.ndarray:
        """Return the weight map of a plane, as training makes it."""
        from ...optics import weight_map

        config = self._config(None)
        loss = {"weight_map": kind, "weight_background": self.background.value()}
        config = config.updated(loss={**config.loss.model_dump(), **loss})
        return weight_map(plane, **config.weight_map_settings(self._pixel_size_um()))

    def _config(self, size: int | None) -> Any:
        from ...training import TrainingConfig

        config = TrainingConfig(
            numerical_aperture=self.na.value(),
            immersion_index=self.immersion.value(),
            wavelength_um=self.wavelength.value() / 1000,
            depth_um=self.depth.value(),
        )
        return config if size is None else config.updated(psf_size=size)

    def _on_changed(self, _value: object = None) -> None:
        if not self._filling and isinstance(box := self.sender(), NumberBox):
            self._typed.add(box)
        self.follow()
        self.changed.emit()


def stated_optics(layer: Any) -> dict[str, float]:
    """Return what the file of a layer states of its optics, by the names of a model card."""
    if layer is None:
        return {}
    stated = provenance_of(layer).get("optics") or {}
    return {name: float(stated[name]) for name in _TEXTS if stated.get(name)}


def _named(values: dict[str, float]) -> str:
    return ", ".join(text for name, text in _TEXTS.items() if values.get(name))


def full_width_um(kernel: np.ndarray, pixel_size_um: float) -> float:
    """Return the full width at half maximum of the middle row of a kernel, micrometres.

    Examples
    --------
    >>> round(full_width_um(np.array([[0.0, 0.5, 1.0, 0.5, 0.0]]), 0.1), 3)
    0.2
    """
    row = kernel[len(kernel) // 2]
    middle = len(row) // 2
    half = row[middle] / 2
    for place in range(middle, len(row) - 1):
        if row[place + 1] <= half:
            step = (row[place] - half) / (row[place] - row[place + 1])
            return float(2 * (place - middle + step) * pixel_size_um)
    return float(len(row) * pixel_size_um)


def foreground_ratio(weights: np.ndarray, plane: np.ndarray) -> tuple[float, float, float]:
    """Return the mean weight in the foreground, in the background, and their ratio."""
    from skimage.filters import threshold_otsu

    values = np.asarray(plane, float)
    bright = values > threshold_otsu(values) if values.std() > 0 else np.zeros(values.shape, bool)
    if bright.all() or not bright.any():
        return float(weights.mean()), float(weights.mean()), 1.0
    inside, outside = float(weights[bright].mean()), float(weights[~bright].mean())
    return inside, outside, inside / outside if outside > 0 else float("inf")


def _picture(kernel: np.ndarray) -> QPixmap:
    grey = np.ascontiguousarray((255 * kernel / kernel.max()).astype(np.uint8))
    side = len(grey)
    image = QImage(grey.data, side, side, side, QImage.Format.Format_Grayscale8).copy()
    return QPixmap.fromImage(image).scaled(
        _PICTURE_PX,
        _PICTURE_PX,
        Qt.AspectRatioMode.KeepAspectRatio,
        Qt.TransformationMode.FastTransformation,
    )
