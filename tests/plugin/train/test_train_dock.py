from __future__ import annotations

from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest
import tifffile
from qtpy.QtWidgets import QLabel

from napari_virtualstain.data import StoredImage, stored_image
from napari_virtualstain.errors import InputError
from napari_virtualstain.io import open_stack
from napari_virtualstain.models import Inputs, read_card
from napari_virtualstain.plugin.kit.preferences import preferences
from napari_virtualstain.plugin.layers.from_stack import stack_to_layers
from napari_virtualstain.plugin.train.dock import TrainWidget
from napari_virtualstain.plugin.train.dock_settings import (
    DockSettings,
    recall_settings,
    remember_settings,
)
from napari_virtualstain.plugin.train.drawn_regions import DrawnRegion
from napari_virtualstain.plugin.train.job import TrainRequest, collect_pairs, why_not_split
from napari_virtualstain.plugin.train.sources import PairSource
from napari_virtualstain.staining import stain
from napari_virtualstain.training import FoldStarted, PlaneReading

from .conftest import SCALE, open_dock, smooth_pair

OME = """<?xml version="1.0" encoding="UTF-8"?>
<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">
 <Instrument ID="Instrument:0"><Objective ID="Objective:0" LensNA="1.2" Immersion="Water"/>
 </Instrument>
 <Image ID="Image:0"><ObjectiveSettings ID="Objective:0"/>
  <Pixels ID="Pixels:0" DimensionOrder="XYCZT" Type="uint16" SizeX="64" SizeY="64" SizeC="2"
    SizeZ="1" SizeT="4" PhysicalSizeX="0.08" PhysicalSizeY="0.08">
   <Channel ID="Channel:0:0" Name="BF" SamplesPerPixel="1"/>
   <Channel ID="Channel:0:1" Name="mCherry" SamplesPerPixel="1" EmissionWavelength="610"/>
   <TiffData/>
  </Pixels></Image>
</OME>"""


@pytest.fixture
def widget(qtbot: Any, viewer_model: Any) -> TrainWidget:
    bright, glow = smooth_pair()
    viewer_model.add_image(bright, name="cell bright-field", **SCALE)
    viewer_model.add_image(glow, name="cell fluorescence", **SCALE)
    made = open_dock(qtbot, viewer_model)
    made.steps.setValue(6)
    made.crop.setValue(32)
    made.batch.setValue(2)
    return made


@pytest.mark.slow
def test_training_draws_its_curve_and_lists_the_model(
    widget: TrainWidget, wait_for: Any, models: Path
) -> None:
    assert widget.bright_field.currentText() == "cell bright-field"
    assert widget.fluorescence.currentText() == "cell fluorescence"
    widget.viewer.dims.set_point(0, 2.0 * 3)
    widget.run_button.click()
    wait_for(widget, timeout_s=200)
    assert widget.state == "done", widget.status_label.text()
    assert widget.display.curve.losses
    assert widget.display.curve.scores["bandpass_pearson"]
    assert (models / "my-model.safetensors").exists()
    assert widget.start_from.combo.findText("my-model") >= 0
    assert widget.name.text() == "my-model-2"
    before, after = (
        widget.viewer.layers[f"{kind} · cell bright-field [{kind} training]"]
        for kind in ("before", "after")
    )
    source = widget.viewer.layers["cell bright-field"]
    expected = stain(source.data, str(models / "tiny.safetensors"), pixel_size_um=0.08)[3]
    np.testing.assert_allclose(before.data[0], expected, rtol=1e-4)
    np.testing.assert_allclose(after.translate, (6.0, 0.0, 0.0))
    assert after.data.shape == (1, 64, 96)


def _source(movie: np.ndarray, rectangles: Any = (), name: str = "cell") -> PairSource:
    regions = tuple(DrawnRegion(n, tuple(box)) for n, box in enumerate(rectangles, start=1))
    return PairSource(name, movie, movie + 1, "tyx", regions=regions)


def _request(
    movie: np.ndarray | None = None, rectangles: Any = (), **settings: Any
) -> TrainRequest:
    if movie is None:
        movie = np.arange(8 * 20 * 30, dtype=float).reshape(8, 20, 30)
    return TrainRequest(
        sources=(_source(movie, rectangles),),
        settings=DockSettings(pixel_size_um=0.08, **settings),
        output=Path("model.safetensors"),
        preferences=preferences(),
    )


