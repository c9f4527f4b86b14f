"""The masks of one labelled frame as detections: where each is, how large and how bright."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import ndimage

from .detections import no_rows


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
