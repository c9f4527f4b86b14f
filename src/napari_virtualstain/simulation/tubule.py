"""One mitochondrion: a worm-like tubule in three dimensions.

Coordinates are (z, y, x) in micrometres, z measured from the focal plane and positive
away from the objective. The centreline is kept as angles, not as points, so that bending
never stretches it: node i points along ``heading + sum of bends`` in the plane and rises
by ``slopes[i]``. Emitters and scatterers sit at fixed places of the tubule (distance
along it, angle round it) and move with it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from .scene_config import Mitochondria, Motion

FloatArray = NDArray[np.float64]
STEP_UM = 0.08


@dataclass(slots=True)
class Points:
    """Light sources or scatterers of a tubule, in its own coordinates.

    Attributes
    ----------
    along_um : ndarray of shape (N,)
        Distance along the centreline; negative or beyond the end on the caps.
    from_axis : ndarray of shape (N,)
        Distance from the centreline, micrometres.
    angle : ndarray of shape (N,)
        Angle round the centreline, radians.
    weight : ndarray of shape (N,)
        Photo-electrons, or micrometres^3 of volume.
    """

    along_um: FloatArray
    from_axis: FloatArray
    angle: FloatArray
    weight: FloatArray

    def take(self, keep: NDArray[np.bool_], shift_um: float = 0.0) -> Points:
        """Return some of the points, moved along the tubule."""
        return Points(
            self.along_um[keep] + shift_um,
            self.from_axis[keep],
            self.angle[keep],
            self.weight[keep],
        )


def join_points(first: Points, second: Points) -> Points:
    """Return the points of two tubules as those of one."""
    return Points(
        np.concatenate([first.along_um, second.along_um]),
        np.concatenate([first.from_axis, second.from_axis]),
        np.concatenate([first.angle, second.angle]),
        np.concatenate([first.weight, second.weight]),
    )


@dataclass(slots=True)
class Tubule:
    """State of one mitochondrion in one frame.

    Attributes
    ----------
    track_id : int
        Its identity.
    centre : ndarray of shape (3,)
        Mean of the centreline, (z, y, x), micrometres.
    heading : float
        Direction of the middle segment in the plane, radians from x towards y.
    bends : ndarray of shape (N - 1,)
        Turns from one of the N segments to the next, radians.
    slopes : ndarray of shape (N,)
        Rise of each segment out of the plane, radians.
    radius_um : float
        Of the tube.
    surface, volume : Points
        Emitters on the membrane, scatterers inside.
    home : ndarray of shape (3,)
        Where it is tethered, (z, y, x), micrometres.
    velocity, run_velocity : ndarray of shape (2,)
        Of the drift with memory, and of a directed run, micrometres per second along y and x.
    run_left_s : float
        Seconds that the run lasts yet.
    parents : tuple of int
        Track ids that it came from.
    since_event : int
        Frames since it came out of a fission or fusion; many for one that never did.
    """

    track_id: int
    centre: FloatArray
    heading: float
    bends: FloatArray
    slopes: FloatArray
    radius_um: float
    surface: Points
    volume: Points
    home: FloatArray
    velocity: FloatArray = field(default_factory=lambda: np.zeros(2))
    run_velocity: FloatArray = field(default_factory=lambda: np.zeros(2))
    run_left_s: float = 0.0
    parents: tuple[int, ...] = ()
    since_event: int = 10_000

    @property
    def length_um(self) -> float:
        """Length of the centreline."""
        return (len(self.slopes)) * STEP_UM

    def nodes(self) -> FloatArray:
        """Return the centreline, shape (N + 1, 3) for N segments, micrometres."""
        turning = np.concatenate([[0.0], np.cumsum(self.bends)])
        angle = self.heading + turning - turning[len(turning) // 2]
        flat = np.cos(self.slopes) * STEP_UM
        steps = np.stack(
            [np.sin(self.slopes) * STEP_UM, flat * np.sin(angle), flat * np.cos(angle)], axis=1
        )
        nodes = np.zeros((len(steps) + 1, 3))
        np.cumsum(steps, axis=0, out=nodes[1:])
        return np.asarray(nodes - nodes.mean(axis=0) + self.centre)

    def positions(self, points: Points, nodes: FloatArray) -> FloatArray:
        """Return where points of the tubule are, shape (N, 3), micrometres."""
        place = np.clip(points.along_um / STEP_UM, 0, len(nodes) - 1 - 1e-9)
        index = place.astype(np.intp)
        direction = (nodes[1:] - nodes[:-1]) / STEP_UM
        tangent = direction[index]
        beyond = points.along_um - place * STEP_UM
        position = nodes[index] + tangent * ((place - index) * STEP_UM + beyond)[:, None]
        across = points.from_axis * np.cos(points.angle)
        position[:, 0] += points.from_axis * np.sin(points.angle)
        position[:, 1] += across * tangent[:, 2]
        position[:, 2] -= across * tangent[:, 1]
        return position


def grow(
    track_id: int,
    centre: FloatArray,
    config: Mitochondria,
    rng: np.random.Generator,
    detail: float = 1.0,
) -> Tubule:
    """Return a new mitochondrion of random shape at `centre`.

    Parameters
    ----------
    track_id : int
        Its identity.
    centre : ndarray of shape (3,)
        Mean of its centreline, (z, y, x) in micrometres.
    config : Mitochondria
        Statistics of shape and label.
    rng : Generator
        Source of randomness.
    detail : float
        Fraction of the emitters that are simulated; their light is the same.
    """
    shortest, longest = config.length_um
    middle, spread = 0.5 * math.log(shortest * longest), 0.25 * math.log(longest / shortest)
    length = float(np.clip(math.exp(rng.normal(middle, spread)), shortest, longest))
    segments = max(3, round(length / STEP_UM))
    radius = float(rng.uniform(*config.radius_um))
    length = segments * STEP_UM
    bend_sd = math.sqrt(STEP_UM / config.persistence_um)
    slopes = 0.15 * rng.normal() + 0.1 * np.cumsum(rng.normal(0, bend_sd, segments))
    brightness = math.exp(rng.normal(0, config.brightness_sd))
    return Tubule(
        track_id=track_id,
        centre=centre.copy(),
        heading=float(rng.uniform(0, 2 * math.pi)),
        bends=_stiff(rng.normal(0, bend_sd, segments - 1)),
        slopes=np.clip(slopes, -0.5, 0.5),
        radius_um=radius,
        surface=_surface(length, radius, brightness, config, rng, detail),
        volume=_volume(length, radius, rng, detail),
        home=centre.copy(),
    )


def _surface(
    length: float,
    radius: float,
    brightness: float,
    config: Mitochondria,
    rng: np.random.Generator,
    detail: float,
) -> Points:
    """Return emitters spread evenly over the membrane, caps included."""
    area = 2 * math.pi * radius * (length + 2 * radius)
    number = max(20, round(config.emitters_per_um2 * area * detail))
    # By Archimedes a cap has as much surface per step along the axis as the cylinder.
    along = rng.uniform(-radius, length + radius, number)
    beyond = along - np.clip(along, 0, length)
    light = rng.gamma(2.0, size=number)
    light *= config.photons_per_um * (length + radius) * brightness / light.sum()
    across = np.sqrt(np.maximum(radius**2 - beyond**2, 0.0))
    return Points(along, across, rng.uniform(0, 2 * math.pi, number), light)


def _volume(length: float, radius: float, rng: np.random.Generator, detail: float) -> Points:
    """Return scatterers spread evenly through the inside."""
    number = max(30, round(220 * (length + 2 * radius) * detail))
    along = rng.uniform(-radius, length + radius, number)
    beyond = along - np.clip(along, 0, length)
    section = np.maximum(radius**2 - beyond**2, 0.0)
    across = np.sqrt(section * rng.uniform(0, 1, number))
    total = math.pi * radius**2 * (length + 4 / 3 * radius)
    weight = section * total / section.sum()
    return Points(along, across, rng.uniform(0, 2 * math.pi, number), weight)


def _stiff(bends: FloatArray) -> FloatArray:
    """Return bends without kinks: spread over 0.3 µm, the same in sum."""
    return np.asarray(gaussian_filter1d(bends, 4.0, mode="constant", truncate=2.5))


def bend(
    tubule: Tubule, step_s: float, config: Mitochondria, motion: Motion, rng: np.random.Generator
) -> None:
    """Let the shape change for one frame: an AR(1) of each bending angle."""
    kept = math.exp(-step_s / motion.bending_s)
    sd = math.sqrt(STEP_UM / config.persistence_um * (1 - kept**2))
    tubule.bends *= kept
    tubule.bends += _stiff(rng.normal(0, sd, len(tubule.bends)))
    tubule.heading += rng.normal(0, 0.3 * sd)
