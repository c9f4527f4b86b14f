"""Displacement between the two images of a pair, with its certainty.

Bright-field and fluorescence look different, so grey values cannot be correlated.
What they share is where structure is: the local contrast of the bright-field image
follows the brightness of the fluorescence. One crop is too weak for a sure answer
(the peak drowns in its own noise), so the correlation is summed over all pairs of a
group, and the answer comes with its significance. A single frame counts for itself only
where its own peak is certain and lies elsewhere than its group's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import fft, ndimage

from ..progress import CancelToken, watched
from .correlative_pairs import CorrelativePairs
from .foreground import middle

_FloatImage = NDArray[np.float64]
SIGNIFICANT = 6.0
_CONTRAST_PX = 2.0  # Gaussian window of the local contrast
_BAND_PX = (1.0, 8.0)  # where both images show the same structures; that of the band-pass Pearson
_PEAK_PX = 6  # how far the peak of such structures reaches; its noise is taken beyond
MOST_PAIRS, _FEWEST_PAIRS = 24, 6
# as many as 32 crops of 256 x 256
_ENOUGH_PIXELS = 2**21


@dataclass(frozen=True, slots=True)
class Shift:
    """Displacement of the fluorescence relative to the bright-field image.

    Attributes
    ----------
    dy, dx : float
        Pixels by which the fluorescence is displaced.
    significance : float
        Height of the correlation peak over its surroundings, in standard deviations.
    pairs : int
        Number of pairs that were summed.
    """

    dy: float
    dx: float
    significance: float
    pairs: int

    @property
    def distance(self) -> float:
        """Length of the shift, pixels."""
        return float(np.hypot(self.dy, self.dx))

    @property
    def is_certain(self) -> bool:
        """Whether the peak stands out of its own noise."""
        return self.significance >= SIGNIFICANT


NO_SHIFT = Shift(0.0, 0.0, 0.0, 0)


def measure_shift(
    bright_field: Sequence[ArrayLike],
    fluorescence: Sequence[ArrayLike],
    *,
    search_px: int = 16,
    cancel: CancelToken | None = None,
) -> Shift:
    """Return the shift that all pairs have in common, to a fraction of a pixel.

    Parameters
    ----------
    bright_field, fluorescence : sequences of array of shape (Y, X)
        Pairs; each pair of one size.
    search_px : int
        Largest shift looked for along each axis.
    cancel : CancelToken, optional
        Looked at before each pair.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> scene = ndimage.gaussian_filter(rng.normal(size=(96, 96)), 2)
    >>> bright = [scene[8:-8, 8:-8]]
    >>> moved = [scene[5:-11, 8:-8] ** 2]
    >>> shift = measure_shift(bright, moved)
    >>> round(shift.dy), round(shift.dx)
    (3, 0)
    """
    total = np.zeros((2 * search_px + 1,) * 2)
    used = 0
    both = zip(bright_field, fluorescence, strict=True)
    for inputs, target in watched(both, cancel):
        correlation = _correlation(
            np.asarray(inputs, np.float64), np.asarray(target, np.float64), search_px
        )
        if correlation is not None:
            total += correlation
            used += 1
    return _peak(total, search_px, used)


def measure_shifts(
    pairs: CorrelativePairs,
    *,
    search_px: int = 16,
    most_pairs: int = MOST_PAIRS,
    cancel: CancelToken | None = None,
) -> dict[str, Shift]:
    """Return the shift of each group of pairs, from at most `most_pairs` of them.

    Of large images fewer are looked at: what counts is the area.

    Examples
    --------
    >>> images = np.random.default_rng(0).normal(size=(2, 64, 64))
    >>> sorted(measure_shifts(CorrelativePairs.from_arrays(images, images, groups=["a", "b"])))
    ['a', 'b']
    """
    shifts = {}
    for group in pairs.group_names:
        members = sampled(pairs, group, most_pairs)
        centre = members.planes // 2
        inputs = [middle(image[centre]) for image in members.bright_field]
        targets = [middle(image) for image in members.fluorescence]
        shifts[group] = measure_shift(inputs, targets, search_px=search_px, cancel=cancel)
    return shifts


def frame_shifts(
    pairs: CorrelativePairs,
    shifts: Mapping[str, Shift],
    *,
    search_px: int = 16,
    apart_px: float = 1.0,
    cancel: CancelToken | None = None,
) -> tuple[Shift, ...]:
    """Return the shift of each pair: its own where the evidence suffices, else its group's.

    Parameters
    ----------
    pairs : CorrelativePairs
        Of any groups.
    shifts : dict of str to Shift
        Of :func:`measure_shifts`.
    search_px : int
        Largest shift looked for along each axis.
    apart_px : float
        A certain peak of one frame that is nearer to the group's shift than this is the
        group's, which rests on more frames.
    cancel : CancelToken, optional
        Looked at before each pair.

    Examples
    --------
    >>> images = np.random.default_rng(0).normal(size=(2, 64, 64))
    >>> pairs = CorrelativePairs.from_arrays(images, images)
    >>> len(frame_shifts(pairs, measure_shifts(pairs)))
    2
    """
    found = []
    each = zip(pairs.bright_field, pairs.fluorescence, pairs.groups, strict=True)
    for image, target, group in watched(each, cancel):
        common = shifts.get(group, NO_SHIFT)
        own = measure_shift([middle(image[len(image) // 2])], [middle(target)], search_px=search_px)
        far = np.hypot(own.dy - common.dy, own.dx - common.dx) >= apart_px
        found.append(own if own.is_certain and (far or not common.is_certain) else common)
    return tuple(found)


def shift_map(
    bright_field: Sequence[ArrayLike],
    fluorescence: Sequence[ArrayLike],
    *,
    blocks: int = 4,
    search_px: int = 12,
    cancel: CancelToken | None = None,
) -> list[list[Shift]]:
    """Return the shift of each part of the field, summed over the pairs.

    Blocks that differ from each other mean a rotation, a different magnification, or
    structures that moved between the exposures.

    Parameters
    ----------
    bright_field, fluorescence : sequences of array of shape (Y, X)
        All of one size.
    blocks : int
        Number of blocks along each axis.
    search_px : int
        Largest shift looked for.
    cancel : CancelToken, optional
        Looked at before each part of a pair.

    Examples
    --------
    >>> image = np.random.default_rng(0).random((128, 128))
    >>> field = shift_map([image], [image], blocks=2)
    >>> len(field), len(field[0])
    (2, 2)
    """
    height, width = np.asarray(fluorescence[0]).shape
    rows = np.linspace(0, height, blocks + 1).astype(int)
    columns = np.linspace(0, width, blocks + 1).astype(int)

    def part(images: Sequence[ArrayLike], i: int, j: int) -> list[NDArray[np.generic]]:
        block = np.s_[rows[i] : rows[i + 1], columns[j] : columns[j + 1]]
        return [np.asarray(image)[block] for image in images]

    return [
        [
            measure_shift(
                part(bright_field, i, j),
                part(fluorescence, i, j),
                search_px=search_px,
                cancel=cancel,
            )
            for j in range(blocks)
        ]
        for i in range(blocks)
    ]


def sampled(pairs: CorrelativePairs, group: str, most: int) -> CorrelativePairs:
    """Return at most `most` pairs of a group, evenly spread, and fewer of large images."""
    members = pairs.of_groups([group])
    most = enough_pairs(members, most)
    return members.subset(range(0, len(members), -(-len(members) // most)))


def enough_pairs(pairs: CorrelativePairs, most: int) -> int:
    """Return how many pairs suffice: `most`, and fewer of large images.

    Examples
    --------
    >>> images = np.zeros((2, 1024, 1024))
    >>> enough_pairs(CorrelativePairs.from_arrays(images, images), 24)
    6
    """
    area = max(image.size for image in pairs.fluorescence)
    return min(most, max(_FEWEST_PAIRS, _ENOUGH_PIXELS // area))


def _correlation(inputs: _FloatImage, target: _FloatImage, search_px: int) -> _FloatImage | None:
    """Return the normalised correlation at each shift up to `search_px`, or None."""
    if min(inputs.shape) <= 2 * search_px or not (inputs.std() > 0 and target.std() > 0):
        return None
    structure = band(np.sqrt(local_variance(inputs)))
    brightness = band(target)
    shape = [fft.next_fast_len(n + 2 * search_px, real=True) for n in inputs.shape]
    product = np.conj(fft.rfft2(structure, shape)) * fft.rfft2(brightness, shape)
    correlation = fft.irfft2(product, shape) / inputs.size
    return np.roll(correlation, (search_px, search_px), (0, 1))[
        : 2 * search_px + 1, : 2 * search_px + 1
    ]


def local_variance(image: _FloatImage) -> _FloatImage:
    """Return the variance about each pixel, in a Gaussian window of two pixels."""
    mean = ndimage.gaussian_filter(image, _CONTRAST_PX, mode="mirror")
    squares = ndimage.gaussian_filter((image - mean) ** 2, _CONTRAST_PX, mode="mirror")
    return np.maximum(squares, 0)


def band(image: _FloatImage, scales_px: tuple[float, float] = _BAND_PX) -> _FloatImage:
    """Return the image between two Gaussian scales, mean 0 and standard deviation 1."""
    fine, coarse = scales_px
    found = ndimage.gaussian_filter(image, fine, mode="mirror")
    found -= ndimage.gaussian_filter(image, coarse, mode="mirror")
    found -= found.mean()
    deviation = found.std()
    return found / deviation if deviation > 0 else found


def _peak(correlation: _FloatImage, search_px: int, pairs: int) -> Shift:
    if not pairs or not correlation.std() > 0:
        return Shift(0.0, 0.0, 0.0, pairs)
    y, x = (int(i) for i in np.unravel_index(np.argmax(correlation), correlation.shape))
    around = np.ones(correlation.shape, bool)
    reach = _PEAK_PX
    around[max(0, y - reach) : y + reach + 1, max(0, x - reach) : x + reach + 1] = False
    elsewhere = correlation[around] if around.any() else correlation.ravel()
    spread = float(elsewhere.std()) or 1.0
    significance = float((correlation[y, x] - elsewhere.mean()) / spread)
    dy = y - search_px + peak_offset(correlation[:, x], y)
    dx = x - search_px + peak_offset(correlation[y], x)
    return Shift(float(dy), float(dx), significance, pairs)


def peak_offset(values: _FloatImage | Sequence[float], index: int) -> float:
    """Return the sub-pixel offset of the parabola through the maximum and its neighbours."""
    if not 0 < index < len(values) - 1:
        return 0.0
    before, at, after = values[index - 1 : index + 2]
    curvature = before - 2 * at + after
    return float(0.5 * (before - after) / curvature) if curvature < 0 else 0.0
