"""The manifest as napari sees it: a single fault in it makes the whole plugin vanish."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from npe2 import PluginManifest

import napari_virtualstain

PACKAGE = Path(napari_virtualstain.__file__).parent
MANIFEST = PACKAGE / "napari.yaml"
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def manifest() -> PluginManifest:
    return PluginManifest.from_file(MANIFEST)


def test_every_python_name_exists(manifest: PluginManifest) -> None:
    manifest.validate_imports()


def test_its_name_is_that_of_the_distribution(manifest: PluginManifest) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert manifest.name == project["name"]


def test_the_root_has_the_same_manifest() -> None:
    assert (ROOT / "napari.yaml").resolve() == MANIFEST.resolve()


def test_every_configuration_property_has_a_title() -> None:
    raw = yaml.safe_load(MANIFEST.read_text(encoding="utf-8"))
    for group in raw["contributions"]["configurations"].values():
        assert group["title"]
        for name, definition in group["properties"].items():
            assert definition.get("title"), name


def test_it_promises_no_key_bindings_which_napari_would_ignore() -> None:
    raw = yaml.safe_load(MANIFEST.read_text(encoding="utf-8"))
    assert "keybindings" not in raw["contributions"]


def test_every_widget_stands_in_a_menu_and_has_its_display_name(manifest: PluginManifest) -> None:
    widgets = {widget.command for widget in manifest.contributions.widgets}
    in_menus = {item.command for items in manifest.contributions.menus.values() for item in items}
    assert widgets <= in_menus
    names = {widget.display_name for widget in manifest.contributions.widgets}
    assert {"Load time-lapse", "Track mitochondria"} <= names


def test_widgets_are_made_without_torch() -> None:
    code = """
import sys
from napari.components import ViewerModel
from npe2 import PluginManifest
from qtpy.QtWidgets import QApplication
app = QApplication([])
viewer = ViewerModel()
manifest = PluginManifest.from_file(sys.argv[1])
commands = {command.id: command for command in manifest.contributions.commands}
from npe2.manifest.utils import import_python_name
for widget in manifest.contributions.widgets:
    made = import_python_name(commands[widget.command].python_name)(viewer)
assert "torch" not in sys.modules, "torch was imported"
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(MANIFEST)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.gui
def test_napari_offers_docks_samples_and_preferences(make_napari_viewer: Any, npe2pm: Any) -> None:
    npe2pm.register(PluginManifest.from_file(MANIFEST))
    viewer = make_napari_viewer()
    _, widget = viewer.window.add_plugin_dock_widget("napari-virtualstain", "Load time-lapse")
    assert widget.run_button.toolTip() == "Choose a file or folder, or drop one here."
    viewer.window.remove_dock_widget(widget)
    widget.deleteLater()
