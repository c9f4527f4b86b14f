"""``virtualstain doctor``: what there is, problems marked, nothing private."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]


@pytest.fixture(autouse=True)
def _no_display(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let Qt fail at once instead of opening a window."""
    monkeypatch.setenv("QT_QPA_PLATFORM", "nonsense")


def _sections(output: str) -> dict[str, list[str]]:
    sections: dict[str, list[str]] = {}
    for line in output.splitlines():
        if line.startswith("[") and line.endswith("]"):
            sections[line[1:-1]] = []
        elif line and sections:
            list(sections.values())[-1].append(line)
    return sections


def test_it_says_versions_devices_memory_folders_and_models(run: Run) -> None:
    sections = _sections(run("doctor").output)
    assert f"torch {version('torch')}" in sections["versions"][-1]
    assert any(line.startswith("device cpu: ") for line in sections["computing"])
    assert sections["memory"][0].startswith("total ")
    assert any(line.startswith("cache: ") for line in sections["folders"])
    assert "mito-segment (shipped, segmenter)" in sections["models"]


def test_a_missing_window_system_is_a_problem_and_does_not_end_the_command(run: Run) -> None:
    pytest.importorskip("napari")
    output = run("doctor").output
    (line,) = _sections(output)["window"]
    assert line.startswith("! no window with OpenGL: ")
    assert "nonsense" in line
    assert output.endswith("1 problem found.\n")


def test_an_unreadable_model_is_a_problem(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.safetensors").write_bytes(b"no model")
    monkeypatch.setenv("VIRTUALSTAIN_MODELS", str(tmp_path))
    marked = [line for line in _sections(run("doctor").output)["models"] if line.startswith("!")]
    assert len(marked) == 1
    assert "mine (user) cannot be read" in marked[0]


def test_the_home_folder_is_not_named(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    output = run("doctor").output
    assert "working folder: ~ (" in output
    assert str(tmp_path) not in output
