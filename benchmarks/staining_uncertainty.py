"""Calibration of the stated uncertainty, on a cell that the model was not trained on.

    python -m benchmarks.staining_uncertainty h9c2_pairs --model FOLD --cell TL_012 --plot out.png

The brightness of a frame cannot be predicted from bright-field, so predictions are first
brought to each target by its best line, as the scores on the card are.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from skimage.io import imread

import napari_virtualstain as vs
from napari_virtualstain.staining import Calibration, calibrate
from recipes.h9c2 import stop_if_seen


def plot(found: Calibration, path: Path) -> None:
    """Draw expected against observed shares."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axis = pyplot.subplots(figsize=(4, 4), layout="constrained")
    axis.plot([0, 1], [0, 1], color="0.6", label="perfect")
    axis.plot(found.expected, found.observed, "o-", ms=3, label="as stated")
    axis.plot(found.expected, found.observed_after, "s-", ms=3, label=f"times {found.factor:.2f}")
    axis.set(xlabel="share that should lie within", ylabel="share that does", aspect="equal")
    axis.legend(frameon=False)
    figure.savefig(path, dpi=150)


def main() -> None:
    """Print the calibration, and draw it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--cell", default="TL_012")
    parser.add_argument("--model", default="mito-h9c2")
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--plot", type=Path)
    given = parser.parse_args()
    stop_if_seen(given.model, given.cell)
    model = vs.load_model(given.model)
    parts: list[list[np.ndarray]] = [[], [], []]
    names = sorted((given.folder / "bright_field").glob(f"*{given.cell}*.png"))[:: given.every]
    for path in names:
        target = imread(given.folder / "fluorescence" / path.name).astype(float)
        mean, deviation = vs.stain(imread(path), model, pixel_size_um=0.08, uncertainty=True)
        slope, offset = np.polyfit(mean.ravel(), target.ravel(), 1)
        for part, image in zip(
            parts, (slope * mean + offset, target, abs(slope) * deviation), strict=True
        ):
            part.append(image)
    found = calibrate(*(np.stack(part) for part in parts))
    print(f"{given.model} on {given.cell}, {len(names)} crops")
    print(f"factor {found.factor:.2f}, rank correlation {found.rank_correlation:.2f}")
    print(f"mean distance from calibrated: {found.error_before:.3f}, {found.error_after:.3f} after")
    if given.plot:
        plot(found, given.plot)


if __name__ == "__main__":
    main()
