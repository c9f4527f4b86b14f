from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from qtpy.QtCore import QMimeData, QPoint, Qt, QUrl
from qtpy.QtGui import QDragEnterEvent, QDropEvent
from qtpy.QtWidgets import QFileDialog

from napari_virtualstain.io import open_stack, write_image
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
    assert [widget.channel.itemText(place) for place in range(3)] == [
        "all, one layer each",
        "0: BF",
        "1: mCherry",
    ]
    whole = np.asarray(open_stack(pair).data)
    for channel in (1, 0):  # one after the other: the list stays as it is
        widget.channel.setCurrentIndex(channel + 1)
        _load(widget, wait_for)
        assert widget.channel.currentIndex() == channel + 1
        np.testing.assert_array_equal(widget.viewer.layers[-1].data, whole[:, channel])
        assert widget.status_label.text() == "Loaded pair: 3 x 32 x 40 (tyx)"
    assert len(widget.viewer.layers) == 2
    assert "Channels: BF, mCherry" in widget.summary.text()
    widget.path = write_image(pair.with_name("one.ome.tif"), whole[:, 0], axes="tyx")
    assert (widget.channel.value, widget.channel.count()) == (None, 1)
    assert not widget.channel.isEnabled()


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


def test_what_a_folder_remembers_can_be_left_out_and_comes_once(
    widget: LoadWidget, pair: Path, wait_for: Any
) -> None:
    widget.path = pair
    widget.remember_box.setChecked(False)
    widget.pixel_size.setValue(0.065)
    _load(widget, wait_for)
    assert memory.recall(pair.parent) == {}
    memory.remember(pair.parent, {"pixel_size_um": 0.2})
    widget.axes_edit.setText("tcyx")
    widget.look()  # the same file: what was typed in stays
    assert widget.pixel_size.value() == 0.065
    widget.path = pair.with_name("nowhere.tif")
    widget.path = pair
    assert widget.pixel_size.value() == 0.065
    other = write_image(pair.with_name("b.ome.tif"), np.zeros((2, 32, 40), "u2"), axes="tyx")
    widget.path = other
    assert (widget.pixel_size.value(), widget.axes_edit.text()) == (0.2, "")


@pytest.mark.parametrize("text", ["[1, 2]", '{"FOLDER": 3}', "{}"])
def test_what_is_no_memory_of_corrections_is_none(
    widget: LoadWidget, tmp_path: Path, text: str
) -> None:
    store = tmp_path / "config" / "folders.json"
    store.parent.mkdir(exist_ok=True)
    store.write_text(text.replace("FOLDER", str(tmp_path)))
    assert memory.recall(tmp_path) == {}
    memory.remember(tmp_path, {"axes": "tyx"})
    assert memory.recall(tmp_path) == {"axes": "tyx"}


def test_two_hundred_folders_are_remembered_the_newest_first(
    widget: LoadWidget, tmp_path: Path
) -> None:
    folders = [tmp_path / str(number) for number in range(200)]
    for folder in folders:
        memory.remember(folder, {"axes": "tyx"})
    memory.remember(folders[0], {"axes": "zyx"})  # used again: the newest now
    assert all(memory.recall(folder) for folder in folders)
    memory.remember(tmp_path, {"axes": "tyx"})
    assert [number for number in range(200) if not memory.recall(folders[number])] == [1]


def test_only_files_are_taken_of_what_is_dragged_over(
    widget: LoadWidget, pair: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    buttons, keys = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    for urls, is_taken in (
        ([], False),
        ([QUrl("https://example.org/a.tif")], False),
        ([QUrl("https://example.org/a.tif"), QUrl.fromLocalFile(str(pair))], True),
    ):
        data = QMimeData()
        data.setUrls(urls)
        hover = QDragEnterEvent(QPoint(5, 5), Qt.DropAction.CopyAction, data, buttons, keys)
        hover.ignore()
        widget.dragEnterEvent(hover)
        assert hover.isAccepted() == is_taken
        widget.dropEvent(
            QDropEvent(QPoint(5, 5).toPointF(), Qt.DropAction.CopyAction, data, buttons, keys)
        )
        assert widget.path == (pair if is_taken else None)
    for name in ("getOpenFileName", "getExistingDirectory"):
        for chosen in ("", str(pair.parent)):
            answer = (chosen, "") if name == "getOpenFileName" else chosen
            monkeypatch.setattr(QFileDialog, name, lambda *_, answer=answer: answer)
            widget.path_edit.setText("before")
            (widget._browse_file if "File" in name else widget._browse_folder)()
            assert widget.path_edit.text() == (chosen or "before")


def test_a_file_is_ready_or_said_to_be_missing(widget: LoadWidget, pair: Path) -> None:
    widget.path_edit.setText(str(pair.with_name("pear.ome.tif")))
    assert widget.status_label.text().startswith("There is no file or folder")
    widget.path_edit.setText(str(pair))
    assert widget.status_label.text() == "Ready to load."


def test_a_path_may_stand_in_quotes_or_begin_at_home(
    widget: LoadWidget, pair: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(pair.parent))
    for text in (f' "{pair}" ', "~/pair.ome.tif"):
        widget.path_edit.setText(text)
        assert widget.path == pair
        assert widget.status_label.text() == "Ready to load."
        assert widget.run_button.isEnabled()
    widget.path_edit.setText('" "')
    assert widget.path is None or not widget.run_button.isEnabled()


def test_a_file_is_looked_at_once_for_each_reading_of_its_axes(
    widget: LoadWidget, pair: Path, monkeypatch: pytest.MonkeyPatch, wait_for: Any
) -> None:
    opened: list[str | None] = []

    def spied(path: Path, *, axes: str | None = None, **more: Any) -> Any:
        opened.append(axes)
        return open_stack(path, axes=axes, **more)

    monkeypatch.setattr(widget, "_open_function", lambda: spied)
    widget.look()  # no path yet
    widget.path = pair
    widget.look()
    assert opened == [None]
    assert "Pixel size 0.1 µm, frame interval not in the file" in widget.summary.text()
    widget.axes_edit.setText(" zcyx ")
    widget.look()
    assert opened == [None, "zcyx"]
    assert "2 x 3 x 32 x 40 (czyx), uint16" in widget.summary.text()
    widget.run_button.click()
    widget.axes_edit.setText("tcyx")
    widget.look()  # not while it is loaded
    assert opened[2:] in ([], ["zcyx"])
    wait_for(widget)
    assert widget.status_label.text() == "Loaded pair: 2 x 3 x 32 x 40 (czyx)"
    assert widget.result_layer() is widget.viewer.layers[0]
    widget.viewer.layers.clear()
    assert widget.result_layer() is None


def test_a_movie_without_sizes_is_understood_as_it_is(widget: LoadWidget, tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((5, 32, 40), np.uint8))
    widget.path = tmp_path / "a.tif"
    shown = widget.summary.text().splitlines()
    assert shown[0] == "Understood: 5 x 32 x 40 (tyx), uint8"
    assert shown[1] == "Pixel size not in the file, frame interval not in the file"
    assert any("taken as time" in line for line in shown[2:])  # what was assumed
    assert not any(line.startswith("Channels") for line in shown)
    nameless = write_image(
        tmp_path / "c.ome.tif", np.zeros((2, 2, 32, 40), "u2"), axes="tcyx", frame_interval_s=2.5
    )
    widget.path = nameless
    shown = widget.summary.text().splitlines()
    assert shown[1] == "Pixel size not in the file, frame interval 2.5 s"
    assert shown[-1] == "Channels: channel 0, channel 1"
