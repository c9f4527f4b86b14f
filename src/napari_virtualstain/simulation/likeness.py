"""Simulated pairs that look like a bright-field movie, for a microscope without fluorescence.

Scenes of many kinds are drawn under the microscope that the user states. Those whose
bright-field resembles the movie's (spectrum, sharpness of its structures, noise) are kept, and
the pairs are simulated with their settings: approximate Bayesian computation, with the
bright-field's statistics as the summary.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from ..errors import InputError
from ..progress import CancelToken, ProgressCallback, Reporter
from .scene_config import Microscope, SceneConfig
from .simulate import simulate
from .stills import Still, still_of, varied

FloatArray = NDArray[np.float64]
_Images = Sequence[NDArray[np.generic]]
_SCALES_PX = (0.7, 1.0, 1.4, 2.0, 2.8, 4.0, 5.6, 8.0, 16.0)
_SHAPED = (1, 3, 5, 7)
# Statistics of a movie and of a scene differ by this share of the scenes' spread without
# being different kinds of images
_TOLERANCE, _FOR_FEW = 0.35, 0.35
# Root mean square over the statistics, in these units; a movie of the simulator's own scenes
# lies at 0.3 to 0.9 (a single frame: to 1.7) from the nearest of 100 others, the real H9c2
# recordings at 0.6 to 1.1, photographs and noise above 3
_FARTHEST = 2.0
# How many times nearer a movie may lie to scenes of another kind. Six real H9c2 recordings lie
# at most 0.74 times nearer to simulated fluorescence than to bright-field, their fluorescence
# 2.0 to 3.7 times; at most 1.32 times nearer to scenes of twice the pixel size, stated half the
# true size at least 1.65 times; at most 0.76 times nearer to scenes of half the pixel size,
# stated twice the true size 0.7 to 1.53 times. Of 24 scenes the nearest is too often far by
# chance (2.17 times for a true size); of 48 at most 1.18 times in 24 trials
_GLOWS, _COARSER, _FINER = 1.4, 1.45, 1.1
_SCENES_TO_DOUBT = 40
_LEAST_PX = 48
_SCENES_A_MICROSCOPE = 4
_WAVELENGTHS_UM = (0.3, 1.1)


@dataclass(frozen=True, slots=True, eq=False)
class LikePairs:
    """Simulated pairs that resemble a movie.

    Attributes
    ----------
    stills : tuple of Still
        The pairs.
    distance : float
        How far the movie lies from the scenes most like it, in the scenes' own scatter: about
        1 for a movie that could be one of them.
    """

    stills: tuple[Still, ...]
    distance: float


def simulate_like(
    bright_field: Sequence[NDArray[np.generic]],
    *,
    pixel_size_um: float,
    microscope: Microscope | None = None,
    focus_known: bool = False,
    condenser_known: bool = False,
    number: int = 200,
    candidates: int = 96,
    size: int = 256,
    density: tuple[float, float] = (3.0, 20.0),
    seed: int = 0,
    progress: ProgressCallback | None = None,
    cancel: CancelToken | None = None,
) -> LikePairs:
    """Return simulated pairs whose bright-field resembles that of a movie.

    Parameters
    ----------
    bright_field : sequence of ndarray of shape (Y, X)
        Frames of the movie; only these are needed.
    pixel_size_um : float
        Size of a pixel.
    microscope : Microscope, optional
        The optics as far as they are known; the H9c2 recordings' by default.
    focus_known, condenser_known : bool
        Whether offset of the focus and aperture of the condenser are known; if not, wide
        ranges of them are tried.
    number : int
        Pairs returned.
    candidates : int
        Scenes that are tried first.
    size : int
        Side of the pairs, pixels.
    density : (float, float)
        Fewest and most mitochondria in focus per 100 µm².
    seed : int
        The same seed and movie give the same pairs.
    progress, cancel
        See :mod:`napari_virtualstain.progress`; called with each scene.

    Raises
    ------
    InputError
        The optics are impossible, the frames too small, or no scene resembles the movie; it
        resembles fluorescence, or scenes of half or twice the pixel size, more.
    CancelledError
        Cancelled.

    Examples
    --------
    >>> from napari_virtualstain.simulation import simulate_frames
    >>> frame = next(simulate_frames(1, size=64)).bright_field
    >>> like = simulate_like([frame], pixel_size_um=0.08, number=2, candidates=8, size=64)
    >>> len(like.stills), like.stills[0].bright_field.shape
    (2, (64, 64))
    """
    base = SceneConfig(microscope=checked_microscope(microscope or Microscope()))
    if condenser_known and base.microscope.condenser_na > base.microscope.na:
        raise InputError(
            f"The condenser's aperture is {base.microscope.condenser_na} and the objective's "
            f"{base.microscope.na}: expected at most the objective's, which is what such a "
            "condenser fills."
        )
    if number < 1 or candidates < 2:
        raise InputError(
            f"{number} pairs of {candidates} candidates were asked for: expected at least 1 of 2."
        )
    parts = _parts(bright_field, size)
    reporter = Reporter(candidates + number, "scene", "simulating", progress, cancel)
    rng = np.random.default_rng([seed, 11])
    microscopes = [
        _possible(base.microscope, rng, focus_known, condenser_known)
        for _ in range(0, candidates, _SCENES_A_MICROSCOPE)
    ]

    def shot(config: SceneConfig, crowd: float) -> Still:
        reporter.check()
        scene = simulate(
            frames=1,
            size=size,
            seed=int(rng.integers(2**31)),
            density=crowd,
            pixel_size_um=pixel_size_um,
            config=config,
        )
        reporter.advance()
        return still_of(scene)

    tried, stills = [], []
    for index in range(candidates):
        # one microscope after the other: its tables take longer than a scene
        optics = microscopes[index // _SCENES_A_MICROSCOPE]
        config = replace(varied(base, rng, seed), microscope=optics)
        crowd = float(np.exp(rng.uniform(*np.log(density))))
        stills.append(shot(config, crowd))
        tried.append((config, crowd))
    shares, distance = likeness_shares(
        _statistics(parts), _statistics([still.bright_field for still in stills])
    )
    _check_channel(parts, stills, distance)
    if distance > _FARTHEST:
        raise InputError(
            f"No simulated scene resembles this movie: the nearest lies {distance:.1f} times "
            f"further than scenes lie from each other (expected below {_FARTHEST:g}). Check pixel "
            "size and optics, and that the images are bright-field of cells; or train on pairs."
        )
    _check_pixel_size(parts, stills, distance, pixel_size_um)
    chosen = np.sort(rng.choice(candidates, number, p=shares))
    return LikePairs(tuple(shot(*tried[index]) for index in chosen), distance)


def _check_channel(parts: _Images, stills: Sequence[Still], distance: float) -> None:
    """Refuse a movie that resembles simulated fluorescence more than bright-field.

    Raises
    ------
    InputError
        It does.
    """
    glowing = _distance(parts, [still.fluorescence for still in stills])
    if glowing < _FARTHEST and distance > _GLOWS * glowing:
        raise InputError(
            "The movie resembles simulated fluorescence more than simulated bright-field. Choose "
            "the bright-field movie; to train on both channels, give them as a pair."
        )


def _check_pixel_size(
    parts: _Images, stills: Sequence[Still], distance: float, pixel_size_um: float
) -> None:
    """Refuse a movie that resembles scenes of half or twice the pixel size more.

    Raises
    ------
    InputError
        It does; fewer than 40 scenes, or images of fewer than 96 pixels, are not looked at.
    """
    lights = [still.bright_field for still in stills]
    smallest = min(min(image.shape) for image in (*parts, *lights))
    if smallest < 2 * _LEAST_PX or len(stills) < _SCENES_TO_DOUBT:
        return
    coarser = distance / _distance(parts, [_binned(light) for light in lights])
    finer = distance / _distance([_binned(part) for part in parts], lights)
    if coarser > _COARSER or (finer > _FINER and distance > 1):
        likely = pixel_size_um * (2 if coarser > finer else 0.5)
        raise InputError(
            f"The pixel size is given as {pixel_size_um:g} µm, but the movie resembles scenes with "
            f"pixels of {likely:g} µm more. Check the pixel size (camera pixel divided by the "
            "magnification, times the binning)."
        )


def _distance(movie: _Images, scenes: _Images) -> float:
    return likeness_shares(_statistics(movie), _statistics(scenes))[1] + 1e-9


def _statistics(images: _Images) -> FloatArray:
    return np.array([bright_field_statistics(image) for image in images])


def _binned(image: NDArray[np.generic]) -> FloatArray:
    """Return the means of squares of two by two pixels."""
    height, width = (n // 2 * 2 for n in image.shape)
    squares = np.asarray(image, np.float64)[:height, :width]
    binned: FloatArray = squares.reshape(height // 2, 2, width // 2, 2).mean((1, 3))
    return binned


def likeness_shares(movie: FloatArray, scenes: FloatArray) -> tuple[FloatArray, float]:
    """Return how often to draw each scene, and how far the movie lies from the nearest ones.

    Parameters
    ----------
    movie, scenes : ndarray of shape (N, S)
        Statistics of each frame, and of each scene.

    Returns
    -------
    shares : ndarray of shape (N,)
        Sum 1; a Gaussian of the distance, as wide as lets an eighth of the scenes count.
    distance : float
        Of the nearest twentieth, root mean square over the statistics.

    Examples
    --------
    >>> scenes = np.random.default_rng(0).normal(size=(100, 5))
    >>> shares, distance = likeness_shares(scenes[:1], scenes)
    >>> int(shares.argmax()), distance < 2
    (0, True)
    """
    tolerance = _TOLERANCE + _FOR_FEW / len(movie)
    scatter = np.sqrt(movie.var(0) + (tolerance * scenes.std(0)) ** 2) + 1e-9
    squares = (((scenes - movie.mean(0)) / scatter) ** 2).mean(1)
    nearest = np.sort(squares)[: max(1, len(squares) // 20)]
    wanted = max(2.0, len(squares) / 8)
    low, high = -8.0, 8.0
    for _ in range(40):
        middle = (low + high) / 2
        shares = np.exp(-(squares - squares.min()) / math.exp(middle))
        shares /= shares.sum()
        low, high = (middle, high) if 1 / (shares**2).sum() < wanted else (low, middle)
    return shares, float(np.sqrt(nearest.mean()))


def bright_field_statistics(image: NDArray[np.generic]) -> FloatArray:
    """Return what a bright-field image (Y, X) looks like, free of the camera's gain and offset.

    Notes
    -----
    Of bands between Gaussian scales of 0.7 to 16 pixels, after taking off the median and dividing
    by the median deviation: the logarithm of their spread, and how heavy and skewed their tails
    are; the range of local contrast; the noise of the finest differences.

    Examples
    --------
    >>> image = np.random.default_rng(0).normal(size=(64, 64))
    >>> one, other = (bright_field_statistics(i) for i in (image, 7 * image + 100))
    >>> np.allclose(one, other)
    True
    """
    light = np.nan_to_num(np.asarray(image, np.float64))
    light = light - np.median(light)
    light /= 1.4826 * np.median(np.abs(light)) + 1e-9
    smooth = [light, *(gaussian_filter(light, scale) for scale in _SCALES_PX)]
    bands = [fine - coarse for fine, coarse in pairwise(smooth)]
    texture = np.sqrt(gaussian_filter((smooth[1] - smooth[6]) ** 2, 8)) + 1e-9
    low, high = np.percentile(texture, (10, 90))
    finest = light[1:, 1:] - light[:-1, 1:] - light[1:, :-1] + light[:-1, :-1]
    return np.array(
        [
            *(math.log(band.std() + 1e-6) for band in bands),
            *(math.log(_moment(bands[k], 4) + 1e-6) for k in _SHAPED),
            *(float(np.cbrt(_moment(bands[k], 3))) for k in _SHAPED),
            math.log(high / low),
            math.log(float(np.median(np.abs(finest))) + 1e-6),
        ]
    )


def checked_microscope(microscope: Microscope) -> Microscope:
    """Return the optics after checking that they are possible.

    Raises
    ------
    InputError
        An aperture is larger than its medium allows, or a wavelength is not light's.

    Examples
    --------
    >>> checked_microscope(Microscope(na=0.75, n_immersion=1.0)).na
    0.75
    """
    shortest, longest = _WAVELENGTHS_UM
    for name, value in (
        ("emission", microscope.emission_um),
        ("bright-field light", microscope.illumination_um),
    ):
        if not shortest <= value <= longest:
            raise InputError(
                f"The wavelength of the {name} is {value} µm: expected {shortest} to {longest} µm."
            )
    if not 0.1 <= microscope.na < microscope.n_immersion:
        raise InputError(
            f"The numerical aperture is {microscope.na} in a medium of index "
            f"{microscope.n_immersion}: expected at least 0.1 and less than the index (air 1, "
            "water 1.33, oil 1.515)."
        )
    if not 0.02 <= microscope.condenser_na <= 1.4:
        raise InputError(
            f"The condenser's aperture is {microscope.condenser_na}: expected 0.02 to 1.4."
        )
    if not abs(microscope.bright_field_offset_um) <= 5:
        raise InputError(
            f"The offset of the focus is {microscope.bright_field_offset_um} µm: expected -5 to 5."
        )
    return microscope


def _moment(image: FloatArray, order: int) -> float:
    return float((((image - image.mean()) / (image.std() + 1e-9)) ** order).mean())


def _possible(
    known: Microscope, rng: np.random.Generator, focus_known: bool, condenser_known: bool
) -> Microscope:
    """Return optics that the user's may be: what is not known is drawn widely."""
    spread = 0.1 if focus_known else 0.35
    offset = known.bright_field_offset_um + rng.normal(0, spread)
    if not focus_known and rng.uniform() < 0.5:
        offset = rng.uniform(-2.5, 2.5)
    lowest, highest = (0.9, 1.1) if condenser_known else (0.5, 1.8)
    condenser = known.condenser_na * rng.uniform(lowest, highest)
    return replace(
        known,
        n_sample=known.n_sample + rng.uniform(-0.03, 0.01),
        focus_depth_um=known.focus_depth_um * math.exp(rng.uniform(-0.9, 0.7)),
        bright_field_offset_um=offset,
        condenser_na=min(condenser, known.na, 0.95 * known.n_immersion),
        residual_blur_um=known.residual_blur_um * math.exp(rng.uniform(-0.7, 0.7)),
    )


def _parts(frames: Sequence[NDArray[np.generic]], size: int) -> list[NDArray[np.generic]]:
    """Return up to 24 parts of `size` pixels, or of the frames' own size if that is smaller."""
    if not frames:
        raise InputError("The movie has no frames: expected at least one bright-field image.")
    height, width = frames[0].shape
    if min(height, width) < _LEAST_PX:
        raise InputError(f"The frames have {height} x {width} pixels: expected at least 48 x 48.")
    parts = []
    for frame in frames:
        for top in range(0, max(1, height - size + 1), size):
            for left in range(0, max(1, width - size + 1), size):
                part = np.asarray(frame)[top : top + size, left : left + size]
                if float(np.nanstd(part.astype(np.float64))) > 0:
                    parts.append(part)
    if not parts:
        raise InputError("The movie's frames are constant: expected bright-field of cells.")
    chosen = np.linspace(0, len(parts) - 1, min(len(parts), 24)).round().astype(int)
    return [parts[index] for index in chosen]
