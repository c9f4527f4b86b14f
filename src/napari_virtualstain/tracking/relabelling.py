"""Relabelling of masks by track: an object keeps its value through the movie."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..errors import AxesError
from ..io import Stack


def relabel(labels: Any, table: pd.DataFrame) -> Any:
    """Return `labels` with each value replaced by its track, plane by plane.

    Parameters
    ----------
    labels : array of int, shape (T, Y, X), or Stack
        Numpy, or dask for a lazy result.
    table : DataFrame
        ``track_id frame label fragments`` of the objects seen.

    Returns
    -------
    array of int32, shape (T, Y, X)
    """
    if isinstance(labels, Stack):
        return replace(labels, data=relabel(labels.data, table))
    if getattr(labels, "ndim", 0) != 3:
        raise AxesError(
            f"Labels have the shape {getattr(labels, 'shape', None)}: expected three axes t, y, x."
        )
    keys = keys_of(table)
    if isinstance(labels, np.ndarray):
        planes = [painted(plane, keys.get(t)) for t, plane in enumerate(labels)]
        return np.stack(planes) if planes else np.zeros(labels.shape, np.int32)
    return _lazily(labels, keys)


def masks_of(table: pd.DataFrame, name: str = "track_id") -> pd.DataFrame:
    """Return ``frame label`` and column `name` of each mask seen, fragments of objects included."""
    seen = table.loc[~table.interpolated & (table.label > 0), ["frame", "label", "fragments", name]]
    split = seen.fragments.where(seen.fragments != "", seen.label.astype(str)).str.split(";")
    every = seen.assign(label=split).explode("label").astype({"label": np.int64})
    return every[["frame", "label", name]].reset_index(drop=True)


def keys_of(
    table: pd.DataFrame, name: str = "track_id"
) -> dict[int, tuple[NDArray[np.int64], NDArray[np.int32]]]:
    """Return of each frame the sorted labels and their values in column `name`."""
    ordered = masks_of(table, name).sort_values(["frame", "label"])
    return {
        int(str(frame)): (part.label.to_numpy(np.int64), part[name].to_numpy(np.int32))
        for frame, part in ordered.groupby("frame")
    }


def painted(
    plane: NDArray[Any], key: tuple[NDArray[np.int64], NDArray[np.int32]] | None
) -> NDArray[np.int32]:
    """Return `plane` with its labels replaced, as one of :func:`keys_of` says."""
    if key is None:
        return np.zeros(plane.shape, np.int32)
    values, tracks = key
    where = np.searchsorted(values, plane).clip(0, len(values) - 1)
    return np.where(values[where] == plane, tracks[where], 0).astype(np.int32)


def _lazily(labels: Any, keys: dict[int, tuple[NDArray[np.int64], NDArray[np.int32]]]) -> Any:
    import dask.array as da

    planes = da.asarray(labels).rechunk({0: 1})

    def block(values: NDArray[Any], block_info: Any = None) -> NDArray[np.int32]:
        first = block_info[0]["array-location"][0][0] if block_info else 0
        return np.stack([painted(plane, keys.get(first + t)) for t, plane in enumerate(values)])

    return planes.map_blocks(block, dtype=np.int32, meta=np.zeros((0, 0, 0), np.int32))
