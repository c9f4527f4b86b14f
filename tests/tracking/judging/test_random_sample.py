"""Random samples of tracks and links, and the interval of the share that is right."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

from napari_virtualstain.errors import InputError
from napari_virtualstain.tracking import draw_links, draw_tracks, share_right, wilson_interval


@pytest.mark.parametrize(("right", "judged"), [(0, 7), (27, 30), (30, 30), (1, 2)])
@pytest.mark.parametrize("confidence", [0.8, 0.95])
def test_the_interval_is_scipys(right: int, judged: int, confidence: float) -> None:
    found = wilson_interval(right, judged, confidence)
    expected = binomtest(right, judged).proportion_ci(confidence, method="wilson")
    assert np.allclose((found.low, found.high), (expected.low, expected.high))
    assert found.share == right / judged


def test_nothing_judged_is_said_and_impossible_numbers_are_refused() -> None:
    nothing = share_right({1: "unsure", 2: ""})
    assert str(nothing) == "none judged"
    assert (nothing.low, nothing.high) == (0.0, 1.0)
    for right, judged, confidence in ((3, 2, 0.95), (-1, 2, 0.95), (1, 2, 1.0)):
        with pytest.raises(InputError):
            wilson_interval(right, judged, confidence)


def test_a_sample_is_of_one_or_more() -> None:
    table = pd.DataFrame({"track_id": [1, 1, 2], "frame": [0, 1, 0]})
    assert len(draw_tracks(table, 1, seed=0)) == len(draw_links(table, 1, seed=0)) == 1
    for draw in (draw_tracks, draw_links):
        with pytest.raises(InputError, match="sample of 0"):
            draw(table, 0, seed=0)


def test_unsure_verdicts_do_not_count() -> None:
    found = share_right({1: "ok", 2: "ok", 3: "wrong", 4: "unsure"})
    assert (found.right, found.judged) == (2, 3)


def test_a_seed_gives_the_same_sample_whatever_the_order_of_rows() -> None:
    table = pd.DataFrame({"track_id": np.repeat(np.arange(50), 4), "frame": np.tile(range(4), 50)})
    drawn = draw_tracks(table, 10, seed=3)
    assert len(set(drawn)) == 10
    assert drawn == draw_tracks(table.sample(frac=1, random_state=1), 10, seed=3)
    assert drawn != draw_tracks(table, 10, seed=4)
    counts = np.bincount(np.concatenate([draw_tracks(table, 10, seed) for seed in range(200)]))
    assert counts.min() > 20  # 40 expected
    with pytest.raises(InputError, match="at least 1"):
        draw_tracks(table, 0, seed=0)


def test_links_are_drawn_one_by_one_without_first_and_interpolated_rows() -> None:
    table = pd.DataFrame({"track_id": [1, 1, 1, 2, 2], "frame": [0, 1, 2, 5, 6]})
    table["interpolated"] = [False, True, False, False, False]
    drawn = draw_links(table, 9, seed=0)
    assert sorted(map(tuple, drawn.to_numpy().tolist())) == [(1, 2), (2, 6)]
