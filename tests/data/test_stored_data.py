"""What is measured on images is what the last version measured."""

from __future__ import annotations

import numpy as np
from scipy import ndimage
from stored_figures import check_figures, of_array

from napari_virtualstain.data import (
    image_statistics,
    measure_shift,
    summarise_statistics,
)
from napari_virtualstain.data.alignment import measure_alignment
from napari_virtualstain.data.foreground import (
    foreground_mask,
    in_focus,
    sampling_weights,
    sharpness,
    window_fractions,
)
from napari_virtualstain.data.registration import shift_map
from napari_virtualstain.data.statistics import deviations, feature_shifts


def fluorescence(seed: int, sigma: float = 1.5) -> np.ndarray:
    """Return bright spots on a dark ground, shape (128, 128)."""
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=(128, 128)), sigma)
    return 100 + 20 * np.exp(1.5 * noise / noise.std())


def bright_field(shine: np.ndarray, shift: tuple[float, float] = (0.0, 0.0)) -> np.ndarray:
    """Return an image whose texture is strong where `shine` is, displaced."""
    rng = np.random.default_rng(9)
    texture = ndimage.gaussian_filter(rng.normal(size=shine.shape), 1)
    return 2000 + 200 * texture * ndimage.shift(np.log(shine), shift, order=1, mode="mirror")


def test_statistics() -> None:
    images = [fluorescence(k) for k in range(5)]
    normal = [(image - image.mean()) / image.std() for image in images]
    summary = summarise_statistics(image_statistics(image) for image in normal)
    found = of_array("statistics", image_statistics(normal[0]).vector())
    others = {
        "blurred": ndimage.gaussian_filter(normal[0], 1.5),
        "noisy": normal[0] + np.random.default_rng(1).normal(0, 0.5, normal[0].shape),
        "coarse": ndimage.zoom(normal[0], 2, order=1)[:128, :128],
    }
    for name, image in others.items():
        statistics = image_statistics(image)
        for kind, values in (
            ("deviation", deviations(statistics, summary)),
            ("shift", feature_shifts(statistics, summary)),
        ):
            found |= {f"{name} {kind} {key}": float(value) for key, value in values.items()}
    check_figures("data_statistics", found)


def test_foreground_and_focus() -> None:
    images = [fluorescence(0, sigma) for sigma in (1.0, 1.5, 2.5, 4.0)]
    mask = foreground_mask(images[1])
    sharp = np.array([sharpness(image) for image in images])
    found = of_array("mask", mask) | of_array("windows", window_fractions(mask, 32))
    found |= of_array("sharpness", sharp)
    focused = in_focus(np.tile(sharp, 2), list("aaaabbbb"))
    found |= of_array("in focus", focused)
    found |= of_array("weights", sampling_weights(focused, 0.3))
    check_figures("data_foreground", found)


def test_registration() -> None:
    shines = [fluorescence(k) for k in range(3)]
    lights = [bright_field(shine, (2.0, -3.0)) for shine in shines]
    shift = measure_shift(lights, shines)
    found = {name: float(getattr(shift, name)) for name in ("dy", "dx", "significance", "pairs")}
    for row, parts in enumerate(shift_map(lights, shines, blocks=2)):
        for column, part in enumerate(parts):
            found |= {f"{row} {column} {k}": getattr(part, k) for k in ("dy", "dx", "significance")}
    turned = [ndimage.rotate(shine, 1.0, reshape=False, order=1, mode="mirror") for shine in shines]
    aligned = measure_alignment(shines, turned, bright_field=lights)
    names = ("dy", "dx", "angle_deg", "scale", "significance", "spread_px")
    found |= {f"turned {name}": float(getattr(aligned, name)) for name in names}
    check_figures("data_registration", found, tolerance=5e-3)
