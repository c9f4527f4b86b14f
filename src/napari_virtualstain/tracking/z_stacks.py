"""Projection of z-stacks for tracking: one plane, or the maximum over z.

Labels that were drawn plane by plane give one mitochondrion another value in every plane. Before
the maximum is taken, masks of neighbouring planes that lie over each other become one object.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ..errors import InputError
from ..settings import TrackTuning

ZPlane = int | Literal["max"]


def project_labels(
    labels: Any,
    z_plane: ZPlane = "max",
    same_object_share: float = TrackTuning().same_object_share,
) -> Any:
    """Return (T, Y, X) labels of a z-stack of labels.

    Parameters
    ----------
    labels : array of int, shape (T, Z, Y, X)
        Numpy, or dask for a lazy result.
    z_plane : int or "max"
        A plane, counted from 0, or the maximum over z of masks that are joined across planes.
    same_object_share : float
        Part of the smaller of two masks, in neighbouring planes, that lies over the other if they
        are one object.

    Raises
    ------
    InputError
        There is no such plane.

    Examples
    --------
    >>> labels = np.zeros((1, 2, 1, 4), int)
    >>> labels[0, 0, 0, :2], labels[0, 1, 0, :3] = 4, 9
    >>> project_labels(labels, "max").tolist()
    [[[1, 1, 1, 0]]]
    """
    check_plane(z_plane, labels.shape[1])
    if z_plane != "max":
        return labels[:, z_plane]
    if isinstance(labels, np.ndarray):
        frames = [_projected(stack, same_object_share) for stack in labels]
        return np.stack(frames) if frames else np.zeros((0, *labels.shape[2:]), np.int32)
    import dask.array as da

    lazy = da.asarray(labels).rechunk({0: 1, 1: -1, 2: -1, 3: -1})
    return lazy.map_blocks(
        lambda block: np.stack([_projected(stack, same_object_share) for stack in block]),
        dtype=np.int32,
        drop_axis=1,
        meta=np.zeros((0, 0, 0), np.int32),
    )


def project_image(image: Any, z_plane: ZPlane = "max") -> Any:
    """Return the (T, Y, X) plane or maximum over z of an image (T, Z, Y, X), lazily for dask.

    Raises
    ------
    InputError
        There is no such plane.

    Examples
    --------
    >>> project_image(np.arange(4).reshape(1, 2, 1, 2), "max").tolist()
    [[[2, 3]]]
    """
    check_plane(z_plane, image.shape[1])
    return image.max(axis=1) if z_plane == "max" else image[:, z_plane]


def check_plane(z_plane: ZPlane, planes: int | None) -> None:
    """Refuse a plane that a z-stack of so many `planes` does not have; None is no z-stack.

    Raises
    ------
    InputError
        There is no such plane.

    Examples
    --------
    >>> check_plane(2, 3)
    >>> check_plane("max", None)
    """
    if z_plane == "max" or planes is None or 0 <= z_plane < planes:
        return
    raise InputError(
        f"There is no plane {z_plane}: the z-stack has {planes} planes, 0 to {planes - 1}. Choose "
        "one of them, or 'max'."
    )


def _projected(stack: NDArray[Any], same_object_share: float) -> NDArray[np.int32]:
    """Return the maximum over z of one frame (Z, Y, X), objects counted from 1."""
    # each mask of each plane is a node
    nodes, number = np.zeros(stack.shape, np.int64), 0
    areas = [np.zeros(1, np.int64)]
    for z, plane in enumerate(stack):
        values, compact, counts = np.unique(plane, return_inverse=True, return_counts=True)
        name = np.cumsum(values != 0) + number
        nodes[z] = np.where(values != 0, name, 0)[compact.reshape(plane.shape)]
        areas.append(counts[values != 0])
        number += int((values != 0).sum())
    area = np.concatenate(areas)
    edges = [_over_each_other(*pair, area, number, same_object_share) for pair in pairwise(nodes)]
    ends = np.concatenate(edges, axis=1) if edges else np.zeros((2, 0), np.int64)
    graph = coo_array((np.ones(ends.shape[1]), tuple(ends)), (number + 1, number + 1))
    _, group = connected_components(graph, directed=False)
    group[group == group[0]] = -1  # background is nobody's
    _, name = np.unique(group, return_inverse=True)
    return np.asarray(name[nodes].max(axis=0), np.int32)


def _over_each_other(
    lower: NDArray[np.int64],
    upper: NDArray[np.int64],
    area: NDArray[np.int64],
    number: int,
    share: float,
) -> NDArray[np.int64]:
    """Return (node, node) of the masks of two planes that are one object, shape (2, n)."""
    both = (lower > 0) & (upper > 0)
    pairs, shared = np.unique(lower[both] * (number + 1) + upper[both], return_counts=True)
    one, other = np.divmod(pairs, number + 1)
    same = shared >= share * np.minimum(area[one], area[other])
    return np.stack([one, other])[:, same]
