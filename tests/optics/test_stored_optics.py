"""Kernels, transfers and weight maps are those of the last version: models depend on them."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter
from stored_figures import check_figures, of_array

from napari_virtualstain.optics import (
    BrightFieldOptics,
    gibson_lanni_psf,
    richardson_lucy,
    weak_object_transfer,
    weight_map,
)
from napari_virtualstain.optics.background import subtract_background


def image() -> np.ndarray:
    """Return bright spots on an uneven background, shape (48, 64)."""
    noise = gaussian_filter(np.random.default_rng(0).normal(size=(48, 64)), 2)
    return np.exp(noise / noise.std()) * 100 + 3 * np.arange(64)


def test_kernels() -> None:
    found = {}
    for depth in (0.0, 3.0):
        for name, options in {
            "plain": {},
            "points": {"integrate": False},
            "coarse": {"pixel_size_um": 0.2, "wavelength_um": 0.61, "na": 1.2, "size": 9},
        }.items():
            psf = gibson_lanni_psf(**{"size": 7, "depth_um": depth, **options})
            found |= of_array(f"{name} {depth}", psf)
    check_figures("optics_kernels", found)


def test_transfer_of_bright_field() -> None:
    found = {}
    for name, optics in {"usual": None, "air": BrightFieldOptics(0.6, 0.75, 0.4, 1.33)}.items():
        transfer = weak_object_transfer(np.linspace(0, 4, 12), [-1.0, 0.0, 0.5], optics)
        for kind, values in zip(("phase", "absorption"), transfer, strict=True):
            found |= of_array(f"{name} {kind}", values)
    check_figures("optics_transfer", found)


def test_weight_maps() -> None:
    found = {}
    for kind in ("binary", "logit", "gaussian", "psf_convolution", "psf_deconvolution"):
        for background in (None, "percentile"):
            weights = weight_map(image(), kind, background=background, maximum="robust")
            found |= of_array(f"{kind} {background}", weights)
    check_figures("optics_weights", found)


def test_backgrounds_and_deconvolution() -> None:
    restored = richardson_lucy(image(), gibson_lanni_psf(size=5), iterations=6)
    found = of_array("restored", restored)
    for background in ("percentile", "local"):
        found |= of_array(background, subtract_background(image(), background))
    check_figures("optics_backgrounds", found)
