"""``models list|info|export``."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from napari_virtualstain.cli.models import card_lines
from napari_virtualstain.models import ModelCard

Run = Callable[..., Any]


def test_list_shows_shipped_and_own_models_and_says_what_is_broken(
    run: Run, generator: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIRTUALSTAIN_MODELS", str(tmp_path / "models"))
    (tmp_path / "models").mkdir()
    shutil.copy(generator, tmp_path / "models" / "mine.safetensors")
    (tmp_path / "models" / "broken.safetensors").write_text("rubbish")
    lines = run("models", "list").stdout.splitlines()
    by_name = {line.split()[0]: line for line in lines}
    assert "generator" in by_name["mine"]
    assert "0.08 µm/px" in by_name["mine"]
    assert "A tiny model" in by_name["mine"]
    assert "unreadable" in by_name["broken"]
    assert "shipped" in by_name["mito-segment"]
    entries = {entry["name"]: entry for entry in json.loads(run("models", "list", "--json").stdout)}
    assert entries["mine"]["card"]["outputs"] == ["mean", "log_scale"]


def test_info_shows_the_card(run: Run, generator: Path) -> None:
    output = run("models", "info", generator).stdout
    assert output.startswith("tiny: generator\nfile: ")
    assert "pixel size um: 0.08" in output
    assert "weights sha256: " in output
    card = json.loads(run("models", "info", generator, "--json").stdout)
    assert card["name"] == "tiny"


def test_info_begins_with_what_the_model_is_for_and_how_good_it_is(run: Run) -> None:
    lines = run("models", "info", "mito-h9c2").stdout.splitlines()
    at = lines.index("scores: mean of the judged cells (95 % interval)")
    assert at < 12
    assert lines[at + 1].endswith("bright-field  bright-field texture  starting model")
    assert lines[at + 2].startswith("  pearson           0.643 (0.611 to 0.669)  undefined")
    assert len(lines) < 120
    whole = json.loads(run("models", "info", "mito-h9c2", "--json").stdout)
    assert whole["training"]["settings"]["loss"]["l1"] == 3
    assert whole["statistics"]["images"] == 111


def test_unknown_models_and_formats(run: Run, generator: Path) -> None:
    assert "There is no model 'mito-h9c'" in run("models", "info", "mito-h9c", code=2).stderr
    result = run("models", "export", generator, "-o", "model.bin", code=2)
    assert "expected a name ending in .onnx" in result.stderr


def test_info_shows_whatever_a_foreign_card_holds() -> None:
    strange = {"mean": "high", "low": None, "high": []}
    scores = {"ours": {"iou": strange}, "before": "nothing", "virtual stain": {"iou": 0.5}}
    text = "\n".join(card_lines(ModelCard(name="foreign", scores=scores)))
    assert "mean: high" in text
    assert "before: nothing" in text
    assert "iou: 0.5" in text


def _lines(**training: Any) -> list[str]:
    lines = card_lines(ModelCard(name="made", training=training))
    return [line.strip() for line in lines[lines.index("training:") + 1 :]]


@pytest.mark.parametrize(
    ("count", "shown"), [(12, "0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11"), (13, "")]
)
def test_a_dozen_items_are_listed_and_of_more_the_number_is_said(count: int, shown: str) -> None:
    (line, *_) = _lines(groups=[str(item) for item in range(count)])
    assert line == f"groups: {shown or '0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 … (13 in all)'}"


def test_long_texts_have_a_line_each() -> None:
    assert _lines(warnings=["a" * 40, "b"])[0] == f"warnings: {'a' * 40}, b"
    assert _lines(warnings=["a" * 41, "b"])[:3] == ["warnings:", f"- {'a' * 41}", "- b"]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ({"mean": 0.5, "low": 0.25, "high": 0.754}, "0.500 (0.250 to 0.754)"),
        ({"mean": None, "low": None, "high": None}, "undefined"),
        (0.123456, "0.1235"),
        (7, "7"),
    ],
)
def test_summaries_have_three_digits_and_numbers_four(value: Any, shown: str) -> None:
    assert _lines(score=value)[0] == f"score: {shown}"


def test_empty_fields_are_left_out() -> None:
    assert not any(line.startswith("nothing") for line in _lines(nothing=[], also=None, seed=0))
    assert "seed: 0" in _lines(seed=0)


def test_scores_are_a_table_of_methods_with_baselines_beside() -> None:
    def score(mean: float) -> dict[str, Any]:
        return {"pearson": {"mean": mean, "low": mean - 0.1, "high": mean + 0.1}}

    scores = {"virtual stain": score(0.6), "blur": score(0.3), "judged_on": ["a", "b"]}
    lines = card_lines(ModelCard(name="made", scores=scores))
    at = lines.index("scores: mean of the judged cells (95 % interval)")
    assert lines[at + 1].split() == ["virtual", "stain", "blur"]
    assert lines[at + 2] == "  pearson  0.600 (0.500 to 0.700)  0.300"
    assert lines[at + 3] == "  judged_on: a, b"


def _lists(monkeypatch: pytest.MonkeyPatch, *cards: ModelCard) -> None:
    entries = [
        SimpleNamespace(name=card.name, card=card, source="user", path="m", problem=None)
        for card in cards
    ]
    monkeypatch.setattr("napari_virtualstain.models.list_models", lambda: entries)


def test_a_line_of_the_list_has_the_first_sentence(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = "word " * 17 + "end"  # 88 letters
    cards = [
        ModelCard(name="short", description="For cells. And more."),
        ModelCard(name="fits", description=f"{long} s. More.", pixel_size_um=0.065),
        ModelCard(name="long", description=f"{long} it"),
    ]
    _lists(monkeypatch, *cards)
    short, fits, cut = run("models", "list").stdout.splitlines()
    assert short.split() == ["short", "generator", "user", "any", "pixel", "For", "cells"]
    assert "0.065 µm/px" in fits
    assert fits.endswith(f" {long} s")  # 90 letters
    assert cut.endswith(" end …")


def test_where_no_model_is_installed_the_list_says_so(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    _lists(monkeypatch)
    done = run("models", "list")
    assert done.stdout == "No model is installed.\n"
    assert "Put own models (.safetensors) into" in done.stderr
    assert json.loads(run("models", "list", "--json").stdout) == []


@pytest.mark.parametrize(
    ("name", "kind"), [("m.onnx", "ONNX"), ("m.ZIP", "BioImage.IO package"), ("m.pt", "")]
)
def test_the_ending_decides_what_is_exported(
    run: Run, generator: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, kind: str
) -> None:
    made: list[Any] = []
    monkeypatch.setattr(
        "napari_virtualstain.engine.export_model",
        lambda model, out, *, overwrite: made.append((out.name, overwrite)),
    )
    done = run("models", "export", generator, "-o", name, code=0 if kind else 2)
    assert made == ([(name, False)] if kind else [])
    if kind:
        assert done.stdout == f"{name}: {generator} as {kind}\n"
        (tmp_path / name).write_text("mine")
        assert "exists already" in run("models", "export", generator, "-o", name, code=2).stderr
        run("models", "export", generator, "-o", name, "--overwrite")
        assert made == [(name, False), (name, True)]
