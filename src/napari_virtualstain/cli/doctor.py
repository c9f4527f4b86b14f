"""``virtualstain doctor``: a description of the installation for a bug report."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from .._version import __version__
from .exits import tell

_GIB = 2**30
_WINDOW_TIMEOUT_S = 60
# a process of its own: without a display some Qt platforms end the program instead of raising
_ASK_WINDOW = """
import qtpy
from qtpy.QtWidgets import QApplication
application = QApplication([])
print(f"Qt: {qtpy.API_NAME} {qtpy.PYQT_VERSION or qtpy.PYSIDE_VERSION}, Qt {qtpy.QT_VERSION}, "
      f"platform {application.platformName()}")
from vispy.app import Canvas, use_app
from vispy.gloo import gl
use_app(qtpy.API_NAME)
canvas = Canvas(show=False)
for name in ("VERSION", "RENDERER", "MAX_TEXTURE_SIZE"):
    value = gl.glGetParameter(getattr(gl, "GL_" + name))
    print(f"OpenGL {name.lower().replace('_', ' ')}: {value}")
"""


def doctor() -> None:
    """Show versions, devices, memory, window system, folders and models.

    Lines that begin with ! are problems. Copy the output into a bug report; the name of
    your home folder is replaced by ~.

    Example:  virtualstain doctor
    """
    problems = 0
    sections = {
        "versions": _versions,
        "computing": _computing,
        "memory": _memory,
        "window": _window,
        "folders": _folders,
        "models": _models,
        "add-ons": _add_ons,
    }
    for title, lines_of in sections.items():
        tell(f"[{title}]")
        for line in lines_of():
            problems += line.startswith("!")
            tell(line.replace(str(Path.home()), "~"))
        tell()
    tell(f"{problems or 'No'} problem{'s' if problems != 1 else ''} found.")


def _versions() -> Iterator[str]:
    yield f"napari-virtualstain {__version__}"
    yield f"Python {platform.python_version()} ({sys.executable})"
    yield f"{platform.platform()}, {platform.machine()}"
    yield from _requirements()


def _requirements() -> Iterator[str]:
    """Yield the installed version of each dependency, and the optional ones that are there."""
    from packaging.requirements import Requirement

    try:
        lines = importlib.metadata.requires("napari-virtualstain") or []
    except importlib.metadata.PackageNotFoundError:
        yield "! napari-virtualstain is not installed: the package is imported from a folder"
        return
    found: dict[str, str] = {}
    for requirement in map(Requirement, lines):
        name, is_optional = requirement.name, requirement.marker is not None
        version = _version_of(name)
        if version is None and not is_optional:
            yield f"! {name} is missing: expected {requirement}. Install the package again."
        elif version is not None and not requirement.specifier.contains(version, prereleases=True):
            yield f"! {name} {version} is too old: expected {requirement.specifier}"
        elif version is not None and name != "napari-virtualstain":
            found[name] = version
    yield ", ".join(f"{name} {version}" for name, version in sorted(found.items()))


def _version_of(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _computing() -> Iterator[str]:
    from ..engine import describe_devices

    limit = os.environ.get("OMP_NUM_THREADS")
    yield f"{os.cpu_count()} logical processors (OMP_NUM_THREADS {limit or 'not set'})"
    yield from describe_devices()


def _memory() -> Iterator[str]:
    import psutil

    from ..engine import free_memory, resolve_device

    yield f"total {psutil.virtual_memory().total / _GIB:.1f} GiB"
    free = free_memory(resolve_device("cpu")) / _GIB
    mark = "! " if free < 1 else ""
    yield f"{mark}free {free:.1f} GiB, within the limit of a container or batch job if there is one"


def _window() -> Iterator[str]:
    for name in ("napari", "qtpy"):
        if _version_of(name) is None:
            yield f"{name} is not installed: headless use only. For the docks install [all]."
            return
    try:
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", _ASK_WINDOW],
            capture_output=True,
            text=True,
            timeout=_WINDOW_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        yield f"! Qt did not answer within {_WINDOW_TIMEOUT_S} s"
        return
    yield from done.stdout.splitlines()
    if done.returncode:
        reason = (done.stderr.strip() or f"exit code {done.returncode}").splitlines()
        yield f"! no window with OpenGL: {reason[0 if done.returncode < 0 else -1]}"


def _folders() -> Iterator[str]:
    from ..folders import cache_folder, log_folder, settings_folder
    from ..models import user_model_folder

    places = {
        "models": user_model_folder(),
        "cache": cache_folder(),
        "settings": settings_folder(),
        "logs": log_folder(),
        "working folder": Path.cwd(),
    }
    for name, folder in places.items():
        there = next(p for p in (folder, *folder.parents) if p.exists())
        if os.access(there, os.W_OK):
            free = shutil.disk_usage(there).free / _GIB
            yield f"{name}: {folder} ({free:.1f} GiB free)"
        else:
            yield f"! {name}: {folder} cannot be written"


def _models() -> Iterator[str]:
    from ..models import list_models

    for entry in list_models():
        if entry.card is None:
            yield f"! {entry.name} ({entry.source}) cannot be read: {entry.problem}"
        else:
            yield f"{entry.name} ({entry.source}, {entry.card.kind})"


def _add_ons() -> Iterator[str]:
    from ..hooks import EXTENSIONS

    kinds: dict[str, Iterable[str]] = {
        "generator": EXTENSIONS.generators(),
        "segmenter": EXTENSIONS.segmenters(),
        "tracker": EXTENSIONS.trackers(),
    }
    found = [f"{kind} {name!r}" for kind, names in kinds.items() for name in names]
    yield from found or ["none"]
    for problem in EXTENSIONS.problems:
        yield f"! {problem.plugin}: {problem.message}"
