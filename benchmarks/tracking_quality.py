"""Compare the tracker with its peers on the same corrupted detections.

    python -m benchmarks.tracking_quality DATA [--seeds 2]
        [--trackers extended trackpy laptrack] [--sets ...]

DATA holds ``ssm_N100.csv.gz ssm_N400.csv.gz msm_directed_N300.csv.gz bcells.csv`` with the columns
``frame,x,y,track``. Every tracker gets the same detections (5 % missed, 2 % false, noise 0.3;
``gap3``: 10 % missed and a blackout of three frames in a fifth of the tracks) and is scored
by TrackEval. Peers get the search radius that suits them (6 px, 10 µm); ours gets none.
Needs trackeval, trackpy, laptrack and byotrack; a peer that is not installed is left out.
"""

from __future__ import annotations

import argparse
import importlib.util
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.spatial.distance import cdist

import napari_virtualstain as vs

SETS = {
    "ssm_N100": ("ssm_N100.csv.gz", {}, 3.0, 6.0),
    "ssm_N400": ("ssm_N400.csv.gz", {}, 3.0, 6.0),
    "ssm_N400 gap3": ("ssm_N400.csv.gz", {"gap": 3, "missed": 0.1}, 3.0, 6.0),
    "directed": ("msm_directed_N300.csv.gz", {}, 3.0, 6.0),
    "bcells": ("bcells.csv", {}, 5.0, 10.0),
}


def corrupted(
    truth: pd.DataFrame,
    missed: float = 0.05,
    gap: int = 0,
    seed: int = 0,
    box: float = 6.0,
    noise: float = 0.3,
) -> pd.DataFrame:
    """Return detections of `truth` with misses, false alarms and noise."""
    rng = np.random.default_rng(seed)
    keep = rng.random(len(truth)) >= missed
    if gap:
        names, last = truth.track.unique(), int(truth.frame.max())
        chosen = rng.choice(names, int(0.2 * len(names)), replace=False)
        begin = dict(zip(chosen, rng.integers(5, max(6, last - gap - 5), len(chosen)), strict=True))
        start = truth.track.map(begin).fillna(10**9).to_numpy()
        keep &= ~((truth.frame >= start) & (truth.frame < start + gap)).to_numpy()
    seen = truth.loc[keep, ["frame", "x", "y"]].copy()
    for axis in ("x", "y"):
        seen[axis] += rng.normal(0, noise, len(seen))
    for side in ("width", "height"):
        seen[side] = box * (1 + rng.normal(0, 0.1, len(seen)))
    count = int(0.02 * len(truth))
    ghosts = {"frame": rng.integers(truth.frame.min(), truth.frame.max() + 1, count)}
    ghosts |= {a: rng.uniform(truth[a].min(), truth[a].max(), count) for a in ("x", "y")}
    ghosts |= {"width": box, "height": box}
    both = pd.concat([seen, pd.DataFrame(ghosts)])
    return both.sort_values("frame", kind="stable").reset_index(drop=True)


def scores(truth: pd.DataFrame, tracks: pd.DataFrame, gate: float) -> dict[str, float]:
    """Return HOTA, IDF1 and identity switches of tracks with the columns frame x y id."""
    import trackeval

    true_name = {name: i for i, name in enumerate(truth.track.unique())}
    name_of = {name: i for i, name in enumerate(tracks.id.unique())}
    by_frame, found = dict(tuple(truth.groupby("frame"))), dict(tuple(tracks.groupby("frame")))
    data: dict[str, object] = {
        "num_gt_ids": len(true_name), "num_tracker_ids": len(name_of),
        "num_gt_dets": len(truth), "num_tracker_dets": len(tracks),
    }  # fmt: skip
    ids, names, similarity = [], [], []
    for frame in sorted(set(by_frame) | set(found)):
        a = by_frame.get(frame, truth.iloc[:0])
        b = found.get(frame, tracks.iloc[:0])
        ids.append(a.track.map(true_name).to_numpy(int))
        names.append(b.id.map(name_of).to_numpy(int))
        distance = cdist(a[["x", "y"]].to_numpy(float), b[["x", "y"]].to_numpy(float))
        similarity.append(np.clip(1 - distance / (2 * gate), 0, 1))
    data |= {"gt_ids": ids, "tracker_ids": names, "similarity_scores": similarity}
    data["num_timesteps"] = len(ids)
    quiet = {"PRINT_CONFIG": False, "THRESHOLD": 0.5}
    return {
        "HOTA": float(np.mean(trackeval.metrics.HOTA().eval_sequence(data)["HOTA"])),
        "IDF1": float(trackeval.metrics.Identity(quiet).eval_sequence(data)["IDF1"]),
        "IDSW": float(trackeval.metrics.CLEAR(quiet).eval_sequence(data)["IDSW"]),
    }


def ours(mode: str, max_gap: int = 3) -> Callable[[pd.DataFrame, float], pd.DataFrame]:
    """Return our tracker with its one default."""

    def run(seen: pd.DataFrame, radius: float) -> pd.DataFrame:
        named = seen.rename(
            columns={"x": "x_um", "y": "y_um", "width": "width_um", "height": "height_um"}
        )
        tracks = vs.link(named, mode=mode, max_gap=max_gap)
        table = tracks.table.rename(columns={"x_um": "x", "y_um": "y", "track_id": "id"})
        # nothing divides or fuses in these sets
        table.attrs["false events"] = len(tracks.events)
        return table

    return run


