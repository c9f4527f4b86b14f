"""The cut of the largest expected overlap, against trying all cuts and against drawn truths."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_virtualstain.segmentation.expected_iou import best_cut, recentred


def expected_overlap(probability: np.ndarray, cut: float) -> float:
    mask = probability > cut
    return float(probability[mask].sum() / (mask.sum() + probability[~mask].sum()))


@given(seed=st.integers(0, 2**16), power=st.sampled_from([0.3, 1.0, 4.0]))
@settings(max_examples=30, deadline=None)
def test_no_other_cut_up_to_one_half_is_expected_to_fit_better(seed: int, power: float) -> None:
    probability = np.random.default_rng(seed).random((20, 30)) ** power
    found = expected_overlap(probability, best_cut(probability))
    others = [expected_overlap(probability, cut) for cut in np.linspace(0, 0.5, 101)]
    assert found >= max(others) - 0.005


def test_a_blurred_map_is_cut_lower_and_fits_the_truth_better() -> None:
    rng = np.random.default_rng(0)
    probability = 0.02 + 0.33 * (rng.random((200, 200)) < 0.2)
    truth = rng.random(probability.shape) < probability
    mask = probability > best_cut(probability)
    assert not (probability > 0.5).any()
    assert (mask & truth).sum() / (mask | truth).sum() > 0.2
    assert best_cut(probability, lowest=0.4) == pytest.approx(0.4)


def test_sure_and_empty_maps_are_cut_at_one_half() -> None:
    sure = np.zeros((30, 30))
    sure[10:20, 10:20] = 0.99
    assert best_cut(sure) == best_cut(np.zeros((4, 4))) == 0.5


@pytest.mark.parametrize("cut", [0.1, 0.3, 0.5])
def test_the_cut_becomes_one_half_and_the_order_stays(cut: float) -> None:
    probability = np.array([0.05, cut, 0.9], np.float32)
    logits = np.log(probability / (1 - probability))
    shifted = 1 / (1 + np.exp(-recentred(logits, cut)))
    assert shifted[1] == pytest.approx(0.5, abs=1e-6)
    assert (np.diff(shifted) > 0).all()
