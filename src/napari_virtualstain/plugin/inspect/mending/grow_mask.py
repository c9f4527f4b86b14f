"""A mask for a click: grown from the image around it, or a disc."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ..film.cells import FilmSource
from ..mask_book import Patch, cut_out

_HALF = 40
_SEARCH = 3
_LEAST_PX, _LARGEST_SHARE = 8, 0.25


def grown(source: FilmSource | None, frame: int, y: float, x: float, radius_px: float) -> Patch:
    """Return a mask around a place.

    The pixels connected with the brightest one near the click that are brighter than half way
    between it and the background; a disc where that gives no plausible mask.

    Parameters
    ----------
    source : FilmSource or None
        Fluorescence, virtual or true.
    frame : int
        Frame.
    y, x : float
        Place, pixels.
    radius_px : float
        Of the disc.
    """
    side = 2 * _HALF + 1
    top, left = round(y) - _HALF, round(x) - _HALF
    rows, columns = np.indices((side, side)) - _HALF
    disc = np.hypot(rows, columns) <= radius_px
    if source is not None and 0 <= frame < len(source.data):
        plane = np.asarray(source.data[frame], np.float32)
        plane = plane.max(axis=0) if plane.ndim == 3 else plane
        window = cut_out(plane, y + source.offset[0], x + source.offset[1], _HALF)
        mask = _grow(ndimage.gaussian_filter(window, 0.7))
        if mask is not None:
            return Patch(frame, top, left, mask)
    return Patch(frame, top, left, disc)


def _grow(window: np.ndarray) -> np.ndarray | None:
    near = slice(_HALF - _SEARCH, _HALF + _SEARCH + 1)
    peak = np.unravel_index(int(np.argmax(window[near, near])), (2 * _SEARCH + 1,) * 2)
    seed = tuple(int(p) + _HALF - _SEARCH for p in peak)
    background = float(np.median(window))
    level = (float(window[seed]) + background) / 2
    if not float(window[seed]) > background:
        return None
    parts, _ = ndimage.label(window > level)
    mask = parts == parts[seed]
    is_plausible = _LEAST_PX <= mask.sum() <= _LARGEST_SHARE * mask.size
    return mask if is_plausible and parts[seed] else None


def halves(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the two parts of a mask, cut across its long axis where it is narrowest.

    Returns
    -------
    tuple of ndarray of bool, or None
        The larger part first; None for a mask of fewer than eight pixels.
    """
    places = np.argwhere(mask)
    if len(places) < _LEAST_PX:
        return None
    centred = places - places.mean(axis=0)
    _, vectors = np.linalg.eigh(centred.T @ centred)
    along = centred @ vectors[:, -1]
    edges = np.arange(along.min() - 0.5, along.max() + 1.5)
    counts, _ = np.histogram(along, edges)
    counts = ndimage.uniform_filter1d(counts.astype(float), 3)
    quarter = max(1, len(counts) // 4)
    middle = counts[quarter : len(counts) - quarter]
    if not len(middle):
        return None
    place = edges[quarter + int(np.argmin(middle))] + 0.5
    first = np.zeros_like(mask)
    first[tuple(places[along < place].T)] = True
    second = mask & ~first
    if not first.any() or not second.any():
        return None
    return (first, second) if first.sum() >= second.sum() else (second, first)
