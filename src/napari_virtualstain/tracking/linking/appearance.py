"""Appearance likelihood of objects from frame to frame, estimated from the movie.

Appearance (area, intensity, shape, mask overlap) help where they stay the same along a track
and differ between neighbours, and harm where they are noise. So their weight is not set
but measured, on links that a first pass was sure of (Mitometer's idea): a difference
counts by how much likelier it is on a link than between any two objects.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ...settings import LinkTuning
from ..detections import Detections, FloatArray, IntArray
from ..mask_pixels import MaskPixels
from ..motion_models.two_sided import neighbours_in_track


@dataclass(frozen=True, slots=True)
class Appearance:
    """Log likelihood ratios of appearance.

    Attributes
    ----------
    linked, random : ndarray of shape (f,)
        Spread of the differences of features on links, and between any two objects.
    overlap_ratio : ndarray of shape (bins,) or None
        Log ratio of each class of mask overlap.
    masks : MaskPixels or None
        Pixels of the objects.
    tuning : LinkTuning
        Classes of overlap, and how much appearance may count.
    """

    linked: FloatArray
    random: FloatArray
    overlap_ratio: FloatArray | None = None
    masks: MaskPixels | None = None
    tuning: LinkTuning = field(default_factory=LinkTuning)

    def log_ratio(self, before: FloatArray, after: FloatArray) -> FloatArray:
        """Return the log ratio of pairs whose features are `before` and `after`, (E, f)."""
        if before.shape[1] == 0:
            return np.zeros(len(before))
        squared = (after - before) ** 2
        # Cauchy-like tails: areas jump when masks touch, and that must not veto a link
        linked = np.log1p(0.5 * squared / self.linked**2) * 1.5 + np.log(self.linked)
        random = np.log1p(0.5 * squared / self.random**2) * 1.5 + np.log(self.random)
        useful = self.linked < self.tuning.appearance_gain * self.random
        total = ((random - linked) * useful).sum(axis=1) / max(1.0, np.sqrt(useful.sum()))
        cap = self.tuning.appearance_cap
        return np.asarray(np.clip(total, -cap, cap))

    def log_overlap_ratio(
        self,
        last: IntArray,
        expected_um: FloatArray,
        tails: IntArray,
        seen: Detections,
        heads: IntArray,
    ) -> FloatArray:
        """Return the log ratio of the mask overlap of pairs after the predicted shift."""
        if self.masks is None or self.overlap_ratio is None or len(tails) == 0:
            return np.zeros(len(tails))
        overlap = self.masks.overlap(last, expected_um, tails, seen.number, heads)
        return self.overlap_ratio[np.digitize(overlap, self.tuning.overlap_classes)]


def learn_appearance(
    detections: Detections,
    track_ids: IntArray,
    sure: np.ndarray,
    masks: MaskPixels | None,
    tuning: LinkTuning,
    seed: int = 0,
) -> Appearance | None:
    """Return how appearance changes on sure links, or None when there are too few.

    Parameters
    ----------
    detections : Detections
        n of them.
    track_ids : ndarray of shape (n,)
        Track of each from a first linking.
    sure : ndarray of bool, shape (n,)
        Whether the link that leads to each is beyond doubt.
    masks : MaskPixels or None
        Pixels of the objects.
    tuning : LinkTuning
        Fewest links, classes of overlap, and how much appearance may count.
    seed : int
        Of the pairs that stand for any two objects.
    """
    before = neighbours_in_track(track_ids)
    after = np.flatnonzero((before >= 0) & sure)
    if len(after) < tuning.appearance_least_links:
        return None
    rng = np.random.default_rng(seed)
    features = detections.features
    step = np.abs(features[after] - features[before[after]])
    first, second = rng.integers(0, len(detections), (2, 4 * len(after)))
    apart = np.abs(features[first] - features[second])
    linked = np.maximum(1.4826 * np.median(step, axis=0), 1e-3)
    random = np.maximum(1.4826 * np.median(apart, axis=0), 1e-3)
    ratio = None
    if masks is not None:
        ratio = _overlap_ratio(detections, masks, before[after], after, tuning)
    return Appearance(linked, random, ratio, masks, tuning)


def _overlap_ratio(
    detections: Detections,
    masks: MaskPixels,
    before: IntArray,
    after: IntArray,
    tuning: LinkTuning,
) -> FloatArray:
    """Return the log ratio of overlap classes on links and on other pairs nearby."""
    counts = np.ones((2, len(tuning.overlap_classes) + 1))
    frames = detections.frame[after]
    for frame in np.unique(frames):
        mine = np.flatnonzero(frames == frame)
        tails, heads = np.divmod(np.arange(len(mine) ** 2), len(mine))
        place = detections.position_um
        near = np.linalg.norm(
            place[before[mine]][tails] - place[after[mine]][heads], axis=1
        ) < 3 * np.sqrt(np.nanmedian(detections.area_um2))
        tails, heads = tails[near], heads[near]
        overlap = masks.overlap(before[mine], place[before[mine]], tails, after[mine], heads)
        classes = np.digitize(overlap, tuning.overlap_classes)
        same = tails == heads
        np.add.at(counts, (np.where(same, 0, 1), classes), 1)
    share = counts / counts.sum(axis=1, keepdims=True)
    cap = tuning.appearance_cap
    return np.asarray(np.clip(np.log(share[0] / share[1]), -cap, cap))
