"""The Gibson-Lanni point spread function, integrated over pixels.

A point at some depth below the cover glass is seen through sample, glass and
immersion oil. Wherever these differ from what the objective was designed for, rays of
different angle arrive with different delay, and the image of the point widens.
Gibson and Lanni (1991) write the field as one integral over the angle in the oil,

    h(r) = integral of J0(k r n sin t) exp(i k OPD(t)) sin t cos t dt,

with OPD the optical path difference. It is integrated here by Gauss-Legendre
quadrature. At the critical angle of the sample the path difference has the singularity
of a square root; the interval is split there and the nodes are squeezed quadratically
towards it, which restores the fast convergence that a plain rule loses.

Rays beyond the critical angle (NA above the index of the sample) are evanescent: they
count in full at depth 0, where they reproduce the kernel of the paper's authors, and die
out within a micrometre.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from functools import lru_cache
from types import NoneType

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.interpolate import CubicSpline
from scipy.optimize import minimize_scalar
from scipy.special import j0

from ..errors import InputError, check_kind

FloatArray = NDArray[np.float64]
_DIRECT_RADII = 4000
# what lies outside is nanometres
_WAVELENGTHS_UM = (0.05, 20.0)
_FOCUS = "a finite number of micrometres"
_PIXEL_SIZES_UM = (0.0005, 20.0)


@dataclass(frozen=True, slots=True)
class GibsonLanni:
    """An objective, the layers under it, and one wavelength.

    Attributes
    ----------
    wavelength_um : float
        Emission wavelength in vacuum.
    na : float
        Numerical aperture; below `n_immersion`.
    n_immersion, n_immersion_design : float
        Refractive index of the immersion as it is, and as designed for.
    n_coverslip, n_coverslip_design : float
        Refractive index of the cover glass.
    n_sample : float
        Refractive index of the sample.
    coverslip_um, coverslip_design_um : float
        Thickness of the cover glass.
    working_distance_um : float
        Design thickness of the immersion layer.

    Examples
    --------
    >>> optics = GibsonLanni(wavelength_um=0.528)
    >>> round(float(optics.intensity(0.0)), 6)
    1.0
    """

    wavelength_um: float = 0.528
    na: float = 1.42
    n_immersion: float = 1.515
    n_sample: float = 1.33
    n_coverslip: float = 1.515
    n_immersion_design: float = 1.515
    n_coverslip_design: float = 1.515
    coverslip_um: float = 170.0
    coverslip_design_um: float = 170.0
    working_distance_um: float = 150.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = check_number(getattr(self, field.name), field.name)
            if field.name.startswith("n_") and value < 1:
                raise InputError(f"{field.name} is {value}: expected an index of at least 1.")
        check_micrometres(self.wavelength_um, "wavelength_um", _WAVELENGTHS_UM)
        limit = min(self.n_immersion, self.n_coverslip)
        if self.na >= limit:
            raise InputError(
                f"The numerical aperture is {self.na}: it must be below {limit}, the index of "
                "the immersion and the cover glass. Correct the objective or the immersion."
            )

    def amplitude(
        self, radius_um: ArrayLike, *, depth_um: float = 0.0, focus_um: float | None = None
    ) -> NDArray[np.complex128]:
        """Return the field at distances from the axis, 1 at the centre without aberration.

        Parameters
        ----------
        radius_um : array_like
            Distances from the optical axis in the sample plane, any shape.
        depth_um : float
            Depth of the point below the cover glass.
        focus_um : float, optional
            Stage position: the depth that would be in focus for rays near the axis.
            None is `depth_um`, the paraxial focus.

        Returns
        -------
        ndarray of complex, the shape of `radius_um`
        """
        radius = np.abs(np.asarray(radius_um, dtype=np.float64))
        focus = depth_um if focus_um is None else focus_um
        reach = float(radius.max(initial=0.0))
        sine, weight = _quadrature(self, _node_count(self, reach, depth_um, focus))
        phase = np.exp(1j * self._wave_number * self._path_difference(sine, depth_um, focus))
        bessel = j0(self._wave_number * self.n_immersion * np.multiply.outer(radius, sine))
        return np.asarray(bessel @ (weight * phase), dtype=np.complex128)

    def intensity(
        self, radius_um: ArrayLike, *, depth_um: float = 0.0, focus_um: float | None = None
    ) -> FloatArray:
        """Return the intensity at distances from the axis; at the centre the Strehl ratio."""
        field = self.amplitude(radius_um, depth_um=depth_um, focus_um=focus_um)
        return np.asarray(field.real**2 + field.imag**2)

    def best_focus_um(self, depth_um: float) -> float:
        """Return the stage position with the brightest centre for a point at `depth_um`."""
        return _best_focus_um(self, float(depth_um))

    def kernel(
        self,
        size: int,
        pixel_size_um: float,
        *,
        depth_um: float = 0.0,
        focus_um: float | None = None,
        integrate: bool = True,
    ) -> FloatArray:
        """Return the (size, size) image of a point centred on a pixel, not normalised."""
        half = size // 2
        rows, columns = np.tril_indices(half + 1)
        if integrate:
            nodes = 4 + math.ceil(8 * pixel_size_um * self.na / self.wavelength_um)
            shift, weight = np.polynomial.legendre.leggauss(nodes)
        else:
            shift, weight = np.zeros(1), np.ones(1)
        y = (rows[:, None] + shift / 2) * pixel_size_um
        x = (columns[:, None] + shift / 2) * pixel_size_um
        radius = np.hypot(y[:, :, None], x[:, None, :])
        value = self._profile(radius, depth_um, focus_um)
        octant = np.einsum("pij,i,j->p", value, weight, weight) / weight.sum() ** 2
        quadrant = np.zeros((half + 1, half + 1))
        quadrant[rows, columns] = quadrant[columns, rows] = octant
        return np.pad(quadrant, ((half, 0), (half, 0)), mode="reflect") if half else quadrant

    def _profile(self, radius: FloatArray, depth_um: float, focus_um: float | None) -> FloatArray:
        if radius.size <= _DIRECT_RADII:
            return self.intensity(radius, depth_um=depth_um, focus_um=focus_um)
        # A spline at 60 samples an Airy unit is exact to 1e-7 and far cheaper than
        # one integral for each of the many radii of a large kernel.
        step = self.wavelength_um / self.na / 60
        knots = np.arange(0.0, radius.max() + 12 * step, step)
        value = self.intensity(knots, depth_um=depth_um, focus_um=focus_um)
        spline = CubicSpline(knots, value, bc_type="clamped")
        return np.asarray(spline(radius))

    @property
    def _wave_number(self) -> float:
        return 2 * math.pi / self.wavelength_um

    def _path_difference(
        self, sine: FloatArray, depth_um: float, focus_um: float
    ) -> NDArray[np.complex128]:
        invariant = self.n_immersion * sine
        immersion_um = (
            -focus_um
            + depth_um * (1 - self.n_immersion / self.n_sample)
            + self.n_immersion
            * (
                self.coverslip_design_um / self.n_coverslip_design
                + self.working_distance_um / self.n_immersion_design
                - self.coverslip_um / self.n_coverslip
            )
        )
        layers = (
            (self.n_sample, depth_um),
            (self.n_immersion, immersion_um),
            (self.n_coverslip, self.coverslip_um),
            (self.n_coverslip_design, -self.coverslip_design_um),
            (self.n_immersion_design, -self.working_distance_um),
        )
        total = np.zeros(sine.shape, dtype=np.complex128)
        for index, thickness in layers:
            # +0j: beyond the critical angle the root becomes +i..., a decaying wave
            total += thickness * np.sqrt(index**2 - invariant**2 + 0j)
        return total


def check_number(value: float, name: str, *, zero: bool = False) -> float:
    """Return `value` if it is a finite number above zero (or zero where allowed).

    Raises
    ------
    InputError
        It is not.
    """
    expected = "a number of at least 0" if zero else "a positive number"
    is_number = isinstance(value, (int, float, np.integer, np.floating))
    if not is_number or not math.isfinite(value) or value < 0 or (value == 0 and not zero):
        raise InputError(f"{name} is {value!r}: expected {expected}.")
    return float(value)


def check_micrometres(value: float, name: str, limits: tuple[float, float]) -> None:
    """Raise an error where nanometres were given for micrometres."""
    check_number(value, name)
    if not limits[0] <= value <= limits[1]:
        raise InputError(
            f"{name} is {value!r}: expected {limits[0]:g} to {limits[1]:g} µm. Check the unit "
            "(500 nm are 0.5 µm)."
        )


def gibson_lanni_psf(
    *,
    size: int = 5,
    pixel_size_um: float = 0.08,
    wavelength_um: float = 0.528,
    na: float = 1.42,
    n_immersion: float = 1.515,
    n_sample: float = 1.33,
    depth_um: float = 0.0,
    focus_um: float | None = None,
    integrate: bool = True,
    optics: GibsonLanni | None = None,
) -> FloatArray:
    """Return the image of a point in one plane, normalised to sum 1.

    Parameters
    ----------
    size : int
        Rows and columns of the kernel; odd, so that the point is on a pixel.
    pixel_size_um : float
        Size of a pixel in the sample.
    wavelength_um, na, n_immersion, n_sample : float
        See :class:`GibsonLanni`.
    depth_um : float
        Depth of the point below the cover glass.
    focus_um : float, optional
        Stage position. None: the paraxial focus of `depth_um`;
        :meth:`GibsonLanni.best_focus_um` gives the position of the sharpest image.
    integrate : bool
        Average over the area of each pixel, as a camera does; False samples its centre.
    optics : GibsonLanni, optional
        Replaces the four optical numbers, for other cover glasses and design values.

    Returns
    -------
    ndarray of shape (size, size), float64
        Non-negative, symmetric, sum 1.

    Raises
    ------
    InputError
        `size` is even or not positive, or a number is not physical.

    Notes
    -----
    S. F. Gibson and F. Lanni, J. Opt. Soc. Am. A 8, 1601 (1991). In focus it is the Airy
    pattern. A 5x5 window at 80 nm holds 85 % of the light in focus and about half of it
    at a few micrometres of depth: it is a kernel for local sharpening, not the whole PSF.

    Examples
    --------
    >>> gibson_lanni_psf()[2].round(4)
    array([0.0208, 0.1027, 0.1609, 0.1027, 0.0208])
    """
    if not isinstance(size, (int, np.integer)) or size < 1 or size % 2 == 0:
        raise InputError(
            f"The kernel size is {size!r}: expected an odd whole number such as 5, "
            "because an even kernel would shift the image by half a pixel."
        )
    check_micrometres(pixel_size_um, "pixel_size_um", _PIXEL_SIZES_UM)
    check_number(depth_um, "depth_um", zero=True)
    check_kind(focus_um, (int, float, np.number, NoneType), "focus_um", _FOCUS)
    if focus_um is not None and not math.isfinite(focus_um):
        raise InputError(f"focus_um is {focus_um!r}: expected {_FOCUS}.")
    check_kind(integrate, (bool, np.bool_), "integrate", "True or False")
    if optics is None:
        optics = GibsonLanni(wavelength_um, na, n_immersion, n_sample)
    check_kind(optics, GibsonLanni, "optics", "a GibsonLanni")
    return _normalised_kernel(
        optics, int(size), pixel_size_um, depth_um, focus_um, integrate
    ).copy()


@lru_cache(maxsize=64)
def _normalised_kernel(
    optics: GibsonLanni,
    size: int,
    pixel_size_um: float,
    depth_um: float,
    focus_um: float | None,
    integrate: bool,
) -> FloatArray:
    kernel = optics.kernel(
        size, pixel_size_um, depth_um=depth_um, focus_um=focus_um, integrate=integrate
    )
    return np.asarray(kernel / kernel.sum())


@lru_cache(maxsize=256)
def _best_focus_um(optics: GibsonLanni, depth_um: float) -> float:
    if depth_um == 0:
        return 0.0

    def dimness(focus_um: float) -> float:
        return -float(optics.intensity(0.0, depth_um=depth_um, focus_um=focus_um))

    # The maximum is searched on a grid first: with strong aberration there are side lobes.
    span = 1.0 + 0.4 * depth_um
    grid = np.arange(depth_um - span, depth_um + span, 0.05)
    start = float(grid[np.argmin([dimness(value) for value in grid])])
    found = minimize_scalar(
        dimness, bounds=(start - 0.06, start + 0.06), method="bounded", options={"xatol": 1e-5}
    )
    return float(found.x)


def _node_count(optics: GibsonLanni, reach_um: float, depth_um: float, focus_um: float) -> int:
    """Return how many nodes resolve the oscillation of the integrand, per interval."""
    wave_number = 2 * math.pi / optics.wavelength_um
    edge = np.array([0.0, optics.na / optics.n_immersion])
    path = optics._path_difference(edge, depth_um, focus_um)
    turns = wave_number * (optics.na * reach_um + abs(path[1] - path[0]))
    defocus = wave_number * (abs(depth_um) + abs(focus_um)) * 0.5
    return int(48 + 0.7 * turns + 0.7 * defocus)


@lru_cache(maxsize=64)
def _quadrature(optics: GibsonLanni, nodes: int) -> tuple[FloatArray, FloatArray]:
    """Return sines of the angle in the immersion and weights that sum to 1."""
    largest = math.asin(optics.na / optics.n_immersion)
    critical = math.asin(min(1.0, optics.n_sample / optics.n_immersion))
    unit, weight = np.polynomial.legendre.leggauss(nodes)
    unit, weight = (unit + 1) / 2, weight / 2
    if optics.n_sample >= optics.na:
        angle, measure = largest * unit, largest * weight
    else:
        beyond = largest - critical
        angle = np.concatenate([critical * (1 - unit**2), critical + beyond * unit**2])
        measure = np.concatenate([critical * 2 * unit * weight, beyond * 2 * unit * weight])
    sine = np.sin(angle)
    total = measure * sine * np.cos(angle)
    return sine, total / total.sum()
