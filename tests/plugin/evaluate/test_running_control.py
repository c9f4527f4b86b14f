"""The frame from which a model fits worse, on both sides of each number."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from napari_virtualstain.plugin.evaluate.running_control import RunningControl, find_staleness


@pytest.mark.parametrize(("drop", "is_stale"), [(0.049, False), (0.051, True)])
def test_a_drop_counts_from_a_twentieth(drop: float, is_stale: bool) -> None:
    scores = np.append(np.full(5, 0.6), np.full(4, 0.6 - drop))
    found = find_staleness(scores)
    assert (found is not None) == is_stale
    if found is not None:
        assert found.index == 5
        assert (found.before, found.after) == pytest.approx((0.6, 0.6 - drop))


@pytest.mark.parametrize(("errors", "is_stale"), [(2.9, False), (3.1, True)])
def test_a_drop_counts_from_three_standard_errors(errors: float, is_stale: bool) -> None:
    before = 0.8 + 0.08 * np.array([-1, 1] * 4)
    drop = errors * np.sqrt(before.var(ddof=1) / 8)
    assert (find_staleness(np.append(before, np.full(30, 0.8 - drop))) is not None) == is_stale


@pytest.mark.parametrize(("drop", "is_stale"), [(0.115, False), (0.125, True)])
def test_the_scores_after_it_scatter_too(drop: float, is_stale: bool) -> None:
    after = 0.8 - drop + 0.08 * np.array([-1, 1] * 2)  # three times 0.08 / 2 are 0.12
    assert (find_staleness(np.append(np.full(30, 0.8), after)) is not None) == is_stale


@pytest.mark.parametrize(
    ("scores", "index"),
    [([0.9, 0.9, 0.1], None), ([0.9, 0.9, 0.1, 0.1], 2), ([0.9, 0.1, 0.1, 0.1], None)],
)
def test_four_scores_suffice_and_two_of_them_are_the_beginning(
    scores: list[float], index: int | None
) -> None:
    found = find_staleness(np.array(scores))
    assert (None if found is None else found.index) == index


@pytest.mark.parametrize(
    ("scores", "is_shown", "said"),
    [
        ([0.9], False, "At least 4 frames"),
        ([0.9, 0.9], True, "At least 4 frames"),
        ([0.9, 0.9, 0.9], True, "At least 4 frames"),
        ([0.9, 0.9, 0.9, 0.9], True, "fits as well at the end"),
        ([0.9, 0.9, 0.1, 0.1], True, "went stale at s 20: band-pass Pearson 0.90 before, 0.10"),
    ],
)
def test_the_curve_is_shown_with_a_sentence(
    qtbot: Any, scores: list[float], is_shown: bool, said: str
) -> None:
    control = RunningControl()
    qtbot.addWidget(control)
    control.show_scores(
        pd.DataFrame({"bandpass_pearson": scores}), 10.0 * np.arange(len(scores)), "s"
    )
    assert said in control.sentence.text()
    assert control.isVisibleTo(None) == is_shown
    assert (control.mark is not None) == ("stale at" in said)
