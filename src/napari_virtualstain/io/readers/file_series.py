"""The order of the files of a series: which file is which frame, channel, plane and position."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ...axes import normalise_axes
from ...errors import AxesError, ImageFileError
from .file_names import (
    Field,
    Value,
    axis_of_label,
    natural_value,
    plain_stem,
    read_fields,
    signed_stems,
    skeleton,
)
from .plane_grid import PlaneGrid, complete_shape, gap_notes, sort_key
from .positions import choose_position

_LISTED = 8
_MAX_CHANNELS = 12  # "c001" to "c100" without anything else are not channels


@dataclass(frozen=True, slots=True)
class FileSeries:
    """Files as the planes of one image.

    Attributes
    ----------
    axes : str
        One letter for each leading dimension, of ``tcz`` in that order.
    shape : tuple of int
        Length of each.
    files : tuple of int
        Place of each plane's file in the names that were given, the last axis fastest.
    channel_names : tuple of str
        As the names tell them.
    notes : tuple of str
        What was assumed, what is missing and what was left out.
    """

    axes: str
    shape: tuple[int, ...]
    files: tuple[int, ...]
    channel_names: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def arrange(
    names: Sequence[str], given: str, *, axes: str | None = None, position: int | str | None = None
) -> FileSeries:
    """Return which file is which plane, from the counters in the names.

    Parameters
    ----------
    names : sequence of str
        Names of the files, with a part of the folder where they lie in several.
    given : str
        What the user gave, for messages.
    axes : str, optional
        What the varying parts of the names count, in their order, then ``yx``; ``"tyx"`` takes all
        files as frames.
    position : int or str, optional
        Which position, by place or name; the first by default.

    Raises
    ------
    AxesError
        The names hold counters whose meaning they do not tell, or two series.
    ImageFileError
        Planes are missing in the middle, or two files have one place.
    """
    stems = signed_stems([plain_stem(name) for name in names])
    kept, notes = _of_one_kind(names, stems, given)
    fields = read_fields([stems[i] for i in kept])
    if axes is not None:
        axes = normalise_axes(axes)
        if axes == "tyx" or fields is None:
            return _as_frames(kept, stems, notes)
    if fields is None:
        note = "The names of the files hold no common counter; their order is that of the names."
        return _as_frames(kept, stems, (*notes, note))
    fields = _without_repeats(fields)
    if not fields:
        return _as_frames(kept, stems, notes)
    columns = _by_axis(fields, axes, given)
    if columns is None:
        note = (
            f"The names hold {len(fields)} counters ({_told(fields)}) that do not form a grid; the "
            "files are taken as frames in the order of their names."
        )
        return _as_frames(kept, stems, (*notes, note))
    series = _arranged([names[i] for i in kept], columns, given, position)
    files = tuple(kept[i] for i in series.files)
    return replace(series, files=files, notes=(*notes, *series.notes))


def _of_one_kind(
    names: Sequence[str], stems: Sequence[str], given: str
) -> tuple[list[int], tuple[str, ...]]:
    """Return the files that make up the series, and a note on those that do not."""
    everything = list(range(len(names)))
    is_thumb = ["_thumb" in name.casefold() for name in names]
    kept = [i for i in everything if not is_thumb[i]] if not all(is_thumb) else everything
    if read_fields([stems[i] for i in kept]) is None or _endings(names, kept) > 1:
        kept = _largest_kind(names, stems, kept, given)
    left_out = [names[i] for i in everything if i not in set(kept)]
    if not left_out:
        return kept, ()
    return kept, (
        f"{_listed(left_out)} {'is' if len(left_out) == 1 else 'are'} not named like the other "
        f"{len(kept)} files ({names[kept[0]]}) and not opened.",
    )


def _endings(names: Sequence[str], kept: Sequence[int]) -> int:
    return len({_ending(names[i]) for i in kept})


def _ending(name: str) -> str:
    ending = name.rpartition(".")[2].casefold()
    return {"tiff": "tif", "jpeg": "jpg"}.get(ending, ending)


def _largest_kind(
    names: Sequence[str], stems: Sequence[str], places: Sequence[int], given: str
) -> list[int]:
    kinds: dict[tuple[str, str], list[int]] = {}
    for i in places:
        kinds.setdefault((_ending(names[i]), skeleton(stems[i])), []).append(i)
    by_ending: dict[str, list[int]] = {}
    for i in places:
        by_ending.setdefault(_ending(names[i]), []).append(i)
    largest = max(
        by_ending.values(), key=lambda group: (len(group), _ending(names[group[0]]) == "tif")
    )
    if read_fields([stems[i] for i in largest]) is not None and len(largest) > 1:
        return largest
    groups = sorted((g for g in kinds.values() if g[0] in largest), key=len, reverse=True)
    if len(groups[0]) == 1:
        return list(largest)  # names without anything in common
    second = groups[1] if len(groups) > 1 else []
    if len(second) > 1 and not all(_is_movie([stems[i] for i in g]) for g in groups[:2]):
        return list(largest)
    if len(second) > 1:
        raise AxesError(
            f"{given} holds files of {sum(len(g) > 1 for g in groups)} kinds: "
            f"{len(groups[0])} like {names[groups[0][0]]} and {len(second)} like "
            f"{names[second[0]]}. Give the files of one movie by a glob, for instance "
            f"{_glob(names[groups[0][0]])!r}, or take all as frames with axes='tyx' (--axes tyx)."
        )
    return groups[0]


def _is_movie(stems: Sequence[str]) -> bool:
    fields = read_fields(stems)
    return fields is not None and _is_full(fields)


def _glob(name: str) -> str:
    return re.sub(r"\d+", "*", name)


def _as_frames(kept: Sequence[int], stems: Sequence[str], notes: tuple[str, ...]) -> FileSeries:
    order = sorted(kept, key=lambda i: natural_value(stems[i]))
    return FileSeries("t", (len(order),), tuple(order), (), notes)


def _without_repeats(fields: Sequence[Field]) -> list[Field]:
    """Leave out parts that say nothing more, as a running number or a time of day.

    A part with a name is left out where another of the same name has the same values, as that of a
    folder, and a running number ``Seq0012`` of all files beside the counters proper.
    """
    seen: set[tuple[str | None, tuple[Value, ...]]] = set()
    kept = []
    for field in fields:
        if field.axis is None or (field.axis, field.values) not in seen:
            kept.append(field)
        seen.add((field.axis, field.values))
    for field in sorted(kept, key=lambda field: field.is_number):
        others = [other for other in kept if other is not field]
        is_sequence = field.label.casefold().endswith("seq")
        if not others or not (field.axis is None or is_sequence):
            continue
        rows = set(zip(*(other.values for other in others), strict=True))
        is_one_to_one = any(
            len(set(zip(field.values, other.values, strict=True)))
            == len(set(other.values))
            == len(set(field.values))
            for other in others
            if not is_sequence
        )
        is_running = len(set(field.values)) == len(field.values) == len(rows)
        if is_one_to_one or (is_running and _is_full(others)):
            kept = others
    return kept


def _is_full(fields: Sequence[Field]) -> bool:
    """Return whether every combination of the values is there."""
    rows = set(zip(*(field.values for field in fields), strict=True))
    return len(rows) == math.prod(len(set(field.values)) for field in fields)


def _by_axis(
    fields: Sequence[Field], axes: str | None, given: str
) -> dict[str, list[Field]] | None:
    """Return the fields of each axis, None where they are no grid and do not say what they are."""
    named = {field.axis for field in fields}
    counters = [field for field in fields if field.axis != "p"]
    if axes is not None and set(axes[:-2]) != named - {"p"}:
        return _as_asked(fields, counters, axes, given)
    if len(fields) == 1:
        return {_lone_axis(fields[0]): list(fields)}
    unknown = [field for field in fields if field.axis is None]
    columns: dict[str, list[Field]] = {}
    for field in fields:
        if field.axis is not None:
            columns.setdefault(field.axis, []).append(field)
    _part_sequences(columns)
    if any(_are_two(columns.get(axis, [])) for axis in "tcz"):
        raise _question(counters, given)
    if len(unknown) == 1 and unknown[0].is_number and "t" not in columns:
        return {**columns, "t": unknown}
    stamps = [field for field in unknown if field.label.endswith("stamp")]
    if len(stamps) == 1 and "t" not in columns:
        columns["t"] = stamps
        unknown.remove(stamps[0])
    if not unknown:
        return columns
    if (
        not _is_full(fields)
        and not named & {"c", "z"}
        and (
            all(field.is_number for field in unknown) or len(set(unknown[0].values)) > _MAX_CHANNELS
        )
    ):
        return None
    raise _question(counters, given)


def _as_asked(
    fields: Sequence[Field], counters: Sequence[Field], axes: str, given: str
) -> dict[str, list[Field]]:
    """Return the fields of the axes that the user gave, for all counters or all but positions."""
    letters = axes.removesuffix("yx")
    positions = [field for field in fields if field.axis == "p"]
    if axes[-2:] == "yx" and len(letters) == len(fields):
        return {letter: [field] for letter, field in zip(letters, fields, strict=True)}
    if axes[-2:] == "yx" and len(letters) == len(counters):
        columns = {letter: [field] for letter, field in zip(letters, counters, strict=True)}
        return {**columns, "p": positions}
    raise AxesError(
        f"Axes {axes!r} for the files of {given}: their names hold {len(fields)} counters "
        f"({_told(fields)}). Give one letter of t, c, z for each in this order, then yx, "
        "or 'tyx' to take all files as frames."
    )


def _part_sequences(columns: dict[str, list[Field]]) -> None:
    """Take a sequence as a position where another counter is the time: ``Seq0002T3``."""
    times = columns.get("t", [])
    sequences = [field for field in times if field.label.casefold().endswith("seq")]
    if 0 < len(sequences) < len(times):
        columns["t"] = [field for field in times if field not in sequences]
        columns["p"] = [*columns.get("p", []), *sequences]


def _are_two(fields: Sequence[Field]) -> bool:
    """Return whether labels name an axis twice, as ``frame1_t2``; ``2h_30min`` is one time."""
    labels = [field for field in fields if axis_of_label(field.label) is not None]
    return len({field.values for field in labels}) > 1


def _question(counters: Sequence[Field], given: str) -> AxesError:
    letters: list[str] = []
    for field in counters:
        spare = [axis for axis in "tcz" if axis not in letters and not _is_of(axis, counters)]
        is_first = field.axis is not None and field.axis not in letters
        letters.append(str(field.axis) if is_first else next(iter(spare), ""))
    example = f"{''.join(letters)}yx"
    return AxesError(
        f"The names of the {len(counters[0].values)} files in {given} hold {len(counters)} "
        f"counters: {_told(counters)}. Say what they count in this order, for instance "
        f"axes={example!r} (--axes {example}), take all files as frames with axes='tyx', or give "
        "the files of one by a glob."
    )


def _is_of(axis: str, fields: Sequence[Field]) -> bool:
    return any(field.axis == axis for field in fields)


def _lone_axis(field: Field) -> str:
    if field.axis is None or not field.is_certain:
        return "t"
    if field.axis == "c" and len(set(field.values)) > _MAX_CHANNELS:
        return "t"
    return field.axis


def _told(fields: Sequence[Field]) -> str:
    parts = []
    for field in fields:
        values = sorted(
            zip(field.values, field.words, strict=True), key=lambda pair: sort_key(pair[0])
        )
        count = len(set(field.values))
        parts.append(f"{values[0][1]!r} to {values[-1][1]!r} ({count} values)")
    return ", ".join(parts)


def _arranged(
    names: Sequence[str],
    columns: dict[str, list[Field]],
    given: str,
    position: int | str | None,
) -> FileSeries:
    """Return the series of one position; `names` are those of the fields, in their order."""
    keys = {axis: _joined_values(fields) for axis, fields in columns.items()}
    words = {
        (axis, key): word
        for axis, fields in columns.items()
        for key, word in zip(keys[axis], _joined_words(fields), strict=True)
    }
    places = list(range(len(names)))
    notes: list[str] = []
    if "p" in columns:
        positions = sorted(set(keys["p"]), key=sort_key)
        chosen, notes = choose_position([words["p", key] for key in positions], position, given)
        places = [i for i in places if keys["p"][i] == positions[chosen]]
    axes = "".join(axis for axis in "tcz" if axis in columns)
    levels = {axis: sorted({keys[axis][i] for i in places}, key=sort_key) for axis in axes}
    table: dict[tuple[int, ...], int] = {}
    for i in places:
        at = tuple(levels[axis].index(keys[axis][i]) for axis in axes)
        if at in table:
            raise ImageFileError(
                f"{names[table[at]]} and {names[i]} in {given} have the same place by their names. "
                "Move one of them to another folder."
            )
        table[at] = i
    grid = PlaneGrid(axes, levels, words, table)
    shape, more = complete_shape(grid, given)
    notes = [*notes, *more, *gap_notes(grid, shape)]
    files = tuple(table[at] for at in itertools.product(*map(range, shape)))
    channels = tuple(words["c", key] for key in levels.get("c", []))
    return FileSeries(axes, shape, files, channels, tuple(notes))


def _joined_values(fields: Sequence[Field]) -> list[Value]:
    rows = zip(*(field.values for field in fields), strict=True)
    return [tuple(itertools.chain.from_iterable(row)) for row in rows]


def _joined_words(fields: Sequence[Field]) -> list[str]:
    return ["".join(row) for row in zip(*(field.words for field in fields), strict=True)]


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_LISTED])
    return shown if len(names) <= _LISTED else f"{shown} and {len(names) - _LISTED} more"
