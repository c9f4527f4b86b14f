"""Speed of training, delay of cancelling, and cost of resuming.

    OMP_NUM_THREADS=1 python -m benchmarks.training_speed --threads 1
    CAREAMICS_PYTHON=/path/to/venv/bin/python python -m benchmarks.training_speed --only compact
    OMP_NUM_THREADS=1 python -m benchmarks.training_speed --threads 1 --set-gb 2 20 --steps 20

One crop of 256 x 256 a step. "Cancelled" is the time from the request, in the middle of a
step, to the return, after which a thread may still write a large checkpoint; "resumed" the
time from the call to the end of the first step, the wait for that thread and checks of the
data included. All are processor seconds, which with one thread are what an idle core needs,
however busy the machine is; the wall clock is in brackets.

"plain torch" is a loop of the same network over random crops with flips, L1 and Adam, without
anything else. CAREamics trains its own CARE network, a smaller one, on the same images and crops;
it needs its own environment (``pip install careamics``) in ``CAREAMICS_PYTHON``, without which it
is left out.

``--set-gb`` measures sets of so many gigabytes instead: movies of 60 frames of 2048 x 2048,
16 bit, written to ``--folder`` and deleted again. Each is trained on by a process of its own, once
as files of that size are read and once with all images held in memory if they need less than a
third of it. Weight maps are made when a frame is first drawn, so the cache of them begins empty.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tifffile
import torch

from napari_virtualstain.data import CorrelativePairs, match_pairs, stored_image
from napari_virtualstain.errors import CancelledError
from napari_virtualstain.models import build_network
from napari_virtualstain.progress import CancelToken
from napari_virtualstain.simulation import simulate
from napari_virtualstain.training import (
    StepFinished,
    TrainingConfig,
    preset,
    train_events,
)
from napari_virtualstain.training.checkpoint import settle

FRAMES = 60
NETWORKS = {
    "paper (method A with its discriminator)": preset("A"),
    "compact": TrainingConfig(architecture={"name": "compact"}),
    "recommended": preset("recommended"),
}


CAREAMICS = """
import sys, time
import numpy as np, torch
from lightning.pytorch.callbacks import Callback
from careamics import CAREamist
from careamics.config import create_advanced_care_config
torch.set_num_threads(int(sys.argv[3]))
class Clock(Callback):
    marks = []
    def on_train_batch_end(self, *args, **kwargs):
        self.marks.append((time.process_time(), time.perf_counter()))
steps = int(sys.argv[2])
held = np.load(sys.argv[1])
config = create_advanced_care_config(
    experiment_name="speed", data_type="array", axes="SYX", patch_size=[256, 256], batch_size=1,
    num_epochs=1, num_steps=steps + 2, num_workers=0, n_val_patches=1)
careamist = CAREamist(config, work_dir=sys.argv[4], callbacks=[Clock()], enable_progress_bar=False)
careamist.train(train_data=held["x"], train_data_target=held["y"],
                val_data=held["x"][:1], val_data_target=held["y"][:1])
