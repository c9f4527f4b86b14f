"""Filter against flicker: what it takes away and smears, on simulated movies with truth.

    python -m benchmarks.staining_flicker --frames 16 --size 256

A simulated movie is stained frame by frame, then filtered as ``stain --temporal`` does,
and for comparison averaged over the same frames blindly. Moving pixels are the tenth in
which the true fluorescence changes most from two frames before to two frames after.
Smear is the excess of ghosts: how far the image leans to its true past and future, as
the part of the true change that is missing.
"""

from __future__ import annotations

import argparse

import numpy as np

import napari_virtualstain as vs
from napari_virtualstain.metrics import bandpass_pearson, pearson
from napari_virtualstain.staining import flicker, reduce_flicker

_RADIUS = 2


def averaged(movie: np.ndarray) -> np.ndarray:
    """Return the mean over the frames that the filter looks at."""
    around = [slice(max(0, t - _RADIUS), t + _RADIUS + 1) for t in range(len(movie))]
    return np.stack([movie[part].mean(0) for part in around])


def missing_change(movie: np.ndarray, truth: np.ndarray, stained: np.ndarray) -> float:
    """Return the share of the frame-to-frame change, where truth moves, that was lost.

    The change of the unfiltered stain along the true change is the reference.
    """
    step = np.diff(truth, axis=0)
    moving = np.abs(step) >= np.quantile(np.abs(step), 0.9)
    kept = (np.diff(movie, axis=0) * step)[moving].sum()
    return float(1 - kept / (np.diff(stained, axis=0) * step)[moving].sum())


def scores(movie: np.ndarray, truth: np.ndarray, stained: np.ndarray) -> list[float]:
    """Return flicker, Pearson, band-pass, Pearson of moving pixels, and lost change."""
    inner = range(_RADIUS, len(movie) - _RADIUS)
    moving = []
    for t in inner:
        change = np.abs(truth[t + _RADIUS] - truth[t - _RADIUS])
        mask = change >= np.quantile(change, 0.9)
        moving.append(np.corrcoef(movie[t][mask], truth[t][mask])[0, 1])
    return [
        flicker(movie),
        float(np.mean([pearson(movie[t], truth[t]) for t in inner])),
        float(np.mean([bandpass_pearson(movie[t], truth[t]) for t in inner])),
        float(np.mean(moving)),
        missing_change(movie, truth, stained),
    ]


def main() -> None:
    """Print a line for each way of filtering."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=16)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--model", default="mito-simulated")
    given = parser.parse_args()
    rows: dict[str, list[list[float]]] = {}
    for seed in given.seeds:
        scene = vs.simulate(frames=given.frames, size=given.size, count=25, seed=seed)
        truth = scene.fluorescence.astype(float)
        stained = vs.stain(scene.bright_field, given.model, pixel_size_um=scene.pixel_size_um)
        ways = {
            "frame by frame": stained,
            f"--temporal {_RADIUS}": reduce_flicker(stained, radius=_RADIUS),
            f"plain mean of {2 * _RADIUS + 1}": averaged(stained),
        }
        for name, movie in ways.items():
            rows.setdefault(name, []).append(scores(movie, truth, stained))
        rows.setdefault("truth itself", []).append([flicker(truth), 1.0, 1.0, 1.0, np.nan])
    print(f"{'':16s} flicker  Pearson  band-pass  Pearson where it moves  change lost")
    for name, each in rows.items():
        mean = np.mean(each, axis=0)
        print(
            f"{name:16s} {mean[0]:7.2%}  {mean[1]:7.3f}  {mean[2]:9.3f}  {mean[3]:22.3f}  "
            f"{mean[4]:11.1%}"
        )


if __name__ == "__main__":
    main()
