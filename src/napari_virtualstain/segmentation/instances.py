"""A foreground turned into instances: one label for each mitochondrion."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Real

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage
from skimage.segmentation import watershed

from ..axes import USUAL_PIXEL_SIZE_UM, check_positive
from ..errors import InputError, check_choice
from ..settings import Split as Split
from .skeleton_split import split_along_skeleton

Labels = NDArray[np.int32]
Mask = NDArray[np.bool_]
SPLITS: tuple[Split, ...] = ("skeleton", "log", "none")

_BLOB_SIGMA_UM = 0.2
_EIGHT = np.ones((3, 3), bool)


def split_instances(
    mask_or_probability: ArrayLike,
    *,
    threshold: float = 0.5,
    pixel_size_um: float | None = None,
    min_area_um2: float = 0.05,
    split: Split = "skeleton",
) -> Labels:
    """Return one label for each mitochondrion of a foreground.

    Parameters
    ----------
    mask_or_probability : array_like, shape (..., Y, X)
        A mask (bool, or integers where anything but 0 is foreground), or probabilities
        (float in [0, 1]). Leading axes are planes, treated one by one.
    threshold : float
        Foreground is where the probability is above it. Without meaning for a mask.
    pixel_size_um : float, optional
        Micrometres; :data:`~napari_virtualstain.axes.USUAL_PIXEL_SIZE_UM` when it is not known.
    min_area_um2 : float
        No object is smaller, square micrometres. A small piece of a larger object
        joins its neighbour, a small object of its own is dropped.
    split : {"skeleton", "log", "none"}
        How a connected object is taken apart: along its skeleton (tubules that touch
        or cross), at blobs of a Laplacian of Gaussian (fragmented mitochondria; it
        shatters tubules), or not at all.

    Returns
    -------
    ndarray of int32, shape (..., Y, X)
        0 is background; the labels of each plane are 1..n in reading order.

    Raises
    ------
    InputError
        Fewer than two axes, NaN, probabilities outside [0, 1], an unknown `split`, or
        a setting outside its range.

    Examples
    --------
    >>> import numpy as np
    >>> mask = np.zeros((64, 64), bool)
    >>> mask[5:11, 5:40] = mask[30:36, 5:40] = True
    >>> int(split_instances(mask).max())
    2
    """
    check_split(split)
    foreground = foreground_of(mask_or_probability, threshold)
    min_area_px = area_in_pixels(min_area_um2, pixel_size_um)
    labels = np.zeros(foreground.shape, np.int32)
    for index in np.ndindex(foreground.shape[:-2]):
        labels[index] = split_plane(foreground[index], split, min_area_px, pixel_size_um)
    return labels


def check_split(split: str) -> None:
    """Raise :class:`InputError` unless `split` is one of :data:`SPLITS`."""
    check_choice(split, SPLITS, "split")


def check_threshold(threshold: float) -> float:
    """Return `threshold` if it lies in [0, 1], else raise :class:`InputError`."""
    if not isinstance(threshold, Real) or not 0.0 <= threshold <= 1.0:
        raise InputError(f"threshold={threshold!r}: expected a probability from 0 to 1.")
    return float(threshold)


def area_in_pixels(min_area_um2: float, pixel_size_um: float | None) -> float:
    """Return an area in pixels, for the nominal pixel size where it is not known."""
    if not isinstance(min_area_um2, Real) or not 0 <= min_area_um2 < np.inf:
        raise InputError(f"min_area_um2={min_area_um2!r}: expected 0 or more square micrometres.")
    size = check_positive(pixel_size_um, "pixel size", "µm") or USUAL_PIXEL_SIZE_UM
    return min_area_um2 / size**2


def foreground_of(mask_or_probability: ArrayLike, threshold: float) -> Mask:
    """Return the mask of a mask or of probabilities; see :func:`split_instances`."""
    values = np.asarray(mask_or_probability)
    if values.ndim < 2:
        raise InputError(
            f"The foreground has shape {values.shape}: expected (Y, X) or (..., Y, X)."
        )
    if values.dtype == np.bool_ or np.issubdtype(values.dtype, np.integer):
        return np.asarray(values != 0)
    if not np.issubdtype(values.dtype, np.floating):
        raise InputError(
            f"The foreground is of type {values.dtype}: expected bool, integers or probabilities."
        )
    check_threshold(threshold)
    _check_probabilities(values)
    return np.asarray(values > threshold)


def _check_probabilities(values: NDArray[np.floating]) -> None:
    if not values.size:
        return
    low, high = float(values.min()), float(values.max())
    if not (low >= 0.0 and high <= 1.0):
        raise InputError(
            f"Probabilities run from {low:.4g} to {high:.4g}: expected 0 to 1 without NaN. "
            "Give a mask, or segment the image first."
        )


def split_plane(
    mask: Mask, split: Split, min_area_px: float, pixel_size_um: float | None = None
) -> Labels:
    """Return the labels of one (Y, X) mask; see :func:`split_instances`."""
    if split == "none":
        return in_reading_order(drop_small(components(mask), min_area_px))
    if split == "log":
        sigma_px = _BLOB_SIGMA_UM / (pixel_size_um or USUAL_PIXEL_SIZE_UM)
        return split_components(mask, lambda part: _split_at_blobs(part, sigma_px), min_area_px)
    return split_components(
        mask, lambda part: split_along_skeleton(part, min_area_px=min_area_px), min_area_px
    )


def components(mask: Mask) -> Labels:
    """Return the connected components of a (Y, X) mask, diagonal contact included."""
    labels, _ = ndimage.label(mask, structure=_EIGHT)
    return labels.astype(np.int32)


def split_components(
    mask: Mask, take_apart: Callable[[Mask], Labels], min_area_px: float
) -> Labels:
    """Return labels after taking each component of `mask` apart on its own."""
    if not mask.size:
        return np.zeros(mask.shape, np.int32)
    parts = drop_small(components(mask), min_area_px)
    labels = np.zeros(mask.shape, np.int32)
    highest = 0
    for value, box in enumerate(ndimage.find_objects(parts), start=1):
        if box is None:
            continue
        part = parts[box] == value
        pieces = take_apart(part)
        labels[box][part] = pieces[part] + highest
        highest += int(pieces.max())
    return in_reading_order(drop_small(labels, min_area_px))


def drop_small(labels: Labels, min_area_px: float) -> Labels:
    """Return `labels` without those of fewer pixels."""
    keep = np.bincount(labels.ravel(), minlength=1) >= min_area_px
    keep[0] = False
    return np.where(keep[labels], labels, 0).astype(np.int32)


def in_reading_order(labels: Labels) -> Labels:
    """Return `labels` renumbered 1..n by their first pixel, row by row."""
    if not labels.size:
        return labels
    inside = np.flatnonzero(labels)
    table = np.zeros(int(labels.max(initial=0)) + 1, np.int32)
    first = np.full(len(table), labels.size)
    # the last of several values given to one place stays
    first[labels.ravel()[inside[::-1]]] = inside[::-1]
    present = np.flatnonzero(first < labels.size)
    first = first[present]
    table[present[np.argsort(first)]] = np.arange(1, len(present) + 1)
    return table[labels]


def _split_at_blobs(part: Mask, sigma_px: float) -> Labels:
    reach = int(np.ceil(4 * sigma_px))
    padded = np.pad(part, reach).astype(float)
    response = -ndimage.gaussian_laplace(padded, sigma_px)[reach:-reach, reach:-reach]
    response = np.round(response, 9)
    window = 2 * max(1, round(sigma_px)) + 1
    peaks = (response == ndimage.maximum_filter(response, window)) & part & (response > 0)
    seeds, count = ndimage.label(peaks, structure=_EIGHT)
    if count < 2:
        return part.astype(np.int32)
    pieces = watershed(-response, seeds, mask=part, connectivity=2)
    return np.asarray(pieces, np.int32)
