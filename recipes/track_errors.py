"""Fit the error probability of tracks on simulated movies of known truth.

    python -m recipes.track_errors [--positions 60] [--masks 14] [-o error_probability.json]

Three pairs of logistic regressions: of tracks of positions (``positions``), of those whose linker
states a quality (``quality``), and of tracks of masks (``masks``). ``benchmarks/track_errors.py``
judges them on other seeds, simulators and real tracks. Writes the file that the package reads.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from scipy.special import expit

from benchmarks.track_errors import (
    Judged,
    mask_movies,
    position_movies,
    wrong_links,
    wrong_tracks,
)
from napari_virtualstain.tracking.judging import error_probability
from napari_virtualstain.tracking.judging.error_probability import combined, link_regressors

TARGET = Path(error_probability.__file__).with_suffix(".json")
_PENALTY, _ROUNDS = 0.1, 60


def regression(x: np.ndarray, wrong: np.ndarray, weight: np.ndarray) -> list[float]:
    """Return bias and weights of a logistic regression with a small ridge penalty."""
    mean, spread = x.mean(0), x.std(0)
    spread[spread < 1e-9] = 1.0
    design = np.column_stack([np.ones(len(x)), (x - mean) / spread])
    ridge = np.full(design.shape[1], _PENALTY)
    ridge[0] = 0.0
    found = np.zeros(design.shape[1])
    for _ in range(_ROUNDS):
        chance = expit(design @ found)
        slope = design.T @ (weight * (wrong - chance)) - ridge * found
        bend = (design * (weight * chance * (1 - chance))[:, None]).T @ design
        step = np.linalg.solve(bend + np.diag(ridge + 1e-9), slope)
        found += step / max(1.0, np.abs(step).max())
        if np.abs(step).max() < 1e-6:
            break
    scaled = found[1:] / spread
    return [float(found[0] - scaled @ mean), *scaled.tolist()]


def fitted(kind: str, movies: list[Judged]) -> dict[str, list[float]]:
    """Return the two regressions of one kind of tracks."""
    parts = []
    for movie in movies:
        links, x = link_regressors(movie.table, kind)
        wrong = wrong_links(movie, links.source, links.target)
        track = movie.table.track_id.to_numpy()[links.target]
        known = np.isfinite(wrong)
        if known.any():
            # crowded movies of many links must not drown the others
            weight = np.full(int(known.sum()), 1 / np.sqrt(known.sum()))
            parts.append((x, wrong, track, known, weight))
    x = np.concatenate([x[known] for x, _, _, known, _ in parts])
    wrong = np.concatenate([wrong[known] for _, wrong, _, known, _ in parts])
    weight = np.concatenate([weight for *_, weight in parts])
    link = regression(x, wrong, weight / weight.mean())
    tracks, truth = [], []
    for x, wrong, track, _, _ in parts:
        joined = combined(track, x @ np.array(link[1:]) + link[0])
        true = wrong_tracks(track, wrong)
        tracks.append(joined.loc[true.index, ["any", "most", "length"]].to_numpy())
        truth.append(true.to_numpy(float))
    x, wrong = np.concatenate(tracks), np.concatenate(truth)
    return {"link": link, "track": regression(x, wrong, np.ones(len(x)))}


def main() -> None:
    """Simulate, fit, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--positions", type=int, default=60, help="movies of positions")
    parser.add_argument("--masks", type=int, default=14, help="movies of masks")
    parser.add_argument("--output", "-o", type=Path, default=TARGET)
    chosen = parser.parse_args()
    positions = list(position_movies(range(chosen.positions)))
    masks = list(mask_movies(range(2000, 2000 + chosen.masks)))
    write(chosen.output, positions, masks)


def write(path: Path, positions: list[Judged], masks: list[Judged]) -> None:
    """Fit all three kinds and write them."""
    model = {
        "positions": fitted("positions", positions),
        "quality": fitted("quality", [movie for movie in positions if movie.linker == "ours"]),
        "masks": fitted("masks", masks),
    }
    path.write_text(json.dumps(model, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
