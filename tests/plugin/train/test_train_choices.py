"""Every option of every drop-down of the Train dock."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from qtpy.QtWidgets import QComboBox, QLabel

from napari_virtualstain import data
from napari_virtualstain.models import read_card
from napari_virtualstain.plugin.train.dock import TrainWidget
from napari_virtualstain.plugin.train.outcome_view import outcome_sentence
from napari_virtualstain.settings import PairSettings, TrainSettings, fields_of
from napari_virtualstain.training import preset_names

from .conftest import SCALE, add_pair, open_dock, smooth_pair

AXES = {"units": ("s", "um", "um"), "axis_labels": ("t", "y", "x")}


@pytest.fixture
def widget(qtbot: Any, viewer_model: Any) -> TrainWidget:
    add_pair(viewer_model, smooth_pair(48, 64))
    return open_dock(qtbot, viewer_model)


def test_every_option_gives_settings_that_a_training_takes(widget: TrainWidget) -> None:
    widget.fine_tune.click()  # without a start, the planes can be chosen too
    tried = {}
    for choice in widget.findChildren(QComboBox):
        name = choice.objectName()
        if name in ("hold_out", "model") or name.startswith(("bright", "fluo", "shapes")):
            continue
        seen = []
        first = choice.currentIndex()
        for index in range(choice.count()):
            choice.setCurrentIndex(index)
            choice.activated.emit(index)
            config = widget.settings.training_config("mine", "cpu")
            seen.append((choice.itemText(index), config.model_dump_json()))
            assert widget.run_button.isEnabled(), (name, widget.status_label.text())
        tried[name] = len({config for _, config in seen})
        choice.setCurrentIndex(first)
        choice.activated.emit(first)
    assert tried["preset"] == len(preset_names())
    assert tried["weight_map"] >= 6
    assert {"device", "planes"} <= set(tried)
    for choice in widget.findChildren(QComboBox):
        texts = [choice.itemText(index).lower() for index in range(choice.count())]
        assert len(set(texts)) == len(texts), texts
    assert sum("preferences" in widget.advanced.device.itemText(i).lower() for i in range(6)) == 1


def test_plain_settings_are_shown_as_their_class_says(widget: TrainWidget) -> None:
    optics, advanced = widget.optics, widget.advanced
    shown = {
        "numerical_aperture": (optics.na, "1.42"),
        "immersion_index": (optics.immersion, "1.515"),
        "wavelength_um": (optics.wavelength, "608 nm"),
        "depth_um": (optics.depth, "0.0 µm"),
        "minutes": (widget.effort.minutes, "10.0 min"),
        "steps": (widget.steps, "automatic"),
        "crop_size": (widget.crop, "128 px"),
        "batch_size": (widget.batch, "8"),
        "min_foreground": (advanced.foreground, "0 %"),
        "simulated_pairs": (advanced.simulated_pairs, "200"),
        "folds": (widget.hold_out.count, "5"),
    }
    fields = fields_of(TrainSettings) | fields_of(PairSettings)
    labels = {label.buddy(): label.text() for label in widget.findChildren(QLabel)}
    for name, (box, text) in shown.items():
        assert box.text() == text
        assert labels[box].replace("&", "") == fields[name].title
        assert box.toolTip() == fields[name].description
    for box, name in (
        (widget.hold_out.shared, "allow_leakage"),
        (widget.correct_registration, "correct_registration"),
    ):
        assert box.text().replace("&", "") == fields[name].title
        assert box.toolTip() == fields[name].description
    optics.wavelength.setValue(520)
    advanced.foreground.setValue(14)
    config = widget.settings.training_config("mine", "cpu")
    assert (config.wavelength_um, config.min_foreground) == (0.52, 0.14)
    optics.background.setValue(0)
    assert optics.background.text() == "off"


def test_every_way_to_hold_out_says_what_it_needs(widget: TrainWidget) -> None:
    kind = widget.hold_out.kind
    texts = {}
    for index in range(kind.count()):
        kind.setCurrentIndex(index)
        texts[kind.itemText(index)] = widget.status_label.text()
        assert widget.hold_out.count.isVisibleTo(widget) == ("in turn" in kind.itemText(index))
    for text, said in texts.items():
        wanted = {"frames": "Ready", "region": "at least two rectangles", "pair": "There is one"}
        key = next(word for word in wanted if word in text)
        assert wanted[key] in said, (text, said)


@pytest.mark.slow
@pytest.mark.parametrize("method", preset_names())
def test_each_method_trains(widget: TrainWidget, wait_for: Any, models: Path, method: str) -> None:
    preset = widget.preset
    preset.setCurrentIndex(preset_names().index(method))
    preset.activated.emit(preset.currentIndex())
    widget.steps.setValue(2)
    widget.crop.setValue(32)
    widget.batch.setValue(2)
    widget.compare_box.setChecked(False)
    widget.run_button.click()
    wait_for(widget, timeout_s=300)
    assert widget.state == "done", widget.status_label.text()
    card = read_card(models / "my-model.safetensors")
    assert card.training["preset"] == method
    assert card.training["steps"] == 2


def test_the_pixels_of_a_layer_are_looked_at_once(
    qtbot: Any, viewer_model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[tuple[int, ...]] = []

    def skewness(plane: np.ndarray) -> float:
        looked.append(plane.shape)
        return 0.0 if plane.mean() < 1 else 3.0

    monkeypatch.setattr(data, "fine_skewness", skewness)
    viewer_model.add_image(np.full((2, 900, 600), 0.5), name="first", **SCALE)
    viewer_model.add_image(np.full((2, 900, 600), 2.0), name="second", **SCALE)
    made = TrainWidget(viewer_model)
    qtbot.addWidget(made)
    assert looked == [(512, 512)] * 2  # its middle: this runs in the GUI thread
    assert made.fluorescence.value.name == "second"
    viewer_model.add_labels(np.zeros((2, 9, 9), int), name="third")
    made.reset_choices()
    assert len(looked) == 2


def test_a_training_that_helped_nothing_is_not_called_better() -> None:
    rows = [("starting model", 0.2), ("virtual stain", 0.1), ("virtual stain", 0.3)]
    table = pd.DataFrame([{"method": m, "bandpass_pearson": v, "group": "a"} for m, v in rows[:2]])
    assert outcome_sentence(table, {}).startswith(
        "No better than the starting model: higher on 0 of 1 held-out image (band-pass Pearson "
        "-0.100"
    )
    table.loc[1, "bandpass_pearson"] = rows[2][1]
    assert outcome_sentence(table, {}).startswith("Better than the starting model on 1 of 1")
