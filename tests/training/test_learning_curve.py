"""The learning curve's script: which cells train, and what more of them would bring."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from types import ModuleType

import pandas as pd
import pytest

from .conftest import script


@pytest.fixture(scope="module")
def curve() -> Iterator[ModuleType]:
    yield from script("recipes.learning_curve")


@pytest.mark.parametrize("recordings", [1, 2, 3, 4])
def test_no_cell_trains_for_itself_and_all_train_equally_often(
    curve: ModuleType, recordings: int
) -> None:
    training = {cell: curve.training_cells(cell, recordings) for cell in curve.JUDGED}
    assert all(cell not in others for cell, others in training.items())
    assert all(len(set(others)) == recordings for others in training.values())
    counts = Counter(cell for others in training.values() for cell in others)
    assert set(counts.values()) == {recordings}


def test_a_curve_that_flattens_is_met_by_the_careful_guess(curve: ModuleType) -> None:
    means = pd.Series([0.7 - 0.1 / n for n in (1, 2, 4)], index=[1, 2, 4])
    careful, bold = curve.extrapolated(means, 10)
    assert careful == pytest.approx(0.69)
    assert bold > careful


def test_a_curve_that_gains_with_each_doubling_is_met_by_the_bold_guess(
    curve: ModuleType,
) -> None:
    means = pd.Series([0.5, 0.55, 0.6], index=[1, 2, 4])
    careful, bold = curve.extrapolated(means, 8)
    assert bold == pytest.approx(0.65)
    assert careful < bold
