"""The user's own models: compared in a table, their reports, renamed, deleted."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pandas as pd
from qtpy.QtCore import QFileSystemWatcher, QUrl, Signal
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import QInputDialog, QMessageBox, QVBoxLayout, QWidget

from ...errors import InputError, VirtualStainError
from ..kit.controls import button, in_row, note
from ..kit.table import FrameTable
from .kept_training import is_in_training

_LONGEST_BYTES = 100  # letters of other scripts take up to four; a file name holds 255
_NUMBERED = re.compile(r"^(.*?)-(\d{1,6})$")


class OwnModels(QWidget):
    """A table of the models in the user's folder, with what can be done to them."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.table = FrameTable()
        self.table.setObjectName("own_models")
        self.table.setAccessibleName("Own models")
        self.table.setToolTip("Your models with their held-out scores, to compare them")
        self._report_button = button(
            "Open report",
            "Open the page with the scores and images of the chosen model",
            self._open_report,
            name="own_report",
        )
        rename = button(
            "Rename…", "Give the chosen model another name", self._ask_name, name="rename_model"
        )
        delete = button("Delete…", "Delete the chosen model", self._ask_delete, name="delete_model")
        buttons = (self._report_button, rename, delete)
        self._tooltips = {made: made.toolTip() for made in buttons}
        self._empty = note("No model of your own yet.")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._empty)
        layout.addWidget(self.table)
        layout.addWidget(in_row(*buttons, stretch=None))
        self._said = note(name="own_models_note")
        self._said.setVisible(False)
        layout.addWidget(self._said)
        self._paths: list[Path] = []
        self._watcher = QFileSystemWatcher(self)
        self._watcher.directoryChanged.connect(self._on_folder)
        self.table.row_chosen.connect(self._on_chosen)
        self.refresh()

    @property
    def chosen(self) -> Path | None:
        """File of the chosen model."""
        row = self.table.row
        return None if row is None else self._paths[row]

    def refresh(self) -> None:
        """List the models of the moment."""
        from ...models import list_models, user_model_folder

        folder, chosen = user_model_folder(), self.chosen
        if folder.is_dir() and str(folder) not in self._watcher.directories():
            self._watcher.addPath(str(folder))
        entries = [e for e in list_models("generator") if Path(e.path).parent == folder]
        self._paths = [Path(entry.path) for entry in entries]
        self.table.show_frame(pd.DataFrame([_row(entry) for entry in entries]))
        self.table.fit_columns()  # a new model may have a longer name
        if chosen in self._paths:
            self.table.choose(self._paths.index(chosen))
        self.table.setVisible(bool(entries))
        self._empty.setVisible(not entries)
        self._on_row()

    def rename(self, path: Path, name: str) -> None:
        """Give a model another name, on its card too.

        Raises
        ------
        InputError
            The name cannot be used, or is taken.
        """
        from ...models import load_model, save_model
        from ...training import training_folder

        if (reason := why_no_name(name)) is not None:
            raise InputError(reason)
        target = path.with_name(f"{name}.safetensors")
        beside = training_folder(path)
        if training_folder(target).exists():
            raise InputError(
                f"A training of {name!r} was stopped and can go on. Choose another name."
            )
        model = load_model(str(path))
        card = model.card.model_copy(update={"name": name})
        save_model(target, model.network, card)
        if beside.is_dir():
            beside.rename(training_folder(target))
        path.unlink()
        self._after(f"{path.stem} is now {name}.")
        self.table.choose(self._paths.index(target))

    def delete(self, path: Path) -> None:
        """Delete a model and what its training left."""
        import shutil

        from ...training import training_folder

        path.unlink(missing_ok=True)
        shutil.rmtree(training_folder(path), ignore_errors=True)
        self._after(f"{path.stem} is deleted.")

    def _after(self, text: str) -> None:
        self.refresh()
        self._say(text)
        self.changed.emit()

    def _say(self, text: str) -> None:
        self._said.setText(text)
        self._said.setVisible(bool(text))

    def _ask_name(self) -> None:
        path = self.chosen
        if path is None:
            return
        self._say("")
        name, given = QInputDialog.getText(self, "Rename model", "New name:", text=path.stem)
        if given and name.strip() != path.stem:
            self._try(lambda: self.rename(path, name.strip()))

    def _ask_delete(self) -> None:
        path = self.chosen
        if path is None:
            return
        self._say("")
        yes, no = QMessageBox.StandardButton.Yes, QMessageBox.StandardButton.No
        text = f"Delete the model {path.stem!r} and its report for good?"
        if QMessageBox.question(self, "Delete model", text, yes | no, no) == yes:
            self._try(lambda: self.delete(path))

    def _try(self, function: Any) -> None:
        from ...models import user_model_folder

        try:
            function()
        except VirtualStainError as error:
            self._say(str(error))
        except OSError as error:
            reason = error.strerror or str(error)
            self._say(f"The model cannot be changed in {str(user_model_folder())!r} ({reason}).")

    def _on_folder(self, _folder: str) -> None:
        self.refresh()

    def _on_row(self) -> None:
        chosen = self.chosen
        for made, tooltip in self._tooltips.items():
            missing = "Choose a model in the table first" if chosen is None else ""
            if chosen is not None and made is self._report_button and report_page(chosen) is None:
                missing = "No report is beside this model"
            made.setEnabled(not missing)
            made.setToolTip(missing or tooltip)

    def _on_chosen(self, _row: int) -> None:
        self._say("")
        self._on_row()

    def _open_report(self) -> None:
        if self.chosen is not None and (page := report_page(self.chosen)) is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(page)))


