from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from napari.layers import Image, Labels, Shapes, Tracks

from napari_virtualstain.plugin.kit.layer_choice import LayerChoice
from napari_virtualstain.plugin.layers.description import (
    Sampling,
    axes_of,
    base_name,
    flat_geometry,
    geometry_of,
    layer_name,
    provenance,
    sampling_of,
    shifted,
    source_of,
    still_there,
    uncertainty_of,
)

CASES = [
    ((6, 8), (0.08, 0.08), ("um", "um"), ("y", "x"), (3.0, 4.0)),
    ((3, 6, 8), (2.0, 0.08, 0.08), ("s", "um", "um"), ("t", "y", "x"), (0.0, 5.0, 1.0)),
    ((2, 3, 6, 8), (2, 0.3, 0.1, 0.1), ("s", "um", "um", "um"), ("t", "z", "y", "x"), (0, 0, 1, 2)),
]


@pytest.mark.parametrize(("shape", "scale", "units", "labels", "translate"), CASES)
@pytest.mark.parametrize("kind", [Image, Labels])
def test_a_new_layer_lies_exactly_on_its_source(
    kind: Any, shape: Any, scale: Any, units: Any, labels: Any, translate: Any
) -> None:
    source = Image(
        np.zeros(shape), scale=scale, units=units, axis_labels=labels, translate=translate
    )
    made = kind(np.zeros(shape, np.int32), **geometry_of(source))
    assert tuple(made.axis_labels) == labels
    assert [str(u) for u in made.units] == [str(u) for u in source.units]
    point = np.arange(len(shape)) + 0.5
    np.testing.assert_allclose(made.data_to_world(point), source.data_to_world(point))


@pytest.mark.parametrize(("shape", "scale", "units", "labels", "translate"), CASES[1:])
def test_tracks_and_shapes_lie_on_their_source_too(
    shape: Any, scale: Any, units: Any, labels: Any, translate: Any
) -> None:
    source = Image(
        np.zeros(shape), scale=scale, units=units, axis_labels=labels, translate=translate
    )
    point = np.ones(len(shape))
    for made in (
        Tracks(np.array([[1, 0, *point[1:]], [1, 1, *point[1:]]]), **geometry_of(source)),
        Shapes([np.stack([point, point + 1])], shape_type="line", **geometry_of(source)),
    ):
        assert [str(u) for u in made.units] == [str(u) for u in source.units]
        np.testing.assert_allclose(made.data_to_world(point), source.data_to_world(point))


def test_a_rotated_source_keeps_its_part_in_place() -> None:
    source = Image(np.zeros((4, 20, 30)), scale=(2, 0.5, 0.5), rotate=30, translate=(0, 7, -3))
    offset = (1, 5, 6)
    part = Image(np.zeros((2, 4, 4)), **shifted(geometry_of(source), offset))
    np.testing.assert_allclose(part.data_to_world((0, 0, 0)), source.data_to_world(offset))
    np.testing.assert_allclose(
        part.data_to_world((1, 2, 3)), source.data_to_world(np.add(offset, (1, 2, 3)))
    )


def test_sampling_is_read_in_micrometres_and_seconds_whatever_the_unit() -> None:
    layer = Image(np.zeros((3, 6, 8)), scale=(50, 80, 80), units=("ms", "nm", "nm"))
    assert sampling_of(layer).pixel_size_um == pytest.approx(0.08)
    assert sampling_of(layer).frame_interval_s == pytest.approx(0.05)


def test_pixels_are_no_physical_unit() -> None:
    layer = Image(np.zeros((3, 6, 8)), scale=(1, 0.08, 0.08))
    assert sampling_of(layer).pixel_size_um is None
    assert sampling_of(layer).frame_interval_s is None


@pytest.mark.parametrize(
    ("labels", "ndim", "axes"),
    [
        (("t", "y", "x"), 3, "tyx"),
        (("Time", "Row", "Column"), 3, "tyx"),
        (("z", "y", "x"), 3, "zyx"),
        (None, 3, "tyx"),
        (None, 2, "yx"),
        (None, 4, "tzyx"),
    ],
)
def test_axes_come_from_the_labels_or_else_from_the_dimensions(
    labels: Any, ndim: int, axes: str
) -> None:
    settings = {"axis_labels": labels} if labels else {}
    assert axes_of(Image(np.zeros((2,) * (ndim - 2) + (6, 8)), **settings)) == axes


