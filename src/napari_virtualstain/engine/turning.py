"""The eight orientations of a square, for averaging a prediction over them.

A microscope image has no preferred direction, but a trained network does, a little:
its errors under the eight turns and flips are partly independent, so that their mean
is better, and their spread tells where the network is unsure.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

DIHEDRAL = tuple((turns, flipped) for flipped in (False, True) for turns in range(4))


def turned(image: NDArray[np.float32], turns: int, flipped: bool) -> NDArray[np.float32]:
    """Return (..., Y, X) turned by 90 degrees `turns` times, then mirrored in x.

    Examples
    --------
    >>> turned(np.array([[1, 2], [3, 4]], np.float32), 1, True).tolist()
    [[4.0, 2.0], [3.0, 1.0]]
    """
    result = np.rot90(image, turns, axes=(-2, -1))
    return np.ascontiguousarray(result[..., ::-1] if flipped else result)


def turned_back(image: NDArray[np.float32], turns: int, flipped: bool) -> NDArray[np.float32]:
    """Undo :func:`turned`.

    Examples
    --------
    >>> image = np.arange(6, dtype=np.float32).reshape(2, 3)
    >>> all((turned_back(turned(image, *way), *way) == image).all() for way in DIHEDRAL)
    True
    """
    result = image[..., ::-1] if flipped else image
    return np.ascontiguousarray(np.rot90(result, -turns, axes=(-2, -1)))


def orientations(averaged: bool) -> Iterator[tuple[int, bool]]:
    """Yield all eight turns and flips, or only the image as it is.

    Examples
    --------
    >>> list(orientations(False))
    [(0, False)]
    """
    yield from DIHEDRAL if averaged else DIHEDRAL[:1]
