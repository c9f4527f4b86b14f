from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from napari_virtualstain.segmentation import measure_width, typical_width_um


@pytest.mark.parametrize("width_um", [0.4, 0.8, 1.2])
@pytest.mark.parametrize("pixel_size_um", [0.05, 0.08])
def test_the_width_of_bars_is_found_in_blur_and_noise(
    width_um: float, pixel_size_um: float
) -> None:
    image = np.zeros((256, 256))
    width = width_um / pixel_size_um
    for row in (50, 128, 200):
        image[round(row - width / 2) : round(row + width / 2), 30:220] = 100
    image = gaussian_filter(image, 0.1 / pixel_size_um)
    noisy = np.random.default_rng(0).normal(image + 20, 8)
    assert typical_width_um(noisy, pixel_size_um) == pytest.approx(width_um, rel=0.25)


@pytest.mark.parametrize("level", [0.0, 1.0, -300.0])
def test_an_empty_image_has_no_width(level: float) -> None:
    assert typical_width_um(np.full((32, 32), level), 0.1) is None


def test_noise_is_no_sure_width() -> None:
    rng = np.random.default_rng(0)
    image = np.zeros((256, 256))
    image[60:67, 20:230] = image[150:157, 20:230] = 100
    bars = measure_width(rng.normal(gaussian_filter(image, 1.5) + 20, 8), 0.08)
    assert bars is not None
    assert bars.is_sure
    assert bars.lower_um <= bars.median_um <= bars.upper_um
    for smooth_px in (0, 3, 8):
        noise = measure_width(gaussian_filter(rng.normal(size=(256, 256)), smooth_px), 0.08)
        assert noise is None or not noise.is_sure
