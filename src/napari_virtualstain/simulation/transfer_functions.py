"""Transfer functions of each z slice, computed once for an optics and an image size."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import fft
from scipy.special import j0

from ..optics import BrightFieldOptics, GibsonLanni, weak_object_transfer
from .scene_config import Microscope

FloatArray = NDArray[np.float64]
SLICES_UM = np.concatenate(
    [[-1.75, -1.375], np.arange(-1.125, 1.1251, 0.125), [1.375, 1.75, 2.25, 2.75, 3.5, 4.5]]
)
MARGIN_UM = 5.0
_RADIUS_UM = 6.0
_SAMPLES = 2048


@dataclass(frozen=True, slots=True)
class Tables:
    """Filters of all slices on the frequencies of one padded image.

    Attributes
    ----------
    slices_um : ndarray of shape (Z,)
        Heights of the slices above the focal plane.
    padded : tuple of int
        Size of the image with its margin.
    margin : int
        Pixels of margin before the field.
    fluorescence : ndarray of shape (Z, Y, X // 2 + 1), float32
        Transfer of emitters to the image.
    phase : ndarray of shape (Z, Y, X // 2 + 1), float32
        Transfer of phase to relative bright-field intensity.
    """

    slices_um: FloatArray
    padded: tuple[int, int]
    margin: int
    fluorescence: NDArray[np.float32]
    phase: NDArray[np.float32]


@lru_cache(maxsize=4)
def tables(microscope: Microscope, pixel_size_um: float, field: tuple[int, int]) -> Tables:
    """Return the tables for a field of `field` pixels, from a cache where possible."""
    margin = math.ceil(MARGIN_UM / pixel_size_um)
    height, width = (fft.next_fast_len(extent + 2 * margin, real=True) for extent in field)
    along_y = fft.fftfreq(height, pixel_size_um)[:, None]
    along_x = fft.rfftfreq(width, pixel_size_um)[None, :]
    frequency = np.hypot(along_y, along_x)
    cutoff, fluorescence, phase = _radial(microscope)
    index = np.minimum((frequency * ((_SAMPLES - 1) / cutoff)).astype(np.intp), _SAMPLES - 1)
    # The camera averages over its pixels.
    pixel = np.sinc(along_y * pixel_size_um) * np.sinc(along_x * pixel_size_um)
    pixel *= np.exp(-2 * (math.pi * microscope.residual_blur_um * frequency) ** 2)
    # In single precision from here: for a 1024x1024 field each table has 18 million values.
    pixel = pixel.astype(np.float32)
    blur, contrast = (rows.astype(np.float32)[:, index] for rows in (fluorescence, phase))
    blur *= pixel
    contrast *= pixel
    return Tables(SLICES_UM, (height, width), margin, blur, contrast)


@lru_cache(maxsize=64)
def _radial(microscope: Microscope) -> tuple[float, FloatArray, FloatArray]:
    """Return the highest frequency and both transfers on a grid up to it, (Z, samples)."""
    cutoff = 1.02 * max(
        2 * microscope.na / microscope.emission_um,
        (microscope.n_sample + microscope.condenser_na) / microscope.illumination_um,
    )
    coarse = np.linspace(0.0, cutoff, 320)
    optics = BrightFieldOptics(
        microscope.illumination_um,
        min(microscope.na, microscope.n_sample),
        microscope.condenser_na,
        microscope.n_sample,
    )
    offset = microscope.bright_field_offset_um
    phase, _ = weak_object_transfer(coarse, SLICES_UM + offset, optics, rings=16, spokes=32)
    fine = np.linspace(0.0, cutoff, _SAMPLES)
    both = (_fluorescence(microscope, coarse), phase)
    blur, contrast = (np.array([np.interp(fine, coarse, row) for row in rows]) for rows in both)
    contrast[:, -1] = blur[:, -1] = 0.0
    return float(cutoff), blur, contrast


def _fluorescence(microscope: Microscope, frequency: FloatArray) -> FloatArray:
    """Return the optical transfer of each slice: the Hankel transform of its PSF."""
    optics = GibsonLanni(
        microscope.emission_um, microscope.na, microscope.n_immersion, microscope.n_sample
    )
    node, weight = np.polynomial.legendre.leggauss(420)
    radius = _RADIUS_UM * (node + 1) / 2
    # A soft edge, because a sharp one would ring in the transfer function.
    edge = 0.5 * (1 + np.cos(math.pi * np.clip((radius / _RADIUS_UM - 0.7) / 0.3, 0, 1)))
    measure = weight * radius * edge
    depth = microscope.focus_depth_um
    focus = optics.best_focus_um(depth)
    bessel = j0(2 * math.pi * np.multiply.outer(frequency, radius))
    rows = []
    for height in SLICES_UM:
        deep = max(depth + height, 0.0)
        intensity = optics.intensity(radius, depth_um=deep, focus_um=focus + deep - depth - height)
        rows.append(bessel @ (measure * intensity) / (measure @ intensity))
    transfer = np.array(rows)
    transfer[:, frequency > 2 * microscope.na / microscope.emission_um] = 0.0
    return transfer
