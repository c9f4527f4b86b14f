"""The manual: every example runs, every link leads somewhere, generated pages are whole."""

from __future__ import annotations

import importlib.util
import re
import shlex
import shutil
import tomllib
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from typer.testing import CliRunner

import napari_virtualstain as vs
from napari_virtualstain.cli.app import app
from napari_virtualstain.hooks import EXTENSIONS
from napari_virtualstain.io import write_image

DOCS = Path(__file__).parents[1] / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
README = DOCS.parent / "README.md"
SIDE = 96
# what takes minutes for a reader takes seconds in a test
SHORTER = {"--minutes 10": "--steps 2", "--steps 100": "--steps 2"}
FENCE = re.compile(
    r"(?P<skip><!-- not run:[^>]*-->\s*)?^```(?P<kind>\w*)\n(?P<code>.*?)^```$", re.M | re.S
)


def _name(page: Path) -> str:
    return page.relative_to(DOCS.parent).as_posix()


def _blocks(page: Path) -> list[tuple[str, str]]:
    """Return kind and code of each Python or shell example that is to be run."""
    return [
        (found["kind"], found["code"])
        for found in FENCE.finditer(page.read_text(encoding="utf-8"))
        if found["kind"] in ("python", "bash") and not found["skip"]
    ]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the small files that the examples of the manual name."""
    folder = tmp_path_factory.mktemp("data")
    scene = vs.simulate(frames=3, size=SIDE, count=6, seed=0)
    units = {"pixel_size_um": 0.08, "frame_interval_s": 2.0}
    images = {
        "movie": scene.bright_field,
        "movies/cell_1": scene.bright_field,
        "day1/cell_1": scene.bright_field,
        "day2/cell_2": scene.bright_field[:2],
        "fluorescence": scene.fluorescence,
        "predicted": scene.expected_fluorescence.astype(np.float32),
        "labels": scene.labels,
    }
    for name, image in images.items():
        write_image(folder / f"{name}.ome.tif", image, axes="tyx", **units)
    for cell in range(4):
        still = vs.simulate(frames=1, size=SIDE, count=8, seed=cell)
        pair = {"bf": still.bright_field, "fl": still.fluorescence}
        pair |= {"images": still.fluorescence, "masks": still.labels}
        for kind, image in pair.items():
            write_image(folder / kind / f"cell{cell}.tif", image[0], axes="yx", pixel_size_um=0.08)
    return folder


def _run_shell(code: str) -> None:
    for line in re.sub(r"\\\n\s*", " ", code).splitlines():
        words = shlex.split(line, comments=True)
        if not words:
            continue
        assert words[0] == "virtualstain", f"only virtualstain is run by the tests: {line}"
        words = [m for word in words[1:] for m in (sorted(map(str, Path().glob(word))) or [word])]
        result = CliRunner().invoke(app, words)
        assert result.exit_code == 0, f"{line}\n{result.output}\n{result.exception}"


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize(
    "page",
    [p for p in [README, *PAGES] if _blocks(p)],
    ids=lambda p: _name(p),
)
def test_the_examples_of_a_page_run_in_order(
    page: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "work"
    shutil.copytree(data, folder)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    names: dict[str, object] = {"__name__": "example"}
    for kind, code in _blocks(page):
        for long, short in SHORTER.items():
            code = code.replace(long, short)
        if kind == "bash":
            _run_shell(code)
        else:
            exec(compile(code, str(page), "exec"), names)
    EXTENSIONS.unregister("my-plugin")  # what a page registers goes with it


@pytest.fixture(scope="module")
def generated() -> dict[str, str]:
    """Return the pages that are made from the program when the manual is built."""
    return _module("generate").pages()


def _module(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_link_leads_to_a_page_and_a_heading(generated: dict[str, str]) -> None:
    texts = {p.relative_to(DOCS).as_posix(): p.read_text(encoding="utf-8") for p in PAGES}
    texts |= generated
    broken = []
    for name, text in texts.items():
        for target in re.findall(r"\]\(([^)\s]+)\)", text):
            place, _, heading = target.partition("#")
            if "://" in place:
                continue
            path = (DOCS / name).parent.joinpath(place).resolve() if place else DOCS / name
            inside = path.relative_to(DOCS.resolve()).as_posix()
            if not path.exists() and inside not in texts:
                broken.append(f"{name} -> {target}")
            elif heading and heading not in _headings(texts[inside]):
                broken.append(f"{name} -> {target}: no such heading")
    assert broken == []


def _headings(text: str) -> set[str]:
    found = re.findall(r"^#+ (.+)$", text, re.M)
    return {re.sub(r"[^\w\s-]", "", title).strip().lower().replace(" ", "-") for title in found}


def test_labels_that_the_manual_names_are_in_the_program() -> None:
    package = DOCS.parent / "src" / "napari_virtualstain"
    program = "".join(p.read_text(encoding="utf-8") for p in package.rglob("*.py"))
    program = (program + (package / "napari.yaml").read_text(encoding="utf-8")).replace("&", "")
    of_napari = {"File", "Plugins", "Preferences", "Open Sample", "Save Selected Layers"}
    named = {
        (page.name, part)
        for page in [*(DOCS / "tutorials").glob("*.md"), *(DOCS / "howto").glob("*.md")]
        for text in re.findall(
            r"(?<!\*)\*([A-Z][^*\n]{2,60})\*(?!\*)",
            re.sub(r"```.*?```|`[^`]*`", "", page.read_text(encoding="utf-8"), flags=re.S),
        )
        for part in text.split(" > ")
    }
    assert len(named) > 30
    unknown = [(page, part) for page, part in sorted(named) if part not in program]
    assert [one for one in unknown if one[1] not in of_napari] == []


def test_every_page_is_in_the_navigation(generated: dict[str, str]) -> None:
    nav = (DOCS.parent / "mkdocs.yml").read_text(encoding="utf-8")
    names = {page.relative_to(DOCS).as_posix() for page in PAGES} | set(generated)
    assert [name for name in sorted(names) if name not in nav] == []


def test_every_command_and_every_setting_is_described(generated: dict[str, str]) -> None:
    bare = [
        f"{name}: {line}"
        for name in ("reference/command_line.md", "reference/settings.md")
        for line in generated[name].splitlines()
        if re.match(r"\| `.*\|\s*\|$", line)
    ]
    assert bare == []
    assert "## virtualstain train-segmenter" in generated["reference/command_line.md"]


def test_the_manual_beside_generated_pages_and_evidence_stays_short() -> None:
    words = sum(
        len(page.read_text(encoding="utf-8").split())
        for page in PAGES
        if page.parent.name != "evidence"
    )
    assert words <= 12_000


def test_every_dependency_is_justified_and_in_the_conda_recipe() -> None:
    project = tomllib.loads((DOCS.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = [*project["dependencies"], *project["optional-dependencies"]["napari"]]
    names = {re.split(r"[\[<>=; ]", line)[0].lower() for line in lines}
    page = (DOCS / "explanation" / "dependencies.md").read_text(encoding="utf-8").lower()
    recipe = (DOCS.parent / "conda" / "meta.yaml").read_text(encoding="utf-8").lower()
    assert [name for name in sorted(names) if name not in page] == []
    other = {"dask": "dask-core", "torch": "pytorch", "matplotlib": "matplotlib-base"}
    assert [name for name in names if f"- {other.get(name, name)} " not in recipe] == []
    listed = re.findall(r"^    - ([a-z-]+) >=", recipe.partition("  run:")[2], re.MULTILINE)
    known = {other.get(name, name) for name in names} | {"python"}
    assert set(listed) <= known
