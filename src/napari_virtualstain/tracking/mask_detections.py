"""Detections from masks of one labelled frame: position, box, area, intensity."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import ndimage

from ..errors import InputError
from .detections import no_rows


def whole_labels(plane: NDArray[Any], name: str = "The labels") -> NDArray[np.int64]:
    """Return labels as whole numbers of 0 or more.

    Whole numbers stored as floats, as TrackMate exports them, are taken, and one value below 0
    is the background where 0 does not occur.

    Raises
    ------
    InputError
        Fractions, NaN or infinite values, or other negative numbers.
    """
    if plane.dtype.kind not in "uifb":
        raise InputError(f"{name} are of type {plane.dtype}: expected whole numbers.")
    if plane.dtype.kind == "f":
        if not np.isfinite(plane).all() or (plane != np.round(plane)).any():
            raise InputError(
                f"{name} are {plane.dtype} and hold fractions or no numbers: expected one "
                "whole number per object and 0 outside. Give labels, not the image itself."
            )
        if np.abs(plane).max(initial=0) > 2**53:
            raise InputError(f"{name} hold numbers above 2^53: expected labels.")
    elif plane.dtype.kind == "u" and plane.max(initial=0) > 2**53:
        raise InputError(f"{name} hold numbers above 2^53: expected labels.")
    whole: NDArray[np.int64] = plane.astype(np.int64)
    below = whole < 0
    if below.any():
        names = np.unique(whole[below])
        if len(names) > 1 or (whole == 0).any():
            raise InputError(
                f"{name} hold {names[0]} and {names[1] if len(names) > 1 else 0}: expected 0 "
                "outside and one number above it an object. Add 1 to all if the background is -1."
            )
        whole[below] = 0
    return whole


def check_objects(plane: NDArray[Any]) -> str | None:
    """Return what is suspicious about the labels of a frame, None for nothing.

    Raises
    ------
    InputError
        It is a grey image: each value is in many separate places.
    """
    from skimage.measure import label

    values = np.unique(plane)
    values = values[values != 0]
    if not len(values):
        return None
    parts = int(label(plane, background=0, connectivity=2).max())
    area_px = np.count_nonzero(plane) / len(values)
    is_scattered = parts > _SCATTERED * len(values) or (
        area_px < _SMALLEST_PX and np.count_nonzero(plane) > _COVERED * plane.size
    )
    if len(values) >= _MANY and is_scattered:
        raise InputError(
            f"The labels hold {len(values)} values in {parts} separate places: this looks like a "
            "grey image. Expected one number per object and 0 outside; segment the image first."
        )
    largest = _background(plane) if len(values) > 1 else None
    if largest is not None:
        return (
            f"The labels hold no 0, and {largest} covers most of the frame: it counts as an "
            "object. If it is the background, set it to 0 first."
        )
    return None


def doubt_of_mask(plane: NDArray[Any], values: Collection[int]) -> str | None:
    """Return the doubt that labels are a mask of 0 and 1, None where they are not.

    Parameters
    ----------
    plane : ndarray of int, shape (Y, X)
        Labels of the first frame that holds any.
    values : collection of int
        Labels of the whole movie. A frame may show a single mitochondrion, in two parts; a movie
        of more than one label is no mask.
    """
    from skimage.measure import label

    if len(values) != 1:
        return None
    parts = int(label(plane, background=0, connectivity=2).max())
    if parts < 2:
        return None
    return (
        f"The labels hold only 0 and {next(iter(values))} in {parts} separate places, so all are "
        "one object. If this is a mask, give each part a number of its own first, for instance "
        "with skimage.measure.label, or segment the image here."
    )


_MANY = 8
_SCATTERED = 4
_SMALLEST_PX = 4  # objects that fill the frame are larger on average
_COVERED = 0.9


def _background(plane: NDArray[Any]) -> int | None:
    """Return the label that lies on all borders and most of a frame without 0, None without."""
    if (plane == 0).any():
        return None
    values, counts = np.unique(plane, return_counts=True)
    largest = values[np.argmax(counts)]
    borders = (plane[0], plane[-1], plane[:, 0], plane[:, -1])
    is_around = all((border == largest).any() for border in borders)
    return int(largest) if is_around and counts.max() > plane.size / 2 else None


def measure_plane(
    plane: NDArray[Any], image: NDArray[Any] | None, frame: int, pixel_size_um: float
) -> tuple[pd.DataFrame, NDArray[np.int32]]:
    """Return the detections of one labelled frame, and (object, row, column) of their pixels.

    Parameters
    ----------
    plane : ndarray of shape (Y, X)
        Labels; objects are counted in ascending order of their value.
    image : ndarray of shape (Y, X) or None
        Intensity.
    frame : int
        Number of the frame.
    pixel_size_um : float
        Size of a pixel.
    """
    values, compact = np.unique(plane, return_inverse=True)
    compact = compact.reshape(plane.shape)
    inside = values != 0
    if not inside.any():
        return no_rows(), np.zeros((0, 3), np.int32)
    index = np.flatnonzero(inside)
    counts = np.bincount(compact.ravel(), minlength=len(values))[index]
    rows, columns = np.indices(plane.shape)
    y = np.bincount(compact.ravel(), rows.ravel(), len(values))[index] / counts
    x = np.bincount(compact.ravel(), columns.ravel(), len(values))[index] / counts
    boxes = ndimage.find_objects(compact + 1, len(values))
    size = np.array([[s.stop - s.start for s in boxes[i]] for i in index], float)
    table = {
        "frame": np.full(len(index), frame),
        "y_um": y * pixel_size_um,
        "x_um": x * pixel_size_um,
        "label": values[index].astype(np.int64),
        "area_um2": counts * pixel_size_um**2,
        "height_um": size[:, 0] * pixel_size_um,
        "width_um": size[:, 1] * pixel_size_um,
    }
    if image is not None:
        sums = np.bincount(compact.ravel(), np.asarray(image, float).ravel(), len(values))[index]
        table["intensity"] = sums / counts
    return pd.DataFrame(table), _pixels(compact, inside)


def _pixels(compact: NDArray[np.int64], inside: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Return (object, row, column) of each pixel of an object, sorted by object."""
    rows, columns = np.nonzero(inside[compact])
    owner = (np.cumsum(inside) - 1)[compact[rows, columns]]
    order = np.argsort(owner, kind="stable")
    return np.column_stack([owner[order], rows[order], columns[order]]).astype(np.int32)
