"""The microscope and the weight map: kernel, its width, and the map of the visible frame."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from napari.layers import Image
from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QImage, QPixmap
from qtpy.QtWidgets import QLabel, QVBoxLayout, QWidget

from ...data import plane_at
from ...errors import InputError
from ...losses import LossConfig
from ...settings import OpticsSettings, fields_of
from ..kit.controls import button, in_row, new_form, note
from ..kit.layer_region import visible_index
from ..kit.settings_form import SettingsForm
from ..layers.description import (
    flat_geometry,
    geometry_of,
    layer_name,
    provenance,
    provenance_of,
)
from ..layers.insertion import insert
from .dock_settings import WEIGHT_BACKGROUND

_TEXTS = {
    "numerical_aperture": "NA",
    "immersion_index": "immersion",
    "wavelength_um": "emission",
    "depth_um": "depth",
}
_MAP = ["weight_map", "weight_background"]
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
        self._typed: set[str] = set()
        self._filling, self._filled_for = False, None
        self._is_open = False
        self.origin = note(name="optics_origin")
        form = new_form()
        self._microscope = SettingsForm(OpticsSettings, form, names=_TEXTS)
        self._kinds = fields_of(LossConfig)["weight_map"].choices
        kinds = [(text, value) for value, text in self._kinds.items()]
        self._map = SettingsForm(
            LossConfig,
            form,
            names=_MAP,
            choices={"weight_map": [("as the method", None), *kinds]},
            start={"weight_map": None, "weight_background": WEIGHT_BACKGROUND},
        )
        self.forms = (self._microscope, self._map)
        boxes = [self._microscope[name].native for name in _TEXTS]
        self.na, self.immersion, self.wavelength, self.depth = boxes
        self.kind, self.background = self._map["weight_map"], self._map["weight_background"].native
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
        for name in _TEXTS:
            self._microscope.on_change(partial(self._on_optics, name), name)
        self._map.on_change(self._on_changed)
        # the optics of the shipped models have a kernel; computing it takes half a second at first
        self._judged: tuple[Any, str | None] = (self._physics, None)

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
    def _physics(self) -> dict[str, float]:
        return self._microscope.given

    def why_not_simulated(self) -> str | None:
        """Return why no scene can be simulated with these optics, None when one can."""
        from dataclasses import replace

        from ...simulation import Microscope, checked_microscope

        optics = self._microscope.value
        try:
            checked_microscope(
                replace(
                    Microscope(),
                    na=optics.numerical_aperture,
                    n_immersion=optics.immersion_index,
                    emission_um=optics.wavelength_um,
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
        for name in _TEXTS:
            value = stated.get(name, known.get(name))
            if isinstance(value, int | float) and value > 0 and name not in self._typed:
                self._filling = True
                self._microscope.show({name: value})
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
        text = self._kinds[kind]
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
        loss = {"weight_map": kind, "weight_background": self._map.given["weight_background"]}
        config = config.updated(loss={**config.loss.model_dump(), **loss})
        return weight_map(plane, **config.weight_map_settings(self._pixel_size_um()))

    def _config(self, size: int | None) -> Any:
        from ...training import TrainingConfig

        config = TrainingConfig().updated(**self._physics)
        return config if size is None else config.updated(psf_size=size)

    def _on_optics(self, name: str) -> None:
        if not self._filling:
            self._typed.add(name)
        self._on_changed()

    def _on_changed(self) -> None:
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
