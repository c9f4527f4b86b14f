"""Held-out images side by side, large enough to be judged."""

from __future__ import annotations

from typing import Any

import numpy as np
from qtpy.QtCore import Qt
from qtpy.QtGui import QImage, QPixmap
from qtpy.QtWidgets import QGridLayout, QLabel, QSizePolicy, QWidget

from ..kit.controls import note

_COLUMNS = 2
_LEAST_PX = 120


class PatchView(QWidget):
    """Bright-field, before, now and true, two in a row, as wide as the dock."""

    def __init__(self) -> None:
        super().__init__()
        self._shown: list[tuple[str, np.ndarray]] = []
        self.title = note(name="patch_title")
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(4)
        self._grid.addWidget(self.title, 0, 0, 1, _COLUMNS)
        self.pictures: list[QLabel] = []
        self._captions: list[QLabel] = []
        self.setVisible(False)

    @property
    def captions(self) -> list[str]:
        """Captions of the pictures on show."""
        return [text for text, _ in self._shown]

    def show_preview(self, preview: Any) -> None:
        """Show a :class:`napari_virtualstain.training.Preview`, virtual and true on one scale."""
        stained = [("now", preview.virtual), ("true", preview.fluorescence)]
        if preview.before is not None:
            stained.insert(0, ("before", preview.before))
        limits = np.percentile(preview.fluorescence, [1, 99.8])
        pictures = [("bright-field", _grey(preview.bright_field))]
        pictures += [(text, _grey(image, limits)) for text, image in stained]
        self.show_pictures(preview.name, pictures)

    def show_pictures(self, title: str, pictures: list[tuple[str, np.ndarray]]) -> None:
        """Show uint8 pictures with captions."""
        self._shown = pictures
        self.title.setText(f"Held out: {title}" if title else "")
        while len(self.pictures) < len(pictures):
            self._add_place()
        for place, (label, caption) in enumerate(zip(self.pictures, self._captions, strict=True)):
            visible = place < len(pictures)
            label.setVisible(visible)
            caption.setVisible(visible)
            if visible:
                caption.setText(pictures[place][0])
                label.setAccessibleName(pictures[place][0])
        self.setVisible(bool(pictures))
        self._paint()

    def clear(self) -> None:
        """Show nothing."""
        self.show_pictures("", [])

    def resizeEvent(self, event: Any) -> None:
        """Draw at the new width."""
        super().resizeEvent(event)
        self._paint()

    def _add_place(self) -> None:
        place = len(self.pictures)
        picture, caption = QLabel(), QLabel()
        picture.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        row, column = 1 + 2 * (place // _COLUMNS), place % _COLUMNS
        self._grid.addWidget(caption, row, column)
        self._grid.addWidget(picture, row + 1, column)
        self.pictures.append(picture)
        self._captions.append(caption)

    def _paint(self) -> None:
        width = max(_LEAST_PX, (self.width() - 4) // _COLUMNS)
        for label, (_, picture) in zip(self.pictures, self._shown, strict=False):
            pixmap = QPixmap.fromImage(_image(picture)).scaledToWidth(
                width, Qt.TransformationMode.SmoothTransformation
            )
            label.setPixmap(pixmap)
            label.setFixedHeight(pixmap.height())


def _grey(image: np.ndarray, limits: Any = None) -> np.ndarray:
    values = np.asarray(image, float)
    low, high = np.percentile(values, [1, 99.8]) if limits is None else limits
    scaled: np.ndarray = (np.clip((values - low) / max(high - low, 1e-12), 0, 1) * 255).astype(
        np.uint8
    )
    return scaled


def _image(picture: np.ndarray) -> QImage:
    data = np.ascontiguousarray(picture)
    height, width = data.shape
    return QImage(data.data, width, height, width, QImage.Format.Format_Grayscale8).copy()
