"""The list of models: what stands on the card, which model is chosen, and which is left alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from qtpy.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from qtpy.QtGui import QDragEnterEvent, QDropEvent
from qtpy.QtWidgets import QApplication, QWidget

from napari_virtualstain.models import ModelCard
from napari_virtualstain.plugin.kit.controls import new_form
from napari_virtualstain.plugin.kit.model_choice import (
    ModelChoice,
    card_text,
    facts_text,
    full_text,
    scores_text,
)

from ..models import save_generator, save_segmenter


def _score(mean: Any) -> dict[str, Any]:
    return {"pearson": {"mean": mean}}


@pytest.mark.parametrize(
    ("scores", "text"),
    [
        ({}, ""),
        ({"bright-field": _score(0.3)}, ""),
        ({"virtual stain": _score(0.6)}, "held out: Pearson 0.60"),
        (
            {"virtual stain": _score(0.6), "bright-field": _score(0.1), "texture": _score(0.42)},
            "held out: Pearson 0.60 (best baseline 0.42)",
        ),
        ({"virtual stain": _score(0.6), "constant": _score(None)}, "held out: Pearson 0.60"),
        (
            {"virtual stain": {**_score(0), "bandpass_pearson": {"mean": 0.25}}, "images": 5},
            "held out: Pearson 0.00, band-pass Pearson 0.25",
        ),
        ({"virtual stain": {"pearson": 0.6}}, ""),
        ({"virtual stain": _score("high")}, ""),
    ],
)
def test_held_out_scores_stand_beside_the_best_baseline(scores: dict[str, Any], text: str) -> None:
    assert scores_text(scores) == text


@pytest.mark.parametrize(
    ("card", "text"),
    [
        ({}, ""),
        ({"pixel_size_um": 0.065}, "65 nm/px"),
        ({"data": {"pairs": 12}}, "trained on 12 pairs"),
        ({"data": {"pairs": 12}, "split": {"train_pairs": 9}}, "trained on 9 pairs"),
        ({"loss": {"weighted_l1": 0.0, "weight_map": "logit"}}, ""),
        (
            {"loss": {"weighted_l1": 2.5, "weight_map": "psf_deconvolution"}},
            "PSF-weighted L1, weight 2.5",
        ),
        (
            {"pixel_size_um": 0.1, "scores": {"virtual stain": _score(0.5)}},
            "100 nm/px; held out: Pearson 0.50",
        ),
    ],
)
def test_facts_of_a_model_are_those_of_its_card(card: dict[str, Any], text: str) -> None:
    assert facts_text(ModelCard(name="made", **card)) == text


def test_the_card_has_one_sentence_and_its_tooltip_all_of_them() -> None:
    card = ModelCard(
        name="made",
        description="For cells. Random weights.",
        pixel_size_um=0.08,
        data={"source": "a disk"},
    )
    assert card_text(card) == "For cells.\n80 nm/px"
    assert full_text(card) == "For cells. Random weights.\n80 nm/px\nData: a disk"
    assert card_text(ModelCard(name="bare")) == full_text(ModelCard(name="bare")) == ""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VIRTUALSTAIN_MODELS", str(tmp_path / "models"))
    save_generator(tmp_path / "models" / "tiny.safetensors")
    return tmp_path / "models"


@pytest.fixture
def choice(qtbot: Any, folder: Path) -> Iterator[ModelChoice]:
    body = QWidget()
    body.setLayout(new_form())
    qtbot.addWidget(body)
    made = ModelChoice("generator", body.layout())
    body.show()
    yield made
    body.hide()


def _chosen(choice: ModelChoice) -> str:
    return str(choice.combo.currentText())


def test_a_model_is_suggested_until_one_was_chosen(choice: ModelChoice) -> None:
    first = _chosen(choice)
    choice.suggest("nobody")
    assert _chosen(choice) == first
    choice.suggest("mito-simulated")
    assert _chosen(choice) == "mito-simulated"
    choice.suggest(choice.combo.itemText(0))
    assert choice.combo.currentIndex() == 0
    choice.value = "tiny"
    choice.suggest("mito-simulated")
    assert _chosen(choice) == "tiny"


def test_news_of_the_folder_are_no_change_of_the_model(choice: ModelChoice, folder: Path) -> None:
    changes: list[str] = []
    choice.changed.connect(lambda: changes.append(_chosen(choice)))
    choice.value = "tiny"
    save_generator(folder / "a-new-one.safetensors")
    choice.refresh()
    assert (_chosen(choice), changes) == ("tiny", ["tiny"])
    assert choice.combo.findText("a-new-one") >= 0


def test_a_file_of_another_kind_or_that_has_gone_is_not_listed(
    choice: ModelChoice, tmp_path: Path
) -> None:
    before = choice.combo.count()
    choice.open_file(save_segmenter(tmp_path / "outlines.safetensors"))
    assert choice.card_note.text() == "outlines.safetensors is a segmenter, not a generator."
    assert choice.combo.count() == before
    elsewhere = save_generator(tmp_path / "elsewhere.safetensors")
    for _ in range(2):  # once in the list, however often it is opened
        choice.open_file(elsewhere)
        assert (_chosen(choice), choice.combo.count()) == ("elsewhere", before + 1)
    elsewhere.unlink()
    choice.refresh()
    assert choice.combo.count() == before
    assert "The model 'elsewhere' is gone" in choice.card_note.text()


@pytest.mark.parametrize(("name", "is_opened"), [("m.safetensors", True), ("m.tif", False)])
def test_only_model_files_are_taken_and_only_when_they_are_dropped(
    choice: ModelChoice, tmp_path: Path, name: str, is_opened: bool
) -> None:
    path = save_generator(tmp_path / "m.safetensors").rename(tmp_path / name)
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path))])
    common = (mime, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier)
    hover = QDragEnterEvent(QPoint(3, 3), Qt.DropAction.CopyAction, *common)
    hover.ignore()
    QApplication.sendEvent(choice.combo, hover)
    assert hover.isAccepted() == is_opened
    assert choice.combo.findText("m") < 0
    QApplication.sendEvent(
        choice.combo, QDropEvent(QPointF(3, 3), Qt.DropAction.CopyAction, *common)
    )
    assert (choice.combo.findText("m") >= 0) == is_opened


def test_where_no_model_is_asked_for_its_card_is_away(choice: ModelChoice) -> None:
    assert choice.card_note.isVisible()
    choice.set_wanted(False)
    choice.refresh()
    assert not choice.combo.isEnabled()
    assert not choice.card_note.isVisible()
    choice.set_wanted(True)
    assert choice.combo.isEnabled()
    assert choice.card_note.isVisible()


def test_without_any_model_it_is_said_how_to_get_one(
    choice: ModelChoice, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert choice.why_not() is None
    monkeypatch.setattr("napari_virtualstain.models.list_models", lambda _kind: [])
    choice.refresh()
    assert _chosen(choice) == "no model installed"
    assert not choice.combo.isEnabled()
    assert (choice.value, choice.card) == (None, None)
    assert "Open a model file" in str(choice.why_not())
    assert not choice.card_note.text()
