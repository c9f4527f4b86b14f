"""Normalisation of intensities: fitted once a movie, levelled frame by frame, inverted.

A normalisation is an affine map, ``(image - offset) / scale``. It does not depend on the
place, so a tile and a frame give the same values. A lamp that flickers or fades changes the
level of a frame by many times its contrast, while noise of a scale flickers in the result:
therefore each frame has its own level, and all frames of a movie have one scale.

===============  =======================================  =============================
kind             offset, of each frame                    scale, within frames
===============  =======================================  =============================
``none``         0                                        1
``fixed``        ``offset``, as given                     ``scale``, as given
``mean_sd``      mean                                     standard deviation
``median_sd``    median                                   standard deviation
``median_mad``   median                                   1.4826 median absolute deviation
``percentile``   percentile ``low``                       percentile ``high`` - ``low``
===============  =======================================  =============================

The scale is the median over frames of the spread within each; that of ``percentile`` is taken
from all frames together, brought to one level, because most frames may be empty. Frames that
are constant, clipped or dark do not count.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Annotated, Any, Generic, Literal, TypeAlias, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from .errors import InputError

NormalisationKind: TypeAlias = Literal[
    "none", "fixed", "mean_sd", "median_sd", "median_mad", "percentile"
]
Percentile = Annotated[float, Field(ge=0, le=100)]
_SAMPLES_PER_FRAME = 65_536
Value = TypeVar("Value")
SAMPLED_FRAMES = 16
"""Frames of a movie that its normalisation is fitted to."""
# a frame with so many pixels at its lowest or highest value is black, saturated or masked
_CLIPPED_SHARE = 0.25
# a frame is dark that lies so many contrasts below the bright ones and has less than this part
# of their contrast
_DARK_DEPTH = 2.0
_DARK_CONTRAST = 0.25


@dataclass(frozen=True, slots=True)
class FittedNormalisation:
    """The affine map ``(image - offset) / scale`` of one movie, or of one of its frames.

    Attributes
    ----------
    offset, scale : float
        In the units of the image; `scale` is positive. Of a movie, `offset` is that of its
        middle frame, see :meth:`for_plane`.
    constant : bool
        Whether the frames were constant, so that `scale` is 1 for want of a spread.
    level : float
        Level of the middle frame, as :meth:`for_plane` measures it.
    levelled_by : float, "mean" or None
        Which quantile of a frame is its level, or its mean; None if all frames have one offset.

    Examples
    --------
    >>> movie = np.stack([np.eye(4), np.eye(4) + 7])
    >>> fitted = Normalisation(kind="mean_sd").fit(movie)
    >>> [fitted.for_plane(plane).offset for plane in movie]
    [0.25, 7.25]
    """

    offset: float = 0.0
    scale: float = 1.0
    constant: bool = False
    level: float = 0.0
    levelled_by: float | Literal["mean"] | None = None

    def for_plane(self, plane: ArrayLike) -> FittedNormalisation:
        """Return the map of one frame of the movie: its own offset, the movie's scale.

        Parameters
        ----------
        plane : array of shape (Y, X)
            The whole frame, whatever part of it is to be normalised. One without a finite
            value has the movie's offset.
        """
        values = _sample(np.asarray(plane))
        if self.levelled_by is None or not values.size:
            return replace(self, levelled_by=None)
        level = _level(values, self.levelled_by)
        return replace(self, offset=self.offset + level - self.level, level=level, levelled_by=None)

    def apply_to_planes(self, planes: ArrayLike) -> NDArray[np.float32]:
        """Return whole frames, (..., Y, X), each normalised at its own level.

        Examples
        --------
        >>> movie = np.stack([np.eye(4), np.eye(4) + 7])
        >>> normal = Normalisation().fit(movie).apply_to_planes(movie)
        >>> bool(np.allclose(normal[0], normal[1]))
        True
        """
        frames = np.asarray(planes)
        flat = frames.reshape(-1, *frames.shape[-2:])
        normal = [self.for_plane(plane).apply(plane) for plane in flat]
        return np.stack(normal).reshape(frames.shape)

    def apply(self, image: ArrayLike) -> NDArray[np.float32]:
        """Return the normalised image, float32 of the shape of `image`.

        Examples
        --------
        >>> FittedNormalisation(offset=10, scale=2).apply([[10, 14]])
        array([[0., 2.]], dtype=float32)
        """
        # float64 keeps the digits of 32-bit camera counts until they are near one
        values = (np.asarray(image, dtype=np.float64) - self.offset) / self.scale
        return values.astype(np.float32)

    def invert(self, image: ArrayLike) -> NDArray[np.float32]:
        """Return `image` back in the units it had, float32.

        Examples
        --------
        >>> FittedNormalisation(offset=10, scale=2).invert([[0.0, 2.0]])
        array([[10., 14.]], dtype=float32)
        """
        values = np.asarray(image, dtype=np.float64) * self.scale + self.offset
        return values.astype(np.float32)


class Normalisation(BaseModel):
    """Intensity normalisation, part of every model card.

    Parameters
    ----------
    kind : str
        See the table of this module.
    low, high : float
        Percentiles of kind ``percentile``.
    offset, scale : float
        The map itself for kind ``fixed``; for the other kinds the typical values of
        the training set, with which an output is brought back to its units.
    scope : {"movie", "frame"}
        Whether one scale serves the movie, or each frame has its own.

    Examples
    --------
    >>> import numpy as np
    >>> movie = np.arange(24.0).reshape(2, 3, 4)
    >>> fitted = Normalisation(kind="mean_sd").fit(movie)
    >>> float(abs(fitted.apply(movie).mean()).round(6))
    0.0
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: NormalisationKind = "median_mad"
    low: Percentile = 1.0
    high: Percentile = 99.0
    offset: float = Field(default=0.0, allow_inf_nan=False)
    scale: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    scope: Literal["movie", "frame"] = "movie"

    @model_validator(mode="after")
    def _percentiles_are_ordered(self) -> Normalisation:
        if self.low >= self.high:
            raise ValueError(
                f"percentile low={self.low} must lie below high={self.high}, for instance 1 and 99"
            )
        return self

    def fit(self, frames: ArrayLike | Iterable[ArrayLike]) -> FittedNormalisation:
        """Return the map for these frames.

        Parameters
        ----------
        frames : array of shape (..., Y, X), or an iterable of such
            The movie, or some of its frames. NaN and infinity are left out; large
            frames are sampled on a regular grid.

        Raises
        ------
        InputError
            There is not one finite value.
        """
        if self.kind in ("none", "fixed"):
            return self.typical
        measured = _counted([self._measured(sample) for sample in _finite_samples(frames)])
        level = float(np.median([frame.level for frame in measured]))
        offset = level + float(np.median([frame.offset - frame.level for frame in measured]))
        scale = self._pooled(measured)
        # A spread at the level of rounding is none: 1e-7 is float32's epsilon
        constant = scale <= 1e-7 * max(1.0, abs(offset))
        return FittedNormalisation(
            offset,
            1.0 if constant else scale,
            constant=constant,
            level=level,
            levelled_by=self._levelled_by,
        )

    @property
    def typical(self) -> FittedNormalisation:
        """The map of the training set (identity for kind ``none``)."""
        if self.kind == "none":
            return FittedNormalisation()
        return FittedNormalisation(self.offset, self.scale)

    @property
    def _levelled_by(self) -> float | Literal["mean"]:
        if self.kind == "mean_sd":
            return "mean"
        return self.low / 100 if self.kind == "percentile" else 0.5

    def _measured(self, values: NDArray[np.float64]) -> _MeasuredFrame:
        offset, spread = self._moments(values)
        return _MeasuredFrame(values, offset, spread, _level(values, self._levelled_by))

    def _moments(self, values: NDArray[np.float64]) -> tuple[float, float]:
        if self.kind == "mean_sd":
            return float(values.mean()), float(values.std())
        if self.kind == "percentile":
            low, high = np.percentile(values, [self.low, self.high])
            return float(low), float(high - low)
        median = float(np.median(values))
        if self.kind == "median_sd":
            return median, float(values.std())
        mad = 1.4826 * float(np.median(np.abs(values - median)))
        # More than half the pixels may share one value (a masked or sparse frame)
        return median, mad or float(values.std())

    def _pooled(self, measured: list[_MeasuredFrame]) -> float:
        if self.kind != "percentile" or len(measured) == 1:
            return float(np.median([frame.spread for frame in measured]))
        at_one_level = np.concatenate([frame.values - frame.level for frame in measured])
        low, high = np.percentile(at_one_level, [self.low, self.high])
        return float(high - low)


