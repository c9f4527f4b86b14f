"""Weight maps of the paper's Fig. 6 on real targets.

    python -m paper.weight_maps --data FOLDER

For each map: its mean and median, its mean on the pixels above Otsu's threshold and on the
others, their ratio, and the part of the weighted noise |y - gauss1(y)| that still comes from
the background. 30 targets, kernel of 5x5 pixels at 608 nm in focus.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter
from skimage.filters import threshold_otsu
from skimage.io import imread

from napari_virtualstain.optics import gibson_lanni_psf, weight_map

MAPS: dict[str, dict[str, Any]] = {
    "none (plain L1)": {"kind": "none"},
    "binary": {"kind": "binary"},
    "logit": {"kind": "logit"},
    "gaussian": {"kind": "gaussian"},
    "psf_convolution": {"kind": "psf_convolution"},
    "psf_deconvolution, 5 iterations": {"iterations": 5},
    "psf_deconvolution, 20 iterations": {"iterations": 20},
    "the same, percentile background": {"iterations": 20, "background": "percentile"},
    "the same, local background": {"iterations": 20, "background": "local"},
    "percentile background, robust maximum": {
        "iterations": 20,
        "background": "percentile",
        "maximum": "robust",
    },
}


def row(image: np.ndarray, weight: np.ndarray) -> list[float]:
    """Return the six figures of one target."""
    bright = image > threshold_otsu(image)
    noise = np.abs(image - gaussian_filter(image.astype(float), 1)) * weight
    front, back = weight[bright].mean(), weight[~bright].mean()
    return [
        weight.mean(),
        float(np.median(weight)),
        front,
        back,
        front / back if back else np.inf,
        noise[~bright].sum() / noise.sum(),
    ]


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=os.environ.get("VIRTUALSTAIN_DATA"))
    given = parser.parse_args()
    if given.data is None:
        parser.error("give --data FOLDER, the folder that holds h9c2_pairs")
    files = sorted((given.data / "h9c2_pairs" / "fluorescence").glob("*.png"))
    images = [imread(file) for file in files[:: max(1, len(files) // 30)][:30]]
    psf = gibson_lanni_psf(wavelength_um=0.608)
    print("| map | mean | median | foreground | background | ratio | noise from background |")
    print("|---|---|---|---|---|---|---|")
    for name, settings in MAPS.items():
        values = np.mean([row(i, weight_map(i, psf=psf, **settings)) for i in images], axis=0)
        print(f"| {name} | " + " | ".join(f"{value:.3f}" for value in values) + " |")


if __name__ == "__main__":
    main()
