"""Fit of a model to images: green, amber or red, with the reason in words.

A model card holds what its training images looked like: the shape of their histogram,
the fall of their spectrum, their noise, their pixel size. Squares of the new images, at
the model's pixel size, are held against that; a loss of focus is recognised by its direction.
Limits were set on the H9c2 pairs, each cell judged by the others: see
``benchmarks/staining_fit.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..axes import check_positive
from ..data import deviations, feature_shifts, image_statistics
from ..engine import (
    Planes,
    as_image,
    fill_non_finite,
    image_axes,
    resample,
    resampled_shape,
)
from ..io import Stack
from ..models import ModelCard
from ..normalisation import FittedNormalisation, spread_evenly
from .stainer import as_generator

Level: TypeAlias = Literal["green", "amber", "red"]

_LEVELS: tuple[Level, ...] = ("green", "amber", "red")
_AMBER = {"histogram": 2.4, "texture": 2.2, "noise": 3.3, "focus": 2.17}
_RED = 2.0  # times the limit of amber
_SEVERAL = 0.8  # times the limits, where several squares are averaged
_SQUARE = 256
_SQUARES = 4
_SMALLEST = 64
_SATURATED = 0.01
# contrast of a frame against the movie's, and how many contrasts its level may lie off
_AMBER_CONTRAST, _RED_CONTRAST = 1.5, 2.5
_AMBER_LEVEL = 15.0
_DESCRIBED_STRETCHES = 5


@dataclass(frozen=True, slots=True)
class FrameFit:
    """Fit of one frame.

    Attributes
    ----------
    frame : int
        Its flat index over all axes but y and x.
    level : {"green", "amber", "red"}
        Good, doubtful, foreign.
    reasons : tuple of str
        Why not green.
    distances : dict
        Of its ``histogram``, ``texture``, ``noise`` and ``focus`` from the training images,
        in their spreads; about 1 is usual.
    shifts : dict
        Which way: see :func:`~napari_virtualstain.data.feature_shifts`.
    """

    frame: int
    level: Level
    reasons: tuple[str, ...]
    distances: dict[str, float] = field(default_factory=dict)
    shifts: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FitReport:
    """Fit of a movie to a model.

    Attributes
    ----------
    level : {"green", "amber", "red"}
        Good, doubtful, foreign.
    reasons : tuple of str
        Why not green, or what could not be judged.
    frames : tuple of FrameFit
        The frames that were looked at.
    """

    level: Level
    reasons: tuple[str, ...]
    frames: tuple[FrameFit, ...]

    def __str__(self) -> str:
        """Return the verdict in one line."""
        return f"{self.level}: " + (" ".join(self.reasons) or "the images look as in training.")


def assess_fit(
    image: ArrayLike | Stack,
    model: Any = None,
    pixel_size_um: float | None = None,
    *,
    axes: str | None = None,
    most_frames: int = 8,
    fitted: FittedNormalisation | None = None,
) -> FitReport:
    """Return whether images look like those that a model was trained on.

    Parameters
    ----------
    image : array of shape (..., Y, X), or Stack
        Bright-field.
    model : str, path, Model or None
        Generator; None is the default one.
    pixel_size_um : float, optional
        Micrometres; a stack's own if not given.
    axes : str, optional
        One letter for each dimension.
    most_frames : int
        How many frames are looked at, spread evenly.
    fitted : FittedNormalisation, optional
        Normalisation of the movie, where it is known already.

    Raises
    ------
    InputError, ModelError
        Not an image, no such model.

    Examples
    --------
    >>> from napari_virtualstain.models import Model, build_network
    >>> card = ModelCard(name="tiny", architecture={"arguments": {"widths": [4]}})
    >>> model = Model(build_network(card.architecture), card, "", None)
    >>> assess_fit(np.eye(64), model).level
    'amber'
    """
    card = as_generator(model).card
    array = as_image(image)
    if pixel_size_um is None and isinstance(image, Stack):
        pixel_size_um = image.pixel_size_um
    given = check_positive(pixel_size_um, "pixel size", "µm")
    source = Planes(array, image_axes(image, array.ndim, axes))
    wanted = spread_evenly(most_frames, len(source))
    if fitted is None and len(source) > 1:
        fitted = card.normalisation.input.fit(source.sample())
    frames = [assess_frame(source.read(i)[0], card, given, i, fitted) for i in wanted]
    return combine(frames, card, given)


def assess_frame(
    plane: NDArray[Any],
    card: ModelCard,
    pixel_size_um: float | None,
    frame: int = 0,
    fitted: FittedNormalisation | None = None,
) -> FrameFit:
    """Return how well one plane of shape (Y, X) fits, apart from its pixel size.

    With the movie's normalisation, its level and contrast are held against the movie's.
    """
    values, _ = fill_non_finite(np.asarray(plane, dtype=np.float32))
    low, high = float(values.min()), float(values.max())
    if low == high:
        return FrameFit(frame, "red", ("The frame is constant: there is nothing to stain.",))
    at_model = values
    if pixel_size_um and card.pixel_size_um:
        shape = resampled_shape(values.shape, pixel_size_um, card.pixel_size_um)
        at_model = resample(values, shape)
    if min(at_model.shape) < _SMALLEST:
        reason = f"The frame is smaller than {_SMALLEST} pixels of the model: it cannot be judged."
        return FrameFit(frame, "amber", (reason,))
    squares = [image_statistics(square) for square in _squares(at_model)]
    distances = _typical([deviations(square, card.statistics) for square in squares])
    shifts = _typical([feature_shifts(square, card.statistics) for square in squares])
    level, reasons = _verdict(distances, shifts, len(squares))
    share = float(np.mean((values == high) | (values == low)))
    if share > _SATURATED:
        reasons.append(f"{share:.0%} of the pixels are saturated or black.")
        level = max(level, 1)
    lamp, lamp_reasons = _lamp_verdict(values, card, fitted)
    level, reasons = max(level, lamp), reasons + lamp_reasons
    return FrameFit(frame, _LEVELS[level], tuple(reasons), distances, shifts)


def combine(frames: list[FrameFit], card: ModelCard, pixel_size_um: float | None) -> FitReport:
    """Return the verdict on a movie from those on its frames and from its pixel size."""
    level, reasons = _pixel_size_verdict(card, pixel_size_um)
    if not card.statistics.get("features"):
        reasons.append("The model's card does not say what its training images looked like.")
        level = max(level, 1)
    # a movie is as its middle frame is: one bad frame is reported by itself, not spread over all
    levels = sorted(_LEVELS.index(frame.level) for frame in frames)
    level = max(level, levels[len(levels) // 2])
    judged = [frame for frame in frames if frame.distances]
    typical = [_typical([getattr(f, part) for f in judged]) for part in ("distances", "shifts")]
    usual, usual_reasons = _verdict(typical[0], typical[1], len(judged))
    worst = max(frames, key=lambda frame: _LEVELS.index(frame.level))
    if usual_reasons:
        reasons += usual_reasons
    elif worst.level != "green":
        bad = sum(1 for index in levels if index)
        where = f"{bad} of {len(frames)} frames: " if len(frames) > 1 else ""
        reasons += [where + reason for reason in worst.reasons]
    return FitReport(_LEVELS[max(level, usual)], tuple(reasons), tuple(frames))


def describe_fits(frames: Sequence[FrameFit]) -> str:
    """Return in words which frames do not fit and why, stretch by stretch.

    Examples
    --------
    >>> frames = [FrameFit(i, "red" if i > 7 else "green", ("Blurred.",)) for i in range(10)]
    >>> describe_fits(frames)
    '2 of 10 frames are not green. Frames 8 to 9 are red: Blurred.'
    """
    bad = [frame for frame in frames if frame.level != "green"]
    if not bad:
        return f"all {len(frames)} frames are green."
    stretches = [[bad[0]]]
    for frame in bad[1:]:
        if frame.frame == stretches[-1][-1].frame + 1:
            stretches[-1].append(frame)
        else:
            stretches.append([frame])
    text = [f"{len(bad)} of {len(frames)} frames are not green."]
    text += [_described(stretch) for stretch in stretches[:_DESCRIBED_STRETCHES]]
    if len(stretches) > _DESCRIBED_STRETCHES:
        text.append(f"And {len(stretches) - _DESCRIBED_STRETCHES} more stretches.")
    return " ".join(text)


def _described(stretch: list[FrameFit]) -> str:
    first, last = stretch[0], stretch[-1]
    which = f"Frame {first.frame} is"
    if last is not first:
        which = f"Frames {first.frame} to {last.frame} are"
    levels = [level for level in _LEVELS if any(frame.level == level for frame in stretch)]
    worst = next(frame for frame in stretch if frame.level == levels[-1])
    return f"{which} {' or '.join(levels)}: {' '.join(worst.reasons)}"


def _squares(plane: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """Return the squares of a plane in which there is most to see."""
    height, width = plane.shape
    if height < 1.5 * _SQUARE and width < 1.5 * _SQUARE:
        return [plane]
    tops = np.linspace(0, max(0, height - _SQUARE), max(1, height // _SQUARE)).astype(int)
    lefts = np.linspace(0, max(0, width - _SQUARE), max(1, width // _SQUARE)).astype(int)
    squares = [plane[y : y + _SQUARE, x : x + _SQUARE] for y in tops for x in lefts]
    return sorted(squares, key=lambda square: -float(square.std()))[:_SQUARES]


def _typical(each: list[dict[str, float]]) -> dict[str, float]:
    return {group: float(np.median([d[group] for d in each])) for group in (each or [{}])[0]}


_WORDS = {
    ("histogram", True): "Bright structures on a dark background, as in fluorescence or phase "
    "contrast; the model was trained on another contrast",
    ("histogram", False): "Dark and bright are spread otherwise than in the training images, as "
    "in inverted or processed images",
    ("texture", True): "There is more fine detail than in the training images: another focus, "
    "magnification or contrast, or an empty field",
    ("texture", False): "There is less fine detail than in the training images: out of focus, "
    "another magnification or contrast, or smoothed",
    ("noise", True): "The images are noisier than the training images",
    ("noise", False): "The images are smoother than the training images: denoised, interpolated, "
    "out of focus or of another contrast",
    ("focus", True): "Detail is weaker, in the way that a loss of focus weakens it",
}


def _verdict(
    distances: dict[str, float], shifts: dict[str, float], squares: int
) -> tuple[int, list[str]]:
    factor = _SEVERAL if squares >= _SQUARES else 1.0
    level, reasons = 0, []
    for group, distance in distances.items():
        limit = factor * _AMBER[group]
        if distance <= limit:
            continue
        level = max(level, 2 if distance > _RED * limit else 1)
        words = _WORDS[group, shifts[group] > 0]
        reasons.append(f"{words} ({distance / limit:.1f} times the usual difference).")
    return level, reasons


def _lamp_verdict(
    plane: NDArray[Any], card: ModelCard, fitted: FittedNormalisation | None
) -> tuple[int, list[str]]:
    """Return whether a frame is as bright and as rich in contrast as its movie."""
    if fitted is None or fitted.levelled_by is None or fitted.constant:
        return 0, []
    own = card.normalisation.input.fit(plane)
    contrast = own.scale / fitted.scale if not own.constant else 0.0
    off = max(contrast, 1 / max(contrast, 1e-6))
    level, reasons = 0, []
    if off > _AMBER_CONTRAST:
        level = 2 if off > _RED_CONTRAST else 1
        reasons.append(f"Its contrast is {contrast:.0%} of the movie's: the light changed.")
    shift = (own.level - fitted.level) / fitted.scale
    if abs(shift) > _AMBER_LEVEL:
        level = max(level, 1)
        reasons.append(
            f"It is {'brighter' if shift > 0 else 'darker'} than the movie by {abs(shift):.0f} "
            "times the contrast: the light changed."
        )
    return level, reasons


def _pixel_size_verdict(card: ModelCard, pixel_size_um: float | None) -> tuple[int, list[str]]:
    wanted = card.pixel_size_um
    if wanted is None:
        return 0, ["The model's card gives no pixel size."]
    if pixel_size_um is None:
        return 0, [f"The pixel size is not known; {wanted:g} µm was assumed."]
    factor = pixel_size_um / wanted
    if 0.8 <= factor <= 1.25:
        return 0, []
    text = f"Pixels of {pixel_size_um:g} µm against {wanted:g} µm in training"
    if factor > 1:
        return (2 if factor > 2 else 1), [f"{text}: details that the model needs are not there."]
    return (2 if factor < 1 / 4 else 1), [f"{text}: the images are binned down for the model."]
