"""Split of pairs into training and validation, by group and never by image."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..errors import InputError
from ..progress import CancelToken
from .correlative_pairs import CorrelativePairs, Region
from .leakage import SharedPixels, find_shared_pixels, merge_groups

SAME_CELL = (
    "The held-out images are other frames or regions of cells that also train: their scores say "
    "nothing about the next cell."
)

_JUDGED_SHARE = 0.25
_SHORTEST_JUDGED_PX = 64


@dataclass(frozen=True, slots=True)
class Split:
    """Division of pairs into training and held-out ones.

    Attributes
    ----------
    train, validation : tuple of int
        Indices of pairs.
    train_groups, validation_groups : tuple of str
        Their groups.
    independent : bool
        Whether the held-out images are of cells or movies that do not train, and share no
        pixels with those that do. A score of a split that is not independent says nothing
        about new cells.
    scorable : bool
        Whether the held-out images differ from those that train, be it other frames or other
        regions of the same movie.
    shared : tuple of SharedPixels
        Pixels that both sides share.
    notes : tuple of str
        For the report and the user.
    """

    train: tuple[int, ...]
    validation: tuple[int, ...]
    train_groups: tuple[str, ...]
    validation_groups: tuple[str, ...]
    independent: bool = True
    scorable: bool = True
    shared: tuple[SharedPixels, ...] = ()
    notes: tuple[str, ...] = ()

    def describe(self) -> dict[str, Any]:
        """Return the split as plain values for a model card."""
        return {
            "train_groups": list(self.train_groups),
            "validation_groups": list(self.validation_groups),
            "train_pairs": len(self.train),
            "validation_pairs": len(self.validation),
            "independent": self.independent,
            "shared_pixels": [
                {"pairs": [o.first, o.second], "share": round(o.share, 4)} for o in self.shared
            ],
            "notes": list(self.notes),
        }


def split_pairs(
    pairs: CorrelativePairs,
    *,
    validation_groups: Sequence[str] | None = None,
    fraction: float = 0.2,
    allow_leakage: bool = False,
    seed: int = 0,
    cancel: CancelToken | None = None,
) -> Split:
    """Return a split in which no group is on both sides.

    Parameters
    ----------
    pairs : CorrelativePairs
        At least two.
    validation_groups : sequence of str, optional
        Groups to hold out; an empty sequence holds out none. Without it, whole groups are
        held out until `fraction` of the pairs is reached.
    fraction : float
        Wanted share of held-out pairs when the groups are chosen here.
    allow_leakage : bool
        Whether a split with shared pixels is accepted; it is then marked as not independent.
    seed : int
        For the choice of groups.
    cancel : CancelToken, optional
        Looked at before each image.

    Raises
    ------
    InputError
        A group is unknown, nothing would be left to train on, or the two sides share pixels.

    Notes
    -----
    With a single group nothing independent can be held out. The last fifth of its pairs
    is then used to follow the training, and the split says that it is not independent.

    Examples
    --------
    >>> import numpy as np
    >>> images = np.random.default_rng(0).normal(size=(4, 16, 16))
    >>> pairs = CorrelativePairs.from_arrays(images, images, groups=["a", "a", "b", "b"])
    >>> split_pairs(pairs, validation_groups=["b"]).train
    (0, 1)
    """
    if len(pairs) < 2:
        raise InputError(
            f"Training needs at least two pairs, one of them to judge by; {len(pairs)} was given. "
            "Add pairs of other cells, or cut regions from the one image (they will not be "
            "independent)."
        )
    # within one group there is nothing to tell apart
    several = len(pairs.group_names) > 1
    shared = find_shared_pixels(pairs.fluorescence, cancel=cancel) if several else []
    if validation_groups is not None:
        return _with_given_groups(pairs, validation_groups, shared, allow_leakage)
    merged = merge_groups(pairs.groups, shared)
    notes = _merging_notes(pairs.groups, merged)
    if len(set(merged)) == 1:
        return _within_one_group(pairs, fraction, shared, notes)
    held_out = _chosen_groups(merged, fraction, seed)
    split = _split(pairs, [g in held_out for g in merged], notes)
    return split


def divided_field(pairs: CorrelativePairs) -> CorrelativePairs:
    """Return a single pair as two parts of its field: one to train on and one to judge by.

    The last quarter along the longer side is a group of its own, the second. Several pairs, and
    a field with a longer side of less than 256 pixels, are returned as they are.

    Examples
    --------
    >>> import numpy as np
    >>> field = np.random.default_rng(0).normal(size=(1, 64, 400))
    >>> parts = divided_field(CorrelativePairs.from_arrays(field, field, groups=["a"]))
    >>> [image.shape for image in parts.fluorescence], parts.groups
    ([(64, 300), (64, 100)], ('a', 'a, last quarter'))
    """
    if len(pairs) != 1:
        return pairs
    height, width = pairs.fluorescence[0].shape
    judged = round(_JUDGED_SHARE * max(height, width))
    if judged < _SHORTEST_JUDGED_PX:
        return pairs
    if height > width:
        regions = Region(0, 0, height - judged, width), Region(height - judged, 0, height, width)
    else:
        regions = Region(0, 0, height, width - judged), Region(0, width - judged, height, width)
    (group,) = pairs.groups
    return replace(pairs.within(regions), groups=(group, f"{group}, last quarter"))


def _with_given_groups(
    pairs: CorrelativePairs,
    validation_groups: Sequence[str],
    shared: Sequence[SharedPixels],
    allow_leakage: bool,
) -> Split:
    unknown = sorted(set(validation_groups) - set(pairs.groups))
    if unknown:
        raise InputError(
            f"There is no group {unknown[0]!r}. Groups of these pairs: "
            f"{', '.join(pairs.group_names)}. They come from the file names; a grouping pattern "
            f"changes them (--group-by; '.+' makes each file a group of its own)."
        )
    held_out = [group in set(validation_groups) for group in pairs.groups]
    if all(held_out):
        raise InputError("All groups are held out for validation: leave at least one to train on.")
    crossing = [o for o in shared if held_out[o.first] != held_out[o.second]]
    if crossing and not allow_leakage:
        raise InputError(_leak_message(pairs, crossing))
    notes = [_leak_message(pairs, crossing)] if crossing else []
    return _split(pairs, held_out, notes, crossing)


def _split(
    pairs: CorrelativePairs,
    held_out: Sequence[bool],
    notes: Sequence[str],
    crossing: Sequence[SharedPixels] = (),
) -> Split:
    train = tuple(i for i, out in enumerate(held_out) if not out)
    validation = tuple(i for i, out in enumerate(held_out) if out)
    shared = {pairs.movies[i] for i in train} & {pairs.movies[i] for i in validation}
    if shared and len(set(pairs.groups)) > 1:
        notes = [*notes, SAME_CELL]
    return Split(
        train=train,
        validation=validation,
        train_groups=tuple(sorted({pairs.groups[i] for i in train})),
        validation_groups=tuple(sorted({pairs.groups[i] for i in validation})),
        independent=not crossing and not shared,
        scorable=not crossing,
        shared=tuple(crossing),
        notes=tuple(notes),
    )


def _chosen_groups(groups: Sequence[str], fraction: float, seed: int) -> set[str]:
    """Return whole groups, in random order, that together come closest to `fraction`."""
    counts = Counter(groups)
    names = sorted(counts)
    order = [names[i] for i in np.random.default_rng(seed).permutation(len(names))]
    wanted = fraction * len(groups)
    chosen: set[str] = set()
    held = 0
    for name in order:
        left = len(groups) - held - counts[name]
        nearer = abs(held + counts[name] - wanted) < abs(held - wanted)
        if left > 0 and (nearer or not chosen) and len(chosen) + 1 < len(names):
            # the first group may be larger than wanted, unless a smaller one is there
            if not chosen and counts[name] > 2 * wanted and min(counts.values()) < counts[name]:
                continue
            chosen.add(name)
            held += counts[name]
    return chosen or {min(names, key=lambda name: (counts[name], name))}


def _within_one_group(
    pairs: CorrelativePairs, fraction: float, shared: Sequence[SharedPixels], notes: Sequence[str]
) -> Split:
    count = len(pairs)
    first = count - max(1, min(count - 1, round(fraction * count)))
    held_out = [index >= first for index in range(count)]
    crossing = [o for o in shared if held_out[o.first] != held_out[o.second]]
    text = (
        f"All {count} pairs count as one cell or movie, so nothing independent is held out: the "
        f"last {count - first} follow the training, and no score for new cells can be given. "
        "Add another cell, or give a grouping pattern if there are several"
        + (" ('.+' if every file shows another field)." if len(set(pairs.movies)) > 1 else ".")
    )
    split = _split(pairs, held_out, [*notes, text], crossing)
    return Split(
        split.train,
        split.validation,
        split.train_groups,
        split.validation_groups,
        independent=False,
        scorable=False,
        shared=split.shared,
        notes=split.notes,
    )


def _merging_notes(groups: Sequence[str], merged: Sequence[str]) -> list[str]:
    joined: dict[str, set[str]] = {}
    for group, root in zip(groups, merged, strict=True):
        joined.setdefault(root, set()).add(group)
    return [
        f"Groups {', '.join(sorted(names))} share pixels and are kept on one side of the split."
        for names in joined.values()
        if len(names) > 1
    ]


def _leak_message(pairs: CorrelativePairs, crossing: Sequence[SharedPixels]) -> str:
    worst = max(crossing, key=lambda pair: pair.share)
    what = "is identical to" if worst.share == 1 else f"shares {worst.share:.0%} of its pixels with"
    if worst.altered:
        what = "is, flipped, turned or with another gain, the same image as"
    return (
        f"Validation and training images share pixels ({len(crossing)}x); for instance "
        f"{pairs.names[worst.second]!r} {what} {pairs.names[worst.first]!r}. A score on them "
        "would measure memory. Hold out whole cells or movies, or allow leakage on purpose "
        "(--allow-leakage)."
    )
