"""Pairs, regions and parts that a training of the dock is made of, on both sides of each number."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from napari.layers import Image, Shapes

from napari_virtualstain.errors import InputError
from napari_virtualstain.models import Inputs
from napari_virtualstain.plugin.train.dock_settings import DockSettings
from napari_virtualstain.plugin.train.drawn_regions import (
    HELD_OUT,
    DrawnRegion,
    give_role,
    read_regions,
    shared,
)
from napari_virtualstain.plugin.train.effort_rows import PlanesChoice
from napari_virtualstain.plugin.train.hold_out import why_shared
from napari_virtualstain.plugin.train.job import (
    _part_of_time,
    held_out_text,
    why_not_held_out,
    why_not_split,
)
from napari_virtualstain.plugin.train.optics_panel import foreground_ratio, full_width_um
from napari_virtualstain.plugin.train.plot import _smoothed
from napari_virtualstain.plugin.train.sources import (
    PairSource,
    held_out_regions,
    paired_frames,
    pairing_text,
    pixel_size_text,
)
from napari_virtualstain.training import preset


def _settings(**given: Any) -> DockSettings:
    return DockSettings(pixel_size_um=0.08, **given)


def _source(count: int = 8, *regions: DrawnRegion, name: str = "cell", **more: Any) -> PairSource:
    images = np.random.default_rng(0).normal(size=(count, 80, 80))
    return PairSource(name, images, images, "tyx", regions=regions, **more)


def _beside(number: int, **more: Any) -> DrawnRegion:
    return DrawnRegion(number, (0, 20 * number, 40, 20 * number + 20), **more)


@pytest.mark.parametrize(
    ("frames", "first_late"), [(4, 3), (8, 6), (9, 7), (10, 8), (12, 9), (100, 75)]
)
def test_the_last_quarter_of_the_frames_judges(frames: int, first_late: int) -> None:
    parts = [_part_of_time(time, frames, None) for time in range(frames)]
    assert parts == ["first frames"] * first_late + ["last frames"] * (frames - first_late)
    count = frames - first_late
    what = "the last frame" if count == 1 else f"the last {count} frames"
    assert held_out_text((_source(frames),), _settings(by="time")) == what


def test_parts_of_time_in_turn_are_of_equal_length() -> None:
    parts = [_part_of_time(time, 7, 3) for time in range(7)]
    assert parts == ["frames 0 to 2"] * 3 + ["frames 3 to 4"] * 2 + ["frames 5 to 6"] * 2
    assert [_part_of_time(time, 2, 5) for time in range(2)] == ["frames 0 to 0", "frames 1 to 1"]


@pytest.mark.parametrize(
    ("by", "regions", "frames", "said"),
    [
        ("region", 2, 1, None),
        ("region", 1, 9, "1 region was drawn"),
        ("region", 0, 9, "0 regions were drawn"),
        ("time", 0, 4, None),
        ("time", 0, 3, "There are 3 frames"),
        ("time", 0, 1, "There is 1 frame of"),
    ],
)
def test_two_regions_or_four_frames_are_needed(
    by: str, regions: int, frames: int, said: str | None
) -> None:
    reason = why_not_held_out(by, regions, frames)
    assert (reason is None) == (said is None)
    assert reason is None or said in reason


def test_what_is_held_out_is_said_in_words() -> None:
    two = (_source(8, _beside(1), _beside(2), name="a"), _source(4, _beside(3), name="b"))
    assert held_out_text(two, _settings(by="time")) == "the last 2 frames of each pair"
    assert held_out_text(two, _settings(by="pair")) == "pair 'b'"
    assert held_out_text((), _settings(by="pair")) == ""
    assert held_out_text(two, _settings(by="region")) == "region 3 of b"
    assert held_out_text(two[:1], _settings(by="region")) == "region 2"
    marked = _source(8, _beside(1, held_out=True), _beside(2, held_out=True), _beside(3))
    assert held_out_text((marked,), _settings(by="region")) == "regions 1, 2"
    assert held_out_text((_source(),), _settings(by="region")) == ""
    for by, what in (("time", "frames"), ("region", "regions"), ("pair", "pairs")):
        assert held_out_text(two, _settings(by=by, folds=3)) == f"{what} in turn"


def test_marked_regions_judge_else_the_last_one() -> None:
    regions = _beside(1, held_out=True), _beside(2)
    assert [r.number for _, r in held_out_regions([_source(8, *regions)])] == [1]
    assert [r.number for _, r in held_out_regions([_source(8, _beside(1), _beside(2))])] == [2]
    assert held_out_regions([_source()]) == []


@pytest.mark.parametrize(
    ("sources", "given", "said"),
    [
        ((_source(),), {"by": "pair"}, "There is one pair of layers"),
        ((_source(), _source()), {"by": "pair"}, None),
        ((_source(), _source(3)), {"by": "time"}, "There are 3 frames"),
        ((_source(8, _beside(0), _beside(1)),), {"by": "region"}, None),
        (
            (_source(8, _beside(0, held_out=True), _beside(1, held_out=True)),),
            {"by": "region"},
            "All regions are held out",
        ),
        (
            (_source(8, _beside(0, held_out=True), _beside(1, held_out=True)),),
            {"by": "region", "folds": 2},
            None,
        ),
        ((_source(8, _beside(0), DrawnRegion(7, (0, 0, 40, 40))),), {"by": "region"}, "overlap"),
        (
            (_source(8, _beside(0), DrawnRegion(7, (0, 0, 40, 40))),),
            {"by": "region", "allow_leakage": True},
            None,
        ),
        (
            (_source(8, _beside(0), DrawnRegion(7, (0, 0, 40, 40)), _beside(3)),),
            {"by": "region"},
            None,
        ),
        (
            (_source(8, _beside(0), DrawnRegion(7, (0, 0, 40, 40)), _beside(3)),),
            {"by": "region", "folds": 2},
            "Regions 0 and 7 overlap",
        ),
        ((_source(8, _beside(0, problem="too small"), _beside(1)),), {"by": "region"}, "too small"),
        ((_source(8, _beside(0, problem="too small")),), {"simulate": True}, None),
        ((_source(8, _beside(0, frame=9)),), {"by": "time"}, "has no fluorescence"),
        ((_source(8, _beside(0, frame=7)),), {"by": "time"}, None),
    ],
)
def test_pairs_that_cannot_be_split_are_refused(
    sources: tuple[PairSource, ...], given: dict[str, Any], said: str | None
) -> None:
    reason = why_not_split(sources, _settings(**given))
    assert (reason is None) == (said is None), reason
    assert reason is None or said in reason


def test_equal_pixels_on_both_sides_are_found() -> None:
    one, other = DrawnRegion(1, (0, 0, 40, 40)), DrawnRegion(2, (20, 20, 60, 60))
    apart = DrawnRegion(3, (40, 40, 80, 80))
    overlapping = (_source(2, one, other, apart),)
    assert why_shared(overlapping, in_turn=False) is not None  # the third judges, and shares
    text = why_shared((_source(2, one, other),), in_turn=False)
    assert text is not None
    assert "Region 2 of 'cell' in frame 0 shows 25% of the pixels of region 1" in text
    assert why_shared((_source(2, one, apart),), in_turn=True) is None
    both = (_source(2, one, other, DrawnRegion(3, (0, 60, 20, 80))),)
    assert why_shared(both, in_turn=False) is None
    assert why_shared(both, in_turn=True) is not None


@pytest.mark.parametrize(("common", "is_shared"), [(7, False), (8, True)])
@pytest.mark.parametrize("is_turned", [False, True])
def test_regions_overlap_from_eight_pixels(common: int, is_shared: bool, is_turned: bool) -> None:
    one, other = DrawnRegion(1, (0, 0, 40, 40)), DrawnRegion(2, (0, 40 - common, 40, 80))
    if is_turned:
        other = DrawnRegion(2, (40 - common, 0, 80, 40))
    assert bool(shared([one, other])) == is_shared


def test_regions_of_different_frames_do_not_overlap() -> None:
    box = (0, 0, 40, 40)
    assert not shared([DrawnRegion(1, box, frame=1), DrawnRegion(2, box, frame=2)])
    assert shared([DrawnRegion(1, box, frame=1), DrawnRegion(2, box, frame=1)])
    assert shared([DrawnRegion(1, box, frame=1), DrawnRegion(2, box)])


def _drawn(kind: str, *corners: tuple[float, float]) -> DrawnRegion:
    image, shapes = Image(np.zeros((60, 80)), name="cell"), Shapes(ndim=2)
    shapes.add([np.array(corners, float)], shape_type=kind)
    (region,) = read_regions(image, shapes)
    return region


@pytest.mark.parametrize(("side", "is_used"), [(14, False), (15, True)])
def test_regions_are_16_pixels_wide_and_high(side: int, is_used: bool) -> None:
    """Both borders are inside: from 10 to 25 are 16 pixels."""
    corners = ((10, 10), (10, 50), (10 + side, 50), (10 + side, 10))
    region = _drawn("rectangle", *corners)
    assert region.size == (side + 1, 41)
    assert (region.problem == "") == is_used
    assert is_used or f"Region 1 is {side + 1} x 41 pixels" in region.problem
    turned = _drawn("rectangle", *(corner[::-1] for corner in corners))
    assert (turned.problem == "") == is_used


@pytest.mark.parametrize(("tilt_px", "is_upright"), [(0.4, True), (0.6, False)])
def test_a_rectangle_that_is_tilted_by_half_a_pixel_keeps_its_corners(
    tilt_px: float, is_upright: bool
) -> None:
    corners = ((10.0, 10.0), (10.0, 50.0), (40.0, 50.0), (40.0, 10.0))
    tilted = [(y + tilt_px * (x > 30), x + tilt_px * (y < 20)) for y, x in corners]
    assert (_drawn("rectangle", *tilted).vertices == ()) == is_upright


def test_the_background_of_the_weight_map_is_that_of_the_recommended_method() -> None:
    settings = DockSettings(pixel_size_um=0.1)
    assert settings.weight_background == preset("recommended").loss.weight_background


def test_regions_are_cut_at_the_border_of_the_image() -> None:
    region = _drawn("rectangle", (-9, -5), (-9, 200), (100, 200), (100, -5))
    assert (region.box, region.problem, region.vertices) == ((0, 0, 60, 80), "", ())
    assert "lies outside" in _drawn("rectangle", (70, 0), (70, 40), (99, 40), (99, 0)).problem
    assert "has no inside" in _drawn("path", (0, 0), (30, 30), (40, 0)).problem


@pytest.mark.parametrize(("tilt", "is_upright"), [(0.4, True), (0.6, False)])
def test_a_rectangle_is_upright_up_to_half_a_pixel(tilt: float, is_upright: bool) -> None:
    region = _drawn("rectangle", (10, 10), (10 + tilt, 50), (40 + tilt, 50), (40, 10))
    assert (region.vertices == ()) == is_upright
    assert _drawn("polygon", (10, 10), (10, 50), (40, 50), (40, 10)).vertices


def test_regions_may_hold_for_their_frame_alone() -> None:
    image = Image(np.zeros((5, 60, 80)), scale=(2, 1, 1), axis_labels=("t", "y", "x"))
    shapes = Shapes(ndim=3, scale=(2, 1, 1))
    for frame in (3, 9):
        shapes.add([np.array([[frame, 0, 0], [frame, 0, 40], [frame, 40, 40], [frame, 40, 0]])])
    give_role(shapes, [1], HELD_OUT)
    assert [r.frame for r in read_regions(image, shapes, each_frame=True)] == [3, 4]
    regions = read_regions(image, shapes)
    assert [(r.number, r.frame, r.held_out) for r in regions] == [(1, None, False), (2, None, True)]
    assert read_regions(image, None) == ()


def _layer(frames: int, interval_s: float = 2.0, start_s: float = 0.0, side: int = 8) -> Any:
    data = np.zeros((frames, side, side))
    where = {"scale": (interval_s, 1, 1), "translate": (start_s, 0, 0)}
    return Image(data, axis_labels=("t", "y", "x"), name=f"{frames} frames", **where)


@pytest.mark.parametrize(
    ("fluorescence", "frames"),
    [
        (_layer(9), None),
        (_layer(3, 6.0), (0, 3, 6)),
        (_layer(3, 6.0, 0.9), (0, 3, 6)),
        (_layer(3, 6.0, 1.1), (1, 4, 7)),
    ],
)
def test_frames_are_paired_by_their_times(fluorescence: Any, frames: tuple[int, ...]) -> None:
    assert paired_frames(_layer(9), fluorescence) == frames


@pytest.mark.parametrize(
    ("fluorescence", "said"),
    [
        (_layer(3, 6.0, -1.1), "their times do not fit"),
        (_layer(3, 7.0, 3.1), "their times do not fit"),
        (_layer(3, 0.5), "their times do not fit"),
        (_layer(3, 6.0, side=9), "unlike shapes"),
    ],
)
def test_frames_without_a_partner_in_time_are_refused(fluorescence: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        paired_frames(_layer(9), fluorescence)


def test_images_are_planes_times_regions() -> None:
    stack = np.zeros((4, 3, 20, 20))
    regions = DrawnRegion(1, (0, 0, 16, 16)), DrawnRegion(2, (0, 0, 16, 16), frame=2)
    source = PairSource("cell", stack, stack, "tzyx")
    assert (source.planes, source.images) == (12, 12)
    assert PairSource("cell", stack, stack, "tzyx", regions=regions).images == 12 + 3
    sparse = PairSource("cell", stack, stack, "tzyx", frames=(0, 3, 6, 9), regions=regions)
    assert sparse.images == 12
    assert PairSource("cell", stack[0, 0], None, "yx").images == 1


@pytest.mark.parametrize(
    ("given", "stated", "model", "said"),
    [
        (0.0807, 0.08, None, ""),
        (0.0809, 0.08, None, "but the layer states 0.08"),
        (0.0791, 0.08, None, "but the layer states 0.08"),
        (0.08, None, 0.0, ""),
        (0.08, None, 0.08, ""),
        (0.08, None, 0.16, "was trained at 0.16"),
    ],
)
def test_pixel_sizes_that_disagree_are_said(
    given: float, stated: float | None, model: float | None, said: str
) -> None:
    card = None if model is None else SimpleNamespace(name="tiny", pixel_size_um=model)
    text = pixel_size_text(given, stated, card)
    assert bool(text) == bool(said)
    assert said in text


def test_what_pairs_with_what_is_said_in_a_line() -> None:
    assert pairing_text([_source()], "the last 2 frames") == (
        "8 frames = 8 pairs, whole images, the last 2 frames held out"
    )
    two = [_source(name="a"), _source(1, name="b")]
    assert pairing_text(two, "") == (
        "a: 8 frames = 8 pairs, whole images\nb: 1 frame = 1 pair, whole images"
    )
    few = pairing_text([_source(6, frames=(0, 2, 4, 6, 8, 10))], "")
    assert "(of bright-field frames 0, 2, 4, 6, 8, 10)" in few
    assert "0, 1, 2, 3, 4, 5, …)" in pairing_text([_source(7, frames=tuple(range(7)))], "")


@pytest.mark.parametrize(("crop", "is_said"), [(20, False), (21, True)])
def test_crops_are_no_larger_than_the_smallest_region(crop: int, is_said: bool) -> None:
    regions = _beside(1), DrawnRegion(2, (0, 26, 40, 76))
    text = pairing_text([_source(8, *regions)], "region 2", crop_size=crop)
    assert text.startswith("2 regions x 8 frames = 16 pairs")
    assert "Regions 1 and 2 overlap" in text
    assert ("The smallest region is 20 px" in text) == is_said


@pytest.mark.parametrize(
    ("steps", "every"), [(5, 1), (19, 1), (20, 2), (499, 49), (500, 50), (9000, 50)]
)
def test_a_tenth_of_the_steps_lies_between_two_judgements(steps: int, every: int) -> None:
    assert _settings(steps=steps).config_fields()["validate_every"] == every


@pytest.mark.parametrize(
    ("sizes", "offered", "usual"),
    [
        ({}, [1], 1),
        ({"t": 2}, [1], 1),
        ({"t": 3}, [1, 3], 1),
        ({"t": 4}, [1, 3], 1),
        ({"t": 5}, [1, 3, 5], 1),
        ({"z": 2}, [1], 1),
        ({"z": 3}, [1, 3], 3),
        ({"z": 5, "t": 3}, [1, 3, 5, 3], 3),
    ],
)
def test_as_many_planes_are_offered_as_there_are(
    qtbot: Any, sizes: dict[str, int], offered: list[int], usual: int
) -> None:
    choice = PlanesChoice()
    qtbot.addWidget(choice)
    choice.follow(sizes, None)
    assert [choice.itemData(place)[0] for place in range(choice.count())] == offered
    assert choice.asked == usual
    assert choice.isEnabled() == (len(offered) > 1)
    choice.follow(sizes, SimpleNamespace(inputs=Inputs(planes=3, axis="t")))
    assert (choice.asked, choice.currentText()) == (None, "3, before and after, as the model")


def test_the_width_of_a_kernel_is_that_at_half_its_height() -> None:
    x = np.arange(-10, 11)
    kernel = np.exp(-(x[:, None] ** 2 + x[None] ** 2) / (2 * 2.0**2))
    assert full_width_um(kernel, 0.1) == pytest.approx(0.1 * 2.355 * 2.0, rel=0.02)
    assert full_width_um(np.ones((5, 5)), 0.1) == pytest.approx(0.5)
    assert full_width_um(np.array([[0.0, 1.0, 0.0]]), 1.0) == pytest.approx(1.0)


def test_weights_are_compared_inside_and_outside_of_bright_structures() -> None:
    plane = np.zeros((8, 8))
    plane[:2] = 10
    weights = np.where(plane > 0, 0.9, 0.3)
    assert foreground_ratio(weights, plane) == pytest.approx((0.9, 0.3, 3.0))
    assert foreground_ratio(np.where(plane > 0, 0.9, 0.0), plane)[2] == np.inf
    mean = float(weights.mean())
    assert foreground_ratio(weights, np.full((8, 8), 3.0)) == pytest.approx((mean, mean, 1.0))


def test_the_curve_forgets_a_tenth_at_each_step() -> None:
    smooth = _smoothed(np.array([1.0, 0.0, 0.0]))
    np.testing.assert_allclose(smooth, [1.0, 0.09 / 0.19, 0.081 / 0.271])