def test_the_last_frames_are_held_out_and_the_report_says_what_that_means() -> None:
    pairs = collect_pairs(_request(), PlaneReading(1))
    assert pairs.groups == ("first frames",) * 6 + ("last frames",) * 2
    assert set(pairs.movies) == {"cell"}


def test_each_region_is_a_group_of_its_own() -> None:
    pairs = collect_pairs(
        _request(by="region", rectangles=((0, 0, 10, 10), (5, 10, 20, 30))), PlaneReading(1)
    )
    assert pairs.group_names == ("region 1", "region 2")
    assert len(pairs) == 16
    assert pairs.fluorescence[1].shape == (15, 20)


def test_layers_without_room_in_memory_are_read_at_each_use(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    movie = np.random.default_rng(0).normal(size=(8, 20, 30))
    lazy = da.from_array(movie, chunks=(1, 20, 30))
    regions = {"by": "region", "rectangles": ((0, 0, 10, 10), (5, 10, 20, 30))}
    expected = collect_pairs(_request(movie, **regions), PlaneReading(3, "t"))
    held = collect_pairs(_request(lazy, **regions), PlaneReading(3, "t"))
    assert all(isinstance(image, np.ndarray) for image in held.fluorescence)
    monkeypatch.setattr(stored_image, "SHARE_OF_FREE", 0)
    stored = collect_pairs(_request(lazy, **regions), PlaneReading(3, "t"))
    assert all(isinstance(image, StoredImage) for image in stored.fluorescence)
    for images, same in (
        (stored.bright_field, expected.bright_field),
        (stored.fluorescence, expected.fluorescence),
    ):
        for image, wanted in zip(images, same, strict=True):
            np.testing.assert_array_equal(image, wanted)


def test_what_cannot_be_held_out_is_refused() -> None:
    with pytest.raises(InputError, match="at least two rectangles"):
        collect_pairs(_request(by="region", rectangles=((0, 0, 10, 10),)), PlaneReading(1))
    with pytest.raises(InputError, match="at least 4"):
        collect_pairs(_request(np.zeros((2, 20, 30))), PlaneReading(1))


def test_frames_held_out_in_turn_are_dealt_into_parts_that_follow_each_other() -> None:
    pairs = collect_pairs(_request(folds=3), PlaneReading(1))
    parts = ["frames 0 to 2"] * 3 + ["frames 3 to 5"] * 3 + ["frames 6 to 7"] * 2
    assert list(pairs.groups) == parts
    many = collect_pairs(_request(folds=50), PlaneReading(1))
    assert len(many.group_names) == 8


@pytest.mark.parametrize(
    ("folds", "rectangles", "refused"),
    [
        (None, [(0, 0, 20, 15), (0, 5, 20, 20), (0, 20, 20, 30)], False),
        (2, [(0, 0, 20, 15), (0, 5, 20, 20), (0, 20, 20, 30)], True),
        (None, [(0, 20, 20, 30), (0, 0, 20, 15), (0, 5, 20, 20)], True),
        (2, [(0, 0, 20, 10), (0, 9, 20, 20)], False),
    ],
)
def test_regions_that_would_judge_each_other_must_not_overlap(
    folds: int | None, rectangles: Any, refused: bool
) -> None:
    """Rectangles drawn side by side share a row of pixels, which is no leak."""
    unread = np.broadcast_to(np.float32(0), (8, 20, 30))
    settings = DockSettings(by="region", folds=folds, pixel_size_um=0.08)
    sources = (_source(unread, rectangles),)
    assert (why_not_split(sources, settings) is not None) == refused
    if refused:
        with pytest.raises(InputError, match="tick Allow shared pixels"):
            collect_pairs(_request(unread, rectangles, by="region", folds=folds), PlaneReading(1))
        allowed = settings.model_copy(update={"allow_leakage": True})
        assert why_not_split(sources, allowed) is None


def _draw_two_cells(widget: TrainWidget) -> Any:
    regions = [[[0, 0], [0, 40], [64, 40], [64, 0]], [[0, 48], [0, 96], [64, 96], [64, 48]]]
    scale = {"scale": (0.08, 0.08), "units": ("um", "um"), "axis_labels": ("y", "x")}
    drawn = widget.viewer.add_shapes(regions, shape_type="rectangle", name="cells", **scale)
    widget.shapes.value = drawn
    return drawn


@pytest.mark.slow
def test_regions_judge_in_turn_and_a_stopped_cross_validation_goes_on(
    widget: TrainWidget, qtbot: Any, wait_for: Any, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _draw_two_cells(widget)
    widget.hold_out.kind.value = "region in turn"
    widget.name.setText("folded")
    widget.steps.setValue(4)
    widget.compare_box.setChecked(False)
    assert "3 trainings of 4 steps" in widget.findChild(QLabel, "folds_meaning").text()
    follow, titles = widget.display.follow, []

    def stop_in_the_second_fold(event: Any) -> None:
        follow(event)
        titles.append(widget.display.curve.title)
        if isinstance(event, FoldStarted) and event.number == 2 and not widget.resume.isChecked():
            widget.cancel()

    monkeypatch.setattr(widget.display, "follow", stop_in_the_second_fold)
    widget.resume.setChecked(False)
    widget.run_button.click()
    wait_for(widget, "idle", timeout_s=200)
    assert "Train goes on from here" in widget.status_label.text()
    assert "fold 1 of 2, without region 1: Pearson" in widget.display.fold_scores.text()
    assert titles[-1] == "fold 2 of 2, without region 2"

    other = TrainWidget(widget.viewer)  # of the next day
    qtbot.addWidget(other)
    asked = widget.settings
    other.shapes.value = widget.shapes.value
    other.name.setText("folded")
    other.name.editingFinished.emit()
    assert other.settings == asked
    assert "was stopped" in other.status_label.text()
    assert not other.resume.isHidden()
    shown: list[str] = []
    original = other.display.follow
    monkeypatch.setattr(
        other.display,
        "follow",
        lambda event: (shown.append(type(event).__name__), original(event)),
    )
    other.run_button.click()
    wait_for(other, timeout_s=200)
    assert other.state == "done", other.status_label.text()
    # the first fold is not trained again, the second and the last are
    assert shown[:2] == ["FoldStarted", "FoldFinished"]
    assert shown.count("TrainingPrepared") == 2
    card = read_card(models / "folded.safetensors")
    assert card.split["folds"] == [["region 1"], ["region 2"]]
    assert card.split["train_pairs"] == 16
    assert card.scores["images"] == 16
    assert "held out: Pearson" in other.status_label.text()
    assert other.resume.isHidden()


def test_images_that_judge_and_train_are_told_in_words_of_the_dock(
    widget: TrainWidget, wait_for: Any
) -> None:
    glow = widget.viewer.layers["cell fluorescence"].data
    glow[7] = glow[1]
    widget.run_button.click()
    wait_for(widget, timeout_s=100)
    assert widget.state == "failed"
    told = widget.status_label.text()
    assert "share pixels" in told
    assert "tick Allow shared pixels" in told
    assert "--" not in told
    for control in (widget.hold_out.shared, widget.correct_registration):
        assert control.text().replace("&", "") in "".join(widget.controls.values())
    # nothing was begun that could go on
    assert widget.resume.isHidden()


def test_overlapping_regions_are_refused_before_anything_is_read(widget: TrainWidget) -> None:
    drawn = _draw_two_cells(widget)
    widget.hold_out.kind.value = "region"
    assert widget.run_button.isEnabled()
    drawn.add_rectangles([[0, 30], [64, 90]])
    assert "Regions 1 and 3 overlap" in widget.run_button.toolTip()
    widget.hold_out.shared.setChecked(True)
    assert widget.run_button.isEnabled()


def test_settings_come_back_as_they_were_kept(widget: TrainWidget) -> None:
    widget.fine_tune.setChecked(False)
    kept = DockSettings(
        by="time",
        folds=3,
        allow_leakage=True,
        correct_registration=True,
        pixel_size_um=0.11,
        preset="A",
        planes=5,
        plane_axis="t",
        steps=77,
        crop_size=48,
        batch_size=3,
        compare=False,
    )
    remember_settings(widget.output(), kept)
    recalled = recall_settings(widget.output())
    assert recalled == kept
    widget.load_settings(recalled)
    assert widget.settings == kept
    changed = kept.config_fields()
    assert (changed["correct_registration"], changed["allow_leakage"]) == (True, True)
    (widget.output().parent / "my-model.training" / "dock.json").write_text("{not json")
    assert recall_settings(widget.output()) is None


@pytest.mark.slow
def test_a_z_stack_trains_with_the_planes_above_and_below_like_the_command(
    widget: TrainWidget, wait_for: Any, models: Path
) -> None:
    rng = np.random.default_rng(1)
    stack = {"scale": (0.3, 0.08, 0.08), "units": ("um",) * 3, "axis_labels": ("z", "y", "x")}
    for name in ("stack bright-field", "stack fluorescence"):
        widget.viewer.add_image(rng.random((4, 64, 96), np.float32) * 1000, name=name, **stack)
    cells = _draw_two_cells(widget)
    assert widget.planes.currentText() == "one, as the model"
    widget.fine_tune.setChecked(False)
    widget.bright_field.value = widget.viewer.layers["stack bright-field"]
    widget.fluorescence.value = widget.viewer.layers["stack fluorescence"]
    assert (widget.planes.asked, widget.planes.axis) == (3, "z")
    widget.hold_out.kind.value = "time"
    assert "Hold out a region" in widget.run_button.toolTip()
    widget.hold_out.kind.value = "region"
    widget.shapes.value = cells
    widget.run_button.click()
    wait_for(widget, timeout_s=200)
    assert widget.state == "done", widget.status_label.text()
    card = read_card(models / "my-model.safetensors")
    assert card.inputs == Inputs(planes=3, axis="z")
    assert "after · stack bright-field [after training]" in widget.viewer.layers
    widget.fine_tune.setChecked(True)
    widget.start_from.value = "my-model"
    assert widget.planes.currentText() == "3, above and below, as the model"
    assert widget.planes.asked is None


def test_the_second_rectangle_that_is_drawn_makes_training_possible(widget: TrainWidget) -> None:
    widget.hold_out.kind.value = "region"
    place = {"scale": (0.08, 0.08), "units": ("um", "um"), "axis_labels": ("y", "x")}
    drawn = widget.viewer.add_shapes(None, ndim=2, name="cells", **place)
    widget.shapes.value = drawn
    drawn.add_rectangles([[0, 0], [30, 30]])
    assert "1 region was drawn" in widget.run_button.toolTip()
    drawn.add_rectangles([[30, 40], [60, 80]])
    assert widget.run_button.isEnabled()
    drawn.selected_data = {1}
    drawn.remove_selected()
    assert not widget.run_button.isEnabled()


def test_what_was_chosen_stays_while_the_layers_do(widget: TrainWidget) -> None:
    assert widget.pixel_size.value() == 0.08
    widget.fine_tune.setChecked(False)
    assert (widget.planes.asked, widget.planes.axis) == (1, "z")
    widget.planes.value = (3, "t")
    widget.pixel_size.setValue(0.1)
    widget.name.setText("another")
    widget.hold_out.kind.value = "region"
    assert (widget.planes.asked, widget.planes.axis) == (3, "t")
    assert widget.pixel_size.value() == 0.1


def test_reasons_are_given_while_training_is_impossible(widget: TrainWidget) -> None:
    widget.hold_out.kind.value = "region"
    assert "rectangles" in widget.run_button.toolTip()
    widget.hold_out.kind.value = "time"
    widget.name.setText("tiny")
    assert "already" in widget.run_button.toolTip()
    widget.name.setText("")
    assert "name" in widget.run_button.toolTip()


def test_optics_come_from_the_file_and_what_is_typed_in_stays(
    qtbot: Any, viewer_model: Any, tmp_path: Path
) -> None:
    path = tmp_path / "cell.ome.tif"
    tifffile.imwrite(
        path,
        np.random.default_rng(0).integers(0, 900, (4, 2, 64, 64)).astype(np.uint16),
        description=OME.encode(),
        metadata=None,
    )
    for data, settings, _ in stack_to_layers(open_stack(path)):
        viewer_model.add_image(data, **settings)
    made = TrainWidget(viewer_model)
    qtbot.addWidget(made)
    assert made.fluorescence.value.name == "cell mCherry"
    optics = made.optics
    assert (optics.na.value(), optics.immersion.value()) == (1.2, 1.333)
    assert optics.wavelength.value() == 610
    assert optics.origin.text().startswith("From the file: NA, immersion, emission")
    optics.na.setValue(1.1)
    made.start_from.value = "mito-h9c2"
    assert optics.na.value() == 1.1
    assert made.settings.numerical_aperture == 1.1
    made.fluorescence.value = made.bright_field.value  # a file without an emission for this channel
    assert optics.na.value() == 1.2
    assert "emission" in optics.origin.text().partition("from mito-h9c2")[2]
