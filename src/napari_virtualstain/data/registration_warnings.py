"""Warnings about misregistered pairs, before training."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..progress import CancelToken
from .alignment import Alignment
from .correlative_pairs import CorrelativePairs
from .foreground import middle
from .registration import MOST_PAIRS, NO_SHIFT, Shift, frame_shifts, sampled, shift_map


def registration_notes(shifts: dict[str, Shift], *, tolerance_px: float = 2.0) -> tuple[str, ...]:
    """Return a warning for each group whose images are certainly displaced.

    Examples
    --------
    >>> registration_notes({"a": Shift(5.0, 0.0, 20.0, 3)})[0][:34]
    'Group a: the fluorescence lies 5.0'
    """
    return tuple(
        f"Group {group}: the fluorescence lies {shift.distance:.1f} px from the bright-field image "
        f"(dy {shift.dy:+.1f}, dx {shift.dx:+.1f}). Register the channels, or ask for correction "
        "(--correct-registration); if only some frames are displaced, the mitochondria moved "
        "between the exposures."
        for group, shift in shifts.items()
        if shift.is_certain and shift.distance > tolerance_px
    )


def alignment_notes(alignments: Mapping[str, Alignment]) -> tuple[str, ...]:
    """Return what a user should know of how the channels lie on each other, a line a group.

    Examples
    --------
    >>> from .alignment import Alignment
    >>> alignment_notes({"a": Alignment(5.0, 0.0, significance=20.0, spread_px=0.2)})[0][:47]
    'Group a: fluorescence displaced by dy +5.0, dx '
    """
    notes = []
    for found in dict.fromkeys(alignments.values()):
        names = [group for group, one in alignments.items() if one == found]
        where = f"Group{'s' * (len(names) > 1)} {', '.join(names)}"
        if found.problem == "same":
            notes.append(f"{where}: {found.text}. Choose the fluorescence of these frames.")
        elif found.problem:
            notes.append(f"{where}: {found.text}. Check the channels before you train.")
        elif found.is_worth_correcting:
            notes.append(
                f"{where}: {found.text}. Register the channels, or ask for correction "
                "(--correct-registration)."
            )
    return tuple(notes)


def frame_motion_notes(
    pairs: CorrelativePairs,
    shifts: Mapping[str, Shift],
    *,
    tolerance_px: float = 2.0,
    most_pairs: int = MOST_PAIRS,
    cancel: CancelToken | None = None,
) -> tuple[str, ...]:
    """Return a warning for each group in which single frames are displaced otherwise.

    Examples
    --------
    >>> images = np.random.default_rng(0).normal(size=(2, 64, 64))
    >>> pairs = CorrelativePairs.from_arrays(images, images)
    >>> frame_motion_notes(pairs, {})
    ()
    """
    notes = []
    for group in pairs.group_names:
        members = sampled(pairs, group, most_pairs)
        common = shifts.get(group, NO_SHIFT)
        apart = [
            float(np.hypot(own.dy - common.dy, own.dx - common.dx))
            for own in frame_shifts(members, shifts, cancel=cancel)
        ]
        odd = [name for name, far in zip(members.names, apart, strict=True) if far > tolerance_px]
        if odd and common.is_certain and len(members) > 2:
            notes.append(
                f"Group {group}: {len(odd)} of {len(members)} frames looked at are displaced "
                f"otherwise than the rest, by up to {max(apart):.1f} px, such as {odd[0]!r}. The "
                "stage drifted or the structures moved between the exposures: ask for correction "
                "(--correct-registration), or leave these frames out."
            )
    return tuple(notes)


def local_motion_notes(
    pairs: CorrelativePairs,
    *,
    tolerance_px: float = 3.0,
    most_pairs: int = MOST_PAIRS,
    cancel: CancelToken | None = None,
) -> tuple[str, ...]:
    """Return a warning for each group whose quarters are displaced differently.

    A channel that is turned or magnified does that, and so do mitochondria that moved
    between the exposures: neither can be undone by one shift.

    Examples
    --------
    >>> images = np.random.default_rng(0).normal(size=(2, 64, 64))
    >>> local_motion_notes(CorrelativePairs.from_arrays(images, images))
    ()
    """
    notes = []
    for group in pairs.group_names:
        members = sampled(pairs, group, most_pairs)
        if len({image.shape for image in members.fluorescence}) > 1:
            continue
        centre = members.planes // 2
        inputs = [middle(image[centre], 1024) for image in members.bright_field]
        targets = [middle(image, 1024) for image in members.fluorescence]
        quarters = shift_map(inputs, targets, blocks=2, cancel=cancel)
        parts = [shift for row in quarters for shift in row if shift.is_certain]
        spread = max((np.hypot(a.dy - b.dy, a.dx - b.dx) for a in parts for b in parts), default=0)
        if spread > tolerance_px:
            notes.append(
                f"Group {group}: parts of the field are displaced differently, by up to "
                f"{spread:.1f} px. The channels are turned or magnified against each other, or "
                "the mitochondria moved between the exposures; such pairs teach a blur."
            )
    return tuple(notes)
