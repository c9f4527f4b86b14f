from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari.layers import Image
from qtpy.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from qtpy.QtGui import QDragEnterEvent, QDropEvent
from qtpy.QtWidgets import QApplication

from napari_virtualstain.plugin.kit.layer_region import LayerRegion
from napari_virtualstain.plugin.kit.preferences import Preferences
from napari_virtualstain.plugin.layers.description import uncertainty_of
from napari_virtualstain.plugin.stain import preview
from napari_virtualstain.plugin.stain.dock import StainWidget
from napari_virtualstain.plugin.stain.job import PlaneStainer, StainRequest
from napari_virtualstain.staining import Stainer, stain, steady_in_place

from ..models import save_generator
from .conftest import SCALE, run_dock

pytestmark = pytest.mark.usefixtures("models")


def test_the_whole_movie_equals_the_engine_and_lies_on_its_source(
    widget: StainWidget, wait_for: Any, movie: np.ndarray, models: Path
) -> None:
    layer = run_dock(widget, wait_for)
    expected = stain(movie, models, pixel_size_um=0.08, device="cpu")
    np.testing.assert_allclose(layer.data, expected, atol=1e-4 * np.ptp(expected))
    source = widget.viewer.layers["cell"]
    np.testing.assert_allclose(layer.scale, source.scale)
    np.testing.assert_allclose(layer.translate, source.translate)
    assert [str(u) for u in layer.units] == [str(u) for u in source.units]
    assert tuple(layer.axis_labels) == ("t", "y", "x")
    made = layer.metadata["virtualstain"]
    assert made["model"] == "tiny"
    assert len(made["sha256"]) == 64
    assert made["source"] == "cell"
    assert layer.contrast_limits[1] > layer.contrast_limits[0]


@pytest.mark.parametrize("kind", ["frame", "range", "shapes"])
def test_a_region_has_the_values_and_the_place_of_the_whole(
    widget: StainWidget, wait_for: Any, movie: np.ndarray, models: Path, kind: str
) -> None:
    whole = stain(movie, models, pixel_size_um=0.08, device="cpu")
    source = widget.viewer.layers["cell"]
    parts = {
        "frame": (slice(5, 6), slice(0, 96), slice(0, 112)),
        "range": (slice(2, 5), slice(0, 96), slice(0, 112)),
        "shapes": (slice(0, 7), slice(30, 61), slice(40, 91)),
    }
    widget.viewer.dims.set_point(0, 2.0 * 5)
    if kind == "shapes":
        box = np.array([[30, 40], [30, 90], [60, 90], [60, 40]]) * 0.08 + (3, 4)
        widget.viewer.add_shapes([box], name="roi")
    widget.region.kind.value = kind
    if kind == "range":
        widget.region.first.setValue(2)
        widget.region.last.setValue(4)
    layer = run_dock(widget, wait_for)
    part = parts[kind]
    np.testing.assert_allclose(layer.data, whole[part], atol=1e-4 * np.ptp(whole))
    np.testing.assert_allclose(
        layer.data_to_world((0, 0, 0)), source.data_to_world([s.start for s in part])
    )


@pytest.mark.parametrize("pixel_size_um", [0.08, 0.0655])
def test_a_region_is_that_of_the_whole_in_the_arithmetic_of_this_machine(
    pixel_size_um: float,
) -> None:
    frame = np.random.default_rng(0).normal(100, 10, (160, 352)).astype(np.float32)

    def stained(*slices: slice) -> np.ndarray:
        request = StainRequest(
            data=frame,
            axes="yx",
            region=LayerRegion(slices),
            centre=(),
            model="mito-simulated",
            pixel_size_um=pixel_size_um,
            device="cpu",
            preferences=Preferences(threads=1),
        )
        return PlaneStainer(request).stain([()])[0][0]

    whole = stained(slice(0, 160), slice(0, 352))
    part = stained(slice(60, 92), slice(170, 210))
    np.testing.assert_allclose(part, whole[60:92, 170:210], atol=1e-4 * np.ptp(whole))


