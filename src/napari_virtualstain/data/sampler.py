"""Sampling of training crops: normalised input, target and weight map."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..normalisation import FittedNormalisation, Normalisation, spread_evenly
from ..progress import CancelToken, watched
from .correlative_pairs import CorrelativePairs
from .foreground import (
    ForegroundWindows,
    in_focus,
    middle,
    sampling_weights,
    sharpness,
)
from .stored_image import changed

FloatImage = NDArray[np.float32]
_MOST_FITTED = 256


@dataclass(frozen=True, slots=True)
class PreparedPair:
    """One pair with what is computed once a frame; images may be :class:`StoredImage`.

    Attributes
    ----------
    bright_field : ndarray of shape (P, Y, X)
        As acquired.
    fluorescence : ndarray of shape (Y, X)
        As acquired.
    weight : ndarray of shape (Y, X), float16, or None
        Weight map of the loss.
    input_maps : tuple of FittedNormalisation
        Of each bright-field plane.
    target_map : FittedNormalisation
        Of the fluorescence.
    mask : ndarray of shape (Y, X), bool, or None
        Which pixels count; None: all.
    """

    bright_field: NDArray[np.generic]
    fluorescence: NDArray[np.generic]
    weight: NDArray[np.float16] | None
    input_maps: tuple[FittedNormalisation, ...]
    target_map: FittedNormalisation
    mask: NDArray[np.bool_] | None = None

    def normalised(
        self, y: slice = slice(None), x: slice = slice(None)
    ) -> tuple[FloatImage, FloatImage, FloatImage]:
        """Return input (P, Y, X), target (Y, X) and weight (Y, X) of a part of the frame."""
        target = self.target_map.apply(self.fluorescence[y, x])
        weight = (
            np.ones_like(target) if self.weight is None else self.weight[y, x].astype(np.float32)
        )
        planes = zip(self.input_maps, self.bright_field[:, y, x], strict=True)
        return np.stack([one.apply(plane) for one, plane in planes]), target, weight

    def in_memory(self) -> PreparedPair:
        """Return the same pair with its images read."""
        return replace(
            self,
            bright_field=np.asarray(self.bright_field),
            fluorescence=np.asarray(self.fluorescence),
            weight=None if self.weight is None else np.asarray(self.weight),
        )


def fit_maps(
    images: Sequence[NDArray[np.generic]],
    movies: Sequence[str],
    rule: Normalisation,
    *,
    cancel: CancelToken | None = None,
) -> list[FittedNormalisation]:
    """Return the normalisation of each image's movie, or of the image by the rule's scope.

    Of a long movie 256 frames are looked at. `cancel` is looked at before each fit.

    Examples
    --------
    >>> images = [np.full((4, 4), v) + np.eye(4) for v in (0.0, 10.0)]
    >>> maps = fit_maps(images, ["a", "a"], Normalisation(kind="mean_sd"))
    >>> maps[0] == maps[1]
    True
    """
    keys = list(movies) if rule.scope == "movie" else [str(i) for i in range(len(images))]
    members: dict[str, list[NDArray[np.generic]]] = {}
    for key, image in zip(keys, images, strict=True):
        members.setdefault(key, []).append(image)
    fitted = {
        key: rule.fit(frames[i] for i in spread_evenly(_MOST_FITTED, len(frames)))
        for key, frames in watched(members.items(), cancel)
    }
    return [fitted[key] for key in keys]


@dataclass(frozen=True, slots=True)
class CropBatch:
    """Crops of one training step.

    Attributes
    ----------
    inputs : ndarray of shape (N, P, S, S), float32
        Normalised bright-field.
    targets, weights : ndarray of shape (N, S, S), float32
        Normalised fluorescence and weight map.
    pairs : tuple of int
        From which pair each crop is.
    counts : ndarray of shape (N, S, S), float32, or None
        1 where a pixel counts and 0 outside of polygons; None: all count.
    """

    inputs: FloatImage
    targets: FloatImage
    weights: FloatImage
    pairs: tuple[int, ...]
    counts: FloatImage | None = None


class CropSampler:
    """Sampler of random crops that have enough foreground.

    Parameters
    ----------
    pairs : CorrelativePairs
        The training pairs.
    prepared : sequence of PreparedPair
        The same, prepared.
    crop_size : int
        Side of a crop, pixels; smaller frames are mirrored at their borders.
    min_foreground : float
        Smallest share of pixels above the frame's mean plus one standard deviation.
    out_of_focus_share : float, optional
        Share of crops from frames out of focus; as they come when not given.
    group_balance : float
        0 draws every frame equally often, 1 every group, 0.5 by the root of its frames.

    Examples
    --------
    >>> images = np.random.default_rng(0).normal(size=(2, 32, 32))
    >>> pairs = CorrelativePairs.from_arrays(images, images)
    >>> one = FittedNormalisation()
    >>> prepared = [PreparedPair(b, f, None, (one,), one)
    ...             for b, f in zip(pairs.bright_field, pairs.fluorescence)]
    >>> CropSampler(pairs, prepared, 16).draw(np.random.default_rng(0), 3).inputs.shape
    (3, 1, 16, 16)
    """

    def __init__(
        self,
        pairs: CorrelativePairs,
        prepared: Sequence[PreparedPair],
        crop_size: int,
        *,
        min_foreground: float = 0.0,
        out_of_focus_share: float | None = None,
        group_balance: float = 0.0,
    ) -> None:
        self.crop_size = crop_size
        self._prepared = [_enlarged(pair, crop_size) for pair in prepared]
        self._has_masks = any(pair.mask is not None for pair in prepared)
        self._windows: list[ForegroundWindows | None] = []
        scores = []
        for pair, enlarged in zip(prepared, self._prepared, strict=True):
            glow = np.asarray(pair.fluorescence)
            scores.append(sharpness(middle(glow)))
            given = glow if enlarged is pair else np.asarray(enlarged.fluorescence)
            self._windows.append(_windows(given, crop_size, min_foreground))
        passing = np.array([windows is None or len(windows) > 0 for windows in self._windows])
        if not passing.any():
            raise InputError(
                f"No crop of {crop_size} px has {min_foreground:.0%} foreground. Lower the "
                "threshold, or give frames with labelled structures."
            )
        self.in_focus = in_focus(scores, list(pairs.groups))
        weights = sampling_weights(self.in_focus, out_of_focus_share) * passing
        groups = np.asarray(pairs.groups)
        for group in set(pairs.groups):
            member = groups == group
            weights[member] /= max(float(weights[member].sum()), 1e-12) ** group_balance
        self._cumulative = np.cumsum(weights / weights.sum())
        self.reached = self._reached()

    def draw(self, rng: np.random.Generator, count: int) -> CropBatch:
        """Return `count` random crops; equal generators give equal crops."""
        indices = np.searchsorted(self._cumulative, rng.random(count), side="right")
        indices = np.minimum(indices, len(self._prepared) - 1)
        crops = [self._crop(int(index), rng) for index in indices]
        return CropBatch(
            inputs=np.stack([crop[0] for crop in crops]),
            targets=np.stack([crop[1] for crop in crops]),
            weights=np.stack([crop[2] for crop in crops]),
            pairs=tuple(int(index) for index in indices),
            counts=np.stack([crop[3] for crop in crops]) if self._has_masks else None,
        )

    def _crop(
        self, index: int, rng: np.random.Generator
    ) -> tuple[FloatImage, FloatImage, FloatImage, FloatImage]:
        pair, windows = self._prepared[index].in_memory(), self._windows[index]
        rows, columns = (n - self.crop_size + 1 for n in pair.fluorescence.shape)
        if windows is None:
            y, x = divmod(int(rng.integers(rows * columns)), columns)
        else:
            y, x = windows.corner(pair.fluorescence, int(rng.integers(len(windows))))
        part = slice(y, y + self.crop_size), slice(x, x + self.crop_size)
        inputs, target, weight = pair.normalised(*part)
        counts = np.ones_like(target) if pair.mask is None else pair.mask[part].astype(np.float32)
        return inputs, target, weight, counts

    def _reached(self) -> dict[str, float]:
        """Return what the filters left: shares of frames, of crop positions, and in focus."""
        positions = [
            (p.fluorescence.shape[0] - self.crop_size + 1)
            * (p.fluorescence.shape[1] - self.crop_size + 1)
            for p in self._prepared
        ]
        kept = [
            n if windows is None else len(windows)
            for n, windows in zip(positions, self._windows, strict=True)
        ]
        drawn = np.diff(self._cumulative, prepend=0.0)
        return {
            "frames_with_foreground": float(np.mean([n > 0 for n in kept])),
            "crop_positions": float(sum(kept) / sum(positions)),
            "out_of_focus_draws": float(drawn[~self.in_focus].sum()),
        }


def _windows(
    fluorescence: NDArray[np.generic], size: int, least: float
) -> ForegroundWindows | None:
    """Return the crops with enough foreground; None is all."""
    return ForegroundWindows.of(fluorescence, size, least) if least > 0 else None


def _enlarged(pair: PreparedPair, size: int) -> PreparedPair:
    """Return the pair with mirrored borders if it is smaller than a crop."""
    missing = [max(0, size - n) for n in pair.fluorescence.shape]
    if not any(missing):
        return pair
    margins = [(m // 2, m - m // 2) for m in missing]

    def padded(image: NDArray[Any]) -> NDArray[Any]:
        leading = image.ndim - 2
        shape = (*image.shape[:leading], *(max(n, size) for n in image.shape[leading:]))
        pad = partial(np.pad, pad_width=[(0, 0)] * leading + margins, mode="symmetric")
        return changed(image, pad, shape)

    return replace(
        pair,
        bright_field=padded(pair.bright_field),
        fluorescence=padded(pair.fluorescence),
        weight=None if pair.weight is None else padded(pair.weight),
        mask=None if pair.mask is None else padded(pair.mask),
    )
