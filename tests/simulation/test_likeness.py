"""Simulated pairs that resemble a movie, of which there is bright-field only."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from napari_virtualstain.errors import CancelledError, InputError
from napari_virtualstain.progress import CancelToken
from napari_virtualstain.simulation import (
    Microscope,
    SceneConfig,
    Still,
    likeness,
    simulate_frames,
    simulate_like,
)
from napari_virtualstain.simulation.likeness import (
    bright_field_statistics,
    checked_microscope,
    likeness_shares,
)

QUICK = {"number": 4, "candidates": 12, "size": 64, "pixel_size_um": 0.08}


def _movie(number: int = 3, size: int = 128, **optics: float) -> list[np.ndarray]:
    config = replace(SceneConfig(), microscope=replace(Microscope(), **optics))
    stills = simulate_frames(number, size=size, seed=5, config=config, vary=False)
    return [still.bright_field for still in stills]


def test_statistics_are_blind_to_the_camera_and_see_a_blur() -> None:
    from scipy.ndimage import gaussian_filter

    image = _movie(1)[0].astype(float)
    same = bright_field_statistics(3.7 * image + 500)
    np.testing.assert_allclose(same, bright_field_statistics(image), rtol=1e-6, atol=1e-6)
    blurred = bright_field_statistics(gaussian_filter(image, 2))
    assert blurred[0] < same[0] - 0.5  # the finest band has lost its power
    turned = bright_field_statistics(np.rot90(image))
    np.testing.assert_allclose(turned, same, atol=0.05)


def test_the_scenes_like_the_movie_are_drawn() -> None:
    rng = np.random.default_rng(0)
    scenes = rng.normal(size=(80, 6))
    movie = scenes[[7]] + 0.01 * rng.normal(size=(4, 6))
    shares, distance = likeness_shares(movie, scenes)
    assert shares.sum() == pytest.approx(1)
    assert int(shares.argmax()) == 7
    # an eighth of the scenes count, not one alone
    assert 1 / (shares**2).sum() == pytest.approx(10, rel=0.05)
    far = likeness_shares(movie + 20, scenes)[1]
    assert far > 10 * distance


def test_the_same_movie_and_seed_give_the_same_pairs() -> None:
    movie = _movie(2)
    one, other = (simulate_like(movie, **QUICK, seed=3) for _ in range(2))
    for first, second in zip(one.stills, other.stills, strict=True):
        np.testing.assert_array_equal(first.bright_field, second.bright_field)
    assert one.stills[0].bright_field.shape == (64, 64)


def test_what_is_known_is_kept() -> None:
    known = Microscope(na=0.75, n_immersion=1.0, bright_field_offset_um=1.0, condenser_na=0.3)
    pairs = simulate_like(
        _movie(2, na=0.75, n_immersion=1.0),
        **QUICK | {"number": 3},
        microscope=known,
        focus_known=True,
        condenser_known=True,
    )
    for still in pairs.stills:
        optics = still.config.microscope
        assert (optics.na, optics.n_immersion) == (0.75, 1.0)
        assert optics.bright_field_offset_um == pytest.approx(1.0, abs=0.4)
        assert optics.condenser_na == pytest.approx(0.3, rel=0.11)


@pytest.mark.parametrize(
    ("na", "n_immersion"), [(0.3, 1.0), (0.75, 1.0), (0.95, 1.0), (1.2, 1.33), (1.49, 1.515)]
)
def test_the_condenser_that_is_drawn_never_exceeds_the_objective(
    na: float, n_immersion: float
) -> None:
    rng = np.random.default_rng(0)
    known = Microscope(na=na, n_immersion=n_immersion)
    drawn = [likeness._possible(known, rng, False, False).condenser_na for _ in range(50)]
    assert max(drawn) <= na
    still = next(simulate_frames(1, size=64, config=SceneConfig(microscope=known)))
    assert still.config.microscope.condenser_na <= na


def test_a_condenser_known_to_exceed_the_objective_is_named() -> None:
    over = Microscope(na=0.45, n_immersion=1.0, condenser_na=0.46)
    with pytest.raises(
        InputError, match=r"condenser's aperture is 0\.46 and the objective's 0\.45"
    ):
        simulate_like(_movie(1), **QUICK, microscope=over, condenser_known=True)
    level = replace(over, condenser_na=0.45)
    movie = _movie(3, na=0.45, n_immersion=1.0, condenser_na=0.45)
    assert simulate_like(movie, **QUICK, microscope=level, condenser_known=True).stills


def test_a_movie_that_no_scene_resembles_is_said_so() -> None:
    noise = np.random.default_rng(0).normal(size=(3, 96, 96))
    with pytest.raises(InputError, match="No simulated scene resembles this movie"):
        simulate_like(list(noise), **QUICK)


def test_fluorescence_given_by_mistake_is_refused() -> None:
    stills = list(simulate_frames(3, size=96, seed=5, config=SceneConfig(), vary=False))
    simulate_like([still.bright_field for still in stills], **QUICK | {"number": 1})
    with pytest.raises(InputError, match="resembles simulated fluorescence more"):
        simulate_like([still.fluorescence for still in stills], **QUICK)


@pytest.mark.slow
def test_real_fluorescence_and_a_wrong_pixel_size_are_refused(real_data: object) -> None:
    io = pytest.importorskip("skimage.io")
    folder = real_data("h9c2_pairs", "bright_field")  # type: ignore[operator]
    names = sorted(path.name for path in folder.glob("*TL_012*"))[::3]
    light = [io.imread(folder / name) for name in names]
    glow = [io.imread(folder.parent / "fluorescence" / name) for name in names]
    few = {"number": 1, "candidates": 24, "size": 96}
    assert simulate_like(light, **few, pixel_size_um=0.08).distance < 1.3
    with pytest.raises(InputError, match="resembles simulated fluorescence more"):
        simulate_like(glow, **few, pixel_size_um=0.08)
    with pytest.raises(InputError, match=r"given as 0\.04 µm, .* 0\.08 µm more"):
        simulate_like(light, number=1, candidates=48, size=192, pixel_size_um=0.04)


@pytest.mark.parametrize(
    ("mean", "number", "refused"),
    [
        (0.5, 40, ""),
        (1.2, 40, r"pixels of 0\.16 µm more"),
        (-1.2, 40, r"pixels of 0\.04 µm more"),
        (1.2, 39, ""),
        (-1.2, 39, ""),
    ],
)
def test_the_pixel_size_is_doubted_on_both_sides(
    mean: float, number: int, refused: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One number stands in for the statistics; binning adds 1 to it."""
    binned = {128: 0.0, 64: 1.0}

    def statistics(image: np.ndarray) -> np.ndarray:
        is_movie = image.max() > 1
        value = mean if is_movie else 0.3 * image[0, 0]
        return np.array([value + binned[image.shape[0]]])

    monkeypatch.setattr(likeness, "bright_field_statistics", statistics)
    scenes = [np.full((128, 128), value) for value in np.linspace(-1, 1, number)]
    stills = [Still(one, one, one, one, 0.08, SceneConfig()) for one in scenes]  # type: ignore
    movie = [np.full((128, 128), 2.0)] * 6
    distance = likeness._distance(movie, scenes)
    if not refused:
        likeness._check_pixel_size(movie, stills, distance, 0.08)
    else:
        with pytest.raises(InputError, match=refused):
            likeness._check_pixel_size(movie, stills, distance, 0.08)


