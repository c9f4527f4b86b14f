"""A mask for a click: grown from the image around it, or a disc."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ..film.cells import FilmSource
from ..mask_book import Patch, cut_out

_HALF = 40
_SEARCH = 3
_LEAST_PX, _LARGEST_SHARE = 8, 0.25
_SHARES = (0.5, 0.6, 0.7, 0.8, 0.9)  # of the way from the background to the brightest pixel
_BRIGHTER = 2.0  # a mask with a pixel this much above the brightest near the click is another's


def grown(
    source: FilmSource | None,
    frame: int,
    y: float,
    x: float,
    radius_px: float,
    *,
    taken: np.ndarray | None = None,
    largest_px: float = np.inf,
) -> Patch:
    """Return a mask around a place.

    The pixels connected with the brightest one near the click that are brighter than half way
    between it and the background, or more than half way where that is too large; a disc where no
    such mask is plausible.

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
    taken : ndarray, shape (Y, X), or None
        Not 0 where other mitochondria are: the mask leaves them out.
    largest_px : float
        Pixels that a mask may have.
    """
    side = 2 * _HALF + 1
    top, left = round(y) - _HALF, round(x) - _HALF
    rows, columns = np.indices((side, side)) - _HALF
    free = np.ones((side, side), bool)
    if taken is not None:
        free = cut_out(taken, y, x, _HALF) == 0
    mask = None
    if source is not None and 0 <= frame < len(source.data):
        plane = np.asarray(source.data[frame], np.float32)
        plane = plane.max(axis=0) if plane.ndim == 3 else plane
        window = cut_out(plane, y + source.offset[0], x + source.offset[1], _HALF)
        mask = _grow(ndimage.gaussian_filter(window, 0.7), free, largest_px)
    disc = (np.hypot(rows, columns) <= radius_px) & free
    return Patch(frame, top, left, disc if mask is None else mask)


def _grow(window: np.ndarray, free: np.ndarray, largest_px: float) -> np.ndarray | None:
    near = slice(_HALF - _SEARCH, _HALF + _SEARCH + 1)
    if not free[near, near].any():
        return None
    bright = np.where(free, window, -np.inf)[near, near]
    seed = tuple(int(p) + near.start for p in np.unravel_index(np.argmax(bright), bright.shape))
    background = float(np.median(window[free]))
    height = float(window[seed]) - background
    if height <= 0:
        return None
    most = min(largest_px, _LARGEST_SHARE * window.size)
    for share in _SHARES:
        parts, _ = ndimage.label((window > background + share * height) & free)
        mask = parts == parts[seed]
        is_own = window[mask].max() <= background + _BRIGHTER * height
        if is_own and _LEAST_PX <= mask.sum() <= most:
            return np.asarray(mask)
    return None


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
    place = edges[quarter + int(np.argmin(middle))] + 0.5
    first = np.zeros_like(mask)
    first[tuple(places[along < place].T)] = True
    second = mask & ~first
    return (first, second) if first.sum() >= second.sum() else (second, first)
