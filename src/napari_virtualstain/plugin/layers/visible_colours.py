"""Colours of a layer at the visible frame, on the pixels of another layer."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...data import plane_at

_LEVELS = 256


def shown_index(viewer: Any, layer: Any) -> tuple[int, ...] | None:
    """Return the index into the leading axes of `layer` at the viewer's place in time and depth.

    None where the layer has no frame there: a neighbouring one would be taken for it.
    """
    point = np.asarray(viewer.dims.point, float)
    point = point[-layer.ndim :] if len(point) >= layer.ndim else np.zeros(layer.ndim)
    place = np.rint(np.asarray(layer.world_to_data(point)))[: layer.ndim - 2].astype(int)
    inside = all(0 <= i < n for i, n in zip(place, layer.data.shape, strict=False))
    return tuple(int(i) for i in place) if inside else None


def rendered(viewer: Any, layer: Any, onto: Any, colormap: Any = None) -> np.ndarray:
    """Return the visible plane of an image layer as it is drawn alone on black.

    Parameters
    ----------
    viewer : napari.Viewer
        Says which frame is visible.
    layer : napari.layers.Image
        To be drawn.
    onto : napari.layers.Image
        On whose pixels.
    colormap : napari.utils.Colormap, optional
        In place of the layer's own.

    Returns
    -------
    ndarray of uint8, (Y, X, 3)
        Black where the layer has no pixels or no frame.
    """
    shape = (int(onto.data.shape[-2]), int(onto.data.shape[-1]))
    index = shown_index(viewer, layer)
    if index is None:
        return np.zeros((*shape, 3), np.uint8)
    plane = plane_at(layer.data, index)
    low, high = layer.contrast_limits
    scaled = np.nan_to_num((plane.astype(np.float32) - low) / max(high - low, 1e-12))
    levels = np.clip(scaled, 0, 1) ** layer.gamma * (_LEVELS - 1)
    table = (colormap or layer.colormap).map(np.linspace(0, 1, _LEVELS))[:, :3]
    colours = np.rint(255 * np.asarray(table)).astype(np.uint8)
    picture = colours[levels.astype(np.uint8)]
    return picture if layer is onto else _resampled(picture, _pixel_map(onto, layer), shape)


def _pixel_map(onto: Any, layer: Any) -> np.ndarray:
    """Return the affine matrix (2, 3) from the pixels of `onto` to those of `layer`."""

    def place(row: float, column: float) -> np.ndarray:
        data = np.zeros(onto.ndim)
        data[-2:] = row, column
        world = np.zeros(layer.ndim)
        world[-2:] = np.asarray(onto.data_to_world(data))[-2:]
        return np.asarray(layer.world_to_data(world), float)[-2:]

    origin = place(0, 0)
    return np.stack([place(1, 0) - origin, place(0, 1) - origin, origin], axis=1)


def _resampled(picture: np.ndarray, matrix: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Return nearest pixels of `picture` at those of an image of `shape`."""
    rows, columns = np.arange(shape[0])[:, None], np.arange(shape[1])[None, :]
    y, x = (
        np.rint(matrix[axis, 0] * rows + matrix[axis, 1] * columns + matrix[axis, 2]).astype(int)
        for axis in (0, 1)
    )
    inside = (y >= 0) & (y < picture.shape[0]) & (x >= 0) & (x < picture.shape[1])
    found = picture[np.where(inside, y, 0), np.where(inside, x, 0)]
    return np.asarray(np.where(inside[..., None], found, 0), np.uint8)
