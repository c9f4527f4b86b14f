"""Time until the visible frame is stained, as the dock does it.

    python -m benchmarks.staining_first_frame --size 1024 --threads 1 2

Timed is the work behind the button *Stain* without the drawing: loading torch and the
model, fitting the normalisation, choosing the arithmetic, staining the visible frame;
and then the next frame, as while scrubbing with the live preview. Each line is a process
of its own. The dock leaves one core to the viewer, so that two cores are one thread.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from itertools import product

import numpy as np


def first_frame(model: str, size: int, precision: str, device: str) -> None:
    """Print the times of the first and of the second frame."""
    frames = np.random.default_rng(0).normal(1000, 50, (4, size, size)).astype(np.uint16)
    start = time.perf_counter()
    import torch

    imported = time.perf_counter()
    from napari_virtualstain.engine.planes import Planes
    from napari_virtualstain.models import load_model
    from napari_virtualstain.settings import StainSettings
    from napari_virtualstain.staining import Stainer

    settings = StainSettings(precision=precision)
    stainer = Stainer(load_model(model), settings, pixel_size_um=0.08, device=device)
    source = Planes(frames, "tyx", stainer.inputs)
    fitted = stainer.fit(source)
    stainer.stain(source.read(0), fitted)
    shown = time.perf_counter()
    stainer.stain(source.read(1), fitted)
    end = time.perf_counter()
    print(
        f"{model:15s} {size}²  {device:8s} {stainer.network.precision:9s} "
        f"{torch.get_num_threads()} threads  loading torch {imported - start:.2f} s, "
        f"then the visible frame {shown - imported:.2f} s, the next {end - shown:.2f} s",
        flush=True,
    )


def main() -> None:
    """Print a line for each model, arithmetic and number of threads."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--models", nargs="+", default=["mito-h9c2", "mito-simulated"])
    parser.add_argument("--precisions", nargs="+", default=["auto", "float32"])
    parser.add_argument("--devices", nargs="+", default=["cpu"])
    parser.add_argument("--one", action="store_true", help="in this process")
    given = parser.parse_args()
    if given.one:
        first_frame(given.models[0], given.size, given.precisions[0], given.devices[0])
        return
    ways = product(given.models, given.precisions, given.devices, given.threads)
    for model, precision, device, threads in ways:
        one = ["--models", model, "--precisions", precision, "--devices", device]
        subprocess.run(
            [sys.executable, __file__, "--one", *one, "--size", str(given.size)],
            check=True,
            env={**os.environ, "OMP_NUM_THREADS": str(threads)},
        )


if __name__ == "__main__":
    main()
