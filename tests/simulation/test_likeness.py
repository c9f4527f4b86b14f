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
    ("optics", "message"),
    [
        ({"na": 1.4, "n_immersion": 1.0}, "aperture is 1.4 in a medium of index 1.0"),
        ({"na": 0.01}, "aperture is 0.01"),
        ({"emission_um": 608.0}, "emission is 608.0 µm"),
        ({"illumination_um": 0.0}, "bright-field light is 0.0 µm"),
        ({"condenser_na": 3.0}, "condenser's aperture is 3.0"),
        ({"bright_field_offset_um": float("nan")}, "offset of the focus is nan"),
    ],
)
def test_impossible_optics_are_named(optics: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        checked_microscope(replace(Microscope(), **optics))


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        ([], "no frames"),
        ([np.zeros((20, 200))], "20 x 200 pixels"),
        ([np.full((64, 64), 7)], "constant"),
    ],
)
def test_movies_without_an_image_are_refused(frames: list, message: str) -> None:
    with pytest.raises(InputError, match=message):
        simulate_like(frames, **QUICK)


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
