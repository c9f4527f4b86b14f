"""Compare the tracker with its peers on motions that it was not developed on.

    python -m benchmarks.tracking_motions [--seeds 2] [--sets pairs t_cells] [--trackers ...]

Movies are simulated here from published statistics, so nothing needs to be downloaded:

``pairs``        particles that diffuse, bind within one pixel and move on together at half the
                 rate until they unbind (the model of andi-datasets' dimerisation; pixels)
``t_cells``      lymph-node T cells: 11 µm/min, persistent for about two minutes, halting now and
                 then (Miller et al., Science 2002 and PNAS 2003; micrometres, 24 s)
``neutrophils``  cells that swarm to a wound: as fast, drawn to it, crowded there, with bursts
                 (Lämmermann et al., Nature 2013; micrometres, 30 s)
``few``          four mitochondria in 30 frames, one driven (micrometres, 5 s)
``gaps``         ``t_cells`` with 10 % missed and blackouts of three frames

Corruption, peers, scores and gates are those of ``tracking_quality.py``; peers get the radius that
suits them, ours gets nothing but positions and boxes.
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd

from benchmarks.tracking_quality import TRACKERS, compare


def as_table(movie: list[np.ndarray]) -> pd.DataFrame:
    """Return ``frame x y track`` of positions (N, 2) by frame, NaN where nothing is seen."""
    parts = [
        pd.DataFrame({"frame": t, "x": place[:, 1], "y": place[:, 0], "track": range(len(place))})
        for t, place in enumerate(movie)
    ]
    return pd.concat(parts, ignore_index=True).dropna(ignore_index=True)


def pairs(seed: int, count: int = 300, frames: int = 80, side: float = 256.0) -> pd.DataFrame:
    """Return diffusing particles that bind to and part from each other."""
    rng = np.random.default_rng(seed)
    place, partner = rng.uniform(0, side, (count, 2)), np.full(count, -1)
    movie = []
    for _ in range(frames):
        movie.append(place.copy())
        step = rng.normal(0, 1.13, (count, 2))
        bound = np.flatnonzero(partner >= 0)
        # both take the step of the one with the lower number, at half the diffusion
        step[bound] = step[np.minimum(bound, partner[bound])] / np.sqrt(2)
        place = np.abs(place + step)
        place = side - np.abs(side - place)
        parted = bound[(bound < partner[bound]) & (rng.random(len(bound)) < 0.02)]
        for one in parted:
            partner[[one, partner[one]]] = -1
        free = np.flatnonzero(partner < 0)
        apart = np.linalg.norm(place[free][:, None] - place[free][None], axis=2)
        apart[np.tril_indices(len(free))] = np.inf
        for a, b in zip(*np.nonzero(apart < 1.0), strict=True):
            if partner[free[a]] < 0 and partner[free[b]] < 0:
                partner[free[a]], partner[free[b]] = free[b], free[a]
    return as_table(movie)


def crawling(
    seed: int, count: int, side: float, speed: float, turn: float, halts: float, drawn: float
) -> pd.DataFrame:
    """Return cells that crawl through a field, come and go.

    Parameters
    ----------
    speed : float
        Median step, µm; it varies from cell to cell and from step to step.
    turn : float
        Standard deviation of the change of direction in a frame, radians.
    halts : float
        Probability to halt, for two frames on average.
    drawn : float
        Part of the turn towards the middle of the field that is made in a frame.
    """
    rng = np.random.default_rng(seed)
    frames = 40
    place = rng.uniform(-0.2 * side, 1.2 * side, (count, 2))
    angle = rng.uniform(0, 2 * np.pi, count)
    own = speed * rng.lognormal(0, 0.3, count)
    halted = np.zeros(count, bool)
    begin = rng.integers(-frames, frames, count)
    end = begin + rng.integers(frames // 2, 2 * frames, count)
    movie = []
    for t in range(frames):
        there = ((place > 0) & (place < side)).all(axis=1) & (begin <= t) & (t < end)
        movie.append(np.where(there[:, None], place, np.nan))
        goal = np.arctan2(*(side / 2 - place).T)
        off = np.angle(np.exp(1j * (goal - angle)))
        angle += drawn * off + rng.normal(0, turn, count)
        halted = np.where(halted, rng.random(count) > 0.5, rng.random(count) < halts)
        # gamma steps: many short ones, few long ones
        length = own * rng.gamma(4, 0.25, count) * np.where(halted, 0.15, 1.0)
        place = place + length[:, None] * np.column_stack([np.sin(angle), np.cos(angle)])
    table = as_table(movie)
    return table[table.groupby("track").frame.transform("size") >= 5]


def t_cells(seed: int) -> pd.DataFrame:
    """Return T cells in a lymph node, 24 s a frame."""
    return crawling(seed, count=420, side=400, speed=4.4, turn=0.6, halts=0.08, drawn=0.0)


def neutrophils(seed: int) -> pd.DataFrame:
    """Return neutrophils that swarm to a wound in the middle, 30 s a frame."""
    return crawling(seed, count=420, side=360, speed=5.0, turn=0.9, halts=0.12, drawn=0.12)


def few(seed: int) -> pd.DataFrame:
    """Return three mitochondria that diffuse and one that is driven."""
    rng = np.random.default_rng(seed)
    step = rng.normal(0, 0.08, (30, 4, 2))
    step[:, 3] += (0.0, 0.25)
    return as_table(list(np.cumsum(step, axis=0) + rng.uniform(2, 8, (4, 2))))


LOSSES = {"gap": 3, "missed": 0.1}
# movie, corruption, gate, radius that suits the peers
SETS = {
    "pairs": (pairs, {}, 3.0, 6.0),
    "t_cells": (t_cells, {}, 5.0, 12.0),
    "neutrophils": (neutrophils, {}, 5.0, 15.0),
    "few": (few, {"noise": 0.03, "box": 0.6}, 0.5, 0.8),
    "gaps": (t_cells, LOSSES, 5.0, 12.0),
}


def main() -> None:
    """Print one line a set and tracker."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--sets", nargs="+", default=list(SETS), choices=list(SETS))
    parser.add_argument("--trackers", nargs="+", default=list(TRACKERS), choices=list(TRACKERS))
    chosen = parser.parse_args()
    for name in chosen.sets:
        movie, how, gate, radius = SETS[name]
        truths = [movie(seed) for seed in range(chosen.seeds)]
        used = {tracker: TRACKERS[tracker] for tracker in chosen.trackers}
        compare(name, truths, used, how, gate, radius)


if __name__ == "__main__":
    main()