@pytest.mark.parametrize(
    ("bright_field", "glow", "said"),
    [
        (1.3, 1.0, ""),
        (1.5, 1.0, "resembles simulated fluorescence more"),
        (5.0, 2.1, ""),  # like neither: nothing is known of the channel
    ],
)
def test_a_movie_much_nearer_to_fluorescence_is_refused(
    bright_field: float, glow: float, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(likeness, "_distance", lambda *_: glow)
    if not said:
        likeness._check_channel([], [], bright_field)
    else:
        with pytest.raises(InputError, match=said):
            likeness._check_channel([], [], bright_field)


@pytest.mark.parametrize(("distance", "is_refused"), [(1.95, False), (2.05, True)])
def test_a_movie_twice_as_far_as_scenes_from_each_other_is_like_none(
    distance: float, is_refused: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def shares(movie: np.ndarray, scenes: np.ndarray) -> tuple[np.ndarray, float]:
        return np.full(len(scenes), 1 / len(scenes)), distance

    monkeypatch.setattr(likeness, "likeness_shares", shares)
    quick = QUICK | {"number": 1, "candidates": 2}
    if is_refused:
        with pytest.raises(InputError, match=r"lies 2\.0 times further .* \(expected below 2\)"):
            simulate_like(_movie(1, 64), **quick)
    else:
        assert simulate_like(_movie(1, 64), **quick).distance == distance


@pytest.mark.parametrize(
    ("optics", "message"),
    [
        ({"na": 1.4, "n_immersion": 1.0}, "aperture is 1.4 in a medium of index 1.0"),
        ({"na": 1.0, "n_immersion": 1.0}, "aperture is 1.0 in a medium of index 1.0"),
        ({"na": 0.09}, "aperture is 0.09"),
        ({"emission_um": 0.29}, "emission is 0.29 µm: expected 0.3 to 1.1 µm"),
        ({"emission_um": 608.0}, "emission is 608.0 µm"),
        ({"illumination_um": 0.0}, "bright-field light is 0.0 µm"),
        ({"illumination_um": 1.11}, "bright-field light is 1.11 µm"),
        ({"condenser_na": 0.019}, "condenser's aperture is 0.019: expected 0.02 to 1.4"),
        ({"condenser_na": 1.41}, "condenser's aperture is 1.41"),
        ({"bright_field_offset_um": 5.1}, "offset of the focus is 5.1 µm: expected -5 to 5"),
        ({"bright_field_offset_um": -5.1}, "offset of the focus is -5.1"),
        ({"bright_field_offset_um": float("nan")}, "offset of the focus is nan"),
    ],
)
def test_impossible_optics_are_named(optics: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        checked_microscope(replace(Microscope(), **optics))


@pytest.mark.parametrize(
    "optics",
    [
        {"na": 0.1, "emission_um": 0.3, "illumination_um": 1.1, "condenser_na": 0.02},
        {"emission_um": 1.1, "illumination_um": 0.3, "condenser_na": 1.4},
        {"bright_field_offset_um": 5.0},
        {"bright_field_offset_um": -5.0},
    ],
)
def test_optics_at_the_ends_of_what_is_possible_are_taken(optics: dict) -> None:
    given = replace(Microscope(), **optics)
    assert checked_microscope(given) is given


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        ([], "no frames"),
        ([np.zeros((47, 200))], "47 x 200 pixels"),
        ([np.zeros((48, 200))], "constant"),
        ([np.full((64, 64), 7)], "constant"),
    ],
)
def test_movies_without_an_image_are_refused(frames: list, message: str) -> None:
    with pytest.raises(InputError, match=message):
        simulate_like(frames, **QUICK)


@pytest.mark.parametrize(("number", "candidates"), [(0, 2), (1, 1)])
def test_at_least_one_pair_of_two_candidates_is_asked_for(number: int, candidates: int) -> None:
    quick = QUICK | {"number": number, "candidates": candidates}
    with pytest.raises(InputError, match="expected at least 1 of 2"):
        simulate_like(_movie(1, 64), **quick)


def test_faint_parts_count_and_empty_ones_do_not() -> None:
    frame = np.zeros((64, 128))
    frame[:, 64:] = 1e-3 * np.random.default_rng(0).normal(size=(64, 64))
    parts = likeness._parts([frame], 64)
    assert len(parts) == 1
    np.testing.assert_array_equal(parts[0], frame[:, 64:])


def test_it_can_be_cancelled() -> None:
    cancel = CancelToken()
    seen = []

    def progress(step: object) -> None:
        seen.append(step)
        if len(seen) == 2:
            cancel.cancel()

    with pytest.raises(CancelledError):
        simulate_like(_movie(1), **QUICK, progress=progress, cancel=cancel)
    assert len(seen) == 2


@pytest.mark.parametrize(
    ("distance", "coarser", "finer", "size", "likely"),
    [
        (1.2, 1.4, 1.0, 96, ""),
        (0.9, 1.5, 1.0, 96, "0.16"),
        (1.2, 1.5, 1.3, 96, "0.16"),
        (1.2, 1.0, 1.05, 96, ""),
        (1.05, 1.0, 1.15, 96, "0.04"),
        (0.95, 1.0, 1.15, 96, ""),  # it may well be one of the scenes
        (1.2, 1.5, 1.5, 95, ""),  # too small to be binned
    ],
)
def test_how_many_times_nearer_to_other_pixels_a_movie_may_lie(
    distance: float,
    coarser: float,
    finer: float,
    size: int,
    likely: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    others = iter([distance / coarser, distance / finer])
    monkeypatch.setattr(likeness, "_distance", lambda *_: next(others))
    image = np.zeros((size, 128))
    stills = [Still(image, image, image, image, 0.08, SceneConfig())] * 40  # type: ignore[arg-type]
    if not likely:
        likeness._check_pixel_size([image], stills, distance, 0.08)
    else:
        with pytest.raises(InputError, match=rf"pixels of {likely} µm more"):
            likeness._check_pixel_size([image], stills, distance, 0.08)


def test_a_single_frame_may_lie_twice_as_far_off_as_a_long_movie() -> None:
    """Its own scatter is not known."""
    scenes = np.repeat([[-1.0], [1.0]], 10, axis=0)
    one, many = (likeness_shares(np.zeros((number, 1)), scenes)[1] for number in (1, 1000))
    assert many == pytest.approx(2 * one, rel=0.01)


@pytest.mark.parametrize(("alike", "is_near"), [(5, True), (4, False)])
def test_the_distance_is_that_of_the_nearest_twentieth_of_the_scenes(
    alike: int, is_near: bool
) -> None:
    scenes = np.r_[np.zeros(alike), np.full(100 - alike, 3.0)][:, None]
    assert (likeness_shares(np.zeros((4, 1)), scenes)[1] == 0) == is_near


@pytest.mark.parametrize(("frames", "parts"), [(3, 12), (6, 24), (9, 24)])
def test_at_most_24_parts_of_a_movie_are_looked_at_from_its_first_to_its_last(
    frames: int, parts: int
) -> None:
    movie = np.random.default_rng(0).normal(size=(frames, 130, 140))
    found = likeness._parts(list(movie), 64)
    assert len(found) == parts
    np.testing.assert_array_equal(found[0], movie[0, :64, :64])
    np.testing.assert_array_equal(found[-1], movie[-1, 64:128, 64:128])
