from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from npe2 import PluginManifest
from qtpy.QtWidgets import QAbstractButton, QAbstractSpinBox, QComboBox, QLineEdit, QWidget

import napari_virtualstain
from napari_virtualstain.errors import OutputError
from napari_virtualstain.plugin.evaluate.dock import EvaluateWidget
from napari_virtualstain.plugin.figure.dock import FigureWidget
from napari_virtualstain.plugin.inspect.dock import InspectorWidget
from napari_virtualstain.plugin.kit.preferences import (
    DEVICES,
    DEVICES_TO_TRAIN,
    Preferences,
    preferences,
)
from napari_virtualstain.plugin.layers.result_arrays import allocate
from napari_virtualstain.plugin.load.dock import LoadWidget
from napari_virtualstain.plugin.load.remembered import recall, remember
from napari_virtualstain.plugin.run_all.dock import RunAllWidget
from napari_virtualstain.plugin.run_all.many_dock import RunManyWidget
from napari_virtualstain.plugin.segment.dock import SegmentWidget
from napari_virtualstain.plugin.stain.dock import StainWidget
from napari_virtualstain.plugin.track.dock import TrackWidget
from napari_virtualstain.plugin.train.dock import TrainWidget

MANIFEST = Path(napari_virtualstain.__file__).parent / "napari.yaml"
DOCKS = [
    LoadWidget,
    StainWidget,
    SegmentWidget,
    TrackWidget,
    InspectorWidget,
    EvaluateWidget,
    RunAllWidget,
    RunManyWidget,
    FigureWidget,
    TrainWidget,
]


def test_without_the_manifest_the_defaults_hold() -> None:
    chosen = preferences()
    assert chosen.device == "auto"
    assert chosen.memory_limit_gib == 1.0
    assert chosen.cache_folder.is_absolute()


def test_openvino_is_offered_where_it_is_installed_and_never_to_train() -> None:
    offered = "openvino" in [name for _, name in DEVICES]
    assert offered == (find_spec("openvino") is not None)
    assert "openvino" not in [name for _, name in DEVICES_TO_TRAIN]
    assert Preferences(device="openvino").device_to_train == "cpu"
    assert Preferences(device="cuda").device_to_train == "cuda"


def test_what_the_user_sets_is_used(plugin_settings: Any, npe2pm: Any, tmp_path: Path) -> None:
    npe2pm.register(PluginManifest.from_file(MANIFEST))
    from napari.settings import get_plugin_settings

    computing = get_plugin_settings("napari-virtualstain").computing
    computing.device = "cpu"
    default = preferences().cache_folder
    computing.cache_folder = str(tmp_path)
    computing.threads, computing.memory_limit_gib = 3, 0.5
    assert preferences() == Preferences("cpu", 3, tmp_path, 0.5)
    computing.cache_folder = ""
    assert preferences().cache_folder == default
    with pytest.raises(ValueError, match="greater than or equal to 0"):
        computing.memory_limit_gib = -1


@pytest.mark.parametrize("dock", DOCKS)
def test_every_control_has_a_tooltip_and_can_be_reached_by_key(
    dock: Any, qtbot: Any, viewer_model: Any
) -> None:
    viewer_model.add_image(np.zeros((3, 32, 32)), name="bright-field")
    widget = dock(viewer_model)
    qtbot.addWidget(widget)
    from qtpy.QtCore import Qt

    for kind in (QAbstractButton, QAbstractSpinBox, QComboBox, QLineEdit):
        for control in widget.findChildren(kind):
            inner = isinstance(control.parent(), QAbstractSpinBox | QComboBox)
            internal = control.objectName().startswith("qt_") or not control.objectName()
            if inner or (
                isinstance(control, QLineEdit | QAbstractButton)
                and internal
                and not control.toolTip()
                and not getattr(control, "text", str)()
            ):
                continue
            assert control.toolTip(), (dock.__name__, control, control.objectName())
            assert control.focusPolicy() & Qt.FocusPolicy.TabFocus, control.objectName()


@pytest.mark.parametrize("dock", DOCKS)
def test_a_dock_is_narrow_and_its_buttons_stay_on_a_small_screen(
    dock: Any, qtbot: Any, viewer_model: Any
) -> None:
    """empanada-napari#23, micro-sam#542: the run button was off the screen."""
    widget: QWidget = dock(viewer_model)
    qtbot.addWidget(widget)
    assert widget.minimumSizeHint().width() <= 360, widget.minimumSizeHint()
    assert widget.minimumSizeHint().height() <= 400, widget.minimumSizeHint()
    widget.resize(340, 420)
    widget.show()
    qtbot.waitExposed(widget)
    for name in ("run_button", "cancel_button"):
        button = widget.findChild(QAbstractButton, name)
        assert widget.rect().contains(button.geometry()), name


def test_corrections_are_remembered_for_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_virtualstain.plugin.load import remembered as memory

    monkeypatch.setattr(memory, "_store", lambda: tmp_path / "config" / "folders.json")
    assert recall(tmp_path) == {}
    remember(tmp_path, {"axes": "tyx", "pixel_size_um": 0.1, "frame_interval_s": None})
    assert recall(tmp_path) == {"axes": "tyx", "pixel_size_um": 0.1}
    (tmp_path / "config" / "folders.json").write_text("broken")
    assert recall(tmp_path) == {}


def test_a_result_too_large_for_the_disk_is_refused_with_numbers(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"takes .* GiB, and the cache folder"):
        allocate((10**6, 10**5, 10), np.float32, folder=tmp_path, memory_limit_gib=1)


def test_the_cache_file_goes_with_its_array(tmp_path: Path) -> None:
    array = allocate((2, 8, 8), np.float32, folder=tmp_path, memory_limit_gib=0)
    array[1] = 1
    assert len(list(tmp_path.rglob("*.npy"))) == 1
    del array
    assert not list(tmp_path.rglob("*.npy"))


def test_the_threads_of_the_preferences_reach_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from napari_virtualstain.engine import use_threads

    before = torch.get_num_threads()
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr("os.cpu_count", lambda: 4)
    try:
        assert use_threads(0) == 3 == torch.get_num_threads()
        assert use_threads(2) == 2 == torch.get_num_threads()
        monkeypatch.setenv("OMP_NUM_THREADS", "2")
        assert use_threads(0) == 2
    finally:
        torch.set_num_threads(before)
