from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from napari.layers import Image
from qtpy.QtCore import QTimer

from napari_virtualstain.plugin.layers.description import remember_sampling, sampling_of
from napari_virtualstain.plugin.layers.insertion import hide_results, hide_stains, insert, place


@pytest.mark.parametrize("seen", [True, False])
def test_a_new_layer_is_seen_soon_if_it_was_meant_to(
    viewer_model: Any, qtbot: Any, seen: bool
) -> None:
    layer = insert(viewer_model, Image(np.zeros((4, 4)), visible=seen))
    assert not layer.visible
    qtbot.wait(100)
    assert layer.visible is seen


def test_a_layer_that_is_hidden_before_it_was_seen_stays_hidden(
    viewer_model: Any, qtbot: Any
) -> None:
    layer = insert(viewer_model, Image(np.zeros((4, 4))))
    QTimer.singleShot(0, lambda: setattr(layer, "visible", False))
    qtbot.wait(100)
    assert not layer.visible
    layer.visible = True  # whoever looks at it later decides again
    assert layer.visible


def _result(value: float, **record: Any) -> Image:
    made = {"step": "stain", "source": "cell", **record}
    return Image(np.full((4, 4), value), name="stained", metadata={"virtualstain": made})


@pytest.mark.parametrize("seen", [True, False])
def test_a_result_in_the_place_of_a_former_one_is_seen_as_it_was_meant(
    viewer_model: Any, seen: bool
) -> None:
    former = viewer_model.add_layer(_result(1))
    former.visible = not seen
    made = _result(2)
    made.visible = seen
    former.contrast_limits, made.contrast_limits = (0, 1), (0, 5)
    made.metadata["virtualstain"]["model"] = "new"
    placed = place(viewer_model, made)
    assert placed.layer is former
    assert (former.visible, former.data.max()) == (seen, 2)
    assert former.contrast_limits == [0, 5]
    assert former.metadata["virtualstain"]["model"] == "new"
    placed.former.put_back()
    assert former.data.max() == 1
    assert former.contrast_limits == [0, 1]
    assert "model" not in former.metadata["virtualstain"]
    assert place(viewer_model, _result(3), keep_former=True).former is None
    assert len(viewer_model.layers) == 2


@pytest.mark.parametrize("is_visible", [True, False])
def test_what_is_hidden_is_not_left_active(viewer_model: Any, is_visible: bool) -> None:
    former = viewer_model.add_layer(_result(1))
    other = viewer_model.add_image(np.zeros((4, 4)), name="other", visible=is_visible)
    viewer_model.layers.selection.active = other
    place(viewer_model, _result(2))
    assert viewer_model.layers.selection.active is (other if is_visible else former)
    viewer_model.layers.selection.clear()
    place(viewer_model, _result(3))
    assert viewer_model.layers.selection.active is None


def test_what_was_said_of_the_source_holds_for_its_result(viewer_model: Any) -> None:
    source = viewer_model.add_image(np.zeros((4, 4)), name="cell")
    remember_sampling(source, pixel_size_um=0.2)
    assert sampling_of(place(viewer_model, _result(1)).layer).pixel_size_um == 0.2
    lonely = place(viewer_model, _result(1, source="gone")).layer
    assert sampling_of(lonely).pixel_size_um is None


def test_only_visible_results_of_that_step_and_source_are_hidden(viewer_model: Any) -> None:
    wanted = viewer_model.add_layer(_result(1))
    hidden = viewer_model.add_layer(_result(1))
    hidden.visible = False
    others = [
        viewer_model.add_layer(_result(1, step="segment")),
        viewer_model.add_layer(_result(1, source="other")),
        viewer_model.add_image(np.zeros((4, 4)), name="cell"),
    ]
    assert hide_results(viewer_model, "cell", "stain") == [wanted]
    assert not wanted.visible
    assert all(layer.visible for layer in others)
    wanted.visible = True
    preview = viewer_model.add_layer(_result(1, step="preview"))
    trained = viewer_model.add_layer(_result(1, step="train"))
    assert hide_stains(viewer_model, "cell") == [wanted, preview, trained]
