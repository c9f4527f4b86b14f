"""The shipped package: complete, small, found by napari however it was installed."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
MEGABYTE = 1e6

# runs in a fresh interpreter whose first path entry is the installed copy
DISCOVER = """
import importlib.util, site, sys
site.addsitedir(sys.argv[1])  # reads the .pth file of an editable installation
sys.path.insert(0, sys.argv[1])
from npe2 import PluginManager
manager = PluginManager()
manager.discover(include_npe1=False)
manifest = manager.get_manifest("napari-virtualstain")
print(manifest.package_version)
print(len(manifest.contributions.widgets or []))
print(importlib.util.find_spec("napari_virtualstain").origin)
"""


def _tracked() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode:
        pytest.skip("this is no git checkout")
    return [ROOT / name for name in listed.stdout.split("\0") if (ROOT / name).is_file()]


def _text_files() -> list[tuple[Path, str]]:
    texts = []
    for path in _tracked():
        content = path.read_bytes()
        if b"\0" not in content and path != Path(__file__).resolve():
            texts.append((path, content.decode("utf-8")))
    return texts


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> dict[str, Path]:
    """Return wheel, source distribution, and the wheel made from the latter."""
    folder = tmp_path_factory.mktemp("dist")
    _build(ROOT, folder / "first", "wheel", "sdist")
    sdist = next((folder / "first").glob("*.tar.gz"))
    with tarfile.open(sdist) as archive:
        archive.extractall(folder / "source", filter="data")
    unpacked = next((folder / "source").iterdir())
    _build(unpacked, folder / "second", "wheel")
    return {
        "wheel": next((folder / "first").glob("*.whl")),
        "sdist": sdist,
        "wheel of the sdist": next((folder / "second").glob("*.whl")),
    }


def _build(source: Path, folder: Path, *targets: str) -> None:
    # the backend of the environment, so that no package index is asked
    flags = [flag for target in targets for flag in ("-t", target)]
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-d", str(folder), *flags],
        cwd=source,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def _discovered(folder: Path) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", DISCOVER, str(folder)],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split("\n")


@pytest.mark.parametrize("kind", ["wheel", "wheel of the sdist"])
def test_the_installed_plugin_is_found_by_npe2(built, tmp_path, kind) -> None:
    with zipfile.ZipFile(built[kind]) as wheel:
        wheel.extractall(tmp_path)
    version, widgets, origin = _discovered(tmp_path)[:3]
    assert version == _version()
    assert int(widgets) == len(_manifest().contributions.widgets or [])
    assert Path(origin).is_relative_to(tmp_path)


def test_the_editable_plugin_is_found_by_npe2(tmp_path) -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-c"),
            "import sys; from hatchling.build import build_editable; build_editable(sys.argv[1])",
            str(tmp_path),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    wheel = next(tmp_path.glob("*.whl"))
    installed = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(installed)
    version, _, origin = _discovered(installed)[:3]
    assert version == _version()
    assert Path(origin).resolve() == ROOT / "src" / "napari_virtualstain" / "__init__.py"


def test_the_wheel_holds_what_it_needs_and_nothing_else(built) -> None:
    with zipfile.ZipFile(built["wheel"]) as wheel:
        sizes = {entry.filename: entry.file_size for entry in wheel.infolist()}
    assert [name for name in sizes if name.endswith("napari.yaml")] == [
        "napari_virtualstain/napari.yaml"
    ]
    for name in ("py.typed", "__init__.pyi", "metrics/report.html.jinja"):
        assert f"napari_virtualstain/{name}" in sizes
    assert any(name.endswith("licenses/LICENSE") for name in sizes)
    strange = [
        name
        for name in sizes
        if not name.startswith(("napari_virtualstain/", "napari_virtualstain-"))
        or name.endswith((".pyc", ".pt", ".pth", ".pkl", ".tif"))
    ]
    assert strange == []


def test_the_wheels_are_the_same_by_either_way(built) -> None:
    names = []
    for kind in ("wheel", "wheel of the sdist"):
        with zipfile.ZipFile(built[kind]) as wheel:
            names.append(sorted(wheel.namelist()))
    assert names[0] == names[1]


def test_shipped_models_are_in_the_wheel_and_small(built) -> None:
    folder = ROOT / "src" / "napari_virtualstain"
    shipped = {
        path.relative_to(folder.parent).as_posix(): path.stat().st_size
        for path in folder.rglob("*.safetensors")
    }
    with zipfile.ZipFile(built["wheel"]) as wheel:
        inside = {entry.filename: entry.file_size for entry in wheel.infolist()}
    assert shipped.items() <= inside.items()
    assert sum(shipped.values()) < 40 * MEGABYTE


def test_the_manual_says_the_size_of_the_wheel(built) -> None:
    page = (ROOT / "docs" / "explanation" / "dependencies.md").read_text(encoding="utf-8")
    stated = re.search(r"The wheel has (\d+) MB", page)
    assert stated is not None
    size = built["wheel"].stat().st_size / MEGABYTE
    assert abs(size - float(stated[1])) < 1, f"the wheel has {size:.1f} MB"


def _manifest():
    from npe2 import PluginManifest

    return PluginManifest.from_file(ROOT / "src" / "napari_virtualstain" / "napari.yaml")


def _version() -> str:
    import napari_virtualstain

    return napari_virtualstain.__version__


def test_every_command_of_a_menu_exists_and_no_key_is_promised() -> None:
    import yaml

    manifest = ROOT / "src" / "napari_virtualstain" / "napari.yaml"
    contributions = yaml.safe_load(manifest.read_text(encoding="utf-8"))["contributions"]
    commands = {command["id"] for command in contributions.get("commands", [])}
    submenus = {menu["id"] for menu in contributions.get("submenus", [])}
    for menu, items in contributions.get("menus", {}).items():
        for item in items:
            known = commands if "command" in item else submenus
            assert (item.get("command") or item["submenu"]) in known, menu
    assert "keybindings" not in contributions, "napari 0.9 ignores them; bind keys in the widget"


def test_importing_the_package_is_quick() -> None:
    code = (
        # processor time: the wall clock also counts what else the machine does
        "import time; start = time.process_time(); import napari_virtualstain; "
        "print(time.process_time() - start)"
    )
    times = [
        float(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout)
        for _ in range(5)
    ]
    assert min(times) < 0.05


def test_requirements_have_no_upper_caps() -> None:
    """An upper cap makes the plugin impossible to install beside other plugins."""
    project = PROJECT["project"]
    lines = [*project["dependencies"]]
    for extra in project["optional-dependencies"].values():
        lines += extra
    for group in PROJECT["dependency-groups"].values():
        lines += [line for line in group if isinstance(line, str)]
    for requirement in map(Requirement, lines):
        operators = {specifier.operator for specifier in requirement.specifier}
        assert operators <= {">=", "!="}, requirement


def test_no_qt_binding_is_forced_on_anybody() -> None:
    names = {Requirement(line).name.lower() for line in PROJECT["project"]["dependencies"]}
    assert not names & {"napari", "pyqt5", "pyqt6", "pyside2", "pyside6", "qtpy"}


def test_constraints_pin_everything_once_and_name_no_machine() -> None:
    lines = [
        line
        for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
        if line and not line.startswith("#")
    ]
    pins = {}
    for line in lines:
        name, version = re.fullmatch(r"([A-Za-z0-9._-]+)==([^\s+;@]+)", line).groups()
        assert name.lower() not in pins, name
        pins[re.sub(r"[-_.]+", "-", name).lower()] = version
    assert pins["torch"] == "2.13.0"
    project = PROJECT["project"]
    needed = [*project["dependencies"], *PROJECT["dependency-groups"]["test"]]
    for extra in project["optional-dependencies"].values():
        needed += extra
    for line in (line for line in needed if isinstance(line, str)):
        requirement = Requirement(line)
        name = re.sub(r"[-_.]+", "-", requirement.name).lower()
        if name == project["name"]:
            continue
        assert name in pins, f"{line} is not in constraints.txt: run .ci/resolve"
        assert requirement.specifier.contains(pins[name]), line


def test_no_machine_and_no_package_index_is_named_in_tracked_files() -> None:
    folders = ["/" + name + "/" for name in ("work", "opt", "root", "home")]
    hosts = ["py" + "pi.org", "python" + "hosted.org", "deb." + "debian.org", "registry.npm" + "js"]
    found = [
        f"{path.relative_to(ROOT)}: {word}"
        for path, text in _text_files()
        for word in folders + hosts
        # a path begins after a space, a quote or a bracket; a/opt/b is no machine's path
        if re.search(rf"(?<![\w./}}-]){re.escape(word)}" if word in folders else word, text)
    ]
    assert found == []


def test_no_python_file_is_longer_than_500_lines() -> None:
    long = {
        str(path.relative_to(ROOT)): text.count("\n")
        for path, text in _text_files()
        if path.suffix == ".py" and text.count("\n") > 500
    }
    assert long == {}


def test_no_tracked_file_is_large_but_the_models_and_the_sample() -> None:
    large = {
        str(path.relative_to(ROOT)): path.stat().st_size
        for path in _tracked()
        if path.suffix not in {".safetensors", ".npz"} and path.stat().st_size > 2 * MEGABYTE
    }
    assert large == {}


def test_the_manual_says_the_version_that_is_shipped() -> None:
    cited = re.search(r"^version: (.+)$", (ROOT / "CITATION.cff").read_text(), re.MULTILINE)
    assert cited is not None
    assert cited.group(1).strip("'\"") == _version()
    assert "## " in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_every_link_of_the_pages_outside_the_manual_leads_to_a_file() -> None:
    """The manual itself, with its generated pages, is looked at in test_docs.py."""
    broken = []
    for path, text in _text_files():
        if path.suffix != ".md" or "docs" in path.relative_to(ROOT).parts[:1]:
            continue
        for target in re.findall(r"\]\(([^)\s]+)\)", text):
            place = target.partition("#")[0]
            outside = "://" in place or place.startswith("mailto:")
            if place and not outside and not (path.parent / place).exists():
                broken.append(f"{path.relative_to(ROOT)} -> {target}")
    assert broken == []


# subjects are judged from here on: history is not rewritten, and twelve commits after 1e965bc,
# made before this test was looked at, are too long
LAST_COMMIT_OF_OLD_SUBJECTS = "ee5311b"


def test_subjects_of_commits_name_an_area_and_fit_on_a_line() -> None:
    listed = subprocess.run(
        ["git", "log", "--no-merges", "--format=%s", f"{LAST_COMMIT_OF_OLD_SUBJECTS}..HEAD"],
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    if listed.returncode:
        pytest.skip("this is no git checkout, or one without history")
    assert [line for line in listed.stdout.splitlines() if not _is_good_subject(line)] == []


def _is_good_subject(subject: str) -> bool:
    area, colon, what = subject.partition(": ")
    named = re.fullmatch(r"[a-zA-Z][\w.,/ -]*", area) is not None
    return (
        named
        and bool(colon)
        and bool(what.strip())
        and len(subject) <= 72
        and not re.search(r"\bwip\b", subject, re.IGNORECASE)
    )


@pytest.mark.parametrize(
    ("subject", "good"),
    [
        ("io, training: readers in folders of their own", True),
        ("io: " + "x" * 68, True),
        ("io: " + "x" * 69, False),
        ("docs/napari: WIP films", False),
        ("Say when the visible frame is there", False),
        (": nothing", False),
        ("io: ", False),
    ],
)
def test_what_a_good_subject_is(subject: str, good: bool) -> None:
    assert _is_good_subject(subject) is good