def test_the_visible_frame_comes_first_then_its_neighbours(
    widget: StainWidget, wait_for: Any
) -> None:
    order: list[int] = []
    widget.runner.produced.connect(
        lambda items: order.extend(
            index[0] for item in items for index in getattr(item, "indices", ())
        )
    )
    widget.viewer.dims.set_point(0, 2.0 * 3)
    run_dock(widget, wait_for)
    assert order == [3, 4, 2, 5, 1, 6, 0]


def _hold_after_the_first(monkeypatch: pytest.MonkeyPatch, gate: threading.Event) -> None:
    """Let the network wait for the gate before each frame but the first."""
    original, calls = Stainer.stain_batch, []

    def slow(self: Any, *args: Any, **options: Any) -> Any:
        if calls:
            gate.wait(5)
        calls.append(1)
        return original(self, *args, **options)

    monkeypatch.setattr(Stainer, "stain_batch", slow)


def test_cancelling_keeps_what_is_finished(
    widget: StainWidget, qtbot: Any, wait_for: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = threading.Event()
    _hold_after_the_first(monkeypatch, gate)
    widget.viewer.dims.set_point(0, 2.0 * 3)
    widget.run_button.click()
    qtbot.waitUntil(lambda: "stained · cell [fluorescence]" in widget.viewer.layers, timeout=20000)
    layer = widget.viewer.layers["stained · cell [fluorescence]"]
    qtbot.waitUntil(lambda: layer.data[3].any(), timeout=20000)
    widget.cancel_button.click()
    gate.set()
    wait_for(widget, "idle")
    assert layer.data[3].any()
    assert not layer.data[0].any()


def test_deleting_the_result_mid_run_stops_the_job(
    widget: StainWidget, qtbot: Any, wait_for: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = threading.Event()
    _hold_after_the_first(monkeypatch, gate)
    widget.viewer.dims.set_point(0, 0)
    widget.run_button.click()
    qtbot.waitUntil(lambda: "stained · cell [fluorescence]" in widget.viewer.layers, timeout=20000)
    widget.viewer.layers.remove("stained · cell [fluorescence]")
    gate.set()
    wait_for(widget, "idle", "done")
    assert "stained · cell [fluorescence]" not in widget.viewer.layers


def test_a_pixel_size_that_was_typed_in_stays_with_another_model(
    widget: StainWidget, viewer_model: Any
) -> None:
    assert widget.pixel_size.value() == 0.08
    widget.pixel_size.setValue(0.1)
    widget.model.value = "mito-h9c2"
    assert widget.pixel_size.value() == 0.1
    scale = {**SCALE, "scale": (2.0, 0.065, 0.065)}
    other = viewer_model.add_image(np.zeros((3, 32, 32)), name="other bright-field", **scale)
    widget.source.value = other
    assert widget.pixel_size.value() == 0.065


def test_a_missing_pixel_size_is_asked_for_in_words(qtbot: Any, viewer_model: Any) -> None:
    viewer_model.add_image(np.zeros((3, 32, 32)), name="plain")
    widget = StainWidget(viewer_model)
    qtbot.addWidget(widget)
    assert "does not state its pixel size" in widget.pixel_note.text()
    assert widget.pixel_size.isEnabled()


@pytest.mark.parametrize(
    ("shape", "keywords", "advice"),
    [
        ((4, 32, 32, 3), {"rgb": True}, "Split RGB"),
        ((4, 2, 32, 32), {"axis_labels": ("t", "c", "y", "x")}, "Split channels"),
        ((4, 64, 64), {"multiscale": True}, "finest level"),
    ],
)
def test_a_layer_that_cannot_be_stained_is_named_with_the_way_out(
    qtbot: Any, viewer_model: Any, shape: tuple[int, ...], keywords: dict[str, Any], advice: str
) -> None:
    data = np.zeros(shape, np.uint8)
    levels = [data, data[:, ::2, ::2]] if "multiscale" in keywords else data
    viewer_model.add_image(levels, name="odd", **keywords)
    widget = StainWidget(viewer_model)
    qtbot.addWidget(widget)
    assert not widget.run_button.isEnabled()
    assert "'odd'" in widget.status_label.text()
    assert advice in widget.status_label.text()


def test_a_model_file_dropped_on_the_row_is_chosen(widget: StainWidget, tmp_path: Path) -> None:
    path = save_generator(tmp_path / "dropped.safetensors")
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path))])
    buttons, keys = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    copy = Qt.DropAction.CopyAction
    for event in (
        QDragEnterEvent(QPoint(3, 3), copy, mime, buttons, keys),
        QDropEvent(QPointF(3, 3), copy, mime, buttons, keys),
    ):
        QApplication.sendEvent(widget.model.combo, event)
        assert event.isAccepted()
    assert widget.model.combo.currentText() == "dropped"


