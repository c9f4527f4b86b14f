"""Bringing the fluorescence back onto the bright-field image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .correlative_pairs import CorrelativePairs
from .registration import NO_SHIFT, Shift


def correct_shifts(
    pairs: CorrelativePairs,
    shifts: Mapping[str, Shift] | Sequence[Shift],
    *,
    smallest_px: float = 0.5,
) -> CorrelativePairs:
    """Return the pairs with the fluorescence moved back, and the rims cut off.

    Parameters
    ----------
    pairs : CorrelativePairs
        Unchanged.
    shifts : dict of str to Shift, or one Shift a pair
        Of :func:`measure_shifts` or :func:`frame_shifts`; uncertain and smaller ones are left
        alone.
    smallest_px : float
        Shifts below it are not worth the interpolation.

    Examples
    --------
    >>> images = np.random.default_rng(0).random((1, 16, 16))
    >>> pairs = CorrelativePairs.from_arrays(images, images)
    >>> len(correct_shifts(pairs, {}))
    1
    """
    if isinstance(shifts, Mapping):
        shifts = [shifts.get(group, NO_SHIFT) for group in pairs.groups]
    inputs, targets, masks = [], [], []
    done: dict[str, list[Shift]] = {}
    for index, (image, target, group, shift) in enumerate(
        zip(pairs.bright_field, pairs.fluorescence, pairs.groups, shifts, strict=True)
    ):
        mask = pairs.mask_of(index)
        if not shift.is_certain or shift.distance < smallest_px:
            inputs.append(image)
            targets.append(target)
            masks.append(mask)
            continue
        moved, valid = _moved_back(target, shift)
        inputs.append(image[:, valid[0], valid[1]])
        targets.append(moved[valid])
        masks.append(None if mask is None else mask[valid])
        done.setdefault(group, []).append(shift)
    moved_pairs = replace(pairs, bright_field=tuple(inputs), fluorescence=tuple(targets))
    if pairs.masks:
        moved_pairs = replace(moved_pairs, masks=tuple(masks))
    return moved_pairs.with_notes(*(_moved_note(group, used) for group, used in done.items()))


def _moved_note(group: str, shifts: Sequence[Shift]) -> str:
    first = shifts[0]
    text = f"Group {group}: fluorescence of {len(shifts)} pairs moved by dy {-first.dy:+.2f}, "
    text += f"dx {-first.dx:+.2f} px"
    others = sum(shift != first for shift in shifts)
    return text + (f", {others} of them by shifts of their own." if others else ".")


def _moved_back(
    target: NDArray[np.generic], shift: Shift
) -> tuple[NDArray[np.generic], tuple[slice, slice]]:
    """Return the target moved by minus the shift, and the part that is not invented."""
    moved = ndimage.shift(
        np.asarray(target, np.float64), (-shift.dy, -shift.dx), order=3, mode="nearest"
    )
    if target.dtype.kind in "iu":
        limits = np.iinfo(target.dtype.str)
        moved = np.clip(np.round(moved), limits.min, limits.max)
    valid = tuple(
        slice(int(np.ceil(max(0.0, -d))), n - int(np.ceil(max(0.0, d))))
        for d, n in zip((shift.dy, shift.dx), target.shape, strict=True)
    )
    return moved.astype(target.dtype), (valid[0], valid[1])
