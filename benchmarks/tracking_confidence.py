"""Ask how well `quality` tells wrong links, on simulated movies of known truth.

    python -m benchmarks.tracking_confidence [--seeds 2]

Prints for each kind of motion the part of wrong links, the mean quality of all links next to
the part that is right (calibration), the AUROC of ``1 - quality``, and the part of the wrong links
among the 5 % of links with the lowest quality.
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree
from scipy.stats import rankdata

import napari_virtualstain as vs

FRAMES, COUNT, SIDE = 60, 200, 200.0


def steps(kind: str, rng: np.random.Generator) -> np.ndarray:
    """Return displacements, shape (FRAMES, COUNT, 2)."""
    noise = rng.normal(0, 1, (FRAMES, COUNT, 2))
    if kind == "walk":
        return noise * rng.lognormal(0, 0.4, COUNT)[:, None]
    if kind == "heavy":
        return np.clip(0.7 * rng.standard_t(2.5, noise.shape), -14, 14)
    velocity = np.zeros((COUNT, 2))
    out, moving = [], rng.random(COUNT) < 0.5
    heading = 2.0 * rng.normal(0, 1, (COUNT, 2))
    for frame in range(FRAMES):
        change = rng.random(COUNT) < 0.08
        moving ^= change
        heading = np.where(change[:, None], 2.0 * rng.normal(0, 1, (COUNT, 2)), heading)
        driven = 0.8 * velocity + 0.8 * noise[frame] if kind == "persistent" else heading
        velocity = np.where(moving[:, None], driven, 0.4 * noise[frame])
        out.append(velocity)
    return np.stack(out)


def movie(kind: str, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return truth and detections (5 % missed, 2 % false, noise 0.3)."""
    rng = np.random.default_rng(seed)
    place = np.mod(rng.uniform(0, SIDE, (COUNT, 2)) + steps(kind, rng).cumsum(0), 2 * SIDE)
    place = np.where(place > SIDE, 2 * SIDE - place, place)
    frame, name = np.indices(place.shape[:2])
    flat = place.reshape(-1, 2)
    truth = pd.DataFrame({"frame": frame.ravel(), "y_um": flat[:, 0], "x_um": flat[:, 1]})
    truth["track"] = name.ravel()
    seen = truth[rng.random(len(truth)) >= 0.05].drop(columns="track").copy()
    seen[["y_um", "x_um"]] += rng.normal(0, 0.3, (len(seen), 2))
    count = int(0.02 * len(truth))
    ghosts = pd.DataFrame(rng.uniform(0, SIDE, (count, 2)), columns=["y_um", "x_um"])
    ghosts["frame"] = rng.integers(0, FRAMES, count)
    return truth, pd.concat([seen, ghosts], ignore_index=True)


def judged_links(truth: pd.DataFrame, table: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return (quality, is wrong) of each link between rows that were seen."""
    seen = table[~table.interpolated].sort_values(["track_id", "frame"]).copy()
    seen["true"] = -1
    for frame, rows in seen.groupby("frame"):
        here = truth[truth.frame == frame]
        distance, nearest = cKDTree(here[["y_um", "x_um"]]).query(rows[["y_um", "x_um"]])
        name = here.track.to_numpy()[nearest]
        seen.loc[rows.index, "true"] = np.where(distance < 1.5, name, -1)
    same = seen.track_id.eq(seen.track_id.shift()).to_numpy()
    right = seen.true.eq(seen.true.shift()) & (seen.true >= 0)
    return seen.quality.to_numpy()[same], ~right.to_numpy()[same]


def main() -> None:
    """Print one line a kind of motion."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=1)
    seeds = parser.parse_args().seeds
    for kind in ("walk", "heavy", "persistent", "switching"):
        parts = []
        for seed in range(100, 100 + seeds):
            truth, seen = movie(kind, seed)
            parts.append(judged_links(truth, vs.link(seen).table))
        quality, wrong = (np.concatenate(some) for some in zip(*parts, strict=True))
        rank = rankdata(-quality)
        bad = wrong.sum()
        area = (rank[wrong].sum() - bad * (bad + 1) / 2) / (bad * (len(wrong) - bad))
        riskiest = wrong[np.argsort(quality, kind="stable")[: len(wrong) // 20]].sum() / bad
        print(
            f"{kind:10} wrong {wrong.mean():.3f}  quality {quality.mean():.3f} right "
            f"{1 - wrong.mean():.3f}  AUROC {area:.3f}  in riskiest 5 %: {riskiest:.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
