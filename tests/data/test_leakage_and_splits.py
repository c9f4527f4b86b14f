"""Splits by group, and pixels that are on both sides."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_virtualstain.data import (
    CorrelativePairs,
    divided_field,
    find_shared_pixels,
    match_pairs,
    merge_groups,
    split_pairs,
)
from napari_virtualstain.data.leakage import _anchors
from napari_virtualstain.data.splits import SAME_CELL, _chosen_groups
from napari_virtualstain.errors import InputError


def _frame(seed: int, shape=(160, 160), dtype="uint8") -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 60, shape).astype(dtype)


@given(
    y=st.integers(0, 60), x=st.integers(0, 60), v=st.integers(0, 60), u=st.integers(0, 60),
    dtype=st.sampled_from(["uint8", "uint16", "float32", ">u2", "int32"]),
)  # fmt: skip
@settings(max_examples=40, deadline=None)
def test_overlapping_crops_are_found_with_their_offset(
    y: int, x: int, v: int, u: int, dtype: str
) -> None:
    frame = _frame(0, dtype=dtype)
    found = find_shared_pixels([frame[y : y + 96, x : x + 96], frame[v : v + 96, u : u + 96]])
    share = (96 - abs(y - v)) * (96 - abs(x - u)) / 96**2
    assert share > 0.1  # 36 px at least in both directions: enough for an anchor
    assert [(o.offset_yx, o.share) for o in found] == [((v - y, u - x), pytest.approx(share))]


def test_unlike_images_do_not_overlap() -> None:
    assert find_shared_pixels([_frame(seed) for seed in range(8)]) == []


@pytest.mark.parametrize(
    "alter",
    [
        np.fliplr,
        np.flipud,
        np.transpose,
        np.rot90,
        lambda a: 256 * a.astype(np.result_type(a, np.uint16)) + 5,
    ],
    ids=["left-right", "up-down", "transposed", "turned", "gain"],
)
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_a_whole_image_is_known_again_flipped_turned_or_brighter(alter, dtype):
    image = np.random.default_rng(0).integers(0, 255, (96, 96)).astype(dtype)
    copy = alter(image).copy()
    assert [
        (o.first, o.second, o.altered) for o in find_shared_pixels([_frame(1), image, copy])
    ] == [(1, 2, True)]
    copy[0, 0] = copy[0, 0] == 0
    assert find_shared_pixels([image, copy]) == []


def test_flat_corners_are_no_overlap() -> None:
    images = [_frame(seed) for seed in range(3)]
    for image in images:
        image[:80] = 0
    assert find_shared_pixels(images) == []


def test_padding_with_zeros_is_neither_shared_nor_kept_window_by_window() -> None:
    rng = np.random.default_rng(0)
    images = [np.pad(rng.integers(1, 999, (64, 64)), ((0, 12), (12, 0))) for _ in range(3)]
    assert find_shared_pixels(images) == []
    wide = np.pad(images[0], 200)
    assert len(_anchors(wide, 61)) < 300


def test_equal_windows_in_different_images_do_not_fool_it() -> None:
    first, second = _frame(0), _frame(1)
    second[40:72, 40:72] = first[10:42, 10:42]
    assert find_shared_pixels([first, second]) == []


def test_hundreds_of_crops_take_seconds() -> None:
    frame = _frame(0, (1024, 1024))
    rng = np.random.default_rng(1)
    corners = rng.integers(0, 768, (100, 2))
    start = time.process_time()
    found = find_shared_pixels([frame[y : y + 256, x : x + 256] for y, x in corners])
    assert time.process_time() - start < 20
    expected = {
        (i, j)
        for i in range(100)
        for j in range(i + 1, 100)
        if (np.abs(corners[i] - corners[j]) < 256 - 40).all()
    }
    assert expected <= {(o.first, o.second) for o in found}


def test_merging_is_transitive_and_ignores_order() -> None:
    crops = [_frame(0)[:96], _frame(0)[32:128], _frame(0)[64:160], _frame(1)[:96]]
    shared = find_shared_pixels(crops)
    merged = merge_groups(["d", "b", "c", "a"], shared)
    assert merged[0] == merged[1] == merged[2] != merged[3]


def _pairs(groups: list[str]) -> CorrelativePairs:
    images = np.random.default_rng(0).normal(size=(len(groups), 32, 32))
    return CorrelativePairs.from_arrays(images, images, groups=groups)


@given(
    groups=st.lists(st.sampled_from("abcdef"), min_size=2, max_size=30),
    fraction=st.floats(0.05, 0.6),
    seed=st.integers(0, 5),
)
@settings(max_examples=60, deadline=None)
def test_no_group_is_ever_on_both_sides(groups: list[str], fraction: float, seed: int) -> None:
    split = split_pairs(_pairs(groups), fraction=fraction, seed=seed)
    assert sorted(split.train + split.validation) == list(range(len(groups)))
    assert split.train
    assert split.validation
    if len(set(groups)) > 1:
        assert split.independent
        assert not set(split.train_groups) & set(split.validation_groups)
    else:
        assert not split.independent
        assert "no score for new cells" in split.notes[-1]


def test_given_groups_are_held_out_and_unknown_ones_refused() -> None:
    pairs = _pairs(["a", "b", "b", "c"])
    assert split_pairs(pairs, validation_groups=["b"]).validation == (1, 2)
    with pytest.raises(InputError, match=r"no group 'z'.*a, b, c"):
        split_pairs(pairs, validation_groups=["z"])
    with pytest.raises(InputError, match="All groups are held out"):
        split_pairs(pairs, validation_groups=["a", "b", "c"])


def test_shared_pixels_across_the_split_are_refused_unless_asked_for() -> None:
    frame = _frame(0)
    images = [frame[:96], frame[40:136], _frame(1)[:96]]
    pairs = CorrelativePairs.from_arrays(images, images, groups=["a", "b", "c"])
    with pytest.raises(InputError, match="share pixels"):
        split_pairs(pairs, validation_groups=["b"])
    split = split_pairs(pairs, validation_groups=["b"], allow_leakage=True)
    assert not split.independent
    assert split.describe()["shared_pixels"][0]["share"] == pytest.approx(56 / 96, abs=1e-3)
    chosen = split_pairs(pairs)  # without a wish, a and b stay on one side
    assert chosen.independent
    assert any("share pixels" in note for note in chosen.notes)


@pytest.mark.parametrize(
    ("shape", "parts"),
    [
        ((300, 200), [(225, 200), (75, 200)]),
        ((200, 300), [(200, 225), (200, 75)]),
        ((256, 256), [(256, 192), (256, 64)]),
        ((250, 250), [(250, 250)]),
    ],
)
def test_a_single_large_field_is_divided_along_its_longer_side(
    shape: tuple[int, int], parts: list[tuple[int, int]]
) -> None:
    field = np.random.default_rng(0).normal(size=(1, *shape))
    divided = divided_field(CorrelativePairs.from_arrays(field, 2 * field, groups=["a"]))
    assert [image.shape for image in divided.fluorescence] == parts
    if len(parts) == 1:
        return
    joined = np.concatenate(divided.fluorescence, axis=0 if shape[0] > shape[1] else 1)
    np.testing.assert_array_equal(joined, 2 * field[0])
    split = split_pairs(divided, validation_groups=divided.groups[1:])
    assert (split.train, split.validation) == ((0,), (1,))
    assert split.scorable
    assert not split.independent
    assert SAME_CELL in split.notes


def test_several_pairs_are_not_divided() -> None:
    pairs = _pairs(["a", "a"])
    assert divided_field(pairs) is pairs


def test_one_pair_cannot_be_split() -> None:
    with pytest.raises(InputError, match="at least two pairs"):
        split_pairs(_pairs(["a"]))


def test_published_sample_leaks_within_cells_and_not_between_them(real_data) -> None:
    folder = real_data("h9c2_pairs")
    pairs = match_pairs(folder / "bright_field", folder / "fluorescence")
    shared = find_shared_pixels(pairs.fluorescence)
    assert len(shared) > 50  # random crops of one frame
    assert merge_groups(pairs.groups, shared) == pairs.groups


def test_other_parts_of_one_movie_are_scored_but_never_called_independent() -> None:
    images = np.random.default_rng(0).normal(size=(4, 32, 32))
    pairs = CorrelativePairs.from_arrays(
        images, images, groups=["a", "a", "b", "b"], movies=["cell"] * 4
    )
    split = split_pairs(pairs, validation_groups=["b"])
    assert split.scorable
    assert not split.independent
    assert "next cell" in " ".join(split.notes)
    other = split_pairs(replace(pairs, movies=("x", "x", "y", "y")), validation_groups=["b"])
    assert other.independent
    assert other.notes == ()


@pytest.mark.parametrize(("shape", "known"), [((8, 8), True), ((7, 9), False)])
def test_copies_are_known_from_sixty_four_pixels_on(shape, known) -> None:
    image = _frame(3, shape)
    assert bool(find_shared_pixels([image, np.fliplr(image)])) == known


@pytest.mark.parametrize("seed", range(6))
def test_a_group_larger_than_twice_the_wanted_share_is_not_held_out_first(seed: int) -> None:
    names = [*"a" * 10, *"b" * 2, *"c" * 2]  # a fifth is 2.8
    images = [_frame(100 + i, (16, 16)) for i in range(len(names))]
    pairs = CorrelativePairs.from_arrays(images, images, groups=names)
    assert "a" not in split_pairs(pairs, seed=seed).validation_groups


@pytest.mark.parametrize(
    ("groups", "fraction", "held"),
    [
        ("aabbccddee", 0.29, 1),
        ("aabbccddee", 0.3, 1),  # as near to one group of two as to two of them
        ("aabbccddee", 0.31, 2),
        ("abc", 0.6, 2),  # one pair is enough to train on
        ("abc", 0.9, 2),
        ("ab", 0.9, 1),
    ],
)
def test_another_group_is_held_out_only_where_that_is_nearer(
    groups: str, fraction: float, held: int
) -> None:
    assert len(_chosen_groups(list(groups), fraction, seed=0)) == held


def test_a_turned_image_that_is_not_square_is_known_again() -> None:
    image = _frame(4, (64, 96))
    assert len(find_shared_pixels([image, np.rot90(image), image.T])) >= 2


def test_forty_crops_of_one_place_are_all_found() -> None:
    frame = _frame(5, (52, 52))
    corners = np.random.default_rng(0).integers(0, 8, (40, 2))
    found = find_shared_pixels([frame[y : y + 44, x : x + 44] for y, x in corners])
    assert len(found) == 40 * 39 / 2


def test_groups_are_named_in_the_order_of_the_alphabet() -> None:
    """A seed then holds out the same ones in each process."""
    assert _pairs(list("qjxzbvkwfhgym")).group_names == tuple("bfghjkmqvwxyz")


@pytest.mark.parametrize("seed", range(5))
def test_the_order_of_the_pairs_does_not_choose_the_groups(seed: int) -> None:
    groups = list("aabbccddee")
    assert _chosen_groups(groups, 0.4, seed) == _chosen_groups(groups[::-1], 0.4, seed)


@pytest.mark.parametrize(
    ("rows", "said"),
    [(0, "'1' is identical to '0'"), (24, "'1' shares 75% of its pixels with '0'")],
)
def test_shared_pixels_of_two_groups_are_named(rows: int, said: str) -> None:
    frame = _frame(0)
    images = [frame[:96], frame[rows : rows + 96]]
    pairs = CorrelativePairs.from_arrays(images, images, groups=["a", "b"])
    with pytest.raises(InputError, match=said):
        split_pairs(pairs, validation_groups=["b"])
    together = split_pairs(pairs)
    assert not together.independent
    assert "Groups a, b share pixels" in together.notes[0]


@pytest.mark.parametrize(("count", "held"), [(2, 1), (7, 1), (8, 2), (12, 2), (13, 3)])
def test_of_one_group_about_the_last_fifth_follows_the_training(count: int, held: int) -> None:
    split = split_pairs(_pairs(["a"] * count))
    assert split.validation == tuple(range(count - held, count))
    assert f"the last {held} follow the training" in split.notes[-1]
