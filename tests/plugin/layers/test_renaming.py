"""Results stay those of their movie when it is renamed."""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.layers import Image

from napari_virtualstain.plugin.layers.description import (
    layer_name,
    newest_stain,
    provenance,
    provenance_of,
    source_of,
)
from napari_virtualstain.plugin.track.dock import TrackWidget


def _results(viewer: Any) -> tuple[Any, Any, Any]:
    movie = viewer.add_image(np.zeros((3, 8, 8)), name="movie")
    stained, segmented = layer_name("movie", "fluorescence"), layer_name("movie", "mitochondria")
    stain = Image(np.ones((3, 8, 8)), name=stained, metadata=provenance("stain", "movie"))
    labels = Image(np.ones((3, 8, 8)), name=segmented, metadata=provenance("segment", stained))
    viewer.add_layer(stain)
    viewer.add_layer(labels)
    return movie, stain, labels


def test_results_follow_a_new_name_through_all_steps(qtbot: Any, viewer_model: Any) -> None:
    movie, stain, labels = _results(viewer_model)
    other = viewer_model.add_image(np.zeros((3, 8, 8)), name="movie 2")
    for _ in range(2):  # two docks hear of it
        qtbot.addWidget(TrackWidget(viewer_model))
    movie.name = "Zelle 3"
    assert stain.name == "stained · Zelle 3 [fluorescence]"
    assert labels.name == "segmented · Zelle 3 [mitochondria]"
    assert newest_stain(viewer_model, movie) is stain
    assert source_of(viewer_model, labels) is stain
    assert other.name == "movie 2"
    assert newest_stain(viewer_model, other) is None


def test_the_newest_stain_counts_and_a_preview_where_there_is_no_other(viewer_model: Any) -> None:
    movie = viewer_model.add_image(np.zeros((3, 8, 8)), name="movie")

    def made(step: str, **record: Any) -> Any:
        return viewer_model.add_image(
            np.ones((3, 8, 8)), metadata=provenance(step, "movie", **record)
        )

    made("segment")
    assert newest_stain(viewer_model, movie) is None
    preview = made("preview")
    assert newest_stain(viewer_model, movie) is preview
    first, second = made("stain"), made("stain")
    for last in (made("preview"), made("stain", kind="uncertainty")):
        assert newest_stain(viewer_model, movie) is second
        viewer_model.layers.remove(last)
    viewer_model.layers.remove(second)
    assert newest_stain(viewer_model, movie) is first


def test_a_result_that_has_a_name_of_its_own_keeps_it(qtbot: Any, viewer_model: Any) -> None:
    movie, stain, labels = _results(viewer_model)
    qtbot.addWidget(TrackWidget(viewer_model))
    stain.name = "for the figure"
    assert source_of(viewer_model, labels) is stain
    movie.name = "cell"
    assert stain.name == "for the figure"
    assert provenance_of(stain)["source"] == "cell"
    assert newest_stain(viewer_model, movie) is stain
