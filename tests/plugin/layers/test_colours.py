"""Colours of stain, truth and outlines, as different eyes see them, and the canvas itself."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from skimage.color import rgb2lab

from napari_virtualstain.plugin.layers.colours import (
    TINTS,
    brighten_bare,
    dim,
    label_colormap,
    outline_width,
    track_colormap,
)
from napari_virtualstain.plugin.layers.insertion import place

# Machado, Oliveira and Fernandes (2009), severity 1, on linear RGB
_EYES = {
    "usual": np.eye(3),
    "protan": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deutan": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritan": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}


def _seen(colour: Any, eyes: str) -> np.ndarray:
    """Return a colour as CIELAB values of what these eyes see."""
    value = np.asarray(colour, float)
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    linear = np.clip(linear @ np.asarray(_EYES[eyes]).T, 0, 1)
    value = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.asarray(rgb2lab(value[None, None])[0, 0])


@pytest.mark.parametrize("eyes", list(_EYES))
def test_outlines_stand_out_from_stain_truth_and_dimmed_bright_field(eyes: str) -> None:
    levels = (0.4, 0.7, 1.0)
    images = [(0, g, 0) for g in levels] + [(m, 0, m) for m in levels]
    images += [(g, g, g) for g in (0.1, 0.25, 0.4)]
    tints = [[int(tint[i : i + 2], 16) / 255 for i in (1, 3, 5)] for tint in TINTS]
    for tint in tints:
        distances = [np.linalg.norm(_seen(tint, eyes) - _seen(image, eyes)) for image in images]
        assert min(distances) > 20, (tint, eyes)  # 2 can be told apart side by side


def test_a_track_has_the_colour_of_the_labels_of_its_number() -> None:
    from napari.layers import Tracks

    numbers = [3, 4, 9, 20]
    rows = np.array([[number, frame, 5, 5] for number in numbers for frame in (0, 1)], float)
    layer = Tracks(rows, colormaps_dict={"track_id": track_colormap()})
    labels = label_colormap()
    for number, colour in zip(numbers, layer.track_colors[::2], strict=True):
        np.testing.assert_allclose(colour, labels.map(np.int32(number)), atol=1e-6)
    assert labels.map(np.int32(0))[3] == 0


@pytest.mark.parametrize(("size", "width"), [(799, 1), (800, 2)])
def test_outlines_of_large_images_are_wider(size: int, width: int) -> None:
    assert outline_width((3, 10, size)) == width


def test_a_dimmed_image_is_bright_again_when_nothing_lies_on_it(viewer_model: Any) -> None:
    image = viewer_model.add_image(np.eye(8), name="cell", contrast_limits=(0, 2))
    coloured = viewer_model.add_image(np.eye(8), name="red", colormap="red")
    for layer in (image, coloured):
        dim(layer)
    assert coloured.colormap.name == "red"
    assert image.contrast_limits == [0, 2]
    np.testing.assert_allclose(image.colormap.map([1.0])[0], (0.4, 0.4, 0.4, 1), atol=1e-6)
    result = viewer_model.add_image(np.eye(8), metadata={"virtualstain": {"source": "cell"}})
    brighten_bare(viewer_model)
    assert image.colormap.name == "dimmed gray"
    viewer_model.layers.remove(result)
    brighten_bare(viewer_model)
    assert image.colormap.name == "gray"


def _labels(step: str = "segment", value: int = 1, **record: Any) -> Any:
    from napari.layers import Labels

    made = {"step": step, "source": "cell", **record}
    return Labels(np.full((2, 4, 4), value), metadata={"virtualstain": made}, name="outlines")


def test_labels_that_were_painted_on_are_not_replaced(viewer_model: Any) -> None:
    from napari_virtualstain.plugin.layers.replacing import mark_painted

    first = _labels()
    first.events.paint.connect(mark_painted)
    assert place(viewer_model, first).layer is first
    assert place(viewer_model, _labels(value=2)).layer is first
    assert first.data.max() == 2
    assert place(viewer_model, _labels(step="relabel")).layer is not first
    first.mode = "paint"
    first.paint((0, 1, 1), 7)
    third = _labels(value=3)
    assert place(viewer_model, third).layer is third
    assert first.data.max() == 7


@pytest.mark.gui
@pytest.mark.parametrize("theme", ["dark", "light"])
def test_on_the_canvas_mitochondria_are_green_in_pale_outlines_on_dim_grey(
    make_napari_viewer: Any, theme: str, qtbot: Any
) -> None:
    from napari_virtualstain.plugin.kit.layer_region import whole
    from napari_virtualstain.plugin.kit.preferences import Preferences
    from napari_virtualstain.plugin.segment.job import SegmentRequest
    from napari_virtualstain.plugin.segment.job import Started as Segmented
    from napari_virtualstain.plugin.segment.layer import add_labels_layer
    from napari_virtualstain.plugin.stain.job import StainRequest, Started
    from napari_virtualstain.plugin.stain.layer import add_stain_layer

    viewer = make_napari_viewer(show=True)
    viewer.theme = theme
    shape = (1, 60, 60)
    bright = np.full(shape, 0.5)
    viewer.add_image(bright, name="cell", contrast_limits=(0, 1))
    common = {
        "data": bright,
        "axes": "tyx",
        "region": whole(shape),
        "centre": (0,),
        "model": "m",
        "pixel_size_um": 0.08,
        "device": None,
        "preferences": Preferences(),
    }
    stain = np.zeros(shape, np.float32)
    stain[:, 20:40, 20:40] = 1
    started = Started("fluorescence", stain, (0, 1), "m", "")
    add_stain_layer(viewer, started, StainRequest(**common), "cell", {})
    labels = (stain > 0).astype(np.int32)
    request = SegmentRequest(**common)
    add_labels_layer(viewer, Segmented(labels, "m", ""), request, "cell", {})
    qtbot.wait(300)
    picture = viewer.screenshot(flash=False)[..., :3].astype(float)
    height, width = picture.shape[:2]
    zoom = getattr(viewer, "scene", viewer).camera.zoom

    def at(row: float, column: float) -> np.ndarray:
        y, x = height / 2 + (row - 29.5) * zoom, width / 2 + (column - 29.5) * zoom
        return np.asarray(picture[round(y), round(x)])

    np.testing.assert_allclose(at(10, 30), 51, atol=3)  # half of 0.4: dimmed, in both themes
    middle = at(30, 30)
    assert middle[1] > 250  # the stain shines through: an outline, not a filled label
    np.testing.assert_allclose(middle[[0, 2]], 51, atol=3)
    assert at(20, 30).min() > 150  # the outline is pale
