"""Overlap of masks after a shift, for many pairs at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from .detections import FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class MaskPixels:
    """Pixels of n objects, one after the other.

    Attributes
    ----------
    begin : ndarray of shape (n + 1,), int64
        Where the pixels of each object begin.
    rows, columns : ndarray of shape (pixels,), int32
        Their coordinates.
    centre_um : ndarray of shape (n, 2)
        Centre of each object.
    pixel_size_um : float
        Size of a pixel.
    at_border : ndarray of bool, shape (n,)
        Whether each reaches the border of the image.
    """

    begin: IntArray
    rows: NDArray[np.int32]
    columns: NDArray[np.int32]
    centre_um: FloatArray
    pixel_size_um: float
    at_border: NDArray[np.bool_]

    def of(self, objects: IntArray) -> tuple[IntArray, IntArray]:
        """Return (owner, pixel): which of `objects` each of their pixels belongs to."""
        counts = self.begin[objects + 1] - self.begin[objects]
        owner = np.repeat(np.arange(len(objects)), counts)
        first = np.repeat(self.begin[objects] - (np.cumsum(counts) - counts), counts)
        return owner, first + np.arange(len(owner))

    def overlap(
        self,
        before: IntArray,
        expected_um: FloatArray,
        tails: IntArray,
        after: IntArray,
        heads: IntArray,
    ) -> FloatArray:
        """Return the intersection over union of each pair.

        Parameters
        ----------
        before : ndarray of shape (N,)
            Objects, which are moved to `expected_um`, shape (N, 2).
        tails, heads : ndarray of shape (E,)
            Pairs of places in `before` and `after`.
        after : ndarray of shape (M,)
            Objects of one frame.
        """
        if len(tails) == 0:
            return np.zeros(0)
        used, where = np.unique(tails, return_inverse=True)
        owner, pixel = self.of(before[used])
        moved = (expected_um[used] - self.centre_um[before[used]]) / self.pixel_size_um
        shift = np.round(moved).astype(np.int64)
        rows, columns = self.rows[pixel] + shift[owner, 0], self.columns[pixel] + shift[owner, 1]
        other, there = self.of(after)
        height = int(self.rows[there].max(initial=0)) + 1
        width = int(self.columns[there].max(initial=0)) + 1
        plane = np.full((height, width), -1, np.int32)
        plane[self.rows[there], self.columns[there]] = other
        inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
        met = plane[rows[inside], columns[inside]]
        key = owner[inside][met >= 0] * len(after) + met[met >= 0]
        pairs, common = np.unique(key, return_counts=True)
        wanted = where * len(after) + heads
        place = np.searchsorted(pairs, wanted).clip(0, max(len(pairs) - 1, 0))
        shared = np.zeros(len(tails))
        if len(pairs):
            shared = np.where(pairs[place] == wanted, common[place], 0).astype(np.float64)
        size = self.begin[1:] - self.begin[:-1]
        union = size[before[tails]] + size[after[heads]] - shared
        return np.asarray(shared / np.maximum(union, 1))

    def joined(self, group: IntArray) -> MaskPixels:
        """Return the pixels of groups of objects; `group`, shape (n,), counts from 0."""
        size = self.begin[1:] - self.begin[:-1]
        order = np.argsort(np.repeat(group, size), kind="stable")
        total = np.bincount(group, size).astype(np.int64)
        centre = [np.bincount(group, size * axis) / total for axis in self.centre_um.T]
        return MaskPixels(
            np.concatenate([[0], np.cumsum(total)]),
            self.rows[order],
            self.columns[order],
            np.column_stack(centre),
            self.pixel_size_um,
            np.bincount(group, self.at_border) > 0,
        )

    def share_near(self, part: int, whole: int, grown_um: float) -> float:
        """Return which share of the pixels of `part` lies within `grown_um` of `whole`."""
        distance, _ = cKDTree(self._of_one(whole)).query(self._of_one(part))
        return float((np.asarray(distance) * self.pixel_size_um <= grown_um).mean())

    def gap_px(self, one: int, other: int) -> float:
        """Return how far the nearest pixels of two objects are apart; 1 for neighbours."""
        return float(np.min(cKDTree(self._of_one(other)).query(self._of_one(one))[0]))

    def length_px(self, *objects: int) -> float:
        """Return the length of a straight rod that spreads as these objects together do."""
        place = np.concatenate([self._of_one(which) for which in objects])
        # a pixel is a square, not a point
        spread = np.cov(place.T, bias=True) + np.eye(2) / 12
        return float(np.sqrt(12 * np.linalg.eigvalsh(spread)[1]))

    def between(self, one: int, other: int) -> FloatArray:
        """Return the middle of the shortest way from one object to another, (y, x) in µm."""
        here, there = self._of_one(one), self._of_one(other)
        distance, nearest = map(np.asarray, cKDTree(there).query(here))
        closest = int(distance.argmin())
        return np.asarray((here[closest] + there[nearest[closest]]) / 2 * self.pixel_size_um)

    def _of_one(self, which: int) -> IntArray:
        mine = slice(self.begin[which], self.begin[which + 1])
        return np.column_stack([self.rows[mine], self.columns[mine]]).astype(np.int64)
