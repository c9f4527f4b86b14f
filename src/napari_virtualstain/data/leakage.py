"""Search for images that share pixels, so that no test image also trains.

Random crops of one frame overlap. In the paper's published sample 13 of 60 test images
are byte-identical to training images, and 37 % of all test pixels also train. File
names do not show it; the content does.

Every 8x8 window has a hash of its exact values. Windows whose hash is below a limit are
anchors: the choice depends on the content only, so that two crops of one frame
choose the same anchors wherever they overlap. Equal anchors propose an offset, and
the offset counts if all pixels in common are equal. The cost grows with the number
of images, not of their pairs: about 10 ms for an image of 256x256.

Sets that were augmented before they were shared hold whole images flipped, turned, or stored
with another gain and offset. Those have the same histogram of grey levels, counted from the
darkest on, which proposes them; all pixels decide.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..progress import CancelToken, watched

_WINDOW = 8  # a power of two
_LEAST_ONE_IN = 61
_MOST_ANCHORS = 400_000
_LARGEST_BUCKET = 64
_SMALLEST_SHARED = 64
_MOST_LEVELS = 65_535
_BASE_Y, _BASE_X = 0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F


@dataclass(frozen=True, slots=True)
class SharedPixels:
    """Two images that show the same pixels.

    Attributes
    ----------
    first, second : int
        Their indices.
    offset_yx : tuple of int
        Where the corner of `second` lies in `first`, pixels.
    share : float
        Part of the smaller image that both have, 0 to 1.
    altered : bool
        One is the other flipped, turned, or with another gain and offset.
    """

    first: int
    second: int
    offset_yx: tuple[int, int]
    share: float
    altered: bool = False


def find_shared_pixels(
    images: Sequence[NDArray[np.generic]], *, cancel: CancelToken | None = None
) -> list[SharedPixels]:
    """Return all pairs of images that share pixels, and altered copies of whole images.

    Parameters
    ----------
    images : sequence of ndarray of shape (Y, X)
        Any sizes. Parts count where their values are equal; whole images also flipped,
        turned, or with another gain and offset (of several copies, each with the first).
    cancel : CancelToken, optional
        Looked at before each image.

    Examples
    --------
    >>> import numpy as np
    >>> frame = np.random.default_rng(0).integers(0, 255, (64, 64), dtype=np.uint8)
    >>> find_shared_pixels([frame[:48], frame[16:]])[0].offset_yx
    (16, 0)
    """
    buckets: dict[int, list[tuple[int, int, int]]] = defaultdict(list)
    # sparser anchors for large data keep the work bounded; one modulus must serve all images
    one_in = max(_LEAST_ONE_IN, sum(image.size for image in images) // _MOST_ANCHORS)
    for index, image in enumerate(watched(images, cancel)):
        for value, y, x in _anchors(image, one_in):
            buckets[value].append((index, y, x))
    votes: Counter[tuple[int, int, int, int]] = Counter()
    for places in watched(buckets.values(), cancel):
        # a window that is everywhere (an empty corner) says nothing about position
        if 1 < len(places) <= _LARGEST_BUCKET:
            _vote(places, votes)
    shared = _verified(images, votes)
    known = {(pair.first, pair.second) for pair in shared}
    altered = [o for o in _altered_copies(images, cancel) if (o.first, o.second) not in known]
    return sorted([*shared, *altered], key=lambda o: (o.first, o.second))


def merge_groups(groups: Sequence[str], shared: Sequence[SharedPixels]) -> tuple[str, ...]:
    """Return the groups with those joined that share pixels.

    Examples
    --------
    >>> merge_groups(["a", "b", "c"], [SharedPixels(0, 1, (0, 0), 1.0)])
    ('a', 'a', 'c')
    """
    parent = {group: group for group in groups}

    def root(group: str) -> str:
        while parent[group] != group:
            group = parent[group]
        return group

    for pair in shared:
        first, second = root(groups[pair.first]), root(groups[pair.second])
        parent[max(first, second)] = min(first, second)
    return tuple(root(group) for group in groups)


def _vote(places: list[tuple[int, int, int]], votes: Counter[tuple[int, int, int, int]]) -> None:
    for position, (first, y, x) in enumerate(places):
        for second, v, u in places[position + 1 :]:
            if first != second:
                votes[first, second, y - v, x - u] += 1


def _verified(
    images: Sequence[NDArray[np.generic]], votes: Counter[tuple[int, int, int, int]]
) -> list[SharedPixels]:
    found: dict[tuple[int, int], SharedPixels] = {}
    for (first, second, dy, dx), _ in votes.most_common():
        if (first, second) in found:
            continue
        a, b = _common(images[first], images[second], dy, dx)
        if a.size >= _SMALLEST_SHARED and np.array_equal(a, b) and a.min() != a.max():
            share = a.size / min(images[first].size, images[second].size)
            found[first, second] = SharedPixels(first, second, (dy, dx), share)
    return list(found.values())


def _altered_copies(
    images: Sequence[NDArray[np.generic]], cancel: CancelToken | None
) -> list[SharedPixels]:
    originals: dict[tuple[tuple[int, ...], bytes], list[int]] = defaultdict(list)
    found = []
    for index, image in enumerate(watched(images, cancel)):
        levels = _levels(image)
        if levels is None:
            continue
        histogram = hashlib.sha256(np.bincount(levels.ravel()).tobytes()).digest()
        alike = originals[tuple(sorted(levels.shape)), histogram]
        for first in alike:
            original = _levels(images[first])
            if original is not None and any(
                np.array_equal(original, turned) for turned in _turns(levels)
            ):
                found.append(SharedPixels(first, index, (0, 0), 1.0, altered=True))
                break
        else:
            alike.append(index)
    return found


def _levels(image: NDArray[np.generic]) -> NDArray[np.int64] | None:
    """Return grey levels from 0 on that no gain and offset changes; None of a constant image."""
    if image.size < _SMALLEST_SHARED:
        return None
    image = np.asarray(image)
    low, high = float(image.min()), float(image.max())
    if not np.isfinite([low, high]).all() or low == high:
        return None
    if image.dtype.kind != "f":
        above: NDArray[np.int64] = image.astype(np.int64) - int(low)
        above //= np.gcd.reduce(above, axis=None)
        if above.max() <= _MOST_LEVELS:
            return above
    scaled = (image.astype(np.float64) - low) / (high - low) * _MOST_LEVELS
    return np.rint(scaled).astype(np.int64)


def _turns(image: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    for turned in (image, image[:, ::-1]):
        for quarters in range(4):
            yield np.rot90(turned, quarters)


def _common(
    first: NDArray[np.generic], second: NDArray[np.generic], dy: int, dx: int
) -> tuple[NDArray[np.generic], NDArray[np.generic]]:
    """Return the parts of both images that coincide when `second` starts at (dy, dx)."""
    height = min(first.shape[0], second.shape[0] + dy) - max(0, dy)
    width = min(first.shape[1], second.shape[1] + dx) - max(0, dx)
    if height <= 0 or width <= 0:
        return first[:0], second[:0]
    y, x = max(0, dy), max(0, dx)
    v, u = max(0, -dy), max(0, -dx)
    return first[y : y + height, x : x + width], second[v : v + height, u : u + width]


def _anchors(image: NDArray[np.generic], one_in: int) -> list[tuple[int, int, int]]:
    """Return (hash, y, x) of the windows that the content itself selects."""
    if min(image.shape) < _WINDOW:
        return []
    hashes = _window_hashes(np.asarray(image))
    y, x = np.nonzero(hashes < 2**64 // one_in)  # the low bits are weak
    found = hashes[y, x]
    # empty windows all have one hash, and that of zeros is chosen: a padded stack has millions
    values, counts = np.unique(found, return_counts=True)
    rare = np.isin(found, values[counts <= _LARGEST_BUCKET])
    return list(zip(found[rare].tolist(), y[rare].tolist(), x[rare].tolist(), strict=True))


def _window_hashes(image: NDArray[np.generic]) -> NDArray[np.uint64]:
    """Return the hash of each window, (Y - 7, X - 7); arithmetic wraps on purpose."""
    rows = _polynomials(_as_integers(image).T, _BASE_X).T
    return _polynomials(rows, _BASE_Y)


def _polynomials(values: NDArray[np.uint64], base: int) -> NDArray[np.uint64]:
    """Return the sum of base^(k + 1) times row i + k over a window, for each first row i."""
    sums, reach = values * np.uint64(base), 1
    while reach < _WINDOW:  # a window is two of half the length
        later = sums[reach:] * np.uint64(pow(base, reach, 2**64))
        later += sums[:-reach]
        sums, reach = later, 2 * reach
    return sums


def _as_integers(image: NDArray[np.generic]) -> NDArray[np.uint64]:
    if image.dtype.kind == "f":
        bits = np.ascontiguousarray(image.astype(np.float64) + 0.0).view(np.uint64)
        return bits
    return image.astype(np.int64).view(np.uint64)
