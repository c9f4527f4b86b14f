"""Quality of outlines, against thresholds and against the truth.

    python -m benchmarks.segmentation_quality --data FOLDER [--tables physeg pairs] [--frames 8]

Tables: foreground on held-out images of the physics simulation that is the paper's
reference 5 (`physeg_sim`, images 680 to 719: neither trained on nor, as 720 to 799 are,
used for choices); instances on frames of this package's simulator at two densities, and on
the virtual stain of their bright-field; share of foreground on real tiles without truth;
and agreement of the virtual with the real fluorescence of a cell unseen by the generator,
``--cell TL_012 --generator FILE``, such as a fold's model of `train_shipped_models.py`.
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
from napari_virtualstain.metrics import boundary_f1, object_scores
from napari_virtualstain.segmentation import Segmenter, fit_movie, split_instances
from recipes.h9c2 import stop_if_seen

Image = NDArray[np.floating]
Mask = NDArray[np.bool_]
FIRST_HELD_OUT = 680


def smoothed(image: Image) -> Image:
    """Return the image after a slight blur."""
    return ndimage.gaussian_filter(image, 0.8)


def above_mean(image: Image) -> Image:
    """Return how far pixels lie above the mean of the 51 x 51 around them."""
    return smoothed(image) - threshold_local(smoothed(image), 51, method="mean")


def peaks(image: Image) -> Image:
    """Return the white top-hat of 12 pixels."""
    return smoothed(image) - ndimage.grey_opening(smoothed(image), footprint=disk(12))


def otsu(values: Image) -> Mask:
    """Return the mask above the level of Otsu."""
    return values > threshold_otsu(values) if np.ptp(values) else np.zeros(values.shape, bool)


BASELINES: dict[str, Callable[[Image], Image]] = {
    "Otsu": smoothed,
    "local threshold": above_mean,
    "top-hat + Otsu": peaks,
}


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


def surest(
    labels: NDArray[np.int32], probability: NDArray[np.floating], least: float
) -> NDArray[np.int32]:
    """Return the labels without objects whose mean probability is below `least`."""
    numbers = np.arange(1, labels.max(initial=0) + 1)
    sure = np.r_[False, ndimage.mean(probability, labels, numbers) >= least]
    return np.where(sure[labels], labels, 0)


def methods(
    given: argparse.Namespace, pixel_size_um: float | None, least: float = 0.0
) -> dict[str, Method]:
    """Return the methods that are compared, by name."""
    segmenter = Segmenter(
        given.model,
        pixel_size_um=pixel_size_um,
        average=given.average,
        device=given.device,
        precision=given.precision,
    )

    def ours(split: str) -> Method:
        def outlined(image: Image, _: NDArray[np.int32]) -> NDArray[np.int32]:
            maps = segmenter.maps(image, fit_movie(image, segmenter))
            return surest(maps.labels(split=split), maps.foreground, least)

        return outlined

    def cut(values: Callable[[Image], Image], split: str) -> Method:
        return lambda image, _: split_instances(otsu(values(image)), split=split)

    return {
        **{f"{name}, components": cut(values, "none") for name, values in BASELINES.items()},
        "top-hat + Otsu, skeleton graph": cut(peaks, "skeleton"),
        f"{given.model}, components": ours("none"),
        f"{given.model}": ours("skeleton"),
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


def foreground_table(given: argparse.Namespace) -> pd.DataFrame:
    """Return the scores on held-out physics-simulated images."""
    frames = [pair for pair in physeg(given.data, given.physeg) if pair[1].any()]
    chosen = {k: v for k, v in methods(given, None).items() if "true" not in k}
    return table(frames, chosen, ["iou", "miou", "boundary_f1"])


def instance_table(
    given: argparse.Namespace, density: int, *, virtual: bool = False
) -> pd.DataFrame:
    """Return the scores on simulated frames of one density."""
    columns = ["iou", "miou", "f1", "ap", "pq", "boundary_f1", "predicted_count", "reference_count"]
    images = list(simulated(density, given.frames, given.seed, virtual=virtual))
    return table(images, methods(given, 0.08, given.surest), columns)


def tiles_foreground(data: Path, model: str) -> pd.Series:
    """Return the mean share of foreground on the real tiles."""
    shares = {}
    for name, values in BASELINES.items():
        shares[name] = [otsu(values(image)).mean() for image in tiles(data)]
    shares[model] = [(vs.segment(image, model) > 0).mean() for image in tiles(data)]
    return pd.Series({name: float(np.mean(values)) for name, values in shares.items()})


def tiles(data: Path) -> Iterator[Image]:
    """Yield the real tiles."""
    for path in sorted((data / "h9c2_fluorescence_tiles").glob("*.png")):
        yield io.imread(path).astype(float)


def agreement(
    data: Path, model: str, generator: str, cell: str, count: int, threshold: float = 0.5
) -> pd.DataFrame:
    """Return how well outlines of the virtual and of the real fluorescence of a cell agree.

    ``own``: IoU of the masks that one method finds in both, and ``own_moved`` when one is
    moved by 16 pixels, so that it still covers the cell but no mitochondrion any more.
    ``outlines``, ``outlines_moved``, ``boundary_f1``: of its mask of the virtual image against
    `model`'s outlines of the real one, the same for all. ``same_area``: the same IoU where
    each marks as many pixels as these outlines have, those where its map is highest;
    ``any_cut``: the best of 20 cuts of each frame, which nobody knows without the truth.
    ``…_miou``: mean IoU of both classes, as in the paper. ``marked``: share of the virtual
    image. A mask of as many pixels at random is the last row.
    """
    segmenter = Segmenter(model, pixel_size_um=0.08)

    def probability(image: Image) -> Image:
        return segmenter.maps(image).foreground

    rows = []
    for name in sorted(p.name for p in (data / "h9c2_pairs/fluorescence").glob(f"*{cell}*"))[
        :count
    ]:
        real = io.imread(data / "h9c2_pairs/fluorescence" / name).astype(float)
        light = io.imread(data / "h9c2_pairs/bright_field" / name).astype(float)
        virtual = np.asarray(vs.stain(light, generator, pixel_size_um=0.08), float)
        outlines = probability(real) > 0.5
        for key, values in {**BASELINES, model: probability}.items():
            shown, true = values(virtual), values(real)
            masks = [otsu(m) for m in (shown, true)]
            if key == model:
                masks = [shown > threshold, outlines]
            own = {"own": iou(*masks), "own_miou": miou(*masks), "own_moved": moved_iou(*masks)}
            rows.append({"method": key, **own, **against(shown, masks[0], outlines)})
        noise = np.random.default_rng(0).random(real.shape)
        anywhere = noise > np.quantile(noise, 1 - outlines.mean())
        rows.append({"method": "at random", **against(noise, anywhere, outlines)})
    return pd.DataFrame(rows).groupby("method", sort=False).mean()


def against(values: Image, mask: Mask, outlines: Mask) -> dict[str, float]:
    """Return the scores of a mask, and of the map it came from, against true outlines."""
    as_many = values >= np.quantile(values, 1 - outlines.mean())
    shares = np.geomspace(0.01, 0.6, 20)
    return {
        "outlines": iou(mask, outlines),
        "outlines_miou": miou(mask, outlines),
        "outlines_moved": moved_iou(mask, outlines),
        "same_area": iou(as_many, outlines),
        "any_cut": max(iou(values >= np.quantile(values, 1 - n), outlines) for n in shares),
        "boundary_f1": boundary_f1(mask.astype(int), outlines.astype(int)),
        "marked": float(mask.mean()),
    }


def iou(first: Mask, second: Mask) -> float:
    """Return intersection over union of two masks."""
    return float((first & second).sum() / max(1, (first | second).sum()))


def miou(first: Mask, second: Mask) -> float:
    """Return the mean IoU of foreground and background."""
    return (iou(first, second) + iou(~first, ~second)) / 2


def moved_iou(first: Mask, second: Mask) -> float:
    """Return the mean IoU with `first` moved by 16 pixels in eight directions.

    What comes in at one border went out at the other. It is the level that a mask reaches
    by covering the right part of the image, without one mitochondrion in its place.
    """
    moves = [(dy, dx) for dy in (-16, 0, 16) for dx in (-16, 0, 16) if dy or dx]
    return float(np.mean([iou(np.roll(first, move, (0, 1)), second) for move in moves]))


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--tables", nargs="+", choices=TABLES, default=list(TABLES))
    parser.add_argument("--frames", type=int, default=8, help="simulated frames a density")
    parser.add_argument("--physeg", type=int, default=40)
    parser.add_argument("--seed", type=int, default=900_000)
    parser.add_argument("--model", default="mito-segment")
    parser.add_argument("--average", action="store_true", help="over turns; not tiles and pairs")
    parser.add_argument("--device", help="such as openvino; not tiles and pairs")
    parser.add_argument("--precision", default="auto", help="such as int8; not tiles and pairs")
    parser.add_argument(
        "--surest", type=float, default=0.0, help="least mean probability of objects, simulated"
    )
    parser.add_argument("--generator", help="for pairs: a model that has not seen the cell")
    parser.add_argument("--threshold", type=float, default=0.5, help="of pairs' virtual image")
    parser.add_argument("--pairs", type=int, default=18, help="real frames for the agreement")
    parser.add_argument("--cell", default="TL_012", help="held out of the generator's training")
    arguments = parser.parse_args()
    if "pairs" in arguments.tables and arguments.generator is not None:
        stop_if_seen(arguments.generator, arguments.cell)
    for name in arguments.tables:
        if name == "pairs" and arguments.generator is None:
            print("\nno table of pairs: --generator FILE, one that was not trained on --cell")
            continue
        title, make = TABLES[name]
        print(f"\n{title.format(**vars(arguments))}")
        print(make(arguments).round(3).to_string(), flush=True)


TABLES: dict[str, tuple[str, Callable[[argparse.Namespace], pd.DataFrame | pd.Series]]] = {
    "physeg": (
        "physeg_sim, {physeg} held-out images",
        foreground_table,
    ),
    "sparse": (
        "simulated, 25 mitochondria in 256 x 256, {frames} frames",
        lambda a: instance_table(a, 25),
    ),
    "dense": (
        "simulated, 60 mitochondria in 256 x 256, {frames} frames",
        lambda a: instance_table(a, 60),
    ),
    "virtual": (
        "virtual stain of the bright-field of 60 in 256 x 256, {frames} frames",
        lambda a: instance_table(a, 60, virtual=True),
    ),
    "tiles": (
        "real tiles without truth, share of foreground",
        lambda a: tiles_foreground(a.data, a.model),
    ),
    "pairs": (
        "virtual and real fluorescence of {cell}",
        lambda a: agreement(a.data, a.model, a.generator, a.cell, a.pairs, a.threshold),
    ),
}


if __name__ == "__main__":
    main()
