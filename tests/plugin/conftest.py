"""Fixtures of the GUI tests; everything here is skipped where napari is not installed."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .models import save_generator, save_segmenter

os.environ.setdefault("QT_API", "pyqt6")
# the tests set preferences of napari: not those of the person who runs them
os.environ.setdefault("NAPARI_CONFIG", str(Path(tempfile.mkdtemp()) / "settings.yaml"))
pytest.importorskip("napari", reason="the docks need napari: install napari-virtualstain[all]")
pytest.importorskip("pytestqt", reason="the GUI tests need pytest-qt")


@pytest.fixture(autouse=True)
def _private_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the tests out of the user's configuration and cache."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))


@pytest.fixture
def tiny_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of the user's models: the generator `tiny` and the segmenter `bright`."""
    folder = tmp_path / "models"
    monkeypatch.setenv("VIRTUALSTAIN_MODELS", str(folder))
    save_generator(folder / "tiny.safetensors")
    save_segmenter(folder / "bright.safetensors")
    return folder


@pytest.fixture
def viewer_model() -> Any:
    """Return a viewer without a window."""
    from napari.components import ViewerModel

    return ViewerModel()


@pytest.fixture
def wait_for(qtbot: Any) -> Callable[..., None]:
    """Return a function that waits until a dock reaches one of some states."""

    def wait(widget: Any, *states: str, timeout_s: float = 60) -> None:
        wanted = states or ("done", "failed")

        def reached() -> None:
            assert widget.state in wanted, (widget.state, widget.status_label.text())

        qtbot.waitUntil(reached, timeout=int(1000 * timeout_s))

    return wait
