"""How long a simulated pair takes, after the tables of the optics are in the cache.

OMP_NUM_THREADS=1 python benchmarks/simulation_speed.py
"""

from __future__ import annotations

import time
from collections.abc import Callable

from napari_virtualstain.simulation import simulate, simulate_frames


def seconds(function: Callable[[], object]) -> tuple[float, float]:
    """Return wall and processor seconds of one call."""
    wall, cpu = time.perf_counter(), time.process_time()
    function()
    return time.perf_counter() - wall, time.process_time() - cpu


def main() -> None:
    """Measure and print a table."""
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


if __name__ == "__main__":
    main()
