"""Staining at scale: memory against the number of frames and plain torch, and many movies.

    python -m benchmarks.staining_memory --size 2048 --frames 3 12 48 120 --plain 1024 2048
    python -m benchmarks.staining_memory --size 2048 --frames 10 100 500 1000 2000 --widths 4 4
    python -m benchmarks.staining_memory --frames --movies 100 300 1000 --size 64 --widths 8 16

The movie has --length frames and exists only as a recipe; its first frames are stained into
an OME-Zarr by `stain_to_file`, which is what the command line runs. Printed on the way is the
resident memory, now and at its peak, above what the process held when the model was loaded;
it must not grow with the frames. With --widths the network is a small U-Net made on the spot:
what is kept of a frame does not depend on the network, and so a long movie ends today. A plain
line is one whole-frame forward pass of the same network with torch alone, in its own process.

--movies stains so many movies of 2 frames, one after another in this process and then on a local
cluster of four workers, of which one is killed half-way. All must be there, with the same pixels.
Wall seconds of one run: what counts is how they grow with the number of movies. With --command
the cluster gets each movie by a `virtualstain stain --scheduler` of its own.
"""

from __future__ import annotations

import argparse
import logging
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import torch

from napari_virtualstain.io import Stack, open_stack, write_image
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


def print_movies(model: Model, given: argparse.Namespace) -> None:
    """Stain so many movies here and on a cluster that loses a worker, and print the seconds."""
    from distributed import Client, LocalCluster

    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # it reports the killed worker
    print("movies   here s  ms/movie  cluster s  ms/movie")
    for count in given.movies:  # a cluster each: the killed worker may not come back
        with (
            tempfile.TemporaryDirectory() as place,
            LocalCluster(n_workers=4, threads_per_worker=1, dashboard_address=None) as cluster,
            Client(cluster, set_as_default=False) as client,
        ):
            here, together, is_same = movies_twice(
                model, count, given.size, client, Path(place), by_command=given.command
            )
        print(
            f"{count:6} {here:8.1f} {1e3 * here / count:9.1f} {together:10.1f} "
            f"{1e3 * together / count:9.1f}  {'identical' if is_same else 'DIFFERENT'}",
            flush=True,
        )


def movies_twice(
    model: Model, count: int, size: int, client: Any, root: Path, *, by_command: bool
) -> tuple[float, float, bool]:
    """Return the seconds here and on the cluster, and whether all pixels are the same."""
    rng, inputs = np.random.default_rng(count), root / "in"
    inputs.mkdir()
    for number in range(count):
        movie = rng.normal(1000, 50, (2, size, size)).astype(np.uint16)
        name = f"movie_{number:04}.ome.tif"
        write_image(inputs / name, movie, axes="tyx", pixel_size_um=0.08)
    here = stain_all(partial(stain_here, model), inputs, root / "here")
    killed: list[int] = []

    def kill_one(done: int) -> None:
        if done >= count // 2 and not killed:
            processes = client.run(os.getpid)
            killed.append(processes[min(processes)])
            os.kill(killed[0], signal.SIGKILL)

    if by_command:
        on_cluster = partial(stain_by_command, model, client.scheduler.address)
    else:
        on_cluster = partial(stain_here, model, scheduler=client)
    together = stain_all(on_cluster, inputs, root / "cluster", kill_one)

    def pixels(folder: str, name: str) -> np.ndarray:
        return np.asarray(open_stack(root / folder / name).data)

    names = [sorted(os.listdir(root / folder)) for folder in ("in", "here", "cluster")]
    is_same = names[0] == names[1] == names[2] and all(
        np.array_equal(pixels("here", name), pixels("cluster", name)) for name in names[0]
    )
    return here, together, is_same


def stain_all(
    stain: Callable[[Path, Path], None],
    inputs: Path,
    out: Path,
    after: Callable[[int], None] = lambda _: None,
) -> float:
    """Stain every movie of a folder, and return the seconds; `after` gets how many are done."""
    out.mkdir()
    started = time.perf_counter()
    for number, path in enumerate(sorted(inputs.iterdir()), start=1):
        stain(path, out / path.name)
        after(number)
    return time.perf_counter() - started


def stain_here(model: Model, path: Path, out: Path, *, scheduler: Any = None) -> None:
    """Stain a movie from this process, by the workers of a scheduler if there is one."""
    stain_to_file(open_stack(path), out, model, device="cpu", scheduler=scheduler)


def stain_by_command(model: Model, scheduler: str, path: Path, out: Path) -> None:
    """Stain a movie by a command of its own."""
    command = [sys.executable, "-m", "napari_virtualstain.cli", "stain", path, "-o", out]
    options = ["--model", model.path, "--device", "cpu", "--scheduler", scheduler]
    subprocess.run([*command, *options], check=True, capture_output=True)


def main() -> None:
    """Print the memory after so many frames, and of plain torch."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, nargs="*", default=[3, 12, 48])
    parser.add_argument("--plain", type=int, nargs="*", default=[], help="sizes of plain lines")
    parser.add_argument("--movies", type=int, nargs="*", default=[], help="numbers of movies")
    parser.add_argument("--command", action="store_true", help="a command for each movie")
    parser.add_argument("--length", type=int, default=2000, help="frames of the whole movie")
    parser.add_argument("--size", type=int, default=2048)
    parser.add_argument("--model", default="mito-simulated")
    parser.add_argument("--widths", type=int, nargs="*", help="of a small U-Net instead")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--one", action="store_true", help="the plain line in this process")
    given = parser.parse_args()
    if given.command and given.widths:
        parser.error("--command takes --model, not --widths")
    if given.one:
        print_plain(model_of(given), given.plain[0])
        return
    if given.frames:
        print_curve(model_of(given), given)
    if given.movies:
        print_movies(model_of(given), given)
    for size in given.plain:
        network = ["--model", given.model]
        if given.widths:
            network += ["--widths", *map(str, given.widths)]
        subprocess.run(
            [sys.executable, __file__, "--one", "--plain", str(size), *network], check=True
        )


if __name__ == "__main__":
    main()
