"""Pairs that cannot be trained on, and what is said of doubtful ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_virtualstain.data import CorrelativePairs, joined, match_pairs, summarise_statistics
from napari_virtualstain.data.alignment import Alignment, _prepared
from napari_virtualstain.data.correlative_pairs import inside_only
from napari_virtualstain.data.inspection import _problem
from napari_virtualstain.data.leakage import _common, _levels
from napari_virtualstain.data.pair_reading import _one_channel
from napari_virtualstain.data.registration import peak_offset
from napari_virtualstain.data.registration_warnings import alignment_notes
from napari_virtualstain.errors import InputError
from napari_virtualstain.io import Stack

NOISE = np.random.default_rng(0).normal(100, 5, (4, 32, 32))


def _pairs(light: Any = NOISE, glow: Any = NOISE, **given: Any) -> CorrelativePairs:
    return CorrelativePairs.from_arrays(light, glow, **given)


@pytest.mark.parametrize(
    ("light", "glow", "given", "said"),
    [
        (NOISE, NOISE[:3], {}, "give one fluorescence image for each"),
        (NOISE, NOISE, {"groups": ["a"]}, "equally many"),
        (NOISE, NOISE[:, None], {}, "has 3 dimensions; give one plane"),
        (NOISE, NOISE[:, :30], {}, "Both must show the same field"),
        (NOISE[:, None, None], NOISE, {}, "expected (Y, X), or (P, Y, X)"),
        (
            [*NOISE[:1], NOISE[:3]],
            NOISE[:2],
            {},
            "different numbers of bright-field planes",
        ),
    ],
)
def test_images_that_are_no_pairs_are_refused(
    light: Any, glow: Any, given: dict[str, Any], said: str
) -> None:
    with pytest.raises(InputError) as refused:
        _pairs(light, glow, **given)
    assert said in str(refused.value)


def test_no_pairs_and_no_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="There are no pairs to train on"):
        joined([])
    with pytest.raises(InputError, match="No bright-field image was given"):
        match_pairs([], [])
    (tmp_path / "pairs.csv").write_bytes(b"\xff\xfe\x00bright_field")
    with pytest.raises(InputError, match="list of pairs .* cannot be read"):
        match_pairs(tmp_path / "pairs.csv")


def test_a_channel_is_to_be_chosen_where_there_are_several() -> None:
    stack = Stack(np.zeros((2, 8, 8)), "cyx", channel_names=("BF", "GFP"), name="both")
    with pytest.raises(InputError, match=r"'both' has several channels \(BF, GFP\)"):
        _one_channel(stack, None)
    assert _one_channel(stack, "GFP").axes == "yx"
    assert _one_channel(stack.select_channel(0), None).axes == "yx"


@pytest.mark.parametrize(
    ("light", "glow", "said"),
    [
        (NOISE[0], NOISE[0].astype(complex), "the fluorescence image holds complex128 values"),
        (np.full((32, 32), 7), NOISE[0], "the bright-field image is constant (7)"),
        (NOISE[0] * np.where(np.eye(32), np.nan, 1), NOISE[0], "has 32 NaN or infinite pixels"),
        (NOISE[0], NOISE[1], ""),
    ],
)
def test_planes_that_hold_nothing_to_learn_are_named(light: Any, glow: Any, said: str) -> None:
    problem = _problem(light, glow)
    assert said in problem
    assert bool(problem) == bool(said)


@pytest.mark.parametrize(
    ("alignment", "said"),
    [
        (Alignment(problem="same"), "hold the same image. Choose the fluorescence"),
        (Alignment(problem="swapped"), "seem to be swapped: the bright-field looks like "),
        (Alignment(problem="mirrored"), "is mirrored against the bright-field. Check the channels"),
        (Alignment(5.0, 0.0, significance=20.0, spread_px=0.2), "displaced by dy +5.0"),
        (Alignment(0.1, 0.0, significance=20.0, spread_px=0.2), ""),
        (Alignment(5.0, 0.0, significance=3.0), ""),
    ],
)
def test_what_is_wrong_with_channels_is_said_once_for_all_groups(
    alignment: Alignment, said: str
) -> None:
    notes = alignment_notes({"a": alignment, "b": alignment})
    assert len(notes) == bool(said)
    assert all(note.startswith("Groups a, b: ") and said in note for note in notes)


def test_images_without_structure_are_not_aligned() -> None:
    assert _prepared(np.full((32, 32), 7.0), True) is None
    assert _prepared(NOISE[0] * np.where(np.eye(32), np.nan, 1), True) is None
    assert _prepared(NOISE[0], True) is not None
    with_stain, without = _prepared(NOISE[0], True), _prepared(NOISE[0], False)
    assert not np.allclose(with_stain, without)


def test_a_peak_at_the_edge_has_no_offset() -> None:
    values = np.array([1.0, 3.0, 2.0, 5.0])
    assert peak_offset(values, 0) == peak_offset(values, 3) == 0
    assert peak_offset(values, 1) == pytest.approx(0.5 * (1 - 2) / (1 - 6 + 2))
    assert peak_offset(values, 2) == 0  # a valley


def test_levels_of_constant_and_tiny_images_are_not_compared() -> None:
    assert _levels(np.full((32, 32), 7)) is None
    assert _levels(np.full((32, 32), np.nan)) is None
    assert _levels(np.arange(63).reshape(7, 9)) is None
    assert _levels(np.arange(64).reshape(8, 8)) is not None
    np.testing.assert_array_equal(_levels(10 + 3 * np.arange(64).reshape(8, 8)).ravel(), range(64))


@pytest.mark.parametrize(
    ("dy", "dx", "rows", "columns"),
    [(0, 0, 4, 5), (2, 1, 2, 4), (-3, -4, 1, 1), (3, 4, 1, 1)],
)
def test_images_coincide_where_they_overlap(dy: int, dx: int, rows: int, columns: int) -> None:
    image = np.arange(20).reshape(4, 5)
    first, second = _common(image, image, dy, dx)
    assert first.shape == second.shape == (rows, columns)
    assert first[0, 0] - second[0, 0] == 5 * dy + dx


@pytest.mark.parametrize(("dy", "dx"), [(4, 0), (0, 5), (-4, 0), (0, -5)])
def test_images_beside_each_other_have_nothing_in_common(dy: int, dx: int) -> None:
    image = np.arange(20).reshape(4, 5)
    assert all(len(part) == 0 for part in _common(image, image, dy, dx))


def test_what_is_outside_of_a_mask_becomes_the_mean_of_the_inside() -> None:
    image = np.array([1.0, 3.0, 9.0])
    assert inside_only(image, None) is image
    assert summarise_statistics([]) == {}
