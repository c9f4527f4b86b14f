"""The shape of one object in pixels: outline, hull, axes, skeleton and width."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from scipy import ndimage
from scipy.spatial import ConvexHull

from .skeleton import (
    FREE_END,
    Mask,
    SkeletonGraph,
    distance_inside,
    junction_widths,
    meeting_points,
    padded,
    path_length,
    pruned_skeleton,
    standard_pose,
)

ShapeClass: TypeAlias = Literal["dot", "rod", "network"]


@dataclass(frozen=True, slots=True)
class Outline:
    """Measures of the silhouette, in pixels.

    Attributes
    ----------
    area, perimeter : float
        Number of pixels; length of the outline by Crofton's formula in four directions.
    major_axis, minor_axis : float
        Axes of the ellipse of the same second moments.
    hull_area, feret_max : float
        Area of the convex hull, and its largest diameter.
    """

    area: float
    perimeter: float
    major_axis: float
    minor_axis: float
    hull_area: float
    feret_max: float


@dataclass(frozen=True, slots=True)
class SkeletonMeasures:
    """Measures of the pruned skeleton, lengths in pixels.

    Attributes
    ----------
    length : float
        Summed length of all branches, from centre to centre of pixels.
    branches, junctions, ends : int
        A rod has 1, 0, 2; a ring 1, 0, 0; a Y 3, 1, 3; a cross 4, 1, 4. A dot counts
        as a very short rod.
    width : float
        Twice the median distance from the skeleton to the outline.
    tortuosity : float
        Length over end-to-end distance of a single open branch; NaN for all others.
    longest_branch : float
        Length of the longest branch.
    """

    length: float
    branches: int
    junctions: int
    ends: int
    width: float
    tortuosity: float
    longest_branch: float

    @property
    def shape_class(self) -> ShapeClass:
        """``network`` with a junction, else ``dot`` below twice its width, else ``rod``."""
        if self.junctions:
            return "network"
        closed = self.branches == 1 and self.ends == 0
        return "rod" if closed or self.length >= self.width else "dot"


def measure_outline(mask: Mask) -> Outline:
    """Return the measures of the silhouette of `mask`, shape (Y, X), not empty.

    Examples
    --------
    >>> outline = measure_outline(np.ones((3, 4), bool))
    >>> outline.area, outline.hull_area, round(outline.feret_max, 2)
    (12.0, 11.5, 4.47)
    """
    major, minor = _axes(mask)
    hull_area, feret = _hull(mask)
    area = float(np.count_nonzero(mask))
    return Outline(area, _perimeter(padded(mask)), major, minor, hull_area, feret)


def _perimeter(mask: Mask) -> float:
    """Return the length of the outline of `mask`, which keeps clear of the border.

    Crofton: how often parallel lines of four directions cross it, by their distance.
    """
    straight = np.count_nonzero(mask[1:] != mask[:-1])
    straight += np.count_nonzero(mask[:, 1:] != mask[:, :-1])
    oblique = np.count_nonzero(mask[1:, 1:] != mask[:-1, :-1])
    oblique += np.count_nonzero(mask[1:, :-1] != mask[:-1, 1:])
    return float(np.pi / 8 * (straight + oblique / np.sqrt(2)))


def _axes(mask: Mask) -> tuple[float, float]:
    y, x = np.nonzero(mask)
    y, x = y - y.mean(), x - x.mean()
    # 1/12 is the second moment of a pixel about its own centre
    yy, xx, yx = y @ y / len(y) + 1 / 12, x @ x / len(y) + 1 / 12, y @ x / len(y)
    middle, reach = (yy + xx) / 2, np.hypot((yy - xx) / 2, yx)
    # the determinant over the large moment is the small one, without cancellation
    large = middle + reach
    small = (yy * xx - yx**2) / large
    return 4.0 * float(np.sqrt(large)), 4.0 * float(np.sqrt(small))


def _hull(mask: Mask) -> tuple[float, float]:
    """Return area and largest diameter of the hull of the middles of pixel sides.

    The corners of pixels would overstate the diameter by up to a pixel's diagonal, and
    make a disc look dented.
    """
    present = mask.any(axis=1)
    rows, lines = np.flatnonzero(present), mask[present]
    left = lines.argmax(axis=1)
    right = mask.shape[1] - lines[:, ::-1].argmax(axis=1)
    count = len(rows)
    middles = np.empty((6 * count, 2))
    y, x = middles[:, 0].reshape(6, count), middles[:, 1].reshape(6, count)
    y[:2], x[0], x[1] = rows + 0.5, left, right
    y[2:4], x[2], x[3] = rows, left + 0.5, right - 0.5
    y[4:], x[4:] = rows + 1, x[2:4]
    hull = ConvexHull(middles)
    corners = middles[hull.vertices]
    y_apart, x_apart = (corners[:, None] - corners).reshape(-1, 2).T
    return float(hull.volume), float(np.sqrt((y_apart**2 + x_apart**2).max()))


def measure_skeleton(mask: Mask) -> SkeletonMeasures:
    """Return the measures of the skeleton of `mask`, shape (Y, X), not empty.

    Examples
    --------
    >>> rod = measure_skeleton(np.ones((5, 30), bool))
    >>> rod.branches, rod.junctions, rod.ends, rod.width, rod.shape_class
    (1, 0, 2, 5.0, 'rod')
    """
    pose, _, _ = standard_pose(np.ascontiguousarray(mask))
    graph, skeleton = pruned_skeleton(pose)
    widths = junction_widths(graph, distance_inside(pose)) if graph.junctions else []
    meeting, bridges = meeting_points(graph, widths)
    lengths = [_branch_length(graph, index) for index in range(len(graph.branches))]
    ends = graph.ends
    return SkeletonMeasures(
        length=sum(lengths),
        branches=max(1, len(graph.branches) - len(bridges)),
        junctions=len({meeting.root(node) for node in range(len(graph.junctions))}),
        ends=ends,
        width=_width(pose, skeleton),
        tortuosity=_tortuosity(graph, lengths),
        longest_branch=max(lengths, default=0.0),
    )


def _branch_length(graph: SkeletonGraph, index: int) -> float:
    """Return the length of a branch out to the middle of the junctions at its ends."""
    branch = graph.branches[index]
    length = path_length(branch.path, closed=branch.closed)
    for node, tip in zip(branch.nodes, (branch.path[0], branch.path[-1]), strict=True):
        if node != FREE_END:
            length += float(np.hypot(*(graph.junctions[node].mean(axis=0) - tip)))
    return length


def _tortuosity(graph: SkeletonGraph, lengths: list[float]) -> float:
    if len(graph.branches) != 1 or graph.junctions or graph.branches[0].closed:
        return float("nan")
    path = graph.branches[0].path
    chord = float(np.hypot(*(path[-1] - path[0])))
    return max(1.0, lengths[0] / chord) if chord else float("nan")


def _width(mask: Mask, skeleton: Mask) -> float:
    """Return twice the median distance from skeleton to outline.

    On a grid twice as fine the distance to the next pixel centre outside is, at the
    middle, exactly half the width for odd and for even widths.
    """
    height, width = mask.shape
    fine = np.zeros((2 * height + 2, 2 * width + 2), bool)
    for row in (1, 2):
        for column in (1, 2):
            fine[row : row + 2 * height : 2, column : column + 2 * width : 2] = mask
    distance = ndimage.distance_transform_edt(fine)
    y, x = np.nonzero(skeleton)
    y, x = 2 * y + 1, 2 * x + 1
    largest = np.maximum(
        np.maximum(distance[y, x], distance[y + 1, x]),
        np.maximum(distance[y, x + 1], distance[y + 1, x + 1]),
    )
    largest.sort()
    return float(largest[(len(y) - 1) // 2] + largest[len(y) // 2]) / 2
