"""Instances from what the network says about pairs of pixels.

For each of a few steps (dy, dx) the network gives the probability that a pixel and the
one that far away belong to the same mitochondrion. Short steps show where two touch;
long ones reach across a crossing and tell which arm continues which, from brightness,
focus and direction, which a mask alone cannot tell.

The foreground is first cut into fragments far smaller than a mitochondrion; then the
two fragments with the highest mean probability are merged, again and again, until no
pair is left that rather belongs together (average linkage of signed graphs: Bailoni et
al. 2022, "GASP").
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.segmentation import watershed

Labels = NDArray[np.int32]
Mask = NDArray[np.bool_]
Probability = NDArray[np.floating]
Step = tuple[int, int]
Partners = tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]

MERGE_ABOVE = 0.5


def step_directions(lengths: Sequence[int], directions: Sequence[int]) -> tuple[Step, ...]:
    """Return steps of each length in that many directions over half a turn.

    Examples
    --------
    >>> step_directions([3], [4])
    ((0, 3), (2, 2), (3, 0), (2, -2))
    """
    steps = []
    for length, count in zip(lengths, directions, strict=True):
        for index in range(count):
            angle = np.pi * index / count
            steps.append((round(length * np.sin(angle)), round(length * np.cos(angle))))
    return tuple((int(dy), int(dx)) for dy, dx in steps)


def merge_fragments(
    mask: Mask,
    contact: Probability,
    same: Probability,
    steps: Sequence[Step],
    *,
    min_area_px: float = 0.0,
    merge_above: float = MERGE_ABOVE,
) -> Labels:
    """Return the instances of `mask`, labels 1..n.

    Parameters
    ----------
    mask : ndarray of bool, shape (Y, X)
        Foreground, of N pixels.
    contact : ndarray of float, shape (Y, X)
        Probability that another mitochondrion lies within two pixels.
    same : ndarray of float, shape (K, N)
        Probability that a foreground pixel, in reading order, and that at each of the
        `steps` belong together.
    steps : sequence of K (dy, dx)
        In pixels.
    min_area_px : float
        Smaller pieces join the neighbour that fits best, where there is one.
    merge_above : float
        Mean probability above which two fragments are merged.

    Returns
    -------
    ndarray of int32, shape (Y, X)
        Zero outside `mask`, positive on all of it.
    """
    partners = [_partners(mask, step) for step in steps]
    fragments = _fragments(mask, _doubt(mask, contact, same, steps, partners))
    graph = _Graph.of(fragments, same, partners, merge_above)
    graph.merge_while_positive()
    graph.absorb_small(min_area_px)
    return graph.labels(fragments)


def overlapping(
    step: Step, shape: tuple[int, ...]
) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Return the slices of the pixels that have a partner at `step`, and of the partners.

    Examples
    --------
    >>> overlapping((0, 2), (4, 5))
    ((slice(0, 4, None), slice(0, 3, None)), (slice(0, 4, None), slice(2, 5, None)))
    """
    here, there = [], []
    for move, length in zip(step, shape[-2:], strict=True):
        # a frame smaller than the step has no such pixels: a negative end would count from behind
        here.append(slice(max(0, -move), max(0, length - max(0, move))))
        there.append(slice(max(0, move), max(0, length + min(0, move))))
    return (here[0], here[1]), (there[0], there[1])


def _partners(mask: Mask, step: Step) -> Partners:
    """Return which foreground pixels have one `step` away, and where in the plane both are.

    The first counts foreground pixels only, the others all pixels, in reading order.
    """
    here, there = overlapping(step, mask.shape)
    paired = np.zeros(mask.shape, bool)
    np.logical_and(mask[here], mask[there], out=paired[here])
    chosen = np.flatnonzero(paired[mask])
    place = np.flatnonzero(paired)
    return chosen, place, place + step[0] * mask.shape[1] + step[1]


def _fragments(mask: Mask, doubt: NDArray[np.float64]) -> Labels:
    """Return small fragments: watershed basins of the doubt about near partners."""
    smooth = np.where(mask, doubt, 9.0)
    lowest = (smooth == ndimage.minimum_filter(smooth, size=3)) & mask
    seeds, _ = ndimage.label(lowest, structure=np.ones((3, 3)))
    return np.asarray(watershed(doubt, seeds, mask=mask, connectivity=2), np.int32)


def _doubt(
    mask: Mask,
    contact: Probability,
    same: Probability,
    steps: Sequence[Step],
    partners: Sequence[Partners],
) -> NDArray[np.float64]:
    shortest = min(np.hypot(*step) for step in steps)
    total = np.zeros(mask.size)
    count = np.full(mask.size, 1e-6)
    for probability, step, (chosen, *places) in zip(same, steps, partners, strict=True):
        if np.hypot(*step) > 1.5 * shortest:
            continue
        apart = 1.0 - probability[chosen]
        for place in places:
            total[place] += apart
            count[place] += 1.0
    doubt = (total / count).reshape(mask.shape) + contact
    return ndimage.gaussian_filter(doubt, 0.7) - 1e-3 * _depth(mask)


