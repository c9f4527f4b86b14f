"""How fast training is, how soon it stops when cancelled, and what resuming costs.

    OMP_NUM_THREADS=1 python -m benchmarks.training_speed --threads 1

One crop of 256 x 256 a step. "Cancelled" is the time from the request, in the middle of a
step, to the return, after which a thread may still write a large checkpoint; "resumed" the
time from the call to the end of the first step, the wait for that thread and checks of the
data included. All are processor seconds, which with one thread are what an idle core needs,
however busy the machine is; the wall clock is in brackets.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
from dataclasses import dataclass
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
from napari_virtualstain.training.checkpoint import settle

NETWORKS = {
    "paper (method A with its discriminator)": preset("A"),
    "compact": TrainingConfig(architecture={"name": "compact"}),
    "recommended": preset("recommended"),
}


@dataclass
class Clock:
    """Processor seconds and seconds since it was made."""

    def __post_init__(self) -> None:
        self.processor, self.wall = time.process_time(), time.perf_counter()

    def passed(self, parts: int = 1) -> str:
        """Return the time of one of `parts`, with the wall clock in brackets."""
        processor = (time.process_time() - self.processor) / parts
        return f"{processor:.2f} ({(time.perf_counter() - self.wall) / parts:.2f})"


def simulated_pairs() -> CorrelativePairs:
    """Return two movies of two frames."""
    movies = [simulate(frames=2, size=256, seed=seed) for seed in range(2)]
    return CorrelativePairs.from_arrays(
        np.concatenate([movie.bright_field for movie in movies]),
        np.concatenate([movie.fluorescence for movie in movies]),
        groups=["a", "a", "b", "b"],
        pixel_size_um=0.08,
    )


def seconds_a_step(
    pairs: CorrelativePairs, config: TrainingConfig, output: Path, steps: int
) -> tuple[str, float]:
    """Return the time of a step after the first, as text and on the wall clock."""
    clock = Clock()
    for event in train_events(pairs, config, output=output, overwrite=True):
        if isinstance(event, StepFinished) and event.step == 1:
            clock = Clock()
        elif isinstance(event, StepFinished) and event.step == steps + 1:
            break
    return clock.passed(steps), (time.perf_counter() - clock.wall) / steps


def cancelled_and_resumed(
    pairs: CorrelativePairs, config: TrainingConfig, output: Path, wait: float
) -> tuple[str, str]:
    """Return the time to the return after cancelling, and to the first step of going on."""
    token, clocks = CancelToken(), [Clock()]

    def ask() -> None:
        clocks.append(Clock())
        token.cancel()

    try:
        for event in train_events(pairs, config, output=output, overwrite=True, cancel=token):
            if isinstance(event, StepFinished) and event.step == 1:
                threading.Timer(wait, ask).start()
    except CancelledError:
        stopped = clocks[-1].passed()
    clock = Clock()
    for event in train_events(pairs, config, output=output, overwrite=True, resume=True):
        if isinstance(event, StepFinished):
            break
    resumed = clock.passed()
    settle(output.with_name(f"{output.stem}.training") / "checkpoint.pt")
    return stopped, resumed


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=0, help="of torch; its own choice if 0")
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--only", nargs="+", default=[], help="parts of network names")
    parser.add_argument("--precisions", nargs="+", default=["float32", "bfloat16"])
    given = parser.parse_args()
    if given.threads:
        torch.set_num_threads(given.threads)
    pairs = simulated_pairs()
    print("| network | precision | a step, s | cancelled after, s | resumed after, s |")
    print("|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "model.safetensors"
        for name, base in NETWORKS.items():
            if given.only and not any(part in name for part in given.only):
                continue
            for precision in given.precisions:
                config = base.updated(
                    precision=precision, steps=10**4, epochs=None, batch_size=1, crop_size=256,
                    report=False, validate_every=10**6, checkpoint_every=10**6, keep_best=False,
                    patience=None, min_foreground=0,
                )  # fmt: skip
                step, wall = seconds_a_step(pairs, config, output, given.steps)
                stopped, resumed = cancelled_and_resumed(pairs, config, output, 0.4 * wall)
                print(f"| {name} | {precision} | {step} | {stopped} | {resumed} |", flush=True)


if __name__ == "__main__":
    main()
