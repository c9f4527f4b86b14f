"""Memory of staining a lazy movie against its number of frames, and against plain torch.

    python benchmarks/staining_memory.py --size 2048 --frames 3 12 48 --plain 1024 2048

The movie has --length frames and exists only as a recipe; so many of its first frames
are stained into an OME-Zarr. Each line is a process of its own. Printed is the peak of
the resident memory above what the process held when the model was loaded; it must not
grow with the frames. A plain line is one whole-frame forward pass of the same network
with torch alone.
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
import torch

from napari_virtualstain.inference import stain_to_file
from napari_virtualstain.io import Stack
from napari_virtualstain.models import Model, load_model


def peak_mib() -> float:
    """Return the largest resident memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def lazy_movie(length: int, size: int) -> da.Array:
    """Return a movie of noise that is made up frame by frame when it is read."""

    def frame(block_info=None) -> np.ndarray:
        index = block_info[None]["chunk-location"][0]
        return np.random.default_rng(index).normal(1e3, 50, (1, size, size)).astype(np.uint16)

    return da.map_blocks(frame, chunks=((1,) * length, (size,), (size,)), dtype=np.uint16)


def stain_some(model: Model, frames: int, given: argparse.Namespace) -> str:
    """Stain the first frames of the lazy movie, and return what to print."""
    stack = Stack(lazy_movie(given.length, given.size), "tyx", model.card.pixel_size_um)
    with tempfile.TemporaryDirectory() as folder:
        stain_to_file(
            stack,
            Path(folder) / "out.ome.zarr",
            model,
            frames=f"0:{frames}",
            device="cpu",
            precision=given.precision,
        )
    return f"{frames:5d} of {given.length} frames of {given.size}²"


def forward_whole(model: Model, size: int) -> str:
    """Run the bare network on a whole frame, and return what to print."""
    frame = torch.randn(1, model.card.inputs.planes, size, size)
    with torch.inference_mode():
        model.network(frame)
    return f"plain torch, 1 frame of {size}²"


def main() -> None:
    """Print the peak memory of each line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, nargs="*", default=[3, 12, 48])
    parser.add_argument("--plain", type=int, nargs="*", default=[], help="sizes of plain lines")
    parser.add_argument("--length", type=int, default=2000, help="frames of the whole movie")
    parser.add_argument("--size", type=int, default=2048)
    parser.add_argument("--model", default="mito-simulated")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--one", choices=["engine", "plain"], help="in this process")
    given = parser.parse_args()
    if given.one is None:
        for way, numbers in (("engine", given.frames), ("plain", given.plain)):
            for number in numbers:
                options = ["--length", str(given.length), "--size", str(given.size)]
                options += ["--model", given.model, "--precision", given.precision]
                one = [f"--{'frames' if way == 'engine' else 'plain'}", str(number)]
                subprocess.run([sys.executable, __file__, "--one", way, *one, *options], check=True)
        return
    model = load_model(given.model)
    before, start = peak_mib(), time.perf_counter()
    if given.one == "engine":
        text, count = stain_some(model, given.frames[0], given), given.frames[0]
    else:
        text, count = forward_whole(model, given.plain[0]), 1
    seconds = (time.perf_counter() - start) / count
    print(
        f"{text:34s} {seconds:6.2f} s/frame  peak {peak_mib() - before:6.0f} MiB above "
        f"{before:.0f} MiB",
        flush=True,
    )


if __name__ == "__main__":
    main()
