"""The table of scores, the baselines beside it, and the intervals over groups."""

from __future__ import annotations

import math

import dask.array as da
import numpy as np
import pandas as pd
import pytest
from scipy import ndimage

import napari_virtualstain as vs
from napari_virtualstain.errors import CancelledError, InputError
from napari_virtualstain.metrics import (
    BASELINES,
    COLUMNS,
    baselines,
    bootstrap_interval,
    compare,
    evaluate,
    find_ranges,
    pearson,
    psnr,
    ssim,
    summarise,
)
from napari_virtualstain.progress import CancelToken


@pytest.fixture(scope="module")
def movie() -> tuple[np.ndarray, np.ndarray]:
    """Return (predicted, reference), 5 frames of 48 x 40 pixels, 12-bit counts in uint16."""
    rng = np.random.default_rng(0)
    scene = ndimage.gaussian_filter(rng.random((5, 48, 40)), (0, 2, 2))
    scene = 300 + 3000 * (scene - scene.min()) / np.ptp(scene)
    return scene + rng.normal(0, 150, scene.shape), rng.poisson(scene).astype(np.uint16)


def test_one_row_a_frame_with_the_single_scores(movie) -> None:
    predicted, reference = movie
    table = vs.evaluate(predicted, reference, data_range=4095)
    assert list(table.frame) == [0, 1, 2, 3, 4]
    assert set(COLUMNS) <= set(table.columns)
    for index, row in table.iterrows():
        pair = predicted[index], reference[index]
        assert row.pearson == pytest.approx(pearson(*pair))
        assert row.ssim == pytest.approx(ssim(*pair, data_range=4095))
        assert row.psnr == pytest.approx(psnr(*pair, data_range=4095))
    assert (table.data_range == 4095).all()
    assert table[["pearson", "ssim", "mask_iou", "frc"]].min().min() > 0.5


def test_leading_axes_lists_and_lazy_arrays_give_the_same(movie) -> None:
    predicted, reference = movie
    expected = evaluate(predicted, reference)
    lazy = [da.from_array(array, chunks=(1, -1, -1)) for array in movie]
    assert evaluate(*lazy).equals(expected)
    planes = evaluate(predicted[:4].reshape(2, 2, 48, 40), reference[:4].reshape(2, 2, 48, 40))
    assert np.allclose(planes.pearson, expected.pearson[:4])
    listed = evaluate(list(predicted), list(reference))
    assert np.allclose(listed.ssim, expected.ssim)
    assert listed.brightness_jump.isna().all()  # a list of images is not a movie
    assert expected.brightness_jump.notna().sum() == 3
    assert evaluate(predicted, reference, groups=list("aabbb")).brightness_jump.isna().all()


def test_lazy_frames_are_read_one_at_a_time(movie) -> None:
    read = []

    def frame(block, block_info=None):
        read.append(block_info[0]["chunk-location"][0])
        return block

    predicted = da.from_array(movie[0], chunks=(1, -1, -1)).map_blocks(frame, dtype=float)
    token = CancelToken()
    seen = []

    def stop_after_two(progress) -> None:
        seen.append(progress.done)
        if progress.done == 2:
            token.cancel()

    with pytest.raises(CancelledError):
        evaluate(predicted, movie[1], progress=stop_after_two, cancel=token)
    assert seen == [1, 2]
    assert set(read) <= {0, 1}


def test_images_of_various_sizes_come_as_lists() -> None:
    rng = np.random.default_rng(0)
    images = [rng.random(shape) for shape in ((20, 30), (16, 16))]
    table = evaluate(images, images, names=["a.tif", "b.tif"], groups=["cell 1", "cell 2"])
    assert list(table.name) == ["a.tif", "b.tif"]
    assert list(table.group) == ["cell 1", "cell 2"]


