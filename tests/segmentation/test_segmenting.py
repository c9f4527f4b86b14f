from __future__ import annotations

import pickle
from dataclasses import replace

import dask.array as da
import numpy as np
import pytest
from scipy import ndimage

from napari_virtualstain.errors import (
    CancelledError,
    InputError,
    ModelError,
    OutputExistsError,
)
from napari_virtualstain.io import Stack, open_stack
from napari_virtualstain.models import Model, ModelCard, build_network, read_card
from napari_virtualstain.progress import CancelToken
from napari_virtualstain.segmentation import Segmenter, fit_movie, segment, segment_to_file
from napari_virtualstain.segmentation.fine_tuning import new_card
from napari_virtualstain.simulation import simulate


def counts(labels) -> list[int]:
    return [int(plane.max()) for plane in np.asarray(labels)]


def test_each_disc_is_a_label(discs, threshold_segmenter):
    labels = segment(discs, threshold_segmenter)
    assert labels.dtype == np.int32
    assert counts(labels) == [1, 2, 3]
    y, x = np.mgrid[:72, :90]
    assert ((labels[0] > 0) == (np.hypot(y - 30, x - 15) < 6)).all()


def test_one_plane_and_more_axes(discs, threshold_segmenter):
    assert segment(discs[2], threshold_segmenter).max() == 3
    deep = np.stack([discs, discs])
    assert np.array_equal(
        segment(deep, threshold_segmenter)[1], segment(discs, threshold_segmenter)
    )


@pytest.mark.parametrize("factor", [0.01, 1, 1000])
@pytest.mark.parametrize("offset", [-500, 0, 1e5])
def test_scale_and_offset_of_intensity_change_nothing(discs, threshold_segmenter, factor, offset):
    expected = segment(discs, threshold_segmenter)
    assert np.array_equal(
        segment(discs.astype(float) * factor + offset, threshold_segmenter), expected
    )


def test_light_that_changes_from_frame_to_frame_changes_nothing(discs, threshold_segmenter):
    expected = segment(discs, threshold_segmenter)
    level = np.array([0, 900, -300])[:, None, None]
    assert np.array_equal(segment(discs.astype(float) + level, threshold_segmenter), expected)


def test_what_lies_under_a_mask_is_not_segmented(discs, threshold_segmenter):
    masked = np.ma.masked_array(discs.astype(float), np.zeros(discs.shape, bool))
    masked[:, 60:64, 60:64] = 1e6
    masked[:, 60:64, 60:64] = np.ma.masked
    expected = segment(masked.filled(np.nan), threshold_segmenter)
    assert counts(expected) == [1, 2, 3]
    assert np.array_equal(segment(masked, threshold_segmenter), expected)
    lazy = da.from_array(masked, chunks=(1, -1, -1))
    assert np.array_equal(segment(lazy, threshold_segmenter).compute(), expected)


def test_an_image_without_a_number_is_refused(threshold_segmenter):
    with pytest.raises(InputError, match="no finite value"):
        segment(np.full((2, 20, 20), np.nan), threshold_segmenter)


def test_types_of_integer_and_byte_order_change_nothing(discs, threshold_segmenter):
    expected = segment(discs, threshold_segmenter)
    for dtype in (">u2", np.int32, np.float32, ">f8"):
        assert np.array_equal(segment(discs.astype(dtype), threshold_segmenter), expected)


def test_dask_is_lazy_and_equal(discs, threshold_segmenter):
    read = []

    def watch(block):
        if block.size:  # dask also asks what an empty block gives
            read.append(1)
        return block

    movie = da.from_array(discs, chunks=(1, 40, 40)).map_blocks(watch, dtype=discs.dtype)
    labels = segment(movie, threshold_segmenter)
    assert not read
    assert labels.dtype == np.int32
    assert labels.chunks == ((1, 1, 1), (72,), (90,))
    assert np.array_equal(labels.compute(scheduler="sync"), segment(discs, threshold_segmenter))


