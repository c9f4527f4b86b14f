"""Buttons that write the settings of a run to a file and fill the form from one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qtpy.QtWidgets import QFileDialog, QWidget

from ...errors import VirtualStainError
from ..kit.controls import button, in_row
from ..kit.jobs import error_text
from ..kit.step import StepWidget


class SettingsFileStep(StepWidget):
    """Dock whose settings can be saved for ``virtualstain run --config``, and loaded."""

    def save_settings(self, path: Path) -> None:
        """Write the settings."""
        raise NotImplementedError

    def load_settings(self, path: Path) -> None:
        """Fill the form."""
        raise NotImplementedError

    def settings_buttons(self, save_tooltip: str) -> QWidget:
        """Return the two buttons side by side."""
        save = button("Save settings…", save_tooltip, self._save, name="save_settings")
        load = button(
            "Load settings…", "Fill the form from a settings file", self._load, name="load_settings"
        )
        return in_row(save, load)

    def _save(self) -> None:
        path, _ = QFileDialog.getSaveFileName(
            self, "Save settings", "settings.json", "Settings (*.json)"
        )
        self._try(self.save_settings, path)

    def _load(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Load settings", "", "Settings (*.json)")
        self._try(self.load_settings, path)

    def _try(self, function: Any, path: str) -> None:
        if not path:
            return
        try:
            function(Path(path))
        except (VirtualStainError, OSError) as error:
            self.say(error_text(error))
