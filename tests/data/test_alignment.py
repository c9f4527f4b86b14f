"""Alignment of channels: known displacements, and what must be recognised."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from napari_virtualstain.data import (
    Alignment,
    CorrelativePairs,
    alignment,
    correct_alignments,
    measure_alignment,
    measure_alignments,
)
from napari_virtualstain.data.alignment import _is_same

SHIFTS = [(0, 0), (3, 2), (6, -5), (-8, 4), (12, 0), (0, -12)]
RIM = 20


def _scenes(count: int = 4, size: int = 200) -> list[np.ndarray]:
    """Return rods of fluorescence on a dark background."""
    rng = np.random.default_rng(0)
    noise = ndimage.gaussian_filter(rng.normal(size=(count, size, size)), (0, 1.5, 3.0))
    return [np.clip(one - one.std(), 0, None) * 500 + 10 for one in noise]


def _stains(scenes: list[np.ndarray]) -> list[np.ndarray]:
    """Return poor stains: blurred, with as much noise and with structures of their own."""
    rng = np.random.default_rng(1)
    other = ndimage.gaussian_filter(rng.normal(size=(len(scenes), *scenes[0].shape)), (0, 2, 2))
    return [
        ndimage.gaussian_filter(one, 1.0) / one.std() + 2.0 * noise / noise.std()
        for one, noise in zip(scenes, other, strict=True)
    ]


def _cut(images: list[np.ndarray], dy: int = 0, dx: int = 0) -> list[np.ndarray]:
    return [
        one[RIM - dy : one.shape[0] - RIM - dy, RIM - dx : one.shape[1] - RIM - dx]
        for one in images
    ]


@pytest.mark.parametrize(("dy", "dx"), SHIFTS)
def test_a_shift_is_found_to_a_third_of_a_pixel(dy: int, dx: int) -> None:
    scenes = _scenes()
    found = measure_alignment(_cut(_stains(scenes)), _cut(scenes, dy, dx))
    assert found.is_certain
    assert abs(found.dy - dy) < 0.3
    assert abs(found.dx - dx) < 0.3
    assert found.is_worth_correcting == ((dy, dx) != (0, 0))


@pytest.mark.parametrize(("angle", "scale"), [(2.0, 1.0), (-3.0, 1.0), (1.0, 1.0), (0.0, 1.04)])
def test_a_turned_or_magnified_channel_is_measured_and_straightened(
    angle: float, scale: float
) -> None:
    scenes = _scenes()
    radians = np.deg2rad(angle)
    turn = np.array([[np.cos(radians), -np.sin(radians)], [np.sin(radians), np.cos(radians)]])
    back = np.linalg.inv(scale * turn)
    centre = (np.array(scenes[0].shape) - 1) / 2
    made = [ndimage.affine_transform(one, back, centre - back @ centre, order=3) for one in scenes]
    found = measure_alignment(_cut(_stains(scenes)), _cut(made))
    assert found.angle_deg == pytest.approx(angle, abs=0.6)
    assert found.scale == pytest.approx(scale, abs=0.01)
    assert (found.angle_deg != 0, found.scale != 1) == (angle != 0, scale != 1)
    pairs = CorrelativePairs.from_arrays(_cut(scenes), _cut(made))
    corrected = correct_alignments(pairs, {"all": found})
    before, after = (
        np.corrcoef(np.ravel(p.bright_field[0][0]), np.ravel(p.fluorescence[0]))[0, 1]
        for p in (pairs, corrected)
    )
    assert after > max(0.85, before)
    assert any("turned" in note or "magnified" in note for note in corrected.notes)


def test_without_common_structures_the_shift_is_unknown_and_nothing_is_moved() -> None:
    scenes = _scenes(8)
    found = measure_alignment(_cut(scenes[:4]), _cut(scenes[4:]))
    assert not found.is_certain
    assert "unknown" in found.text
    pairs = CorrelativePairs.from_arrays(_cut(scenes[:4]), _cut(scenes[4:]))
    assert correct_alignments(pairs, {"all": found}).fluorescence[0] is pairs.fluorescence[0]


def test_every_frame_of_a_group_is_moved_by_the_same() -> None:
    scenes = _scenes()
    pairs = CorrelativePairs.from_arrays(_cut(scenes), _cut(scenes, 6, -5))
    found = measure_alignments(pairs, stain=lambda planes: planes[0])
    corrected = correct_alignments(pairs, found)
    for light, glow in zip(corrected.bright_field, corrected.fluorescence, strict=True):
        assert np.corrcoef(light[0].ravel(), glow.ravel())[0, 1] > 0.95


def test_swapped_equal_and_mirrored_channels_are_named() -> None:
    rng = np.random.default_rng(2)
    scenes = _scenes()
    lights = [100 - 0.2 * one + rng.normal(0, 8, one.shape) for one in scenes]
    stains = _stains(scenes)

    def problem(
        reference: list[np.ndarray], glow: list[np.ndarray], light: list[np.ndarray]
    ) -> str:
        found = measure_alignment(_cut(reference), _cut(glow), bright_field=_cut(light))
        assert found.is_certain == (found.problem == "")
        return found.problem

    assert problem(stains, scenes, lights) == ""
    assert problem(stains, lights, scenes) == "swapped"
    assert problem(stains, lights, lights) == "same"
    assert problem(stains, [np.fliplr(one) for one in scenes], lights) == "mirrored"


def test_real_cells_are_found_where_they_were_put(real_data: object) -> None:
    """The stain is of a model that was trained on simulated images alone."""
    skimage_io = pytest.importorskip("skimage.io")
    folder = real_data("h9c2_pairs", "bright_field")  # type: ignore[operator]
    from napari_virtualstain.staining import stain

    names = sorted(folder.glob("*TL_012*"))[::2]
    light = [skimage_io.imread(path).astype(np.float32) for path in names]
    glow = [
        skimage_io.imread(folder.parent / "fluorescence" / path.name).astype(float)
        for path in names
    ]
    stained = stain(np.stack(light), "mito-simulated", pixel_size_um=0.08)
    there = measure_alignment(_cut(list(stained)), _cut(glow), bright_field=_cut(light))
    moved = measure_alignment(_cut(list(stained)), _cut(glow, 6, -5), bright_field=_cut(light))
    assert there.is_certain
    assert not there.is_worth_correcting
    assert moved.is_worth_correcting
    assert moved.dy - there.dy == pytest.approx(6, abs=0.3)
    assert moved.dx - there.dx == pytest.approx(-5, abs=0.3)


def test_regions_of_one_movie_are_measured_together_and_moved_alike() -> None:
    scenes = _scenes()
    pairs = CorrelativePairs.from_arrays(
        _cut(scenes),
        _cut(scenes, 6, -5),
        groups=["region 1", "region 1", "region 2", "region 3"],
        movies=["a", "a", "a", "b"],
    )
    found = measure_alignments(pairs, stain=lambda planes: planes[0])
    assert found["region 1"] == found["region 2"]
    assert found["region 1"].pairs == 3
    assert found["region 3"].pairs == 1
    from napari_virtualstain.data import alignment_notes

    assert [note.split(":")[0] for note in alignment_notes(found)] == [
        "Groups region 1, region 2",
        "Group region 3",
    ]


def test_a_long_recording_is_measured_from_32_pairs_spread_over_it() -> None:
    scenes = _scenes(40, 100)
    seen: list[float] = []

    def stain(planes: np.ndarray) -> np.ndarray:
        seen.append(float(planes.mean()))
        return planes[0]

    pairs = CorrelativePairs.from_arrays(_cut(scenes), _cut(scenes, 3, 2))
    assert measure_alignments(pairs, stain=stain)["all"].pairs == 32
    every = [float(one.mean()) for one in _cut(scenes)]
    assert seen == [every[round(i)] for i in np.linspace(0, 39, 32)]


def test_one_small_scene_states_an_error_that_covers_the_truth() -> None:
    """Frames of one cell repeat its structures: parts of the field tell the error, not frames."""
    rng = np.random.default_rng(3)
    covered, stated = [], []
    for _ in range(12):
        scene = ndimage.gaussian_filter(rng.normal(size=(140, 140)), 2)
        other = ndimage.gaussian_filter(rng.normal(size=(140, 140)), 2)
        poor = scene / scene.std() + 1.5 * other / other.std()  # errors of the stain, in each frame
        frames = [poor + 0.1 * rng.normal(size=poor.shape) for _ in range(4)]
        found = measure_alignment(_cut(frames), _cut([scene] * 4, 3, -2))
        if found.is_certain:
            covered.append(np.hypot(found.dy - 3, found.dx + 2) <= 2 * found.spread_px + 0.1)
            stated.append(found.spread_px)
    assert len(covered) >= 6
    assert np.mean(covered) >= 0.8
    assert min(stated) > 0.02


def test_a_rough_shift_is_said_to_be_about_and_a_poor_one_unknown() -> None:
    known = Alignment(6.1, -5.0, significance=9.0, spread_px=0.3, pairs=8)
    assert "about" not in known.text
    assert known.is_fine
    rough = replace(known, spread_px=0.31)
    assert rough.text == "fluorescence displaced by about dy +6.1, dx -5.0 px, within 0.6"
    assert not rough.is_fine
    assert "within 2.5" in replace(known, has_stain=False).text
    assert replace(known, spread_px=1.2).is_certain
    assert "unknown" in replace(known, spread_px=1.21).text
    assert known.is_certain
    assert not replace(known, significance=7.9).is_certain


def test_a_constant_image_is_like_no_other() -> None:
    image, flat = np.random.default_rng(0).normal(size=(16, 16)), np.ones((16, 16))
    assert _is_same(image, 3 * image + 1)
    assert _is_same(image, -image)
    waves = np.mgrid[:16, :16] * np.pi / 8
    one, other = np.sin(waves)  # nothing in common
    for noise, is_same in ((0.19, True), (0.22, False)):  # correlation 0.982 and 0.977
        assert _is_same(one, one + noise * other) == is_same
    for first, second in ((image, flat), (flat, image), (flat, flat), (image, image[:8])):
        assert not _is_same(first, second)


@pytest.mark.parametrize(
    ("light", "glow", "is_swapped"),
    [(1.21, 0.5, True), (1.19, 0.5, False), (1.6, 1.09, True), (1.6, 1.11, False)],
)
def test_channels_are_swapped_where_the_bright_field_alone_is_skewed(
    monkeypatch: pytest.MonkeyPatch, light: float, glow: float, is_swapped: bool
) -> None:
    monkeypatch.setattr(alignment, "fine_skewness", lambda image: float(image.max()))
    lights, glows = ([np.full((2, 2), skew)] * 3 for skew in (light, glow))
    assert alignment._is_swapped(lights, glows) == is_swapped


@pytest.mark.parametrize(
    ("given", "worth"),
    [
        ({"dx": 0.9}, False),
        ({"dx": 1.1}, True),
        ({"dx": 1.5, "spread_px": 0.8}, False),  # within two standard errors
        ({"dx": 1.7, "spread_px": 0.8}, True),
        ({"dx": 3.9, "has_stain": False}, False),
        ({"dx": 4.1, "has_stain": False}, True),
        ({"angle_deg": 0.5}, True),
        ({"scale": 1.01}, True),
        ({"angle_deg": 0.5, "significance": 7.9}, False),
    ],
)
def test_shifts_beyond_their_error_and_all_turns_are_worth_correcting(
    given: dict[str, float], worth: bool
) -> None:
    found = Alignment(**{"significance": 9.0, "spread_px": 0.2, **given})
    assert found.is_worth_correcting == worth


@pytest.mark.parametrize(
    ("plain", "flipped", "is_mirrored"),
    [
        (3.0, 6.9, False),  # no peak that stands out
        (3.0, 7.1, True),
        (5.5, 7.6, False),  # not so much higher
        (5.5, 7.8, True),
        (5.9, 30.0, True),
        (6.0, 30.0, False),  # fits as it is
    ],
)
def test_a_channel_is_mirrored_where_flipped_it_fits_clearly_and_as_it_is_it_does_not(
    monkeypatch: pytest.MonkeyPatch, plain: float, flipped: float, is_mirrored: bool
) -> None:
    monkeypatch.setattr(alignment, "_significance", lambda _: flipped)
    pair = np.random.default_rng(0).normal(size=(2, 32, 32))
    assert alignment._is_mirrored([tuple(pair)], 4, Alignment(significance=plain)) == is_mirrored


@pytest.mark.parametrize(("size", "is_measured"), [(32, False), (33, True)])
def test_images_no_larger_than_the_search_are_no_evidence(size: int, is_measured: bool) -> None:
    images = [one[:size, :size] for one in _scenes(2)]
    found = measure_alignment(images, images, search_px=16)
    assert (found.significance > 0) == is_measured
    assert found.pairs == 2


@pytest.mark.parametrize("flat", [0.0, 0.4, np.nan])
def test_frames_without_contrast_are_passed_over(flat: float) -> None:
    scenes = _cut(_scenes(2))
    dark = np.full_like(scenes[0], flat)
    alone = measure_alignment(scenes[:1], scenes[:1])
    found = measure_alignment([scenes[0], dark], [scenes[0], scenes[1]])
    assert found.significance == alone.significance
    assert measure_alignment([0.001 * scenes[0]], scenes[:1]).significance > 6
    assert not measure_alignment([dark], scenes[:1]).is_certain


@pytest.mark.parametrize(
    ("angle", "gain", "scale_gain", "found"),
    [
        (2.0, 0.1, 0.0, (0.0, 1.0)),  # fits hardly better
        (2.0, 0.2, 0.0, (2.0, 1.0)),
        (2.0, 0.2, 0.04, (2.0, 1.0)),
        (2.0, 0.2, 0.06, (2.0, 1.02)),
        (0.2, 0.2, 0.06, (0.0, 1.02)),
        (0.3, 0.2, 0.06, (0.3, 1.02)),
        (-0.3, 0.2, 0.06, (-0.3, 1.02)),
        (-2.9, 0.2, 0.06, (-2.9, 1.02)),
        (2.9, 0.2, 0.06, (2.9, 1.02)),
    ],
)
def test_a_turn_or_a_scale_counts_where_it_fits_clearly_better(
    monkeypatch: pytest.MonkeyPatch,
    angle: float,
    gain: float,
    scale_gain: float,
    found: tuple[float, float],
) -> None:
    """The height of the peak is a parabola of angle and scale, 0.5 for the channel as it is."""

    def better(share: float, most: float) -> float:
        return 1 + most * (1 - (share - 1) ** 2)

    def peak(reference: np.ndarray, made: np.ndarray, search_px: int) -> np.ndarray:
        turned, magnified = made
        return 0.5 * better(turned / angle, gain) * better((magnified - 1) / 0.02, scale_gain)

    monkeypatch.setattr(alignment, "straightened", lambda target, *of: np.array(of))
    monkeypatch.setattr(alignment, "_band", lambda image: image)
    monkeypatch.setattr(alignment, "_correlation", peak)
    image = np.zeros((4, 4))
    assert alignment._deformation([(image, image)], 4, None) == pytest.approx(found)


def test_an_error_is_stated_from_three_parts_on() -> None:
    y, x = np.mgrid[-8:9, -8:9]
    parts = [np.exp(-((y - d) ** 2 + x**2) / 8) for d in (0, 1, 0)]
    assert alignment._jackknife(parts[:2], 8) == 0
    assert 0.1 < alignment._jackknife(parts, 8) < 2


@pytest.mark.parametrize(
    ("angle_deg", "scale"), [(2.0, 1.0), (-2.0, 1.0), (0.0, 1.04), (0.0, 0.96), (1.0, 1.03)]
)
def test_a_channel_that_is_straightened_loses_the_rim_that_may_be_missing(
    angle_deg: float, scale: float
) -> None:
    found = Alignment(0, 0, angle_deg, scale, significance=9.0, spread_px=0.2)
    images = np.random.default_rng(0).normal(size=(1, 200, 180))
    pairs = correct_alignments(CorrelativePairs.from_arrays(images, images), {"all": found})
    moves_px = (np.deg2rad(abs(angle_deg)) + abs(scale - 1)) * 100  # at the end of the longer side
    for before, after in zip((200, 180), pairs.fluorescence[0].shape, strict=True):
        assert 2 * moves_px - 1e-6 <= before - after <= 2 * moves_px + 2
    assert pairs.bright_field[0].shape[1:] == pairs.fluorescence[0].shape


def test_of_a_narrow_strip_no_rim_is_cut_that_would_take_half_of_it() -> None:
    found = Alignment(0, 0, 5.0, significance=9.0, spread_px=0.2)  # 18 px at the ends
    for rows, kept in ((72, 72), (73, 37)):
        images = np.random.default_rng(0).normal(size=(1, rows, 400))
        pairs = correct_alignments(CorrelativePairs.from_arrays(images, images), {"all": found})
        assert pairs.fluorescence[0].shape == (kept, 364)


def test_a_channel_that_is_only_displaced_is_not_turned() -> None:
    images = np.random.default_rng(0).normal(size=(1, 64, 64))
    pairs = CorrelativePairs.from_arrays(images, images)
    shifted = Alignment(3, 0, significance=9.0, spread_px=0.2)
    notes = correct_alignments(pairs, {"all": shifted}).notes
    assert "moved by dy -3" in notes[-1]
    assert not any("turned" in note for note in notes)
    turned = replace(shifted, angle_deg=1.0)
    assert any("turned" in note for note in correct_alignments(pairs, {"all": turned}).notes)


@pytest.mark.parametrize("turn", [(1, 0), (-1, 0), (0, 1), (0, -1)])
def test_a_shift_is_never_beyond_those_that_are_looked_for(turn: tuple[int, int]) -> None:
    """Of a slope the vertex would lie hundreds of pixels away."""
    y, x = np.mgrid[-8:9, -8:9]
    slope = turn[0] * y + turn[1] * x - 0.001 * (y**2 + x**2)
    assert alignment._vertex(slope, 8) == pytest.approx((8 * turn[0], 8 * turn[1]), abs=0.01)


@pytest.mark.parametrize(("gain", "offset"), [(1e-3, 0.0), (1.0, 500.0), (40.0, -7.0)])
def test_skewness_is_blind_to_gain_and_offset(gain: float, offset: float) -> None:
    scene = _scenes(1)[0]
    expected = alignment.fine_skewness(scene)
    assert expected > 0.5
    assert alignment.fine_skewness(gain * scene + offset) == pytest.approx(expected, rel=1e-6)
    assert alignment.fine_skewness(np.full((32, 32), offset)) == 0


@pytest.mark.parametrize(
    ("heights", "place"),
    [
        ([1.0, 3.0, 2.0], 1.0 + 0.1 / 3 / 2),
        ([3.0, 2.0, 1.0], 0.9),
        ([1.0, 2.0, 3.0], 1.1),
        ([np.nextafter(1, 0), 1.0, 1.0], 1.0),  # flat to the last digit
        ([0.5, np.nan, 0.5], 1.0),
    ],
)
def test_a_scale_lies_at_the_vertex_where_there_is_one(heights: list[float], place: float) -> None:
    found = alignment._refined(dict(zip((0.9, 1.0, 1.1), heights, strict=True)))
    assert found == pytest.approx(place)
