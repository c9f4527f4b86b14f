"""Look for settings in which a peer links better than our one default.

    python benchmarks/tracking_variations.py [--seeds 1] [--only drift few]

Simulated movies of few frames, few objects, drifting and shaking fields, all kinds of steps,
densities and units, corrupted as in ``tracking_quality.py`` (5 % missed, 2 % false, noise).
trackpy and laptrack each get the better of two radii that suit the set; ours gets positions and
boxes alone. Prints IDF1 of each and, where a peer is better, LOSS.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from tracking_motions import as_table, neutrophils, pairs, t_cells
from tracking_quality import corrupted, ours, run_laptrack, run_trackpy, scores

SIDE = 256.0


def moving(
    seed: int,
    *,
    count: int = 200,
    frames: int = 40,
    side: float = SIDE,
    step: float = 1.0,
    spread: float = 0.5,
    persistence: float = 0.0,
    driven: float = 0.0,
    turn: float = 0.0,
    stretched: float = 1.0,
    drift: tuple[float, float] = (0.0, 0.0),
    shake: float = 0.0,
    home: float = 0.0,
    grid: bool = False,
) -> pd.DataFrame:
    """Return objects that diffuse, or more, in a field that reflects them.

    Parameters
    ----------
    step, spread : float
        Median step along an axis, and spread of its logarithm from object to object.
    persistence, driven, turn : float
        Part of a step that carries over; a constant speed and how far its direction turns in a
        frame, radians.
    stretched : float
        How much larger steps along x are.
    drift, shake : (float, float), float
        Of the whole field: a constant one, and the spread of a random one in each frame.
    home : float
        Part of the way back to its place that an object is drawn in a frame.
    grid : bool
        Whether they begin on a grid.
    """
    rng = np.random.default_rng(seed)
    place = rng.uniform(0, side, (count, 2))
    if grid:
        many = int(np.ceil(np.sqrt(count)))
        place = np.stack(np.divmod(np.arange(count), many), axis=1) * (side / many)
    begin, size = place.copy(), step * rng.lognormal(0, spread, (count, 1))
    angle, walk = rng.uniform(0, 2 * np.pi, count), rng.normal(0, 1, (count, 2)) * size
    movie = []
    for t in range(frames):
        movie.append(place + np.array(drift) * t + rng.normal(0, shake, 2))
        fresh = rng.normal(0, 1, (count, 2)) * size * np.array([1, stretched])
        walk = persistence * walk + np.sqrt(1 - persistence**2) * fresh
        angle = angle + turn
        ahead = driven * np.column_stack([np.sin(angle), np.cos(angle)])
        place = place + walk + ahead - home * (place - begin)
        place = side - np.abs(side - np.abs(place))
    return as_table(movie)


def both(one: pd.DataFrame, other: pd.DataFrame) -> pd.DataFrame:
    """Return two kinds of objects in one movie."""
    return pd.concat([one, other.assign(track=other.track + one.track.max() + 1)])


def every(table: pd.DataFrame, frames: int, first: int = 0) -> pd.DataFrame:
    """Return every so manieth frame, from `first` on."""
    some = table[(table.frame >= first) & ((table.frame - first) % frames == 0)]
    return some.assign(frame=(some.frame - first) // frames)


@dataclass(frozen=True)
class Case:
    """A movie, two radii that suit the peers, the gate of the scores, and the corruption."""

    movie: Callable[[int], pd.DataFrame]
    radii: tuple[float, float] = (4.0, 7.0)
    gate: float = 3.0
    how: dict[str, float] = field(default_factory=dict)


CASES = {
    "five frames": Case(lambda s: moving(s, frames=5)),
    "three objects": Case(lambda s: moving(s, count=3, side=60, step=2, frames=30), (6, 9)),
    "three, five frames": Case(lambda s: moving(s, count=3, side=30, step=2, frames=5), (6, 9)),
    "one object": Case(lambda s: moving(s, count=1, side=40, step=2, frames=20), (6, 9)),
    "two that meet": Case(lambda s: moving(s, count=2, side=8)),
    "dense": Case(lambda s: moving(s, count=600, step=2, frames=20), (5, 7)),
    "fast": Case(lambda s: moving(s, count=60, side=512, step=12), (20, 30), 6.0),
    "at rest": Case(lambda s: moving(s, step=0.0)),
    "at rest, no noise": Case(lambda s: moving(s, step=0.0), how={"noise": 0.0}),
    "confined": Case(lambda s: moving(s, home=0.3)),
    "slow and fast": Case(lambda s: moving(s, step=0.7, spread=1.5), (7, 12)),
    "at rest and driven": Case(
        lambda s: both(moving(s, step=0.1), moving(s + 99, count=50, driven=6)), (6, 9)
    ),
    "persistent": Case(lambda s: moving(s, step=2, persistence=0.95), (6, 9)),
    "driven": Case(lambda s: moving(s, step=0.5, driven=5), (6, 8)),
    "circles": Case(lambda s: moving(s, step=0.3, driven=4, turn=0.5), (5, 8)),
    "stretched": Case(lambda s: moving(s, step=0.8, stretched=5), (6, 9)),
    "drift": Case(lambda s: moving(s, drift=(3, 0)), (5, 8)),
    "strong drift": Case(lambda s: moving(s, count=100, drift=(8, 3)), (10, 14)),
    "shaking": Case(lambda s: moving(s, count=100, shake=4), (8, 14)),
    "grid": Case(lambda s: moving(s, grid=True, step=1.5), (5, 8)),
    "grid that drifts": Case(lambda s: moving(s, grid=True, step=0.5, drift=(4, 0)), (6, 9)),
    "micrometres": Case(
        lambda s: moving(s, side=20, step=0.08), (0.3, 0.5), 0.24, {"noise": 0.024, "box": 0.5}
    ),
    "nanometres": Case(
        lambda s: moving(s, side=2e4, step=80), (300, 500), 240, {"noise": 24, "box": 480}
    ),
    "a fifth missed": Case(lambda s: moving(s), how={"missed": 0.2}),
    "blackouts of six": Case(lambda s: moving(s), how={"missed": 0.1, "gap": 6}),
    "large noise": Case(lambda s: moving(s, count=100), (6, 9), 4.0, {"noise": 1.5}),
    "T cells, 5 frames": Case(lambda s: every(t_cells(s), 1, 35), (9, 12), 5.0),
    "T cells, every 2nd": Case(lambda s: every(t_cells(s), 2), (12, 18), 5.0),
    "neutrophils, 5 frames": Case(lambda s: every(neutrophils(s), 1, 35), (9, 12), 5.0),
    "neutrophils, every 2nd": Case(lambda s: every(neutrophils(s), 2), (12, 18), 5.0),
    "pairs, 5 frames": Case(lambda s: pairs(s, 300, 5)),
    "pairs, few": Case(lambda s: pairs(s, 100, 40)),
}


def best(
    run: Callable[[pd.DataFrame, float], pd.DataFrame],
    seen: pd.DataFrame,
    truth: pd.DataFrame,
    case: Case,
) -> float:
    """Return the better IDF1 of both radii; 0 where a peer gives up."""
    found = []
    for radius in case.radii:
        try:
            found.append(scores(truth, run(seen, radius), case.gate)["IDF1"])
        except Exception as error:  # each peer gives up in its own way
            print("   ", type(error).__name__, "with radius", radius)
    return max(found, default=0.0)


def main() -> None:
    """Print one line a case."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--only", nargs="+", default=[""], help="parts of the names")
    chosen = parser.parse_args()
    for name, case in CASES.items():
        if not any(part in name for part in chosen.only):
            continue
        rows = []
        for seed in range(chosen.seeds):
            truth = case.movie(seed).reset_index(drop=True)
            seen = corrupted(truth, seed=seed, **case.how)
            mine = scores(truth, ours("extended")(seen, 0.0), case.gate)["IDF1"]
            peers = [best(run, seen, truth, case) for run in (run_trackpy, run_laptrack)]
            rows.append([mine, *peers])
        mine, *peers = np.mean(rows, axis=0)
        text = f"ours {mine:.3f}  trackpy {peers[0]:.3f}  laptrack {peers[1]:.3f}"
        print(f"{name:26} {text}  {'LOSS' if mine < max(peers) else ''}", flush=True)


if __name__ == "__main__":
    main()