def test_a_frame_depends_on_the_movie_not_on_being_alone(discs, threshold_segmenter):
    dim = np.stack([discs[2], (discs[2] - 100.0) * 0.1 + 100])
    labels = segment(dim, threshold_segmenter)
    assert counts(labels) == [3, 0]
    assert segment(dim[1], threshold_segmenter).max() == 3


def test_blank_frames_have_no_mitochondria(threshold_segmenter):
    assert not segment(np.full((2, 40, 40), 7), threshold_segmenter).any()
    assert not segment(np.zeros((1, 1)), threshold_segmenter).any()


def test_pixels_that_are_no_numbers_do_not_spread(discs, threshold_segmenter):
    image = discs[0].astype(float)
    image[60, 60] = np.nan
    image[61, 5] = np.inf
    assert np.array_equal(
        segment(image, threshold_segmenter) > 0, segment(discs[0], threshold_segmenter) > 0
    )


def test_a_pixel_size_out_of_range_is_resampled(discs, threshold_segmenter):
    coarse = discs[2].reshape(36, 2, 45, 2).mean(axis=(1, 3))
    labels = segment(coarse, threshold_segmenter, pixel_size_um=0.22)
    assert labels.shape == coarse.shape
    assert labels.max() == 3
    fine = np.kron(discs[2], np.ones((4, 4)))
    assert segment(fine, threshold_segmenter, pixel_size_um=0.02).max() == 3


@pytest.mark.parametrize("pixel_size_um", [0.04, 0.05])
def test_fine_pixels_are_outlined_as_well_as_usual_ones(pixel_size_um):
    size = round(96 * 0.08 / pixel_size_um)
    scene = simulate(frames=1, size=size, count=8, seed=5, pixel_size_um=pixel_size_um)
    found, truth = segment(scene.fluorescence, pixel_size_um=pixel_size_um) > 0, scene.labels > 0
    assert (found & truth).sum() / (found | truth).sum() > 0.6


@pytest.mark.parametrize("pixel_size_um", [0.08, None])
def test_a_wide_mitochondrion_is_one_where_its_width_is_told(pixel_size_um):
    y, x = np.mgrid[:96, :128]
    centreline = (np.abs(y - 48 - 10 * np.sin(x / 18)) < 1) & (x > 30) & (x < 98)
    truth = ndimage.distance_transform_edt(~centreline) <= 0.5 * 2.0 / 0.08
    light = 20 + 60 * ndimage.gaussian_filter(truth.astype(float), 1.5)
    image = np.random.default_rng(0).poisson(light)
    labels = segment(image, pixel_size_um=pixel_size_um, width_um=2.0)
    assert labels.max() == 1
    assert ((labels > 0) & truth).sum() / ((labels > 0) | truth).sum() > 0.75
    usual = segment(image, pixel_size_um=pixel_size_um)
    assert usual.max() > 2
    assert np.array_equal(segment(image, pixel_size_um=pixel_size_um, width_um=0.3), usual)


@pytest.mark.parametrize(
    ("pixel_size_um", "seen_um"),
    [
        (0.03, [0.04, 0.08]),
        (0.059, [0.059, 0.08]),
        (0.061, [0.061]),
        (0.1, [0.1]),
        (0.12, [0.11]),
        (None, [None]),
    ],
)
def test_the_network_sees_pixels_of_the_range_it_knows_and_fine_ones_also_at_the_usual_size(
    threshold_segmenter, pixel_size_um: float | None, seen_um: list[float | None]
) -> None:
    segmenter = Segmenter(threshold_segmenter, pixel_size_um=pixel_size_um)
    scales = segmenter._inner_sizes((96, 120))
    assert [size for size, _ in scales] == seen_um
    for size, (height, width) in scales:
        factor = pixel_size_um / size if size else 1
        assert (height, width) == pytest.approx((96 * factor, 120 * factor), abs=0.5)


