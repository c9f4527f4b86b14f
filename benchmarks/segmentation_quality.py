"""How well mitochondria are outlined, against thresholds and against the truth.

    python benchmarks/segmentation_quality.py --data FOLDER [--frames 8] [--seed 900000]

Tables: foreground on held-out images of the physics simulation that is the paper's
reference 5 (`physeg_sim`, images 680 to 719: neither trained on nor, as 720 to 799 are,
used for choices); instances on frames of this package's simulator at two densities, and on
the virtual stain of their bright-field; share of foreground on real tiles without truth;
and agreement of the virtual with the real fluorescence of a cell unseen by the generator.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import ndimage
from skimage import io
from skimage.filters import threshold_local, threshold_otsu
from skimage.morphology import disk

import napari_virtualstain as vs
from napari_virtualstain.metrics import object_scores
from napari_virtualstain.models import list_models
from napari_virtualstain.segmentation import Segmenter, fit_movie, split_instances

Image = NDArray[np.floating]
Mask = NDArray[np.bool_]
FIRST_HELD_OUT = 680


def otsu(image: Image) -> Mask:
    """Return the mask above the level of Otsu after a slight blur."""
    smooth = ndimage.gaussian_filter(image, 0.8)
    return smooth > threshold_otsu(smooth) if np.ptp(smooth) else np.zeros(image.shape, bool)


def local(image: Image) -> Mask:
    """Mean of 51 x 51 pixels, and above the global Otsu level of the residual."""
    smooth = ndimage.gaussian_filter(image, 0.8)
    above = smooth - threshold_local(smooth, 51, method="mean")
    return above > threshold_otsu(above) if np.ptp(above) else np.zeros(image.shape, bool)


def top_hat(image: Image) -> Mask:
    """Return the mask above the level of Otsu of a white top-hat of 12 pixels."""
    smooth = ndimage.gaussian_filter(image, 0.8)
    peaks = smooth - ndimage.grey_opening(smooth, footprint=disk(12))
    return peaks > threshold_otsu(peaks) if np.ptp(peaks) else np.zeros(image.shape, bool)


def physeg(data: Path, count: int) -> Iterator[tuple[Image, NDArray[np.int32]]]:
    """Yield held-out images with their foreground."""
    for path in sorted((data / "physeg_sim" / "image").glob("*.png"))[FIRST_HELD_OUT:][:count]:
        truth = io.imread(data / "physeg_sim" / "mask" / path.name) > 0
        yield io.imread(path).astype(float), truth.astype(np.int32)


def simulated(
    count: int, frames: int, seed: int, *, virtual: bool = False
) -> Iterator[tuple[Image, NDArray[np.int32]]]:
    """Yield frames of this package's simulator, true or virtual, with their labels."""
    for number in range(frames):
        scene = vs.simulate(frames=1, size=256, count=count, seed=seed + number)
        image = scene.fluorescence[0]
        if virtual:
            image = vs.stain(scene.bright_field[0], "mito-simulated", pixel_size_um=0.08)
        yield image.astype(float), scene.labels[0]


Method = Callable[[Image, NDArray[np.int32]], NDArray[np.int32]]


def methods(model: str, pixel_size_um: float | None) -> dict[str, Method]:
    """Return the methods that are compared, by name."""
    segmenter = Segmenter(model, pixel_size_um=pixel_size_um)

    def ours(split: str) -> Method:
        return lambda image, _: segmenter.maps(image, fit_movie(image, segmenter)).labels(
            split=split
        )

    def cut(foreground: Callable[[Image], Mask], split: str) -> Method:
        return lambda image, _: split_instances(foreground(image), split=split)

    return {
        "Otsu, components": cut(otsu, "none"),
        "local threshold, components": cut(local, "none"),
        "top-hat + Otsu, components": cut(top_hat, "none"),
        "top-hat + Otsu, skeleton graph": cut(top_hat, "skeleton"),
        f"{model}, components": ours("none"),
        f"{model}": ours("skeleton"),
        "true mask, components": lambda _, truth: split_instances(truth > 0, split="none"),
        "true mask, skeleton graph": lambda _, truth: split_instances(truth > 0),
    }


def table(
    frames: list[tuple[Image, NDArray[np.int32]]], chosen: dict[str, Method], columns: list[str]
) -> pd.DataFrame:
    """Return the mean scores of each method over the frames."""
    rows = {}
    for name, method in chosen.items():
        scores = pd.DataFrame([object_scores(method(i, truth), truth) for i, truth in frames])
        rows[name] = scores[columns].mean()
    return pd.DataFrame(rows).T


