"""Rendering of emitters and scatterers as the two images of a camera."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft
from scipy.ndimage import gaussian_filter

from .landscape import Landscape
from .scene_config import SceneConfig
from .surroundings import Surroundings
from .transfer_functions import Tables
from .tubule import Tubule

FloatArray = NDArray[np.float64]
Image = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Backdrop:
    """Parts of a scene that do not change during a movie.

    Attributes
    ----------
    illumination : ndarray of shape (Y, X), float32
        Bright-field light, mean 1.
    haze : ndarray of shape (Y, X), float32
        Diffuse fluorescence, photo-electrons per pixel in the first frame.
    """

    illumination: Image
    haze: Image


def draw_backdrop(
    field: tuple[int, int],
    pixel_size_um: float,
    landscape: Landscape,
    config: SceneConfig,
    rng: np.random.Generator,
) -> Backdrop:
    """Return random slow variations of both backgrounds."""
    y, x = np.meshgrid(*(np.linspace(-1, 1, extent) for extent in field), indexing="ij")
    ramp = rng.normal(0, 1, 5) @ np.stack([y, x, y * x, y**2 - 1 / 3, x**2 - 1 / 3]).reshape(5, -1)
    ramp = ramp.reshape(field)
    y_um, x_um = (np.arange(extent) * pixel_size_um for extent in field)
    crowd = landscape.crowd(y_um[:, None], x_um[None, :])
    blurred = gaussian_filter(crowd, 1.2 / pixel_size_um, mode="nearest")
    # The thick part of a cell takes a little of the light out of the aperture.
    illumination = 1 + config.cell.illumination_sd * (0.5 * ramp - blurred)
    return Backdrop(
        illumination.astype(np.float32), (config.cell.haze * blurred).astype(np.float32)
    )


def fluorescence(
    tubules: Sequence[Tubule],
    nodes: Sequence[FloatArray],
    backdrop: Backdrop,
    tables: Tables,
    pixel_size_um: float,
    config: SceneConfig,
    time_s: float,
) -> Image:
    """Return the expected photo-electrons per pixel, without noise, shape (Y, X)."""
    places = [t.positions(t.surface, n) for t, n in zip(tubules, nodes, strict=True)]
    weights = [t.surface.weight for t in tubules]
    light = _filtered(places, weights, tables.fluorescence, tables, pixel_size_um)
    field = _cropped(light, backdrop.haze.shape, tables.margin)
    fade = math.exp(-time_s / config.mitochondria.bleaching_s)
    expected = fade * (np.maximum(field, 0) + backdrop.haze) + config.camera.background
    return np.asarray(expected, dtype=np.float32)


def bright_field(
    tubules: Sequence[Tubule],
    nodes: Sequence[FloatArray],
    surroundings: Surroundings,
    backdrop: Backdrop,
    tables: Tables,
    pixel_size_um: float,
    config: SceneConfig,
) -> Image:
    """Return the expected photo-electrons per pixel, without noise, shape (Y, X)."""
    other, strength = surroundings.scatterers()
    places = [t.positions(t.volume, n) for t, n in zip(tubules, nodes, strict=True)]
    index = config.mitochondria.delta_index
    weights = [t.volume.weight * index for t in tubules]
    wave_number = 2 * math.pi / config.microscope.illumination_um
    phase = _filtered([*places, other], [*weights, strength], tables.phase, tables, pixel_size_um)
    phase *= wave_number / pixel_size_um**2
    contrast = _cropped(phase, backdrop.illumination.shape, tables.margin)
    # |1 + u|^2 with the linear term of the weak object: never negative, and what
    # refracts strongly shines, as droplets do.
    relative = np.square(1 + 0.5 * contrast)
    expected = config.camera.bright_field_electrons * backdrop.illumination * relative
    return np.asarray(expected, dtype=np.float32)


def photograph(
    electrons: Image, config: SceneConfig, rng: np.random.Generator
) -> NDArray[np.uint16]:
    """Return camera counts: shot noise, read noise, gain and offset."""
    camera = config.camera
    detected = rng.poisson(electrons) + rng.normal(0, camera.read_noise, electrons.shape)
    counts = np.rint(detected * camera.gain + camera.offset)
    return np.clip(counts, 0, 65535).astype(np.uint16)


def _filtered(
    places: Sequence[FloatArray],
    weights: Sequence[FloatArray],
    transfer: NDArray[np.float32],
    tables: Tables,
    pixel_size_um: float,
) -> Image:
    """Return the sum over slices of the points in each, filtered by its transfer."""
    # The empty start makes an empty field no special case.
    everywhere = np.concatenate([np.empty((0, 3)), *places])
    strength = np.concatenate([np.empty(0), *weights])
    volume, used = _splat(everywhere, strength, tables, pixel_size_um)
    spectrum = np.zeros(transfer.shape[1:], dtype=np.complex64)
    for slice_index in used:
        spectrum += fft.rfft2(volume[slice_index]) * transfer[slice_index]
    return np.asarray(fft.irfft2(spectrum, s=tables.padded), dtype=np.float32)


def _splat(
    places: FloatArray, weights: FloatArray, tables: Tables, pixel_size_um: float
) -> tuple[Image, NDArray[np.intp]]:
    """Return points spread trilinearly over (Z, Y, X) voxels, and the slices with any."""
    height, width = tables.padded
    y = places[:, 1] / pixel_size_um + tables.margin
    x = places[:, 2] / pixel_size_um + tables.margin
    inside = (y >= 0) & (y < height - 1) & (x >= 0) & (x < width - 1)
    y, x, weights = y[inside], x[inside], weights[inside]
    slices = tables.slices_um
    z = np.interp(places[inside, 0], slices, np.arange(len(slices)))
    low_z = np.minimum(z.astype(np.intp), len(slices) - 2)
    low_y, low_x = y.astype(np.intp), x.astype(np.intp)
    corner = (low_z * height + low_y) * width + low_x
    part_z, part_y, part_x = z - low_z, y - low_y, x - low_x
    total = np.zeros(len(slices) * height * width, dtype=np.float32)
    for step_z, share_z in ((0, 1 - part_z), (height * width, part_z)):
        for step_y, share_y in ((0, 1 - part_y), (width, part_y)):
            both = weights * share_z * share_y
            for step_x, share_x in ((0, 1 - part_x), (1, part_x)):
                index = corner + (step_z + step_y + step_x)
                np.add.at(total, index, (both * share_x).astype(np.float32))
    used = np.union1d(low_z, low_z + 1)
    return total.reshape(len(slices), height, width), used


def _cropped(image: Image, shape: tuple[int, ...], margin: int) -> Image:
    return image[margin : margin + shape[0], margin : margin + shape[1]]
