"""What the segmenter learns from: held-out planes, and the running mean of its weights."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_virtualstain.segmentation.learning import Learner
from napari_virtualstain.segmentation.painted import LabelledImage, hold_out


def _mean_after(weights: list[float]) -> float:
    """Return the running mean of a weight that is 0 at the start and then takes these values."""
    network = torch.nn.Conv2d(1, 1, 1, bias=False)
    torch.nn.init.zeros_(network.weight)
    learner = Learner(network, [], learning_rate=0.01, total_steps=100)
    for weight in weights:
        torch.nn.init.constant_(network.weight, weight)
        learner.step += 1
        learner._update_mean()
    return float(learner.finish().weight)


@pytest.mark.parametrize("steps", [1, 3, 19])
def test_the_first_steps_count_alike_and_as_the_start_does(steps: int) -> None:
    assert _mean_after(list(range(1, steps + 1))) == pytest.approx(steps / 2)


def test_later_each_step_counts_a_twentieth() -> None:
    assert _mean_after(40 * [0.0] + [1.0]) == pytest.approx(0.05)
    assert _mean_after(40 * [0.0] + 20 * [1.0]) == pytest.approx(1 - 0.95**20)


@pytest.mark.parametrize("movies", [1, 3, 4])
def test_planes_of_one_movie_do_not_train_where_they_are_scored(movies: int) -> None:
    """Neighbouring frames are nearly the same image."""
    generator = np.random.default_rng(0)
    planes = [
        LabelledImage(np.zeros((64, 192)), generator.integers(0, 2, (64, 192)), labels >= 0, name)
        for name in "abcd"[:movies]
        for labels in np.zeros((5, 64, 192), int)
    ]
    train, test = hold_out(planes, 0.3, generator)
    assert test
    for name in "abcd"[:movies]:
        learnt, scored = (
            np.any([e.known for e in part if e.name == name] or [np.zeros((64, 192), bool)], axis=0)
            for part in (train, test)
        )
        assert not (learnt & scored).any()
        assert learnt.any() if movies < 4 else learnt.any() != scored.any()
