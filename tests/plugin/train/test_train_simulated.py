"""The dock without fluorescence: pairs simulated like the bright-field movie."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_virtualstain.models import read_card
from napari_virtualstain.plugin.train.dock import TrainWidget
from napari_virtualstain.plugin.train.dock_settings import DockSettings
from napari_virtualstain.simulation import simulate_frames
from napari_virtualstain.training import simulated

from .conftest import SCALE


@pytest.fixture(autouse=True)
def _few_candidates(monkeypatch: pytest.MonkeyPatch) -> None:
    few = partial(simulated.simulate_like, candidates=12)
    monkeypatch.setattr(simulated, "simulate_like", few)


@pytest.fixture
def widget(qtbot: Any, viewer_model: Any) -> TrainWidget:
    movie = np.stack(
        [still.bright_field for still in simulate_frames(3, size=64, seed=4, vary=False)]
    )
    viewer_model.add_image(movie, name="cell", **SCALE)
    made = TrainWidget(viewer_model)
    qtbot.addWidget(made)
    made.start_from.value = "tiny"
    made.steps.setValue(4)
    made.crop.setValue(32)
    made.batch.setValue(2)
    made.advanced.simulated_pairs.setValue(10)
    return made


def test_what_no_pair_needs_is_hidden_and_the_promise_is_said(widget: TrainWidget) -> None:
    assert "Two layers are needed" in widget.status_label.text()
    widget.pairs.simulate_box.click()
    for hidden in (
        widget.fluorescence,
        widget.shapes,
        widget.pairs.new_regions,
        widget.hold_out.kind,
        widget.registration_section,
    ):
        assert not hidden.isVisibleTo(widget)
    text = widget.pairs.summary.text()
    assert "10 pairs are simulated like 'cell'" in text
    assert "No real fluorescence" in text
    assert widget.run_button.isEnabled()
    widget.pairs.simulate_box.click()
    assert widget.fluorescence.isVisibleTo(widget)
    assert widget.hold_out.kind.isVisibleTo(widget)
    assert "Two layers are needed" in widget.status_label.text()


def test_a_model_is_trained_without_fluorescence_and_listed(
    widget: TrainWidget, wait_for: Any, models: Path
) -> None:
    widget.pairs.simulate_box.click()
    widget.optics.na.setValue(1.3)
    widget.run_button.click()
    wait_for(widget, timeout_s=300)
    assert widget.state == "done", widget.status_label.text()
    assert widget.start_from.combo.findText("my-model") >= 0
    assert "simulated scenes" in widget.status_label.text()
    assert "nothing about real cells" in widget.display.outcome.sentence.text()
    card = read_card(models / "my-model.safetensors")
    assert card.data["source"] == "10 simulated pairs like cell; no real fluorescence"
    assert card.optics["numerical_aperture"] == 1.3


@pytest.mark.parametrize(
    ("na", "immersion", "emission_nm", "reason"),
    [
        (1.42, 1.33, 608, "numerical aperture is 1.42"),
        (1.3, 1.33, 608, ""),
        (1.42, 1.515, 1200, "wavelength of the emission is 1.2"),
        (1.42, 1.515, 1100, ""),
    ],
)
def test_optics_that_cannot_be_are_a_sentence(
    widget: TrainWidget, na: float, immersion: float, emission_nm: float, reason: str
) -> None:
    widget.pairs.simulate_box.click()
    widget.optics.immersion.setValue(immersion)
    widget.optics.na.setValue(na)
    widget.optics.wavelength.setValue(emission_nm)
    assert widget.run_button.isEnabled() == (not reason)
    assert reason in widget.status_label.text()


def test_a_movie_that_nothing_resembles_is_a_sentence_and_can_be_mended(
    widget: TrainWidget, wait_for: Any
) -> None:
    noise = np.random.default_rng(0).normal(100, 10, (2, 64, 64)).astype(np.float32)
    layer = widget.viewer.add_image(noise, name="noise", **SCALE)
    widget.pairs.simulate_box.click()
    widget.bright_field.value = layer
    widget.run_button.click()
    wait_for(widget, timeout_s=200)
    assert widget.state == "failed"
    assert "No simulated scene resembles this movie" in widget.status_label.text()
    assert not (widget.output()).exists()
    widget.bright_field.value = widget.viewer.layers["cell"]
    assert widget.run_button.isEnabled()


def test_the_choice_is_kept_with_the_settings(widget: TrainWidget) -> None:
    widget.pairs.simulate_box.click()
    kept = DockSettings.model_validate_json(widget.settings.model_dump_json())
    assert kept.simulate
    assert kept.simulated_pairs == 10
    widget.pairs.simulate_box.click()
    widget.load_settings(kept)
    assert widget.pairs.are_simulated


def test_settings_of_earlier_versions_are_understood() -> None:
    old = (
        '{"pixel_size_um": 0.08, "correct_shifts": true, "start_from": "mito-h9c2", '
        '"planes": [5, "t"], "optics": {"numerical_aperture": 1.2, "wavelength_um": 0.51, '
        '"weight_map": "binary", "weight_background": 10.0}}'
    )
    kept = DockSettings.model_validate_json(old)
    assert kept.correct_registration
    assert (kept.init, kept.planes, kept.plane_axis) == ("mito-h9c2", 5, "t")
    config = kept.training_config("mine", "cpu")
    assert (config.numerical_aperture, config.wavelength_um) == (1.2, 0.51)
    assert (config.loss.weight_map, config.loss.weight_background) == ("binary", 10)
    begun = DockSettings.model_validate_json(
        '{"pixel_size_um": 0.08, "start_from": null, "planes": null, "steps": 7}'
    )
    assert (begun.init, begun.planes, begun.steps) == ("", None, 7)