@dataclass(frozen=True, slots=True)
class _MeasuredFrame:
    """Finite values of one frame, (N,), with their offset, spread and level."""

    values: NDArray[np.float64]
    offset: float
    spread: float
    level: float

    @property
    def is_clipped(self) -> bool:
        """Whether the frame is constant, black, saturated or masked."""
        low, high = self.values.min(), self.values.max()
        clipped = max(np.mean(self.values == low), np.mean(self.values == high))
        return bool(low == high or clipped > _CLIPPED_SHARE)


def _counted(frames: list[_MeasuredFrame]) -> list[_MeasuredFrame]:
    """Return the frames that show something: all of them if none does."""
    open_ones = [frame for frame in frames if not frame.is_clipped]
    if not open_ones:
        return frames
    levels = [frame.level for frame in open_ones]
    middle = (min(levels) + max(levels)) / 2
    bright = [frame for frame in open_ones if frame.level >= middle]
    contrast = float(np.median([frame.spread for frame in bright]))
    dim = float(np.median([frame.level for frame in bright])) - _DARK_DEPTH * contrast
    return [
        frame
        for frame in open_ones
        if frame.level > dim or frame.spread >= _DARK_CONTRAST * contrast
    ]


def _level(values: NDArray[np.float64], by: float | Literal["mean"]) -> float:
    """Return the mean, or a quantile that does not jump where values are whole numbers.

    The median of an 8-bit frame moves in steps of one, a tenth of the contrast of a flat
    bright-field image: noise alone would make it flicker. Equal values therefore share the
    interval between them and their neighbours.
    """
    if by == "mean":
        return float(values.mean())
    value = np.partition(values, int(by * (len(values) - 1)))[int(by * (len(values) - 1))]
    below, above = values[values < value], values[values > value]
    equal = len(values) - len(below) - len(above)
    lower = (below.max() + value) / 2 if below.size else value
    upper = (above.min() + value) / 2 if above.size else value
    share = (by * len(values) - len(below)) / equal
    return float(lower + (upper - lower) * min(max(share, 0.0), 1.0))


