"""Images that `mito-segment` learns from, none of them labelled by hand.

`physeg_sim` (the first 680 of 800 pairs; foreground only, since its masks do not part what
touches), the varied scenes of `segmentation_scenes.py`, this package's simulator, the virtual
stain of its bright-field, and that of real cells by generators that have not seen them, with
what a model outlines in the real fluorescence as labels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage import io

import napari_virtualstain as vs
from recipes.segmentation_scenes import draw_scene

CROP, FIRST_HELD_OUT = 128, 680
# of physeg, scenes, simulated and virtual
SHARES = np.array([0.3, 0.14, 0.38, 0.18])
Image = NDArray[np.float32]
Labels = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Sample:
    """A normalised crop, its labels, whether they part what touches, and if it is a stain."""

    image: Image
    labels: Labels
    parted: bool
    virtual: bool


@dataclass(frozen=True, slots=True)
class Sources:
    """Stacks (N, Y, X) of images and labels; a source may be empty.

    ``scenes`` are photon densities, ``simulated`` are densities and recordings of them.
    """

    physeg: tuple[Image, Labels]
    scenes: tuple[Image, Labels]
    simulated: tuple[Image, Image, Labels]
    virtual: tuple[Image, Labels]


def kept(path: Path, make: Callable[[], Iterator[tuple[NDArray, ...]]]) -> tuple[NDArray, ...]:
    """Return the stacks that `make` yields the planes of, from the file if it was made before."""
    if not path.exists():
        stacks = [np.stack(planes) for planes in zip(*make(), strict=True)]
        part = path.with_name(f"part-{path.name}")
        np.savez_compressed(part, *stacks)
        part.replace(path)
    with np.load(path) as file:
        return tuple(file[name] for name in file.files)


def read_sources(
    data: Path,
    folder: Path,
    count: int,
    stained: int,
    real: Sequence[str] = (),
    model: Path | None = None,
) -> Sources:
    """Return all training images; what is simulated is kept in `folder`.

    `count` simulated fields, the stain of `stained` of them and of further ones, and three
    times `count` varied scenes. `real` cells are ``CELL=GENERATOR``, the generator by name or
    file, and outlined by `model`.
    """
    virtual = kept(folder / f"virtual-{stained}.npz", lambda: stained_fields(stained))
    if real:
        recorded = read_real(data, folder, real, model)
        # as many draws of the real cells as of the simulated ones
        times = max(1, round(len(virtual[0]) / len(recorded[0])))
        virtual = tuple(
            np.concatenate([one, *[other] * times])
            for one, other in zip(virtual, recorded, strict=True)
        )
    return Sources(
        tuple(np.stack(planes) for planes in zip(*physeg_pairs(data), strict=True)),
        kept(folder / f"scenes-{3 * count}.npz", lambda: varied_scenes(3 * count)),
        kept(folder / f"simulated-{count}.npz", lambda: simulated_fields(count)),
        virtual,
    )


def read_real(
    data: Path, folder: Path, cells: Sequence[str], model: Path | None
) -> tuple[Image, Labels]:
    """Return the stains of real cells with their outlines; kept in `folder`."""
    return kept(folder / "real.npz", lambda: stained_cells(data, cells, model))


def physeg_pairs(data: Path) -> Iterator[tuple[Image, Labels]]:
    """Yield the pairs that are not held out."""
    for path in sorted((data / "physeg_sim/image").glob("*.png"))[:FIRST_HELD_OUT]:
        mask = io.imread(data / "physeg_sim/mask" / path.name) > 0
        yield io.imread(path).astype(np.float32), mask.astype(np.int32)


def varied_scenes(count: int) -> Iterator[tuple[NDArray[np.float16], NDArray[np.int16]]]:
    """Yield photon densities; each eleventh scene has swollen mitochondria."""
    for number in range(count):
        image, labels, _ = draw_scene(np.random.default_rng([1, number]))
        yield image.astype(np.float16), labels
        if number % 10 == 0:
            image, labels, _ = draw_scene(np.random.default_rng([3, number]), swollen=True)
            yield image.astype(np.float16), labels


def field(number: int) -> vs.Scene:
    """Return one of the simulator's training fields, of 10 to 100 mitochondria."""
    count = int(np.exp(np.random.default_rng([2, number]).uniform(np.log(10), np.log(100))))
    return vs.simulate(frames=1, size=256, count=count, seed=100_000 + number)


def simulated_fields(count: int) -> Iterator[tuple[Image, Image, Labels]]:
    """Yield photon density, fluorescence and labels."""
    for number in range(count):
        scene = field(number)
        clean, noisy = scene.expected_fluorescence[0], scene.fluorescence[0]
        yield clean.astype(np.float32), noisy.astype(np.float32), scene.labels[0]


def stained_fields(count: int) -> Iterator[tuple[Image, Labels]]:
    """Yield the virtual stain of simulated bright-field with the true labels."""
    for number in range(count):
        scene = field(number)
        stain = vs.stain(scene.bright_field[0], "mito-simulated", pixel_size_um=0.08)
        yield np.asarray(stain, np.float32), scene.labels[0]


