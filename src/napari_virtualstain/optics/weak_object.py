"""Weak-object transfer functions of bright-field: contrast from phase and absorption.

Unstained organelles absorb nothing; they delay light. In a partially coherent
microscope a thin slice of delay phi at distance z from the focal plane changes the
relative intensity by a linear filter of phi (Streibl, 1985). With source S and pupil P,

    A(f; z) = integral of S(v) P*(v) P(v + f) exp(i z [kz(v + f) - kz(v)]) dv / integral of S |P|^2,

the filter is -2 Im A for delay and -2 Re A for absorption. At z = 0 the pupil makes A
real: a pure phase object in focus is invisible, and its contrast reverses through focus.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import InputError
from .gibson_lanni import check_number

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class BrightFieldOptics:
    """Objective and condenser of a bright-field microscope at one wavelength.

    Attributes
    ----------
    wavelength_um : float
        Wavelength of the illumination in vacuum.
    na_objective, na_condenser : float
        Numerical apertures. What exceeds the index of the sample cannot travel in it and
        is cut there.
    n_sample : float
        Refractive index of the sample.
    """

    wavelength_um: float = 0.45
    na_objective: float = 1.33
    na_condenser: float = 0.5
    n_sample: float = 1.36

    def __post_init__(self) -> None:
        for field in fields(self):
            check_number(getattr(self, field.name), field.name)
        if self.na_condenser > self.na_objective:
            raise InputError(
                f"The condenser's NA is {self.na_condenser} and the objective's "
                f"{self.na_objective}: bright-field needs a condenser NA of at most the "
                "objective's; a larger one would be dark-field."
            )


def weak_object_transfer(
    frequency_per_um: ArrayLike,
    defocus_um: ArrayLike,
    optics: BrightFieldOptics | None = None,
    *,
    rings: int = 24,
    spokes: int = 48,
) -> tuple[FloatArray, FloatArray]:
    """Return the transfer of phase and of absorption to relative intensity.

    Parameters
    ----------
    frequency_per_um : array_like of shape (F,)
        Radial spatial frequencies, cycles per micrometre.
    defocus_um : array_like of shape (Z,)
        Distance of the object from the focal plane; positive lies on the side of the
        condenser, where a denser object looks bright.
    optics : BrightFieldOptics, optional
        Microscope.
    rings, spokes : int
        Points of the quadrature over the source, radial and over half the circle.

    Returns
    -------
    phase, absorption : ndarray of shape (Z, F), float64
        Multiply the spectrum of the delay (radians) or of the absorption (amplitude) and
        add: the spectrum of I / I0 - 1.

    Notes
    -----
    N. Streibl, J. Opt. Soc. Am. A 2, 121 (1985).

    Examples
    --------
    >>> phase, absorption = weak_object_transfer([0.0, 1.0], [0.0, 0.5])
    >>> phase[0].tolist(), bool(phase[1, 1] > 0), absorption[0, 0].round(6).item()
    ([0.0, 0.0], True, -2.0)
    """
    optics = optics or BrightFieldOptics()
    frequency = np.atleast_1d(np.asarray(frequency_per_um, dtype=np.float64))
    defocus = np.atleast_1d(np.asarray(defocus_um, dtype=np.float64))
    if frequency.ndim != 1 or defocus.ndim != 1:
        raise InputError(
            f"Frequencies have shape {frequency.shape} and defocus {defocus.shape}: "
            "expected one dimension each."
        )
    cut = optics.n_sample / optics.wavelength_um * (1 - 1e-9)
    pupil = min(optics.na_objective / optics.wavelength_um, cut)
    radius, angle, weight = _source_points(
        min(optics.na_condenser / optics.wavelength_um, pupil), rings, spokes
    )
    scattered = np.sqrt(
        radius**2 + frequency[:, None] ** 2 + 2 * frequency[:, None] * radius * np.cos(angle)
    )
    passes = scattered <= pupil
    delay = _axial(np.minimum(scattered, cut), optics) - _axial(radius, optics)
    transfer = np.empty((defocus.size, frequency.size), dtype=np.complex128)
    for row, distance in enumerate(defocus):
        transfer[row] = (passes * np.exp(1j * distance * delay)) @ weight
    return -2 * transfer.imag + 0.0, -2 * transfer.real


def _axial(lateral: FloatArray, optics: BrightFieldOptics) -> FloatArray:
    """Return the axial wave number, radians per micrometre."""
    total = optics.n_sample / optics.wavelength_um
    return np.asarray(2 * math.pi * np.sqrt(total**2 - lateral**2))


def _source_points(
    edge: float, rings: int, spokes: int
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return radii, angles and weights (sum 1) of points on half of a uniform disc."""
    node, weight = np.polynomial.legendre.leggauss(rings)
    ring = edge * np.sqrt((node + 1) / 2)
    spoke = (np.arange(spokes) + 0.5) * math.pi / spokes
    radius, angle = np.meshgrid(ring, spoke, indexing="ij")
    share = np.repeat(weight / 2 / spokes, spokes)
    return radius.ravel(), angle.ravel(), share