def test_the_range_is_found_and_stated(movie) -> None:
    predicted, reference = movie
    assert find_ranges(reference).data_range == np.ptp(reference)
    assert evaluate(predicted, reference).data_range.nunique() == 1
    eight_bit = np.zeros((2, 16, 16), np.uint8)
    assert find_ranges(eight_bit).data_range == 255
    assert find_ranges(reference, (100, 4095)).histogram == (100, 4095)
    assert find_ranges(reference, (100, 4095)).data_range == 3995
    assert find_ranges(np.ones((16, 16))).data_range == 1
    with pytest.raises(InputError, match="data range is -5"):
        find_ranges(reference, (10, 5))


def test_constant_frames_are_counted_and_not_scored_zero(movie) -> None:
    predicted, reference = (array.copy() for array in movie)
    predicted[1] = 7
    reference[3] = 9
    table = evaluate(predicted, reference)
    assert table.predicted_constant.tolist() == [False, True, False, False, False]
    assert table.reference_constant.tolist() == [False, False, False, True, False]
    assert table.pearson.isna().tolist() == [False, True, False, True, False]
    summary = summarise(table)
    assert summary.loc["pearson", "undefined"] == 2
    assert summary.loc["pearson", "values"] == 3
    assert summary.loc["pearson", "mean"] > 0.5


def test_bad_series_get_a_plain_message(movie) -> None:
    predicted, reference = movie
    with pytest.raises(InputError, match="4 frames of 48 x 40 pixels and the reference 5 frames"):
        evaluate(predicted[:4], reference)
    with pytest.raises(InputError, match="expected \\(Y, X\\)"):
        evaluate(np.zeros(5), np.zeros(5))
    with pytest.raises(InputError, match="image is empty"):
        evaluate(predicted[:0], reference[:0])
    with pytest.raises(InputError, match="2 groups were given for 5 frames"):
        evaluate(predicted, reference, groups=["a", "b"])
    broken = predicted.copy()
    broken[2, 0, 0] = math.nan
    with pytest.raises(InputError, match="Frame 2: The predicted image has 1 NaN"):
        evaluate(broken, reference)
    with pytest.raises(InputError, match="pixel size is 0"):
        evaluate(predicted, reference, pixel_size_um=0)
    with pytest.raises(InputError, match="looks like RGB"):
        evaluate(np.zeros((32, 32, 3)), np.zeros((32, 32, 3)))


def test_baselines_are_the_best_of_their_kind(movie) -> None:
    _, reference = movie
    bright_field = 5000 - 2.0 * reference + np.random.default_rng(1).normal(0, 800, reference.shape)
    trivial = baselines(reference, bright_field)
    assert set(trivial) == set(BASELINES)
    errors = {
        name: np.mean((np.stack(images) - reference) ** 2) for name, images in trivial.items()
    }
    assert errors["best constant"] == pytest.approx(reference.var())
    assert errors["bright-field"] < errors["best constant"]
    for gain, offset in ((1.02, 0), (0.98, 0), (1, 20), (1, -20)):
        other = gain * np.stack(trivial["bright-field"]) + offset
        assert np.mean((other - reference) ** 2) >= errors["bright-field"]
    assert set(baselines(reference)) == {"best constant"}
    flat = baselines(reference, np.ones_like(reference))
    assert np.allclose(flat["bright-field"], reference.mean())


@pytest.mark.parametrize("pixel_size_um", [0.04, 0.08, 0.16])
def test_the_texture_is_that_within_two_fifths_of_a_micrometre(pixel_size_um: float) -> None:
    """The root of a Gaussian of 0.4 um is half as high at 0.8 um times the root of ln 2."""
    half = round(6 / pixel_size_um)
    speck = np.zeros((2 * half + 1, 2 * half + 1))
    speck[half, half] = 1
    x = np.arange(-half, half + 1) * pixel_size_um
    truth = np.exp(-np.add.outer(x**2, x**2))
    (texture,) = baselines(truth, speck, pixel_size_um=pixel_size_um)["bright-field texture"]
    profile = texture[half] - texture[half, 0]
    above = x[profile > profile.max() / 2]
    assert above.max() == pytest.approx(0.8 * np.log(2) ** 0.5, abs=pixel_size_um)


