from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from skimage.measure import perimeter_crofton

from napari_virtualstain.errors import CancelledError, InputError
from napari_virtualstain.progress import CancelToken
from napari_virtualstain.segmentation import (
    INTENSITY_COLUMNS,
    SHAPE_COLUMNS,
    measure,
    summarise_frames,
)
from napari_virtualstain.segmentation.shape import measure_outline

from .shapes import FLIPS, bar, cross, disc, empty, letter_y, ring


def row_of(mask: np.ndarray, **options: object) -> pd.Series:
    table = measure(mask.astype(np.int32), **options)
    assert len(table) == 1
    return table.iloc[0]


@pytest.mark.parametrize("radius", [6, 10, 20])
def test_a_disc(radius):
    row = row_of(disc(radius))
    assert row.area_um2 == pytest.approx(np.pi * radius**2, rel=0.05)
    assert row.perimeter_um == pytest.approx(2 * np.pi * radius, rel=0.08)
    assert row.major_axis_um == pytest.approx(2 * radius, rel=0.05)
    assert row.feret_max_um == pytest.approx(2 * radius, abs=1.5)
    assert row.aspect_ratio == pytest.approx(1, abs=1e-6)
    assert row.form_factor == pytest.approx(1, abs=0.1)
    assert row.solidity > 0.93
    assert row.shape_class == "dot"
    assert (row.y_px, row.x_px) == (40, 40)


@pytest.mark.parametrize("angle", [0, 20, 45, 70, 90])
def test_a_rod_at_any_angle(angle):
    row = row_of(bar(angle, half=25, width=6))
    assert row.feret_max_um == pytest.approx(np.hypot(50, 6), rel=0.05)
    assert row.skeleton_length_um == pytest.approx(47.5, abs=5)
    assert row.width_um == pytest.approx(6, abs=1.5)
    assert row.tortuosity == pytest.approx(1, abs=0.03)
    assert (row.branches, row.junctions, row.ends) == (1, 0, 2)
    assert row.shape_class == "rod"
    assert not row.is_network


@pytest.mark.parametrize("width", [1, 2, 3, 4, 5, 8])
def test_the_width_of_an_upright_rod_is_exact(width):
    mask = empty()
    mask[20 : 20 + width, 10:70] = True
    assert row_of(mask).width_um == width


@pytest.mark.parametrize(
    ("mask", "branches", "junctions", "ends", "shape_class"),
    [
        (ring(), 1, 0, 0, "rod"),
        (letter_y(), 3, 1, 3, "network"),
        (cross(), 4, 1, 4, "network"),
        (cross(60), 4, 1, 4, "network"),
    ],
)
def test_topology_of_known_shapes(mask, branches, junctions, ends, shape_class):
    row = row_of(mask)
    assert (row.branches, row.junctions, row.ends) == (branches, junctions, ends)
    assert row.shape_class == shape_class
    assert row.branch_index == (junctions / ends if ends else 0)


@pytest.mark.parametrize(("length", "junctions"), [(2, 0), (3, 1)])
def test_a_side_branch_longer_than_the_width_counts(length: int, junctions: int):
    mask = empty()
    mask[40, 10:70] = mask[40 - length : 40, 40] = True  # lines that are two pixels wide
    assert row_of(mask).junctions == junctions


def test_lengths_of_ring_and_cross():
    assert row_of(ring(20, 15)).skeleton_length_um == pytest.approx(2 * np.pi * 17.5, rel=0.04)
    assert row_of(cross()).skeleton_length_um == pytest.approx(100, abs=8)


@settings(max_examples=10, deadline=None)
@given(size=st.floats(0.01, 5))
def test_measures_scale_with_the_pixel_size(size):
    one, other = row_of(letter_y()), row_of(letter_y(), pixel_size_um=size)
    for column in SHAPE_COLUMNS:
        power = 2 if column.endswith("um2") else 1 if column.endswith("_um") else 0
        if power or column in {"aspect_ratio", "solidity", "form_factor", "extent"}:
            assert other[column] == pytest.approx(one[column] * size**power, rel=1e-9)


@pytest.mark.parametrize("mask", [letter_y(), bar(33), ring()])
def test_flips_and_turns_change_no_shape_measure(mask):
    fixed = [c for c in SHAPE_COLUMNS if c not in {"y_um", "x_um", "y_px", "x_px"}]
    row = row_of(mask)
    for flip in FLIPS:
        turned = row_of(flip(mask))
        for column in fixed:
            assert turned[column] == row[column] or turned[column] == pytest.approx(
                row[column], rel=1e-9, nan_ok=True
            )


def test_labels_keep_their_numbers_and_the_border_is_flagged():
    labels = np.zeros((3, 40, 40), np.uint16)
    labels[0, 0:5, 10:20] = 7
    labels[0, 20:25, 10:20] = 3
    labels[2, 20:25, 35:40] = 900
    table = measure(labels)
    assert table[["frame", "label"]].to_numpy().tolist() == [[0, 3], [0, 7], [2, 900]]
    assert table["touches_border"].tolist() == [False, True, True]


