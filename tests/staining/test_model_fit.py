from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from napari_virtualstain.data import image_statistics, summarise_statistics
from napari_virtualstain.models import ModelCard, read_card
from napari_virtualstain.staining import FrameFit, assess_fit, describe_fits, stain_to_file
from napari_virtualstain.staining.model_fit import _squares, _verdict, assess_frame, combine


@pytest.fixture(scope="module")
def pairs(real_data):
    """Return {cell: [(bright-field, fluorescence), ...]} of the real pairs, a few of each."""
    skimage = pytest.importorskip("skimage.io")
    folder: Path = real_data("h9c2_pairs")
    found: dict[str, list] = {}
    for path in sorted((folder / "bright_field").glob("*.png"))[::2]:
        cell = re.search(r"TL_\d+|v_\d+", path.name).group()
        both = (skimage.imread(path), skimage.imread(folder / "fluorescence" / path.name))
        found.setdefault(cell, []).append(both)
    return found


@pytest.fixture(scope="module")
def judge(pairs, make_model):
    """Return ``judge(image)`` by a card of all cells but TL_012."""
    trained = [both[0] for cell, crops in pairs.items() if cell != "TL_012" for both in crops]
    summary = summarise_statistics(image_statistics(image) for image in trained)
    model = make_model(statistics=summary)
    return lambda image, pixel_size_um=0.08: assess_fit(image, model, pixel_size_um)


def test_a_cell_that_was_held_out_stays_green(pairs, judge) -> None:
    crops = [both[0] for both in pairs["TL_012"]]
    assert judge(np.stack(crops)).level == "green"
    levels = [judge(crop).level for crop in crops]
    assert levels.count("green") >= 0.8 * len(levels)
    assert "red" not in levels


def test_a_slight_loss_of_focus_is_seen_and_no_cell_is_falsely_alarmed(real_data) -> None:
    io = pytest.importorskip("skimage.io")
    # 80 nm of blur under the camera's noise, each cell judged by the others
    rng = np.random.default_rng(0)

    def blurred(image: np.ndarray) -> np.ndarray:
        return ndimage.gaussian_filter(image, 1.0) + rng.normal(0, 3.9, image.shape)

    crops: dict[str, list[np.ndarray]] = {}
    for path in sorted((real_data("h9c2_pairs") / "bright_field").glob("*.png")):
        cell = re.search(r"TL_\d+|v_\d+", path.name).group()
        crops.setdefault(cell, []).append(io.imread(path).astype(float))
    known = {cell: [image_statistics(image) for image in images] for cell, images in crops.items()}
    seen, movies = [], []
    for cell, images in crops.items():
        others = [
            each for other, statistics in known.items() if other != cell for each in statistics
        ]
        card = ModelCard(name="others", statistics=summarise_statistics(others))
        assert {assess_frame(image, card, None).level for image in images} == {"green"}
        frames = [assess_frame(blurred(image), card, None) for image in images]
        seen += [frame.level != "green" for frame in frames]
        movies.append(combine(frames, card, None).level)
    assert np.mean(seen) > 0.45
    assert movies.count("green") <= 1


def _phase_contrast(image):
    detail = ndimage.gaussian_filter(image, 1.0) - ndimage.gaussian_filter(image, 12.0)
    return 100 - 2 * detail + 2 * ndimage.gaussian_filter(abs(detail), 3.0)


def _zoomed(image, factor):
    return ndimage.zoom(image, factor, order=1, mode="grid-mirror", grid_mode=True)[:256, :256]


