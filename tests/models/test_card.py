"""The card: planes of the input."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from napari_virtualstain.models import Inputs, ModelCard


@given(half=st.integers(0, 5), step=st.integers(1, 4), count=st.integers(1, 20), data=st.data())
def test_planes_are_read_around_the_stained_one_and_repeat_at_the_ends(
    half: int, step: int, count: int, data: st.DataObject
) -> None:
    inputs = Inputs(planes=2 * half + 1, step=step)
    index = data.draw(st.integers(0, count - 1))
    chosen = inputs.indices(index, count)
    assert len(chosen) == inputs.planes
    assert chosen[half] == index
    assert list(chosen) == sorted(chosen)
    assert all(0 <= plane < count for plane in chosen)


def test_even_number_of_planes_is_refused() -> None:
    with pytest.raises(ValidationError, match="odd"):
        Inputs(planes=2)


def test_card_round_trips_through_json() -> None:
    card = ModelCard(name="a", scores={"pearson": 0.7}, later={"x": [1, 2]})
    assert ModelCard.model_validate_json(card.model_dump_json()) == card
