"""Two images that may be compared, as float64.

Every score starts here, so that no score can be computed in the type of the input:
``uint8`` differences wrap around and make any prediction look good.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..engine import as_array
from ..errors import InputError

# squares and sums of larger values leave float64
_LARGEST = 1e100
Image = npt.NDArray[np.float64]


def as_pair(predicted: npt.ArrayLike, reference: npt.ArrayLike) -> tuple[Image, Image]:
    """Return both images as float64 after checking that they can be compared.

    Parameters
    ----------
    predicted, reference : array_like, shape (Y, X) or any equal shapes
        Numbers of any real type.

    Raises
    ------
    InputError
        Unlike shapes, nothing in them, not real numbers, NaN or infinity.

    Examples
    --------
    >>> as_pair([[1, 2]], [[3, 4]])[0].dtype
    dtype('float64')
    """
    first, second = as_image(predicted, "predicted image"), as_image(reference, "reference")
    if first.shape != second.shape:
        raise InputError(
            f"The predicted image has shape {first.shape} and the reference {second.shape}: "
            "expected the same. Crop or select channels so that both show the same pixels."
        )
    return first, second


def as_image(image: npt.ArrayLike, name: str = "image") -> Image:
    """Return `image` as float64 after checking that every pixel is a finite number.

    Raises
    ------
    InputError
        Empty, not real numbers, NaN or infinity.

    Examples
    --------
    >>> as_image([[1, 2]]).dtype
    dtype('float64')
    """
    array = as_array(image, name)
    if array.size == 0:
        raise InputError(f"The {name} has shape {array.shape}: expected at least one pixel.")
    values = array.astype(np.float64)
    bad = values.size - int(np.isfinite(values).sum())
    if bad:
        raise InputError(
            f"The {name} has {bad} NaN or infinite pixels of {values.size}, or masked ones: "
            "expected finite numbers. Crop them away or replace them, for instance with "
            "numpy.nan_to_num."
        )
    if np.abs(values).max() > _LARGEST:
        raise InputError(
            f"The {name} has values up to {np.abs(values).max():.3g}: expected at most "
            f"{_LARGEST:.0e}. No camera counts so; look for damaged pixels."
        )
    return values


def is_constant(image: Image) -> bool:
    """Return whether all pixels are equal, so that nothing can correlate with them.

    Examples
    --------
    >>> import numpy as np
    >>> is_constant(np.ones((2, 2)))
    True
    """
    return bool(image.max() == image.min())