def test_a_foreign_model_file_is_explained_and_not_chosen(
    widget: StainWidget, tmp_path: Path
) -> None:
    before = widget.model.value
    bad = tmp_path / "bad.safetensors"
    bad.write_bytes(b"not a model")
    widget.model.open_file(bad)
    assert widget.model.value == before
    assert "bad" in widget.model.card_note.text()


def test_a_new_model_is_listed_without_a_restart(
    widget: StainWidget, models: Path, qtbot: Any
) -> None:
    """cellpose#731, #729: users could not find the model that they had just trained."""
    save_generator(models.parent / "fresh.safetensors")
    qtbot.waitUntil(lambda: widget.model.combo.findText("fresh") >= 0, timeout=5000)
    assert widget.model.combo.currentText() == "tiny"


def test_a_new_stain_takes_the_place_of_the_former_one(
    widget: StainWidget, wait_for: Any, movie: np.ndarray, models: Path
) -> None:
    first = run_dock(widget, wait_for)
    before = np.array(first.data)
    widget.viewer.layers["cell"].data = movie[:, ::-1]
    assert run_dock(widget, wait_for) is first
    assert len(widget.viewer.layers) == 2
    expected = stain(movie[:, ::-1], models, pixel_size_um=0.08, device="cpu")
    np.testing.assert_allclose(first.data, expected, atol=1e-4 * np.ptp(expected))
    assert not np.allclose(first.data, before)


def test_the_former_stain_is_kept_when_asked_and_never_shown_with_the_new_one(
    widget: StainWidget, wait_for: Any, qtbot: Any
) -> None:
    """Additive layers add up: mitochondria would look twice as bright."""
    widget.keep_former.setChecked(True)
    first = run_dock(widget, wait_for)
    qtbot.waitUntil(lambda: bool(first.visible), timeout=2000)
    widget.run_button.click()
    wait_for(widget)
    second = widget.viewer.layers["stained · cell [fluorescence] [1]"]
    qtbot.waitUntil(lambda: bool(second.visible), timeout=2000)
    assert not first.visible
    widget.preview_box.setChecked(True)
    layers = widget.viewer.layers
    name = "preview · cell [preview]"
    qtbot.waitUntil(lambda: name in layers and layers[name].visible, timeout=20000)
    assert not second.visible
    widget.preview_box.setChecked(False)
    assert second.visible
    assert not first.visible
    assert not layers[name].visible


def test_staining_ends_the_preview(widget: StainWidget, wait_for: Any, qtbot: Any) -> None:
    widget.preview_box.setChecked(True)
    layers, name = widget.viewer.layers, "preview · cell [preview]"
    qtbot.waitUntil(lambda: name in layers and layers[name].visible, timeout=20000)
    layer = run_dock(widget, wait_for)
    qtbot.waitUntil(lambda: bool(layer.visible), timeout=2000)
    assert not widget.preview_box.isChecked()
    assert not layers[name].visible
    widget.viewer.dims.set_point(0, 4.0)
    qtbot.wait(200)
    assert [one.name for one in layers if one.visible] == ["cell", layer.name]