def spread_evenly(count: int, length: int) -> list[int]:
    """Return `count` of `length` indices, or all, from the first to the last.

    Examples
    --------
    >>> spread_evenly(3, 9)
    [0, 4, 8]
    """
    return [round(i) for i in np.linspace(0, length - 1, min(count, length)).tolist()]


class ComputedOnce(Generic[Value]):
    """A value of a lazy movie, computed when it is first needed and then kept.

    Sent to another process, it is the value, not the movie.

    Parameters
    ----------
    compute : callable
        Returns the value, such as the normalisation; called once.

    Examples
    --------
    >>> ComputedOnce(FittedNormalisation).value.scale
    1.0
    """

    def __init__(self, compute: Callable[[], Value]) -> None:
        self._compute: Callable[[], Value] | None = compute
        self._values: list[Value] = []
        self._lock = threading.Lock()

    def __reduce__(self) -> Any:
        return _known, (self.value,)

    @property
    def value(self) -> Value:
        """The value."""
        with self._lock:
            if self._compute is not None:
                self._values, self._compute = [self._compute()], None
        return self._values[0]


def _known(value: Value) -> ComputedOnce[Value]:
    return ComputedOnce(lambda: value)


def _finite_samples(frames: ArrayLike | Iterable[ArrayLike]) -> list[NDArray[np.float64]]:
    """Return finite values of each frame that has any, (N,), sampled where there are many."""
    planes = (
        plane
        for frame in _as_frames(frames)
        for plane in np.asarray(frame).reshape(-1, *np.shape(frame)[-2:])
    )
    samples = [sample for plane in planes if (sample := _sample(plane)).size]
    if not samples:
        raise InputError(
            "There is no finite value to fit the normalisation to: the image is empty, or "
            "all NaN or infinite. Give at least one frame with measured pixels."
        )
    return samples


def _as_frames(frames: ArrayLike | Iterable[ArrayLike]) -> Iterable[ArrayLike]:
    if isinstance(frames, np.ndarray):
        return frames.reshape(-1, *frames.shape[-2:]) if frames.ndim > 2 else [frames]
    if hasattr(frames, "__array__"):
        return _as_frames(np.asarray(frames))
    return frames  # type: ignore[return-value]


def _sample(frame: NDArray[np.generic]) -> NDArray[np.float64]:
    # an odd step walks over all columns, where a power of two could follow a pattern
    step = max(1, frame.size // _SAMPLES_PER_FRAME) | 1
    values = frame.reshape(-1)[::step].astype(np.float64)
    return values[np.isfinite(values)]
