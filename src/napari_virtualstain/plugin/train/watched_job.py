"""A job folder that is trained elsewhere: its curve, and its model when it is done."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from qtpy.QtCore import QObject, QTimer, Signal

from ...errors import InputError

if TYPE_CHECKING:
    from ...training import TrainingResult

_EVERY_MS = 2000
_LOOKS_FOR_OUTCOME = 10  # after the model, which is written just before it


class JobWatcher(QObject):
    """Watcher of a job folder, which looks every two seconds.

    Signals
    -------
    finished : TrainingResult or Path
        The outcome, of the model copied to the user's models; its path alone where the job left
        no outcome, as that of an older version.
    said : str
        What a person should know.
    """

    finished = Signal(object)
    said = Signal(str)

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._folder: Path | None = None
        self._display: Any = None
        self._steps: set[int] = set()
        self._looks = 0
        self._timer = QTimer(self)
        self._timer.setInterval(_EVERY_MS)
        self._timer.timeout.connect(self.look)

    def start(self, folder: Path, display: Any) -> None:
        """Watch a folder.

        Raises
        ------
        InputError
            It is no job folder.
        """
        try:
            saved = json.loads((folder / "job.json").read_text(encoding="utf-8"))
            self._name = str(saved["config"]["name"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(
                f"{str(folder)!r} is no job folder: expected job.json in it, as Write job folder "
                "writes it."
            ) from error
        self._folder, self._display, self._steps, self._looks = folder, display, set(), 0
        display.clear()
        display.setVisible(True)
        display.curve.begin(f"{self._name}, trained elsewhere")
        self._timer.start()
        self.said.emit(f"Watching {folder}.")
        self.look()

    def stop(self) -> None:
        """Look no more."""
        self._timer.stop()
        self._folder = None

    def look(self) -> None:
        """Read what is new, and take the model when it is there."""
        from ...training import outcome_of_job

        folder = self._folder
        if folder is None:
            return
        self._draw(folder)
        model = folder / f"{self._name}.safetensors"
        if not model.exists():
            return
        try:
            outcome = outcome_of_job(model)
        except InputError as error:
            self.said.emit(str(error))
            outcome, self._looks = None, _LOOKS_FOR_OUTCOME
        self._looks += 1
        if outcome is not None or self._looks > _LOOKS_FOR_OUTCOME:
            self.stop()
            self._take(model, outcome)

    def _draw(self, folder: Path) -> None:
        from ...training import baselines_of_job

        try:
            table = pd.read_csv(folder / "history.csv")
        except (OSError, ValueError):  # not there yet, or just being written
            return
        self._display.curve.set_baselines(baselines_of_job(folder))
        for row in table.to_dict("records"):
            step = int(row["step"])
            if step in self._steps:
                continue
            self._steps.add(step)
            if pd.notna(row.get("loss")):
                self._display.curve.add_loss(step, float(row["loss"]))
            scores = {
                name: float(row[f"validation_{name}"])
                for name in ("pearson", "bandpass_pearson")
                if pd.notna(row.get(f"validation_{name}"))
            }
            if scores:
                self._display.curve.add_scores(step, scores)

    def _take(self, model: Path, outcome: TrainingResult | None) -> None:
        from ...io import atomic_path, free_path
        from ...models import read_card, user_model_folder

        target = free_path(user_model_folder() / model.name)
        try:
            read_card(model)
            target.parent.mkdir(parents=True, exist_ok=True)
            with atomic_path(target, overwrite=False) as partial:
                shutil.copyfile(model, partial)
        except Exception as error:  # a model that cannot be read is said, and left where it is
            self.said.emit(f"The model of the job cannot be taken ({error}).")
            return
        self.finished.emit(target if outcome is None else replace(outcome, path=target))
