"""Every example in a docstring runs, and every public function has one."""

from __future__ import annotations

import doctest
import importlib
import importlib.util
import inspect
import pkgutil

import pytest

import napari_virtualstain as vs
from napari_virtualstain.models import architectures

ROOMS = [
    *("io", "optics", "simulation", "data", "models", "losses"),
    *("engine", "staining", "segmentation", "training", "tracking", "metrics"),
]
MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(vs.__path__, f"{vs.__name__}.")
    if not module.name.endswith("__main__")
)
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@pytest.mark.parametrize("name", [vs.__name__, *MODULES])
def test_the_examples_of_a_module_run(name: str, tmp_path, monkeypatch) -> None:
    if ".plugin" in name and importlib.util.find_spec("napari") is None:
        pytest.skip("the docks need napari")
    if name.endswith("engine.compiled") and importlib.util.find_spec("openvino") is None:
        pytest.skip("OpenVINO is not installed: pip install openvino")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VIRTUALSTAIN_MODELS", str(tmp_path))  # not those of whoever runs the tests
    monkeypatch.setattr(architectures, "_BUILDERS", {})  # what an example registers goes with it
    runner = doctest.DocTestRunner(verbose=False, optionflags=FLAGS)
    report: list[str] = []
    for example in doctest.DocTestFinder().find(importlib.import_module(name)):
        runner.run(example, out=report.append)
    assert not report, "".join(report)


@pytest.mark.parametrize("room", ROOMS)
def test_every_public_function_has_an_example(room: str) -> None:
    module = importlib.import_module(f"{vs.__name__}.{room}")
    bare = [
        name
        for name in getattr(module, "__all__", [])
        if inspect.isfunction(thing := getattr(module, name))
        and ">>>" not in (inspect.getdoc(thing) or "")
    ]
    assert bare == []
