"""Initial places and movement of mitochondria."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from .landscape import Landscape
from .scene_config import Mitochondria, SceneConfig
from .tubule import Tubule, bend, grow

FloatArray = NDArray[np.float64]

_HEADINGS = 6
_REST_AFTER_EVENT = 2  # steps without a directed run after a fission or fusion
_RUNS_KEPT = 0.99  # share of the exponential distribution of their duration that is drawn from
_FREE_GAP_UM = 0.45  # between midlines; one that lies so far from all others is turned no further


def settle(
    count: int, landscape: Landscape, config: SceneConfig, rng: np.random.Generator
) -> tuple[list[Tubule], list[Tubule]]:
    """Return the mitochondria near the focal plane and the blurred ones.

    Parameters
    ----------
    count : int
        Mitochondria in focus whose centre is inside the field. The margin round it gets
        as many for its area.
    landscape : Landscape
        Where organelles live.
    config : SceneConfig
        Statistics.
    rng : Generator
        Source of randomness.

    Returns
    -------
    focused, blurred : list of Tubule
    """
    inside = landscape.places(count, rng, inside=True)
    outside = landscape.places(round(count * landscape.margin_ratio), rng, inside=False)
    spread = config.mitochondria.height_sd_um
    focused: list[Tubule] = []
    for number, place in enumerate(np.concatenate([inside, outside]), start=1):
        height = float(np.clip(rng.normal(0, spread), -0.4, 0.4))
        focused.append(_place(number, place, height, config.mitochondria, rng, focused))
    blurred_count = round(len(focused) * config.mitochondria.out_of_focus_ratio)
    blurred = []
    for place in landscape.places(blurred_count, rng):
        height = landscape.blurred_height(place, rng)
        centre = np.array([height, *place])
        blurred.append(grow(0, centre, config.mitochondria, rng, detail=0.3))
    return focused, blurred


def _place(
    number: int,
    place: FloatArray,
    height: float,
    config: Mitochondria,
    rng: np.random.Generator,
    others: list[Tubule],
) -> Tubule:
    """Return a mitochondrion, turned so that it avoids its neighbours where that is easy."""
    new = grow(number, np.array([height, *place]), config, rng)
    near = [other.nodes() for other in others if _may_touch(new, other)]
    if not near:
        return new
    crowd = np.concatenate(near)[:, 1:]
    best, best_gap = new.heading, -1.0
    # each heading leads along the body both ways: half a turn has them all
    for heading in new.heading + np.arange(_HEADINGS) * math.pi / _HEADINGS:
        new.heading = float(heading)
        gap = _gap(new.nodes()[:, 1:], crowd)
        if gap > best_gap:
            best, best_gap = new.heading, gap
        if gap > _FREE_GAP_UM:
            break
    new.heading = best
    return new


def _may_touch(one: Tubule, other: Tubule) -> bool:
    reach = 0.5 * (one.length_um + other.length_um) + 0.5
    return bool(np.abs(one.centre[1:] - other.centre[1:]).max() < reach)


def _gap(one: FloatArray, other: FloatArray) -> float:
    return float(np.sqrt(((one[:, None] - other[None]) ** 2).sum(-1).min()))


def move(
    tubules: list[Tubule],
    step_s: float,
    landscape: Landscape,
    config: SceneConfig,
    rng: np.random.Generator,
) -> None:
    """Move and bend all mitochondria by one frame, in place."""
    motion = config.motion
    kept = math.exp(-step_s / motion.persistence_s)
    kick = motion.speed_um_s * math.sqrt((1 - kept**2) / 2)
    rise_kept = math.exp(-step_s / motion.height_walk_s)
    rise = motion.height_walk_um * math.sqrt(1 - rise_kept**2)
    for tubule in tubules:
        _run(tubule, step_s, config, rng)
        tubule.velocity = kept * tubule.velocity + rng.normal(0, kick, 2)
        pull = (tubule.home[1:] - tubule.centre[1:]) / motion.tether_s
        step = (tubule.velocity + tubule.run_velocity + pull) * step_s
        tubule.centre[1:] += step
        tubule.home[1:] += tubule.run_velocity * step_s
        offset = tubule.centre[0] - tubule.home[0]
        tubule.centre[0] = tubule.home[0] + rise_kept * offset + rng.normal(0, rise)
        landscape.contain(tubule)
        bend(tubule, step_s, config.mitochondria, motion, rng)
        tubule.since_event += 1


def _run(tubule: Tubule, step_s: float, config: SceneConfig, rng: np.random.Generator) -> None:
    """Start, continue or end a directed run along the own axis."""
    motion = config.motion
    start, speed, sign, duration = rng.uniform(size=4)
    if tubule.run_left_s > 0:
        tubule.run_left_s -= step_s
    elif start < motion.burst_rate_hz * step_s and tubule.since_event > _REST_AFTER_EVENT:
        slow, fast = motion.burst_speed_um_s
        tubule.run_left_s = -motion.burst_duration_s * math.log(1 - _RUNS_KEPT * duration)
        direction = tubule.heading + (math.pi if sign < 0.5 else 0.0)
        size = slow + speed * (fast - slow)
        tubule.run_velocity = size * np.array([math.sin(direction), math.cos(direction)])
    if tubule.run_left_s <= 0:
        tubule.run_velocity = np.zeros(2)
