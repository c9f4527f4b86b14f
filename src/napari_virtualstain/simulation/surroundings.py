"""Granules, droplets, texture and folds that bright-field shows besides mitochondria."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .landscape import Landscape
from .scene_config import SceneConfig

FloatArray = NDArray[np.float64]
BALL_POINTS = 32
# an Ornstein-Uhlenbeck process: spread of granules about their homes, and how soon they forget
_JIGGLE_UM, _MEMORY_S = 0.15, 10.0


@dataclass(slots=True)
class Surroundings:
    """Scatterers that are not mitochondria.

    Attributes
    ----------
    granules : ndarray of shape (N, 3)
        Centres of granules and droplets, (z, y, x) in micrometres.
    homes : ndarray of shape (N, 3)
        Where each lives.
    granule_points : ndarray of shape (N, BALL_POINTS, 3)
        Scatterers of each, relative to its centre.
    granule_weight : ndarray of shape (N,)
        Volume times index difference of one scatterer, micrometres^3.
    texture : ndarray of shape (M, 3)
        Places of the fine texture.
    texture_sd : ndarray of shape (M,)
        Its typical strength.
    texture_weight : ndarray of shape (M,)
        Its strength now, of either sign; changes from frame to frame.
    still : ndarray of shape (K, 3)
        Scatterers of folds, fibres and the nucleus, which do not move.
    still_weight : ndarray of shape (K,)
        Their strength.
    """

    granules: FloatArray
    homes: FloatArray
    granule_points: FloatArray
    granule_weight: FloatArray
    texture: FloatArray
    texture_sd: FloatArray
    texture_weight: FloatArray
    still: FloatArray
    still_weight: FloatArray

    def advance(self, step_s: float, rng: np.random.Generator) -> None:
        """Let one frame pass: granules jiggle, the texture changes."""
        kept = math.exp(-step_s / _MEMORY_S)
        jitter = _JIGGLE_UM * math.sqrt(1 - kept**2)
        offset = self.granules - self.homes
        self.granules = self.homes + kept * offset + rng.normal(0, jitter, self.homes.shape)
        fresh = math.sqrt(1 - kept**2) * rng.normal(0, 1, self.texture_sd.shape)
        self.texture_weight = kept * self.texture_weight + fresh * self.texture_sd

    def scatterers(self) -> tuple[FloatArray, FloatArray]:
        """Return places (N, 3) and strengths (N,), index difference times volume."""
        balls = (self.granules[:, None] + self.granule_points).reshape(-1, 3)
        strength = np.repeat(self.granule_weight, BALL_POINTS)
        places = np.concatenate([balls, self.texture, self.still])
        return places, np.concatenate([strength, self.texture_weight, self.still_weight])


def draw_surroundings(
    landscape: Landscape, config: SceneConfig, rng: np.random.Generator
) -> Surroundings:
    """Return random surroundings for a landscape."""
    cell = config.cell
    area = math.prod(extent + 2 * landscape.margin_um for extent in landscape.field_um)
    granule_count = _in_crowd(cell.granules_per_um2, area, landscape, rng)
    droplet_count = _in_crowd(cell.droplets_per_um2, area, landscape, rng)
    radius = np.concatenate(
        [
            cell.granule_radius_um * np.exp(rng.normal(0, 0.35, granule_count)),
            rng.uniform(0.25, 0.45, droplet_count),
        ]
    )
    index = np.concatenate(
        [
            cell.granule_delta_index * rng.gamma(4.0, 0.25, granule_count),
            rng.uniform(0.02, 0.05, droplet_count),
        ]
    )
    places = landscape.places(len(radius), rng, crowded=True)
    # Most lie about the focal plane, some far above it: they give the soft large spots.
    height = rng.normal(0.25, np.where(rng.uniform(size=len(radius)) < 0.7, 0.4, 1.8))[:, None]
    centres = np.concatenate([height, places], axis=1)
    texture, texture_sd = _texture(area, landscape, config, rng)
    still, still_weight = _still(landscape, config, rng)
    if cell.clusters:
        heaps, heap_radius, heap_index = _clusters(area, landscape, config, rng)
        centres = np.concatenate([centres, heaps])
        radius = np.concatenate([radius, heap_radius])
        index = np.concatenate([index, heap_index])
    return Surroundings(
        granules=centres.copy(),
        homes=centres,
        granule_points=_balls(len(radius), rng) * radius[:, None, None],
        granule_weight=4 / 3 * math.pi * radius**3 * index / BALL_POINTS,
        texture=texture,
        texture_sd=texture_sd,
        texture_weight=texture_sd * rng.normal(0, 1, texture_sd.shape),
        still=still,
        still_weight=still_weight,
    )


def _clusters(
    area: float, landscape: Landscape, config: SceneConfig, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return centres (N, 3), radii and index differences of vesicles that lie in heaps."""
    number = rng.poisson(config.cell.clusters * area / 400.0)
    sizes = rng.integers(4, 40, number)
    spread = rng.uniform(0.5, 1.6, number)
    kind = rng.uniform(0.18, 0.5, number)
    middle = np.repeat(landscape.places(number, rng, crowded=True), sizes, axis=0)
    flat = middle + rng.normal(0, 1, middle.shape) * np.repeat(spread, sizes)[:, None]
    height = rng.normal(0.2, 0.4, len(flat))
    radius = np.repeat(kind, sizes) * np.exp(rng.normal(0, 0.2, len(flat)))
    # The larger, the weaker: the delay of light through the middle stays alike.
    index = np.repeat(rng.uniform(0.006, 0.02, number), sizes) * 0.3 / np.repeat(kind, sizes)
    return np.concatenate([height[:, None], flat], axis=1), radius, index