def test_comparison_has_the_stain_and_every_baseline(movie) -> None:
    predicted, reference = movie
    table = compare(predicted, reference, 4000.0 - reference, groups=list("aabbb"))
    assert list(table.method.unique()) == ["virtual stain", *BASELINES]
    assert table.groupby("method").size().tolist() == [5] * 4
    constant = table[table.method == "best constant"]
    assert constant.pearson.isna().all()
    assert constant.nrmse.between(0.9, 1.1).all()
    assert table[table.method == "bright-field"].pearson.min() == pytest.approx(1)


def test_intervals_over_groups_are_wider_than_over_frames_that_are_alike() -> None:
    rng = np.random.default_rng(0)
    cells = np.repeat(np.arange(6), 40)
    scores = rng.normal(0.6, 0.1, 6)[cells] + rng.normal(0, 0.02, 240)
    by_cell, by_frame = bootstrap_interval(scores, cells), bootstrap_interval(scores)
    assert by_cell.mean == by_frame.mean == pytest.approx(scores.mean())
    assert by_cell.high - by_cell.low > 3 * (by_frame.high - by_frame.low)
    assert by_cell.groups == 6
    assert by_cell.low < by_cell.mean < by_cell.high


def test_intervals_cover_the_truth_as_often_as_they_say() -> None:
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(200):
        interval = bootstrap_interval(rng.normal(0, 1, 40), repeats=400, generator=rng)
        hits += interval.low <= 0 <= interval.high
    assert 0.88 <= hits / 200 <= 0.99


def test_one_group_has_no_interval() -> None:
    interval = bootstrap_interval([0.5, 0.7], ["a", "a"])
    assert interval.mean == pytest.approx(0.6)
    assert math.isnan(interval.low)
    assert math.isnan(bootstrap_interval([math.nan, math.nan]).mean)
    with pytest.raises(InputError, match="one group a value"):
        bootstrap_interval([1, 2], ["a"])


def test_scores_of_real_pairs_are_those_of_the_notes(real_data) -> None:
    """The bright-field itself against the dye: far from the 0.6 of a plain network."""
    from skimage.io import imread

    names = [path.name for path in sorted(real_data("h9c2_pairs", "bright_field").glob("*.png"))]
    names = names[::8]
    bright_field, fluorescence = (
        np.stack([imread(real_data("h9c2_pairs", kind, name)) for name in names])
        for kind in ("bright_field", "fluorescence")
    )
    raw = evaluate(bright_field, fluorescence)
    assert abs(raw.pearson.mean()) < 0.3
    texture = compare(bright_field, fluorescence, bright_field)
    texture = texture[texture.method == "bright-field texture"]
    assert 0.25 < texture.pearson.mean() < 0.6
    smoothed = evaluate(
        ndimage.gaussian_filter(fluorescence.astype(float), (0, 1, 1)), fluorescence
    )
    assert smoothed.pearson.mean() == pytest.approx(0.983, abs=0.01)
    assert smoothed.ssim.mean() == pytest.approx(0.868, abs=0.03)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.full((16, 16), 1e200), "values up to 1e\\+200"),
        (np.ma.masked_less(np.arange(256.0).reshape(16, 16), 3), "3 NaN or infinite pixels"),
        ([[1, 2], [3]], "rows of equal length"),
        (np.full((16, 16), "a"), "real numbers"),
    ],
)
def test_odd_arrays_are_refused_in_words(image, message) -> None:
    with pytest.raises(InputError, match=message):
        evaluate(image, np.eye(16))


def test_a_data_frame_is_an_image() -> None:
    image = np.random.default_rng(0).normal(size=(16, 16))
    assert evaluate(pd.DataFrame(image), image)["pearson"].item() == pytest.approx(1)