def run_trackpy(seen: pd.DataFrame, radius: float) -> pd.DataFrame:
    """Link with trackpy."""
    import trackpy

    trackpy.quiet()
    linked = trackpy.link(seen, search_range=radius, memory=3, pos_columns=["x", "y"])
    return linked.rename(columns={"particle": "id"})


def run_laptrack(seen: pd.DataFrame, radius: float) -> pd.DataFrame:
    """Link with laptrack."""
    import laptrack

    tracker = laptrack.LapTrack(
        cutoff=radius**2, gap_closing_cutoff=radius**2, gap_closing_max_frame_count=3
    )
    linked, _, _ = tracker.predict_dataframe(
        seen.assign(time=seen.frame), ["x", "y"], frame_col="time", only_coordinate_cols=False
    )
    return linked.reset_index(drop=True).rename(columns={"track_id": "id"})


def run_byotrack(seen: pd.DataFrame, radius: float) -> pd.DataFrame:
    """Link with ByoTrack's Kalman linker, the search radius being 10 of its pixels."""
    import torch
    from byotrack import PointDetections
    from byotrack.implementation.linker.frame_by_frame.kalman_linker import (
        KalmanLinker,
        KalmanLinkerParameters,
    )

    unit = 10.0 / radius
    offset = seen[["y", "x"]].min().to_numpy() * unit - 10.0
    shape = tuple((seen[["y", "x"]].max().to_numpy() * unit - offset + 20).astype(int).tolist())
    frames = [
        PointDetections(
            torch.tensor(part[["y", "x"]].to_numpy() * unit - offset, dtype=torch.float32),
            shape=shape,
        )
        for part in (seen[seen.frame == frame] for frame in range(int(seen.frame.max()) + 1))
    ]
    settings = KalmanLinkerParameters(detection_std=1.5, process_std=3.0, n_gap=3).estimate(frames)
    settings.split_factor = settings.merge_factor = 0.0
    rows = []
    for track in KalmanLinker(settings).run(None, frames):
        places = (track.points.numpy() + offset) / unit
        rows += [
            (track.start + step, y, x, track.identifier)
            for step, (y, x) in enumerate(places)
            if np.isfinite(y)
        ]
    return pd.DataFrame(rows, columns=["frame", "y", "x", "id"])


TRACKERS: dict[str, tuple[str | None, Callable[[pd.DataFrame, float], pd.DataFrame]]] = {
    "extended": (None, ours("extended")),
    "paper": (None, ours("paper")),
    "trackpy": ("trackpy", run_trackpy),
    "laptrack": ("laptrack", run_laptrack),
    "byotrack": ("byotrack", run_byotrack),
}


def main() -> None:
    """Print one line a set and tracker, and our ratio to the best peer."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--trackers", nargs="+", default=list(TRACKERS), choices=list(TRACKERS))
    parser.add_argument("--sets", nargs="+", default=list(SETS), choices=list(SETS))
    parser.add_argument("--frames", type=int, help="only the first ones")
    parser.add_argument("--blackout", type=int, help="frames that a fifth of the tracks miss")
    parser.add_argument("--max-gap", type=int, default=3, help="of ours")
    chosen = parser.parse_args()
    trackers = TRACKERS | {
        mode: (None, ours(mode, chosen.max_gap)) for mode in ("extended", "paper")
    }
    for name in chosen.sets:
        file, how, gate, radius = SETS[name]
        truth = pd.read_csv(chosen.data / file)
        truth = truth[truth.frame < (chosen.frames or np.inf)]
        how = how if chosen.blackout is None else {**how, "gap": chosen.blackout}
        used = {tracker: trackers[tracker] for tracker in chosen.trackers}
        compare(name, [truth] * chosen.seeds, used, how, gate, radius)


def compare(
    name: str,
    truths: list[pd.DataFrame],
    trackers: dict[str, tuple[str | None, Callable[[pd.DataFrame, float], pd.DataFrame]]],
    how: dict[str, float],
    gate: float,
    radius: float,
) -> None:
    """Print one line a tracker for movies of one kind, each corrupted once, and our ratio."""
    best: dict[str, float] = {}
    for tracker, (needs, run) in trackers.items():
        if needs and importlib.util.find_spec(needs) is None:
            print(f"{name:14} {tracker:9} not installed")
            continue
        rows = []
        for seed, truth in enumerate(truths):
            seen = corrupted(truth, seed=seed, **how)
            start = time.process_time()
            tracks = run(seen, radius)
            spent = (time.process_time() - start) * 1e3 / seen.frame.nunique()
            false = tracks.attrs.get("false events", 0)
            rows.append(scores(truth, tracks, gate) | {"ms/frame": spent, "false": false})
        mean = pd.DataFrame(rows).mean()
        best[tracker] = mean.IDF1
        text = f"HOTA {mean.HOTA:.3f} IDF1 {mean.IDF1:.3f} IDSW {mean.IDSW:.0f}"
        text += f" false events {mean.false:.1f}"
        print(f"{name:14} {tracker:9} {text} {mean['ms/frame']:.1f} ms/frame", flush=True)
    peers = [best[peer] for peer in ("trackpy", "laptrack", "byotrack") if peer in best]
    if peers and "extended" in best:
        print(f"{name:14} extended / best peer: {best['extended'] / max(peers):.3f}")


if __name__ == "__main__":
    main()
