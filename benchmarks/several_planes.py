"""What neighbouring frames bring: one frame against several, on simulated movies.

Moving mitochondria stand out from still clutter when the network also sees the frames
before and after. Movies are simulated, a network is trained for each number of planes, and
all are judged on movies that trained none.

    python -m benchmarks.several_planes --planes 1 3 5 --steps 600
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from napari_virtualstain.data import CorrelativePairs
from napari_virtualstain.metrics import bootstrap_interval
from napari_virtualstain.models import Inputs
from napari_virtualstain.simulation import simulate
from napari_virtualstain.training import preset, train

SCORES = ("pearson", "bandpass_pearson", "mask_iou")


def movie_pairs(movies: int, frames: int, size: int, inputs: Inputs) -> CorrelativePairs:
    """Return every frame of simulated movies with its neighbours; one group a movie."""
    bright_field, fluorescence, groups = [], [], []
    for seed in range(movies):
        scene = simulate(frames=frames, size=size, seed=seed)
        for t in range(frames):
            bright_field.append(scene.bright_field[list(inputs.indices(t, frames))])
            fluorescence.append(scene.fluorescence[t])
            groups.append(f"movie{seed}")
    return CorrelativePairs.from_arrays(
        bright_field, fluorescence, groups=groups, movies=groups, pixel_size_um=0.08
    )


def main() -> None:
    """Train and judge for each number of planes, and write a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/planes"))
    parser.add_argument("--planes", type=int, nargs="+", default=[1, 3, 5])
    parser.add_argument("--movies", type=int, default=12, help="a quarter of them judges")
    parser.add_argument("--frames", type=int, default=10)
    parser.add_argument("--size", type=int, default=192)
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--widths", type=int, nargs="+", default=[16, 32, 64, 128])
    parser.add_argument("--crop", type=int, default=128)
    arguments = parser.parse_args()
    held = tuple(f"movie{seed}" for seed in range(max(1, arguments.movies // 4)))
    rows = []
    for planes in arguments.planes:
        inputs = Inputs(planes=planes, axis="t")
        config = preset().updated(
            name=f"planes-{planes}",
            architecture={"name": "unet", "arguments": {"widths": arguments.widths}},
            inputs=inputs.model_dump(),
            steps=arguments.steps,
            crop_size=arguments.crop,
            validation_groups=held,
            validate_every=10**6,
            report=False,
        )
        pairs = movie_pairs(arguments.movies, arguments.frames, arguments.size, inputs)
        target = arguments.output / str(planes) / "model.safetensors"
        scores = train(pairs, config, output=target, overwrite=True).scores
        if scores is None:
            continue
        stain = scores[scores["method"] == "virtual stain"]
        row: dict[str, object] = {"planes": planes}
        for score in SCORES:
            interval = bootstrap_interval(
                stain[score].to_numpy(float),
                list(stain["group"]),
                generator=np.random.default_rng(0),
            )
            row[score] = f"{interval.mean:.3f} ({interval.low:.3f} to {interval.high:.3f})"
        rows.append(row)
        print(row, flush=True)
        pd.DataFrame(rows).to_csv(arguments.output / "planes.csv", index=False)


if __name__ == "__main__":
    main()
