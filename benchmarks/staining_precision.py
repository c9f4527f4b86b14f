"""Accuracy lost and time saved by half precision, for each generator.

    python -m benchmarks.staining_precision --data FOLDER/h9c2_pairs --every 2
    python -m benchmarks.staining_precision --data FOLDER/h9c2_pairs --fast openvino int8

Every frame is stained in float32 and in the arithmetic that ``precision="auto"`` takes
here, or on the device and in the precision of ``--fast``. Printed: how far pixels move, as a
share of the range of the stained frame; the correlation with the truth in both; the CPU
seconds of both. Simulated frames need no data; the held-out cell of the shipped model needs
the folder of pairs.
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
    named = f"*{cell}*.png" if cell else "*.png"
    names = sorted((folder / "bright_field").glob(named))[::every]
    return [(imread(path), imread(folder / "fluorescence" / path.name)) for path in names]


def timed(run: Callable[[], np.ndarray]) -> tuple[np.ndarray, float]:
    """Return a result and the CPU seconds of its second run."""
    run()
    start = time.process_time()
    return run(), time.process_time() - start


def compare(name: str, pairs: Pairs, fast: tuple[str, str]) -> None:
    """Print a line for one model on some pairs."""
    model = vs.load_model(name)

    def stained(light: np.ndarray, device: str, precision: str) -> np.ndarray:
        options = {"device": device, "precision": precision}
        return vs.stain(light, model, pixel_size_um=_PIXEL_UM, **options)

    rows = []
    for bright_field, truth in pairs:
        exact, other = (
            timed(lambda way=way, light=bright_field: stained(light, *way))
            for way in (("cpu", "float32"), fast)
        )
        moved = np.abs(other[0] - exact[0]) / np.ptp(exact[0])
        scores = [
            f(result, truth) for f in (pearson, bandpass_pearson) for result in (exact[0], other[0])
        ]
        rows.append([moved.max(), moved.mean(), *scores, exact[1], other[1]])
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
    parser.add_argument("--cell", default="TL_012", help="whose pairs are stained; '' for all")
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--model", default="mito-h9c2", help="for the pairs")
    parser.add_argument("--simulated", type=int, default=4, help="frames")
    parser.add_argument("--size", type=int, default=256, help="of simulated frames")
    parser.add_argument("--fast", nargs=2, default=["cpu", "auto"], help="device and precision")
    given = parser.parse_args()
    from napari_virtualstain.engine import TiledNetwork

    engine = TiledNetwork(vs.load_model(given.model).network, device="cpu", precision="auto")
    print(f"'auto' is {engine.precision} on this processor; cell {given.cell}")
    fast = (given.fast[0], given.fast[1])
    if given.simulated:
        compare("mito-simulated", simulated(given.simulated, given.size), fast)
    if given.data:
        compare(given.model, held_out(given.data, given.cell, given.every), fast)


if __name__ == "__main__":
    main()
