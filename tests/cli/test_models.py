"""``models list|info|export``."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
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
