"""Find the divisions that an expert marked in real movies of COS-7 mitochondria.

    python -m benchmarks.tracking_fission DATA/cos7_fission_movies [--apart 1.0] [--late 1]

The folder holds ``*_images.tif`` (T, Y, X; 56 nm, 5 s) and ``*_ground_truth.tif`` of that shape,
bright where a division is near (LEB-EPFL/deep-events). Movies are segmented by mito-segment and
tracked, all by default. A mark is a bright blob; marks in consecutive frames within `apart`
are one division. Constrictions that never part are marked too, so that recall has a
ceiling below one. Prints divisions, how many a fission event is near, how many events are near one,
and what chance finds: the mean over a hundred draws of each event moved to some mitochondrion of
the same frame.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
import tifffile
from scipy import ndimage

import napari_virtualstain as vs

PIXEL_UM, INTERVAL_S = 0.056, 5.0


def marks(maps: np.ndarray, apart_um: float) -> list[pd.DataFrame]:
    """Return the marks ``frame y_um x_um`` of each division."""
    rows = []
    for frame, plane in enumerate(maps.astype(float)):
        blobs, count = ndimage.label(plane > 0.3 * maps.max())
        for y, x in ndimage.center_of_mass(plane, blobs, range(1, count + 1)):
            rows.append((frame, y * PIXEL_UM, x * PIXEL_UM))
    divisions: list[list[tuple[int, float, float]]] = []
    for row in rows:
        for some in divisions:
            if row[0] - some[-1][0] <= 1 and np.hypot(*np.subtract(row, some[-1])[1:]) <= apart_um:
                some.append(row)
                break
        else:
            divisions.append([row])
    return [pd.DataFrame(some, columns=["frame", "y_um", "x_um"]) for some in divisions]


def near(events: pd.DataFrame, division: pd.DataFrame, apart_um: float, late: int) -> np.ndarray:
    """Return which of `events` lie within `apart_um` and `late` frames of a division."""
    inside = events.frame.between(division.frame.min() - late, division.frame.max() + late)
    place = events[["y_um", "x_um"]].to_numpy()[:, None]
    off = np.linalg.norm(place - division[["y_um", "x_um"]].to_numpy()[None], axis=2)
    return np.asarray(inside & (off.min(axis=1, initial=np.inf) <= apart_um))


def judged(
    events: pd.DataFrame, divisions: list[pd.DataFrame], apart_um: float, late: int
) -> tuple[int, int]:
    """Return how many divisions were found, and how many events are near one."""
    hits = [near(events, division, apart_um, late) for division in divisions]
    return sum(hit.any() for hit in hits), int(np.any(hits, axis=0).sum()) if hits else 0


def anywhere(events: pd.DataFrame, table: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Return `events`, each at some mitochondrion of its frame."""
    rng = np.random.default_rng(seed)
    moved = events.copy()
    for k, frame in enumerate(events.frame):
        here = table.loc[table.frame == frame, ["y_um", "x_um"]].to_numpy()
        moved.loc[k, ["y_um", "x_um"]] = here[rng.integers(len(here))]
    return moved


def main() -> None:
    """Print one line a movie, and the sum."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--apart", type=float, default=1.0, help="µm")
    parser.add_argument("--late", type=int, default=1, help="frames")
    chosen = parser.parse_args()
    rows = []
    for path in sorted(chosen.data.glob("*_images.tif")):
        movie = tifffile.imread(path)
        maps = tifffile.imread(path.with_name(path.name.replace("_images", "_ground_truth")))
        labels = np.asarray(vs.segment(movie, pixel_size_um=PIXEL_UM))
        tracks = vs.track(
            labels, intensity=movie, pixel_size_um=PIXEL_UM, frame_interval_s=INTERVAL_S
        )
        divisions = marks(maps, chosen.apart)
        events = tracks.events[tracks.events.kind == "fission"].reset_index(drop=True)
        found, right = judged(events, divisions, chosen.apart, chosen.late)
        drawn = [anywhere(events, tracks.table, seed) for seed in range(100)]
        by_chance = np.mean(
            [judged(some, divisions, chosen.apart, chosen.late)[0] for some in drawn]
        )
        row = {"frames": len(movie), "tracks": len(tracks), "divisions": len(divisions)}
        row |= {
            "found": found,
            "events": len(events),
            "near one": right,
            "by chance": round(float(by_chance), 2),
        }
        rows.append(row)
        print(path.name[:24], *(f"{k} {v}" for k, v in row.items()), flush=True)
    print("all", *(f"{k} {v:g}" for k, v in pd.DataFrame(rows).sum().items()))


if __name__ == "__main__":
    main()
