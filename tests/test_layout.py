"""Import rules: vocabulary <- parts <- engine <- work <- pipeline <- cli | plugin."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

import napari_virtualstain

PACKAGE = Path(napari_virtualstain.__file__).parent
LAYER = {
    **dict.fromkeys(
        ["_version", "errors", "folders", "progress", "axes", "normalisation", "settings", "hooks"],
        0,
    ),
    **dict.fromkeys(["io", "optics", "simulation", "data", "models", "losses"], 1),
    "engine": 2,
    **dict.fromkeys(["staining", "segmentation", "training", "tracking", "metrics"], 3),
    "pipeline": 4,
    "cli": 5,
    "plugin": 5,
}
TORCH_ROOMS = {"models", "losses", "engine", "training", "staining"}
TORCH_FILES = {"data/dataset.py", "segmentation/learning.py"}
GUI = {"napari", "qtpy", "PyQt6", "PySide6", "magicgui", "superqt", "psygnal"}


def _modules() -> list[Path]:
    return sorted(
        path
        for path in PACKAGE.rglob("*.py")
        if path.name != "__init__.py" or path.parent != PACKAGE
    )


def _room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def _imports(path: Path) -> list[tuple[int, str]]:
    """Return (relative level, dotted module) of each import in the file, lazy ones too."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [(0, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [alias.name for alias in node.names]
            found += (
                [(node.level, node.module)] if node.module else [(node.level, n) for n in names]
            )
    return found


def _rooms_used(path: Path) -> list[tuple[str, str]]:
    """Return (room, dotted rest) of each import of this package in the file."""
    depth = len(path.relative_to(PACKAGE).parts)
    used = []
    for level, module in _imports(path):
        if level == 0 and module.startswith("napari_virtualstain."):
            room, _, rest = module.removeprefix("napari_virtualstain.").partition(".")
        elif level == depth and level > 0:
            room, _, rest = module.partition(".")
        else:
            continue
        used.append((room, rest))
    return used


@pytest.mark.parametrize("path", _modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_run_downwards_and_meet_at_the_public_init(path: Path) -> None:
    room = _room(path)
    for other, rest in _rooms_used(path):
        if other == room:
            continue
        assert other in LAYER, f"{path} imports an unknown room {other}"
        assert LAYER[other] <= LAYER[room], f"{path} imports upwards from {other}"
        assert {room, other} != {"cli", "plugin"}, f"{path}: cli and plugin do not know each other"
        assert not rest, f"{path} reaches into {other}.{rest}; import from {other} instead"


@pytest.mark.parametrize("path", _modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_torch_and_gui_stay_in_their_rooms(path: Path) -> None:
    room, relative = _room(path), path.relative_to(PACKAGE).as_posix()
    tops = {module.partition(".")[0] for level, module in _imports(path) if level == 0}
    if room not in TORCH_ROOMS and relative not in TORCH_FILES:
        assert "torch" not in tops, f"{relative} imports torch"
    if room != "plugin":
        assert not tops & GUI, f"{relative} imports {tops & GUI}"


def test_no_module_is_longer_than_500_lines() -> None:
    lengths = {str(p): len(p.read_text(encoding="utf-8").splitlines()) for p in _modules()}
    assert {name: length for name, length in lengths.items() if length > 500} == {}


def test_no_folder_holds_more_than_20_modules() -> None:
    counts = Counter(path.parent for path in PACKAGE.rglob("*.py"))
    assert {str(folder): count for folder, count in counts.items() if count > 20} == {}


@pytest.mark.parametrize("folder", ["benchmarks", "recipes", "paper"])
def test_the_index_of_a_folder_of_scripts_lists_each_once(folder: str) -> None:
    place = Path(__file__).parents[1] / folder
    index = (place / "README.md").read_text(encoding="utf-8")
    scripts = {path.name for path in place.glob("*.py")} - {"__init__.py"}
    assert sorted(re.findall(r"^\| `(\w+\.py)` \|", index, re.MULTILINE)) == sorted(scripts)


def test_there_are_at_most_24_benchmarks() -> None:
    folder = Path(__file__).parents[1] / "benchmarks"
    assert len([path for path in folder.glob("*.py") if path.name != "__init__.py"]) <= 24


def test_staining_an_array_loads_neither_dask_nor_pandas() -> None:
    code = (
        "import sys, numpy, napari_virtualstain as vs\n"
        "vs.stain(numpy.eye(48), 'mito-simulated', pixel_size_um=0.08, device='cpu')\n"
        "print(*sys.modules)"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    unneeded = {"dask", "pandas", "matplotlib", "skimage", "napari", "zarr", "tifffile", "PIL"}
    assert not (unneeded | {"scipy"}) & set(loaded)


def test_importing_the_package_loads_neither_torch_nor_qt() -> None:
    code = "import sys, napari_virtualstain; print(*sorted(sys.modules))"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert not {"torch", "qtpy", "napari", "numpy", "pandas"} & set(loaded.stdout.split())
