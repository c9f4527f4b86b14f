"""Instances from the affinities of pairs of pixels.

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
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby, pairwise, product
from operator import itemgetter

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, sparse
from skimage.segmentation import watershed

Labels = NDArray[np.int32]
Mask = NDArray[np.bool_]
Probability = NDArray[np.floating]
Step = tuple[int, int]
Partners = tuple[NDArray[np.intp], NDArray[np.intp]]

MERGE_ABOVE = 0.5
# mitochondria are thin: trying the steps around each pixel, shortest first, finds the background
# soonest; what lies deeper, or takes more tries a pixel than that, is left to scipy
_NEAR, _TRIES = 16, 60


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
    partners = list(_partners(mask, steps))
    fragments = _fragments(mask, _doubt(mask, contact, same, steps, partners))
    graph = _Graph.of(fragments[mask], same, partners, merge_above)
    graph.merge_while_positive()
    graph.absorb_small(min_area_px)
    return graph.labels(fragments)


def pixels_with_partner(
    step: Step, shape: tuple[int, ...]
) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Return the slices of the pixels that have a partner at `step`, and of the partners.

    Examples
    --------
    >>> pixels_with_partner((0, 2), (4, 5))
    ((slice(0, 4, None), slice(0, 3, None)), (slice(0, 4, None), slice(2, 5, None)))
    """
    here, there = [], []
    for move, length in zip(step, shape[-2:], strict=True):
        # a frame smaller than the step has no such pixels: a negative end would count from behind
        here.append(slice(max(0, -move), max(0, length - max(0, move))))
        there.append(slice(max(0, move), max(0, length + min(0, move))))
    return (here[0], here[1]), (there[0], there[1])


def _partners(mask: Mask, steps: Sequence[Step]) -> Iterator[Partners]:
    """Yield for each step which foreground pixels have a partner there, and which that is.

    Both are numbers of foreground pixels in reading order.
    """
    margin = max((abs(move) for step in steps for move in step), default=0)
    number = np.full(mask.shape, -1, np.int32)
    number[mask] = np.arange(np.count_nonzero(mask))
    number = np.pad(number, margin, constant_values=-1)
    places, offset_of = _places(mask, margin)
    for step in steps:
        other = number.ravel()[places + offset_of(step)]
        chosen = np.flatnonzero(other >= 0)
        yield chosen, other[chosen].astype(np.intp)


def _places(mask: Mask, margin: int) -> tuple[NDArray[np.intp], Callable[[Step], int]]:
    """Return where foreground pixels are in a padded plane, and how far a step leads there."""
    width = mask.shape[1] + 2 * margin
    y, x = np.nonzero(mask)
    return (y + margin) * width + x + margin, lambda step: step[0] * width + step[1]


def _fragments(mask: Mask, doubt: NDArray[np.float64]) -> Labels:
    """Return small fragments: watershed basins of the doubt about near partners."""
    around = np.full((mask.shape[0] + 2, mask.shape[1] + 2), np.inf)
    around[1:-1, 1:-1][mask] = doubt[mask]
    places, offset_of = _places(mask, 1)
    least = around.ravel()[places]
    is_lowest = np.ones(len(places), bool)
    for step in product((-1, 0, 1), (-1, 0, 1)):
        is_lowest &= least <= around.ravel()[places + offset_of(step)]
    lowest = np.zeros(mask.shape, bool)
    lowest[mask] = is_lowest
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
    total = np.zeros(np.count_nonzero(mask))
    count = np.full(len(total), 1e-6)
    for probability, step, pair in zip(same, steps, partners, strict=True):
        if np.hypot(*step) > 1.5 * shortest:
            continue
        apart = 1.0 - probability[pair[0]]
        for pixels in pair:
            total[pixels] += apart
            count[pixels] += 1.0
    doubt = contact.astype(np.float64)
    doubt[mask] += total / count
    doubt = ndimage.gaussian_filter(doubt, 0.7)
    doubt[mask] -= 1e-3 * _depth(mask)
    return doubt


def _depth(mask: Mask) -> NDArray[np.float64]:
    """Return ``distance_transform_edt(mask)[mask]``, the distance to the background."""
    square = np.zeros(np.count_nonzero(mask))
    inside = np.pad(mask, _NEAR, constant_values=True).ravel()
    places, offset_of = _places(mask, _NEAR)
    left, tries = np.arange(len(places)), 0
    for distance, steps in _rings(_NEAR):
        tries += len(left) * len(steps)
        if not len(left) or tries > _TRIES * len(places):
            break
        met = np.zeros(len(left), bool)
        for step in steps:
            met |= ~inside[places[left] + offset_of(step)]
        square[left[met]] = distance
        left = left[~met]
    depth: NDArray[np.float64] = np.sqrt(square)
    if len(left):
        depth[left] = ndimage.distance_transform_edt(mask)[mask][left]
    return depth


def _rings(reach: int) -> Iterator[tuple[int, list[Step]]]:
    """Yield squared distances up to that of `reach`, each with the steps that long."""
    steps = product(range(-reach, reach + 1), repeat=2)
    by_length = sorted((dy * dy + dx * dx, (dy, dx)) for dy, dx in steps if dy or dx)
    for square, group in groupby(by_length, key=itemgetter(0)):
        if square <= reach * reach:
            yield square, [step for _, step in group]


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
        fragments: NDArray[np.int32],
        same: Probability,
        partners: Sequence[Partners],
        merge_above: float,
    ) -> _Graph:
        graph = cls(np.bincount(fragments, minlength=1))
        ones, others, weights = [], [], []
        for probability, (here, there) in zip(same, partners, strict=True):
            one, other = fragments[here], fragments[there]
            pair = np.flatnonzero(one != other)
            ones.append(one[pair])
            others.append(other[pair])
            weights.append(probability[here[pair]].astype(np.float64) - merge_above)
        if ones:
            one, other = np.concatenate(ones), np.concatenate(others)
            graph._connect(np.minimum(one, other), np.maximum(one, other), np.concatenate(weights))
        return graph

    def _connect(
        self, low: NDArray[np.int32], high: NDArray[np.int32], weights: NDArray[np.float64]
    ) -> None:
        """Add an edge for each two nodes with pairs; those of positive mean may be merged."""
        shape = (len(self._area), len(self._area))
        # building a sparse matrix sums what falls on one place; the imaginary parts count
        edges = sparse.csr_array((weights + 1j, (low, high)), shape)
        total, number = edges.data.real, edges.data.imag
        ones = np.repeat(np.arange(len(self._area)), np.diff(edges.indptr))
        columns = (-total / number, ones, edges.indices, number)
        positive = total > 0
        self._queue = list(zip(*(column[positive].tolist() for column in columns), strict=True))
        both = edges + edges.T
        sums = list(zip(both.data.real.tolist(), both.data.imag.tolist(), strict=True))
        nodes, ends = both.indices.tolist(), both.indptr.tolist()
        self._edges = [
            dict(zip(nodes[start:stop], sums[start:stop], strict=True))
            for start, stop in pairwise(ends)
        ]

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
                    low, high = (one, third) if one < third else (third, one)
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
