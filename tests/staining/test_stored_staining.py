"""What a released model makes of fixed images, and the filters around it, stay as they were."""

from __future__ import annotations

import numpy as np
from scipy import ndimage
from stored_figures import check_figures, of_array

import napari_virtualstain as vs
from napari_virtualstain.staining import assess_fit, calibrate, reduce_flicker
from napari_virtualstain.staining.calibration import label_trust
from napari_virtualstain.staining.flat_field import flattened
from napari_virtualstain.staining.flicker import flicker, flicker_deviation


def movie() -> np.ndarray:
    """Return textures that drift under an uneven, flickering lamp, shape (5, 72, 80)."""
    rng = np.random.default_rng(0)
    texture = ndimage.gaussian_filter(rng.normal(size=(120, 120)), 1.5)
    frames = np.stack([texture[t : t + 72, 2 * t : 2 * t + 80] for t in range(5)])
    lamp = np.array([1.0, 1.05, 0.97, 1.02, 1.0])[:, None, None] * (1 + 0.004 * np.arange(80))
    noise = rng.normal(0, 0.02, frames.shape)
    return 2000 * lamp * (1 + 0.05 * frames / texture.std() + noise)


def test_stains() -> None:
    options = {"model": "mito-simulated", "pixel_size_um": 0.1, "device": "cpu"}
    mean, deviation = vs.stain(movie()[:2], uncertainty=True, **options)
    steady = vs.stain(movie()[:3], temporal=1, **options)
    found = of_array("mean", mean) | of_array("deviation", deviation) | of_array("steady", steady)
    check_figures("staining_model", found, tolerance=5e-3)


def test_filters() -> None:
    found = of_array("flat", flattened(movie()[0]))
    for radius, strength in ((1, 2.0), (2, 1.0)):
        steady = reduce_flicker(movie(), radius=radius, strength=strength)
        found |= of_array(f"steady {radius}", steady)
    found |= {"flicker": flicker(movie()), "deviation": flicker_deviation(movie())}
    check_figures("staining_filters", found)


def test_calibration_and_trust() -> None:
    rng = np.random.default_rng(0)
    truth = ndimage.gaussian_filter(rng.normal(size=(64, 64)), 2) * 50 + 20
    deviation = 1 + np.abs(truth) / 10
    stated = calibrate(truth + 1.7 * deviation * rng.normal(size=truth.shape), truth, deviation)
    found = {"factor": stated.factor, "rank": stated.rank_correlation}
    found |= {"before": stated.error_before, "after": stated.error_after}
    found |= {f"observed {k}": share for k, share in enumerate(stated.observed)}
    labels = ndimage.label(truth > 25)[0]
    trust = label_trust(labels, truth, deviation)
    found |= {f"trust {k}": value for k, value in list(trust.items())[:8]}
    check_figures("staining_calibration", found)


def test_fit() -> None:
    report = assess_fit(movie(), "mito-h9c2", 0.08)
    found = {}
    for frame in report.frames:
        for name, values in (("distance", frame.distances), ("shift", frame.shifts)):
            found |= {f"{frame.frame} {name} {key}": float(v) for key, v in values.items()}
    check_figures("staining_fit", found, tolerance=2e-3)
