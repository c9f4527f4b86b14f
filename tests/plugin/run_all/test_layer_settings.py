"""Settings that are saved from the layers of a window."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from napari_virtualstain.errors import InputError
from napari_virtualstain.plugin.layers.description import provenance
from napari_virtualstain.plugin.run_all.layer_settings import recorded_settings
from napari_virtualstain.settings import PipelineSettings

MOVIE = np.zeros((3, 16, 16))
UNITS = {"units": ("s", "um", "um"), "axis_labels": ("t", "y", "x")}


def _stained(viewer: Any, **given: Any) -> None:
    made = {"model": "mito-simulated", **given}
    record = provenance("stain", "cell", settings=made)
    viewer.add_image(MOVIE, name="virtual · cell", metadata=record)


def test_what_was_given_for_a_step_goes_before_what_the_layer_states(viewer_model: Any) -> None:
    source = viewer_model.add_image(MOVIE, name="cell", scale=(2.0, 0.08, 0.08), **UNITS)
    _stained(viewer_model)
    read = recorded_settings(viewer_model, source).read
    assert (read.pixel_size_um, read.frame_interval_s) == (pytest.approx(0.08), 2.0)
    _stained(viewer_model, pixel_size_um=0.1)
    track = provenance("track", "cell", settings={"interval": 5.0, "config": {}})
    viewer_model.add_tracks([[1, 0, 2, 2], [1, 1, 2, 3]], name="cell [tracks]", metadata=track)
    read = recorded_settings(viewer_model, source).read
    assert (read.pixel_size_um, read.frame_interval_s) == (0.1, 5.0)


def test_without_a_stain_there_are_no_settings_to_save(viewer_model: Any) -> None:
    source = viewer_model.add_image(MOVIE, name="cell", **UNITS)
    with pytest.raises(InputError, match="Stain it first"):
        recorded_settings(viewer_model, source)


def test_results_of_another_movie_are_not_mixed_in(viewer_model: Any) -> None:
    source = viewer_model.add_image(MOVIE, name="cell", **UNITS)
    _stained(viewer_model)
    for step in ("stain", "segment"):
        record = provenance(step, "dish", settings={"model": "mito-h9c2", "threshold": 0.9})
        viewer_model.add_image(MOVIE, name=f"{step} · dish", metadata=record)
    record = provenance("preview", "cell", settings={"model": "mito-h9c2"})
    viewer_model.add_image(MOVIE, name="preview · cell", metadata=record)
    settings = recorded_settings(viewer_model, source)
    assert settings.stain.model == "mito-simulated"
    assert settings.segment == PipelineSettings().segment
    mine = provenance("segment", "cell", settings={"model": "mito-segment", "threshold": 0.7})
    viewer_model.add_image(MOVIE, name="segmented · cell", metadata=mine)
    assert recorded_settings(viewer_model, source).segment.threshold == 0.7


def test_settings_are_known_when_the_movie_was_removed(viewer_model: Any) -> None:
    source = viewer_model.add_image(MOVIE, name="cell", **UNITS)
    _stained(viewer_model, shape=(1, 16, 16), offset=(1, 0, 0))
    stain = viewer_model.layers[-1]
    stain.name = "stained · cell [fluorescence]"
    assert recorded_settings(viewer_model, stain).stain.frames == "1:2"
    viewer_model.layers.remove(source)
    assert recorded_settings(viewer_model, stain).stain.frames is None