def test_the_fitted_error_is_that_after_the_best_gain_and_offset_of_each_group() -> None:
    rng = np.random.default_rng(0)
    truth = [
        rng.normal(100, 20, (16, 16)),
        rng.normal(130, 5, (16, 24)),
        rng.normal(9, 3, (16, 16)),
    ]
    made = [0.01 * t + rng.normal(0, 0.05, t.shape) for t in truth]
    groups = ["a", "a", "b"]
    table = evaluate(made, truth, data_range=255, groups=groups)
    for group in ("a", "b"):
        members = [i for i, name in enumerate(groups) if name == group]
        x = np.concatenate([made[i].ravel() for i in members])
        y = np.concatenate([truth[i].ravel() for i in members])
        gain, offset = np.polyfit(x, y, 1)
        for i in members:
            error = gain * made[i] + offset - truth[i]
            wanted = np.sqrt((error**2).mean()) / truth[i].std()
            assert table["nrmse_fitted"][i] == pytest.approx(wanted)
    assert (table["nrmse"] > 3).all()  # as the grey values are


def test_the_fitted_error_of_constants() -> None:
    noise = np.random.default_rng(0).normal(size=(2, 16, 16))
    table = evaluate(np.zeros((2, 16, 16)), noise, data_range=1)
    assert table["nrmse_fitted"].to_numpy() == pytest.approx([1, 1], abs=0.02)
    empty = evaluate(noise, np.ones((2, 16, 16)), data_range=1)
    assert empty["nrmse_fitted"].isna().all()


@pytest.mark.parametrize("scale", [2.0**-30, 2.0**-8, 2.0**20])
def test_the_unit_of_intensity_changes_no_score_of_a_series(movie, scale: float) -> None:
    images = [image.astype(float) for image in movie]
    usual = evaluate(*images, groups=list("aabbb"))
    scaled = evaluate(*(scale * image for image in images), groups=list("aabbb"))
    np.testing.assert_allclose(scaled.pop("data_range"), scale * usual.pop("data_range"))
    pd.testing.assert_frame_equal(scaled, usual, rtol=1e-6)


@pytest.mark.parametrize(
    ("frames", "groups", "inner"), [(3, None, 1), (5, None, 3), (2, None, 0), (5, "aabbb", 0)]
)
def test_the_flicker_of_pixels_is_the_noise_over_the_contrast_between_three_frames(
    frames: int, groups: str | None, inner: int
) -> None:
    rng = np.random.default_rng(0)
    still = np.repeat(rng.normal(0, 100, (1, 64, 64)), frames, axis=0)
    noisy = still + rng.normal(0, 10, still.shape)
    table = evaluate(noisy, still, groups=None if groups is None else list(groups))
    found = table["pixel_flicker"]
    assert found.notna().tolist() == [0 < i < frames - 1 and inner > 0 for i in range(frames)]
    assert found.dropna().to_numpy() == pytest.approx(inner * [0.1], rel=0.1)
    assert (table["pixel_flicker_reference"].dropna() == 0).all()


def test_a_large_group_counts_for_more_in_each_draw() -> None:
    # of two groups, half of all draws hold each once: a quarter of the values is 1
    interval = bootstrap_interval([0.0, 0.0, 0.0, 1.0], ["a", "a", "a", "b"], level=0.4)
    assert (interval.low, interval.mean, interval.high) == (0.25, 0.25, 0.25)


@pytest.mark.parametrize(
    ("level", "repeats", "fits"),
    [(0.01, 1, True), (0.99, 1, True), (0.0, 1, False), (1.0, 1, False), (0.5, 0, False)],
)
def test_an_interval_has_a_level_within_0_and_1_and_a_repeat(
    level: float, repeats: int, fits: bool
) -> None:
    scores = [0.0, 1.0, 2.0]
    if fits:
        assert 0 <= bootstrap_interval(scores, level=level, repeats=repeats).low <= 2
    else:
        with pytest.raises(InputError, match="a level between 0 and 1"):
            bootstrap_interval(scores, level=level, repeats=repeats)


def test_a_movie_without_frames_is_named() -> None:
    with pytest.raises(InputError, match=r"no frames.*1 frame of 8 x 9 pixels"):
        evaluate([], [np.zeros((8, 9))])
