"""Score tracks and events of simulated mitochondria, forwards and backwards in time.

    python -m benchmarks.tracking_simulator [--seeds 2] [--first 0] [--inputs truth true virtual]

Three inputs: the true labels (``truth``), the true fluorescence segmented by mito-segment
(``true``), and the virtual one, stained from bright-field by mito-simulated and then segmented
(``virtual``).
Backwards, each fission is a fusion. Events count within 1 µm and 2 frames. IDF1 of everything
(within 0.5 µm); precision, recall and F1 of events over all movies together. ``--calibration``
adds, for events of the same stated probability, the part that is true.

The probability of an event was fitted to seeds 0 to 2, 20 to 27, 100 to 115, 200 to 209, 300 to
307 and 600 to 605 of several rates and inputs; seeds from 40 to 99 were never looked at.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd

import napari_virtualstain as vs
from napari_virtualstain.metrics import event_scores, identity_scores
from napari_virtualstain.simulation import Scene, SceneConfig, simulate

INPUTS = ("truth", "true", "virtual")
# tracks of a virtual stain are better where only what is sure is outlined
THRESHOLD = {"true": 0.5, "virtual": 0.9}
CLASSES = (0.3, 0.5, 0.7, 0.9, 1.01)


def movie(seed: int, frames: int, rate: float) -> Scene:
    """Return a movie with `rate` fissions (and fusions) a minute and mitochondrion."""
    calm = SceneConfig()
    motion = replace(calm.motion, fission_rate_per_min=rate, fusion_rate_per_min=rate)
    return simulate(frames=frames, seed=seed, config=replace(calm, motion=motion))


def outlined(scene: Scene, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Return labels and the image they were made of."""
    if kind == "truth":
        return scene.labels, scene.fluorescence
    image = scene.fluorescence
    if kind == "virtual":
        image = np.asarray(vs.stain(scene.bright_field, "mito-simulated", pixel_size_um=0.08))
    labels = vs.segment(image, pixel_size_um=0.08, threshold=THRESHOLD[kind])
    return np.asarray(labels), np.asarray(image)


def turned(table: pd.DataFrame, frames: int) -> pd.DataFrame:
    """Return the true events, or tracks, of the movie played backwards."""
    if "kind" not in table:
        return table.assign(frame=frames - 1 - table.frame)
    other = {"fission": "fusion", "fusion": "fission"}
    return table.assign(frame=frames - table.frame, kind=table.kind.map(other))


def counts(found: pd.DataFrame, true: pd.DataFrame) -> dict[str, float]:
    """Return hits, found and true events of each kind."""
    scores = event_scores(found, true)
    out = {}
    for kind in ("fission", "fusion"):
        many = float((found.kind == kind).sum())
        hits = np.nan_to_num(scores[f"{kind}_precision"]) * many
        out |= {f"{kind} hits": hits, f"{kind} found": many}
        out[f"{kind} true"] = float((true.kind == kind).sum())
    return out


def right(found: pd.DataFrame, true: pd.DataFrame) -> pd.DataFrame:
    """Return ``probability right`` of each event that was found, judged with the true ones."""
    judged = []
    for kind, events in found.groupby("kind"):
        ordered = events.sort_values("probability", ascending=False)
        before = 0.0
        for many in range(1, len(ordered) + 1):
            some = ordered.iloc[:many]
            hits = np.nan_to_num(event_scores(some, true)[f"{kind}_precision"]) * many
            judged.append((some.probability.iloc[-1], hits > before + 0.5))
            before = max(before, hits)
    return pd.DataFrame(judged, columns=["probability", "right"])


def print_calibration(judged: pd.DataFrame) -> None:
    """Print the mean stated probability and the part that is right, class by class."""
    for low, high in pairwise(CLASSES):
        some = judged[judged.probability.between(low, high, inclusive="left")]
        if len(some):
            text = f"stated {some.probability.mean():.2f} right {some.right.mean():.2f}"
            print(f"  probability {low:.1f} to {high:.1f}: {len(some):3} events, {text}")


def main() -> None:
    """Print one line an input and direction."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=2, help="how many")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--calibration", action="store_true")
    parser.add_argument("--frames", type=int, default=40)
    parser.add_argument("--rate", type=float, default=0.12)
    parser.add_argument("--threshold", type=float, default=0.9, help="of the virtual stain")
    parser.add_argument("--inputs", nargs="+", default=list(INPUTS), choices=INPUTS)
    chosen = parser.parse_args()
    THRESHOLD["virtual"] = chosen.threshold
    rows, judged = [], []
    for seed in range(chosen.first, chosen.first + chosen.seeds):
        scene = movie(seed, chosen.frames, chosen.rate)
        for kind in chosen.inputs:
            labels, image = outlined(scene, kind)
            for way in ("forwards", "backwards"):
                back = way == "backwards"
                step = -1 if back else 1
                tracks = vs.track(
                    labels[::step],
                    intensity=image[::step],
                    pixel_size_um=0.08,
                    frame_interval_s=2.0,
                )
                true_tracks, true_events = (
                    turned(table, chosen.frames) if back else table
                    for table in (scene.tracks, scene.events)
                )
                scores = identity_scores(tracks.table, true_tracks)
                row = {"input": kind, "way": way, "IDF1": scores["idf1"]}
                rows.append(row | counts(tracks.events, true_events))
                judged.append(right(tracks.events, true_events).assign(input=kind))
    table = pd.DataFrame(rows)
    for (kind, way), part in table.groupby(["input", "way"], sort=False):
        text = f"{kind:8}{way:10} IDF1 {part.IDF1.mean():.3f}"
        for event in ("fission", "fusion"):
            hits, found, true = (part[f"{event} {k}"].sum() for k in ("hits", "found", "true"))
            f1 = 2 * hits / max(found + true, 1)
            text += f"  {event} F1 {f1:.2f} ({hits:.0f} of {true:.0f}, {found - hits:.0f} false)"
        print(text, flush=True)
    if chosen.calibration:
        for kind, part in pd.concat(judged).groupby("input", sort=False):
            print(kind)
            print_calibration(part)


if __name__ == "__main__":
    main()
