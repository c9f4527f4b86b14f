"""Inspection of the pairs before a training: sizes, saturation, constant and empty images."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..progress import CancelToken, watched
from .correlative_pairs import CorrelativePairs, check_shapes
from .foreground import foreground_mask, window_fractions

_SATURATED_WARNING = 0.001
_SATURATED_STOP = 0.2
# Of cameras with 10, 12 and 14 bit
_CEILINGS = (1023, 4095, 16383)


@dataclass(frozen=True, slots=True)
class Inspection:
    """Findings about a set of pairs.

    Attributes
    ----------
    pairs : CorrelativePairs
        The usable ones.
    warnings : tuple of str
        For the user.
    foreground : dict
        Quantiles of the foreground fraction of crops, and the share that passes.
    """

    pairs: CorrelativePairs
    warnings: tuple[str, ...]
    foreground: dict[str, Any]


def inspect_pairs(
    pairs: CorrelativePairs,
    *,
    crop_size: int = 256,
    min_foreground: float = 0.0,
    bad_pairs: Literal["stop", "drop"] = "stop",
    cancel: CancelToken | None = None,
) -> Inspection:
    """Return the usable pairs with warnings, or say why they cannot train.

    Parameters
    ----------
    pairs : CorrelativePairs
        Of :func:`match_pairs`.
    crop_size : int
        Side of the training crops, pixels; for the foreground statistics.
    min_foreground : float
        Smallest foreground fraction of a crop.
    bad_pairs : {"stop", "drop"}
        Whether constant, empty or saturated pairs stop everything or are left out.
    cancel : CancelToken, optional
        Looked at before each image.

    Raises
    ------
    InputError
        Fewer than two pairs, unlike sizes, mixed bit depths, constant, empty or saturated
        images, images too small, or no crop with enough foreground.

    Examples
    --------
    >>> images = np.random.default_rng(0).normal(size=(3, 64, 64))
    >>> len(inspect_pairs(CorrelativePairs.from_arrays(images, images)).pairs)
    3
    """
    if not len(pairs):
        raise InputError(
            "There are no pairs to train on. Give bright-field and fluorescence images."
        )
    check_shapes(pairs)
    _check_bit_depth(pairs)
    _check_size(pairs)
    kept, warnings = _without_bad(pairs, bad_pairs, cancel)
    if len(kept) < 2:
        raise InputError(
            f"Only {len(kept)} usable pair is there; training needs at least two, one of them to "
            "judge by. Add pairs, best of other cells, or give a field of 256 pixels or more, "
            "which is divided."
        )
    warnings += _saturation_warnings(kept, cancel)
    foreground = _foreground(kept, crop_size, min_foreground, cancel)
    return Inspection(kept, tuple(warnings), foreground)


def _check_bit_depth(pairs: CorrelativePairs) -> None:
    for what, images in (
        ("bright-field", pairs.bright_field),
        ("fluorescence", pairs.fluorescence),
    ):
        kinds = Counter(str(image.dtype) for image in images)
        if len(kinds) > 1:
            listing = ", ".join(f"{count} of {kind}" for kind, count in kinds.most_common())
            raise InputError(
                f"The {what} images mix number types ({listing}). Their grey values do not mean "
                "the same: convert them to one type, from one acquisition, and train again."
            )


def _check_size(pairs: CorrelativePairs) -> None:
    for name, image in zip(pairs.names, pairs.fluorescence, strict=True):
        if min(image.shape) < 16:
            raise InputError(
                f"Pair {name!r} is {image.shape[0]} x {image.shape[1]} pixels; at least 16 x 16 "
                "are needed, and 256 x 256 are recommended."
            )


def _without_bad(
    pairs: CorrelativePairs, bad_pairs: Literal["stop", "drop"], cancel: CancelToken | None
) -> tuple[CorrelativePairs, list[str]]:
    problems = {
        index: problem
        for index in watched(range(len(pairs)), cancel)
        if (problem := _problem(pairs.bright_field[index], pairs.fluorescence[index]))
    }
    if not problems:
        return pairs, []
    listing = "; ".join(
        f"{pairs.names[index]!r}: {problem}" for index, problem in list(problems.items())[:5]
    )
    more = f" and {len(problems) - 5} more" if len(problems) > 5 else ""
    text = f"{len(problems)} of {len(pairs)} pairs cannot train ({listing}{more})"
    if len(problems) == len(pairs):
        raise InputError(
            f"{text}. Check that the right images, channels and exposures were given"
            + (", or draw regions without the NaN pixels." if "NaN" in listing else ".")
        )
    if bad_pairs == "stop":
        raise InputError(
            f"{text}. Remove or replace them, or ask for bad pairs to be left out "
            "(bad_pairs='drop', --drop-bad-pairs)."
        )
    kept = pairs.subset(i for i in range(len(pairs)) if i not in problems)
    return kept, [f"{text}; they are left out."]


def _problem(inputs: NDArray[np.generic], target: NDArray[np.generic]) -> str:
    """Return why a pair of planes cannot be trained on, an empty text where it can."""
    for what, image in (("bright-field", inputs), ("fluorescence", target)):
        values = np.asarray(image)
        if values.dtype.kind not in "biuf":
            return f"the {what} image holds {values.dtype} values instead of grey values"
        finite = np.isfinite(values)
        if not finite.all():
            return f"the {what} image has {int((~finite).sum())} NaN or infinite pixels"
        if values.min() == values.max():
            return f"the {what} image is constant ({values.flat[0]})"
        saturated = _saturated_share(values)
        if saturated > _SATURATED_STOP:
            return f"{saturated:.0%} of the {what} image are saturated"
    return ""


def _saturated_share(image: NDArray[np.generic]) -> float:
    """Return the share of pixels at the ceiling: the type's maximum, or a plateau below it."""
    top = image.max()
    share = float((image == top).mean())
    if image.dtype.kind in "iu" and int(top) in (*_CEILINGS, np.iinfo(image.dtype.str).max):
        return share
    if share < _SATURATED_WARNING:
        return 0.0
    # clipped elsewhere, as after a conversion: far more pixels than on the grey levels below
    levels, counts = np.unique(image, return_counts=True)
    return share if len(levels) > 16 and counts[-1] > 5 * counts[-9:-1].max() else 0.0


