"""Part of a layer that a step works on, and its order.

A region is a slice for each axis of the layer's data. Its result becomes a layer that
is only as large as the region and lies where the region lies.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...errors import InputError
from ..layers.description import axes_of

_ROUND = np.linspace(0, 2 * np.pi, 48, endpoint=False)


@dataclass(frozen=True, slots=True)
class LayerRegion:
    """A box of a layer's data.

    Attributes
    ----------
    slices : tuple of slice
        One for each axis, with explicit start and stop.
    """

    slices: tuple[slice, ...]

    @property
    def offset(self) -> tuple[int, ...]:
        """Index of the first sample along each axis."""
        return tuple(int(part.start) for part in self.slices)

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of samples along each axis."""
        return tuple(int(part.stop - part.start) for part in self.slices)

    def replacing(self, axis: int, start: int, stop: int) -> LayerRegion:
        """Return the region with other limits along `axis`."""
        slices = list(self.slices)
        slices[axis] = slice(start, stop)
        return LayerRegion(tuple(slices))


def whole(shape: Sequence[int]) -> LayerRegion:
    """Return the region of everything.

    Examples
    --------
    >>> whole((5, 4, 3)).shape
    (5, 4, 3)
    """
    return LayerRegion(tuple(slice(0, int(size)) for size in shape))


def visible_index(viewer: Any, layer: Any) -> tuple[int, ...]:
    """Return the index into the leading axes of `layer` that the viewer shows."""
    point = np.asarray(viewer.dims.point, float)[-layer.ndim :]
    index = np.rint(np.asarray(layer.world_to_data(point))).astype(int)
    return tuple(
        int(np.clip(index[axis], 0, layer.data.shape[axis] - 1)) for axis in range(layer.ndim - 2)
    )


def visible_frame(viewer: Any, layer: Any) -> LayerRegion:
    """Return the region of the one plane that the viewer shows."""
    region = whole(layer.data.shape)
    for axis, index in enumerate(visible_index(viewer, layer)):
        region = region.replacing(axis, index, index + 1)
    return region


def frame_range(layer: Any, first: int, last: int) -> LayerRegion:
    """Return the region of frames `first` to `last`, both included.

    Raises
    ------
    InputError
        The layer has no time axis, or it has no such frames.
    """
    axes, shape = axes_of(layer), layer.data.shape
    if "t" not in axes:
        raise InputError(f"{layer.name!r} has no time axis. Choose the whole layer instead.")
    count = shape[axes.index("t")]
    if not 0 <= first <= last < count:
        raise InputError(
            f"Frames {first} to {last} were asked for, but {layer.name!r} has frames 0 to "
            f"{count - 1}. Correct the range."
        )
    return whole(shape).replacing(axes.index("t"), first, last + 1)


def bounding_box(layer: Any, shapes: Any) -> LayerRegion:
    """Return the region that just holds all shapes of a Shapes layer, over all frames.

    Raises
    ------
    InputError
        No shape was drawn, or none lies on the image.
    """
    if not len(shapes.data):
        raise InputError(
            f"The Shapes layer {shapes.name!r} is empty. Draw a rectangle on the image first."
        )
    corners = np.concatenate([np.asarray(vertices, float)[:, -2:] for vertices in shapes.data])
    rows, columns = onto(layer, shapes, corners)
    limits = []
    for values, size in zip((rows, columns), layer.data.shape[-2:], strict=True):
        start, stop = max(0, round(values.min())), min(size, round(values.max()) + 1)
        if stop - start < 2:
            raise InputError(
                f"The shapes of {shapes.name!r} lie outside the image {layer.name!r}. "
                "Draw them on the image."
            )
        limits.append((start, stop))
    region = whole(layer.data.shape)
    region = region.replacing(layer.ndim - 2, *limits[0])
    return region.replacing(layer.ndim - 1, *limits[1])


def onto(layer: Any, shapes: Any, corners: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return rows and columns in the pixels of `layer` of points in the data of `shapes`."""
    points = np.zeros((len(corners), shapes.ndim))
    points[:, -2:] = corners
    mapped = []
    for point in points:
        world = np.zeros(layer.ndim)
        world[-2:] = np.asarray(shapes.data_to_world(point))[-2:]
        mapped.append(np.asarray(layer.world_to_data(world))[-2:])
    array = np.asarray(mapped)
    return array[:, 0], array[:, 1]


def outline(kind: str, corners: np.ndarray) -> np.ndarray:
    """Return the corners of a shape in the plane, (N, 2); an ellipse is given by those of its box.

    Examples
    --------
    >>> outline("rectangle", np.array([[0, 1, 1], [0, 1, 5], [0, 4, 5], [0, 4, 1]]))[0].tolist()
    [1, 1]
    """
    plane = corners[:, -2:]
    if kind != "ellipse":
        return plane
    middle = plane.mean(axis=0)
    across, down = (plane[1] - plane[0]) / 2, (plane[3] - plane[0]) / 2
    return np.asarray(middle + np.outer(np.sin(_ROUND), down) + np.outer(np.cos(_ROUND), across))
