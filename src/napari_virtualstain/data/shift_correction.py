"""Correction of the shift between the fluorescence and the bright-field image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .alignment import Alignment, straightened
from .correlative_pairs import CorrelativePairs, cut
from .registration import NO_SHIFT, Shift
from .stored_image import changed


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
        valid = _recorded(target.shape, shift)
        inputs.append(cut(image, *valid))
        targets.append(cut(changed(target, partial(_moved_back, shift=shift)), *valid))
        masks.append(None if mask is None else mask[valid])
        done.setdefault(group, []).append(shift)
    moved_pairs = replace(pairs, bright_field=tuple(inputs), fluorescence=tuple(targets))
    if pairs.masks:
        moved_pairs = replace(moved_pairs, masks=tuple(masks))
    return moved_pairs.with_notes(*(_moved_note(group, used) for group, used in done.items()))


def correct_alignments(
    pairs: CorrelativePairs, alignments: Mapping[str, Alignment]
) -> CorrelativePairs:
    """Return the pairs with the fluorescence of each group brought onto the bright-field.

    All frames of a group move alike: the peak of one frame is no evidence.

    Parameters
    ----------
    pairs : CorrelativePairs
        Unchanged.
    alignments : dict of str to Alignment
        Of :func:`measure_alignments`; only what is worth correcting is corrected.

    Examples
    --------
    >>> images = np.random.default_rng(0).random((1, 16, 16))
    >>> len(correct_alignments(CorrelativePairs.from_arrays(images, images), {}))
    1
    """
    worth = {group: a for group, a in alignments.items() if a.is_worth_correcting}
    turned = {g: a for g, a in worth.items() if a.angle_deg != 0 or a.scale != 1}
    if turned:
        pairs = _straightened(pairs, turned)
    shifts = {g: Shift(a.dy, a.dx, a.significance, a.pairs) for g, a in worth.items()}
    return correct_shifts(pairs, shifts)


def _straightened(pairs: CorrelativePairs, alignments: Mapping[str, Alignment]) -> CorrelativePairs:
    """Return the pairs turned back and shrunk, without the rim that was not recorded."""
    inputs, targets, masks = [], [], []
    for index, (image, target, group) in enumerate(
        zip(pairs.bright_field, pairs.fluorescence, pairs.groups, strict=True)
    ):
        mask, found = pairs.mask_of(index), alignments.get(group)
        if found is not None:
            straight = changed(target, partial(_turned_back, found=found))
            far = abs(np.deg2rad(found.angle_deg)) + abs(found.scale - 1)
            rim = int(np.ceil(far * max(target.shape) / 2))
            rows, columns = (
                slice(rim, n - rim) if n > 4 * rim else slice(0, n) for n in target.shape
            )
            image, target = cut(image, rows, columns), cut(straight, rows, columns)
            mask = None if mask is None else mask[rows, columns]
        inputs.append(image)
        targets.append(target)
        masks.append(mask)
    notes = [
        f"Group {group}: {found.text}; turned and shrunk back."
        for group, found in alignments.items()
    ]
    straight_pairs = replace(
        pairs,
        bright_field=tuple(inputs),
        fluorescence=tuple(targets),
        masks=tuple(masks) if pairs.masks else (),
    )
    return straight_pairs.with_notes(*notes)


def _moved_note(group: str, shifts: Sequence[Shift]) -> str:
    first = shifts[0]
    text = f"Group {group}: fluorescence of {len(shifts)} pairs moved by dy {-first.dy:+.2f}, "
    text += f"dx {-first.dx:+.2f} px"
    others = sum(shift != first for shift in shifts)
    return text + (f", {others} of them by shifts of their own." if others else ".")


def _turned_back(target: NDArray[np.generic], found: Alignment) -> NDArray[np.generic]:
    return _in_type(straightened(target, found.angle_deg, found.scale), target.dtype)


def _moved_back(target: NDArray[np.generic], shift: Shift) -> NDArray[np.generic]:
    """Return the target moved by minus the shift."""
    moved = ndimage.shift(
        np.asarray(target, np.float64), (-shift.dy, -shift.dx), order=3, mode="nearest"
    )
    return _in_type(moved, target.dtype)


def _recorded(shape: tuple[int, ...], shift: Shift) -> tuple[slice, slice]:
    """Return rows and columns of a moved image that are not invented."""
    rows, columns = (
        slice(int(np.ceil(max(0.0, -d))), n - int(np.ceil(max(0.0, d))))
        for d, n in zip((shift.dy, shift.dx), shape, strict=True)
    )
    return rows, columns


def _in_type(image: NDArray[np.float64], dtype: np.dtype[Any]) -> NDArray[np.generic]:
    if dtype.kind in "iu":
        limits = np.iinfo(dtype.str)
        image = np.clip(np.round(image), limits.min, limits.max)
    return image.astype(dtype)