def _depth(mask: Mask) -> NDArray[np.float64]:
    """Return the distance of each pixel to the background, as ``distance_transform_edt``."""
    if mask.all():
        return np.asarray(ndimage.distance_transform_edt(mask))
    nearest = ndimage.distance_transform_edt(mask, return_distances=False, return_indices=True)
    inside = np.nonzero(mask)
    depth = np.zeros(mask.shape)
    y, x = (near[inside] - at for near, at in zip(nearest, inside, strict=True))
    depth[inside] = np.sqrt(y * y + x * x)
    return depth


class _Graph:
    """Fragments as nodes, mean signed affinities as edges."""

    def __init__(self, areas: NDArray[np.intp]) -> None:
        self._parent = list(range(len(areas)))
        self._area = areas.astype(float).tolist()
        self._edges: list[dict[int, tuple[float, float]]] = [{} for _ in areas]
        self._queue: list[tuple[float, int, int, float]] = []

    @classmethod
    def of(
        cls,
        fragments: Labels,
        same: Probability,
        partners: Sequence[Partners],
        merge_above: float,
    ) -> _Graph:
        graph = cls(np.bincount(fragments.ravel(), minlength=1))
        count = len(graph._area)
        keys, weights = [], []
        flat = fragments.ravel()
        for probability, (chosen, *places) in zip(same, partners, strict=True):
            one, other = (flat[place] for place in places)
            pair = np.flatnonzero(one != other)
            one, other = one[pair], other[pair]
            low = np.minimum(one, other).astype(np.int64)
            keys.append(low * count + np.maximum(one, other))
            weights.append(probability[chosen[pair]].astype(np.float64) - merge_above)
        if keys:
            key, inverse = np.unique(np.concatenate(keys), return_inverse=True)
            total: NDArray[Any] = np.bincount(inverse, np.concatenate(weights), len(key))
            number = np.bincount(inverse, minlength=len(key)).astype(np.float64)
            graph._connect(key // count, key % count, total, number)
        return graph

    def _connect(
        self,
        ones: NDArray[np.int64],
        others: NDArray[np.int64],
        weights: NDArray[np.float64],
        numbers: NDArray[np.float64],
    ) -> None:
        """Add an edge for each pair of nodes; those of positive mean may be merged."""
        columns = (-weights / numbers, ones, others, numbers)
        rows = list(zip(*(column.tolist() for column in columns), strict=True))
        self._queue = [row for row in rows if row[0] < 0]
        for (_, one, other, number), weight in zip(rows, weights.tolist(), strict=True):
            self._edges[one][other] = self._edges[other][one] = (weight, number)

    def merge_while_positive(self) -> None:
        """Merge the pair of highest mean affinity until no mean is positive."""
        queue = self._queue
        heapq.heapify(queue)
        while queue:
            mean, one, other, number = heapq.heappop(queue)
            edge = self._edges[one].get(other)
            if edge is None or edge[1] != number or -edge[0] / edge[1] != mean:
                continue
            for third in self._merge(one, other):
                weight, number = self._edges[one][third]
                if weight > 0:
                    low, high = sorted((one, third))
                    heapq.heappush(queue, (-weight / number, low, high, number))

    def absorb_small(self, min_area: float) -> None:
        """Merge nodes below `min_area` with the neighbour that fits best, smallest first."""
        small = sorted(
            (area, node)
            for node, area in enumerate(self._area)
            if node and self._parent[node] == node and area < min_area
        )
        for _, node in small:
            if self._parent[node] != node or self._area[node] >= min_area:
                continue
            near = self._edges[node]
            if near:
                self._merge(max(near, key=lambda n: near[n][0] / near[n][1]), node)

    def _merge(self, keep: int, gone: int) -> list[int]:
        """Merge node `gone` into `keep`; return the nodes whose edge to `keep` changed."""
        self._parent[gone] = keep
        self._area[keep] += self._area[gone]
        moved = self._edges[gone]
        self._edges[gone] = {}
        moved.pop(keep)
        self._edges[keep].pop(gone)
        for third, (weight, number) in moved.items():
            del self._edges[third][gone]
            old_weight, old_number = self._edges[keep].get(third, (0.0, 0.0))
            edge = (old_weight + weight, old_number + number)
            self._edges[keep][third] = self._edges[third][keep] = edge
        return list(moved)

    def _root(self, node: int) -> int:
        while self._parent[node] != node:
            node = self._parent[node]
        return node

    def labels(self, fragments: Labels) -> Labels:
        roots = np.array([self._root(node) for node in range(len(self._parent))])
        _, compact = np.unique(roots, return_inverse=True)
        # node 0 is the background: it has no edges, so its root is 0 and comes first
        return compact.astype(np.int32)[fragments]
