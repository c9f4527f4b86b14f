"""Trainings that were stopped, as docks look for them."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from napari_virtualstain.training import checkpoint as checkpoint_module
from napari_virtualstain.training import is_unfinished, training_folder
from napari_virtualstain.training.checkpoint import leave_checkpoint, save_checkpoint, settle


def test_a_training_can_go_on_while_its_checkpoint_is_still_being_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dock that looked too early began again instead."""
    go_on = threading.Event()

    def slow(path: Path, state: dict[str, Any]) -> None:
        go_on.wait(30)
        save_checkpoint(path, state)

    monkeypatch.setattr(checkpoint_module, "save_checkpoint", slow)
    model = tmp_path / "cells.safetensors"
    path = training_folder(model) / "checkpoint.pt"
    path.parent.mkdir()
    assert not is_unfinished(model)
    leave_checkpoint(path, {"step": 3})
    assert not path.exists()
    assert is_unfinished(model)
    go_on.set()
    settle(path)
    assert is_unfinished(model)
    path.unlink()
    assert not is_unfinished(model)


@pytest.mark.parametrize("begun", ["checkpoint.pt", "folds/fold-1"])
def test_a_training_is_unfinished_from_its_first_checkpoint_or_fold_until_its_model(
    tmp_path: Path, begun: str
) -> None:
    model = tmp_path / "cells.safetensors"
    path = training_folder(model) / begun
    path.parent.mkdir(parents=True)
    assert not is_unfinished(model)
    path.mkdir() if "fold" in begun else path.write_bytes(b"state")
    assert is_unfinished(model)
    assert not is_unfinished(tmp_path / "other.safetensors")
    model.write_bytes(b"weights")
    assert not is_unfinished(model)
