"""The table of own models, worked with mouse and keys."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from qtpy.QtCore import Qt, QTimer
from qtpy.QtGui import QDesktopServices
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QLabel, QLineEdit, QPushButton

from napari_virtualstain.models import list_models
from napari_virtualstain.plugin.stain.dock import StainWidget
from napari_virtualstain.plugin.train.own_models import OwnModels

from ..models import save_generator

pytestmark = pytest.mark.gui


@pytest.fixture
def mine(qtbot: Any, models: Path) -> OwnModels:
    """Return the table of `tiny` and `other`, on the screen."""
    save_generator(models / "other.safetensors", pixel_size_um=0.1)
    made = OwnModels()
    qtbot.addWidget(made)
    made.show()
    qtbot.waitExposed(made)
    return made


def _choose(mine: OwnModels, name: str) -> None:
    row = mine.table.frame["model"].tolist().index(name)
    index = mine.table.frame_model.index(mine.table.frame_model.view_row(row), 0)
    place = mine.table.visualRect(index).center()
    QTest.mouseClick(mine.table.viewport(), Qt.MouseButton.LeftButton, pos=place)


def _press(mine: OwnModels, name: str, answer: Callable[[Any], None] | None = None) -> None:
    """Click on a button, and answer the dialog that it opens."""
    made = mine.findChild(QPushButton, name)
    assert made.isEnabled(), made.toolTip()
    if answer is not None:
        QTimer.singleShot(100, lambda: answer(QApplication.activeModalWidget()))
    QTest.mouseClick(made, Qt.MouseButton.LeftButton)


def _rename(mine: OwnModels, old: str, new: str) -> None:
    def type_name(dialog: Any) -> None:
        field = dialog.findChild(QLineEdit)
        field.setText(new)
        QTest.keyClick(field, Qt.Key.Key_Return)

    _choose(mine, old)
    _press(mine, "rename_model", type_name)


def _said(mine: OwnModels) -> str:
    label = mine.findChild(QLabel, "own_models_note")
    return str(label.text()) if label.isVisible() else ""


def test_enter_does_not_delete_a_model(mine: OwnModels, models: Path) -> None:
    _choose(mine, "tiny")
    _press(mine, "delete_model", lambda dialog: QTest.keyClick(dialog, Qt.Key.Key_Return))
    assert (models / "tiny.safetensors").exists()
    _press(mine, "delete_model", lambda dialog: QTest.keyClick(dialog, Qt.Key.Key_Y, _ALT))
    assert not (models / "tiny.safetensors").exists()
    assert _said(mine) == "tiny is deleted."


_ALT = Qt.KeyboardModifier.AltModifier


def test_a_model_is_not_renamed_onto_a_stopped_training(mine: OwnModels, models: Path) -> None:
    (models / "tiny.training" / "report").mkdir(parents=True)
    (models / "halted.training" / "layers").mkdir(parents=True)
    (models / "halted.training" / "layers" / "layers.json").write_text("[]")
    _rename(mine, "tiny", "halted")
    assert _said(mine) == "A training of 'halted' was stopped and can go on. Choose another name."
    assert mine.table.frame["model"].tolist() == ["other", "tiny"]
    assert (models / "tiny.training" / "report").is_dir()


def test_a_renamed_model_stays_chosen_in_the_table_and_in_the_docks(
    mine: OwnModels, models: Path, viewer_model: Any, qtbot: Any
) -> None:
    stain = StainWidget(viewer_model)
    qtbot.addWidget(stain)
    stain.model.value = "tiny"
    _rename(mine, "tiny", "Zelle µ 3")
    assert _said(mine) == "tiny is now Zelle µ 3."
    assert mine.chosen == models / "Zelle µ 3.safetensors"
    qtbot.waitUntil(lambda: stain.model.combo.currentText() == "Zelle µ 3")
    assert "gone" not in stain.model.card_note.text()
    save_generator(models / "new.safetensors")  # as a training does meanwhile
    qtbot.waitUntil(lambda: "new" in mine.table.frame["model"].tolist())
    assert mine.chosen == models / "Zelle µ 3.safetensors"
    assert _said(mine) == "tiny is now Zelle µ 3."
    assert "other" in [entry.name for entry in list_models("generator")]


def test_a_message_goes_with_its_model(mine: OwnModels) -> None:
    _rename(mine, "tiny", "other")
    assert "There is a model 'other' already" in _said(mine)
    _choose(mine, "other")
    assert _said(mine) == ""
    _rename(mine, "other", "a/b")
    assert "cannot be called" in _said(mine)
    _press(mine, "rename_model", lambda dialog: QTest.keyClick(dialog, Qt.Key.Key_Escape))
    assert _said(mine) == ""


def test_the_name_that_a_model_has_changes_nothing(mine: OwnModels, models: Path) -> None:
    _rename(mine, "tiny", " tiny ")
    assert _said(mine) == ""
    assert (models / "tiny.safetensors").exists()


def test_a_folder_that_cannot_be_written_is_named(
    mine: OwnModels, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_path: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(mine, "delete", refuse)
    _choose(mine, "tiny")
    _press(mine, "delete_model", lambda dialog: QTest.keyClick(dialog, Qt.Key.Key_Y, _ALT))
    assert _said(mine) == f"The model cannot be changed in {str(models)!r} (Permission denied)."
    assert (models / "tiny.safetensors").exists()


def test_the_report_of_a_model_is_opened_on_another_day(
    mine: OwnModels, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: opened.append(url.toLocalFile()))
    page = models / "tiny.training" / "report" / "report.html"
    page.parent.mkdir(parents=True)
    page.write_text("<p>scores</p>")
    button = mine.findChild(QPushButton, "own_report")
    assert button.toolTip() == "Choose a model in the table first"
    _choose(mine, "other")
    assert not button.isEnabled()
    assert button.toolTip() == "No report is beside this model"
    _choose(mine, "tiny")
    _press(mine, "own_report")
    assert [Path(path) for path in opened] == [page]
