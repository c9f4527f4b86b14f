"""Output maps of the network for one plane, kept so that settings can change at once.

Running the network takes seconds, cutting its maps at another threshold milliseconds.
The maps are kept compactly: pairs of pixels only where there is any foreground at all.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .affinities import MERGE_ABOVE, Step, merge_fragments
from .expected_iou import sigmoid
from .instances import (
    Labels,
    Split,
    area_in_pixels,
    check_split,
    check_threshold,
    drop_small,
    in_reading_order,
    split_plane,
)

FLOOR = 0.02
_LEVELS = 255.0


@dataclass(frozen=True, slots=True, eq=False)
class SegmentationMaps:
    """The maps of one plane; :meth:`labels` turns them into instances.

    Attributes
    ----------
    foreground : ndarray of float32, shape (Y, X)
        Probability of mitochondrion.
    inner : ndarray of float32, shape (y, x)
        The same at the pixel size at which the network ran; `foreground` itself where
        that was the image's own.
    support : ndarray of int64, shape (N,)
        Flat indices into `inner` of all pixels above :data:`FLOOR`.
    pairs : ndarray of uint8, shape (1 + K, N)
        There, in 1/255: the probability of contact, and of each step that the pixel
        there belongs to the same mitochondrion. Empty for a model without them.
    steps : tuple of K (dy, dx)
        In pixels of `inner`.
    pixel_size_um, inner_pixel_size_um : float or None
        Of the image and of `inner`, micrometres; None where it is not known.
    merge_above : float
        From which mean probability on fragments are merged.
    """

    foreground: NDArray[np.float32]
    inner: NDArray[np.float32]
    support: NDArray[np.int64]
    pairs: NDArray[np.uint8]
    steps: tuple[Step, ...]
    pixel_size_um: float | None = None
    inner_pixel_size_um: float | None = None
    merge_above: float = MERGE_ABOVE

    @classmethod
    def compact(
        cls,
        foreground: NDArray[np.float32],
        inner: NDArray[np.float32],
        pair_logits: NDArray[np.float32],
        steps: tuple[Step, ...],
        *,
        pixel_size_um: float | None = None,
        inner_pixel_size_um: float | None = None,
        merge_above: float = MERGE_ABOVE,
    ) -> SegmentationMaps:
        """Return maps of dense `pair_logits`, shape (1 + K, y, x) or (0, y, x)."""
        support = np.flatnonzero(inner > FLOOR)
        # most pixels are background, of which nobody asks
        values = sigmoid(pair_logits.reshape(len(pair_logits), inner.size)[:, support])
        values *= np.float32(_LEVELS)
        rounded = np.round(values, out=values).astype(np.uint8)
        return cls(
            foreground,
            inner,
            support,
            rounded,
            steps,
            pixel_size_um,
            inner_pixel_size_um,
            merge_above,
        )

    def labels(
        self, *, threshold: float = 0.5, min_area_um2: float = 0.05, split: Split = "skeleton"
    ) -> Labels:
        """Return the instances at these settings, int32 of the shape of the image.

        Parameters
        ----------
        threshold : float
            Foreground is where the probability is above it.
        min_area_um2 : float
            No object is smaller, square micrometres.
        split : {"skeleton", "log", "none"}
            See :func:`split_instances`. With a model that knows pairs of pixels,
            ``skeleton`` uses these in place of the skeleton's angles.
        """
        check_split(split)
        check_threshold(threshold)
        min_area_px = area_in_pixels(min_area_um2, self.pixel_size_um)
        knows_pairs = len(self.pairs) > 1 and len(self.steps) > 0
        if split != "skeleton" or not knows_pairs:
            return split_plane(self.foreground > threshold, split, min_area_px, self.pixel_size_um)
        shrink = self.inner.size / max(1, self.foreground.size)
        inner = self._merged(threshold, min_area_px * shrink)
        labels = _at_shape(inner, self.foreground > threshold)
        return in_reading_order(drop_small(labels, min_area_px))

    def _merged(self, threshold: float, min_area_px: float) -> Labels:
        mask = self.inner > max(threshold, FLOOR)
        contact = np.zeros(mask.shape, np.float32)
        contact.ravel()[self.support] = self.pairs[0] / np.float32(_LEVELS)
        same = self.pairs[1:, mask.ravel()[self.support]] / np.float32(_LEVELS)
        return merge_fragments(
            mask,
            contact,
            same,
            self.steps,
            min_area_px=min_area_px,
            merge_above=self.merge_above,
        )


def _at_shape(labels: Labels, mask: NDArray[np.bool_]) -> Labels:
    """Return `labels` of another pixel size as labels of `mask`, nearest where none is."""
    if labels.shape != mask.shape:
        rows, columns = (
            np.minimum((np.arange(n) + 0.5) * m / n, m - 1).astype(np.intp)
            for n, m in zip(mask.shape, labels.shape, strict=True)
        )
        labels = labels[np.ix_(rows, columns)]
    if not labels.any():
        return np.zeros(mask.shape, np.int32)
    labels = np.where(mask, labels, 0)
    missing = mask & (labels == 0)
    if missing.any():
        near = ndimage.distance_transform_edt(
            labels == 0, return_distances=False, return_indices=True
        )
        part, _ = ndimage.label(mask, structure=np.ones((3, 3)))
        # a part that holds no label is an object of its own, not a piece of the nearest one
        is_apart = missing & (part[tuple(near)] != part)
        apart, _ = ndimage.label(is_apart, structure=np.ones((3, 3)))
        labels = np.where(is_apart, apart + labels.max(), labels[tuple(near)])
    return np.where(mask, labels, 0).astype(np.int32)
