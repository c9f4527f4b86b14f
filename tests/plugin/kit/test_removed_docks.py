"""Docks that were removed: nothing of them lives on, fires, or dies outside the GUI thread."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import QObject

from napari_virtualstain.plugin.kit.cleanup import _REMOVED, Cleanup

DOCKS = (
    "Load time-lapse",
    "Virtual staining",
    "Segment mitochondria",
    "Track mitochondria",
    "Track inspector",
    "Train virtual staining",
    "Evaluate staining",
    "Run all",
    "Run on many movies",
    "Export figure",
)


def _own_objects() -> Iterator[QObject]:
    """Yield the living Qt objects whose class is one of ours."""
    for thing in gc.get_objects():
        kind = type(thing)  # isinstance would ask napari's proxies for their class
        if issubclass(kind, QObject) and kind.__module__.startswith("napari_virtualstain"):
            try:
                QObject.objectName(thing)
            except RuntimeError:  # Qt has deleted it
                continue
            yield thing


def _collect_in_a_thread() -> None:
    thread = threading.Thread(target=gc.collect)
    thread.start()
    thread.join()


@pytest.mark.gui
@pytest.mark.parametrize("title", DOCKS)
def test_a_removed_dock_is_deleted_in_the_gui_thread_and_fires_no_more(
    make_napari_viewer: Any,
    qtbot: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    title: str,
) -> None:
    folder = tmp_path / "models"
    folder.mkdir()
    monkeypatch.setenv("VIRTUALSTAIN_MODELS", str(folder))
    viewer = make_napari_viewer()
    viewer.add_image(np.random.default_rng(0).random((3, 32, 32)), name="bright-field")
    viewer.add_image(np.random.default_rng(1).random((3, 32, 32)), name="fluorescence")
    before = {id(thing) for thing in _own_objects()}
    threads: list[threading.Thread] = []
    for number in range(2):
        _, widget = viewer.window.add_plugin_dock_widget("napari-virtualstain", title)
        made = [thing for thing in _own_objects() if id(thing) not in before]
        assert any(thing is widget for thing in made)
        for thing in made:
            thing.destroyed.connect(lambda *_: threads.append(threading.current_thread()))
        viewer.window.remove_dock_widget(widget)
        assert any(dock is widget for dock in _REMOVED)  # held, so that no collector frees it
        (folder / f"{number}.safetensors").write_bytes(b"x")
        qtbot.waitUntil(lambda widget=widget: all(dock is not widget for dock in _REMOVED))
        assert len(threads) == len(made)
        assert set(threads) == {threading.main_thread()}
        assert [type(thing) for thing in _own_objects() if id(thing) not in before] == []
        del widget, made[:]
        threads.clear()
        _collect_in_a_thread()
        (folder / f"{number}.safetensors").unlink()
        qtbot.wait(20)
    viewer.layers.clear()  # reaches what still listens to the viewer


@pytest.mark.gui
def test_the_brush_reaches_no_removed_segment_dock(make_napari_viewer: Any, qtbot: Any) -> None:
    viewer = make_napari_viewer()
    labels = viewer.add_labels(np.zeros((2, 16, 16), int))
    _, widget = viewer.window.add_plugin_dock_widget("napari-virtualstain", "Segment mitochondria")
    painted = []
    widget.corrections.watch(labels)
    widget.corrections._changed = lambda: painted.append(1)
    labels.paint((0, 4, 4), 1)
    assert painted == [1]
    viewer.window.remove_dock_widget(widget)
    labels.paint((1, 4, 4), 1)
    assert painted == [1]


def test_one_step_of_a_cleanup_that_fails_keeps_no_other_from_running() -> None:
    log: list[str] = []

    def fails() -> None:
        log.append("failed")
        raise RuntimeError("wrapped C/C++ object has been deleted")

    cleanup = Cleanup()
    cleanup.add(log.append, "first")
    cleanup.add(fails)
    cleanup.add(log.append, "last")
    cleanup.run()
    cleanup.run()
    assert log == ["last", "failed", "first"]
