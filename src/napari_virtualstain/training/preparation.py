"""Preparation of pairs for training: checks, split, normalisation, weight maps."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..axes import USUAL_PIXEL_SIZE_UM
from ..data import (
    Alignment,
    CorrelativePairs,
    CropSampler,
    PreparedPair,
    Split,
    alignment_notes,
    changed,
    correct_alignments,
    divided_field,
    fit_maps,
    image_statistics,
    inspect_pairs,
    local_motion_notes,
    measure_alignments,
    middle_part,
    split_pairs,
    summarise_statistics,
)
from ..errors import InputError
from ..normalisation import FittedNormalisation, spread_evenly
from ..optics import WeightMapCache
from ..progress import CancelToken, watched
from .augment import MARGIN
from .training_config import TrainingConfig

FloatImage = NDArray[np.float32]
_LEAST_SCALE = 0.2


@dataclass(frozen=True, slots=True)
class PreparedTraining:
    """All that the loop needs of the data.

    Attributes
    ----------
    pairs : CorrelativePairs
        The usable ones.
    split : Split
        Into training and validation.
    train, validation : tuple of PreparedPair
        In the order of the split.
    sampler : CropSampler
        Of the training pairs; its crops have a margin for turning.
    crop_size : int
        Side of the crops that train, pixels.
    pixel_size_um : float or None
        Micrometres.
    warnings : tuple of str
        For the user.
    foreground : dict
        Of :func:`inspect_pairs`.
    """

    pairs: CorrelativePairs
    split: Split
    train: tuple[PreparedPair, ...]
    validation: tuple[PreparedPair, ...]
    sampler: CropSampler
    crop_size: int
    pixel_size_um: float | None
    warnings: tuple[str, ...]
    foreground: dict[str, Any]

    @property
    def scale_um(self) -> float:
        """The pixel size, or the usual one where a size is needed and none is known."""
        return self.pixel_size_um or USUAL_PIXEL_SIZE_UM

    def input_statistics(self, most: int = 200) -> dict[str, Any]:
        """Return what the normalised training images look like, for the model card."""
        step = max(1, len(self.train) // most)
        centre = self.pairs.planes // 2
        return summarise_statistics(
            image_statistics(pair.input_maps[centre].apply(pair.bright_field[centre]))
            for pair in self.train[::step]
        )

    def typical_inputs(self, most: int = 24, side: int = 512) -> Iterator[FloatImage]:
        """Yield normalised inputs (P, Y, X) of some training images, cut to their middle."""
        for index in spread_evenly(most, len(self.train)):
            pair = self.train[index]
            yield pair.normalised(*middle_part(pair.fluorescence.shape, side))[0]

    def typical_maps(self) -> tuple[FittedNormalisation, FittedNormalisation]:
        """Return the median normalisation of input and target over the training pairs."""
        centre = self.pairs.planes // 2
        return (
            _median([pair.input_maps[centre] for pair in self.train]),
            _median([pair.target_map for pair in self.train]),
        )


def prepare(
    pairs: CorrelativePairs,
    config: TrainingConfig,
    *,
    stride: int,
    stain: Callable[[FloatImage], FloatImage] | None = None,
    cancel: CancelToken | None = None,
) -> PreparedTraining:
    """Check the pairs and return everything that is computed once.

    Parameters
    ----------
    pairs, config : CorrelativePairs and TrainingConfig
        What trains, and how.
    stride : int
        Of the network, pixels.
    stain : callable, optional
        Takes normalised bright-field planes (P, Y, X) and returns the starting model's image
        (Y, X): with it the shift between the channels is measured better.
    cancel : CancelToken, optional
        Looked at before each image.

    Raises
    ------
    InputError
        The pairs cannot train; the message says why.
    CancelledError
        Cancelled.
    """
    if len(pairs) and pairs.planes != config.inputs.planes:
        raise InputError(
            f"The pairs have {pairs.planes} bright-field planes each, but {config.inputs.planes} "
            "are set. Collect the pairs with as many planes as the settings say."
        )
    held_out = config.validation_groups
    if held_out is None and len(pairs) == 1:
        pairs = divided_field(pairs)
        held_out = pairs.groups[1:]
    crop_size = _fitting_crop(pairs, config.crop_size, stride)
    inspection = inspect_pairs(
        pairs,
        crop_size=crop_size,
        min_foreground=config.min_foreground,
        bad_pairs=config.bad_pairs,
        cancel=cancel,
    )
    usable, warnings = inspection.pairs, list(inspection.warnings)
    split = split_pairs(
        usable,
        validation_groups=held_out,
        fraction=config.validation_fraction,
        allow_leakage=config.allow_leakage,
        seed=config.seed,
        cancel=cancel,
    )
    usable, notes = _registered(usable, config, stain, cancel)
    warnings += [*notes, *split.notes]
    if crop_size != config.crop_size:
        warnings.append(
            f"Crops of {config.crop_size} px do not fit frames of this size; {crop_size} px are "
            "used."
        )
    prepared = _prepared_pairs(usable, config, cancel)
    train = tuple(prepared[i] for i in split.train)
    sampler = CropSampler(
        usable.subset(split.train),
        train,
        _with_margin(usable, crop_size, config),
        min_foreground=config.min_foreground,
        out_of_focus_share=config.out_of_focus_share,
        group_balance=config.group_balance,
    )
    return PreparedTraining(
        pairs=usable,
        split=split,
        train=train,
        validation=tuple(prepared[i] for i in split.validation),
        sampler=sampler,
        crop_size=crop_size,
        pixel_size_um=config.pixel_size_um or usable.pixel_size_um,
        warnings=tuple(warnings),
        foreground=inspection.foreground,
    )


def _fitting_crop(pairs: CorrelativePairs, wanted: int, stride: int) -> int:
    """Return the crop size as a multiple of the stride, not above the smallest frame."""
    smallest = min((min(image.shape) for image in pairs.fluorescence), default=wanted)
    size = min(wanted, max(smallest, stride))
    return max(stride, size // stride * stride)


def _with_margin(pairs: CorrelativePairs, crop_size: int, config: TrainingConfig) -> int:
    """Return the side of the crops to draw, so that turning needs no mirrored corners."""
    if not config.augmentation.warps:
        return crop_size
    smallest = int(min(min(image.shape) for image in pairs.fluorescence))
    return max(crop_size, min(smallest, round(crop_size * MARGIN)))


def alignments_of(
    pairs: CorrelativePairs,
    config: TrainingConfig,
    stain: Callable[[FloatImage], FloatImage] | None,
    cancel: CancelToken | None = None,
) -> dict[str, Alignment]:
    """Return how the channels of each group lie on each other; `stain` as for :func:`prepare`."""
    if stain is None:
        return measure_alignments(pairs, cancel=cancel)

    def stained(light: NDArray[np.generic]) -> FloatImage:
        light = np.asarray(light)
        maps = config.input_normalisation.fit([light[len(light) // 2]])
        return stain(np.stack([maps.apply(plane) for plane in light]))

    return measure_alignments(pairs, stain=stained, cancel=cancel)


def _registered(
    pairs: CorrelativePairs,
    config: TrainingConfig,
    stain: Callable[[FloatImage], FloatImage] | None,
    cancel: CancelToken | None,
) -> tuple[CorrelativePairs, tuple[str, ...]]:
    found = alignments_of(pairs, config, stain, cancel)
    notes = alignment_notes(found)
    if stain is None:  # without a stain the parts of a field tell whether it is turned
        notes = (*notes, *local_motion_notes(pairs, cancel=cancel))
    if not config.correct_registration:
        return pairs, notes
    corrected = correct_alignments(pairs, found)
    problems = alignment_notes({group: a for group, a in found.items() if a.problem})
    unknown = [g for g, a in found.items() if not a.is_certain and not a.problem]
    if unknown:
        problems = (*problems, f"Group {', '.join(unknown)}: shift unknown, nothing was moved.")
    return corrected, (*corrected.notes[len(pairs.notes) :], *problems)


def _prepared_pairs(
    pairs: CorrelativePairs, config: TrainingConfig, cancel: CancelToken | None
) -> list[PreparedPair]:
    input_maps, target_maps = (
        fit_maps(images, pairs.movies, rule, cancel=cancel)
        for images, rule in (
            (pairs.bright_field, config.input_normalisation),
            (pairs.fluorescence, config.target_normalisation),
        )
    )
    target_maps = _without_stretched_noise(target_maps)
    weights = _weight_maps(pairs.fluorescence, config, pairs.pixel_size_um, cancel)
    masks = pairs.masks or (None,) * len(pairs)
    return [
        PreparedPair(
            light,
            dark,
            weight,
            tuple(map(of_light.for_plane, np.asarray(light))),
            of_dark.for_plane(dark),
            mask,
        )
        for light, dark, weight, of_light, of_dark, mask in zip(
            pairs.bright_field,
            pairs.fluorescence,
            weights,
            input_maps,
            target_maps,
            masks,
            strict=True,
        )
    ]


def _without_stretched_noise(maps: list[FittedNormalisation]) -> list[FittedNormalisation]:
    """Return the maps with a smallest scale: an empty field has noise only, and stays dark."""
    least = _LEAST_SCALE * float(np.median([m.scale for m in maps]))
    return [replace(m, scale=max(m.scale, least)) for m in maps]


def _weight_maps(
    images: Sequence[NDArray[np.generic]],
    config: TrainingConfig,
    pixel_size_um: float | None,
    cancel: CancelToken | None,
) -> list[NDArray[np.float16] | None]:
    """Return the weight map of each whole frame, from the cache on disk where it is there.

    Maps of stored images are made when a crop of theirs is drawn.
    """
    loss = config.loss
    if loss.weighted_l1 == 0 or loss.weight_map == "none":
        return [None] * len(images)
    settings = config.weight_map_settings(
        config.pixel_size_um or pixel_size_um or USUAL_PIXEL_SIZE_UM
    )
    make = partial(_weight_map, settings=settings)
    return [changed(image, make, dtype=np.dtype("float16")) for image in watched(images, cancel)]


def _weight_map(image: NDArray[np.generic], settings: dict[str, Any]) -> NDArray[np.float16]:
    return WeightMapCache().get(image, **settings).astype(np.float16)


def _median(maps: Sequence[FittedNormalisation]) -> FittedNormalisation:
    return FittedNormalisation(
        float(np.median([m.offset for m in maps])), float(np.median([m.scale for m in maps]))
    )
