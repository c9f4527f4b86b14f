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