def _slow_down(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the network take a third of a second a frame."""
    original = Stainer.stain_batch

    def slowly(self: Any, *args: Any, **options: Any) -> Any:
        time.sleep(0.3)
        return original(self, *args, **options)

    monkeypatch.setattr(Stainer, "stain_batch", slowly)


def test_what_was_stained_by_a_cancel_is_marked_and_the_former_stain_is_back(
    widget: StainWidget, wait_for: Any, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = run_dock(widget, wait_for)
    whole = np.array(first.data)
    _slow_down(monkeypatch)
    widget.run_button.click()
    qtbot.waitUntil(lambda: first.data.shape == whole.shape and not first.data[-1].any())
    widget.cancel_button.click()
    wait_for(widget, "idle")
    np.testing.assert_array_equal(first.data, whole)
    assert first.name == "stained · cell [fluorescence]"
    [part] = [layer for layer in widget.viewer.layers if " of 7 frames)" in layer.name]
    done = sum(bool(plane.any()) for plane in part.data)
    assert 0 < done < 7
    assert part.metadata["virtualstain"]["unfinished"] == f"{done} of 7 frames"
    assert first.visible
    assert not part.visible


def test_the_tick_of_the_illumination_field_gives_the_pixels_of_the_command_line(
    widget: StainWidget, wait_for: Any, movie: np.ndarray, models: Path
) -> None:
    uneven = movie * np.linspace(0.5, 1.5, movie.shape[-1])
    widget.viewer.layers["cell"].data = uneven
    options = {"pixel_size_um": 0.08, "device": "cpu"}
    plain = stain(uneven, models, **options)
    flat = stain(uneven, models, flat_field=True, **options)
    tick = widget.settings["flat_field"].native
    assert not tick.isChecked()
    tick.click()
    atol = 1e-4 * np.ptp(flat)
    layer = run_dock(widget, wait_for)
    np.testing.assert_allclose(layer.data, flat, atol=atol)
    assert np.abs(flat - plain).max() > 100 * atol
    assert layer.metadata["virtualstain"]["settings"]["flat_field"] is True
    tick.click()
    np.testing.assert_allclose(run_dock(widget, wait_for).data, plain, atol=atol)


def test_a_stain_whose_dock_is_removed_says_that_it_is_not_finished(
    viewer_model: Any, movie: np.ndarray, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    _slow_down(monkeypatch)
    viewer_model.add_image(movie, name="cell", **SCALE)
    dock = StainWidget(viewer_model)  # deletes itself when it is removed
    dock.model.value, dock.device.value = "tiny", "cpu"
    dock.run_button.click()
    qtbot.waitUntil(lambda: len(viewer_model.layers) == 2, timeout=20000)
    layer = viewer_model.layers[1]
    dock.runner._timer.stop()  # the window is busy: nobody takes the frames that come
    qtbot.waitUntil(lambda: sum(bool(plane.any()) for plane in layer.data) >= 3)
    dock.tear_down()
    qtbot.wait(700)  # nothing is written any more
    done = sum(bool(plane.any()) for plane in layer.data)
    assert f"({done} of 7 frames)" in layer.name


def test_uncertainty_becomes_a_layer_of_its_own(widget: StainWidget, wait_for: Any) -> None:
    widget.settings["uncertainty"].value = True
    layer = run_dock(widget, wait_for)
    error = widget.viewer.layers["expected error · cell [uncertainty]"]
    assert error.data.shape == layer.data.shape
    assert (error.data >= 0).all()
    assert error.data.any()
    assert not error.visible
    assert widget.viewer.layers.selection.active is layer  # what is seen is what is worked on
    assert uncertainty_of(widget.viewer, layer) is error
    error.translate += 1
    assert uncertainty_of(widget.viewer, layer) is None  # it lies elsewhere
    error.translate -= 1
    widget.settings["average"].value = False
    widget.settings["uncertainty"].value = False
    again = run_dock(widget, wait_for)
    assert again is layer
    assert uncertainty_of(widget.viewer, again) is None  # the error is that of another run


def test_flicker_is_reduced_when_asked_and_needs_a_movie(
    widget: StainWidget, wait_for: Any, movie: np.ndarray, models: Path
) -> None:
    widget.settings["temporal"].value = 2
    layer = run_dock(widget, wait_for)
    stained = stain(movie, models, pixel_size_um=0.08, device="cpu")
    filtered = np.array(stained)
    list(steady_in_place(filtered, "tyx", 2))
    assert np.abs(filtered - stained).max() > 0
    np.testing.assert_allclose(layer.data, filtered, atol=1e-4 * np.ptp(stained))
    assert layer.metadata["virtualstain"]["settings"]["temporal"] == 2
    widget.region.kind.value = "frame"
    assert not widget.run_button.isEnabled()
    assert "three frames" in widget.status_label.text()


def test_a_large_result_goes_to_the_cache_folder(
    widget: StainWidget, wait_for: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_virtualstain.plugin.kit import work_request as module
    from napari_virtualstain.plugin.kit.preferences import Preferences

    chosen = Preferences(cache_folder=tmp_path / "cache", memory_limit_gib=0.0)
    monkeypatch.setattr(module, "preferences", lambda: chosen)
    layer = run_dock(widget, wait_for)
    assert isinstance(layer.data, np.memmap)
    assert list((tmp_path / "cache").rglob("result.npy"))
    assert layer.data.any()


def test_rgb_and_channels_are_not_offered(qtbot: Any, viewer_model: Any) -> None:
    viewer_model.add_image(np.zeros((8, 8, 3), np.uint8), rgb=True)
    viewer_model.add_image(np.zeros((2, 8, 8)), axis_labels=("c", "y", "x"))
    widget = StainWidget(viewer_model)
    qtbot.addWidget(widget)
    assert widget.source.value is None
    assert "Split RGB" in widget.run_button.toolTip()


def test_the_preview_follows_the_slider_and_goes_away(
    widget: StainWidget,
    qtbot: Any,
    movie: np.ndarray,
    models: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loaded: list[StainRequest] = []
    monkeypatch.setattr(preview, "PlaneStainer", lambda r: loaded.append(r) or PlaneStainer(r))
    whole = stain(movie, models, pixel_size_um=0.08, device="cpu")
    layers, dims = widget.viewer.layers, widget.viewer.dims

    def shows(frame: int) -> bool:
        return "preview · cell [preview]" in layers and bool(
            np.allclose(
                layers["preview · cell [preview]"].data, whole[frame], atol=1e-4 * np.ptp(whole)
            )
        )

    dims.set_point(0, 2.0 * 2)
    widget.preview_box.setChecked(True)
    qtbot.waitUntil(lambda: shows(2), timeout=20000)
    for frame in (3, 4, 5, 6):
        dims.set_point(0, 2.0 * frame)
    qtbot.waitUntil(lambda: shows(6), timeout=20000)
    dims.set_point(0, 2.0 * 2)
    qtbot.waitUntil(lambda: shows(2), timeout=500)
    assert len(layers) == 2
    assert len(loaded) == 1  # one network for all frames
    widget.preview_box.setChecked(False)
    assert [layer.name for layer in layers if layer.visible] == ["cell"]
    widget.preview_box.setChecked(True)
    qtbot.waitUntil(lambda: layers[1].visible, timeout=20000)
    assert len(layers) == 2  # the same layer again


def test_the_preview_hides_the_frame_of_a_training_that_would_add_up(
    widget: StainWidget, qtbot: Any
) -> None:
    layers = widget.viewer.layers
    made = {"virtualstain": {"step": "train", "source": "cell"}}
    layers.append(Image(np.ones((1, 96, 112)), name="after · cell [after training]", metadata=made))
    widget.preview_box.setChecked(True)
    qtbot.waitUntil(lambda: len(layers) == 3 and layers[-1].visible, timeout=20000)
    assert [one.name for one in layers if one.visible] == ["cell", "preview · cell [preview]"]
    widget.preview_box.setChecked(False)
    assert layers["after · cell [after training]"].visible


def test_the_card_tells_scores_and_simulated_data_has_its_own_model(
    widget: StainWidget, models: Path, qtbot: Any, viewer_model: Any
) -> None:
    assert "held out: Pearson 0.50" in widget.model.card_note.text()
    viewer_model.add_image(
        np.zeros((2, 32, 32)), name="bright-field", metadata={"virtualstain": {"step": "simulate"}}
    )
    other = StainWidget(viewer_model)
    qtbot.addWidget(other)
    assert other.source.currentText() == "bright-field"
    assert other.model.combo.currentText() == "mito-simulated"
    other.source.value = viewer_model.layers["cell"]
    assert other.model.combo.currentText() == "mito-h9c2"
    other.model.combo.setCurrentText("tiny")
    assert other.model.combo.currentText() == "tiny"