FOREIGN = {
    "phase contrast": _phase_contrast,
    "twice the magnification": lambda image: _zoomed(image, 2.0),
    "half the magnification": lambda image: _zoomed(image, 0.5),
    "out of focus": lambda image: ndimage.gaussian_filter(image, 2.0),
    "out of focus under the camera's noise": lambda image: (
        ndimage.gaussian_filter(image, 2.0) + np.random.default_rng(0).normal(0, 4.1, image.shape)
    ),
    "empty field": lambda image: np.random.default_rng(0).normal(60, 4, image.shape),
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_foreign_images_are_amber_or_red_with_a_reason(pairs, judge, kind) -> None:
    for image, _ in pairs["TL_012"][:4]:
        report = judge(FOREIGN[kind](image.astype(float)))
        assert report.level != "green"
        assert report.reasons
        assert report.level in str(report)


def test_fluorescence_given_as_bright_field_is_told(pairs, judge) -> None:
    for _, fluorescence in pairs["TL_012"][:4]:
        report = judge(fluorescence)
        assert report.level != "green"
        assert "fluorescence" in " ".join(report.reasons)


def test_pixel_size_alone_can_make_it_doubtful(pairs, judge) -> None:
    crop = pairs["TL_012"][0][0]
    assert judge(crop, 0.13).level in ("amber", "red")
    assert judge(crop, 0.32).level == "red"
    assert "0.32 µm" in " ".join(judge(crop, 0.32).reasons)


def test_one_bad_frame_is_told_apart(pairs, judge) -> None:
    crops = [both[0].astype(float) for both in pairs["TL_012"][:5]]
    crops[3] = ndimage.gaussian_filter(crops[3], 3.0)
    report = judge(np.stack(crops))
    assert [frame.level != "green" for frame in report.frames].index(True) == 3
    assert report.level == "green"
    assert "1 of 5 frames" in report.reasons[0]


@pytest.mark.parametrize("device", ["cpu", "cpu,cpu"])
def test_every_frame_is_judged_while_it_is_stained(make_model, tmp_path, device: str) -> None:
    rng = np.random.default_rng(0)
    movie = ndimage.gaussian_filter(rng.normal(0, 9, (12, 96, 96)), (0, 1, 1))
    movie += rng.normal(100, 0.3, movie.shape)
    model = make_model(statistics=summarise_statistics(map(image_statistics, movie)))
    movie[7:9] = ndimage.gaussian_filter(movie[7:9], (0, 2, 2))
    fits: list[FrameFit] = []
    out = tmp_path / "out.ome.tif"
    stain_to_file(movie, out, model, pixel_size_um=0.08, device=device, on_fit=fits.append)
    assert [fit.frame for fit in fits] == list(range(12))
    assert [fit.frame for fit in fits if fit.level != "green"] == [7, 8]
    told = describe_fits(fits)
    assert told.startswith("2 of 12 frames are not green. Frames 7 to 8 are red: There is less")
    assert describe_fits(fits[:5]) == "all 5 frames are green."


@pytest.mark.parametrize(
    ("gain", "offset", "level"),
    [
        (0.7, 0, "green"),
        (0.6, 0, "amber"),
        (0.3, 0, "red"),
        (1.4, 0, "green"),
        (1.6, 0, "amber"),
        (1, 14 * 9, "green"),
        (1, 16 * 9, "amber"),
        (1, -16 * 9, "amber"),
    ],
)
def test_the_light_of_a_frame_is_held_against_that_of_the_movie(gain, offset, level) -> None:
    movie = np.random.default_rng(0).normal(0, 9, (6, 96, 96))
    card = ModelCard(name="no statistics", normalisation={"input": {"kind": "mean_sd"}})
    fitted = card.normalisation.input.fit(1000 + movie)
    fit = assess_frame(1000 + gain * movie[2] + offset, card, 0.08, 2, fitted)
    assert fit.level == level
    assert all("the light changed" in reason for reason in fit.reasons)


def test_a_stretch_has_the_reason_of_its_worst_frame() -> None:
    levels = ["green", "amber", "red", "amber", "green"]
    fits = [FrameFit(i, level, (f"Frame {i}.",)) for i, level in enumerate(levels)]
    assert describe_fits(fits).endswith("Frames 1 to 3 are amber or red: Frame 2.")


def test_many_stretches_are_not_all_told() -> None:
    fits = [FrameFit(i, "amber" if i % 2 else "green", ("Odd.",)) for i in range(20)]
    told = describe_fits(fits)
    assert told.count("is amber: Odd.") == 5
    assert told.endswith("And 5 more stretches.")


def test_constant_and_tiny_frames_and_cards_without_statistics(make_model, judge) -> None:
    assert judge(np.zeros((100, 100))).level == "red"
    assert "too small" in str(judge(np.eye(20))) or "smaller" in str(judge(np.eye(20)))
    report = assess_fit(np.random.default_rng(0).normal(size=(128, 128)), make_model(), 0.08)
    assert report.level == "amber"
    assert "card does not say" in str(report)


@pytest.mark.parametrize(
    ("factor", "level"),
    [
        (0.79, "amber"),
        (0.81, "green"),
        (1.24, "green"),
        (1.26, "amber"),
        (2.1, "red"),
        (0.24, "red"),
    ],
)
def test_the_pixel_size_is_judged_on_both_sides_of_each_limit(
    make_model, factor: float, level: str
) -> None:
    from napari_virtualstain.staining.model_fit import _pixel_size_verdict

    card = make_model().card
    found, reasons = _pixel_size_verdict(card, factor * card.pixel_size_um)
    assert ("green", "amber", "red")[found] == level
    why = "details that the model needs are not there" if factor > 1 else "binned down"
    assert [why in reason for reason in reasons] == [True] * (level != "green")


@pytest.mark.parametrize(("share", "level"), [(0.008, "green"), (0.012, "amber")])
def test_a_hundredth_of_the_pixels_may_be_saturated(share, level) -> None:
    frame = np.random.default_rng(0).normal(1000, 9, (100, 100))
    frame.ravel()[: round(share * frame.size)] = frame.max()
    card = ModelCard(name="no statistics", normalisation={"input": {"kind": "mean_sd"}})
    fit = assess_frame(frame, card, 0.08, 0, card.normalisation.input.fit(frame))
    assert fit.level == level
    assert any("saturated" in reason for reason in fit.reasons) == (level == "amber")


@pytest.mark.parametrize("group", ["histogram", "texture", "noise", "focus"])
@pytest.mark.parametrize(("factor", "level"), [(0.99, 0), (1.01, 1), (1.99, 1), (2.01, 2)])
def test_red_begins_at_twice_the_limit_of_amber(group: str, factor: float, level: int) -> None:
    limit = {"histogram": 2.4, "texture": 2.2, "noise": 3.3, "focus": 2.17}[group]
    assert _verdict({group: factor * limit}, {group: 1.0}, 1)[0] == level


@pytest.mark.parametrize(("levels", "movie"), [("ggr", "green"), ("grr", "red"), ("gar", "amber")])
def test_a_movie_is_as_its_middle_frame_is(levels: str, movie: str) -> None:
    names = {"g": "green", "a": "amber", "r": "red"}
    frames = [FrameFit(i, names[letter], ("Odd.",)) for i, letter in enumerate(levels)]
    assert combine(frames, read_card("mito-h9c2"), 0.08).level == movie


@pytest.mark.parametrize(("squares", "factor", "level"), [(3, 0.81, 0), (4, 0.81, 1), (4, 0.79, 0)])
def test_four_squares_are_judged_more_strictly_than_one(
    squares: int, factor: float, level: int
) -> None:
    assert _verdict({"noise": factor * 3.3}, {"noise": 1.0}, squares)[0] == level


@pytest.mark.parametrize(
    ("shape", "count", "square"),
    [
        ((383, 383), 1, (383, 383)),
        ((384, 200), 1, (256, 200)),
        ((512, 256), 2, (256, 256)),
        ((520, 520), 4, (256, 256)),
        ((768, 768), 4, (256, 256)),
    ],
)
def test_large_frames_are_judged_by_the_four_squares_of_most_contrast(
    shape: tuple[int, int], count: int, square: tuple[int, int]
) -> None:
    frame = np.random.default_rng(0).normal(0, 1, shape).astype(np.float32)
    frame[-256:, -256:] *= 9
    squares = _squares(frame)
    assert [one.shape for one in squares] == [square] * count
    if count > 1:
        np.testing.assert_array_equal(squares[0][-200:, -200:], frame[-200:, -200:])
    spreads = [one.std() for one in squares]
    assert spreads == sorted(spreads, reverse=True)


@pytest.mark.parametrize(("side", "is_judged"), [(63, False), (64, True)])
def test_a_frame_is_judged_from_64_pixels_of_the_model_on(side: int, is_judged: bool) -> None:
    frame = np.random.default_rng(0).normal(0, 1, (side, 90)).astype(np.float32)
    fit = assess_frame(frame, read_card("mito-h9c2"), None)
    assert any("smaller than 64 pixels" in reason for reason in fit.reasons) != is_judged
    assert bool(fit.distances) == is_judged
    # at half the size of the model's pixels, twice as many are needed
    large = np.repeat(np.repeat(frame, 2, axis=0), 2, axis=1)
    fine = assess_frame(large, read_card("mito-h9c2"), 0.04)
    assert bool(fine.distances) == is_judged


def test_cards_without_a_pixel_size_take_the_pixels_as_they_are() -> None:
    card = read_card("mito-h9c2").model_copy(update={"pixel_size_um": None})
    frame = np.random.default_rng(0).normal(0, 1, (64, 64)).astype(np.float32)
    assert assess_frame(frame, card, 0.01).distances == assess_frame(frame, card, None).distances
