"""Make the picture of docs/segmentation.md from a simulated cell.

    python docs/segmentation_picture.py

Left to right: fluorescence, the outlines found in it, the true ones, the virtual stain of
the bright-field of the same frame, and the outlines found in that.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from skimage import io
from skimage.segmentation import find_boundaries

import napari_virtualstain as vs

OUT = Path(__file__).parent / "images" / "segmentation.png"
PIXEL_SIZE_UM = 0.08
GAP = 4


def grey(image: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return (2Y, 2X, 3) in [0, 1], brightest the 99.8th percentile."""
    low, high = np.percentile(image, [1, 99.8])
    shown = np.clip((image - low) / (high - low), 0, 1)
    return np.repeat(np.kron(shown, np.ones((2, 2)))[..., None], 3, axis=-1)


def outlined(image: NDArray[np.floating], labels: NDArray[np.int32]) -> NDArray[np.floating]:
    """Return the picture with the outline of each label in its own colour."""
    picture = grey(image)
    large = np.kron(labels, np.ones((2, 2), labels.dtype))
    edge = find_boundaries(large, mode="inner") & (large > 0)
    colours = np.random.default_rng(3).uniform(0.25, 1, (int(labels.max()) + 1, 3))
    picture[edge] = colours[large[edge]]
    return picture


def main() -> None:
    """Write the picture."""
    scene = vs.simulate(frames=1, size=192, count=24, seed=900_003, pixel_size_um=PIXEL_SIZE_UM)
    real = scene.fluorescence[0].astype(float)
    virtual = np.asarray(vs.stain(scene.bright_field[0], "mito-simulated", pixel_size_um=0.08))
    panels = [
        grey(real),
        outlined(real, vs.segment(real, pixel_size_um=PIXEL_SIZE_UM)),
        outlined(real, scene.labels[0]),
        grey(virtual),
        outlined(virtual, vs.segment(virtual, pixel_size_um=PIXEL_SIZE_UM)),
    ]
    gap = np.ones((len(panels[0]), GAP, 3))
    row = np.concatenate([part for panel in panels for part in (panel, gap)][:-1], axis=1)
    io.imsave(OUT, (255 * row).round().astype(np.uint8), check_contrast=False)


if __name__ == "__main__":
    main()
