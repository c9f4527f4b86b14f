"""Images as numpy or dask arrays of real numbers, whatever library they come from."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..axes import USUAL_AXES, check_positive, normalise_axes
from ..errors import AxesError, InputError
from ..io import Stack


def is_lazy(array: Any) -> bool:
    """Whether `array` is a dask array.

    Examples
    --------
    >>> is_lazy(np.zeros(3))
    False
    """
    return hasattr(array, "dask") and hasattr(array, "compute")


def as_array(image: Any, name: str = "image") -> NDArray[Any]:
    """Return `image` as a plain array of real numbers; masked pixels become NaN.

    Parameters
    ----------
    image : array_like
        Lists, data frames, tensors of any device and masked arrays too.
    name : str
        For messages.

    Raises
    ------
    InputError
        Ragged, or not real numbers.

    Examples
    --------
    >>> as_array(np.ma.masked_equal([1, 2], 2))
    array([ 1., nan])
    """
    if isinstance(image, np.ma.MaskedArray):
        return _unmasked(image)
    if hasattr(image, "detach") and hasattr(image, "cpu"):  # a torch tensor
        image = image.detach().cpu()
    try:
        array = np.asarray(image)
    except (ValueError, TypeError) as error:
        raise InputError(
            f"The {name} cannot be taken as an array ({error}): expected rows of equal length."
        ) from error
    if array.dtype.kind not in "biuf":
        raise InputError(
            f"The {name} holds {array.dtype} values: expected real numbers (integer or float)."
        )
    return array


def as_image(image: ArrayLike | Stack) -> Any:
    """Return the array of `image` as numpy or dask, after checking that it is an image.

    Raises
    ------
    InputError
        Not numbers, fewer than two dimensions, empty, of unknown size, or RGB.

    Examples
    --------
    >>> as_image([[1, 2], [3, 4]]).shape
    (2, 2)
    """
    given: Any = image.data if isinstance(image, Stack) else image
    array: Any = _checked_lazy(given) if is_lazy(given) else as_array(given)
    if array.ndim < 2:
        raise InputError(
            f"The image has shape {array.shape}: expected (Y, X), with any axes before them."
        )
    if 0 in array.shape:
        raise InputError(f"The image is empty (shape {array.shape}): give at least one frame.")
    if array.ndim > 2 and array.shape[-1] in (3, 4) and min(array.shape[-3:-1]) >= 16:
        raise InputError(
            f"The image of shape {array.shape} looks like RGB with the colours last: expected "
            "(..., Y, X). Take one channel, image[..., 0], or the mean over the colours."
        )
    return array


def image_axes(image: ArrayLike | Stack, ndim: int, axes: str | None) -> str:
    """Return the axes of an image, those of a stack or the usual ones if not given.

    Raises
    ------
    AxesError
        The axes do not fit, or there are several channels.

    Examples
    --------
    >>> image_axes(np.zeros((3, 8, 8)), 3, None)
    'tyx'
    """
    if axes is None and isinstance(image, Stack):
        axes = image.axes
    if axes is None:
        axes = USUAL_AXES.get(ndim)
    if axes is None:
        raise AxesError(f"The image has {ndim} dimensions: expected 2 to 5. Select one position.")
    return normalise_axes(axes, ndim)


def as_stack(
    image: ArrayLike | Stack,
    axes: str | None = None,
    pixel_size_um: float | None = None,
    frame_interval_s: float | None = None,
) -> Stack:
    """Return the image as a stack, with what the caller knows better put in.

    Its data stays a numpy array where the image is one.

    Raises
    ------
    InputError, AxesError
        Not an image, or the axes do not fit.

    Examples
    --------
    >>> as_stack(np.zeros((3, 8, 8)), pixel_size_um=0.1).axes
    'tyx'
    """
    array = as_image(image)
    named = image_axes(image, array.ndim, axes)
    stack = image if isinstance(image, Stack) else Stack(array, named, assumed_axes=True)
    return replace(
        stack,
        data=array,
        axes=named,
        assumed_axes=stack.assumed_axes and axes is None,
        pixel_size_um=check_positive(pixel_size_um, "pixel size", "µm") or stack.pixel_size_um,
        frame_interval_s=check_positive(frame_interval_s, "frame interval", "s")
        or stack.frame_interval_s,
    )


def _checked_lazy(array: Any) -> Any:
    if array.dtype.kind not in "biuf":
        raise InputError(
            f"The image holds {array.dtype} values: expected real numbers (integer or float)."
        )
    if any(math.isnan(length) for length in array.shape):
        raise InputError(
            f"The dask array has an unknown shape {array.shape}: call its compute_chunk_sizes() "
            "first."
        )
    if isinstance(array._meta, np.ma.MaskedArray):
        kind = np.result_type(array.dtype, np.float32)
        return array.map_blocks(as_array, dtype=kind, meta=np.empty((0,) * array.ndim, kind))
    return array


def _unmasked(image: np.ma.MaskedArray[Any, Any]) -> NDArray[Any]:
    kind = np.result_type(image.dtype, np.float32)
    return np.asarray(np.ma.filled(image.astype(kind), np.nan))
