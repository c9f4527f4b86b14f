"""Result of linking: detections with track ids and link quality."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..detections import Detections, FloatArray, IntArray
from ..events.lifetimes import Lifetimes
from ..mask_pixels import MaskPixels


@dataclass(frozen=True, slots=True)
class Linking:
    """Detections with their tracks and what is known of each link.

    Attributes
    ----------
    detections : Detections
        n of them.
    track_ids : ndarray of shape (n,)
        Track of each, from 1.
    quality : ndarray of shape (n,)
        Probability that the link to each is right.
    reason : ndarray of str, shape (n,)
        Why it is doubtful.
    step_um : float
        How far objects go in a frame, along an axis.
    masks : MaskPixels or None
        Pixels of the objects.
    lifetimes : Lifetimes or None
        How soon things end, where that was estimated before fragments of objects were joined.
    """

    detections: Detections
    track_ids: IntArray
    quality: FloatArray
    reason: np.ndarray
    step_um: float
    masks: MaskPixels | None = None
    lifetimes: Lifetimes | None = None
