"""Fission and fusion: mitochondria that split in two, or join end to end."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from .landscape import Landscape
from .scene_config import SceneConfig
from .tubule import STEP_UM, Points, Tubule, join_points

FloatArray = NDArray[np.float64]
CONTACT_UM = 0.3
SHORTEST_PARENT_UM = 1.1
# what an event is seen in: clearly in focus, so that its truth has masks before and after
_HEIGHT_UM = 0.35
# an approach: farthest move of the two together in a frame, frames in contact before they
# join, frames after which it is given up
_FASTEST_UM, _FRAMES_IN_CONTACT, _LONGEST_APPROACH = 0.4, 2, 12


@dataclass(frozen=True, slots=True)
class Event:
    """One fission or fusion.

    Attributes
    ----------
    kind : str
        ``"fission"`` or ``"fusion"``.
    frame : int
        First frame in which the children exist.
    y_um, x_um : float
        Where it happened.
    parents, children : tuple of int
        Track ids before and after.
    """

    kind: str
    frame: int
    y_um: float
    x_um: float
    parents: tuple[int, ...]
    children: tuple[int, ...]


@dataclass(slots=True)
class Approach:
    """Two mitochondria whose ends are approaching each other.

    Attributes
    ----------
    first, second : int
        Their track ids.
    first_tail, second_tail : bool
        Which end of each: the last node of its centreline, or the first.
    contact : int
        Frames in a row in which the ends have touched.
    age : int
        Frames since it began.
    """

    first: int
    second: int
    first_tail: bool
    second_tail: bool
    contact: int = 0
    age: int = 0


@dataclass(slots=True)
class Lineage:
    """Events of a scene: decided, carried out and remembered.

    Attributes
    ----------
    config : SceneConfig
        Rates of events, and the spacing between two.
    landscape : Landscape
        Tells who lies well inside the field.
    next_id : int
        Track id of the next child.
    events : list of Event
        What has happened.
    approach : Approach or None
        The one fusion that is under way.
    last_frame : int
        Of the newest event.
    """

    config: SceneConfig
    landscape: Landscape
    next_id: int
    events: list[Event] = field(default_factory=list)
    approach: Approach | None = None
    last_frame: int = 0

    def step(
        self, frame: int, tubules: list[Tubule], step_s: float, rng: np.random.Generator
    ) -> None:
        """Let at most one event happen in `frame`; changes the list in place."""
        fission_draw, fusion_draw = rng.uniform(size=2)
        motion = self.config.motion
        free = frame - self.last_frame >= motion.event_spacing_frames
        if self.approach is not None:
            self._draw_together(frame, tubules, free)
        elif fusion_draw < motion.fusion_rate_per_min * step_s / 60 * len(self._able(tubules)):
            self._choose_pair(tubules)
        if not (free and frame - self.last_frame >= motion.event_spacing_frames):
            return
        engaged = set() if self.approach is None else {self.approach.first, self.approach.second}
        able = [t for t in self._able(tubules, SHORTEST_PARENT_UM) if t.track_id not in engaged]
        if fission_draw < motion.fission_rate_per_min * step_s / 60 * len(able):
            self._split(frame, able[int(rng.integers(len(able)))], tubules, step_s, rng)

    def _able(self, tubules: list[Tubule], shortest_um: float = 0.0) -> list[Tubule]:
        """Return those well inside the field, in focus, and not fresh from an event."""
        height, width = self.landscape.field_um
        border = min(1.0, 0.2 * min(height, width))
        return [
            t
            for t in tubules
            if t.since_event >= self.config.motion.event_spacing_frames
            and abs(t.centre[0]) < _HEIGHT_UM
            and border < t.centre[1] < height - border
            and border < t.centre[2] < width - border
            and t.length_um >= shortest_um
        ]

    def _choose_pair(self, tubules: list[Tubule]) -> None:
        """Start drawing together the two nearest ends that fit."""
        able = self._able(tubules)
        best = self.config.motion.fusion_reach_um
        for number, one in enumerate(able):
            for other in able[number + 1 :]:
                for tail, other_tail in ((0, 0), (0, 1), (1, 0), (1, 1)):
                    gap = _gap(one, other, bool(tail), bool(other_tail))
                    if gap < best and _fits(one, other, bool(tail), bool(other_tail), self.config):
                        best = gap
                        self.approach = Approach(
                            one.track_id, other.track_id, bool(tail), bool(other_tail)
                        )

    def _draw_together(self, frame: int, tubules: list[Tubule], free: bool) -> None:
        approach = self.approach
        if approach is None:
            return
        found = {t.track_id: t for t in tubules}
        one, other = found.get(approach.first), found.get(approach.second)
        approach.age += 1
        if one is None or other is None or approach.age > _LONGEST_APPROACH:
            self.approach = None
            return
        distance = _end(other, approach.second_tail) - _end(one, approach.first_tail)
        gap = float(np.linalg.norm(distance))
        if approach.contact >= _FRAMES_IN_CONTACT and free:
            self._join(frame, one, other, approach, tubules)
            self.approach = None
            return
        push = min(max(gap - 0.5 * CONTACT_UM, 0.0), _FASTEST_UM)
        approach.contact = approach.contact + 1 if gap - push < CONTACT_UM else 0
        half = 0.5 * push * distance / max(gap, 1e-9)
        for tubule, sign in ((one, 1.0), (other, -1.0)):
            tubule.centre += sign * half
            tubule.home += sign * half
            tubule.velocity[:] = tubule.run_velocity[:] = 0.0
            tubule.run_left_s = 0.0

    def _join(
        self,
        frame: int,
        one: Tubule,
        other: Tubule,
        approach: Approach,
        tubules: list[Tubule],
    ) -> None:
        head = _oriented(one, tail_last=approach.first_tail)
        rest = _oriented(other, tail_last=not approach.second_tail)
        place = 0.5 * (_end(one, approach.first_tail) + _end(other, approach.second_tail))
        angles = np.unwrap(np.concatenate([head.angles, rest.angles]))
        everything = np.ones(len(rest.points.weight), bool)
        inside = np.ones(len(rest.volume.weight), bool)
        child = _build(
            self._new_id(),
            0.5 * (one.nodes().mean(axis=0) + other.nodes().mean(axis=0)),
            angles,
            np.concatenate([head.slopes, rest.slopes]),
            max(one.radius_um, other.radius_um),
            join_points(head.points, rest.points.take(everything, head.length_um)),
            join_points(head.volume, rest.volume.take(inside, head.length_um)),
            (one.track_id, other.track_id),
        )
        # Where the junction stays in place, the rest of the tubule jumps least.
        child.centre += place - child.nodes()[len(head.slopes)]
        child.home = child.centre.copy()
        tubules[:] = [t for t in tubules if t is not one and t is not other] + [child]
        self._note("fusion", frame, place, child.parents, (child.track_id,))

    def _split(
        self,
        frame: int,
        parent: Tubule,
        tubules: list[Tubule],
        step_s: float,
        rng: np.random.Generator,
    ) -> None:
        cut = round(len(parent.slopes) * float(rng.uniform(0.35, 0.65)))
        nodes, angles = parent.nodes(), _angles(parent)
        cut_um = cut * STEP_UM
        children = []
        for first in (True, False):
            part = slice(0, cut) if first else slice(cut, None)
            span = nodes[: cut + 1] if first else nodes[cut:]
            shift = 0.0 if first else -cut_um
            surface = parent.surface.take((parent.surface.along_um < cut_um) == first, shift)
            volume = parent.volume.take((parent.volume.along_um < cut_um) == first, shift)
            child = _build(
                self._new_id(),
                span.mean(axis=0),
                angles[part],
                parent.slopes[part],
                parent.radius_um,
                surface,
                volume,
                (parent.track_id,),
            )
            _recoil(child, angles[cut], 1.0 if not first else -1.0, step_s)
            children.append(child)
        tubules[:] = [t for t in tubules if t is not parent] + children
        ids = tuple(child.track_id for child in children)
        self._note("fission", frame, nodes[cut], (parent.track_id,), ids)

    def _new_id(self) -> int:
        self.next_id += 1
        return self.next_id - 1

    def _note(
        self,
        kind: str,
        frame: int,
        place: FloatArray,
        parents: tuple[int, ...],
        children: tuple[int, ...],
    ) -> None:
        self.last_frame = frame
        self.events.append(Event(kind, frame, float(place[1]), float(place[2]), parents, children))


@dataclass(slots=True)
class _Oriented:
    """A tubule read from a chosen end."""

    angles: FloatArray
    slopes: FloatArray
    points: Points
    volume: Points

    @property
    def length_um(self) -> float:
        return len(self.slopes) * STEP_UM


def _oriented(tubule: Tubule, *, tail_last: bool) -> _Oriented:
    """Return a tubule read from its head to its tail, or from its tail if `tail_last` is False."""
    angles = _angles(tubule)
    if tail_last:
        return _Oriented(angles, tubule.slopes, tubule.surface, tubule.volume)
    return _Oriented(
        angles[::-1] + math.pi,
        -tubule.slopes[::-1],
        _reversed(tubule.surface, tubule.length_um),
        _reversed(tubule.volume, tubule.length_um),
    )


def _reversed(points: Points, length_um: float) -> Points:
    """Return the points of a tubule as read from its other end."""
    return Points(
        length_um - points.along_um, points.from_axis, math.pi - points.angle, points.weight
    )


def _angles(tubule: Tubule) -> FloatArray:
    turning = np.concatenate([[0.0], np.cumsum(tubule.bends)])
    return np.asarray(tubule.heading + turning - turning[len(turning) // 2])


def _build(
    track_id: int,
    centre: FloatArray,
    angles: FloatArray,
    slopes: FloatArray,
    radius_um: float,
    surface: Points,
    volume: Points,
    parents: tuple[int, ...],
) -> Tubule:
    return Tubule(
        track_id=track_id,
        centre=centre.copy(),
        heading=float(angles[len(angles) // 2]),
        bends=np.diff(angles),
        slopes=slopes.copy(),
        radius_um=radius_um,
        surface=surface,
        volume=volume,
        home=centre.copy(),
        parents=parents,
        since_event=0,
    )


def _recoil(child: Tubule, angle: float, sign: float, step_s: float) -> None:
    """Open a visible gap at once and let it grow for some frames."""
    away = sign * np.array([math.sin(angle), math.cos(angle)])
    child.centre[1:] += (child.radius_um + 0.06) * away
    child.home = child.centre.copy()
    child.run_velocity = 0.08 / step_s * away
    child.run_left_s = 4 * step_s


def _end(tubule: Tubule, tail: bool) -> FloatArray:
    return np.asarray(tubule.nodes()[-1 if tail else 0])


def _gap(one: Tubule, other: Tubule, tail: bool, other_tail: bool) -> float:
    return float(np.linalg.norm(_end(one, tail) - _end(other, other_tail)))


def _fits(one: Tubule, other: Tubule, tail: bool, other_tail: bool, config: SceneConfig) -> bool:
    """Return whether joining makes neither a hairpin nor a monster."""
    if one.length_um + other.length_um > 1.2 * config.mitochondria.length_um[1]:
        return False
    angle = _angles(one)[-1] if tail else _angles(one)[0] + math.pi
    onward = _angles(other)[-1] + math.pi if other_tail else _angles(other)[0]
    return math.cos(angle - onward) > 0.0
