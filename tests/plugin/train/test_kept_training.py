"""What is kept of a training for another day: which one is offered, what is written and read."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_virtualstain.errors import InputError, OutputError
from napari_virtualstain.plugin.train.dock import TrainWidget
from napari_virtualstain.plugin.train.dock_settings import (
    DockSettings,
    recall_settings,
    remember_settings,
)
from napari_virtualstain.plugin.train.kept_training import (
    KeptLayer,
    forget,
    keep,
    kept_pairs,
    restore,
    unfinished,
)
from napari_virtualstain.training import training_folder

from .conftest import add_pair, draw_regions, open_dock, smooth_pair

SETTINGS = DockSettings(pixel_size_um=0.08)


def _stopped(models: Path, name: str, began: float) -> Path:
    """Leave what a training that was stopped leaves; return its model file."""
    file = models / f"{name}.training" / "layers" / "layers.json"
    file.parent.mkdir(parents=True)
    file.write_text("[]")
    os.utime(file, (began, began))
    return models / f"{name}.safetensors"


def _keep(output: Path, data: Any, name: str = "bf") -> Path:
    """Keep one layer of a training; return its file."""
    look = {"geometry": {}, "colormap": "gray", "blending": "additive"}
    look |= {"contrast_limits": [0.0, 9.0], "metadata": {}}
    pairs = [[KeptLayer("bright_field", name, data, look)]]
    keep(output, pairs, SETTINGS, lambda: None)
    return training_folder(output) / "layers" / "0_bright_field.npy"


def test_the_training_that_was_begun_last_is_offered(
    qtbot: Any, viewer_model: Any, models: Path
) -> None:
    for name, began in (("my-model-2", 200.0), ("my-model", 100.0), ("done", 300.0)):
        _stopped(models, name, began)
    (models / "done.safetensors").write_bytes((models / "tiny.safetensors").read_bytes())
    assert [path.stem for path in unfinished(models)] == ["my-model", "my-model-2"]
    dock = TrainWidget(viewer_model)
    qtbot.addWidget(dock)
    assert not dock.offer.isHidden()
    assert dock.going_on.text() == "The training of my-model-2 was stopped."
    dock.resume_button.click()
    assert dock.offer.isHidden()
    assert dock.name.text() == "my-model-2"


def test_nothing_is_offered_where_nothing_was_stopped(qtbot: Any, viewer_model: Any) -> None:
    dock = TrainWidget(viewer_model)
    qtbot.addWidget(dock)
    assert dock.offer.isHidden()
    dock.go_on_with_unfinished()
    assert dock.name.text() == "my-model"


@pytest.mark.parametrize(
    ("change", "is_written"),
    [
        (lambda movie: movie, False),
        (lambda movie: movie + (movie == movie.max()), True),  # one pixel of the last frame
        (lambda movie: movie.astype("u4"), True),
        (lambda movie: movie[:2], True),
    ],
)
def test_images_are_written_again_only_where_they_differ(
    tmp_path: Path, change: Any, is_written: bool
) -> None:
    movie = np.arange(3 * 4 * 5, dtype="u2").reshape(3, 4, 5)
    file = _keep(tmp_path / "mine.safetensors", movie)
    os.utime(file, (100, 100))
    changed = change(movie)
    _keep(tmp_path / "mine.safetensors", changed)
    assert (file.stat().st_mtime != 100) == is_written
    kept = np.load(file)
    assert kept.dtype == changed.dtype
    np.testing.assert_array_equal(kept, changed)


def test_a_file_that_was_cut_short_is_written_again(tmp_path: Path) -> None:
    movie = np.arange(3 * 4 * 5, dtype="u2").reshape(3, 4, 5)
    file = _keep(tmp_path / "mine.safetensors", movie)
    file.write_bytes(file.read_bytes()[:-7])
    _keep(tmp_path / "mine.safetensors", movie)
    np.testing.assert_array_equal(np.load(file), movie)


def test_layers_that_are_open_still_are_used_again(
    qtbot: Any, viewer_model: Any, tmp_path: Path
) -> None:
    add_pair(viewer_model, smooth_pair())
    dock = open_dock(qtbot, viewer_model)
    drawn = draw_regions(dock)
    output = tmp_path / "mine.safetensors"
    keep(output, kept_pairs(dock.pairs.rows), SETTINGS, lambda: None)
    (found,) = restore(training_folder(output), viewer_model)
    assert len(viewer_model.layers) == 3
    assert found["bright_field"] is viewer_model.layers["bf"]
    assert found["shapes"] is drawn
    # another movie of the same name, and a region less, are not what trained
    viewer_model.layers["bf"].data = np.zeros((9, 64, 96))
    drawn.selected_data = {1}
    drawn.remove_selected()
    (found,) = restore(training_folder(output), viewer_model)
    assert len(viewer_model.layers) == 5
    assert found["bright_field"].data.shape == (8, 64, 96)
    assert len(found["shapes"].data) == 2


def test_pairs_without_regions_come_back_without_them(
    qtbot: Any, viewer_model: Any, tmp_path: Path
) -> None:
    add_pair(viewer_model, smooth_pair())
    viewer_model.layers["GFP"].metadata["own"] = object()  # of another plugin
    dock = open_dock(qtbot, viewer_model)
    output = tmp_path / "mine.safetensors"
    keep(output, kept_pairs(dock.pairs.rows), SETTINGS, lambda: None)
    later = ViewerModel()
    (found,) = restore(training_folder(output), later)
    assert sorted(found) == ["bright_field", "fluorescence"]
    for layer, name in zip(later.layers, ("bf", "GFP"), strict=True):
        source = viewer_model.layers[name]
        assert layer.name == name
        assert layer.colormap.name == source.colormap.name
        assert layer.blending == source.blending
        np.testing.assert_allclose(layer.contrast_limits, source.contrast_limits)
        np.testing.assert_allclose(layer.scale, source.scale)
        assert [str(unit) for unit in layer.units] == [str(unit) for unit in source.units]


def test_a_damaged_record_is_a_sentence(qtbot: Any, viewer_model: Any, models: Path) -> None:
    output = _stopped(models, "mine", 100.0)
    (models / "mine.training" / "layers" / "layers.json").write_text("{torn")
    with pytest.raises(InputError, match="Load the layers again"):
        restore(training_folder(output), viewer_model)
    dock = TrainWidget(viewer_model)
    qtbot.addWidget(dock)
    dock.resume_button.click()
    assert "cannot be read (JSONDecodeError)" in dock.status_label.text()


def test_pairs_that_come_back_take_the_rows_that_they_need(
    qtbot: Any, viewer_model: Any, models: Path
) -> None:
    """Two rows were open, and the training had one pair; then none at all."""
    add_pair(viewer_model, smooth_pair())
    dock = open_dock(qtbot, viewer_model)
    kept = kept_pairs(dock.pairs.rows)
    output = models / "mine.safetensors"
    for pairs in (kept, []):
        keep(output, pairs, SETTINGS, lambda: None)
        dock.pairs.add_button.click()
        assert len(dock.pairs.rows) == 2
        dock.go_on_with(output)
        assert len(dock.pairs.rows) == 1
        assert dock.bright_field.currentText() == "bf"
    keep(output, kept * 2, SETTINGS, lambda: None)
    dock.go_on_with(output)
    assert len(dock.pairs.rows) == 2


def test_what_was_kept_is_forgotten_with_or_without_layers(tmp_path: Path) -> None:
    output = tmp_path / "mine.safetensors"
    forget(training_folder(output))  # nothing is there
    _keep(output, np.zeros((2, 3, 4)))
    forget(training_folder(output))
    assert not (training_folder(output) / "layers").exists()
    assert recall_settings(output) == SETTINGS  # and may be asked for once more


def test_settings_are_kept_anew_and_those_of_a_file_without_them_are_of_a_new_form(
    qtbot: Any, viewer_model: Any, tmp_path: Path
) -> None:
    output = tmp_path / "mine.safetensors"
    for steps in (5, 7):
        remember_settings(output, SETTINGS.model_copy(update={"steps": steps}))
        assert recall_settings(output).steps == steps
    add_pair(viewer_model, smooth_pair())
    new = open_dock(qtbot, viewer_model).settings
    file = training_folder(output) / "dock.json"
    file.write_text(json.dumps({"pixel_size_um": 0.08, "init": new.init}))
    known = recall_settings(output)
    for name in ("simulate", "by", "weight_map", "weight_background", "device"):
        assert getattr(known, name) == getattr(new, name), name
    assert (known.each_frame, known.compare) == (new.each_frame, new.compare)
    file.write_text("{}")
    assert recall_settings(output) is None


def test_a_full_disk_says_where_and_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "mine.training").write_text("in the way")
    with pytest.raises(OutputError, match="Free some space, or choose another folder") as raised:
        _keep(tmp_path / "mine.safetensors", np.zeros((2, 3, 4)))
    assert f"cannot be kept in {str(tmp_path / 'mine.training')!r} (File exists), so" in str(
        raised.value
    )