def foreground_table(data: Path, count: int, model: str) -> pd.DataFrame:
    """Return the scores on held-out physics-simulated images."""
    frames = [pair for pair in physeg(data, count) if pair[1].any()]
    chosen = {k: v for k, v in methods(model, None).items() if "true" not in k}
    return table(frames, chosen, ["iou", "miou", "boundary_f1"])


def instance_table(
    density: int, frames: int, seed: int, model: str, *, virtual: bool = False
) -> pd.DataFrame:
    """Return the scores on simulated frames of one density."""
    columns = ["iou", "miou", "f1", "ap", "pq", "boundary_f1", "predicted_count", "reference_count"]
    images = list(simulated(density, frames, seed, virtual=virtual))
    return table(images, methods(model, 0.08), columns)


def tiles_foreground(data: Path, model: str) -> pd.Series:
    """Return the mean share of foreground on the real tiles."""
    shares = {}
    for name, foreground in {"Otsu": otsu, "local threshold": local}.items():
        shares[name] = [foreground(image).mean() for image in tiles(data)]
    shares[model] = [(vs.segment(image, model) > 0).mean() for image in tiles(data)]
    return pd.Series({name: float(np.mean(values)) for name, values in shares.items()})


def tiles(data: Path) -> Iterator[Image]:
    """Yield the real tiles."""
    for path in sorted((data / "h9c2_fluorescence_tiles").glob("*.png")):
        yield io.imread(path).astype(float)


def agreement(data: Path, model: str, generator: str, cell: str, count: int) -> pd.Series:
    """Return the mean IoU of the masks of virtual and real fluorescence of a held-out cell."""
    names = sorted(p.name for p in (data / "h9c2_pairs" / "fluorescence").glob(f"*{cell}*"))[:count]
    scores: dict[str, list[float]] = {"Otsu": [], "local threshold": [], model: []}
    for name in names:
        real = io.imread(data / "h9c2_pairs" / "fluorescence" / name).astype(float)
        light = io.imread(data / "h9c2_pairs" / "bright_field" / name).astype(float)
        virtual = vs.stain(light, generator, pixel_size_um=0.08).astype(float)
        for key, outline in (
            ("Otsu", otsu),
            ("local threshold", local),
            (model, lambda image: vs.segment(image, model, pixel_size_um=0.08) > 0),
        ):
            one, other = outline(real), outline(virtual)
            scores[key].append((one & other).sum() / max(1, (one | other).sum()))
    return pd.Series({key: float(np.mean(values)) for key, values in scores.items()})


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--frames", type=int, default=8, help="simulated frames a density")
    parser.add_argument("--physeg", type=int, default=40)
    parser.add_argument("--seed", type=int, default=900_000)
    parser.add_argument("--model", default="mito-segment")
    parser.add_argument("--generator", default="mito-h9c2")
    parser.add_argument("--pairs", type=int, default=18, help="real frames for the agreement")
    parser.add_argument("--cell", default="TL_012", help="held out of the generator's training")
    arguments = parser.parse_args()
    model = arguments.model
    print(f"\nphyseg_sim, {arguments.physeg} held-out images")
    print(foreground_table(arguments.data, arguments.physeg, model).round(3).to_string())
    for density in (25, 60):
        print(f"\nsimulated, {density} mitochondria in 256 x 256, {arguments.frames} frames")
        result = instance_table(density, arguments.frames, arguments.seed, model)
        print(result.round(3).to_string())
    print(f"\nvirtual stain of the bright-field of 60 in 256 x 256, {arguments.frames} frames")
    result = instance_table(60, arguments.frames, arguments.seed, model, virtual=True)
    print(result.round(3).to_string())
    print("\nreal tiles without truth, share of foreground")
    print(tiles_foreground(arguments.data, model).round(3).to_string())
    known = {entry.name for entry in list_models("generator")}
    if arguments.generator in known or Path(arguments.generator).is_file():
        print(f"\nvirtual and real fluorescence of {arguments.cell}, IoU of the two masks")
        names = (model, arguments.generator, arguments.cell, arguments.pairs)
        scores = agreement(arguments.data, *names)
        print(scores.round(3).to_string())


if __name__ == "__main__":
    main()
