"""``virtualstain doctor``: what there is, problems marked, nothing private."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

module = import_module("napari_virtualstain.cli.doctor")
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


@pytest.mark.parametrize(("free_gib", "mark"), [(0.99, "! free 1.0 GiB"), (1.01, "free 1.0 GiB")])
def test_less_than_a_gigabyte_of_free_memory_is_a_problem(
    monkeypatch: pytest.MonkeyPatch, free_gib: float, mark: str
) -> None:
    monkeypatch.setattr("napari_virtualstain.engine.free_memory", lambda _: free_gib * 2**30)
    assert list(module._memory())[1].startswith(mark)


def test_requirements_are_judged_by_their_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = [
        "there>=2",
        "old>=2",
        "missing>=2",
        'optional>=2; extra == "more"',
        'also>=2; extra == "more"',
    ]
    found = {"there": "2.1", "old": "1.9", "also": "2.0"}
    monkeypatch.setattr(module.importlib.metadata, "requires", lambda _: asked)
    monkeypatch.setattr(module, "_version_of", found.get)
    assert list(module._requirements()) == [
        "! old 1.9 is too old: expected >=2",
        "! missing is missing: expected missing>=2. Install the package again.",
        "also 2.0, there 2.1",
    ]


@pytest.mark.parametrize(
    ("problems", "said"), [(0, "No problems"), (1, "1 problem"), (2, "2 problems")]
)
def test_problems_are_counted(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, problems: int, said: str
) -> None:
    for name in (
        "_versions",
        "_computing",
        "_memory",
        "_window",
        "_folders",
        "_models",
        "_add_ons",
    ):
        monkeypatch.setattr(module, name, lambda: ["fine"])
    monkeypatch.setattr(module, "_models", lambda: ["! bad"] * problems)
    module.doctor()
    assert capsys.readouterr().out.endswith(f"{said} found.\n")


@pytest.mark.parametrize(
    ("code", "said"),
    [(1, "last"), (-6, "first")],  # Python's errors end with why, Qt's begin so
)
def test_why_there_is_no_window_is_said(
    monkeypatch: pytest.MonkeyPatch, code: int, said: str
) -> None:
    pytest.importorskip("napari")
    answer = SimpleNamespace(stdout="Qt: 6\n", stderr="first\nmiddle\nlast\n", returncode=code)
    monkeypatch.setattr(module.subprocess, "run", lambda *_, **__: answer)
    assert list(module._window()) == ["Qt: 6", f"! no window with OpenGL: {said}"]
    answer.returncode = 0
    assert list(module._window()) == ["Qt: 6"]
    monkeypatch.setattr(module, "_version_of", {"napari": "0.9"}.get)
    (line,) = module._window()
    assert line.startswith("qtpy is not installed")


def test_a_folder_that_cannot_be_written_is_a_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIRTUALSTAIN_MODELS", str(tmp_path / "not" / "yet" / "there"))
    monkeypatch.chdir(tmp_path)
    usage = SimpleNamespace(free=5 * 2**30)
    asked: list[Path] = []
    monkeypatch.setattr(module.shutil, "disk_usage", lambda path: asked.append(path) or usage)
    lines = list(module._folders())
    assert lines[0] == f"models: {tmp_path / 'not' / 'yet' / 'there'} (5.0 GiB free)"
    assert asked[0] == tmp_path  # the nearest folder that is there
    assert lines[-1].startswith("working folder: ")
    monkeypatch.setattr(module.os, "access", lambda *_: False)
    lines = list(module._folders())
    assert len(lines) == 5
    assert all(line.startswith("! ") and line.endswith(" cannot be written") for line in lines)


def test_add_ons_are_listed_with_their_problems(monkeypatch: pytest.MonkeyPatch) -> None:
    made = {"generators": {"double": 1}, "segmenters": {}, "trackers": {"nearest": 1, "far": 1}}
    known = SimpleNamespace(**{name: lambda found=found: found for name, found in made.items()})
    known.problems = [SimpleNamespace(plugin="mine", message="cannot be imported")]
    monkeypatch.setattr("napari_virtualstain.hooks.EXTENSIONS", known)
    assert list(module._add_ons()) == [
        "generator 'double'",
        "tracker 'nearest'",
        "tracker 'far'",
        "! mine: cannot be imported",
    ]
    for name in made:
        setattr(known, name, dict)
    known.problems = []
    assert list(module._add_ons()) == ["none"]


def test_a_window_that_does_not_answer_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("napari")

    def hangs(*_: Any, timeout: float, **__: Any) -> None:
        raise module.subprocess.TimeoutExpired("python", timeout)

    monkeypatch.setattr(module.subprocess, "run", hangs)
    assert list(module._window()) == ["! Qt did not answer within 60 s"]
    silent = SimpleNamespace(stdout="", stderr="", returncode=-11)
    monkeypatch.setattr(module.subprocess, "run", lambda *_, **__: silent)
    assert list(module._window()) == ["! no window with OpenGL: exit code -11"]
    monkeypatch.setattr(module, "_version_of", {"qtpy": "2"}.get)
    (line,) = module._window()
    assert line.startswith("napari is not installed: headless use only")


def test_an_imported_folder_is_no_installation(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise module.importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(module.importlib.metadata, "requires", missing)
    (line,) = module._requirements()
    assert line.startswith("! napari-virtualstain is not installed")
    monkeypatch.setattr(module.importlib.metadata, "version", missing)
    assert module._version_of("torch") is None
