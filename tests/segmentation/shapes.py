"""Shapes whose measures are known."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]


def empty(size: int = 81) -> Mask:
    return np.zeros((size, size), bool)


def disc(radius: float = 10.0, size: int = 81) -> Mask:
    y, x = np.mgrid[:size, :size] - size // 2
    return np.hypot(y, x) <= radius


def ring(outer: float = 20.0, inner: float = 15.0) -> Mask:
    return disc(outer) & ~disc(inner)


def bar(angle_degrees: float, *, half: float = 25.0, width: float = 5.0, one_sided=False) -> Mask:
    """A straight bar through the middle, or from the middle outwards."""
    y, x = np.mgrid[:81, :81] - 40.0
    angle = np.deg2rad(angle_degrees)
    along = y * np.sin(angle) + x * np.cos(angle)
    across = -y * np.cos(angle) + x * np.sin(angle)
    low = 0.0 if one_sided else -half
    return (np.abs(across) <= width / 2) & (along >= low) & (along <= half)


def cross(angle_degrees: float = 90.0) -> Mask:
    return bar(0) | bar(angle_degrees)


def letter_y() -> Mask:
    """Three arms 120 degrees apart."""
    arms = [bar(angle, one_sided=True) for angle in (30, 150, 270)]
    return arms[0] | arms[1] | arms[2] | disc(2.5)


FLIPS = (
    lambda image: image[..., ::-1, :],
    lambda image: image[..., ::-1],
    lambda image: np.swapaxes(image, -1, -2),
    lambda image: np.rot90(image, axes=(-2, -1)),
)


def same_partition(one: NDArray[np.integer], other: NDArray[np.integer]) -> bool:
    """Whether two label images group the same pixels, whatever the numbers."""
    if ((one > 0) != (other > 0)).any():
        return False
    pairs = np.unique(np.stack([one[one > 0], other[one > 0]]), axis=1)
    return len(np.unique(pairs[0])) == len(np.unique(pairs[1])) == pairs.shape[1]
