"""Hold simulated pairs against real ones: pictures, power spectra, histograms, numbers.

    python -m recipes.compare_simulation --data FOLDER -o simulation.png

FOLDER has ``h9c2_pairs/bright_field`` and ``h9c2_pairs/fluorescence``, the public sample of
the paper's authors as 256x256 PNG files. Without --data, the environment variable
VIRTUALSTAIN_DATA. Prints a table; the picture shows four pairs of each kind.

    OMP_NUM_THREADS=1 python -m recipes.compare_simulation --speed

needs no data and prints the seconds for a simulated pair.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path

import matplotlib
import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.stats import kurtosis, skew
from skimage.filters import threshold_otsu
from skimage.io import imread

from napari_virtualstain.simulation import simulate, simulate_frames

matplotlib.use("Agg")
from matplotlib import pyplot as plt

PIXEL_UM = 0.08
SHOWN = 4


def real_pairs(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return bright-field and fluorescence, (N, 256, 256) each."""
    names = sorted(path.name for path in (folder / "fluorescence").glob("*.png"))
    return tuple(
        np.stack([imread(folder / kind / name) for name in names]).astype(float)
        for kind in ("bright_field", "fluorescence")
    )


def simulated_pairs(number: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return as many pairs with random settings."""
    frames = list(simulate_frames(number, seed=seed))
    return (
        np.stack([frame.bright_field for frame in frames]).astype(float),
        np.stack([frame.fluorescence for frame in frames]).astype(float),
    )


def spectra(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return frequencies and the radial power of each image of unit variance."""
    n = images.shape[-1]
    window = np.hanning(n)[:, None] * np.hanning(n)
    flat = images - images.mean(axis=(1, 2), keepdims=True)
    flat /= flat.std(axis=(1, 2), keepdims=True)
    power = np.abs(np.fft.fft2(flat * window)) ** 2 / (window**2).sum()
    frequency = np.hypot(*np.meshgrid(*[np.fft.fftfreq(n, PIXEL_UM)] * 2))
    edges = np.linspace(0, 0.5 / PIXEL_UM, 65)
    ring = np.digitize(frequency.ravel(), edges) - 1
    inside = ring < 64
    count = np.bincount(ring[inside], minlength=64)
    rows = [np.bincount(ring[inside], one.ravel()[inside], minlength=64) / count for one in power]
    return 0.5 * (edges[1:] + edges[:-1]), np.array(rows)


def noise_share(image: np.ndarray) -> float:
    """Return the part of the variance that is white: the level of the highest frequencies."""
    frequency, power = spectra(image[None])
    return float(power[0, frequency > 5.5].mean())


def otsu_share(image: np.ndarray) -> float:
    """Return the part of the pixels above Otsu's threshold."""
    return float((image > threshold_otsu(image)).mean())


def fine_share(image: np.ndarray) -> float:
    """Return the part of the standard deviation left by a band-pass from 1 to 8 pixels."""
    band = gaussian_filter(image, 1) - gaussian_filter(image, 8)
    return float(band.std() / image.std())


def patchiness(image: np.ndarray) -> float:
    """Return how much busier the busiest tenth of the image is than the median place."""
    band = gaussian_filter(image, 1) - gaussian_filter(image, 6)
    local = np.sqrt(gaussian_filter(band**2, 12))
    return float(np.percentile(local, 90) / np.median(local))


def dark_level(image: np.ndarray) -> float:
    """Return the median on the scale from the 1st to the 99.5th percentile."""
    low, middle, high = np.percentile(image, [1, 50, 99.5])
    return float((middle - low) / (high - low))


FIGURES: dict[str, list[tuple[str, Callable[[np.ndarray], float]]]] = {
    "fluorescence": [
        ("Otsu foreground", otsu_share),
        ("median on 1-99.5 % scale", dark_level),
        ("skewness", lambda image: float(skew(image.ravel()))),
        ("white noise / variance", noise_share),
        ("band-pass sd / sd", fine_share),
        ("patchiness", patchiness),
    ],
    "bright-field": [
        ("skewness", lambda image: float(skew(image.ravel()))),
        ("excess kurtosis", lambda image: float(kurtosis(image.ravel()))),
        ("white noise / variance", noise_share),
        ("band-pass sd / sd", fine_share),
        ("patchiness", patchiness),
    ],
}


def table(real: dict[str, np.ndarray], simulated: dict[str, np.ndarray]) -> str:
    """Return quartiles of each figure for both, as Markdown."""
    lines = [
        "| image | figure | real: 25, 50, 75 % | simulated: 25, 50, 75 % |",
        "|---|---|---|---|",
    ]
    for kind, figures in FIGURES.items():
        for name, measure in figures:
            cells = []
            for images in (real[kind], simulated[kind]):
                values = [measure(image) for image in images]
                cells.append(", ".join(f"{q:.3g}" for q in np.percentile(values, [25, 50, 75])))
            lines.append(f"| {kind} | {name} | {cells[0]} | {cells[1]} |")
    return "\n".join(lines)


def draw(real: dict[str, np.ndarray], simulated: dict[str, np.ndarray], path: Path) -> None:
    """Write the picture."""
    figure = plt.figure(figsize=(16, 15), layout="constrained")
    grid = figure.add_gridspec(5, SHOWN * 2, height_ratios=[1, 1, 1, 1, 1.1])
    for block, (name, images) in enumerate((("real", real), ("simulated", simulated))):
        step = len(images["fluorescence"]) // (2 * SHOWN)
        for column in range(2 * SHOWN):
            for row, (kind, low, high) in enumerate(
                (("fluorescence", 0.5, 99.8), ("bright-field", 0.3, 99.7))
            ):
                axes = figure.add_subplot(grid[2 * block + row, column])
                image = images[kind][column * step]
                axes.imshow(
                    image,
                    cmap="gray",
                    vmin=np.percentile(image, low),
                    vmax=np.percentile(image, high),
                )
                axes.set_axis_off()
                if column == 0:
                    axes.set_title(f"{name}, {kind}", loc="left")
    for index, kind in enumerate(FIGURES):
        spectrum = figure.add_subplot(grid[4, 4 * index : 4 * index + 2])
        histogram = figure.add_subplot(grid[4, 4 * index + 2 : 4 * index + 4])
        for name, images in (("real", real), ("simulated", simulated)):
            frequency, power = spectra(images[kind])
            low, middle, high = np.percentile(power, [16, 50, 84], axis=0)
            spectrum.semilogy(frequency, middle, label=name)
            spectrum.fill_between(frequency, low, high, alpha=0.2)
            flat = images[kind]
            flat = (flat - np.median(flat, axis=(1, 2), keepdims=True)) / flat.std(
                axis=(1, 2), keepdims=True
            )
            histogram.hist(
                flat.ravel(),
                bins=np.linspace(-4, 7, 111),
                density=True,
                histtype="step",
                label=name,
                log=True,
            )
        spectrum.set(title=f"{kind}: power", xlabel="cycles / µm")
        histogram.set(title=f"{kind}: histogram", xlabel="(value - median) / sd")
        spectrum.legend()
    figure.savefig(path, dpi=70)


def seconds(function: Callable[[], object]) -> tuple[float, float]:
    """Return wall and processor seconds of one call."""
    wall, cpu = time.perf_counter(), time.process_time()
    function()
    return time.perf_counter() - wall, time.process_time() - cpu


def print_speed() -> None:
    """Print the seconds for a simulated pair, with the tables of the optics in the cache."""
    cases: dict[str, tuple[int, Callable[[], object]]] = {
        "movie 256x256, 25 mitochondria": (8, lambda: simulate(frames=8, count=25, seed=1)),
        "movie 256x256, 60 mitochondria": (8, lambda: simulate(frames=8, count=60, seed=1)),
        "movie 1024x1024, 400 mitochondria, 2 frames with set-up": (
            2,
            lambda: simulate(frames=2, size=1024, count=400, seed=1),
        ),
        "independent stills 256x256": (16, lambda: list(simulate_frames(16, seed=1))),
    }
    first = seconds(lambda: simulate(frames=1, size=64, count=1))[1]
    print(f"first pair of a size and an optics, with its tables: {first:.2f} s of processor")
    print("| what | wall, s a pair | processor, s a pair |")
    print("|---|---|---|")
    for name, (pairs, function) in cases.items():
        function()
        wall, cpu = seconds(function)
        print(f"| {name} | {wall / pairs:.2f} | {cpu / pairs:.2f} |")


def main() -> None:
    """Compare and write, or print the speed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=os.environ.get("VIRTUALSTAIN_DATA"))
    parser.add_argument("-o", "--output", type=Path, default=Path("simulation.png"))
    parser.add_argument("--number", type=int, default=64)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--speed", action="store_true", help="print seconds for a pair instead")
    given = parser.parse_args()
    if given.speed:
        print_speed()
        return
    if given.data is None:
        parser.error("give --data FOLDER, the folder that holds h9c2_pairs")
    kinds = ("bright-field", "fluorescence")
    real = dict(zip(kinds, real_pairs(given.data / "h9c2_pairs"), strict=True))
    simulated = dict(zip(kinds, simulated_pairs(given.number, given.seed), strict=True))
    print(table(real, simulated))
    draw(real, simulated, given.output)
    print(f"picture: {given.output}")


if __name__ == "__main__":
    main()