def _saturation_warnings(pairs: CorrelativePairs, cancel: CancelToken | None) -> list[str]:
    warnings = []
    for what, images in (
        ("bright-field", pairs.bright_field),
        ("fluorescence", pairs.fluorescence),
    ):
        affected = [
            s
            for image in watched(images, cancel)
            if (s := _saturated_share(np.asarray(image))) > _SATURATED_WARNING
        ]
        if affected:
            warnings.append(
                f"{len(affected)} {what} images are saturated in up to {max(affected):.1%} of "
                "their pixels: what lies above is lost to the model."
            )
    return warnings


def _foreground(
    pairs: CorrelativePairs, crop_size: int, least: float, cancel: CancelToken | None
) -> dict[str, Any]:
    fractions = _crop_fractions(watched(pairs.fluorescence, cancel), crop_size)
    passing = float((fractions >= least).mean())
    if passing == 0:
        raise InputError(
            f"No crop of {crop_size} px has {least:.0%} foreground (pixels above the frame's mean "
            f"plus one standard deviation); the best has {fractions.max():.0%}. Lower the "
            "threshold, or give frames with labelled structures."
        )
    quantiles = np.quantile(fractions, [0.05, 0.25, 0.5, 0.75, 0.95])
    return {
        "threshold": least,
        "passing_share": round(passing, 4),
        "quantiles_5_25_50_75_95": [round(float(q), 4) for q in quantiles],
    }


def _crop_fractions(images: Iterable[NDArray[np.generic]], crop_size: int) -> NDArray[np.float32]:
    parts = []
    for image in images:
        size = min(crop_size, *image.shape)
        step = max(1, size // 4)
        parts.append(window_fractions(foreground_mask(image), size, step).ravel())
    return np.concatenate(parts)
