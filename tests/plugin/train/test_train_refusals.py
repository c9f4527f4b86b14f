"""Bad input to the Train dock, through its buttons: a sentence, and nothing lost."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_virtualstain.io import output
from napari_virtualstain.plugin.train import kept_training
from napari_virtualstain.plugin.train.dock import TrainWidget

from .conftest import SCALE, add_pair, open_dock, smooth_pair


@pytest.fixture
def widget(qtbot: Any, viewer_model: Any) -> TrainWidget:
    add_pair(viewer_model, smooth_pair())
    made = open_dock(qtbot, viewer_model)
    made.steps.setValue(4)
    made.crop.setValue(32)
    made.batch.setValue(2)
    return made


def _is_usable_again(widget: TrainWidget) -> None:
    assert widget.state == "failed"
    assert widget.run_button.isEnabled()
    assert [layer.name for layer in widget.viewer.layers][:2] == ["bf", "GFP"]


def test_a_folder_that_cannot_be_written(
    widget: TrainWidget, wait_for: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    widget.fine_tune.click()
    monkeypatch.setenv("VIRTUALSTAIN_MODELS", str(tmp_path / "file" / "models"))
    widget.run_button.click()
    wait_for(widget)
    _is_usable_again(widget)
    assert "cannot be kept in" in widget.status_label.text()
    assert "choose another folder for models" in widget.status_label.text()
    assert (tmp_path / "file").read_text(encoding="utf-8") == "in the way"


@pytest.mark.slow
@pytest.mark.parametrize("at", ["layers", "checkpoint", "model"])
def test_a_full_disk_and_then_room(
    widget: TrainWidget, wait_for: Any, models: Path, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    """Real full disks (tmpfs of 200, 450 and 520 kB) gave the same sentences at these places."""
    full = [True]
    write_planes, move = kept_training._write_planes, output.move_into_place

    def planes(path: Path, data: Any, check: Any) -> None:
        if full and at == "layers":
            path.write_bytes(b"half")
            raise OSError(errno.ENOSPC, "No space left on device")
        write_planes(path, data, check)

    def moved(temporary: Path, path: Path, *, overwrite: bool) -> None:
        names = {"checkpoint": "checkpoint.pt", "model": "my-model.safetensors"}
        if full and path.name == names.get(at):
            raise OSError(errno.ENOSPC, "No space left on device")
        move(temporary, path, overwrite=overwrite)

    monkeypatch.setattr(kept_training, "_write_planes", planes)
    monkeypatch.setattr(output, "move_into_place", moved)
    widget.run_button.click()
    wait_for(widget)
    _is_usable_again(widget)
    text = widget.status_label.text()
    assert "No space left" in text or "the disk is full" in text
    assert "Free some space" in text
    assert not list(models.glob("**/*.part*"))
    assert not (models / "my-model.safetensors").exists()
    if at != "model":
        return
    full.clear()
    widget.run_button.click()
    wait_for(widget, timeout_s=300)
    assert widget.state == "done", widget.status_label.text()
    assert (models / "my-model.safetensors").exists()


def test_a_start_model_that_vanishes(widget: TrainWidget, models: Path, wait_for: Any) -> None:
    (models / "tiny.safetensors").unlink()
    widget.run_button.click()
    if widget.state.is_active:
        wait_for(widget)
    assert "gone" in widget.status_label.text()
    assert not (models / "my-model.safetensors").exists()


def test_the_list_that_notices_a_vanished_start_says_what_took_its_place(
    widget: TrainWidget, models: Path, qtbot: Any
) -> None:
    assert widget.start_from.replaced == ""
    (models / "tiny.safetensors").unlink()
    widget.start_from.refresh()
    chosen = widget.start_from.combo.currentText()
    said = f"The model 'tiny' is gone; {chosen!r} is chosen in its place."
    assert chosen != "tiny"
    assert widget.status_label.text() == f"{said} Ready to train."
    assert widget.start_from.card_note.text().startswith(said)
    widget.start_from.refresh()
    assert widget.start_from.card_note.text().startswith(said)
    widget.start_from.value = "mito-simulated"
    assert "is gone" not in widget.start_from.card_note.text()
    widget.steps.setValue(5)
    assert widget.status_label.text() == "Ready to train."


def test_constant_targets(widget: TrainWidget, wait_for: Any) -> None:
    flat = np.full((8, 64, 96), 7, np.float32)
    widget.fluorescence.value = widget.viewer.add_image(flat, name="flat GFP", **SCALE)
    widget.run_button.click()
    wait_for(widget)
    _is_usable_again(widget)
    assert "constant" in widget.status_label.text()


def test_one_pair_of_planes(qtbot: Any, viewer_model: Any) -> None:
    bright, glow = smooth_pair()
    flat = {"scale": (0.08, 0.08), "units": ("um", "um"), "axis_labels": ("y", "x")}
    viewer_model.add_image(bright[0], name="bf", **flat)
    viewer_model.add_image(glow[0], name="GFP", **flat)
    made = TrainWidget(viewer_model)
    qtbot.addWidget(made)
    assert not made.run_button.isEnabled()
    assert "1 frame of fluorescence" in made.status_label.text()
    assert "Hold out a region" in made.status_label.text()


def test_a_movie_of_another_size_and_one_layer_twice(widget: TrainWidget) -> None:
    small = widget.viewer.add_image(np.ones((8, 32, 32), np.float32), name="small GFP", **SCALE)
    widget.fluorescence.value = small
    assert "unlike shapes, (8, 64, 96) and (8, 32, 32)" in widget.status_label.text()
    widget.fluorescence.value = widget.bright_field.value
    assert "'bf' is chosen twice" in widget.status_label.text()
    assert not widget.run_button.isEnabled()
    widget.fluorescence.value = widget.viewer.layers["GFP"]
    assert widget.run_button.isEnabled()


def test_a_region_outside_the_image(widget: TrainWidget) -> None:
    widget.pairs.new_regions.click()
    widget.shapes.value.add_rectangles([[300, 300], [340, 340]])
    assert "Region 1 lies outside the image 'bf'" in widget.status_label.text()
    assert "smallest region" not in widget.pairs.summary.text()
    assert not widget.run_button.isEnabled()
    widget.shapes.value.data = []
    assert widget.run_button.isEnabled()


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("x" * 300, "shorter"),
        ("\N{MICROSCOPE}" * 70, "shorter"),
        ("a: b", "none of"),
        ("cells.", "no dot at the end"),
        ("mito-h9c2", "already"),
    ],
)
def test_names_no_file_can_have_are_refused_in_words(
    widget: TrainWidget, name: str, reason: str
) -> None:
    """Very long names once ended napari: the system refused to look for their files."""
    widget.name.setText(name)
    assert reason in widget.status_label.text()
    assert not widget.run_button.isEnabled()
    widget.name.setText("\N{MICROSCOPE} cells")
    assert widget.run_button.isEnabled()


@pytest.mark.slow
def test_pairs_with_nan_are_left_out_and_that_is_said(widget: TrainWidget, wait_for: Any) -> None:
    widget.compare_box.setChecked(False)
    widget.bright_field.value.data[3, 10:14, 10:14] = np.nan
    widget.run_button.click()
    wait_for(widget, timeout_s=300)
    assert widget.state == "done", widget.status_label.text()
    remarks = widget.display.remarks.text()
    assert "1 of 8 pairs cannot train ('plane_t003'" in remarks
    assert "left out" in remarks
    widget.bright_field.value.data[:, 0, 0] = np.nan
    widget.run_button.click()
    wait_for(widget)
    assert "8 of 8 pairs cannot train" in widget.status_label.text()
    assert "draw regions without the NaN pixels" in widget.status_label.text()


@pytest.mark.slow
def test_two_docks_do_not_write_one_model(widget: TrainWidget, qtbot: Any, wait_for: Any) -> None:
    """The second once overwrote the model of the first without a word."""
    other = TrainWidget(widget.viewer)
    qtbot.addWidget(other)
    other.start_from.value = "tiny"
    widget.steps.setValue(500)
    widget.run_button.click()
    qtbot.wait_until(lambda: bool(list(widget.output().parent.glob("*.training"))), timeout=60000)
    assert other.run_button.isEnabled()  # it has not looked since
    other.run_button.click()
    assert "is being trained now" in other.status_label.text()
    assert not other.state.is_active
    other.name.setText("my-model-2")
    assert other.run_button.isEnabled()
    other.name.setText("my-model")
    assert not other.run_button.isEnabled()
    assert widget.state.is_active
    widget.cancel_button.click()
    wait_for(widget, "idle")
    other.name.setText("my-model ")
    assert other.run_button.isEnabled()


@pytest.mark.slow
def test_layers_deleted_while_training_cost_nothing(
    widget: TrainWidget, qtbot: Any, wait_for: Any, models: Path
) -> None:
    widget.run_button.click()
    qtbot.wait_until(lambda: bool(list(models.glob("*.training"))), timeout=60000)
    widget.viewer.layers.clear()
    wait_for(widget, timeout_s=300)
    assert widget.state == "done", widget.status_label.text()
    assert (models / "my-model.safetensors").exists()
