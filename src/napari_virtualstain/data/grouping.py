"""Grouping of images into cells or movies by their names.

Frames of one cell resemble each other even minutes apart (Pearson 0.75 to 0.85 between
fluorescence frames of the published sample), so a score on a cell that also trained
says nothing about new cells. Everything that is split is therefore split by group.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ..errors import InputError
from .name_matching import is_channel_word, stem

# Words that say where in a movie or stack an image was taken, not which cell it shows
_PLACE = re.compile(
    r"(?:t|time|frame|f|z|plane|slice|crop|tile|patch|roi|img|image|im)\d+", re.IGNORECASE
)
# Words whose number is that of something independent
_UNIT = re.compile(
    r"cell|well|fov|field|pos(ition)?|site|series|scene|movie|stack|sample|exp(eriment)?|dish|slide"
    r"|embryo|animal|mouse|donor|patient",
    re.IGNORECASE,
)


_ALIKE = 0.5


def group_of(name: str, pattern: str | re.Pattern[str]) -> str:
    r"""Return the group of a name: the pattern's first group, or its whole match.

    Raises
    ------
    InputError
        The pattern is no regular expression, or does not match.

    Examples
    --------
    >>> group_of("H9C2_TL_009_t001_z005_3.png", r"TL_\d+")
    'TL_009'
    """
    try:
        match = re.search(pattern, name)
    except re.error as error:
        raise InputError(
            f"{pattern!r} is not a regular expression ({error}). An example: 'cell_\\d+'."
        ) from error
    if match is None:
        raise InputError(
            f"The grouping pattern {str(pattern)!r} does not match {name!r}. Give a regular "
            "expression that finds the cell or movie in every name, for instance 'cell_\\d+'."
        )
    return next((group for group in match.groups() if group), match[0])


def groups_of_stacks(
    names: Sequence[str], stacks: Sequence[Sequence[NDArray[np.generic]]]
) -> tuple[str, ...]:
    """Return a group for each stack: its own name, or that of an earlier one that looks alike.

    For names of which :func:`guess_groups` can make nothing, such as ``001.tif``. Two stacks
    look alike when the mean fluorescence of both has a Pearson correlation above 0.5 without its
    coarse part: the same cells, minutes later.

    Parameters
    ----------
    names : sequence of str
        File names.
    stacks : sequence of sequences of array of shape (Y, X)
        Fluorescence of each.

    Examples
    --------
    >>> scenes = np.random.default_rng(0).normal(size=(2, 1, 64, 64))
    >>> groups_of_stacks(["1.tif", "2.tif", "3.tif"], [scenes[0], scenes[1], scenes[0] * 2])
    ('1', '2', '1')
    """
    seen: list[tuple[str, NDArray[np.float64]]] = []
    groups = []
    for name, stack in zip(names, stacks, strict=True):
        image = _appearance(stack)
        alike = [
            group
            for group, other in seen
            if other.shape == image.shape and float((image * other).mean()) > _ALIKE
        ]
        groups.append(alike[0] if alike else stem(name))
        seen.append((groups[-1], image))
    return tuple(groups)


def _appearance(stack: Sequence[NDArray[np.generic]]) -> NDArray[np.float64]:
    """Return the mean image without its coarse part, mean 0 and standard deviation 1."""
    total = np.zeros(stack[0].shape)
    for plane in stack:
        total += np.nan_to_num(np.asarray(plane, np.float64))
    mean = total / len(stack)
    fine = ndimage.gaussian_filter(mean, 2) - ndimage.gaussian_filter(mean, min(mean.shape) / 8)
    fine -= fine.mean()
    return np.asarray(fine / (fine.std() or 1.0), np.float64)


def guess_groups(names: Sequence[str]) -> tuple[str, ...]:
    """Return a group for each name, with time, plane and crop numbers left out.

    The guess errs towards few groups: a cell that counts as two would let a score
    be measured on a cell that trained.

    Examples
    --------
    >>> guess_groups(["c1_t001_z05_3.png", "c1_t025_z05_7.png", "c2_t001_z05_1.png"])
    ('c1', 'c1', 'c2')
    >>> guess_groups(["well1_f1_BF.tif", "well1_f2_BF.tif", "well2_f1_BF.tif"])
    ('well1', 'well1', 'well2')
    >>> guess_groups(["cell_1_t01.tif", "cell_1_t02.tif", "cell_2.tif", "scan_1.tif"])
    ('cell_1', 'cell_1', 'cell_2', 'scan')
    """
    stems = [stem(name) for name in names]
    guesses = tuple(_without_places(name) for name in stems)
    # Names that are only numbers carry no cell: then all are one group
    return tuple(guess or "all" for guess in guesses)


def _without_places(name: str) -> str:
    folder, slash, file = name.rpartition("/")
    words = re.split(r"[_\-. ]+", file)
    separators = re.findall(r"[_\-. ]+", file)
    # the channel stands last in names such as well_01_f3_BF
    while words and is_channel_word(words[-1]):
        words.pop()
    if not words:
        return folder
    # one bare number at the end counts crops or frames, unless the word before says what it counts
    if words[-1].isdigit() and not (len(words) > 1 and _UNIT.fullmatch(words[-2])):
        words.pop()
    while words and _PLACE.fullmatch(words[-1]):
        words.pop()
    between = [*separators[: max(0, len(words) - 1)], ""]
    kept = "".join(word + gap for word, gap in zip(words, between, strict=False))
    return folder + slash + kept if kept else folder