def test_names_follow_the_source_through_all_steps() -> None:
    assert layer_name("movie", "fluorescence") == "stained · movie [fluorescence]"
    again = "stained · movie [fluorescence] [1]"
    assert layer_name(again, "mitochondria") == "segmented · movie [mitochondria]"
    assert layer_name("movie [mitochondria]", "tracks") == "tracked · movie [tracks]"
    assert base_name("plain [1]") == "plain [1]"


@pytest.mark.parametrize("rotate", [0, 25])
def test_a_single_plane_lies_on_its_frame(rotate: float) -> None:
    source = Image(np.zeros((4, 20, 30)), scale=(2, 0.5, 0.4), rotate=rotate, translate=(1, 7, -3))
    plane = Image(np.zeros((20, 30)), **flat_geometry(geometry_of(source)))
    np.testing.assert_allclose(plane.data_to_world((5, 6)), source.data_to_world((2, 5, 6))[1:])


def test_a_result_keeps_the_sampling_that_was_typed_in(viewer_model: Any) -> None:
    typed = provenance("track", "plain", settings={"pixel_size_um": 0.056, "interval": 5.0})
    made = viewer_model.add_labels(np.zeros((2, 4, 4), int), metadata=typed)
    assert sampling_of(made) == Sampling(0.056, 5.0)
    stated = viewer_model.add_labels(
        np.zeros((2, 4, 4), int), metadata=typed, scale=(1, 0.1, 0.1), units=("s", "um", "um")
    )
    assert sampling_of(stated) == Sampling(0.1, 1.0)


def test_a_result_s_source_is_proposed_whatever_it_is_called(viewer_model: Any, qtbot: Any) -> None:
    source = viewer_model.add_image(np.zeros((2, 4, 4)), name="image 7")
    viewer_model.add_image(np.zeros((2, 4, 4)), name="other [fluorescence]")
    made = viewer_model.add_labels(
        np.zeros((2, 4, 4), int), metadata=provenance("segment", "image 7")
    )
    choice = LayerChoice(
        viewer_model,
        lambda layer: type(layer).__name__ == "Image",
        role="fluorescence",
        hint=lambda: source_of(viewer_model, made),
    )
    qtbot.addWidget(choice)
    assert choice.value is source
    viewer_model.layers.remove(source)
    choice.refresh()
    assert choice.value.name == "other [fluorescence]"


@pytest.mark.parametrize(
    ("changes", "belongs"),
    [
        ({}, True),
        ({"name": "expected error · other [uncertainty]"}, False),
        ({"name": "stained · cell [fluorescence]"}, False),
        ({"shape": (2, 4, 5)}, False),
        ({"translate": (0, 1, 0)}, False),
        ({"sha256": "b"}, False),
        ({"settings": {"frames": "0"}}, False),
        ({"step": "none"}, True),  # a foreign layer says nothing of its model
    ],
)
def test_an_expected_error_belongs_to_the_stain_of_its_run(
    viewer_model: Any, changes: dict[str, Any], belongs: bool
) -> None:
    def add(name: str, shape: Any = (2, 4, 4), translate: Any = (0, 0, 0), **record: Any) -> Any:
        made = {"step": "stain", "sha256": "a", "settings": {}, **record}
        metadata = {"virtualstain": {"source": "cell", **made}}
        return viewer_model.add_image(
            np.zeros(shape), name=name, translate=translate, metadata=metadata
        )

    stain = add("stained · cell [fluorescence]")
    assert uncertainty_of(viewer_model, stain) is None
    name = "expected error · cell [uncertainty]"
    made = add(**{"name": name, **changes})
    assert (uncertainty_of(viewer_model, stain) is made) == belongs
    if belongs:
        newer = add(name)
        assert uncertainty_of(viewer_model, stain) is newer


def test_a_layer_that_was_removed_is_not_there(viewer_model: Any) -> None:
    layer = viewer_model.add_image(np.zeros((4, 4)))
    assert still_there(viewer_model, layer) is layer
    viewer_model.layers.clear()
    assert still_there(viewer_model, layer) is None
    assert still_there(viewer_model, None) is None
    assert source_of(viewer_model, None) is None


@pytest.mark.parametrize(
    ("labels", "axes"),
    [
        (("frame", "plane", "row", "column"), "tzyx"),
        (("t", "t", "y", "x"), "tzyx"),  # named twice: as many axes as there are decide
        (("t", "depth", "y", "x"), "tzyx"),
        (("T", "C", "Y", "X"), "tcyx"),
    ],
)
def test_labels_that_name_no_axes_are_left_to_the_dimensions(
    labels: tuple[str, ...], axes: str
) -> None:
    assert axes_of(Image(np.zeros((2, 2, 6, 8)), axis_labels=labels)) == axes
