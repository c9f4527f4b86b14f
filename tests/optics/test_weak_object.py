"""Bright-field transfer against what optics says, and against a brute-force image."""

from __future__ import annotations

import numpy as np
import pytest

from napari_virtualstain.errors import InputError
from napari_virtualstain.optics import BrightFieldOptics, weak_object_transfer

FREQUENCY = np.linspace(0, 4.5, 60)


def test_a_phase_object_in_focus_is_invisible() -> None:
    phase, _ = weak_object_transfer(FREQUENCY, [0.0])
    np.testing.assert_allclose(phase, 0, atol=1e-14)


def test_contrast_of_phase_reverses_through_focus_and_that_of_absorption_does_not() -> None:
    defocus = np.array([-1.5, -0.4, 0.4, 1.5])
    phase, absorption = weak_object_transfer(FREQUENCY, defocus)
    np.testing.assert_allclose(phase[::-1], -phase, atol=1e-12)
    np.testing.assert_allclose(absorption[::-1], absorption, atol=1e-12)
    assert np.abs(phase).max() > 0.5


def test_a_uniform_delay_is_invisible_and_uniform_absorption_takes_twice_its_amplitude() -> None:
    phase, absorption = weak_object_transfer([0.0], [-1.0, 0.0, 2.0])
    np.testing.assert_allclose(phase, 0, atol=1e-14)
    np.testing.assert_allclose(absorption, -2, atol=1e-12)


def test_nothing_passes_beyond_both_apertures() -> None:
    optics = BrightFieldOptics()
    cutoff = (optics.na_objective + optics.na_condenser) / optics.wavelength_um
    for transfer in weak_object_transfer([1.001 * cutoff, 2 * cutoff], [0.0, 0.7], optics):
        np.testing.assert_allclose(transfer, 0, atol=1e-14)


def test_slow_phase_obeys_the_transport_of_intensity() -> None:
    # I / I0 - 1 = -z lambda / (2 pi n) laplacian(phi): 2 pi z lambda f^2 / n for a wave of f,
    # with light that is nearly coherent and frequencies far below the aperture
    optics = BrightFieldOptics(na_condenser=0.02)
    frequency, defocus = np.array([0.02, 0.05]), np.array([0.1, 0.3])
    phase, _ = weak_object_transfer(frequency, defocus, optics)
    expected = 2 * np.pi * 0.45 / 1.36 * np.multiply.outer(defocus, frequency**2)
    np.testing.assert_allclose(phase, expected, rtol=2e-2)


def test_it_agrees_with_an_image_summed_over_the_source() -> None:
    """Abbe's way: one coherent image for each point of the source, intensities added."""
    optics = BrightFieldOptics(na_condenser=0.6)
    n, pixel, z = 128, 0.09, 0.6
    y = (np.arange(n) - n // 2) * pixel
    radius = np.hypot(y[:, None], y[None])
    delay = 1e-3 * np.exp(-0.5 * (radius / 0.2) ** 2)
    loss = 1e-3 * np.exp(-0.5 * (radius / 0.3) ** 2)
    frequency = np.fft.fftfreq(n, pixel)
    fy, fx = np.meshgrid(frequency, frequency, indexing="ij")
    flat = np.hypot(fy, fx)
    # Source points on the grid of frequencies, so that each shifts the spectrum by whole steps.
    source = np.argwhere(flat * optics.wavelength_um <= optics.na_condenser)
    pupil = flat * optics.wavelength_um <= optics.na_objective
    total = optics.n_sample / optics.wavelength_um
    axial = 2 * np.pi * np.sqrt(np.maximum(total**2 - flat**2, 0))
    filtered = pupil * np.exp(1j * z * axial)
    spectrum = np.fft.fft2(np.exp(1j * delay - loss))
    image = np.zeros((n, n))
    for row, column in source:
        shifted = np.roll(spectrum, (row, column), axis=(0, 1))
        image += np.abs(np.fft.ifft2(shifted * filtered)) ** 2
    contrast = image / len(source) - 1
    radial = np.linspace(0, flat.max(), 800)
    phase, absorption = (
        np.interp(flat, radial, rows[0]) for rows in weak_object_transfer(radial, [z], optics)
    )
    linear = np.fft.ifft2(np.fft.fft2(delay) * phase + np.fft.fft2(loss) * absorption).real
    # The grid draws the two discs with steps of 1 / (n pixel); that limits the agreement.
    np.testing.assert_allclose(linear, contrast, atol=0.03 * np.abs(contrast).max())


def test_a_dense_bead_beyond_the_focal_plane_looks_bright() -> None:
    phase, _ = weak_object_transfer(FREQUENCY, [0.3])
    bead = np.exp(-0.5 * (2 * np.pi * FREQUENCY * 0.15) ** 2)
    assert np.trapezoid(phase[0] * bead * FREQUENCY, FREQUENCY) > 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"na_condenser": 1.4, "na_objective": 0.9}, "dark-field"),
        ({"wavelength_um": 0.0}, "wavelength_um is 0.0"),
        ({"n_sample": float("nan")}, "n_sample is nan"),
    ],
)
def test_impossible_microscopes_are_named(arguments: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        BrightFieldOptics(**arguments)


def test_two_dimensional_frequencies_are_refused() -> None:
    with pytest.raises(InputError, match="one dimension"):
        weak_object_transfer(np.zeros((3, 3)), [0.0])
