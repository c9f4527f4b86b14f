"""How fast training is, how soon it stops when cancelled, and what resuming costs.

    OMP_NUM_THREADS=1 python benchmarks/training_speed.py --threads 1

One crop of 256 x 256 a step. "Cancelled" is the time from the request, at any moment of a
step, to the return with a checkpoint on disk; "resumed" the time from the call to the
first step, checks of the data included.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import torch

from napari_virtualstain.data import CorrelativePairs
from napari_virtualstain.errors import CancelledError
from napari_virtualstain.progress import CancelToken
from napari_virtualstain.simulation import simulate
from napari_virtualstain.training import (
    StepFinished,
    TrainingConfig,
    preset,
    train_events,
)

NETWORKS = {
    "paper (method A with its discriminator)": preset("A"),
    "compact": TrainingConfig(architecture={"name": "compact"}),
    "recommended": preset("recommended"),
}


def simulated_pairs() -> CorrelativePairs:
    """Return two movies of two frames."""
    movies = [simulate(frames=2, size=256, seed=seed) for seed in range(2)]
    return CorrelativePairs.from_arrays(
        np.concatenate([movie.bright_field for movie in movies]),
        np.concatenate([movie.fluorescence for movie in movies]),
        groups=["a", "a", "b", "b"],
        pixel_size_um=0.08,
    )


def steps_a_second(
    pairs: CorrelativePairs, config: TrainingConfig, output: Path, steps: int
) -> float:
    """Return the speed over `steps` steps after the first two."""
    ends = []
    for event in train_events(pairs, config, output=output, overwrite=True):
        if isinstance(event, StepFinished):
            ends.append(time.perf_counter())
            if len(ends) == steps + 2:
                break
    return steps / (ends[-1] - ends[1])


def cancelled_and_resumed(
    pairs: CorrelativePairs, config: TrainingConfig, output: Path, wait: float
) -> tuple[float, float]:
    """Return seconds to the return after cancelling, and to the first step of going on."""
    token, asked = CancelToken(), [0.0]

    def ask() -> None:
        asked[0] = time.perf_counter()
        token.cancel()

    try:
        for event in train_events(pairs, config, output=output, overwrite=True, cancel=token):
            if isinstance(event, StepFinished) and event.step == 2:
                threading.Timer(wait, ask).start()
    except CancelledError:
        stopped = time.perf_counter() - asked[0]
    start = time.perf_counter()
    for event in train_events(pairs, config, output=output, overwrite=True, resume=True):
        if isinstance(event, StepFinished):
            break
    return stopped, time.perf_counter() - start


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=0, help="of torch; its own choice if 0")
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--only", nargs="+", default=[], help="parts of network names")
    given = parser.parse_args()
    if given.threads:
        torch.set_num_threads(given.threads)
    pairs = simulated_pairs()
    print("| network | precision | steps/s | cancelled after, s | resumed after, s |")
    print("|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "model.safetensors"
        for name, base in NETWORKS.items():
            if given.only and not any(part in name for part in given.only):
                continue
            for precision in ("float32", "bfloat16"):
                config = base.updated(
                    precision=precision, steps=10**4, epochs=None, batch_size=1, crop_size=256,
                    report=False, validate_every=10**6, checkpoint_every=10**6, keep_best=False,
                    patience=None,
                )  # fmt: skip
                speed = steps_a_second(pairs, config, output, given.steps)
                # somewhere in the middle of a step
                stopped, resumed = cancelled_and_resumed(pairs, config, output, 0.4 / speed)
                row = f"| {name} | {precision} | {speed:.2f} | {stopped:.2f} | {resumed:.2f} |"
                print(row, flush=True)


if __name__ == "__main__":
    main()
