"""Accuracy lost and time saved by half precision, for each generator.

    python -m benchmarks.staining_precision --data FOLDER/h9c2_pairs --every 2

Every frame is stained in float32 and in the arithmetic that ``precision="auto"`` takes
here. Printed: how far pixels move, as a share of the range of the stained frame; the
correlation with the truth in both; the CPU seconds of both. Simulated frames need no
data; the held-out cell of the shipped model needs the folder of pairs.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from skimage.io import imread

import napari_virtualstain as vs
from napari_virtualstain.metrics import bandpass_pearson, pearson

Pairs = list[tuple[np.ndarray, np.ndarray]]
_PIXEL_UM = 0.08


def simulated(count: int, size: int) -> Pairs:
    """Return simulated bright-field frames with their true fluorescence."""
    scenes = [vs.simulate(frames=1, size=size, count=20, seed=seed) for seed in range(count)]
    return [(scene.bright_field[0], scene.fluorescence[0]) for scene in scenes]


def held_out(folder: Path, cell: str, every: int) -> Pairs:
    """Return pairs of one cell."""
    names = sorted((folder / "bright_field").glob(f"*{cell}*.png"))[::every]
    return [(imread(path), imread(folder / "fluorescence" / path.name)) for path in names]


def timed(run: Callable[[], np.ndarray]) -> tuple[np.ndarray, float]:
    """Return a result and the CPU seconds of its second run."""
    run()
    start = time.process_time()
    return run(), time.process_time() - start


def compare(name: str, pairs: Pairs) -> None:
    """Print a line for one model on some pairs."""
    model = vs.load_model(name)
    rows = []
    for bright_field, truth in pairs:
        exact, fast = (
            timed(
                lambda p=p, b=bright_field: vs.stain(b, model, pixel_size_um=_PIXEL_UM, precision=p)
            )
            for p in ("float32", "auto")
        )
        moved = np.abs(fast[0] - exact[0]) / np.ptp(exact[0])
        scores = [
            f(result, truth) for f in (pearson, bandpass_pearson) for result in (exact[0], fast[0])
        ]
        rows.append([moved.max(), moved.mean(), *scores, exact[1], fast[1]])
    worst, (_, mean, *scores, slow, quick) = np.max(rows, axis=0)[0], np.mean(rows, axis=0)
    print(
        f"{name:15s} {len(rows):3d} frames of {pairs[0][0].shape[0]}  moved: most {worst:.2%}, "
        f"mean {mean:.3%}  Pearson {scores[0]:.4f} -> {scores[1]:.4f}, band-pass {scores[2]:.4f} "
        f"-> {scores[3]:.4f}  CPU {slow:.2f} s -> {quick:.2f} s",
        flush=True,
    )


def main() -> None:
    """Print a line for each model and kind of frames."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder with bright_field/ and fluorescence/")
    parser.add_argument("--cell", default="TL_012", help="whose pairs are stained")
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--model", default="mito-h9c2", help="for the pairs")
    parser.add_argument("--simulated", type=int, default=4, help="frames")
    parser.add_argument("--size", type=int, default=256, help="of simulated frames")
    given = parser.parse_args()
    from napari_virtualstain.engine import TiledNetwork

    engine = TiledNetwork(vs.load_model(given.model).network, device="cpu", precision="auto")
    print(f"'auto' is {engine.precision} on this processor; cell {given.cell}")
    if given.simulated:
        compare("mito-simulated", simulated(given.simulated, given.size))
    if given.data:
        compare(given.model, held_out(given.data, given.cell, given.every))


if __name__ == "__main__":
    main()