@pytest.mark.parametrize("surer_um", [0.05, 0.08])
def test_of_two_scales_that_counts_at_which_the_network_is_surer(
    threshold_segmenter, monkeypatch, surer_um: float
) -> None:
    segmenter = Segmenter(threshold_segmenter, pixel_size_um=0.05)
    surer = dict(segmenter._inner_sizes((40, 48)))[surer_um]

    def raw_maps(normal, shape, *, on_tile):
        maps = np.full((2 + len(segmenter._steps), *shape), -9.0, np.float32)
        maps[0, 5:15, 5:15] = 9.0 if shape == surer else -1.0
        return maps

    monkeypatch.setattr(segmenter, "_raw_maps", raw_maps)
    maps = segmenter.maps_of_normalised(np.zeros((40, 48), np.float32))
    assert maps.inner_pixel_size_um == surer_um
    assert maps.inner.shape == surer


@pytest.mark.parametrize(("width_um", "seen_um"), [(0.4, 0.08), (0.79, 0.08), (1.6, 0.16)])
def test_mitochondria_wider_than_ten_pixels_are_seen_ten_pixels_wide(
    threshold_segmenter, discs, width_um: float, seen_um: float
) -> None:
    segmenter = Segmenter(threshold_segmenter, pixel_size_um=0.08, width_um=width_um)
    maps = segmenter.maps(discs[1])
    assert maps.inner_pixel_size_um == pytest.approx(seen_um)
    assert maps.foreground.shape == discs[1].shape


@pytest.mark.parametrize(("probability", "lowest", "found"), [(0.38, 0.12, 1), (0.1, 0.12, 0)])
def test_a_blurred_map_is_cut_where_it_fits_best_but_not_below_the_cut_of_the_card(
    threshold_segmenter, probability: float, lowest: float, found: int
) -> None:
    """The stand-in's log odds are 12 times the intensity, less 6."""
    plane = np.zeros((40, 40), np.float32)
    plane[10:20, 10:20] = (np.log(probability / (1 - probability)) + 6) / 12
    segmentation = {**threshold_segmenter.card.segmentation, "lowest_cut": lowest}
    card = threshold_segmenter.card.model_copy(update={"segmentation": segmentation})
    segmenter = Segmenter(replace(threshold_segmenter, card=card))
    assert segmenter.maps_of_normalised(plane).labels().max() == found
    assert Segmenter(threshold_segmenter).maps_of_normalised(plane).labels().max() == 0


@pytest.mark.parametrize(("gain", "of_a_tenth"), [(0.0, 0.1), (0.5, 0.104), (5.0, 0.208)])
def test_dim_mitochondria_are_raised_by_the_gain_of_the_card(
    threshold_segmenter, gain: float, of_a_tenth: float
) -> None:
    card = threshold_segmenter.card.model_copy(update={"segmentation": {"asinh_gain": gain}})
    segmenter = Segmenter(replace(threshold_segmenter, card=card))
    values = segmenter.compressed(np.array([0.0, 0.1, 1.0], np.float32))
    assert values.tolist() == pytest.approx([0, of_a_tenth, 1], abs=1e-3)


def test_a_new_segmenter_sees_images_as_the_shipped_one_does() -> None:
    new, shipped = new_card("new"), read_card("mito-segment")
    for part in ("architecture", "outputs", "normalisation", "pixel_size_um"):
        assert getattr(new, part) == getattr(shipped, part)
    chosen_on_its_images = {"merge_above", "lowest_cut"}
    for name in set(shipped.segmentation) - chosen_on_its_images:
        assert new.segmentation[name] == shipped.segmentation[name]


def test_small_objects_go_by_their_physical_area(discs, threshold_segmenter):
    area_px = int((segment(discs[0], threshold_segmenter) > 0).sum())
    limit = area_px * 0.1**2
    keep = segment(discs[0], threshold_segmenter, pixel_size_um=0.1, min_area_um2=limit * 0.99)
    drop = segment(discs[0], threshold_segmenter, pixel_size_um=0.1, min_area_um2=limit * 1.01)
    assert (keep.max(), drop.max()) == (1, 0)


def test_kept_maps_give_what_segmenting_anew_gives(discs, threshold_segmenter):
    segmenter = Segmenter(threshold_segmenter, pixel_size_um=0.1)
    maps = segmenter.maps(discs[2], fit_movie(discs, segmenter))
    for threshold in (0.1, 0.5, 0.9):
        for split in ("skeleton", "log", "none"):
            options = {"threshold": threshold, "split": split}
            anew = segment(discs, threshold_segmenter, pixel_size_um=0.1, **options)[2]
            assert np.array_equal(maps.labels(**options), anew)


