"""Letters of a file's dimensions: named by the user, by the file, or assumed."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from napari_virtualstain.errors import AxesError
from napari_virtualstain.io.opening import _letters


def _of(shape: tuple[int, ...], asked: str | None = None, axes: str | None = None) -> str:
    letters, _ = _letters(SimpleNamespace(shape=shape, axes=axes, path="a.tif"), asked)
    return letters


@pytest.mark.parametrize(
    ("shape", "asked", "letters"),
    [
        ((5, 8, 8), "zyx", "zyx"),
        ((1, 5, 8, 8), "ctyx", "ctyx"),
        ((1, 5, 8, 8), "zyx", "tzyx"),
        ((5, 1, 8, 8), "tyx", "tcyx"),
        ((1, 1, 8, 8), "yx", "tcyx"),
        ((2, 1, 3, 8, 8), "tzyx", "tczyx"),
    ],
)
def test_letters_go_to_all_dimensions_or_to_the_long_ones(
    shape: tuple[int, ...], asked: str, letters: str
) -> None:
    assert _of(shape, asked) == letters


@pytest.mark.parametrize("asked", ["yx", "tczyx"])
def test_other_numbers_of_letters_are_refused(asked: str) -> None:
    with pytest.raises(AxesError, match=f"name {len(asked)} dimensions but a.tif has 3"):
        _of((5, 8, 8), asked)


@pytest.mark.parametrize(
    ("shape", "letters"),
    [((8, 8), "yx"), ((5, 8, 8), "tyx"), ((1, 8, 8), "tyx"), ((1, 5, 8, 8), "ctyx")],
)
def test_of_files_without_axes_one_long_dimension_is_time(
    shape: tuple[int, ...], letters: str
) -> None:
    source = SimpleNamespace(shape=shape, axes=None, path="a.tif")
    found, notes = _letters(source, None)
    assert found == letters
    planes = max(shape[:-2], default=1)
    assert notes == (
        ()
        if planes == 1
        else (f"The file does not name its axes; its {planes} planes are taken as time.",)
    )


def test_what_the_file_says_counts_and_two_long_dimensions_are_asked_about() -> None:
    assert _of((2, 5, 8, 8), axes="czyx") == "czyx"
    for shape in ((2, 5, 8, 8), (8,)):
        with pytest.raises(AxesError, match="does not say what its axes mean"):
            _of(shape)