@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (4, 4)])
def test_tiny_rectangles_are_convex_and_no_rounder_than_a_disc(shape: tuple[int, int]) -> None:
    # the hull through the middles of pixel sides is smaller than a square of few pixels
    row = row_of(np.pad(np.ones(shape, bool), 2))
    assert row.solidity == 1.0
    assert row.form_factor >= 1.0


def test_a_frame_without_background():
    assert measure(np.full((8, 9), 4)).loc[0, "label"] == 4


def test_intensities_are_above_the_background():
    mask = empty()
    mask[10:20, 10:20] = True
    image = np.where(mask, 130.0, 100.0)
    image[10, 10:20] = 160.0
    row = row_of(mask, intensity=image, pixel_size_um=0.5)
    assert row.mean_intensity == pytest.approx(33)
    assert row.max_intensity == 60
    assert row.integrated_intensity == pytest.approx(3300)
    assert row.weighted_y_um < row.y_um
    assert row.weighted_x_um == pytest.approx(row.x_um)


@pytest.mark.parametrize("scale", [1e-6, 1e-3, 1.0, 1e4])
def test_the_unit_of_intensity_does_not_move_the_weighted_centroid(scale: float):
    labels = np.zeros((20, 30), np.int32)
    labels[5:10, 5:10] = 1
    image = np.where(labels > 0, np.arange(30.0), 0.0)
    row = measure(labels, scale * image).iloc[0]
    columns = np.arange(5, 10)
    assert row.weighted_x_um == pytest.approx((columns**2).sum() / columns.sum())


def test_the_smallest_ring_is_closed():
    mask = empty()
    mask[39:42, 39:42] = True
    mask[40, 40] = False
    row = row_of(mask)
    assert (row.branches, row.junctions, row.ends, row.shape_class) == (1, 0, 0, "rod")


def test_unsigned_images_below_background_do_not_wrap():
    mask = empty()
    mask[10:20, 10:20] = True
    row = row_of(mask, intensity=np.where(mask, 5, 9).astype(np.uint8))
    assert row.mean_intensity == -4
    assert row.weighted_y_um == row.y_um


def test_no_object_gives_the_columns_all_the_same():
    table = measure(np.zeros((2, 5, 5), int), np.zeros((2, 5, 5)))
    assert len(table) == 0
    assert list(table.columns) == [*SHAPE_COLUMNS, *INTENSITY_COLUMNS]
    summary = summarise_frames(table, frames=2)
    assert summary["count"].tolist() == [0, 0]
    assert summary["footprint_um2"].tolist() == [0, 0]


def test_the_summary_adds_up():
    table = measure(np.stack([cross(), disc(), empty()]).astype(int), pixel_size_um=0.1)
    summary = summarise_frames(table, frames=3).set_index("frame")
    assert summary["count"].tolist() == [1, 1, 0]
    assert summary["footprint_um2"].tolist() == pytest.approx(
        [cross().sum() / 100, disc().sum() / 100, 0]
    )
    assert summary["networks"].tolist() == [1, 0, 0]
    assert summary["dots"].tolist() == [0, 1, 0]
    assert summary.loc[0, "mean_network_branches"] == 4
    assert summary.loc[0, "mean_branch_length_um"] == pytest.approx(
        table.loc[0, "skeleton_length_um"] / 4
    )


@pytest.mark.parametrize(
    ("labels", "options", "message"),
    [
        (np.ones((2, 2, 5, 5), int), {}, "shape"),
        (np.ones(5, int), {}, "shape"),
        (np.ones((5, 5)), {}, "integers"),
        (np.full((5, 5), -1), {}, "negative"),
        (np.ones((5, 5), int), {"intensity": np.ones((5, 6))}, "shape"),
        (np.ones((5, 5), int), {"pixel_size_um": 0}, "pixel size"),
        (np.ones((5, 5), int), {"pixel_size_um": float("nan")}, "pixel size"),
    ],
)
def test_bad_input_is_named(labels, options, message):
    with pytest.raises(InputError, match=message):
        measure(labels, **options)


def test_progress_and_cancel():
    seen = []
    measure(np.ones((3, 5, 5), int), progress=lambda p: seen.append((p.done, p.total)))
    assert seen == [(1, 3), (2, 3), (3, 3)]
    token = CancelToken()
    token.cancel()
    with pytest.raises(CancelledError):
        measure(np.ones((3, 5, 5), int), cancel=token)


@pytest.mark.parametrize("values", [(1, 2), (3, 40), (7, 2**40)])
def test_labels_with_gaps_and_huge_labels_keep_their_names(values):
    labels = np.zeros((20, 30), np.int64)
    labels[2:6, 3:20], labels[10:14, 5:9] = values
    table = measure(labels)
    assert table["label"].tolist() == list(values)
    assert table["area_um2"].tolist() == [68, 16]


def test_the_perimeter_is_that_of_scikit_image():
    rng = np.random.default_rng(3)
    for _ in range(5):
        mask = ndimage.binary_opening(rng.random((30, 40)) < 0.8, iterations=1)
        mask[0], mask[:, -1] = True, True
        outline = measure_outline(mask)
        assert outline.perimeter == pytest.approx(perimeter_crofton(np.pad(mask, 1)))
