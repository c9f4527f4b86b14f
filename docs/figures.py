"""Draw the figures of docs/explanation/physics.md with the functions that it describes.

python docs/figures.py
"""

from __future__ import annotations

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import numpy as np
from matplotlib import pyplot as plt

import napari_virtualstain as vs
from napari_virtualstain.optics import (
    BrightFieldOptics,
    GibsonLanni,
    weak_object_transfer,
    weight_map,
)

IMAGES = Path(__file__).parent / "images"
PIXEL_SIZE_UM = 0.08


def draw_psf(path: Path) -> None:
    """Draw the point spread function at several distances from focus, at 20 nm pixels."""
    model = GibsonLanni()
    planes_um = (0.0, 0.3, 0.6, 0.9)
    figure, axes = plt.subplots(1, len(planes_um), figsize=(8, 2.4), layout="constrained")
    for axis, defocus_um in zip(axes, planes_um, strict=True):
        kernel = model.kernel(81, 0.02, focus_um=defocus_um)
        axis.imshow(np.sqrt(kernel), cmap="viridis", extent=(-0.8, 0.8, -0.8, 0.8))
        axis.set(title=f"{defocus_um:g} µm from focus", xlabel="µm", yticks=[])
    figure.suptitle("Square root of intensity, NA 1.42, 528 nm", fontsize=10)
    figure.savefig(path, dpi=110)


def draw_phase_transfer(path: Path) -> None:
    """Draw the transfer of phase against frequency and defocus."""
    frequency = np.linspace(0, 5, 201)
    defocus_um = np.linspace(-1.5, 1.5, 121)
    phase, _ = weak_object_transfer(frequency, defocus_um, BrightFieldOptics())
    figure, axis = plt.subplots(figsize=(6, 3), layout="constrained")
    limit = float(np.abs(phase).max())
    image = axis.imshow(
        phase,
        cmap="RdBu",
        vmin=-limit,
        vmax=limit,
        aspect="auto",
        origin="lower",
        extent=(0, 5, -1.5, 1.5),
    )
    axis.set(xlabel="frequency, cycles/µm", ylabel="defocus, µm")
    figure.colorbar(image, label="relative intensity per radian")
    figure.savefig(path, dpi=110)


def draw_weight_maps(path: Path) -> None:
    """Draw a simulated target and its weight maps."""
    target = vs.simulate(frames=1, size=128, count=12, seed=3).fluorescence[0].astype(float)
    shown = {
        "target": target,
        "psf_deconvolution": weight_map(target),
        "the same, background subtracted": weight_map(target, background="percentile"),
        "logit": weight_map(target, "logit"),
        "binary": weight_map(target, "binary"),
    }
    figure, axes = plt.subplots(1, len(shown), figsize=(11, 2.5), layout="constrained")
    for axis, (name, image) in zip(axes, shown.items(), strict=True):
        axis.imshow(image, cmap="gray")
        axis.set_title(name, fontsize=8)
        axis.set_axis_off()
    figure.savefig(path, dpi=110)


def main() -> None:
    """Draw all figures."""
    draw_psf(IMAGES / "psf.png")
    draw_phase_transfer(IMAGES / "phase-transfer.png")
    draw_weight_maps(IMAGES / "weight-maps.png")


if __name__ == "__main__":
    main()