def stained_cells(
    data: Path, cells: Sequence[str], model: Path | None
) -> Iterator[tuple[Image, Labels]]:
    """Yield the virtual stain of real cells with outlines of their real fluorescence."""
    for cell, _, generator in (each.partition("=") for each in cells):
        for path in sorted((data / "h9c2_pairs/fluorescence").glob(f"*{cell}*")):
            light = io.imread(data / "h9c2_pairs/bright_field" / path.name)
            stain = vs.stain(light, generator, pixel_size_um=0.08)
            labels = vs.segment(io.imread(path), model, pixel_size_um=0.08)
            yield np.asarray(stain, np.float32), labels


def record(clean: Image, rng: np.random.Generator) -> Image:
    """Return what some camera makes of a photon density with its bright end at one."""
    side = len(clean)
    image = clean ** rng.uniform(0.7, 1.4) if rng.random() < 0.5 else clean
    image = image + np.exp(rng.uniform(np.log(0.005), np.log(0.6)))
    if rng.random() < 0.5:
        glow = smooth_field(side, int(rng.integers(20, 90)), rng)
        image = image + glow * np.exp(rng.uniform(np.log(0.02), np.log(0.8)))
    if rng.random() < 0.35:
        image = ndimage.gaussian_filter(image, rng.uniform(0.4, 1.2))
    photons = np.exp(rng.uniform(np.log(12), np.log(3000)))
    counts = rng.poisson(np.maximum(image, 0) * photons) + rng.normal(
        0, 1, image.shape
    ) * rng.uniform(0, 4)
    if rng.random() < 0.15:
        counts = counts + rng.normal(0, rng.uniform(0, 4), (side, 1))
    if rng.random() < 0.3:  # the smoother look of virtual fluorescence
        counts = ndimage.gaussian_filter(counts, rng.uniform(0.5, 1.8))
    if rng.random() < 0.2:
        counts = np.round(
            (counts - counts.min()) / max(np.ptp(counts), 1e-6) * rng.uniform(20, 255)
        )
    return counts.astype(np.float32)


def smooth_field(side: int, scale: int, rng: np.random.Generator) -> Image:
    """Return slow variations in [0, 1]."""
    coarse = rng.normal(size=(max(2, side // scale + 2),) * 2)
    field = ndimage.zoom(coarse, side / (len(coarse) - 1), order=1)[:side, :side]
    return ((field - field.min()) / np.ptp(field)).astype(np.float32)


def draw_sample(sources: Sources, rng: np.random.Generator, virtual_share: float) -> Sample:
    """Return a crop of a random image, recorded by a random camera where it is a density."""
    every = (sources.physeg, sources.scenes, sources.simulated, sources.virtual)
    shares = np.r_[SHARES[:3] / SHARES[:3].sum() * (1 - virtual_share), virtual_share]
    shares = shares * [len(stacks[-1]) > 0 for stacks in every]
    kind = int(rng.choice(len(every), p=shares / shares.sum()))
    stacks = every[kind]
    index = int(rng.integers(len(stacks[-1])))
    *images, labels = (stack[index] for stack in stacks)
    images = [image.astype(np.float32) for image in images]
    image, labels = DRAW[kind](images, labels, rng)
    low, high = np.percentile(image, [10, 99.8])
    scale = max(high - low, 1e-6) * (np.exp(rng.normal(0, 0.25)) if rng.random() < 0.5 else 1)
    y, x = rng.integers(0, 257 - CROP, 2)
    crop = np.s_[y : y + CROP, x : x + CROP]
    normal = np.arcsinh(5 * (image[crop] - low) / scale) / np.arcsinh(5)
    return Sample(*turned(normal, labels[crop], rng), parted=kind > 0, virtual=kind == 3)


def noisier(images: list[Image], labels: Labels, rng: np.random.Generator) -> tuple[Image, Labels]:
    """Return an image of `physeg_sim`, a third of them with more noise."""
    noise = rng.normal(0, rng.uniform(0, 6), labels.shape) if rng.random() < 0.35 else 0
    return images[0] + noise, labels


def recorded_scene(
    images: list[Image], labels: Labels, rng: np.random.Generator
) -> tuple[Image, Labels]:
    """Return a scene as a camera sees it; one of eight is empty."""
    if rng.random() < 0.12:
        return record(np.zeros_like(images[0]), rng), np.zeros_like(labels)
    return record(images[0], rng), labels


def recorded_field(
    images: list[Image], labels: Labels, rng: np.random.Generator
) -> tuple[Image, Labels]:
    """Return a simulated field, half of them with another camera than the simulator's."""
    clean, image = images
    if rng.random() < 0.5:
        return image, labels
    clean = np.maximum(clean - 5, 0)
    return record(clean / max(float(np.percentile(clean, 99.9)), 1e-6), rng), labels


def rougher(images: list[Image], labels: Labels, rng: np.random.Generator) -> tuple[Image, Labels]:
    """Return a stain, a quarter of them with a little noise."""
    image = images[0]
    if rng.random() < 0.25:
        image = image + rng.normal(0, rng.uniform(0, 0.05) * np.ptp(image), image.shape)
    return image, labels


DRAW = (noisier, recorded_scene, recorded_field, rougher)


def turned(image: Image, labels: Labels, rng: np.random.Generator) -> tuple[Image, Labels]:
    """Return both in one of the eight orientations."""
    turns, flipped = int(rng.integers(4)), rng.random() < 0.5
    pair = [
        np.rot90(part, turns)[:, ::-1] if flipped else np.rot90(part, turns)
        for part in (image, labels)
    ]
    return np.ascontiguousarray(pair[0], np.float32), np.ascontiguousarray(pair[1], np.int32)
