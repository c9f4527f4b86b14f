"""Fine-tuning of the segmenter on a handful of painted regions of images unlike those it knows.

    python -m benchmarks.segmentation_painting [--images 4] [--steps 60] [--blur 2.5]

Frames of this package's simulator, blurred far more than in training and on a glow, stand
for another microscope. In each image some mitochondria and a block of background are
painted, nothing else is known; `train-segmenter --painted` learns from them. Judged on
frames of other seeds with their whole truth.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import ndimage

import napari_virtualstain as vs
from napari_virtualstain.metrics import object_scores
from napari_virtualstain.segmentation import SegmenterTraining, train_segmenter

Frame = tuple[NDArray[np.float64], NDArray[np.int32]]


def other_microscope(seed: int, blur: float) -> Frame:
    """Return a blurred, dim frame on a glow, and its labels."""
    scene = vs.simulate(frames=1, size=256, count=25, seed=seed)
    clean = scene.expected_fluorescence[0].astype(float)
    y, x = np.mgrid[-1:1:256j, -1:1:256j]
    blurred = ndimage.gaussian_filter(clean, blur)
    glow = np.ptp(blurred) * np.exp(-2 * (y**2 + x**2))
    light = 200 * (blurred - blurred.min() + glow) / np.ptp(blurred)
    return np.random.default_rng(seed).poisson(light).astype(float), scene.labels[0]


def paint(labels: NDArray[np.int32], count: int, rng: np.random.Generator) -> NDArray[np.int32]:
    """Return a painting of some mitochondria, with the background close to them, as 1."""
    values = np.unique(labels)[1:]
    chosen = rng.choice(values, min(count, len(values)), replace=False)
    shown = np.isin(labels, chosen)
    around = ndimage.binary_dilation(shown, iterations=6) & (labels == 0)
    painted = np.where(shown, labels + 1, around.astype(np.int32))
    painted[:48, :48] = np.where(labels[:48, :48] == 0, 1, painted[:48, :48])
    return painted.astype(np.int32)


def scores(model: Path | str, frames: list[Frame]) -> pd.Series:
    """Return the mean scores of a model over frames."""
    rows = [object_scores(vs.segment(i, model, pixel_size_um=0.08), truth) for i, truth in frames]
    return pd.DataFrame(rows)[["iou", "f1", "pq"]].mean()


def main() -> None:
    """Print the scores before and after."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=4)
    parser.add_argument("--mitochondria", type=int, default=6, help="painted in each image")
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--blur", type=float, default=2.5, help="Gaussian sigma, pixels")
    parser.add_argument("--model", default="mito-segment")
    arguments = parser.parse_args()
    rng = np.random.default_rng(0)
    known = [other_microscope(970_000 + k, arguments.blur) for k in range(arguments.images)]
    unseen = [other_microscope(980_000 + k, arguments.blur) for k in range(6)]
    painted = [paint(labels, arguments.mitochondria, rng) for _, labels in known]
    before = scores(arguments.model, unseen)
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "mine.safetensors")
        result = train_segmenter(
            [image for image, _ in known],
            painted,
            out,
            init=arguments.model,
            painted=True,
            settings=SegmenterTraining(steps=arguments.steps),
        )
        minutes = (time.perf_counter() - start) / 60
        after = scores(out, unseen)
    print(f"{arguments.images} images, {arguments.steps} steps, {minutes:.1f} min")
    print(f"painted pixels held out: {result.summary}")
    print(pd.DataFrame({"before": before, "after": after}).round(3).to_string())


if __name__ == "__main__":
    main()
