"""The form of the stain dock: what it says of a layer before *Stain* is pressed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from openvino_device import needs_openvino

from napari_virtualstain import simulate
from napari_virtualstain.plugin.contributions.readers import read_time_lapse
from napari_virtualstain.plugin.segment.dock import SegmentWidget
from napari_virtualstain.plugin.stain.dock import StainWidget
from napari_virtualstain.plugin.stain.job import FitChecked
from napari_virtualstain.staining import stain

from .conftest import SCALE, run_dock

pytestmark = pytest.mark.usefixtures("models")


def test_the_light_says_before_staining_whether_the_model_fits(
    widget: StainWidget, wait_for: Any, qtbot: Any, models: Path
) -> None:
    assert "Checking whether" in widget.fit_note.text()
    # noise is no cell, and a card without statistics cannot vouch for anything
    fits_not = ("may not fit", "does not fit")
    qtbot.waitUntil(
        lambda: any(words in widget.fit_note.text() for words in fits_not), timeout=20000
    )
    assert len(widget.viewer.layers) == 1
    run_dock(widget, wait_for)
    assert any(words in widget.fit_note.text() for words in fits_not)
    assert "may not fit this movie: see above" in widget.status_label.text()


def test_the_light_does_not_go_on_checking_after_a_run_that_failed(
    qtbot: Any, viewer_model: Any, wait_for: Any, models: Path
) -> None:
    viewer_model.add_image(np.full((3, 40, 40), np.nan, np.float32), name="empty", **SCALE)
    dock = StainWidget(viewer_model)
    qtbot.addWidget(dock)
    dock.show()
    dock.run_button.click()
    wait_for(dock, "failed")
    assert "no finite value" in dock.status_label.text()
    qtbot.waitUntil(
        lambda: not (dock.fit_note.isVisible() and "Checking" in dock.fit_note.text()),
        timeout=20000,
    )


def test_the_light_follows_the_layer(
    qtbot: Any, viewer_model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("VIRTUALSTAIN_MODELS")
    scene = simulate(frames=1, size=128, count=6, seed=0)
    simulated = viewer_model.add_image(scene.bright_field, name="bright-field", **SCALE)
    simulated.metadata["virtualstain"] = {"step": "simulate"}
    inverted = viewer_model.add_image(60000 - scene.bright_field, name="inverted", **SCALE)
    dock = StainWidget(viewer_model)
    qtbot.addWidget(dock)
    dock.source.value = simulated
    qtbot.waitUntil(lambda: "fits this movie" in dock.fit_note.text(), timeout=30000)
    dock.source.value = inverted
    assert "fits this movie" not in dock.fit_note.text()
    qtbot.waitUntil(lambda: "not fit this movie" in dock.fit_note.text(), timeout=30000)
    assert "spreads" not in dock.fit_note.text()


def test_pixel_size_and_meaning_of_planes_are_asked_once_a_layer(
    qtbot: Any, viewer_model: Any, wait_for: Any
) -> None:
    layer = viewer_model.add_image(np.random.default_rng(0).normal(9, 1, (3, 40, 40)), name="a")
    dock = StainWidget(viewer_model)
    qtbot.addWidget(dock)
    dock.model.value, dock.device.value = "tiny", "cpu"
    assert not dock.pixel_size.isHidden()
    assert not dock.sampling.axes.isHidden()
    assert "3 frames of 40 x 40 pixels" in dock.sampling.facts.text()
    dock.pixel_size.setValue(0.2)
    assert "0.2 µm per pixel" in dock.sampling.facts.text()
    dock.run_button.click()
    wait_for(dock)
    for other in (StainWidget(viewer_model), SegmentWidget(viewer_model)):
        qtbot.addWidget(other)
        assert other.pixel_size.value() == 0.2
        assert other.pixel_size.isHidden()  # no need to ask again
    dock.sampling.axes.setCurrentIndex(2)
    dock.sampling.axes.activated.emit(2)
    assert layer.axis_labels == ("c", "y", "x")
    assert dock.source.value is not layer  # channels are not taken for time
    texts = [dock.source.itemText(place) for place in range(dock.source.count())]
    assert any("a: has channels; choose" in text for text in texts)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"scale": (2.0, 0.12, 0.08)}, "Pixels are 0.12 high and 0.08 wide"),
        ({"units": ("pixel",) * 3}, "does not state its pixel size"),
        ({}, ""),
    ],
)
def test_unequal_and_unknown_pixels_are_said(
    qtbot: Any, viewer_model: Any, changes: dict[str, Any], told: str
) -> None:
    viewer_model.add_image(np.zeros((3, 40, 40)), name="a", **{**SCALE, **changes})
    dock = StainWidget(viewer_model)
    qtbot.addWidget(dock)
    assert told in dock.sampling.remark.text()
    assert dock.sampling.remark.isHidden() == (not told)


def test_what_was_assumed_about_a_dropped_file_is_said_in_the_docks(
    qtbot: Any, viewer_model: Any, tmp_path: Path
) -> None:
    frames = np.random.default_rng(0).integers(0, 99, (3, 40, 40), dtype=np.uint16)
    sizes = {"PhysicalSizeX": 0.08, "PhysicalSizeY": 0.12, "TimeIncrement": 2.0}
    tifffile.imwrite(tmp_path / "a.ome.tif", frames, metadata={"axes": "TYX", **sizes})
    [(data, settings, _)] = read_time_lapse(str(tmp_path / "a.ome.tif"))
    viewer_model.add_image(data, **settings)
    dock = StainWidget(viewer_model)
    qtbot.addWidget(dock)
    assert "Pixels are not square (0.12 × 0.08 µm)" in dock.sampling.remark.text()
    assert not dock.sampling.remark.isHidden()


def test_a_pyramid_is_listed_with_what_to_do(qtbot: Any, viewer_model: Any) -> None:
    viewer_model.add_image(np.zeros((3, 40, 40)), name="a", **SCALE)
    levels = [np.zeros((3, 40, 40)), np.zeros((3, 20, 20))]
    viewer_model.add_image(levels, multiscale=True, name="zarr", **SCALE)
    dock = StainWidget(viewer_model)
    qtbot.addWidget(dock)
    assert dock.source.currentText() == "a"
    assert "zarr: a pyramid" in dock.source.itemText(1)
    assert not dock.source.model().item(1).isEnabled()


def test_rare_settings_are_folded_away(qtbot: Any, widget: StainWidget) -> None:
    widget.show()
    settings = widget.settings
    rare_ones = (settings["average"].native, settings["temporal"].native)
    for rare in (widget.tile, widget.device, *rare_ones):
        assert not rare.isVisible()
    widget.advanced.heading.click()
    assert widget.tile.isVisible()
    assert settings["average"].native.isVisible()


@needs_openvino
def test_the_dock_offers_openvino_and_writes_it_down(
    widget: StainWidget, wait_for: Any, models: Path, movie: np.ndarray
) -> None:
    place = widget.device.findText("processor (OpenVINO)")
    widget.device.setCurrentIndex(place)
    layer = run_dock(widget, wait_for)
    assert layer.metadata["virtualstain"]["settings"]["device"] == "openvino"
    expected = stain(movie, models, pixel_size_um=0.08, device="openvino")
    np.testing.assert_array_equal(layer.data, expected)


def test_what_was_checked_is_not_checked_again_after_a_pause(
    widget: StainWidget, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    check = widget.fit_check
    assert check._asked is not None
    check.pause()
    qtbot.waitUntil(lambda: not check.runner.state.is_active, timeout=20000)
    throttled: list[bool] = []
    monkeypatch.setattr(check._settle, "throttle", lambda: throttled.append(True))
    check.resume()  # the run has not answered it
    assert throttled == [True]
    check.show(FitChecked("green", ()))
    check.resume()
    assert throttled == [True]
