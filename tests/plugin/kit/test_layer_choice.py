"""Which layer a drop-down proposes, which regions it may be cut to, and what is said of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from napari.layers import Image, Labels, Shapes
from qtpy.QtCore import Qt

from napari_virtualstain.errors import InputError
from napari_virtualstain.plugin.kit.layer_choice import LayerChoice, choose_if_fitting, rank
from napari_virtualstain.plugin.kit.layer_region import bounding_box, frame_range, outline
from napari_virtualstain.plugin.kit.mnemonics import with_mnemonic
from napari_virtualstain.plugin.kit.region_choice import RANGE, SHAPES, RegionChoice
from napari_virtualstain.plugin.kit.sampling_rows import _remark, facts_text
from napari_virtualstain.plugin.kit.suitable_layers import (
    fitting_model,
    is_movie,
    nothing_fits,
    why_no_movie,
)


def _score(name: str, role: str) -> int:
    return rank(name, role, active=False, position=0)[0]


@pytest.mark.parametrize(
    ("name", "role", "score"),
    [
        ("my bright cell", "bright_field", 6),
        ("cell BF", "bright_field", 4),
        ("cell DIC", "bright_field", 1),
        ("cell", "bright_field", 0),
        ("bright GFP", "bright_field", -4),
        ("stained · cell [fluorescence]", "fluorescence", 4),
        ("cell gfp", "fluorescence", 2),
        ("cell [uncertainty]", "fluorescence", -10),
        ("stained · cell [fluorescence]", "true_fluorescence", -7),
        ("cell [fluorescence] [1]", "bright_field", -10),
        ("my mito", "mitochondria", 1),
        ("tracked mito", "mitochondria", -9),
        ("anything", "no such role", 0),
    ],
)
def test_earlier_words_count_more_and_unwanted_ones_ten_less(
    name: str, role: str, score: int
) -> None:
    assert _score(name, role) == score


def test_a_result_is_ranked_by_its_kind_however_long_its_name() -> None:
    long = "a" * 200
    assert _score(f"bright {long} [tracks]", "bright_field") == 0
    assert _score(f"{long} [tracks]", "tracks") == 1


def _choice(qtbot: Any, viewer: Any, **more: Any) -> LayerChoice:
    made = LayerChoice(viewer, is_movie, role="bright_field", **more)
    qtbot.addWidget(made)
    return made


def _add(viewer: Any, *names: str) -> list[Any]:
    return [viewer.add_image(np.zeros((3, 8, 8)), name=name) for name in names]


def test_name_then_activity_then_place_decide_what_is_proposed(
    qtbot: Any, viewer_model: Any
) -> None:
    first, second, named = _add(viewer_model, "one", "two", "three bf")
    viewer_model.layers.selection.active = first
    choice = _choice(qtbot, viewer_model)
    assert choice.value is named
    viewer_model.layers.remove(named)
    choice.refresh()
    assert choice.value is first
    viewer_model.layers.selection.clear()
    choice.refresh()
    assert choice.value is second


def test_a_choice_that_may_be_none_is_none_unless_a_name_fits(
    qtbot: Any, viewer_model: Any
) -> None:
    (first,) = _add(viewer_model, "one")
    choice = _choice(qtbot, viewer_model, optional=True)
    assert (choice.value, choice.currentText()) == (None, "none")
    _, dic = _add(viewer_model, "gfp", "dic")
    choice.refresh()
    assert choice.value is dic
    choice.value = first
    choice.refresh()
    assert choice.value is first
    choice.value = None
    choice.refresh()
    assert choice.value is None
    with pytest.raises(ValueError, match="cannot be chosen here"):
        choice.value = Image(np.zeros((3, 8, 8)), name="elsewhere")


def test_what_was_chosen_by_hand_or_kept_stays_and_a_hint_comes_first(
    qtbot: Any, viewer_model: Any
) -> None:
    first, named = _add(viewer_model, "one", "bf")
    choice = _choice(qtbot, viewer_model)
    choice.value = first
    choice.refresh()
    assert choice.value is first
    viewer_model.layers.remove(first)
    choice.refresh()
    assert choice.value is named
    (hint,) = _add(viewer_model, "plain")
    hinted = _choice(qtbot, viewer_model, hint=lambda: hint)
    assert hinted.value is hint
    (better,) = _add(viewer_model, "bright bf")
    choice.refresh(keep=True)
    assert choice.value is named
    choice.refresh()
    assert choice.value is better


def test_layers_that_do_not_fit_are_listed_with_the_reason(qtbot: Any, viewer_model: Any) -> None:
    viewer_model.add_image(np.zeros((8, 8, 3), np.uint8), rgb=True, name="photo")
    choice = _choice(qtbot, viewer_model, why_unfit=why_no_movie, nothing="load a movie")
    assert not choice.isEnabled()
    texts = [choice.itemText(place) for place in range(choice.count())]
    assert texts == ["load a movie", f"photo: {why_no_movie(viewer_model.layers[0])}"]
    assert choice.value is None
    assert nothing_fits(viewer_model, "advice").startswith("'photo' is a colour image. Right-click")
    viewer_model.layers.clear()
    assert nothing_fits(viewer_model, "advice") == "advice"
    viewer_model.add_image(np.zeros((2, 3, 8, 8)), axis_labels=("t", "c", "y", "x"), name="two")
    assert nothing_fits(viewer_model, "advice").startswith("'two' has channels. Choose Layers")


def _movie(frames: int = 5) -> Any:
    return Image(np.zeros((frames, 40, 60)), axis_labels=("t", "y", "x"), name="cell")


def _box(*corners: tuple[float, float]) -> Any:
    shapes = Shapes(ndim=2)
    shapes.add([np.array(corners, float)], shape_type="rectangle")
    return shapes


@pytest.mark.parametrize(("right", "stop"), [(10.4, 11), (10.6, 12), (5.6, 7), (99.0, 60)])
def test_a_box_holds_its_border_pixels_within_the_image(right: float, stop: int) -> None:
    region = bounding_box(_movie(), _box((-3, 5), (-3, right), (8, right), (8, 5)))
    assert region.slices == (slice(0, 5), slice(0, 9), slice(5, stop))


@pytest.mark.parametrize(("left", "is_inside"), [(58.0, True), (59.0, False), (70.0, False)])
def test_a_box_has_at_least_two_pixels_on_the_image(left: float, is_inside: bool) -> None:
    box = _box((5, left), (5, left + 20), (20, left + 20), (20, left))
    if is_inside:
        assert bounding_box(_movie(), box).shape == (5, 16, 2)
    else:
        with pytest.raises(InputError, match="lie outside the image 'cell'"):
            bounding_box(_movie(), box)


def test_an_ellipse_reaches_its_box_on_all_sides() -> None:
    corners = np.array([[10, 20], [10, 60], [30, 60], [30, 20]], float)
    around = outline("ellipse", corners)
    np.testing.assert_allclose([around.min(axis=0), around.max(axis=0)], [[10, 20], [30, 60]])
    scaled = (around - [20, 40]) / [10, 20]
    np.testing.assert_allclose(np.hypot(*scaled.T), 1.0)


@pytest.mark.parametrize(
    ("first", "last", "fits"), [(0, 4, True), (4, 4, True), (0, 5, False), (3, 2, False)]
)
def test_a_range_lies_within_the_frames(first: int, last: int, fits: bool) -> None:
    if fits:
        assert frame_range(_movie(), first, last).slices[0] == slice(first, last + 1)
    else:
        with pytest.raises(InputError, match="has frames 0 to 4"):
            frame_range(_movie(), first, last)


def test_the_last_frame_is_offered_until_another_is_chosen(qtbot: Any, viewer_model: Any) -> None:
    from napari_virtualstain.plugin.kit.controls import new_form

    form = new_form()
    choice = RegionChoice(viewer_model, form)
    for widget in choice.widgets():
        qtbot.addWidget(widget)
    choice.follow(_movie(5))
    assert (choice.first.value(), choice.last.value()) == (0, 4)
    choice.follow(_movie(9))
    assert choice.last.value() == 8
    choice.last.setValue(3)
    choice.follow(_movie(7))
    assert (choice.last.value(), choice.last.maximum()) == (3, 6)
    choice.follow(Image(np.zeros((8, 8))))
    assert choice.last.value() == 0
    choice.follow(_movie(5))
    choice.kind.value = RANGE
    choice.first.setValue(4)
    assert choice.why_not() is None
    choice.last.setValue(3)
    assert "lies after the last" in str(choice.why_not())
    choice.kind.value = SHAPES
    assert "Draw a rectangle" in str(choice.why_not())


@pytest.mark.parametrize(("height", "is_said"), [(0.1009, False), (0.1011, True), (0.0989, True)])
def test_pixels_are_square_within_a_hundredth(height: float, is_said: bool) -> None:
    layer = Image(np.zeros((3, 8, 8)), scale=(1.0, height, 0.1))
    assert ("so shapes, lengths and speeds will be wrong" in _remark(layer, 0.1, False)) == is_said


def test_what_a_layer_states_and_does_not_is_said() -> None:
    layer = Image(
        np.zeros((3, 8, 9)),
        scale=(2.0, 0.08, 0.08),
        units=("s", "um", "um"),
        axis_labels=("t", "y", "x"),
    )
    assert facts_text(layer) == "3 frames of 8 x 9 pixels, 0.08 µm per pixel, 2 s per frame"
    assert facts_text(Image(np.zeros((8, 9)))) == "8 x 9 pixels"
    assert _remark(layer, 0.08, False) == _remark(None, None, True) == ""
    assert "pixel size and frame interval. Correct" in _remark(layer, None, True)
    assert "its frame interval. Correct" in _remark(layer, 0.08, True)


@pytest.mark.parametrize(
    ("text", "taken", "marked"),
    [
        ("Run", "", "&Run"),
        ("Run", "r", "R&un"),
        ("Pixel size", "s", "P&ixel size"),
        ("Frames to", "", "Frames &to"),
        ("fvl", "", "fvl"),
        ("Übung", "", "Ü&bung"),
    ],
)
def test_letters_of_menus_and_of_other_controls_are_left_out(
    text: str, taken: str, marked: str
) -> None:
    assert with_mnemonic(text, set(taken)) == marked


def test_a_change_of_the_layer_is_announced_once(qtbot: Any, viewer_model: Any) -> None:
    chosen: list[Any] = []
    choice = _choice(qtbot, viewer_model, nothing="load a movie")
    choice.chosen.connect(chosen.append)
    assert (choice.isEnabled(), choice.currentText(), choice.value) == (False, "load a movie", None)
    first, second = _add(viewer_model, "one bf", "two")
    choice.refresh()
    choice.refresh()
    assert chosen == [first]
    assert choice.isEnabled()
    first.name = "renamed bf"
    choice.refresh()
    assert (choice.currentText(), chosen) == ("renamed bf", [first])
    choice.setCurrentIndex(1)
    assert chosen == [first, second]
    choose_if_fitting(choice, Image(np.zeros((3, 8, 8))))  # of no viewer
    assert choice.value is second
    choose_if_fitting(choice, first)
    assert choice.value is first
    with pytest.raises(ValueError, match="None cannot be chosen here"):
        choice.value = None
    viewer_model.layers.clear()
    choice.refresh()
    assert chosen == [first, second, first, None]


def test_a_layer_picked_with_the_mouse_stays_and_one_that_does_not_fit_cannot_be(
    qtbot: Any, viewer_model: Any
) -> None:
    plain, _ = _add(viewer_model, "plain", "bf")
    viewer_model.add_image(np.zeros((8, 8, 3), np.uint8), rgb=True, name="photo")
    choice = _choice(qtbot, viewer_model, why_unfit=why_no_movie)
    choice.show()
    flags = [bool(choice.model().item(i).flags() & Qt.ItemFlag.ItemIsEnabled) for i in range(3)]
    assert flags == [True, True, False]
    qtbot.keyClick(choice, Qt.Key.Key_Up)  # as the wheel and the mouse do
    assert choice.value is plain
    _add(viewer_model, "bright bf")
    choice.refresh()
    assert choice.value is plain


def test_an_optional_layer_that_was_picked_stays_kept_as_none(
    qtbot: Any, viewer_model: Any
) -> None:
    choice = _choice(qtbot, viewer_model, optional=True)
    assert (choice.currentText(), choice.isEnabled()) == ("none", False)
    (named,) = _add(viewer_model, "bf")
    choice.refresh(keep=True)  # a run goes on without it
    assert choice.value is None
    choice.refresh()
    assert choice.value is named
    viewer_model.layers.clear()
    choice.refresh(keep=True)
    assert choice.value is None


@pytest.mark.parametrize(
    ("layer", "reason"),
    [
        (None, None),
        (Image(np.zeros((3, 8, 8))), None),
        (Image(np.zeros((8, 8))), None),
        (Image(np.zeros((8, 8, 3), np.uint8), rgb=True), "a colour image"),
        (Image([np.zeros((8, 8)), np.zeros((4, 4))], multiscale=True), "a pyramid"),
        (Image(np.zeros((2, 8, 8)), axis_labels=("c", "y", "x")), "has channels"),
        (Labels(np.zeros((8, 8), int)), None),
    ],
)
def test_movies_are_grey_images_without_channels(layer: Any, reason: str | None) -> None:
    assert is_movie(layer) == (reason is None and type(layer) is Image)
    assert str(why_no_movie(layer)).startswith(str(reason))
    if layer is not None and reason:
        layer.metadata["virtualstain"] = {"step": "compare"}  # our own picture
        assert why_no_movie(layer) is None


@pytest.mark.parametrize(
    ("step", "model"), [("simulate", "mito-simulated"), ("load", "mito-h9c2"), (None, "mito-h9c2")]
)
def test_simulated_movies_have_their_own_model(step: str | None, model: str) -> None:
    layer = None if step is None else Image(np.eye(4), metadata={"virtualstain": {"step": step}})
    assert fitting_model(layer) == model
