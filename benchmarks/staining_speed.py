"""Time and memory of staining one frame, against plain torch and against MONAI.

    python -m benchmarks.staining_speed --size 1024 --architecture compact

Each way runs in a process of its own, so that its peak memory is its own. Needs MONAI
(``pip install monai``) for its row; without it the row is left out.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np
import torch

from napari_virtualstain.engine import TiledNetwork
from napari_virtualstain.models import architecture_names, build_network, load_model

WAYS = ("plain", "monai", "float32", "auto")


CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}
_clock = CLOCKS["wall"]


def best_time(run, repeats: int) -> float:
    """Return the shortest of some runs after one to warm up, seconds."""
    run()
    times = []
    for _ in range(repeats):
        start = _clock()
        run()
        times.append(_clock() - start)
    return min(times)


def operations(network: torch.nn.Module, size: int) -> float:
    """Return the floating-point operations of one forward pass of a frame."""
    counted = 0.0

    def count(module, inputs, output) -> None:
        nonlocal counted
        counted += 2.0 * output.numel() * module.weight[0].numel()

    convolutions = [m for m in network.modules() if isinstance(m, torch.nn.Conv2d)]
    hooks = [m.register_forward_hook(count) for m in convolutions]
    with torch.inference_mode():
        network(torch.zeros(1, 1, 64, 64))
    for hook in hooks:
        hook.remove()
    return counted * (size / 64) ** 2


def best_matrix_rate(dtype: torch.dtype) -> float:
    """Return the FLOP/s of a large matrix product on this machine."""
    side = 2048
    one, other = (torch.randn(side, side).to(dtype) for _ in range(2))
    return 2.0 * side**3 / best_time(lambda: one @ other, 4)


def network_named(architecture: str) -> torch.nn.Module:
    """Return a new network of an architecture, or that of a model."""
    torch.manual_seed(0)
    known = architecture in architecture_names()
    network = build_network({"name": architecture}) if known else load_model(architecture).network
    return network.eval()


def monai_inferer(side: int) -> Callable[..., torch.Tensor]:
    """Return MONAI's sliding window, as its users run it."""
    from monai.inferers import SlidingWindowInferer

    return SlidingWindowInferer(roi_size=(side, side), overlap=0.25, mode="gaussian")


def runner(way: str, network: torch.nn.Module, frame: np.ndarray, tile: int | None):
    """Return a function that stains the frame in one way, and its arithmetic."""
    if way in ("plain", "monai"):
        tensor = torch.from_numpy(frame)
        inferer = monai_inferer(tile or frame.shape[-1] // 2) if way == "monai" else None

        def run() -> None:
            with torch.inference_mode():
                inferer(tensor, network) if inferer else network(tensor)

        return run, "float32"
    engine = TiledNetwork(network, device="cpu", precision=way, tile=tile)
    return (lambda: engine.predict(frame)), engine.precision


def measure(way: str, architecture: str, size: int, repeats: int, tile: int | None) -> dict:
    """Return the figures of one way."""
    network = network_named(architecture)
    frame = np.random.default_rng(0).normal(size=(1, 1, size, size)).astype(np.float32)
    work = operations(network, size)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    run, precision = runner(way, network, frame, tile)
    seconds = best_time(run, repeats)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    matrix = best_matrix_rate(getattr(torch, precision))
    return {
        "way": way,
        "precision": precision,
        "seconds": seconds,
        "memory_MiB": (peak - before) / 1024,
        "GFLOP/s": work / seconds / 1e9,
        "share of matrix product": work / seconds / matrix,
    }


def main() -> None:
    """Print a line for each way."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--architecture", default="compact", help="or the name of a model")
    parser.add_argument("--clock", choices=CLOCKS, default="wall", help="cpu on a busy machine")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--tile", type=int)
    parser.add_argument("--way", choices=WAYS)
    given = parser.parse_args()
    global _clock
    _clock = CLOCKS[given.clock]
    if given.way:
        figures = measure(given.way, given.architecture, given.size, given.repeats, given.tile)
        print(json.dumps(figures))
        return
    print(
        f"{given.architecture}, {given.size} x {given.size}, {torch.get_num_threads()} threads, "
        f"{given.clock} time"
    )
    base = None
    for way in WAYS:
        child = subprocess.run(
            [sys.executable, __file__, *sys.argv[1:], "--way", way], capture_output=True, text=True
        )
        if child.returncode:
            print(f"{way:8s} left out: {child.stderr.strip().splitlines()[-1]}")
            continue
        figures = json.loads(child.stdout.splitlines()[-1])
        base = base or figures["seconds"]
        print(
            f"{way:8s} {figures['precision']:9s} {figures['seconds']:7.2f} s  "
            f"{base / figures['seconds']:5.2f} x plain  {figures['memory_MiB']:6.0f} MiB  "
            f"{figures['GFLOP/s']:7.1f} GFLOP/s = {figures['share of matrix product']:.0%} of the "
            "best matrix product"
        )


if __name__ == "__main__":
    main()
