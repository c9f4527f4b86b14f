"""The PSF against analytic optics, an independent integral, and psfmodels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.special import j0, j1

from napari_virtualstain.errors import InputError
from napari_virtualstain.optics import GibsonLanni, gibson_lanni_psf

# wavelength, index, depth, focus (None: paraxial), Strehl, then the six distinct values
# of the 5x5 kernel: centre, (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)
PINNED = [
    (0.528, 1.33, 0, None, 1.0, 0.1609, 0.1027, 0.0208, 0.0633, 0.0109, 0.0012),
    (0.528, 1.33, 2, None, 0.3192, 0.0972, 0.0749, 0.0330, 0.0573, 0.0249, 0.0107),
    (0.528, 1.33, 2, 2.355, 0.5191, 0.1255, 0.0892, 0.0279, 0.0621, 0.0178, 0.0037),
    (0.528, 1.38, 2, None, 0.4227, 0.1085, 0.0804, 0.0310, 0.0590, 0.0222, 0.0082),
    (0.528, 1.38, 4, None, 0.2709, 0.0910, 0.0716, 0.0341, 0.0562, 0.0265, 0.0124),
    (0.528, 1.33, 8, None, 0.1150, 0.0696, 0.0597, 0.0375, 0.0512, 0.0321, 0.0201),
    (0.528, 1.33, 8, 8.770, 0.2791, 0.1013, 0.0779, 0.0326, 0.0592, 0.0236, 0.0078),
    (0.528, 1.38, 8, None, 0.1620, 0.0763, 0.0636, 0.0365, 0.0530, 0.0303, 0.0173),
    (0.608, 1.33, 0, None, 1.0, 0.1253, 0.0892, 0.0280, 0.0622, 0.0179, 0.0035),
    (0.608, 1.33, 2, None, 0.3488, 0.0835, 0.0678, 0.0355, 0.0549, 0.0284, 0.0142),
    (0.608, 1.33, 2, 2.380, 0.5447, 0.1014, 0.0779, 0.0326, 0.0591, 0.0236, 0.0078),
    (0.608, 1.38, 2, None, 0.4581, 0.0916, 0.0722, 0.0341, 0.0566, 0.0263, 0.0116),
    (0.608, 1.38, 4, None, 0.2985, 0.0789, 0.0652, 0.0362, 0.0538, 0.0296, 0.0160),
    (0.608, 1.38, 8, None, 0.1807, 0.0685, 0.0591, 0.0377, 0.0509, 0.0324, 0.0204),
]


def _six(kernel: np.ndarray) -> list[float]:
    return [kernel[2 + i, 2 + j] for i, j in ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))]


@pytest.mark.parametrize("case", PINNED, ids=str)
def test_kernels_have_the_pinned_values(case: tuple[float, ...]) -> None:
    wavelength_um, n_sample, depth_um, focus_um, strehl, *values = case
    kernel = gibson_lanni_psf(
        wavelength_um=wavelength_um, n_sample=n_sample, depth_um=depth_um, focus_um=focus_um
    )
    np.testing.assert_allclose(_six(kernel), values, atol=5e-4)
    optics = GibsonLanni(wavelength_um=wavelength_um, n_sample=n_sample)
    at_centre = optics.intensity(0.0, depth_um=depth_um, focus_um=focus_um)
    assert float(at_centre) == pytest.approx(strehl, abs=2e-3)


def test_samples_at_pixel_centres_have_the_pinned_values() -> None:
    for wavelength_um, values in (
        (0.528, [0.1733, 0.1077, 0.0184, 0.0640, 0.0083, 0.0000]),
        (0.608, [0.1315, 0.0922, 0.0269, 0.0631, 0.0164, 0.0022]),
    ):
        kernel = gibson_lanni_psf(wavelength_um=wavelength_um, integrate=False)
        np.testing.assert_allclose(_six(kernel), values, atol=1e-4)


def test_the_kernel_of_the_papers_authors_is_reproduced() -> None:
    # models/networks.py of their repository, up to the typing error in two cells
    row = np.array([[5, 35, 55, 35, 5], [35, 125, 181, 125, 35], [55, 181, 255, 181, 55]])
    theirs = np.vstack([row, row[1::-1]]) / 255
    ours = gibson_lanni_psf(na=1.4, wavelength_um=0.609, integrate=False)
    np.testing.assert_allclose(ours / ours.max(), theirs, atol=3e-3)


@pytest.mark.parametrize("wavelength_um", [0.45, 0.528, 0.608])
def test_in_focus_it_is_the_airy_pattern(wavelength_um: float) -> None:
    optics = GibsonLanni(wavelength_um=wavelength_um)
    radius = np.linspace(0.001, 8.0, 500)
    v = 2 * np.pi / wavelength_um * 1.42 * radius
    np.testing.assert_allclose(optics.intensity(radius), (2 * j1(v) / v) ** 2, atol=1e-12)


@pytest.mark.parametrize(
    ("depth_um", "focus_um", "n_sample"), [(2.0, 2.0, 1.33), (4.0, 3.0, 1.38), (8.0, 8.77, 1.33)]
)
def test_it_equals_an_adaptive_integral(depth_um: float, focus_um: float, n_sample: float) -> None:
    optics = GibsonLanni(n_sample=n_sample)
    wave_number = 2 * np.pi / 0.528

    def path(sine: float) -> complex:
        inside = np.emath.sqrt(n_sample**2 - (1.515 * sine) ** 2)
        oil = np.emath.sqrt(1.515**2 - (1.515 * sine) ** 2)
        return depth_um * inside + (depth_um * (1 - 1.515 / n_sample) - focus_um) * oil

    def field(radius: float, part: str) -> float:
        def integrand(rho: float) -> float:
            sine = 1.42 * rho / 1.515
            wave = np.exp(1j * wave_number * path(sine)) * j0(wave_number * 1.42 * rho * radius)
            return 2 * rho * getattr(wave, part)

        kink = n_sample / 1.42
        parts = [(0, kink), (kink, 1)] if kink < 1 else [(0, 1)]
        return sum(quad(integrand, *ends, limit=400, epsabs=1e-10)[0] for ends in parts)

    radius = np.array([0.0, 0.11, 0.3, 0.9])
    expected = [field(r, "real") ** 2 + field(r, "imag") ** 2 for r in radius]
    found = optics.intensity(radius, depth_um=depth_um, focus_um=focus_um)
    np.testing.assert_allclose(found, expected, atol=1e-7)


@pytest.mark.parametrize("size", [5, 15])
@pytest.mark.parametrize("wavelength_um", [0.528, 0.608])
@pytest.mark.parametrize(("n_sample", "depth_um"), [(1.33, 0), (1.33, 2), (1.38, 4)])
def test_psfmodels_agrees(
    size: int, wavelength_um: float, n_sample: float, depth_um: float
) -> None:
    psfmodels = pytest.importorskip("psfmodels")
    theirs = psfmodels.make_psf(
        z=[depth_um],
        nx=size,
        dxy=0.08,
        pz=depth_um,
        ns=n_sample,
        NA=1.42,
        wvl=wavelength_um,
        model="scalar",
        oversample_factor=11,
        ni=1.515,
        ni0=1.515,
        ng=1.515,
        ng0=1.515,
    )[0]
    ours = gibson_lanni_psf(
        size=size, wavelength_um=wavelength_um, n_sample=n_sample, depth_um=depth_um
    )
    # Its Simpson rule steps over the critical angle, which costs up to 1e-3 at depth.
    np.testing.assert_allclose(ours, theirs / theirs.sum(), atol=1e-3 if depth_um else 1e-4)


@pytest.mark.parametrize(("depth_um", "best_um"), [(2, 2.355), (8, 8.770), (0, 0.0)])
def test_the_best_focus_lies_beyond_the_paraxial_one(depth_um: float, best_um: float) -> None:
    optics = GibsonLanni()
    found = optics.best_focus_um(depth_um)
    assert found == pytest.approx(best_um, abs=5e-3)
    brightest = optics.intensity(0.0, depth_um=depth_um, focus_um=found)
    for shift in (-0.05, 0.05):
        assert optics.intensity(0.0, depth_um=depth_um, focus_um=found + shift) < brightest


@pytest.mark.parametrize("depth_um", [0.3, 1.0, 3.0])
def test_the_best_focus_is_found_at_every_depth(depth_um: float) -> None:
    assert depth_um < GibsonLanni().best_focus_um(depth_um) < 1.5 * depth_um


@settings(max_examples=25, deadline=None)
@given(
    size=st.integers(0, 10).map(lambda n: 2 * n + 1),
    pixel_size_um=st.floats(0.02, 0.4),
    wavelength_um=st.floats(0.4, 0.8),
    na=st.floats(0.3, 1.49),
    n_sample=st.floats(1.3, 1.5),
    depth_um=st.floats(0, 6),
    integrate=st.booleans(),
)
def test_a_kernel_is_positive_symmetric_and_sums_to_one(size: int, **optics: float) -> None:
    kernel = gibson_lanni_psf(size=size, **optics)  # type: ignore[arg-type]
    assert kernel.shape == (size, size)
    assert (kernel >= 0).all()
    assert kernel.sum() == pytest.approx(1, abs=1e-12)
    for turned in (kernel[::-1], kernel[:, ::-1], kernel.T):
        np.testing.assert_allclose(kernel, turned, atol=1e-12)


def test_a_large_kernel_agrees_with_its_small_middle() -> None:
    # The large one goes through a spline, the small one through an integral for each point.
    optics = GibsonLanni()
    small = optics.kernel(7, 0.08, depth_um=3.0)
    large = optics.kernel(101, 0.08, depth_um=3.0)
    np.testing.assert_allclose(large[47:54, 47:54], small, atol=1e-6)


def test_a_pixel_of_three_holds_the_light_of_nine() -> None:
    optics = GibsonLanni()
    fine = optics.kernel(15, 0.08).reshape(5, 3, 5, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(optics.kernel(5, 0.24), fine, atol=1e-8)


def test_a_wrong_cover_glass_widens_the_image_and_refocusing_helps() -> None:
    sharp = GibsonLanni().intensity(0.0)
    thick = GibsonLanni(n_coverslip=1.5, coverslip_um=175.0)
    assert thick.intensity(0.0) < 0.9 * sharp


def test_the_caller_may_write_into_the_kernel() -> None:
    gibson_lanni_psf()[:] = 0
    assert gibson_lanni_psf().sum() == pytest.approx(1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"size": 4}, "odd whole number"),
        ({"size": 0}, "odd whole number"),
        ({"size": 5.0}, "odd whole number"),
        ({"na": 1.6}, "below 1.515"),
        ({"na": -1}, "na is -1"),
        ({"wavelength_um": 0}, "wavelength_um is 0"),
        ({"wavelength_um": float("nan")}, "wavelength_um is nan"),
        ({"n_sample": float("inf")}, "n_sample is inf"),
        ({"pixel_size_um": -0.1}, "pixel_size_um is -0.1"),
        ({"depth_um": -1}, "depth_um is -1"),
        ({"focus_um": float("nan")}, "focus_um is nan"),
        ({"na": "1.4"}, "na is '1.4'"),
        ({"wavelength_um": 528}, "500 nm are 0.5 µm"),
        ({"pixel_size_um": 80}, "500 nm are 0.5 µm"),
        ({"n_sample": 0.5}, "index of at least 1"),
    ],
)
def test_impossible_optics_are_named(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        gibson_lanni_psf(**arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "inside", "outside"),
    [
        ("wavelength_um", (0.05, 20.0), (0.049, 20.1)),
        ("pixel_size_um", (0.0005, 20.0), (0.00049, 20.1)),
    ],
)
def test_a_length_that_may_be_nanometres_is_refused(
    name: str, inside: tuple[float, float], outside: tuple[float, float]
) -> None:
    for value in inside:
        kernel = gibson_lanni_psf(size=1, integrate=False, **{name: value})  # type: ignore[arg-type]
        assert kernel.sum() == pytest.approx(1)
    for value in outside:
        with pytest.raises(InputError, match=f"{name} is {value}: expected .* Check the unit"):
            gibson_lanni_psf(**{name: value})  # type: ignore[arg-type]