def report_page(model: Path) -> Path | None:
    """Return the page with the held-out scores of a model of the user, None without one."""
    from ...training import training_folder

    page: Path = training_folder(model) / "report" / "report.html"
    return page if page.exists() else None


def why_no_name(name: str) -> str | None:
    """Return why a model cannot have a name, None when it can.

    Examples
    --------
    >>> why_no_name("cells/3")
    "A model cannot be called 'cells/3': expected no slash and no dot at the beginning."
    """
    from ...models import shipped_folder, user_model_folder

    if (reason := why_no_file_name(name)) is not None:
        return reason
    path = user_model_folder() / f"{name}.safetensors"
    if is_in_training(path):
        return f"{name!r} is being trained now. Choose another name."
    if path.exists() or (shipped_folder() / path.name).exists():
        return f"There is a model {name!r} already. Choose another name."
    return None


def why_no_file_name(name: str) -> str | None:
    """Return why a name cannot be that of a file on any computer, None when it can.

    Examples
    --------
    >>> why_no_file_name(".cells")
    "A model cannot be called '.cells': expected no slash and no dot at the beginning."
    """
    if not name.strip():
        return "Give the new model a name."
    begin = f"A model cannot be called {name[:40]!r}: expected "
    if re.search(r"[/\\\x00-\x1f]", name) or name.startswith("."):
        return begin + "no slash and no dot at the beginning."
    if re.search(r'[:*?<>|"\ud800-\udfff]', name) or name.endswith("."):
        return begin + "none of : * ? < > | and quotes, and no dot at the end."
    if len(name.encode()) > _LONGEST_BYTES:
        return begin + "a shorter name, of 100 letters at most."
    return None


def next_name(name: str, taken: list[str]) -> str:
    """Return `name`, or where it is taken the next one with a number.

    Examples
    --------
    >>> next_name("cells", []), next_name("cells", ["cells"]), next_name("cells-2", ["cells-2"])
    ('cells', 'cells-2', 'cells-3')
    """
    known = set(taken)
    while name in known:
        found = _NUMBERED.match(name)
        name = f"{found[1]}-{int(found[2]) + 1}" if found else f"{name}-2"
    return name


def _row(entry: Any) -> dict[str, Any]:
    card = entry.card
    own = card.scores.get("virtual stain", {})
    psf = card.loss.get("weighted_l1")
    return {
        "model": entry.name,
        "bandpass_pearson": _mean(own, "bandpass_pearson"),
        "pearson": _mean(own, "pearson"),
        "pairs": card.split.get("train_pairs"),
        "method": card.training.get("preset", ""),
        "psf_weight": psf if psf else 0.0,
        "steps": card.training.get("steps"),
        "other_cells": bool(card.scores.get("independent", False)),
    }


def _mean(scores: Any, name: str) -> float:
    score = scores.get(name) if isinstance(scores, dict) else None
    return float(score["mean"]) if score and score.get("mean") is not None else float("nan")
