"""Bringing a plane to the pixel size that a model was trained on, and back.

The networks know structures by their size in pixels, so a frame at 65 nm must be
brought to the 80 nm of the training images first. Interpolation is bicubic, with an
antialiasing filter when pixels become larger; pixel areas, not centres, are aligned,
so that the field of view stays the same.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from ..errors import InputError

_SAME = 0.02
_LARGEST_FACTOR = 16.0
_LARGEST_PLANE = 2**30


def resampled_shape(
    shape: tuple[int, int], pixel_size_um: float, wanted_um: float
) -> tuple[int, int]:
    """Return the shape that a plane has at another pixel size.

    Parameters
    ----------
    shape : (Y, X)
        Of the plane as it is.
    pixel_size_um, wanted_um : float
        Its pixel size and the wanted one, micrometres. Sizes within two per cent
        count as equal: a model does not notice, and interpolation would only blur.

    Raises
    ------
    InputError
        The two differ more than 16 times, or the result could not be held.

    Examples
    --------
    >>> resampled_shape((100, 200), 0.16, 0.08)
    (200, 400)
    """
    factor = pixel_size_um / wanted_um
    if abs(factor - 1) <= _SAME:
        return shape
    if not 1 / _LARGEST_FACTOR <= factor <= _LARGEST_FACTOR:
        raise InputError(
            f"The image's pixel size {pixel_size_um:g} µm is {max(factor, 1 / factor):.3g} times "
            f"{'larger' if factor > 1 else 'smaller'} than the model's {wanted_um:g} µm; at most "
            f"{_LARGEST_FACTOR:g} times can be bridged. Check its unit (micrometres), or take a "
            "model trained at this magnification."
        )
    height, width = (max(1, round(length * factor)) for length in shape)
    if height * width > _LARGEST_PLANE:
        raise InputError(
            f"A frame of {shape[0]} x {shape[1]} pixels of {pixel_size_um:g} µm becomes {height} x "
            f"{width} at the model's {wanted_um:g} µm, more than can be held. Check the pixel "
            "size, or crop the frame."
        )
    return height, width


def resample(plane: NDArray[np.float32], shape: tuple[int, int]) -> NDArray[np.float32]:
    """Return the plane interpolated to `shape`, over the same field of view.

    Parameters
    ----------
    plane : ndarray of shape (..., Y, X), float32
    shape : (Y, X)

    Examples
    --------
    >>> resample(np.ones((4, 6), np.float32), (2, 3)).round(5).tolist()
    [[1.0, 1.0, 1.0], [1.0, 1.0, 1.0]]
    """
    if plane.shape[-2:] == tuple(shape):
        return plane
    tensor = torch.from_numpy(np.ascontiguousarray(plane)).reshape(1, -1, *plane.shape[-2:])
    with torch.inference_mode():
        result = functional.interpolate(
            tensor, size=tuple(shape), mode="bicubic", align_corners=False, antialias=True
        )
    out: NDArray[np.float32] = result.reshape(*plane.shape[:-2], *shape).numpy()
    return out
