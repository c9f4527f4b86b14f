"""Flicker of a stained movie: its measure, and a filter against it.

Each frame is stained by itself, so camera noise becomes flicker: a pixel's value jumps
about though nothing moves. The filter averages a pixel over neighbouring frames only
where these agree with it within the flicker; where a mitochondrion comes or goes they
do not, so that nothing is smeared.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import InputError


def flicker(movie: ArrayLike) -> float:
    """Return the flicker of a movie as a share of its contrast.

    Parameters
    ----------
    movie : array of shape (T, Y, X)
        At least three frames.

    Notes
    -----
    The second difference in time, ``I[t-1] - 2 I[t] + I[t+1]``, of independent noise of
    deviation s has deviation ``sqrt(6) s``. Its median absolute deviation is used,
    which the few pixels that something moves through do not change; contrast is the
    standard deviation of the movie.

    Raises
    ------
    InputError
        Fewer than three frames.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> scene = np.sin(np.arange(4096.0)).reshape(64, 64) * 2**0.5
    >>> round(flicker(scene + rng.normal(0, 0.1, (9, 64, 64))), 2)
    0.1
    """
    frames = _checked(movie)
    contrast = float(frames.std())
    return flicker_deviation(frames) / contrast if contrast else 0.0


def flicker_deviation(movie: ArrayLike) -> float:
    """Return the standard deviation of the flicker, in the units of the movie."""
    frames = _checked(movie)
    second = frames[:-2] - 2 * frames[1:-1] + frames[2:]
    return 1.4826 * float(np.median(np.abs(second - np.median(second)))) / math.sqrt(6)


def reduce_flicker(
    movie: ArrayLike, *, radius: int = 2, strength: float = 2.0
) -> NDArray[np.float32]:
    """Return the movie with less flicker, moving things left sharp.

    Parameters
    ----------
    movie : array of shape (T, Y, X)
        At least three frames.
    radius : int
        Frames before and after that are looked at.
    strength : float
        Differences up to about this many times the flicker are averaged away.

    Notes
    -----
    A bilateral filter along time. The difference that decides is smoothed over about
    3 x 3 pixels first: a structure that moved differs in a whole patch, flicker of
    single pixels averages out.

    Raises
    ------
    InputError
        Fewer than three frames, or a setting that cannot be.

    Examples
    --------
    >>> movie = np.random.default_rng(0).normal(size=(9, 32, 32))
    >>> bool(reduce_flicker(movie).std() < 0.7 * movie.std())
    True
    """
    frames = _checked(movie)
    if radius < 1 or not strength > 0:
        raise InputError(
            f"radius {radius} and strength {strength} must be positive: for instance 2 and 2."
        )
    limit = agreeing_difference(flicker_deviation(frames), strength)
    return np.stack(
        [
            averaged_in_time(
                frames[t], [frames[other] for other in _around(t, radius, len(frames))], limit
            )
            for t in range(len(frames))
        ]
    )


def agreeing_difference(deviation: float, strength: float = 2.0) -> float:
    """Return the smoothed difference of two frames up to which they count as equal.

    Parameters
    ----------
    deviation : float
        Of the flicker, see :func:`flicker_deviation`.
    strength : float
        See :func:`reduce_flicker`.
    """
    # smoothing with sigma 1 leaves 1 / (2 sqrt(pi)) of white noise; two frames differ by sqrt(2)
    return strength * deviation * math.sqrt(2) / (2 * math.sqrt(math.pi))


def averaged_in_time(
    frame: NDArray[Any], others: Sequence[NDArray[Any]], limit: float
) -> NDArray[np.float32]:
    """Return a frame averaged with `others` wherever these agree with it within `limit`."""
    if limit == 0:
        return frame.astype(np.float32)
    from scipy import ndimage  # few movies are filtered

    total, weights = frame.astype(np.float64), np.ones(frame.shape)
    for other in others:
        difference = ndimage.gaussian_filter(np.subtract(other, frame, dtype=np.float64), 1.0)
        weight = np.exp(-0.5 * (difference / limit) ** 2)
        total += weight * other
        weights += weight
    result: NDArray[np.float32] = (total / weights).astype(np.float32)
    return result


def _around(t: int, radius: int, count: int) -> list[int]:
    return [n for n in range(max(0, t - radius), min(count, t + radius + 1)) if n != t]


def _checked(movie: ArrayLike) -> NDArray[np.float64]:
    frames = np.asarray(movie, dtype=np.float64)
    if frames.ndim != 3 or len(frames) < 3:
        raise InputError(
            f"Flicker needs a movie (T, Y, X) of at least three frames, not {frames.shape}."
        )
    return frames
