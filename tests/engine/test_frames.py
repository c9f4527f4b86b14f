from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_virtualstain.engine.frames import parse_frames
from napari_virtualstain.errors import InputError


@given(st.integers(1, 50), st.integers(-60, 60), st.integers(-60, 60), st.integers(1, 9))
def test_ranges_are_those_of_python(count: int, start: int, stop: int, step: int) -> None:
    expected = list(range(count))[start:stop:step]
    if expected:
        assert parse_frames(f"{start}:{stop}:{step}", count) == expected
    else:
        with pytest.raises(InputError, match="select none"):
            parse_frames(f"{start}:{stop}:{step}", count)


@pytest.mark.parametrize("text", ["a", "1:2:3:4", "::0", "", "1.5", "0,,1"])
def test_nonsense_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="cannot be understood"):
        parse_frames(text, 9)


@pytest.mark.parametrize("kind", [str, int, lambda number: [number]])
def test_a_frame_may_be_counted_from_the_end_and_must_be_there(kind) -> None:
    assert parse_frames(kind(-9), 9) == [0]
    assert parse_frames(kind(8), 9) == [8]
    for number in (-10, 9):
        with pytest.raises(InputError, match=f"no frame {number}: the movie has frames 0 to 8"):
            parse_frames(kind(number), 9)