def test_a_segmenter_travels_to_another_process(discs, threshold_segmenter):
    segmenter = Segmenter(threshold_segmenter)
    before = segmenter.maps(discs[2]).labels()
    assert np.array_equal(pickle.loads(pickle.dumps(segmenter)).maps(discs[2]).labels(), before)


def test_progress_and_cancel(discs, threshold_segmenter):
    seen = []
    segment(discs, threshold_segmenter, progress=lambda p: seen.append((p.done, p.total)))
    assert seen == [(1, 3), (2, 3), (3, 3)]
    token = CancelToken()
    with pytest.raises(CancelledError):
        segment(discs, threshold_segmenter, progress=lambda p: token.cancel(), cancel=token)


@pytest.mark.parametrize(
    ("image", "options", "message"),
    [
        (np.ones(5), {}, "expected"),
        (np.ones((0, 5)), {}, "empty"),
        (np.ones((50, 50, 3)), {}, "RGB"),
        (np.ones((5, 5), complex), {}, "real numbers"),
        (np.array([["a", "b"]]), {}, "real numbers"),
        (np.ones((5, 5)), {"pixel_size_um": -1}, "pixel size"),
        (np.ones((5, 5)), {"pixel_size_um": "80nm"}, "pixel size is 80nm"),
        (np.ones((5, 5)), {"threshold": "high"}, "threshold = 'high'"),
        (np.ones((5, 5)), {"min_area_um2": "small"}, "min_area_um2 = 'small'"),
        (np.ones((5, 5)), {"pixel_size_um": 50}, "pixel size"),
        (np.ones((5, 5)), {"threshold": 1.5}, "threshold"),
        (np.ones((5, 5)), {"min_area_um2": -1}, "min_area_um2"),
        (np.ones((5, 5)), {"split": "some"}, "'skeleton', 'log' or 'none'"),
    ],
)
def test_bad_input_is_named(image, options, message, threshold_segmenter):
    if options.get("pixel_size_um") == 50:
        image = np.arange(25.0).reshape(5, 5)
    with pytest.raises(InputError, match=message):
        segment(image, threshold_segmenter, **options)


def test_a_generator_is_refused():
    card = ModelCard(name="painter", architecture={"arguments": {"widths": [2]}})
    painter = Model(build_network(card.architecture), card, "", None)
    with pytest.raises(ModelError, match="generator"):
        segment(np.eye(20), painter)


def test_to_file_with_geometry_resume_and_no_overwriting(discs, threshold_segmenter, tmp_path):
    stack = Stack(da.from_array(discs, chunks=(1, 72, 90)), "tyx", 0.1, 2.5, name="discs")
    out = segment_to_file(stack, tmp_path / "labels.ome.tif", threshold_segmenter)
    written = open_stack(out)
    assert np.array_equal(
        written.data.compute(), segment(discs, threshold_segmenter, pixel_size_um=0.1)
    )
    assert (written.axes, written.pixel_size_um, written.frame_interval_s) == ("tyx", 0.1, 2.5)
    with pytest.raises(OutputExistsError):
        segment_to_file(stack, out, threshold_segmenter)


@pytest.mark.parametrize("suffix", [".ome.tif", ".ome.zarr"])
def test_an_interrupted_run_is_resumed(discs, threshold_segmenter, tmp_path, suffix):
    out, token, seen = tmp_path / f"labels{suffix}", CancelToken(), []
    with pytest.raises(CancelledError):
        segment_to_file(
            discs, out, threshold_segmenter, progress=lambda p: token.cancel(), cancel=token
        )
    assert not out.exists()
    segment_to_file(
        discs, out, threshold_segmenter, resume=True, progress=lambda p: seen.append(p.done)
    )
    assert seen[0] > 1
    assert counts(open_stack(out).data.compute()) == [1, 2, 3]
