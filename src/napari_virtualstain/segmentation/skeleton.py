"""The skeleton of one object as a graph: branches between junctions and free ends.

Thinning, as every raster algorithm, favours some directions, so that a turned object
would get another skeleton. Here an object is first turned into a standard pose, the
one of its eight flips and quarter turns whose pixels come first in lexicographic
order; what is found there is turned back. Flipping an image flips the result.

>>> import numpy as np
>>> mask = np.zeros((9, 9), bool)
>>> mask[4, 1:8] = mask[1:8, 4] = True
>>> graph = trace_skeleton(mask)
>>> len(graph.branches), len(graph.junctions), graph.ends
(4, 1, 4)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.morphology import skeletonize

Mask = NDArray[np.bool_]
Path = NDArray[np.intp]
Pixel = tuple[int, int]
Neighbours = dict[Pixel, list[Pixel]]

FREE_END = -1
BRIDGE_WIDTHS = 1.0
_EIGHT = np.ones((3, 3), bool)
_SIDES = ((-1, 0), (0, -1), (0, 1), (1, 0))
_CORNERS = ((-1, -1), (-1, 1), (1, -1), (1, 1))


@dataclass(frozen=True, slots=True)
class Branch:
    """A run of skeleton pixels.

    Attributes
    ----------
    path : ndarray of int, shape (N, 2)
        Pixels in order, y and x, without those of junctions.
    nodes : tuple of two ints
        Junction beyond the first and beyond the last pixel, :data:`FREE_END` for none.
    closed : bool
        Whether it is a ring without any junction.
    """

    path: Path
    nodes: tuple[int, int]
    closed: bool = False


@dataclass(frozen=True, slots=True)
class SkeletonGraph:
    """Branches and junctions of one skeleton.

    Attributes
    ----------
    branches : tuple of Branch
        Every branch once.
    junctions : tuple of ndarray, each of shape (N, 2)
        Pixels of each junction; its index is the node of the branches that meet there.
    """

    branches: tuple[Branch, ...]
    junctions: tuple[Path, ...]

    @property
    def ends(self) -> int:
        """Number of free ends."""
        return sum(branch.nodes.count(FREE_END) for branch in self.branches if not branch.closed)


def standard_pose(mask: Mask) -> tuple[Mask, int, bool]:
    """Return `mask` in its standard pose, with the quarter turns and flip that lead there."""
    # lying before standing, as tuples of heights and widths sort; a square in both
    turns = [k for k in range(4) if (mask.shape[0] <= mask.shape[1]) == (k % 2 == 0)]
    if mask.shape[0] == mask.shape[1]:
        turns = list(range(4))
    poses = ((_turned(mask, k, flipped), k, flipped) for flipped in (False, True) for k in turns)
    return min(poses, key=lambda pose: pose[0].tobytes())


def _turned(mask: Mask, turns: int, flipped: bool) -> Mask:
    """Return ``rot90(mask[:, ::-1] if flipped else mask, turns)``, without its checks."""
    image = mask[:, ::-1] if flipped else mask
    if turns == 0:
        return image
    if turns == 1:
        return image.T[::-1]
    return image[::-1, ::-1] if turns == 2 else image.T[:, ::-1]


def undo_pose(image: NDArray[np.int32], turns: int, flipped: bool) -> NDArray[np.int32]:
    """Return `image` turned back from the pose that :func:`standard_pose` gave."""
    turned = np.rot90(image, -turns)
    return turned[:, ::-1] if flipped else turned


def trace_skeleton(skeleton: Mask) -> SkeletonGraph:
    """Return the graph of a one pixel wide `skeleton` of shape (Y, X).

    A diagonal step counts only where no side step leads the same way; without this the
    corner of every stair would be a junction.
    """
    neighbours = _neighbours(skeleton)
    crossing = {pixel for pixel, near in neighbours.items() if len(near) > 2}
    numbered, junctions = _numbered(crossing, skeleton.shape)

    def node_of(pixel: Pixel) -> int:
        return int(numbered[pixel]) - 1

    branches = tuple(_branches(neighbours, crossing, node_of))
    return SkeletonGraph(branches, junctions)


def _numbered(
    crossing: set[Pixel], shape: tuple[int, ...]
) -> tuple[NDArray[np.signedinteger[Any]], tuple[Path, ...]]:
    """Return the image of connected crossings, numbered from 1, and their pixels."""
    image = np.zeros(shape, np.int32)
    if not crossing:
        return image, ()
    image[tuple(np.array(sorted(crossing)).T)] = 1
    numbered, count = ndimage.label(image, structure=_EIGHT)
    return numbered, tuple(np.argwhere(numbered == index + 1) for index in range(count))


def _neighbours(skeleton: Mask) -> Neighbours:
    pixels = {(y, x) for y, x in np.argwhere(skeleton).tolist()}
    table: Neighbours = {}
    for y, x in sorted(pixels):
        near = [(y + dy, x + dx) for dy, dx in _SIDES if (y + dy, x + dx) in pixels]
        near += [
            (y + dy, x + dx)
            for dy, dx in _CORNERS
            if (y + dy, x + dx) in pixels
            and (y + dy, x) not in pixels
            and (y, x + dx) not in pixels
        ]
        table[y, x] = near
    return table


def _branches(
    neighbours: Neighbours, crossing: set[Pixel], node_of: Callable[[Pixel], int]
) -> Iterator[Branch]:
    seen: set[Pixel] = set()
    plain = [pixel for pixel in neighbours if pixel not in crossing]
    starts = [p for p in plain if len(neighbours[p]) < 2 or set(neighbours[p]) & crossing]
    for start in [*starts, *plain]:
        if start in seen:
            continue
        path, closed = _walk(start, neighbours, crossing, seen)
        nodes = _end_nodes(path, neighbours, crossing, node_of)
        yield Branch(np.array(path, dtype=np.intp), nodes, closed)


def _walk(
    start: Pixel, neighbours: Neighbours, crossing: set[Pixel], seen: set[Pixel]
) -> tuple[list[Pixel], bool]:
    path, here = [start], start
    seen.add(start)
    while True:
        onward = [p for p in neighbours[here] if p not in crossing and p not in seen]
        if not onward:
            break
        here = onward[0]
        seen.add(here)
        path.append(here)
    closed = (
        len(path) > 3 and start in neighbours[here] and not _touches(path, neighbours, crossing)
    )
    return path, closed


def _touches(path: list[Pixel], neighbours: Neighbours, crossing: set[Pixel]) -> bool:
    return any(p in crossing for end in (path[0], path[-1]) for p in neighbours[end])


def _end_nodes(
    path: list[Pixel],
    neighbours: Neighbours,
    crossing: set[Pixel],
    node_of: Callable[[Pixel], int],
) -> tuple[int, int]:
    """Return the junctions at both ends of a branch, ``FREE_END`` where there is none."""

    def junctions(pixel: Pixel) -> list[int]:
        return [node_of(near) for near in neighbours[pixel] if near in crossing]

    if len(path) == 1:  # one pixel between two junctions, or at one
        first, last, *_ = [*junctions(path[0]), FREE_END, FREE_END]
        return first, last
    first, *_ = [*junctions(path[0]), FREE_END]
    last, *_ = [*junctions(path[-1]), FREE_END]
    return first, last


def padded(mask: Mask) -> Mask:
    """Return `mask` with a background pixel on every side."""
    larger = np.zeros((mask.shape[0] + 2, mask.shape[1] + 2), bool)
    larger[1:-1, 1:-1] = mask
    return larger


def distance_inside(mask: Mask) -> NDArray[np.float64]:
    """Return how far each pixel of an object is from the background, also beyond its box."""
    distance: NDArray[np.float64] = ndimage.distance_transform_edt(padded(mask))
    return distance[1:-1, 1:-1]


def path_length(path: Path, *, closed: bool = False) -> float:
    """Return the length of an ordered pixel path, in pixels, from first to last centre.

    Pixel steps overstate an oblique line by up to 8 %; a running mean over five pixels
    straightens the stair first.
    """
    points = path.astype(float)
    if len(points) < 2:
        return 0.0
    if closed:
        smooth = ndimage.uniform_filter1d(points, 5, axis=0, mode="wrap")
        smooth = np.vstack([smooth, smooth[:1]])
    else:
        smooth = _smoothed_open(points)
    return float(np.hypot(*np.diff(smooth, axis=0).T).sum())


def _smoothed_open(points: NDArray[np.float64]) -> NDArray[np.float64]:
    reach = min(2, (len(points) - 1) // 2)
    if reach == 0:
        return points
    # an odd (point) reflection at each end keeps the ends where they are
    head = 2 * points[0] - points[reach:0:-1]
    tail = 2 * points[-1] - points[-2 : -reach - 2 : -1]
    padded = np.vstack([head, points, tail])
    return ndimage.uniform_filter1d(padded, 2 * reach + 1, axis=0)[reach:-reach]


def pruned_skeleton(mask: Mask, *, spur_widths: float = 1.0) -> tuple[SkeletonGraph, Mask]:
    """Return graph and image of the skeleton of `mask` without spurs.

    Parameters
    ----------
    mask : ndarray of bool, shape (Y, X)
        One object, in standard pose where the result must not depend on the pose.
    spur_widths : float
        A branch that ends freely is a spur when it is not longer than this many local
        widths of the object: it then hardly leaves the disc inscribed at its junction.
    """
    skeleton = skeletonize(padded(mask))[1:-1, 1:-1]
    graph = trace_skeleton(skeleton)
    if not graph.junctions:
        return graph, skeleton
    radius = distance_inside(mask)
    while graph.junctions:
        spurs = _spurs(graph, radius, spur_widths)
        if not spurs:
            break
        for spur in spurs:
            skeleton[tuple(spur.path.T)] = False
        skeleton = skeletonize(padded(skeleton))[1:-1, 1:-1]
        graph = trace_skeleton(skeleton)
    return graph, skeleton


def _spurs(graph: SkeletonGraph, radius: NDArray[np.float64], widths: float) -> list[Branch]:
    degree = [
        sum(b.nodes.count(node) for b in graph.branches) for node in range(len(graph.junctions))
    ]
    loose = [b for b in graph.branches if b.nodes.count(FREE_END) == 1]
    spurs = []
    for branch in sorted(loose, key=lambda b: len(b.path)):
        node = max(branch.nodes)
        width = 2.0 * radius[tuple(graph.junctions[node].T)].max()
        # the shortest go first and two stay, so that a forked end keeps one tip
        if len(branch.path) <= widths * width and degree[node] > 2:
            spurs.append(branch)
            degree[node] -= 1
    return spurs


class Groups:
    """Union-find over small integers."""

    def __init__(self, count: int) -> None:
        self._parent = list(range(count))

    def root(self, item: int) -> int:
        """Return the smallest member of the group of `item`."""
        while self._parent[item] != item:
            item = self._parent[item]
        return item

    def join(self, one: int, other: int) -> None:
        """Make one group of the groups of two items."""
        low, high = sorted((self.root(one), self.root(other)))
        self._parent[high] = low


def junction_widths(graph: SkeletonGraph, radius: NDArray[np.float64]) -> list[float]:
    """Return the diameter of the largest disc inside the object at each junction."""
    return [2.0 * float(radius[tuple(pixels.T)].max()) for pixels in graph.junctions]


def meeting_points(graph: SkeletonGraph, widths: list[float]) -> tuple[Groups, set[int]]:
    """Return junctions grouped over bridges, and the indices of the bridges.

    A bridge is a branch between two junctions that is not longer than the object is
    wide there: the two are one place, such as the crossing of two tubules.
    """
    meeting, bridges = Groups(len(graph.junctions)), set()
    for index, branch in enumerate(graph.branches):
        one, other = branch.nodes
        if FREE_END in (one, other) or one == other:
            continue
        if len(branch.path) <= BRIDGE_WIDTHS * max(widths[one], widths[other]):
            meeting.join(one, other)
            bridges.add(index)
    if len(bridges) == len(graph.branches):
        return Groups(len(graph.junctions)), set()
    return meeting, bridges
