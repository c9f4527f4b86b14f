"""Memory of staining a lazy movie against its number of frames, and against plain torch.

    python -m benchmarks.staining_memory --size 2048 --frames 3 12 48 120 --plain 1024 2048
    python -m benchmarks.staining_memory --size 2048 --frames 10 100 500 1000 2000 --widths 4 4

The movie has --length frames and exists only as a recipe; its first frames are stained into
an OME-Zarr by `stain_to_file`, which is what the command line runs. Printed on the way is the
resident memory, now and at its peak, above what the process held when the model was loaded;
it must not grow with the frames. With --widths the network is a small U-Net made on the spot:
what is kept of a frame does not depend on the network, and so a long movie ends today. A plain
line is one whole-frame forward pass of the same network with torch alone, in its own process.
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

from napari_virtualstain.io import Stack
from napari_virtualstain.models import Model, ModelCard, build_network, load_model
from napari_virtualstain.progress import Progress
from napari_virtualstain.staining import stain_to_file

_SQUARE = 16


def peak_mib() -> float:
    """Return the largest resident memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def resident_mib() -> float:
    """Return the resident memory of this process now."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / 2**20


def lazy_movie(length: int, size: int) -> da.Array:
    """Return a movie of random squares that is made up frame by frame when it is read.

    Its stain is flat within a square, so that the compressed output fits on a disk.
    """

    def frame(block_info=None) -> np.ndarray:
        index = block_info[None]["chunk-location"][0]
        count = -(-size // _SQUARE)
        squares = np.random.default_rng(index).normal(1e3, 50, (count, count)).astype(np.uint16)
        return squares.repeat(_SQUARE, 0).repeat(_SQUARE, 1)[None, :size, :size]

    return da.map_blocks(frame, chunks=((1,) * length, (size,), (size,)), dtype=np.uint16)


def model_of(given: argparse.Namespace) -> Model:
    """Return the model by its name, or a small one made on the spot."""
    if not given.widths:
        return load_model(given.model)
    card = ModelCard(
        name=f"U-Net of widths {given.widths}",
        architecture={"name": "unet", "arguments": {"widths": given.widths}},
        pixel_size_um=0.08,
    )
    torch.manual_seed(0)
    return Model(build_network(card.architecture).eval(), card, "", None)


def print_curve(model: Model, given: argparse.Namespace) -> None:
    """Stain the first frames of the lazy movie, and print the memory on the way."""
    before, start = peak_mib(), time.perf_counter()
    print(f"{model.name}, {given.length} frames of {given.size}², {before:.0f} MiB before")

    def look(progress: Progress) -> None:
        if progress.done in given.frames:
            seconds = (time.perf_counter() - start) / progress.done
            print(
                f"{progress.done:5d} frames  {seconds:6.2f} s/frame  now "
                f"{resident_mib() - before:6.0f} MiB  peak {peak_mib() - before:6.0f} MiB",
                flush=True,
            )

    stack = Stack(lazy_movie(given.length, given.size), "tyx", model.card.pixel_size_um)
    with tempfile.TemporaryDirectory() as folder:
        out = stain_to_file(
            stack,
            Path(folder) / "out.ome.zarr",
            model,
            frames=f"0:{max(given.frames)}",
            device="cpu",
            precision=given.precision,
            progress=look,
        )
        written = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    print(f"written: {written / 2**30:.2f} GiB", flush=True)


def print_plain(model: Model, size: int) -> None:
    """Run the bare network on a whole frame, and print its memory."""
    before, start = peak_mib(), time.perf_counter()
    frame = torch.randn(1, model.card.inputs.planes, size, size)
    with torch.inference_mode():
        model.network(frame)
    print(
        f"plain torch, 1 frame of {size}²  {time.perf_counter() - start:.2f} s  peak "
        f"{peak_mib() - before:.0f} MiB"
    )


def main() -> None:
    """Print the memory after so many frames, and of plain torch."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, nargs="*", default=[3, 12, 48])
    parser.add_argument("--plain", type=int, nargs="*", default=[], help="sizes of plain lines")
    parser.add_argument("--length", type=int, default=2000, help="frames of the whole movie")
    parser.add_argument("--size", type=int, default=2048)
    parser.add_argument("--model", default="mito-simulated")
    parser.add_argument("--widths", type=int, nargs="*", help="of a small U-Net instead")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--one", action="store_true", help="the plain line in this process")
    given = parser.parse_args()
    if given.one:
        print_plain(model_of(given), given.plain[0])
        return
    if given.frames:
        print_curve(model_of(given), given)
    for size in given.plain:
        network = ["--model", given.model]
        if given.widths:
            network += ["--widths", *map(str, given.widths)]
        subprocess.run(
            [sys.executable, __file__, "--one", "--plain", str(size), *network], check=True
        )


if __name__ == "__main__":
    main()