def _in_crowd(per_um2: float, area: float, landscape: Landscape, rng: np.random.Generator) -> int:
    """Return how many belong to the area when the crowd has `per_um2`."""
    y, x = (
        rng.uniform(-landscape.margin_um, extent + landscape.margin_um, 2000)
        for extent in landscape.field_um
    )
    return int(rng.poisson(per_um2 * area * float(landscape.density(y, x, crowded=True).mean())))


def _balls(count: int, rng: np.random.Generator) -> FloatArray:
    """Return points spread through unit balls, shape (count, BALL_POINTS, 3)."""
    direction = rng.normal(size=(count, BALL_POINTS, 3))
    direction /= np.linalg.norm(direction, axis=-1, keepdims=True)
    return np.asarray(direction * rng.uniform(size=(count, BALL_POINTS, 1)) ** (1 / 3))


def _texture(
    area: float, landscape: Landscape, config: SceneConfig, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    number = round(15 * area)
    y, x = (
        rng.uniform(-landscape.margin_um, extent + landscape.margin_um, number)
        for extent in landscape.field_um
    )
    places = np.stack([rng.normal(0, 0.6, number), y, x], axis=1)
    strength = config.cell.texture * (0.25 * landscape.covered(y, x) + landscape.crowd(y, x))
    # Radians over a patch of 0.2 µm, back to index difference times volume.
    volume = strength * config.microscope.illumination_um / (2 * math.pi) * 0.2**2
    return places, volume


def _still(
    landscape: Landscape, config: SceneConfig, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """Return folds and fibres, and the rim and the inside of the nucleus."""
    share = math.prod(landscape.field_um) / 400.0
    parts = [_fibre(landscape, rng) for _ in range(rng.poisson(config.cell.fibres * share))]
    parts += [_nucleus_rim(landscape, rng), _chromatin(landscape, config, rng)]
    if config.cell.stress_fibres:
        number = rng.poisson(config.cell.stress_fibres * share)
        parts += [_bundle(landscape, rng) for _ in range(number)]
    if config.cell.folds:
        parts.append(_folds(landscape, config, rng))
    if config.cell.nucleoli:
        parts.append(_nucleoli(landscape, config, rng))
    places, strengths = zip(*parts, strict=True)
    return np.concatenate(places), np.concatenate(strengths)


def _fibre(landscape: Landscape, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    number = int(rng.integers(150, 450))
    start = [rng.uniform(0, extent) for extent in landscape.field_um]
    angle = rng.uniform(0, 2 * math.pi) + np.cumsum(rng.normal(0, 0.012, number))
    y = start[0] + np.cumsum(np.sin(angle)) * 0.04
    x = start[1] + np.cumsum(np.cos(angle)) * 0.04
    places = np.stack([np.full(number, rng.normal(0, 0.5)), y, x], axis=1)
    strength = rng.uniform(0.3, 1.0) * 0.04 * math.pi * 0.1**2 * 0.04
    return places, np.full(number, strength * rng.choice([-1.0, 1.0]))


def _bundle(landscape: Landscape, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """Return stress fibres: long, nearly straight, side by side at about the same height."""
    fibres, steps = int(rng.integers(5, 25)), int(rng.integers(60, 250))
    middle = np.array([rng.uniform(0, extent) for extent in landscape.field_um])
    heading = rng.uniform(0, 2 * math.pi)
    along = (np.arange(steps) - 0.5 * steps) * 0.06 + rng.normal(0, 1.5, fibres)[:, None]
    across = np.cumsum(rng.uniform(0.25, 0.9, fibres))[:, None]
    fan = rng.normal(0, 0.04, fibres)[:, None]
    aside = across - across.mean() + fan * along + rng.normal(0, 0.003) * along**2
    y = middle[0] + np.sin(heading) * along + np.cos(heading) * aside
    x = middle[1] + np.cos(heading) * along - np.sin(heading) * aside
    z = np.broadcast_to(rng.normal(-0.2, 0.4) + rng.normal(0, 0.15, fibres)[:, None], y.shape)
    index = rng.choice([-1.0, 1.0]) * rng.uniform(0.004, 0.02) * rng.uniform(0.4, 1.0, fibres)
    strength = np.repeat(index * math.pi * 0.1**2 * 0.06, steps)
    return np.stack([z.ravel(), y.ravel(), x.ravel()], axis=1), strength


def _folds(
    landscape: Landscape, config: SceneConfig, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """Return waves of the upper surface: wide weak clouds of either sign."""
    area = math.prod(extent + 2 * landscape.margin_um for extent in landscape.field_um)
    number, points = round(1.2 * area), 48
    y, x = (
        rng.uniform(-landscape.margin_um, extent + landscape.margin_um, number)
        for extent in landscape.field_um
    )
    radius = np.exp(rng.uniform(math.log(0.25), math.log(1.1), number))
    centre = np.stack([rng.normal(0.6, 0.7, number), y, x], axis=1)
    spread = radius[:, None] * np.array([0.5, 0.6, 0.6])
    places = centre[:, None] + rng.normal(size=(number, points, 3)) * spread[:, None]
    presence = 0.3 * landscape.covered(y, x) + 0.7 * landscape.crowd(y, x)
    # The wider, the weaker: the delay of light through the middle stays alike.
    index = rng.normal(0, 1, number) * config.cell.folds * 0.018 * presence * 0.3 / radius
    strength = index * 4 / 3 * math.pi * radius**3 / points
    return places.reshape(-1, 3), np.repeat(strength, points)


def _nucleus_rim(landscape: Landscape, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    number = 12000
    angle = rng.uniform(0, 2 * math.pi, number)
    height = rng.uniform(-0.5, 2.0, number)
    scale = 1 + 0.03 * np.sin(3 * angle + rng.uniform(0, 6)) - 0.03 * np.abs(height - 0.75)
    places = _on_ellipse(landscape, angle, scale)
    strength = 0.012 * 0.1 * 2 * math.pi * math.sqrt(math.prod(landscape.axes_um)) * 2.5 / number
    return np.concatenate([height[:, None], places], axis=1), np.full(number, strength)


def _chromatin(
    landscape: Landscape, config: SceneConfig, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    clumps = 250
    centre = _on_ellipse(
        landscape, rng.uniform(0, 2 * math.pi, clumps), 0.9 * np.sqrt(rng.uniform(size=clumps))
    )
    radius = rng.uniform(0.3, 0.6, clumps)
    places = (_balls(clumps, rng) * radius[:, None, None]).reshape(-1, 3)
    places[:, 1:] += np.repeat(centre, BALL_POINTS, axis=0)
    places[:, 0] += np.repeat(rng.normal(0.6, 0.6, clumps), BALL_POINTS)
    index = rng.normal(0, config.cell.chromatin_delta_index, clumps)
    return places, np.repeat(index * 4 / 3 * math.pi * radius**3 / BALL_POINTS, BALL_POINTS)


def _nucleoli(
    landscape: Landscape, config: SceneConfig, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    number = config.cell.nucleoli
    centre = _on_ellipse(
        landscape, rng.uniform(0, 2 * math.pi, number), 0.7 * np.sqrt(rng.uniform(size=number))
    )
    radius = rng.uniform(0.5, 1.2, number)
    # Many small clumps, since a smooth ball this large is hardly seen in bright-field.
    grains = 12
    inside = rng.normal(0, 0.5, (number, grains, 3)) * radius[:, None, None]
    inside[..., 1:] += centre[:, None]
    inside[..., 0] += 0.4
    grain = np.repeat(radius * 0.35, grains)
    places = _balls(number * grains, rng) * grain[:, None, None] + inside.reshape(-1, 1, 3)
    index = rng.uniform(0.002, 0.012, number * grains)
    strength = index * 4 / 3 * math.pi * grain**3 / BALL_POINTS
    return places.reshape(-1, 3), np.repeat(strength, BALL_POINTS)


def _on_ellipse(landscape: Landscape, angle: FloatArray, scale: FloatArray) -> FloatArray:
    first = scale * landscape.axes_um[0] * np.cos(angle)
    second = scale * landscape.axes_um[1] * np.sin(angle)
    cosine, sine = math.cos(landscape.tilt), math.sin(landscape.tilt)
    y = landscape.nucleus_um[0] + cosine * first - sine * second
    x = landscape.nucleus_um[1] + sine * first + cosine * second
    return np.stack([y, x], axis=1)
