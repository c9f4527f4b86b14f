"""Memory of staining a lazy movie against its number of frames.

    python benchmarks/staining_memory.py --size 512 --frames 5 10 20 40

Each length runs in a process of its own; the peak must not grow.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import dask.array as da
import numpy as np

from napari_virtualstain.inference import stain_to_file
from napari_virtualstain.io import Stack
from napari_virtualstain.models import Model, ModelCard, build_network


def stain_one(frames: int, size: int, widths: list[int]) -> None:
    """Stain a movie that is made up frame by frame, and print time and peak memory."""
    card = ModelCard(
        name="benchmark",
        architecture={"name": "compact", "arguments": {"widths": widths}},
        pixel_size_um=0.08,
    )
    model = Model(build_network(card.architecture).eval(), card, "", Path("none"))

    def frame(block_info=None) -> np.ndarray:
        index = block_info[None]["chunk-location"][0]
        return np.random.default_rng(index).normal(size=(1, size, size)).astype(np.float32)

    movie = da.map_blocks(frame, chunks=((1,) * frames, (size,), (size,)), dtype=np.float32)
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        stain_to_file(Stack(movie, "tyx", 0.08), Path(folder) / "out.ome.zarr", model, device="cpu")
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{frames:6d} frames  {seconds / frames:6.2f} s/frame  peak {peak:7.0f} MiB", flush=True)


def main() -> None:
    """Print the peak memory of each length."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, nargs="+", default=[5, 20, 80])
    parser.add_argument("--size", type=int, default=2048)
    parser.add_argument("--widths", type=int, nargs="+", default=[4, 8, 8, 8])
    parser.add_argument("--one", action="store_true", help="in this process")
    given = parser.parse_args()
    for frames in given.frames:
        if given.one:
            stain_one(frames, given.size, given.widths)
            continue
        options = ["--size", str(given.size), "--widths", *map(str, given.widths)]
        subprocess.run(
            [sys.executable, __file__, "--one", "--frames", str(frames), *options], check=True
        )


if __name__ == "__main__":
    main()
