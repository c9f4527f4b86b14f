"""Speed and borders of Richardson-Lucy against scikit-image, in one run on one thread.

    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python -m benchmarks.richardson_lucy

Both get the same float32 images, kernel and number of iterations. Each time is the smallest
of several, the two alternating, so that other load on the machine meets both. The rim is
the outermost ring of pixels of an evenly lit image with shot noise: 1 is right.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable

# Before numpy is loaded: neither side gets more than one thread.
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import numpy as np  # noqa: E402
from skimage.restoration import richardson_lucy as skimage_richardson_lucy  # noqa: E402

from napari_virtualstain.optics import gibson_lanni_psf, richardson_lucy  # noqa: E402

CASES = {
    "1024x1024": (1, 1024, 1024),
    "16 x 256x256": (16, 256, 256),
    "64 x 256x256": (64, 256, 256),
}


def ours(images: np.ndarray, psf: np.ndarray, iterations: int) -> np.ndarray:
    """Return the batch restored by this package."""
    return richardson_lucy(images, psf, iterations=iterations)


def theirs(images: np.ndarray, psf: np.ndarray, iterations: int) -> np.ndarray:
    """Return the batch restored by scikit-image, which takes one image at a time."""
    return np.stack(
        [skimage_richardson_lucy(one, psf, num_iter=iterations, clip=False) for one in images]
    )


def seconds(function: Callable[[], object]) -> tuple[float, float]:
    """Return wall and processor seconds of one call."""
    wall, cpu = time.perf_counter(), time.process_time()
    function()
    return time.perf_counter() - wall, time.process_time() - cpu


def rim(restored: np.ndarray) -> float:
    """Return the mean of the outermost ring relative to the inside, over a batch."""
    inside = restored[:, 8:-8, 8:-8].mean()
    ring = np.ones(restored.shape[1:], bool)
    ring[1:-1, 1:-1] = False
    return float(restored[:, ring].mean() / inside)


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--iterations", type=int, default=10)
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args()
    psf = gibson_lanni_psf().astype(np.float32)
    rng = np.random.default_rng(0)
    print(f"{given.iterations} iterations, 5x5 kernel, float32, best of {given.repeats}")
    print(
        "| images | ours, ms | skimage, ms | times faster (wall) | (processor) "
        "| rim: ours | rim: skimage |"
    )
    print("|---|---|---|---|---|---|---|")
    for title, shape in CASES.items():
        images = rng.poisson(100, shape).astype(np.float32)
        times = np.array(
            [
                [seconds(lambda f=f, i=images: f(i, psf, given.iterations)) for f in (ours, theirs)]
                for _ in range(given.repeats)
            ]
        ).min(axis=0)
        rims = [rim(f(images[:4], psf, given.iterations)) for f in (ours, theirs)]
        (wall, cpu), (other_wall, other_cpu) = times
        print(
            f"| {title} | {wall * 1e3:.0f} | {other_wall * 1e3:.0f} | {other_wall / wall:.1f} "
            f"| {other_cpu / cpu:.1f} | {rims[0]:.3f} | {rims[1]:.3f} |"
        )


if __name__ == "__main__":
    main()
