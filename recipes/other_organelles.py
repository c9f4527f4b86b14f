"""Training from the command line on organelles and microscopes that no shipped model has seen.

    OMP_NUM_THREADS=1 python -m recipes.other_organelles --steps 150

Correlative sets of nuclei and of neurites are simulated: objects of another refractive index in
a slab, seen in bright-field through a weak-phase transfer function with a condenser's
envelope (contrast vanishes in focus and turns over beyond), and in wide-field fluorescence with
its haze. Beside the labelled structures lie others that only the bright-field shows: granules,
cell bodies, debris. Brightness and lamp vary from file to file. Each set is then trained on
with ``virtualstain train`` as a user would call it, and the scores that it prints, of held-out
files and of the trivial baselines, make the table.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tifffile
from numpy.typing import NDArray
from scipy import fft, ndimage

from napari_virtualstain.metrics import BASELINES
from napari_virtualstain.models import read_card

FloatImage = NDArray[np.float64]
WAVELENGTH_UM = 0.55
INDEX = 1.33
SCORES = ("pearson", "bandpass_pearson", "ssim", "nrmse")


@dataclass(frozen=True, slots=True)
class Set:
    """Acquisition of the pairs of one lab.

    Attributes
    ----------
    name : str
        Folder.
    organelle : callable
        Draws a slab: phase and labelled density, each (Z, Y, X).
    files, planes, size : int
        Stacks, planes kept of each, pixels along each side.
    pixel_um, z_um : float
        Micrometres.
    dtype : str
        Of the files.
    two_channels : bool
        One file holds both.
    shift_px : float
        By which the fluorescence is displaced.
    arguments : tuple of str
        For ``virtualstain train``, besides inputs and output.
    """

    name: str
    organelle: Callable[[np.random.Generator, Set], tuple[FloatImage, FloatImage]]
    files: int
    planes: int
    size: int
    pixel_um: float
    z_um: float
    dtype: str = "uint16"
    two_channels: bool = False
    shift_px: float = 0.0
    arguments: tuple[str, ...] = ()


def ellipsoids(
    rng: np.random.Generator, settings: Set, count: int, radius_um: tuple[float, float], flat: float
) -> FloatImage:
    """Return soft ellipsoids in a slab, 0 to 1, (Z, Y, X)."""
    depth, size = _depth(settings), settings.size
    slab = np.zeros((depth, size, size))
    for _ in range(count):
        a, b = rng.uniform(*radius_um, 2) / settings.pixel_um
        c = max(flat * (a + b) / 2 * settings.pixel_um / settings.z_um, 0.7)
        cz, cy, cx = rng.uniform(0.3, 0.7) * depth, *rng.uniform(0, size, 2)
        reach = max(a, b)
        box = tuple(
            slice(max(0, int(middle - half)), max(0, int(middle + half) + 2))
            for middle, half in ((cz, c), (cy, reach), (cx, reach))
        )
        part = slab[box]
        z, y, x = np.ogrid[
            tuple(slice(s.start, s.start + n) for s, n in zip(box, part.shape, strict=True))
        ]
        turn = rng.uniform(0, np.pi)
        u = (y - cy) * np.cos(turn) + (x - cx) * np.sin(turn)
        v = (x - cx) * np.cos(turn) - (y - cy) * np.sin(turn)
        inside = 1 - (u / a) ** 2 - (v / b) ** 2 - ((z - cz) / c) ** 2
        np.maximum(part, np.clip(3 * inside, 0, 1), out=part)
    return slab


def grains(rng: np.random.Generator, settings: Set, radius_um: float) -> FloatImage:
    """Return smooth noise of this grain, mean 0 and standard deviation 1, (Z, Y, X)."""
    sigma = radius_um / np.array([settings.z_um, settings.pixel_um, settings.pixel_um])
    noise = ndimage.gaussian_filter(
        rng.normal(size=(_depth(settings), settings.size, settings.size)), sigma
    )
    return noise / noise.std()


def nuclei(rng: np.random.Generator, settings: Set) -> tuple[FloatImage, FloatImage]:
    """Return phase and DNA: nuclei with nucleoli, in cell bodies with granules."""
    field_um = settings.size * settings.pixel_um
    count = rng.poisson(field_um**2 / 260) + 1
    nucleus = ellipsoids(rng, settings, count, (4, 7), 0.5)
    nucleoli = ellipsoids(rng, settings, 4 * count, (0.6, 1.2), 1.0) * (nucleus > 0.9)
    body = ndimage.gaussian_filter(
        np.maximum(nucleus, ellipsoids(rng, settings, count, (8, 14), 0.25)), (1, 4, 4)
    )
    granules = ellipsoids(rng, settings, 15 * count, (0.2, 0.5), 1.0)
    cytoplasm = body * (1 - nucleus)
    phase = (
        body
        + 0.6 * nucleus
        + 1.0 * nucleoli
        + cytoplasm * (0.5 * grains(rng, settings, 0.4) + granules)
    )
    chromatin = nucleus * (1 + 0.25 * grains(rng, settings, 0.5)) * (1 - 0.7 * nucleoli)
    return phase, np.maximum(chromatin, 0)


def neurites(rng: np.random.Generator, settings: Set) -> tuple[FloatImage, FloatImage]:
    """Return phase and label: thin branching processes of few cells among unlabelled ones."""
    depth, size = _depth(settings), settings.size
    labelled = np.zeros((depth, size, size))
    plain = np.zeros_like(labelled)
    for index in range(max(4, round((size * settings.pixel_um) ** 2 / 150))):
        _grow(rng, labelled if index % 3 else plain, settings, rng.uniform(0, size, 2))
    labelled, plain = (np.minimum(slab, 1) for slab in (labelled, plain))
    debris = ellipsoids(rng, settings, size // 8, (0.3, 0.9), 0.8)
    somata = ellipsoids(rng, settings, 1, (3, 5), 0.6)
    wide = 0.25 / settings.pixel_um
    smooth = (0.3 / settings.z_um, wide, wide)
    phase = (
        4 * ndimage.gaussian_filter(labelled, smooth)
        + 2 * ndimage.gaussian_filter(plain, smooth)
        + 0.8 * debris
        + 0.8 * somata
        + 0.05 * grains(rng, settings, 0.3)
    )
    return phase, 4 * ndimage.gaussian_filter(labelled, smooth) + 0.2 * somata


def _grow(
    rng: np.random.Generator, slab: FloatImage, settings: Set, start: NDArray[np.float64]
) -> None:
    """Draw one branching process into the slab."""
    depth, size, _ = slab.shape
    open_ends = [(depth * rng.uniform(0.4, 0.6), *start, rng.uniform(0, 2 * np.pi))]
    left = round(90 / settings.pixel_um)
    while open_ends and left > 0:
        z, y, x, heading = open_ends.pop()
        for _ in range(round(rng.uniform(15, 45) / settings.pixel_um)):
            left -= 1
            heading += rng.normal(0, 0.25 * settings.pixel_um**0.5)
            z = np.clip(z + rng.normal(0, 0.05), 0, depth - 1)
            y, x = y + np.sin(heading), x + np.cos(heading)
            if not (0 <= y < size and 0 <= x < size):
                break
            slab[int(z), int(y), int(x)] += 1
            # varicosities
            if rng.random() < 0.02 * settings.pixel_um:
                slab[int(z), max(0, int(y) - 1) : int(y) + 2, max(0, int(x) - 1) : int(x) + 2] += 1
        else:
            open_ends += [(z, y, x, heading + sign * rng.uniform(0.3, 0.9)) for sign in (-1, 1)]


def bright_field(phase: FloatImage, settings: Set, rng: np.random.Generator) -> FloatImage:
    """Return the bright-field stack of a slab of weak phase, (planes, Y, X), about 1."""
    square = _frequency_squared(settings)
    objects = fft.rfft2(0.035 * phase * settings.z_um / WAVELENGTH_UM * 2 * np.pi)
    focus = rng.uniform(-0.3, 0.3)
    images = []
    for z in _planes(settings):
        total = np.zeros(objects.shape[1:], complex)
        for k, layer in enumerate(objects):
            defocus = (z - k) * settings.z_um + focus
            # a condenser of aperture 0.3 blurs what is out of focus
            envelope = np.exp(-square * (0.6 * np.pi * 0.3 * defocus) ** 2 - square * 0.15**2 * 20)
            turned = np.sin(np.pi * WAVELENGTH_UM / INDEX * square * defocus)
            total += layer * envelope * (2 * turned - 0.04)
        images.append(1 + fft.irfft2(total, s=phase.shape[1:]))
    shade = ndimage.zoom(rng.normal(0, 0.04, (3, 3)), settings.size / 3, order=3)
    return np.array(images) * (1 + shade)


def fluorescence(density: FloatImage, settings: Set) -> FloatImage:
    """Return the wide-field stack of a slab, (planes, Y, X)."""
    square = _frequency_squared(settings)
    layers = fft.rfft2(density)
    images = []
    for z in _planes(settings):
        sigma_um = [np.hypot(0.13, 0.5 * (z - k) * settings.z_um) for k in range(len(density))]
        total = sum(
            layer * np.exp(-2 * np.pi**2 * s**2 * square)
            for layer, s in zip(layers, sigma_um, strict=True)
        )
        images.append(fft.irfft2(total, s=density.shape[1:]) * settings.z_um)
    return np.array(images)


def _depth(settings: Set) -> int:
    """Return the layers of the slab: the planes of the stack, but at least 6 µm."""
    return max(settings.planes, round(6 / settings.z_um))


def _planes(settings: Set) -> NDArray[np.float64]:
    return np.linspace(0, _depth(settings) - 1, settings.planes + 2)[1:-1]


def _frequency_squared(settings: Set) -> FloatImage:
    y = fft.fftfreq(settings.size, settings.pixel_um)[:, None]
    x = fft.rfftfreq(settings.size, settings.pixel_um)[None]
    return y**2 + x**2


def write(settings: Set, folder: Path, seed: int) -> None:
    """Write the files of a set."""
    for index in range(settings.files):
        rng = np.random.default_rng([seed, index])
        phase, density = settings.organelle(rng, settings)
        lamp, dye = rng.uniform(0.7, 1.3), rng.uniform(0.6, 1.6)
        bright = bright_field(phase, settings, rng)
        glow = fluorescence(density, settings)
        glow = ndimage.shift(glow, (0, settings.shift_px, -settings.shift_px), mode="nearest")
        electrons = rng.poisson(8000 * lamp * np.maximum(bright, 0))
        photons = rng.poisson(np.maximum(12 + 40 * dye * glow, 0))
        stacks = [0.25 * electrons, 100 + 2.0 * photons + rng.normal(0, 3, photons.shape)]
        if settings.dtype == "uint16":
            # a camera of 12 bit
            stacks = [np.clip(stack, 0, 4095).round() for stack in stacks]
        typed = [stack.astype(settings.dtype) for stack in stacks]
        name = f"field_{index + 1:02d}"
        if settings.two_channels:
            _save(folder / "both" / f"{name}.tif", np.stack(typed, 1), "ZCYX", settings)
            continue
        for kind, stack in zip(("bf", "fl"), typed, strict=True):
            axes = "ZYX" if settings.planes > 1 else "YX"
            image = stack if settings.planes > 1 else stack[0]
            _save(folder / kind / f"{name}_{kind}.tif", image, axes, settings)


def _save(path: Path, image: NDArray[np.generic], axes: str, settings: Set) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(
        path,
        image,
        imagej=True,
        resolution=(1 / settings.pixel_um, 1 / settings.pixel_um),
        metadata={"axes": axes, "unit": "um", "spacing": settings.z_um},
    )


SETS = (
    Set("nuclei, z-stacks", nuclei, 6, 12, 192, 0.29, 0.5, "float32"),
    Set("nuclei, single planes", nuclei, 8, 1, 256, 0.2, 0.8, shift_px=1.0),
    Set("neurites, two-channel z-stacks", neurites, 4, 9, 224, 0.16, 0.6, two_channels=True),
    Set("neurites, single planes", neurites, 8, 1, 320, 0.12, 0.8, "float32"),
    Set("nuclei, three two-channel stacks", nuclei, 3, 12, 192, 0.15, 0.4, two_channels=True),
)


def train(settings: Set, folder: Path, arguments: list[str]) -> dict[str, list[float]]:
    """Call ``virtualstain train`` on a set and return the mean scores of each method."""
    inputs = (
        ["--bright-field", str(folder / "both")]
        if settings.two_channels
        else ["--bright-field", str(folder / "bf"), "--fluorescence", str(folder / "fl")]
    )
    command = [
        sys.executable, "-m", "napari_virtualstain.cli", "train", *inputs,
        "-o", str(folder / "model.safetensors"), "--overwrite", *settings.arguments, *arguments,
    ]  # fmt: skip
    subprocess.run(command, check=True, stdout=sys.stderr)
    scores = read_card(folder / "model.safetensors").scores
    return {
        method: [scores[method][name]["mean"] or float("nan") for name in SCORES]
        for method in ("virtual stain", *BASELINES)
    }


def main() -> None:
    """Write the sets, train on each, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="part of a set's name")
    parser.add_argument("--steps", type=int, help="of each training; as many as it plans if empty")
    parser.add_argument("--minutes", type=float, help="of each training")
    parser.add_argument("--seed", type=int, default=0, help="of the simulated sets")
    parser.add_argument("--write-only", type=Path, help="write the sets there and stop")
    given, others = parser.parse_known_args()
    if given.steps:
        others += ["--steps", str(given.steps)]
    if given.minutes:
        others += ["--minutes", str(given.minutes)]
    print("| set | method | Pearson | band-pass Pearson | SSIM | NRMSE |")
    print("|---|---|---|---|---|---|")
    for settings in (s for s in SETS if given.only in s.name):
        with tempfile.TemporaryDirectory() as scratch:
            folder = (given.write_only or Path(scratch)) / re.sub(r"\W+", "-", settings.name)
            write(settings, folder, given.seed)
            if given.write_only:
                continue
            table = train(settings, folder, others)
        for method, row in table.items():
            scores = " | ".join(f"{value:.3f}" for value in row)
            print(f"| {settings.name} | {method} | {scores} |", flush=True)


if __name__ == "__main__":
    main()
