"""The wheel, installed into an empty environment, works from there."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def _run(*command: str | Path, cwd: Path, **options: object) -> subprocess.CompletedProcess[str]:
    # nothing of this checkout may reach the new environment
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    return subprocess.run(
        [os.fspath(part) for part in command],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        **options,  # type: ignore[call-overload]
    )


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the programs of an environment with the wheel and its requirements."""
    folder = tmp_path_factory.mktemp("install")
    built = _run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder, cwd=ROOT)
    assert built.returncode == 0, built.stderr
    venv.create(folder / "venv", with_pip=True)
    programs = folder / "venv" / ("Scripts" if os.name == "nt" else "bin")
    wheel = next(folder.glob("*.whl"))
    options = ["--quiet", "--no-compile", "-c", ROOT / "constraints.txt"]
    done = _run(programs / "python", "-m", "pip", "install", *options, wheel, cwd=folder)
    if done.returncode and any(
        word in done.stderr for word in ("connection", "resolve", "network")
    ):
        pytest.skip("no package index can be reached")
    assert done.returncode == 0, done.stderr
    return programs


def test_commands_run_in_the_new_environment(installed: Path, tmp_path: Path) -> None:
    virtualstain = installed / "virtualstain"
    version = _run(virtualstain, "--version", cwd=tmp_path)
    assert version.stdout.startswith("virtualstain "), version.stderr
    models = _run(virtualstain, "models", "list", cwd=tmp_path)
    assert "mito-h9c2" in models.stdout, models.stderr
    for command in (
        ["simulate", "scene", "--frames", "2", "--size", "64", "--count", "4"],
        ["run", "scene/bright_field.ome.tif", "-o", "out", "--model", "mito-simulated"],
        ["stain", "scene/bright_field.ome.tif", "-o", "stain.ome.tif", "--model", "mito-simulated"],
        ["demo", "shown", "--frames", "2", "--size", "64", "--count", "4"],
    ):
        done = _run(virtualstain, *command, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    for made in ("out/bright_field/tracks.csv", "stain.ome.tif", "shown/overview.png"):
        assert (tmp_path / made).stat().st_size > 0


def test_the_package_comes_from_the_wheel_and_brings_no_window(installed: Path) -> None:
    code = (
        "import importlib.util as find, napari_virtualstain as vs; "
        "print(vs.__file__, find.find_spec('napari'), find.find_spec('qtpy'))"
    )
    done = _run(installed / "python", "-c", code, cwd=installed)
    assert done.stdout.split()[1:] == ["None", "None"], done.stderr
    assert "site-packages" in done.stdout
