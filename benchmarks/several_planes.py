"""Gain of neighbouring planes or frames: one against several, on simulated movies.

Moving mitochondria stand out from still clutter when the network also sees the frames
before and after (``--axis t``); planes above and below show the phase (``--axis z``). A
network is trained for each number of planes, and all are judged on movies or fields that
trained none: scores of the stain, and F1 at an IoU of 0.5 of its outlines.

    python -m benchmarks.several_planes --planes 1 3 5 --steps 600
    python -m benchmarks.several_planes --axis z --planes 1 3 5 --spacing-um 0.25 --movies 60
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_virtualstain import stain
from napari_virtualstain.data import CorrelativePairs
from napari_virtualstain.metrics import bootstrap_interval, evaluate_labels
from napari_virtualstain.models import Inputs
from napari_virtualstain.segmentation import segment
from napari_virtualstain.simulation import Camera, Scene, SceneConfig, simulate
from napari_virtualstain.training import preset, train

PIXEL_SIZE_UM = 0.08
SCORES = ("pearson", "bandpass_pearson", "mask_iou", "f1")
# So many electrons that noise is below the rounding to 16 bit
NOISE_FREE = Camera(bright_field_electrons=1e9, gain=3e-5, offset=0.0, read_noise=0.0)


def z_stack(
    seed: int, size: int, planes: int, spacing_um: float
) -> tuple[NDArray[np.uint16], Scene]:
    """Return the bright-field of one field at several foci (Z, Y, X), and its middle plane."""
    usual = SceneConfig()
    middle = simulate(frames=1, size=size, seed=seed, config=usual)
    rng = np.random.default_rng([seed, 1])
    stack = []
    for index in range(planes):
        offset = usual.microscope.bright_field_offset_um + (index - planes // 2) * spacing_um
        config = replace(
            usual,
            microscope=replace(usual.microscope, bright_field_offset_um=offset),
            camera=NOISE_FREE,
        )
        clean = simulate(frames=1, size=size, seed=seed, config=config).bright_field[0]
        camera = usual.camera
        expected = clean / (NOISE_FREE.bright_field_electrons * NOISE_FREE.gain)
        electrons = rng.poisson(expected * camera.bright_field_electrons)
        electrons = electrons + rng.normal(0, camera.read_noise, electrons.shape)
        stack.append(np.rint(electrons * camera.gain + camera.offset).astype(np.uint16))
    return np.stack(stack), middle


def fields(
    axis: Literal["t", "z"], movies: int, frames: int, size: int, planes: int, spacing_um: float
) -> Iterator[tuple[str, NDArray[np.uint16], NDArray[np.uint16], NDArray[np.int32]]]:
    """Yield movie, planes that the network reads, fluorescence and labels of each image."""
    for seed in range(movies):
        if axis == "z":
            stack, scene = z_stack(seed, size, planes, spacing_um)
            yield f"movie{seed}", stack, scene.fluorescence[0], scene.labels[0]
            continue
        scene = simulate(frames=frames, size=size, seed=seed)
        inputs = Inputs(planes=planes, axis="t")
        for t in range(frames):
            read = scene.bright_field[list(inputs.indices(t, frames))]
            yield f"movie{seed}", read, scene.fluorescence[t], scene.labels[t]


def main() -> None:
    """Train and judge for each number of planes, and write a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/planes"))
    parser.add_argument("--axis", choices=("t", "z"), default="t")
    parser.add_argument("--spacing-um", type=float, default=0.25, help="of planes along z")
    parser.add_argument("--planes", type=int, nargs="+", default=[1, 3, 5])
    parser.add_argument("--movies", type=int, default=12, help="a quarter of them judges")
    parser.add_argument("--frames", type=int, default=10)
    parser.add_argument("--size", type=int, default=192)
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--widths", type=int, nargs="+", default=[16, 32, 64, 128])
    parser.add_argument("--crop", type=int, default=128)
    arguments = parser.parse_args()
    held = {f"movie{seed}" for seed in range(max(1, arguments.movies // 4))}
    rows = []
    for planes in arguments.planes:
        images = list(
            fields(
                arguments.axis,
                arguments.movies,
                arguments.frames,
                arguments.size,
                planes,
                arguments.spacing_um,
            )
        )
        groups = [movie for movie, *_ in images]
        pairs = CorrelativePairs.from_arrays(
            [read for _, read, *_ in images],
            [target for _, _, target, _ in images],
            groups=groups,
            movies=groups,
            pixel_size_um=PIXEL_SIZE_UM,
        )
        config = preset().updated(
            name=f"planes-{planes}",
            architecture={"name": "unet", "arguments": {"widths": arguments.widths}},
            inputs=Inputs(planes=planes, axis=arguments.axis).model_dump(),
            steps=arguments.steps,
            crop_size=arguments.crop,
            validation_groups=sorted(held),
            validate_every=10**6,
            report=False,
        )
        model = arguments.output / f"{arguments.axis}{planes}" / "model.safetensors"
        scores = train(pairs, config, output=model, overwrite=True).scores
        if scores is None:
            continue
        judged = scores[scores["method"] == "virtual stain"].reset_index(drop=True)
        judged["f1"] = [
            outline_f1(read, labels, model, arguments.axis)
            for movie, read, _, labels in images
            if movie in held
        ]
        row: dict[str, object] = {"axis": arguments.axis, "planes": planes}
        if arguments.axis == "z":
            row["spacing_um"] = arguments.spacing_um
        for score in SCORES:
            interval = bootstrap_interval(
                judged[score].to_numpy(float),
                list(judged["group"]),
                generator=np.random.default_rng(0),
            )
            row[score] = f"{interval.mean:.3f} ({interval.low:.3f} to {interval.high:.3f})"
        rows.append(row)
        print(row, flush=True)
        pd.DataFrame(rows).to_csv(arguments.output / "planes.csv", index=False)


def outline_f1(
    read: NDArray[np.uint16], labels: NDArray[np.int32], model: Path, axis: Literal["t", "z"]
) -> float:
    """Return F1 at an IoU of 0.5 of the outlines in the stain of the middle plane."""
    stained = np.asarray(stain(read, model, pixel_size_um=PIXEL_SIZE_UM, axes=f"{axis}yx"))
    outlined = segment(stained[len(read) // 2], pixel_size_um=PIXEL_SIZE_UM)
    return float(evaluate_labels(outlined[None], labels[None])["f1"].iloc[0])


if __name__ == "__main__":
    main()
