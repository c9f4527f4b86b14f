"""Counters and words in the names of a series of files.

Microscopes save a movie as one file per plane and write time, channel, plane and position into the
name: ``img_000000002_GFP_000.tif`` (Micro-Manager), ``Exp_t02_ch01.tif`` (Leica),
``plate_A01_s1_w2.TIF`` (MetaXpress). :func:`read_fields` returns the parts of the names that differ
from file to file, each with the axis that its label stands for; what the parts mean together is
decided in :mod:`.file_series`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction

Value = tuple[Fraction | str, ...]

_LABELS = {
    "t": "t time timepoint timepoints tp frame frames fr seq sk dt",
    "z": "z slice zslice plane zplane zpos focus depth",
    "c": "c ch chan channel channels cam camera w wv wave wavelength lambda color colour",
    "p": (
        "pos position positions xy scene stage site fld field fov mosaic tile well region roi "
        "p s series f m row col x y u v j r point k a b d e g h i o l"
    ),
}
_AXIS_OF_LABEL = {label: axis for axis, labels in _LABELS.items() for label in labels.split()}
_WEAK = frozenset([*"pswfmxyuvjrkabdeghiol", "seq", "series", "row", "col", "point", "lambda"])
_TIME_UNITS = r"(?:h|hr|hrs|hours?|min|mins|minutes?|s|sec|secs|seconds?|ms|msec|d|days?)"
_GUID = re.compile(r"_?\{?[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\}?", re.IGNORECASE)
_STAMP = re.compile(
    r"(?<!\d)((?:19|20)\d\d)[-_.y]?([01]\d)[-_.m]?([0-3]\d)d?"
    r"(?:[-_ T.]*([0-2]\d)[-_.:h]?([0-5]\d)(?:[-_.:m]?([0-5]\d))?[sm]?)?(?!\d)"
)
_ELAPSED = re.compile(
    r"(?<![0-9a-z])(?:(\d+)d)?(\d+)h(\d\d)m?(?:(\d\d)s)?(?![0-9a-z])", re.IGNORECASE
)
_MINUS = "\N{MINUS SIGN}"
_NUMBER = re.compile(
    rf"{_MINUS}?(?:\d+[.,]\d+(?={_TIME_UNITS}(?![a-z0-9]))|\d+)", re.IGNORECASE
)  # a decimal point only where a unit follows
_WELL = re.compile(r"(?:Well_?)?[A-P]\d{1,2}")
_WELL_BEFORE = re.compile(r"(?:[Ww]ell|Point)_?[A-P]$")
_MAX_WORDS = 400  # wells of a plate
_COUNTER = re.compile(r"[tzwpsxyf]\d+", re.IGNORECASE)
_TILE = re.compile(r"\[# x \d+\]|\[\d+ x #\]")
_LABEL_BEFORE = re.compile(r"([a-z]{1,20})[-_ =#]?$", re.IGNORECASE)
_UNIT_AFTER = re.compile(rf"[ _]?{_TIME_UNITS}(?![a-z0-9])", re.IGNORECASE)
_WAVELENGTH_AFTER = re.compile(r"[ _]?nm(?![a-z0-9])", re.IGNORECASE)
_WAVELENGTH_LABELS = ("ex", "em", "exc", "laser")
_WAVELENGTHS_NM = range(350, 1101)
_DELIMITERS = re.compile(r"([-_ .()/\\]+)")
_CHANNEL_WORD = re.compile(
    r"\b(?:bf|bright.?field|brightfield|tl|trans\w*|dic|phase\w*|ph\d?|nomarski|polari[sz]ed|"
    r"[er]?gfp|e?[ycr]fp|mcherry|mruby\w*|mscarlet\w*|tomato|dsred|rfp|cy[357]|dapi|hoechst\w*|"
    r"fitc|tritc|texas.?red|alexa\w*|af\d{3}|mito\w*|tmr[em]|sir\w*|fluo\w*|\d{3} ?nm|"
    r"405|445|488|514|532|546|561|568|594|633|640|647|t.?pmt\d?|esid|"
    r"red|green|blue|far.?red|uv|cam\w*\d|channel\w*)\b",
    re.IGNORECASE,
)

_CHANNEL_LABEL = re.compile(r"(?i:(c|ch|chan|channel|w|wv|cam|camera))([A-Z]\w*)")

# names whose parts a label does not tell; t, c, z, and p with any suffix are the axes, and w is a
# word that is a channel where it is called like one, else a position
_MAKERS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        # Micro-Manager 1.4 and 2, separate files
        r"(?P<p>.*/)?img_(?P<t>\d+)_(?P<c>.*)_(?P<z>\d+)",
        # Squid: a folder a time, then well, site, plane and channel
        r"(?P<t>\d+)/(?P<p>(?-i:[A-Z]+)\d+)_(?P<p2>\d+)_(?P<z>\d+)_(?P<c>[a-z].*)",
        # IN Cell Analyzer
        r"(?P<p>.*[a-p] ?- ?\d+ ?\(fld ?\d+) wv (?P<c>.+?)(?: z (?P<z>\d+))?"
        r"(?: time (?P<t>\d+)(?: - \d+ ?ms)?)?(?: z (?P<z2>\d+))?\)",
        # Yokogawa CV7000, CV8000, CQ1
        r"(?P<p>.*)_t(?P<t>\d+)(?P<p2>f\d+)l\d+a\d+z(?P<z>\d+)c(?P<c>\d+)",
        r"(?P<p>w\d+)(?P<p2>f\d+)t(?P<t>\d+)z(?P<z>\d+)c(?P<c>\d+)",
        # Opera Phenix, Operetta
        r"(?P<p>.*r\d+c\d+f\d+)p(?P<z>\d+)(?:rc\d+)?-ch(?P<c>\d+)"
        r"(?:sk(?P<t>\d+))?(?:fk\d+)?(?:fl\d+)?",
        # BioTek Cytation
        r"(?P<p>(?-i:[A-P])\d+)_-?\d+_\d+_(?P<p2>\d+)_(?P<c>[a-z][^_]*)_(?P<t>\d+)",
        # Cellomics, EVOS: field and channel after the well
        r"(?P<p>.*_(?-i:[A-P])\d\d)(?P<p2>f\d+)d(?P<c>\d+)",
        # Olympus scanR: the channel stands before and after the counters
        r"(?P<c>[^/]+?)--(?P<p>w\d+--p\d+)--z(?P<z>\d+)--t(?P<t>\d+)--.+",
        # lattice light sheet: wavelength and times of the clock follow the counters
        r"(?P<p>.*?)(?:_(?P<c>cam\w))?_ch(?P<c2>\d+)(?:_cam\d)?_stack(?P<t>\d+)_\d+nm_\d+msec_.*",
        # Incucyte
        r"(?P<w>.*)_(?P<p>(?-i:[A-P])\d{1,2}_\d+)_"
        r"(?P<t>\d+d\d\dh\d\dm|\d{4}y\d\dm\d\dd_\d\dh\d\dm)",
        # MetaXpress, with or without folders of time points and planes
        r"(?:.*timepoint_(?P<t>\d+)/)?(?:zstep_(?P<z>\d+)/)?"
        r"(?P<p>[^/]*_(?-i:[A-P])\d\d(?=_[sw]\d)(?:_s\d+)?)"
        r"(?:_w(?P<c>\d+))?(?:_z(?P<z2>\d+))?(?:_t(?P<t2>\d+))?",
        # MetaMorph multi-dimensional acquisition: the wave has a number and a name
        r"(?P<p>.*?)_w(?P<c>\d(?:(?!_[stz]\d).)*)"
        r"(?:_s(?P<p2>\d+))?(?:_z(?P<z>\d+))?(?:_t(?P<t>\d+))?",
    )
)


@dataclass(frozen=True, slots=True)
class Field:
    """A part of the names that differs from file to file.

    Attributes
    ----------
    label : str
        What stands before it in the names, for messages.
    axis : str or None
        ``t``, ``c``, ``z`` or ``p`` (position), None when the name does not tell.
    values : tuple
        Sort key of this part, one for each file.
    words : tuple of str
        This part as it is written, with its label, one for each file.
    is_number : bool
        Whether it is one whole or decimal number.
    is_certain : bool
        Whether the label means `axis` even when nothing else varies: ``Pos1`` does, ``a1`` not.
    """

    label: str
    axis: str | None
    values: tuple[Value, ...]
    words: tuple[str, ...]
    is_number: bool = True
    is_certain: bool = True

    @property
    def varies(self) -> bool:
        """Whether it differs between files."""
        return len(set(self.values)) > 1


def plain_stem(name: str) -> str:
    """Return a name without its ending and without the random part that MetaXpress adds.

    Examples
    --------
    >>> plain_stem("plate_A01_w1A4A4D6D6-4B4E-4C4C-8E8E-AAAAAAAAAAAA.TIF")
    'plate_A01_w1'
    """
    folder, _, last = name.replace("\\", "/").rpartition("/")
    stem = last.rpartition(".")[0] or last
    stem = re.sub(r"\.ome$", "", stem, flags=re.IGNORECASE)
    stem = _GUID.sub("", stem)
    return f"{folder}/{stem}" if folder else stem


def signed_stems(stems: Sequence[str]) -> list[str]:
    """Return names in which the dash of a negative plane or time is a minus sign.

    A dash is one where other names have none, or a plus, in its place: else it parts words.

    Examples
    --------
    >>> signed_stems(["z-1", "z0", "z+1"]), signed_stems(["z-1", "z-2"])
    (['z−1', 'z0', 'z1'], ['z-1', 'z-2'])
    """
    signed = list(stems)
    for letter in "tz":
        counter = re.compile(rf"(?<![a-z])({letter}_?)([-+]?)(?=\d)", re.IGNORECASE)
        signs = {match[2] for stem in stems for match in counter.finditer(stem)}
        if "-" in signs and len(signs) > 1:
            signed = [counter.sub(_with_minus, stem) for stem in signed]
    return signed


def _with_minus(match: re.Match[str]) -> str:
    return f"{match[1]}{_MINUS if match[2] == '-' else ''}"


def skeleton(stem: str) -> str:
    """Return a name with ``#`` in place of each number.

    Examples
    --------
    >>> skeleton("Exp_t02_ch01")
    'exp_t#_ch#'
    """
    return re.sub(r"#(?:[.,]#)?", "#", _NUMBER.sub("#", _stamped(stem))).casefold()


def read_fields(stems: Sequence[str]) -> list[Field] | None:
    """Return the varying parts of names of one kind in the order of the name.

    Parameters
    ----------
    stems : sequence of str
        Names without ending, see :func:`plain_stem`.

    Returns
    -------
    list of Field or None
        None when the names are not of one kind: neither those of a known maker, nor alike but for
        numbers, nor alike but for numbers and one word.
    """
    by_maker = _maker_fields(stems)
    if by_maker is not None:
        return by_maker
    kinds = {skeleton(stem) for stem in stems}
    if len(kinds) == 1:
        return _number_fields(stems)
    return _fields_with_a_word(stems)


def axis_of_label(label: str) -> str | None:
    """Return the axis that letters before a number name, ``p`` for a position.

    Examples
    --------
    >>> axis_of_label("frame"), axis_of_label("img")
    ('t', None)
    """
    return _AXIS_OF_LABEL.get(label.casefold())


def is_channel_word(word: str) -> bool:
    """Return whether a word is a usual name of a contrast or dye.

    Examples
    --------
    >>> is_channel_word("GFP"), is_channel_word("control")
    (True, False)
    """
    return _CHANNEL_WORD.search(word.replace("_", " ").replace("-", " ")) is not None


def _maker_fields(stems: Sequence[str]) -> list[Field] | None:
    for pattern in _MAKERS:
        matches = [pattern.fullmatch(stem) for stem in stems]
        if not all(matches):
            continue
        fields = []
        for group in pattern.groupindex:
            words = tuple(_labelled(match, group) for match in matches if match is not None)
            texts = tuple((match[group] or "") for match in matches if match is not None)
            fields.append(_worded(_axis_of_group(group, texts), texts, words))
        if not any(field.axis == "p" and _hides_a_counter(field.words) for field in fields):
            return [field for field in fields if field.varies]
    return None


def _axis_of_group(group: str, texts: Sequence[str]) -> str:
    if group != "w":
        return group[0]
    return "c" if all(is_channel_word(text) for text in set(texts)) else "p"


def _hides_a_counter(words: Sequence[str]) -> bool:
    """Return whether a part that is taken for a position counts times, channels or planes."""
    if len({skeleton(word) for word in words}) > 1:
        return False
    return any(f.axis not in ("p", None) and f.is_certain for f in _number_fields(words))


def _labelled(match: re.Match[str], group: str) -> str:
    """Return a part with the letters before it where it is a mere number: ``w1``."""
    text = match[group] or ""
    found = _LABEL_BEFORE.search(match.string[: match.start(group)]) if text.isdecimal() else None
    return f"{found[1]}{text}" if found else text


def _worded(axis: str, texts: Sequence[str], words: tuple[str, ...]) -> Field:
    is_number = all(text.isdecimal() for text in texts)
    values = tuple(
        (Fraction(int(text)),) if is_number else natural_value(text, is_folded=False)
        for text in texts
    )
    return Field(words[0], axis, values, words, is_number)


def natural_value(word: str, *, is_folded: bool = True) -> Value:
    """Return a key by which words are sorted with their numbers as numbers."""
    parts = re.split(r"(\d+)", word.casefold() if is_folded else word)
    # a word and a number are not comparable: every even part is a word, every odd one a number
    return tuple(Fraction(int(p)) if i % 2 else p for i, p in enumerate(parts))


def _stamped(stem: str) -> str:
    """Return the name with dates, times of day and elapsed times in seconds."""
    return _ELAPSED.sub(_elapsed_text, _STAMP.sub(_stamp_text, stem))


def _stamp_text(match: re.Match[str]) -> str:
    year, month, day, hour, minute, second = (int(part or 0) for part in match.groups())
    try:
        moment = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return match[0]  # other digits that look like a date
    return f"stamp{int(moment.timestamp())}"


def _elapsed_text(match: re.Match[str]) -> str:
    day, hour, minute, second = (int(part or 0) for part in match.groups())
    return f"stamp{((day * 24 + hour) * 60 + minute) * 60 + second}"


def _number_fields(stems: Sequence[str]) -> list[Field]:
    rows = [_stamped(stem) for stem in stems]
    matches = [list(_NUMBER.finditer(row)) for row in rows]
    fields = []
    column = 0
    while column < len(matches[0]):
        width = _decimal_width(rows, matches, column)
        spans = [(m[column].start(), m[column + width - 1].end()) for m in matches]
        texts = [
            row[a:b].replace(",", ".").replace(_MINUS, "-")
            for row, (a, b) in zip(rows, spans, strict=True)
        ]
        before, after = rows[0][: spans[0][0]], rows[0][spans[0][1] :]
        label, axis = _label(before, after, texts)
        words = tuple(f"{label}{text}" for text in texts)
        values = tuple((Fraction(text),) for text in texts)
        is_certain = axis == "t" or label.casefold() not in _WEAK
        fields.append(Field(label, axis, values, words, is_certain=is_certain))
        column += width
    return [field for field in fields if field.varies]


def _label(before: str, after: str, texts: Sequence[str]) -> tuple[str, str | None]:
    """Return the letters before a number, and the axis that they, or a unit after, name."""
    found = _LABEL_BEFORE.search(before)
    label = found[1] if found else ""
    axis = _AXIS_OF_LABEL.get(label.casefold())
    if axis is None and found:
        # AssayT001, seq0001xy1: the label follows another word in capitals or a number
        short = re.search(r"(?<=[a-z])(?:[TZCSF]|XY|Pos|Ch)$", found[1])
        if short:
            label, axis = short[0], _AXIS_OF_LABEL[short[0].casefold()]
    if _TILE.search(f"{before[-9:]}#{after[:9]}"):
        return label, "p"
    if _WELL_BEFORE.search(before):
        return label, "p"
    if axis is None and _is_wavelength(label, after, texts):
        return label, "c"
    unit = _UNIT_AFTER.match(after)
    if unit and (
        axis is None
        or len(unit[0].strip(" _")) > 1
        or any("." in t for t in texts)
        or (found and not before[-1].isalpha() and unit[0][0].isalpha())  # c_1h, but c1_s
    ):
        return label, "t"
    return label, axis


def _is_wavelength(label: str, after: str, texts: Sequence[str]) -> bool:
    is_called_so = _WAVELENGTH_AFTER.match(after) or label.casefold() in _WAVELENGTH_LABELS
    return bool(is_called_so) and all(
        text.isdecimal() and int(text) in _WAVELENGTHS_NM for text in texts
    )


def _decimal_width(rows: Sequence[str], matches: Sequence[list[re.Match[str]]], at: int) -> int:
    """Return 2 where the numbers at `at` and after it are one decimal number, else 1."""
    if at + 1 >= len(matches[0]):
        return 1
    pairs = set()
    for row, found in zip(rows, matches, strict=True):
        if row[found[at].end() : found[at + 1].start()] not in (".", ",") or "." in found[at][0]:
            return 1
        pairs.add((found[at][0], found[at + 1][0]))
    whole, parts = {pair[0] for pair in pairs}, sorted({int(pair[1]) for pair in pairs})
    is_counter = parts == list(range(parts[0], parts[0] + len(parts)))
    is_grid = len(pairs) == len(whole) * len(parts)
    return 1 if len(parts) < 2 or (is_counter and is_grid) else 2


def _fields_with_a_word(stems: Sequence[str]) -> list[Field] | None:
    """Return the fields of names that are alike but for numbers and one word."""
    rows = [_DELIMITERS.split(_stamped(stem)) for stem in stems]
    kinds = [[skeleton(part) for part in row] for row in rows]
    shortest = min(len(kind) for kind in kinds)
    first = _common(kinds, shortest)
    last = _common([kind[::-1] for kind in kinds], shortest - first)
    words = tuple("".join(row[first : len(row) - last]).strip("-_ .") for row in rows)
    others = ["".join([*row[:first], "|", *row[len(row) - last :]]) for row in rows]
    is_channel = _are_channels(set(words)) and not _counts(words)
    axis = "c" if is_channel else None
    if all(_WELL.fullmatch(word) for word in words):
        axis = "p"
    is_alone = axis is None and (first + last == 0 or len(set(words)) == len(words))
    if len({skeleton(o) for o in others}) > 1 or is_alone or len(set(words)) > _MAX_WORDS:
        return None
    word = Field("", axis, tuple(natural_value(w) for w in words), words, is_number=False)
    numbers = _number_fields(others)
    before = len(_number_fields([other.partition("|")[0] for other in others]))
    return [*numbers[:before], word, *numbers[before:]]


def _are_channels(words: set[str]) -> bool:
    """Return whether all words are usual names, or follow one label: ``CBF``, ``ChanA``."""
    if all(is_channel_word(word) for word in words):
        return True
    rests = [_CHANNEL_LABEL.fullmatch(word) for word in words]
    return all(
        found is not None
        and (is_channel_word(found[2]) or (len(found[2]) == 1 and len(found[1]) > 1))
        for found in rests
    )


def _counts(words: Sequence[str]) -> bool:
    """Return whether words hold a number that differs, as ``A1_2_BF`` and ``A1_3_BF``."""
    columns: dict[tuple[str, int], set[str]] = {}
    for word in set(words):
        parts = _DELIMITERS.split(word)
        for i, part in enumerate(parts):
            is_counter = part.isdecimal() or _WELL.fullmatch(part) or _COUNTER.fullmatch(part)
            if len(parts) > 1 and is_counter:
                columns.setdefault((skeleton(word), i), set()).add(part)
    return any(len(found) > 1 for found in columns.values())


def _common(rows: Sequence[Sequence[str]], most: int) -> int:
    """Return how many parts all rows begin with alike, at most `most`."""
    count = 0
    while count < most and len({row[count] for row in rows}) == 1:
        count += 1
    return count
