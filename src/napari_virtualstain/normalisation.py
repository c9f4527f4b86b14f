"""Normalisation of intensities: fitted once a movie, applied, and inverted.

A normalisation is an affine map, ``(image - offset) / scale``. One fit serves a
whole movie, because a fit per frame makes the result flicker; and because the map is
affine and does not depend on the place, a tile and a frame give the same values.

===============  =======================================  =============================
kind             offset                                   scale
===============  =======================================  =============================
``none``         0                                        1
``fixed``        ``offset``, as given                     ``scale``, as given
``mean_sd``      mean                                     standard deviation
``median_sd``    median                                   standard deviation
``median_mad``   median                                   1.4826 median absolute deviation
``percentile``   percentile ``low``                       percentile ``high`` - ``low``
===============  =======================================  =============================
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from .errors import InputError

NormalisationKind: TypeAlias = Literal[
    "none", "fixed", "mean_sd", "median_sd", "median_mad", "percentile"
]
Percentile = Annotated[float, Field(ge=0, le=100)]
_SAMPLES_PER_FRAME = 65_536


@dataclass(frozen=True, slots=True)
class FittedNormalisation:
    """The affine map ``(image - offset) / scale`` of one movie.

    Attributes
    ----------
    offset, scale : float
        In the units of the image; `scale` is positive.
    constant : bool
        Whether the frames were constant, so that `scale` is 1 for want of a spread.
    """

    offset: float = 0.0
    scale: float = 1.0
    constant: bool = False

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
    """How intensities are normalised; part of every model card.

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
        Whether one fit serves the movie, or each frame has its own.

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
        values = _finite_sample(frames)
        offset, scale = self._moments(values)
        # A spread at the level of rounding is none: 1e-7 is float32's epsilon
        if scale <= 1e-7 * max(1.0, abs(offset)):
            return FittedNormalisation(offset, 1.0, constant=True)
        return FittedNormalisation(offset, scale)

    @property
    def typical(self) -> FittedNormalisation:
        """The map of the training set (identity for kind ``none``)."""
        if self.kind == "none":
            return FittedNormalisation()
        return FittedNormalisation(self.offset, self.scale)

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


def _finite_sample(frames: ArrayLike | Iterable[ArrayLike]) -> NDArray[np.float64]:
    """Return finite values of the frames, (N,), sampled where there are many."""
    parts = [_sample(np.asarray(frame)) for frame in _as_frames(frames)]
    values = np.concatenate(parts) if parts else np.empty(0)
    if not values.size:
        raise InputError(
            "There is no finite value to fit the normalisation to: the image is empty, or "
            "all NaN or infinite. Give at least one frame with measured pixels."
        )
    return values


def _as_frames(frames: ArrayLike | Iterable[ArrayLike]) -> Iterable[ArrayLike]:
    if isinstance(frames, np.ndarray):
        return frames.reshape(-1, *frames.shape[-2:]) if frames.ndim > 2 else [frames]
    if hasattr(frames, "__array__"):
        return _as_frames(np.asarray(frames))
    return frames  # type: ignore[return-value]


def _sample(frame: NDArray[np.generic]) -> NDArray[np.float64]:
    if frame.ndim > 2:
        planes = frame.reshape(-1, *frame.shape[-2:])
        return np.concatenate([_sample(plane) for plane in planes])
    # an odd step walks over all columns, where a power of two could follow a pattern
    step = max(1, frame.size // _SAMPLES_PER_FRAME) | 1
    values = frame.reshape(-1)[::step].astype(np.float64)
    return values[np.isfinite(values)]
