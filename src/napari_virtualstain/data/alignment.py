"""Alignment of the fluorescence of a group of pairs with its bright-field, and its faults.

Grey values of the two cannot be correlated. A virtual stain of the bright-field image, even a
poor one, shows the same structures as the fluorescence, and its correlation with it has its
peak where the channels fit: on six real cells a stain that never saw them finds known shifts
of up to 12 px to 0.3 px, where the local contrast of the bright-field, used when there is no
stain, is up to 2.5 px off because granules lie beside the mitochondria.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from ..normalisation import spread_evenly
from ..progress import CancelToken, watched
from .correlative_pairs import CorrelativePairs
from .foreground import middle
from .registration import band, enough_pairs, local_variance, peak_offset

Reference = Callable[[NDArray[np.generic]], NDArray[np.floating]]
_Image = NDArray[np.float64]

CERTAIN = 6.0
_BAND_PX = (1.0, 4.0)
_PEAK_PX, _FIT_PX = 6, 2
_LARGEST = 512
# A shift is known from this height of the peak, and below this standard error. Of six real and
# six simulated cells, 1 to 8 frames of 100 or 200 px, all of 31 fields with a standard error up
# to 0.3 px are found within 0.3 px, and 53 % of 246 up to 1.2 px. Twice the standard error holds
# in 98 % (docs/registration_table.py)
_KNOWN, _SPREAD_PX = 8.0, 1.2
_FINE_PX = 0.3  # standard error above which the text says "about"
_BOUND = 2.0
_CONTRAST_PX = 2.5  # error of the local contrast, however certain
_SURE_PX = {True: 1.0, False: 4.0}  # smallest shift worth a word: with a stain, and without
_GAIN = 1.15  # by how much a turned or magnified channel must fit better
_FEW, _PARTS = 6, 3


@dataclass(frozen=True, slots=True)
class Alignment:
    """Displacement of the fluorescence of some pairs.

    Attributes
    ----------
    dy, dx : float
        Pixels by which it is displaced.
    angle_deg, scale : float
        By which it is turned (from y to x) and magnified about the middle.
    significance : float
        Height of the correlation peak over its surroundings, in standard deviations.
    spread_px : float
        Standard error of the shift, pixels: over the pairs, or over the parts of the field where
        that is larger, because frames of one cell repeat the same structures.
    has_stain : bool
        Whether a virtual stain was compared; otherwise the local contrast was.
    problem : str
        ``same``, ``swapped`` or ``mirrored``; empty where there is none.
    pairs : int
        Number of pairs looked at.
    """

    dy: float = 0.0
    dx: float = 0.0
    angle_deg: float = 0.0
    scale: float = 1.0
    significance: float = 0.0
    spread_px: float = 0.0
    has_stain: bool = True
    problem: str = ""
    pairs: int = 0

    @property
    def distance(self) -> float:
        """Length of the shift, pixels."""
        return float(np.hypot(self.dy, self.dx))

    @property
    def is_certain(self) -> bool:
        """Whether the shift is known."""
        return not self.problem and self.significance >= _KNOWN and self.spread_px <= _SPREAD_PX

    @property
    def within_px(self) -> float:
        """Largest error to expect along an axis, pixels."""
        return max(_BOUND * self.spread_px, 0.0 if self.has_stain else _CONTRAST_PX)

    @property
    def is_fine(self) -> bool:
        """Whether the shift is known to 0.3 px."""
        return self.is_certain and self.has_stain and self.spread_px <= _FINE_PX

    @property
    def is_worth_correcting(self) -> bool:
        """Whether the channels are certainly displaced, turned or magnified."""
        deformed = self.angle_deg != 0 or self.scale != 1
        least = max(_SURE_PX[self.has_stain], 2 * self.spread_px)
        return self.is_certain and (deformed or self.distance > least)

    @property
    def text(self) -> str:
        """What a person should know.

        Examples
        --------
        >>> Alignment(6.1, -5.0, significance=9.0, spread_px=0.2, pairs=8).text
        'fluorescence displaced by dy +6.1, dx -5.0 px (± 0.2)'
        >>> Alignment(6.1, -5.0, significance=9.0, spread_px=0.5, pairs=8).text
        'fluorescence displaced by about dy +6.1, dx -5.0 px, within 1.0'
        >>> Alignment(significance=3.0, pairs=8).text
        'shift unknown: the channels show too little in common'
        """
        named = {
            "same": "both layers hold the same image",
            "swapped": "the channels seem to be swapped: the bright-field looks like fluorescence",
            "mirrored": "the fluorescence is mirrored against the bright-field",
        }
        if self.problem:
            return named[self.problem]
        if not self.is_certain:
            return "shift unknown: the channels show too little in common"
        shift = f"dy {self.dy:+.1f}, dx {self.dx:+.1f} px"
        if self.is_fine:
            parts = [f"displaced by {shift} (± {self.spread_px:.1f})"]
        else:
            parts = [f"displaced by about {shift}, within {self.within_px:.1f}"]
        if self.angle_deg:
            parts.append(f"turned by {self.angle_deg:+.1f} degrees")
        if self.scale != 1:
            parts.append(f"magnified by {self.scale:.3f}")
        return "fluorescence " + ", ".join(parts)


def measure_alignments(
    pairs: CorrelativePairs,
    *,
    stain: Reference | None = None,
    search_px: int = 16,
    most_pairs: int = 32,
    cancel: CancelToken | None = None,
) -> dict[str, Alignment]:
    """Return the alignment of each group of pairs.

    Groups that have a movie in common, such as regions of one field, are measured together:
    they were recorded by the same channels.

    Parameters
    ----------
    pairs : CorrelativePairs
        Of any groups.
    stain : callable, optional
        Takes the bright-field planes (P, Y, X) of a pair and returns a virtual stain (Y, X).
    search_px : int
        Largest shift looked for along each axis.
    most_pairs : int
        Pairs of a group that are looked at, fewer of large images: the shift is that of a whole
        recording, and its error falls with the number of frames.
    cancel : CancelToken, optional
        Looked at before each pair.

    Examples
    --------
    >>> images = np.random.default_rng(0).normal(size=(2, 64, 64))
    >>> pairs = CorrelativePairs.from_arrays(images, images)
    >>> measure_alignments(pairs)["all"].problem
    'same'
    """
    found: dict[str, Alignment] = {}
    for groups in _recorded_together(pairs):
        members = pairs.of_groups(groups)
        members = members.subset(spread_evenly(enough_pairs(members, most_pairs), len(members)))
        centre = members.planes // 2
        references, targets, lights = [], [], []
        for light, target in watched(
            zip(members.bright_field, members.fluorescence, strict=True), cancel
        ):
            image = light[centre] if stain is None else stain(light)
            references.append(middle(np.asarray(image), _LARGEST))
            targets.append(middle(target, _LARGEST))
            lights.append(middle(light[centre], _LARGEST))
        alignment = measure_alignment(
            references,
            targets,
            bright_field=lights,
            has_stain=stain is not None,
            search_px=search_px,
            cancel=cancel,
        )
        found |= dict.fromkeys(groups, alignment)
    return found


def _recorded_together(pairs: CorrelativePairs) -> list[list[str]]:
    """Return the groups, those that share a movie in one list."""
    together: list[tuple[set[str], list[str]]] = []
    for group in pairs.group_names:
        movies = {m for m, g in zip(pairs.movies, pairs.groups, strict=True) if g == group}
        joined = [one for one in together if one[0] & movies]
        for one in joined:
            together.remove(one)
            movies |= one[0]
        together.append((movies, [name for one in joined for name in one[1]] + [group]))
    return [groups for _, groups in together]


def measure_alignment(
    references: Sequence[ArrayLike],
    fluorescence: Sequence[ArrayLike],
    *,
    bright_field: Sequence[ArrayLike] = (),
    has_stain: bool = True,
    search_px: int = 16,
    cancel: CancelToken | None = None,
) -> Alignment:
    """Return how the fluorescence lies on its reference.

    Parameters
    ----------
    references : sequence of array of shape (Y, X)
        Virtual stains, or the bright-field images themselves.
    fluorescence : sequence of array of shape (Y, X)
        Of the same fields.
    bright_field : sequence of array of shape (Y, X)
        For recognising swapped channels and one image given twice; may be left out.
    has_stain : bool
        Whether the references are stains; of bright-field images the local contrast counts.
    search_px : int
        Largest shift looked for along each axis.
    cancel : CancelToken, optional
        Looked at before each pair.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> scene = ndimage.gaussian_filter(rng.normal(size=(128, 128)), 2)
    >>> found = measure_alignment([scene[8:-8, 8:-8]], [scene[5:-11, 12:-4]])
    >>> round(found.dy, 1), round(found.dx, 1)
    (3.0, -4.0)
    """
    lights = [np.asarray(image, np.float64) for image in bright_field]
    targets = [np.asarray(image, np.float64) for image in fluorescence]
    count = len(targets)
    if lights and all(_is_same(a, b) for a, b in zip(lights, targets, strict=True)):
        return Alignment(problem="same", has_stain=has_stain, pairs=count)
    if lights and _is_swapped(lights, targets):
        return Alignment(problem="swapped", has_stain=has_stain, pairs=count)
    prepared = [_prepared(np.asarray(image, np.float64), has_stain) for image in references]
    usable = [
        (reference, target)
        for reference, target in zip(prepared, targets, strict=True)
        if reference is not None and target.std() > 0 and min(target.shape) > 2 * search_px
    ]
    if not usable:
        return Alignment(has_stain=has_stain, pairs=count)
    each = [
        _correlation(reference, _band(target), search_px)
        for reference, target in watched(usable, cancel)
    ]
    few = usable[:: max(1, len(usable) // _FEW)][:_FEW]
    plain = _peak_of(each, search_px, has_stain, _by_parts(usable, search_px))
    if _is_mirrored(few, search_px, plain):
        return Alignment(problem="mirrored", has_stain=has_stain, pairs=count)
    angle, scale = _deformation(few, search_px, cancel) if has_stain else (0.0, 1.0)
    if (angle, scale) == (0.0, 1.0):
        return plain
    turned = [
        (reference, straightened(target, angle, scale))
        for reference, target in watched(usable, cancel)
    ]
    each = [_correlation(reference, _band(target), search_px) for reference, target in turned]
    straight = _peak_of(each, search_px, has_stain, _by_parts(turned, search_px))
    return Alignment(
        straight.dy,
        straight.dx,
        angle,
        scale,
        straight.significance,
        straight.spread_px,
        has_stain,
        pairs=count,
    )


def straightened(image: NDArray[np.generic], angle_deg: float, scale: float) -> _Image:
    """Return an image turned back by an angle and shrunk by a scale, about its middle.

    Examples
    --------
    >>> straightened(np.eye(3), 90.0, 1.0).round(6).tolist()
    [[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]
    """
    angle = np.deg2rad(angle_deg)
    matrix = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    centre = (np.array(image.shape) - 1) / 2
    turned: _Image = ndimage.affine_transform(
        np.asarray(image, np.float64), matrix, centre - matrix @ centre, order=1, mode="reflect"
    )
    return turned


def _prepared(image: _Image, has_stain: bool) -> _Image | None:
    if not np.isfinite(image).all() or not image.std() > 0:
        return None
    if has_stain:
        return _band(image)
    return _band(np.sqrt(local_variance(image)))


def _band(image: _Image) -> _Image:
    return band(image, _BAND_PX)


def _correlation(reference: _Image, target: _Image, search_px: int) -> _Image:
    """Return the mean product over the common pixels at each shift."""
    from scipy import fft  # takes 60 ms, which docks that ask for the skewness do not have

    shape = [fft.next_fast_len(n + 2 * search_px, real=True) for n in reference.shape]
    product = np.conj(fft.rfft2(reference, shape)) * fft.rfft2(target, shape)
    side = 2 * search_px + 1
    sums = np.roll(fft.irfft2(product, shape), (search_px, search_px), (0, 1))[:side, :side]
    moves = np.abs(np.arange(side) - search_px)
    rows, columns = (n - moves for n in reference.shape)
    mean: _Image = sums / np.multiply.outer(rows, columns)
    return mean


def _by_parts(pairs: Sequence[tuple[_Image, _Image]], search_px: int) -> list[_Image]:
    """Return what each of nine parts of the field adds to the correlation of all pairs."""
    parts = []
    banded = [(reference, _band(target)) for reference, target in pairs]
    for row, column in np.ndindex(_PARTS, _PARTS):
        total = np.zeros((2 * search_px + 1,) * 2)
        for reference, target in banded:
            place = tuple(
                slice(n * i // _PARTS, n * (i + 1) // _PARTS)
                for n, i in zip(reference.shape, (row, column), strict=True)
            )
            part = np.zeros_like(reference)
            part[place] = reference[place]
            total += _correlation(part, target, search_px)
        parts.append(total)
    return parts


def _jackknife(parts: Sequence[_Image], search_px: int) -> float:
    """Return the standard error of the peak of a sum, from leaving out each of its parts."""
    if len(parts) < 3:
        return 0.0
    total = np.sum(parts, axis=0)
    left_out = np.array([_vertex(total - one, search_px) for one in parts])
    variance = (len(parts) - 1) / len(parts) * ((left_out - left_out.mean(0)) ** 2).sum()
    return float(np.sqrt(variance))


def _peak_of(
    each: Sequence[_Image], search_px: int, has_stain: bool, parts: Sequence[_Image]
) -> Alignment:
    total = np.sum(each, axis=0)
    dy, dx = _vertex(total, search_px)
    spread = max(_jackknife(each, search_px), _jackknife(parts, search_px))
    return Alignment(
        dy,
        dx,
        significance=_significance(total),
        spread_px=spread,
        has_stain=has_stain,
        pairs=len(each),
    )


def _significance(correlation: _Image) -> float:
    y, x = np.unravel_index(np.argmax(correlation), correlation.shape)
    around = np.ones(correlation.shape, bool)
    around[max(0, y - _PEAK_PX) : y + _PEAK_PX + 1, max(0, x - _PEAK_PX) : x + _PEAK_PX + 1] = False
    elsewhere = correlation[around]
    return float((correlation.max() - elsewhere.mean()) / (elsewhere.std() or 1.0))


def _vertex(correlation: _Image, search_px: int) -> tuple[float, float]:
    """Return the maximum of a paraboloid fitted around the highest value."""
    reach, last = _FIT_PX, len(correlation) - 1
    y, x = (
        int(np.clip(i, reach, last - reach))
        for i in np.unravel_index(np.argmax(correlation), correlation.shape)
    )
    dy, dx = np.mgrid[-reach : reach + 1, -reach : reach + 1].reshape(2, -1).astype(float)
    root = np.sqrt(np.exp(-(dy**2 + dx**2) / (2 * (reach / 1.5) ** 2)))
    terms = np.stack([np.ones_like(dy), dy, dx, dy**2, dx**2, dy * dx], axis=1)
    values = correlation[y - reach : y + reach + 1, x - reach : x + reach + 1].ravel()
    _, a, b, aa, bb, ab = np.linalg.lstsq(terms * root[:, None], values * root, rcond=None)[0]
    bend = np.array([[2 * aa, ab], [ab, 2 * bb]])
    top = np.zeros(2)
    if aa < 0 and bb < 0 and abs(np.linalg.det(bend)) > 0:
        top = np.clip(-np.linalg.solve(bend, [a, b]), -reach, reach)
    return float(y - search_px + top[0]), float(x - search_px + top[1])


def _is_same(first: _Image, second: _Image) -> bool:
    if first.shape != second.shape or not (first.std() > 0 and second.std() > 0):
        return False
    return bool(abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) > 0.98)


def _is_swapped(lights: Sequence[_Image], targets: Sequence[_Image]) -> bool:
    """Whether the bright-field has bright structures alone, and the fluorescence both."""
    bright, dark = (
        float(np.median([fine_skewness(image) for image in images])) for images in (lights, targets)
    )
    return bright > 1.2 and bright > dark + 0.5


def fine_skewness(plane: ArrayLike) -> float:
    """Return the skewness of the fine structures of an image.

    Bright-field shows bright and dark rims, fluorescence bright structures alone: of 6 real
    cells the former has 0.4 to 2.1, the latter 0.9 to 3.1, and always more than its partner.

    Examples
    --------
    >>> grey = np.random.default_rng(0).normal(100, 10, (64, 64))
    >>> fine_skewness(grey) < 0.5 < fine_skewness(np.exp(grey / 5))
    True
    """
    values = np.nan_to_num(np.asarray(plane, float))
    fine = ndimage.gaussian_filter(values, 1.0) - ndimage.gaussian_filter(values, 4.0)
    low, high = np.percentile(fine, [0.2, 99.8])
    fine = np.clip(fine, low, high)
    spread = float(fine.std())
    return float(((fine - fine.mean()) ** 3).mean()) / spread**3 if spread > 0 else 0.0


def _is_mirrored(pairs: Sequence[tuple[_Image, _Image]], search_px: int, plain: Alignment) -> bool:
    if plain.significance >= CERTAIN:
        return False
    best = max(
        _significance(
            np.sum(
                [
                    _correlation(ref, _band(np.flip(target, axis)), search_px)
                    for ref, target in pairs
                ],
                axis=0,
            )
        )
        for axis in (0, 1)
    )
    return best >= CERTAIN + 1 and best > 1.4 * plain.significance


def _deformation(
    pairs: Sequence[tuple[_Image, _Image]], search_px: int, cancel: CancelToken | None
) -> tuple[float, float]:
    """Return angle and scale that fit best, 0 and 1 unless they fit clearly better."""

    def height(angle: float, scale: float) -> float:
        if cancel is not None:
            cancel.raise_if_cancelled()
        total = np.sum(
            [
                _correlation(reference, _band(straightened(target, angle, scale)), search_px)
                for reference, target in pairs
            ],
            axis=0,
        )
        return float(total.max())

    plain = height(0.0, 1.0)
    angles = {angle: height(angle, 1.0) for angle in (-4.0, -3.0, -2.0, -1.0, 1.0, 2.0, 3.0, 4.0)}
    angles[0.0] = plain
    angle = _refined(angles)
    scales = {scale: height(angle, scale) for scale in (0.94, 0.96, 0.98, 1.02, 1.04, 1.06)}
    scales[1.0] = height(angle, 1.0)
    scale = _refined(scales)
    if height(angle, scale) < _GAIN * plain:
        return 0.0, 1.0
    if scales[1.0] > 0 and max(scales.values()) < 1.05 * scales[1.0]:
        scale = 1.0
    if abs(angle) < 0.25:
        angle = 0.0
    return round(angle, 2), round(scale, 4)


def _refined(heights: dict[float, float]) -> float:
    """Return the vertex of the parabola through the highest value and its neighbours."""
    places = sorted(heights)
    values = [heights[place] for place in places]
    index = int(np.argmax(values))
    offset = peak_offset(values, index)
    return places[index] + (offset * (places[index + 1] - places[index]) if offset else 0.0)
