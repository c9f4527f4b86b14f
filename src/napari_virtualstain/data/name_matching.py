"""Matching of bright-field and fluorescence files by their names.

Three rules are tried in turn, and the first that pairs files wins for each file:

1. the same name (``a_01.tif`` and ``a_01.tif`` in two folders);
2. the same name without the words that tell channels apart
   (``a_01_BF.tif`` and ``a_01_GFP.tif``);
3. the same name without the words that every file of its own list has
   (``trans-a-01.tif``, ``trans-a-02.tif`` and ``mito-a-01.tif``, ``mito-a-02.tif``).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ..errors import InputError

_CHANNEL_WORDS = re.compile(
    r"bf|bright(field)?|field|trans(mitted)?|tl|dic|phase|phc|pc|lm|signal|input|source"
    r"|fl|fluo|fluor|fluorescen(ce|t)|e?gfp|rfp|m?cherry|fitc|tritc|a(488|568|647)|cy[35]"
    r"|dapi|hoechst|mito(chondria)?|tomm20|omp25|target|label|(c|ch|w|channel)0?[0-9]"
)
_SUFFIXES = re.compile(r"(\.ome)?\.(tiff?|zarr|png|jpe?g|bmp|dv|npy|nd2|czi)$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class NameMatch:
    """Result of matching two lists of names.

    Attributes
    ----------
    pairs : tuple of (int, int)
        Indices into the first and second list.
    left_over : tuple of (tuple of str, tuple of str)
        Names of either list without partner.
    rules : dict of str to int
        How many pairs each rule found.
    """

    pairs: tuple[tuple[int, int], ...]
    left_over: tuple[tuple[str, ...], tuple[str, ...]]
    rules: dict[str, int] = field(default_factory=dict)

    def describe(self) -> str:
        """Return the report for the user: what matched, and what did not."""
        text = f"{len(self.pairs)} pair{'s' * (len(self.pairs) != 1)} matched by name"
        for side, names in zip(("bright-field", "fluorescence"), self.left_over, strict=True):
            if names:
                text += f"; {len(names)} {side} without partner: {_listing(names)}"
        return text


def stem(name: str) -> str:
    """Return a file name without its image suffix.

    Examples
    --------
    >>> stem("cell_1.ome.tif")
    'cell_1'
    """
    return _SUFFIXES.sub("", name)


def words(name: str) -> tuple[str, ...]:
    """Return the words and numbers of a name in lower case.

    Examples
    --------
    >>> words("Cell-1_BF.tif")
    ('cell', '1', 'bf')
    """
    return tuple(word for word in re.split(r"[^a-z0-9]+", stem(name).lower()) if word)


def is_channel_word(word: str) -> bool:
    """Return whether a word of a name tells channels apart; words with numbers may be cells.

    Examples
    --------
    >>> is_channel_word("BF"), is_channel_word("c1")
    (True, False)
    """
    return word.isalpha() and _CHANNEL_WORDS.fullmatch(word.lower()) is not None


def match_names(first: Sequence[str], second: Sequence[str]) -> NameMatch:
    """Return which names of two lists belong together.

    Parameters
    ----------
    first, second : sequence of str
        File names of the bright-field and of the fluorescence images.

    Raises
    ------
    InputError
        Two files of one list have the same name, so that the partner is not certain.

    Examples
    --------
    >>> match_names(["a_BF.tif", "b_BF.tif"], ["b_GFP.tif", "a_GFP.tif"]).pairs
    ((0, 1), (1, 0))
    """
    open_first, open_second = list(range(len(first))), list(range(len(second)))
    pairs: list[tuple[int, int]] = []
    rules: dict[str, int] = {}
    for rule, key_first, key_second in _rules(first, second):
        found = _matches(first, second, open_first, open_second, key_first, key_second, rule)
        if found:
            rules[rule] = len(found)
        pairs += found
        open_first = [i for i in open_first if i not in {a for a, _ in found}]
        open_second = [i for i in open_second if i not in {b for _, b in found}]
    if not pairs and len(first) == len(second) == 1:
        pairs, open_first, open_second, rules = [(0, 0)], [], [], {"one of each": 1}
    left_over = (
        tuple(first[i] for i in open_first),
        tuple(second[i] for i in open_second),
    )
    return NameMatch(tuple(sorted(pairs)), left_over, rules)


Key = Callable[[str], tuple[str, ...]]


def _rules(first: Sequence[str], second: Sequence[str]) -> list[tuple[str, Key, Key]]:
    def without_channel(name: str) -> tuple[str, ...]:
        return tuple(word for word in words(name) if not _CHANNEL_WORDS.fullmatch(word))

    return [
        ("same name", lambda n: (stem(n),), lambda n: (stem(n),)),
        ("same name without channel words", without_channel, without_channel),
        ("same name without common words", _without_common(first), _without_common(second)),
    ]


def _without_common(names: Sequence[str]) -> Key:
    """Return a key that leaves out the words that all names of the list have."""
    if len(names) < 2:
        return words
    common = set.intersection(*(set(words(name)) for name in names))
    return lambda name: tuple(word for word in words(name) if word not in common)


def _matches(
    first: Sequence[str],
    second: Sequence[str],
    open_first: list[int],
    open_second: list[int],
    key_first: Key,
    key_second: Key,
    rule: str,
) -> list[tuple[int, int]]:
    keys_first = {i: key_first(first[i]) for i in open_first}
    keys_second = {i: key_second(second[i]) for i in open_second}
    counts_first, counts_second = Counter(keys_first.values()), Counter(keys_second.values())
    shared = {key for key in counts_first if key and key in counts_second}
    doubtful = [key for key in shared if counts_first[key] > 1 or counts_second[key] > 1]
    if doubtful and rule == "same name":
        raise InputError(
            f"Several files are called {doubtful[0][0]!r}, so their partners are not certain. "
            "Rename them, or list the pairs in a CSV file with columns bright_field, fluorescence."
        )
    certain = shared - set(doubtful)
    partner = {key: i for i, key in keys_second.items() if key in certain}
    return [(i, partner[key]) for i, key in keys_first.items() if key in certain]


def _listing(names: Sequence[str], most: int = 5) -> str:
    shown = ", ".join(names[:most])
    return shown + (f" and {len(names) - most} more" if len(names) > most else "")