first, last = Clock.marks[0], Clock.marks[-1]
count = len(Clock.marks) - 1
weights = sum(p.numel() for p in careamist.model.parameters())
print("STEP", (last[0] - first[0]) / count, (last[1] - first[1]) / count, weights)
"""


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


def plain_seconds_a_step(
    pairs: CorrelativePairs, config: TrainingConfig, steps: int
) -> tuple[str, int]:
    """Return the time of a step of a plain torch loop, and the number of weights."""
    network = build_network(config.architecture).train()
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-4)
    chance = np.random.default_rng(0)
    frames = [(pairs.bright_field[i], pairs.fluorescence[i]) for i in range(len(pairs))]
    planes = [
        tuple(torch.from_numpy((p - p.mean()) / p.std()).float() for p in map(np.asarray, frame))
        for frame in frames
    ]
    for step in range(steps + 1):
        if step == 1:
            clock = Clock()
        image, target = (
            plane.reshape(1, 1, *plane.shape[-2:])[..., :256, :256]
            for plane in planes[chance.integers(len(planes))]
        )
        if chance.random() < 0.5:
            image, target = image.flip(-1), target.flip(-1)
        loss = torch.nn.functional.l1_loss(network(image)[:, :1], target)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
    return clock.passed(steps), sum(p.numel() for p in network.parameters())


def careamics_seconds_a_step(pairs: CorrelativePairs, steps: int, folder: Path) -> str:
    """Return the time of a step of CAREamics and the number of its weights, or why not."""
    python = os.environ.get("CAREAMICS_PYTHON")
    if not python:
        return "not run: CAREAMICS_PYTHON is not set"
    count = range(len(pairs))
    np.savez(
        folder / "pairs.npz",
        x=np.stack([np.asarray(pairs.bright_field[i])[0] for i in count]).astype(np.float32),
        y=np.stack([np.asarray(pairs.fluorescence[i]) for i in count]).astype(np.float32),
    )
    given = [str(folder / "pairs.npz"), str(steps), str(torch.get_num_threads()), str(folder)]
    done = subprocess.run(
        [python, "-c", CAREAMICS, *given], capture_output=True, text=True, check=False
    )
    for line in done.stdout.splitlines():
        if line.startswith("STEP"):
            processor, wall, weights = line.split()[1:]
            return f"{float(processor):.2f} ({float(wall):.2f}), {int(weights):,} weights"
    return f"not run: {done.stderr.strip().splitlines()[-1:]}"


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


def write_movies(folder: Path, gigabytes: float) -> None:
    """Write movies of both channels that need so much on disk; no two frames are alike."""
    still = simulate(frames=1, size=512, seed=0)
    rng = np.random.default_rng(0)
    for channel, image in (("light", still.bright_field[0]), ("glow", still.fluorescence[0])):
        (folder / channel).mkdir(parents=True)
        counts = 20000 * (image - image.min()) / np.ptp(image) + 2000
        field = np.tile(counts.astype(np.uint16), (4, 4))
        for movie in range(max(2, round(gigabytes * 1e9 / (2 * FRAMES * field.nbytes)))):
            frames = (
                np.roll(field, (7 * movie, 5 * frame), (0, 1))
                + rng.integers(0, 400, field.shape, dtype=np.uint16)
                for frame in range(FRAMES)
            )
            tifffile.imwrite(
                folder / channel / f"cell_{movie:02d}.tif", frames, metadata={"axes": "TYX"},
                shape=(FRAMES, *field.shape), dtype=field.dtype, photometric="minisblack",
            )  # fmt: skip


def train_on_files(folder: Path, steps: int, share: float) -> None:
    """Train on written movies, and print how it went; for a process of its own."""
    stored_image.SHARE_OF_FREE = share
    config = preset("recommended").updated(
        batch_size=1, crop_size=256, steps=10**4, epochs=None, report=False, keep_best=False,
        validate_every=10**6, min_foreground=0.14, validation_images=4,
    )  # fmt: skip
    clock = Clock()
    pairs = match_pairs(folder / "light", folder / "glow", planes=1, pixel_size_um=0.08)
    stored = sum(isinstance(image, stored_image.StoredImage) for image in pairs.fluorescence)
    opened, clock = clock.passed(), Clock()
    for event in train_events(pairs, config, output=folder / "model.safetensors"):
        if isinstance(event, StepFinished) and event.step == 1:
            first, clock = clock.passed(), Clock()
        elif isinstance(event, StepFinished) and event.step == steps + 1:
            break
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    held = f"{len(pairs) - stored} of {len(pairs)}"
    print(f"| {held} | {opened} | {first} | {clock.passed(steps)} | {peak:.2f} GiB |", flush=True)


def sets_of_files(given: argparse.Namespace) -> None:
    """Print a table of sets on disk."""
    print("| GB on disk | pairs in memory | opened, s | first step after, s | a step, s | peak |")
    print("|---|---|---|---|---|---|", flush=True)
    for gigabytes in given.set_gb:
        folder = Path(tempfile.mkdtemp(dir=given.folder))
        try:
            write_movies(folder, gigabytes)
            for share in given.shares:
                cache = {"XDG_CACHE_HOME": str(folder / f"cache_{share}")}
                call = [sys.executable, "-m", "benchmarks.training_speed", "--on-files", folder]
                call += ["--steps", given.steps, "--threads", given.threads, "--shares", share]
                print(f"| {gigabytes:g} ", end="", flush=True)
                subprocess.run(list(map(str, call)), check=True, env=os.environ | cache)
        finally:
            shutil.rmtree(folder)


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=0, help="of torch; its own choice if 0")
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--only", nargs="+", default=[], help="parts of network names")
    parser.add_argument("--precisions", nargs="+", default=["float32", "bfloat16"])
    parser.add_argument("--set-gb", nargs="+", type=float, help="sets on disk instead")
    parser.add_argument("--folder", type=Path, help="for these sets")
    parser.add_argument(
        "--shares", nargs="+", type=float, default=[0, stored_image.SHARE_OF_FREE],
        help="of the free memory that images may take",
    )  # fmt: skip
    parser.add_argument("--on-files", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.threads:
        torch.set_num_threads(given.threads)
    if given.on_files:
        train_on_files(given.on_files, given.steps, *given.shares)
        return
    if given.set_gb:
        sets_of_files(given)
        return
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
            plain, weights = plain_seconds_a_step(pairs, base, given.steps)
            print(f"| {name}, plain torch ({weights:,} weights) | float32 | {plain} | | |")
        print("CAREamics:", careamics_seconds_a_step(pairs, given.steps, Path(folder)))


if __name__ == "__main__":
    main()
