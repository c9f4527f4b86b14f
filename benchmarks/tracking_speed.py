"""Time our tracker and its peers a frame, against the number of objects; one thread.

OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python -m benchmarks.tracking_speed
[--counts 100 400 1000 10000] [--peers]
"""

from __future__ import annotations

import argparse
import importlib.util
import time

import numpy as np
import pandas as pd

import napari_virtualstain as vs


def walkers(count: int, frames: int, seed: int = 0) -> pd.DataFrame:
    """Return detections of random walks as dense as the AnDi movies (spacing of ten steps)."""
    rng = np.random.default_rng(seed)
    side = 12.8 * np.sqrt(count)
    place = rng.uniform(0, side, (count, 2)) + rng.normal(0, 1.3, (frames, count, 2)).cumsum(0)
    place += rng.normal(0, 0.3, place.shape)
    frame = np.repeat(np.arange(frames), count)
    flat = place.reshape(-1, 2)
    table = pd.DataFrame({"frame": frame, "y_um": flat[:, 0], "x_um": flat[:, 1]})
    return table[rng.random(len(table)) > 0.05].reset_index(drop=True)


def timed(run: object, seen: pd.DataFrame) -> float:
    """Return processor milliseconds a frame."""
    start = time.process_time()
    run(seen)  # type: ignore[operator]
    return (time.process_time() - start) * 1e3 / seen.frame.nunique()


def run_trackpy(seen: pd.DataFrame) -> None:
    """Link with trackpy."""
    import trackpy

    trackpy.quiet()
    trackpy.link(seen, search_range=6, memory=3, pos_columns=["y_um", "x_um"])


def run_laptrack(seen: pd.DataFrame) -> None:
    """Link with laptrack."""
    import laptrack

    laptrack.LapTrack(
        cutoff=36, gap_closing_cutoff=36, gap_closing_max_frame_count=3
    ).predict_dataframe(seen.assign(time=seen.frame), ["y_um", "x_um"], frame_col="time")


def main() -> None:
    """Print milliseconds a frame."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--counts", nargs="+", type=int, default=[100, 400, 1000, 10000])
    parser.add_argument("--peers", action="store_true")
    chosen = parser.parse_args()
    peers = {"trackpy": run_trackpy, "laptrack": run_laptrack} if chosen.peers else {}
    vs.link(walkers(20, 5))
    for count in chosen.counts:
        seen = walkers(count, 60 if count <= 400 else 20 if count <= 1000 else 8)
        spent = {mode: timed(lambda s, m=mode: vs.link(s, mode=m), seen) for mode in
                 ("extended", "paper")}  # fmt: skip
        for name, run in peers.items():
            if importlib.util.find_spec(name) and not (name == "laptrack" and count > 400):
                spent[name] = timed(run, seen)
        text = "  ".join(f"{name} {value:.1f}" for name, value in spent.items())
        ratios = [value / spent["extended"] for name, value in spent.items() if name in peers]
        more = f"  slowest peer / extended {max(ratios):.1f}" if ratios else ""
        print(f"{count:6d} objects, ms/frame: {text}{more}", flush=True)


if __name__ == "__main__":
    main()
