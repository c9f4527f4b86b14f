"""Seconds for one 1024 x 1024 frame: ours, Mitometer's published steps, and Nellie.

    python -m benchmarks.segmentation_speed [--size 1024] [--repeat 2] [--threads 2] [--clock cpu]
    NELLIE_PYTHON=/path/to/venv/bin/python python -m benchmarks.segmentation_speed

Mitometer (Lefebvre et al., Nature Methods 2021) is MATLAB; its steps are re-implemented
here from the paper and source: background as the least of the image and its median
filters over disks, a grid search of Gaussian width and threshold over the first frames,
components. Nellie needs its own environment (`pip install nellie`); without
`NELLIE_PYTHON` it is left out.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tifffile
import torch
from numpy.typing import NDArray
from scipy import ndimage
from skimage.filters import threshold_otsu
from skimage.morphology import disk

import napari_virtualstain as vs
from napari_virtualstain.segmentation import SegmentationMaps, Segmenter, fit_movie, measure

Image = NDArray[np.floating]
PIXEL_SIZE_UM = 0.08
CLOCKS = {"wall": "perf_counter", "cpu": "process_time"}

NELLIE = """
import sys, time
from nellie.im_info.verifier import FileInfo, ImInfo
from nellie.segmentation.filtering import Filter
from nellie.segmentation.labelling import Label
from nellie.segmentation.mocap_marking import Markers
from nellie.segmentation.networking import Network
from nellie.feature_extraction.hierarchical import Hierarchy
file = FileInfo(sys.argv[1], output_dir=sys.argv[2])
file.find_metadata(); file.load_metadata()
file.change_axes('YX')
for axis, size in (('X', 0.08), ('Y', 0.08)): file.change_dim_res(axis, size)
info = ImInfo(file)
clock = getattr(time, sys.argv[3])
start = clock()
Filter(info).run(); Label(info).run()
labelled = clock()
Network(info).run(); Markers(info).run(); Hierarchy(info, skip_nodes=True).run()
print('SECONDS', labelled - start, clock() - labelled)
"""


def mitometer_background(image: Image, radii: range) -> Image:
    """Return the image less the least of itself and its medians over disks."""
    least = image
    for radius in radii:
        least = np.minimum(least, ndimage.median_filter(image, footprint=disk(radius)))
    return image - least


def mitometer(image: Image) -> NDArray[np.int32]:
    """Background, search of width and threshold, components (2-D steps)."""
    shortest, longest = round(0.2 / PIXEL_SIZE_UM), round(1.0 / PIXEL_SIZE_UM)
    flat = mitometer_background(image, range(shortest, longest + 1))
    widths = np.arange(0.33, 0.51, 0.01)
    levels = _mitometer_levels(flat)
    numbers, spreads = np.zeros((len(widths), len(levels))), np.zeros((len(widths), len(levels)))
    for i, width in enumerate(widths):
        smooth = ndimage.gaussian_filter(flat, width, truncate=1 / width)
        for j, level in enumerate(levels):
            labels, numbers[i, j] = ndimage.label(smooth > level, np.ones((3, 3)))
            spreads[i, j] = np.median(np.bincount(labels.ravel())[1:]) if numbers[i, j] else 0
    cost = _standardised(spreads) - 0.5 * _standardised(numbers)
    i, j = np.unravel_index(np.argmin(ndimage.median_filter(cost, 3)), cost.shape)
    smooth = ndimage.gaussian_filter(flat, widths[i], truncate=1 / widths[i])
    return ndimage.label(smooth > levels[j], np.ones((3, 3)))[0]


def _mitometer_levels(flat: Image) -> NDArray[np.floating]:
    positive = flat[flat > 0]
    return np.append(np.percentile(positive, np.arange(2, 81, 6)), threshold_otsu(flat))


def _standardised(values: NDArray[np.floating]) -> NDArray[np.floating]:
    return (values - values.mean()) / max(float(values.std()), 1e-9)


def seconds(run: Callable[[], object], repeat: int, clock: Callable[[], float]) -> float:
    """Return the shortest of several runs, seconds."""
    times = []
    for _ in range(repeat):
        start = clock()
        run()
        times.append(clock() - start)
    return min(times)


def nellie(image: Image, clock: str) -> tuple[float | None, float | None]:
    """Return the seconds of Nellie's outlines and of its measures, or None."""
    python = os.environ.get("NELLIE_PYTHON")
    if not python:
        return None, None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "frame.ome.tif")
        tifffile.imwrite(path, image.astype(np.uint16), metadata={"axes": "YX"})
        command = [python, "-c", NELLIE, str(path), folder, clock]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
    for line in result.stdout.splitlines():
        if line.startswith("SECONDS"):
            outlines, measures = map(float, line.split()[1:])
            return outlines, measures
    print("Nellie did not run:", result.stderr.strip().splitlines()[-1:])
    return None, None


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--repeat", type=int, default=2)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument(
        "--clock", choices=CLOCKS, default="wall", help="cpu on a busy machine, with one thread"
    )
    arguments = parser.parse_args()
    name = CLOCKS[arguments.clock]
    clock = getattr(time, name)
    torch.set_num_threads(arguments.threads)
    count = round(60 * (arguments.size / 256) ** 2)
    scene = vs.simulate(frames=1, size=arguments.size, count=count, seed=1)
    image = scene.fluorescence[0].astype(float)
    segmenter = Segmenter("mito-segment", pixel_size_um=PIXEL_SIZE_UM)
    exact = Segmenter("mito-segment", pixel_size_um=PIXEL_SIZE_UM, precision="float32")
    fitted = fit_movie(image, segmenter)
    maps = segmenter.maps(image, fitted)
    exact.maps(image[:128, :128], fitted)
    labels = maps.labels()
    precision = segmenter.network.precision
    kept: list[SegmentationMaps] = []
    rows: dict[str, float | None] = {
        f"mito-segment, network, {precision}": seconds(
            lambda: segmenter.maps(image, fitted), arguments.repeat, clock
        ),
        "mito-segment, network, float32": seconds(
            lambda: kept.append(exact.maps(image, fitted)), 1, clock
        ),
        "mito-segment, instances from kept maps": seconds(maps.labels, arguments.repeat, clock),
        "measures of all instances": seconds(
            lambda: measure(labels, image, pixel_size_um=PIXEL_SIZE_UM), 1, clock
        ),
        "Mitometer's steps": seconds(lambda: mitometer(image), 1, clock),
    }
    rows["Nellie, filter and label"], rows["Nellie, skeletons and measures"] = nellie(image, name)
    print(f"{arguments.size} x {arguments.size}, {count} mitochondria, {arguments.threads} threads")
    same, other = labels > 0, kept[0].labels() > 0
    agreement = (same & other).sum() / (same | other).sum()
    print(f"IoU of the masks in {precision} and float32: {agreement:.4f}")
    for row, value in rows.items():
        print(f"{row:42s}{'not run' if value is None else f'{value:8.2f} s'}")


if __name__ == "__main__":
    main()
