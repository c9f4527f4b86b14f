from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from qtpy.QtCore import QMimeData, QPoint, Qt, QUrl
from qtpy.QtGui import QDropEvent

from napari_virtualstain.io import write_image
from napari_virtualstain.plugin.layers.description import sampling_of
from napari_virtualstain.plugin.load import remembered as memory
from napari_virtualstain.plugin.load.dock import LoadWidget


@pytest.fixture
def widget(
    qtbot: Any, viewer_model: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> LoadWidget:
    monkeypatch.setattr(memory, "_store", lambda: tmp_path / "config" / "folders.json")
    made = LoadWidget(viewer_model)
    qtbot.addWidget(made)
    return made


@pytest.fixture
def pair(tmp_path: Path) -> Path:
    data = np.random.default_rng(0).integers(0, 99, (3, 2, 32, 40)).astype(np.uint16)
    path = tmp_path / "data" / "pair.ome.tif"
    path.parent.mkdir()
    return write_image(path, data, axes="tcyx", pixel_size_um=0.1, channel_names=["BF", "mCherry"])


def _load(widget: LoadWidget, wait_for: Any) -> None:
    widget.run_button.click()
    wait_for(widget)


def test_what_was_understood_is_shown_before_anything_is_loaded(
    widget: LoadWidget, pair: Path
) -> None:
    widget.path = pair
    shown = widget.summary.text()
    assert "3 x 2 x 32 x 40 (tcyx)" in shown
    assert "0.1 µm" in shown
    assert "not in the file" in shown
    assert "BF, mCherry" in shown
    assert len(widget.viewer.layers) == 0


def test_the_second_channel_is_the_pair_of_the_first(
    widget: LoadWidget, pair: Path, wait_for: Any
) -> None:
    widget.path = pair
    _load(widget, wait_for)
    assert [layer.name for layer in widget.viewer.layers] == ["pair BF", "pair mCherry"]
    assert all(hasattr(layer.data, "dask") for layer in widget.viewer.layers)


def test_one_channel_can_be_chosen(widget: LoadWidget, pair: Path, wait_for: Any) -> None:
    widget.path = pair
    widget.channel.setCurrentIndex(2)
    _load(widget, wait_for)
    assert len(widget.viewer.layers) == 1


def test_corrections_are_used_and_remembered_for_the_folder(
    widget: LoadWidget, pair: Path, wait_for: Any, qtbot: Any
) -> None:
    widget.path = pair
    widget.pixel_size.setValue(0.065)
    widget.interval.setValue(4.0)
    _load(widget, wait_for)
    layer = widget.viewer.layers[0]
    assert sampling_of(layer).pixel_size_um == pytest.approx(0.065)
    assert sampling_of(layer).frame_interval_s == pytest.approx(4.0)
    other = LoadWidget(widget.viewer)
    qtbot.addWidget(other)
    other.path = pair
    assert other.pixel_size.value() == pytest.approx(0.065)
    assert other.interval.value() == pytest.approx(4.0)


def test_a_dropped_file_is_taken(widget: LoadWidget, pair: Path) -> None:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(pair))])
    event = QDropEvent(
        QPoint(5, 5).toPointF(),
        Qt.DropAction.CopyAction,
        data,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )
    widget.dropEvent(event)
    assert widget.path == pair


def test_bad_input_is_explained_and_adds_nothing(
    widget: LoadWidget, tmp_path: Path, wait_for: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_virtualstain.plugin.kit.step.show_error", lambda text: None)
    widget.path = tmp_path / "nowhere.tif"
    assert "There is no file" in widget.run_button.toolTip()
    torn = tmp_path / "torn.tif"
    torn.write_bytes(b"II*\0 and nothing more")
    widget.path = torn
    assert "torn.tif" in widget.summary.text()
    _load(widget, wait_for)
    assert widget.state == "failed"
    assert "torn.tif" in widget.status_label.text()
    assert len(widget.viewer.layers) == 0


def test_wrong_axes_are_explained(widget: LoadWidget, pair: Path) -> None:
    widget.path = pair
    widget.axes_edit.setText("qq")
    widget.look()
    assert "qq" in widget.summary.text()


def test_axes_that_nobody_knows_are_asked_for_in_the_field(
    widget: LoadWidget, tmp_path: Path
) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((3, 2, 2, 32, 40), np.uint8))
    widget.path = tmp_path / "a.tif"
    assert "axes='tczyx' (the field Axes): t time" in widget.summary.text()
