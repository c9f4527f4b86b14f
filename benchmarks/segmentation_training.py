r"""Train `mito-segment` anew, without any manual annotation.

    python benchmarks/segmentation_training.py --data FOLDER -o FIRST [--minutes 60]
    python benchmarks/segmentation_training.py --data FOLDER -o m.safetensors --init FIRST \
        --real TL_010=GENERATOR [--only-real]

Five sources: `physeg_sim` (the first 680 of 800 pairs; foreground only, since its masks
do not part what touches), the varied scenes of `segmentation_scenes.py`, this package's
simulator, the virtual stain of its bright-field, and that of real cells by generators that
have not seen them (`train_shipped_models.py --held-out TL_010 TL_011`), with what the
initial model outlines in the real fluorescence as labels; the shipped weights know TL_010.
With `--init` training goes on from a model, its BatchNorm statistics frozen: the batches are
too small to tell them. The shipped weights came from twelve such runs in a row on one busy CPU
core, 8391 steps in all, the last eight with frozen statistics, the last three with more virtual
mitochondria and the real cell;
they ran in a prototype of this loop; see the card.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from segmentation_scenes import draw_scene
from skimage import io

import napari_virtualstain as vs
from napari_virtualstain.models import ModelCard, build_network, load_model, save_model
from napari_virtualstain.segmentation.fine_tuning import new_card
from napari_virtualstain.segmentation.learning import segmentation_loss

CROP, BATCH, FIRST_HELD_OUT = 128, 8, 680
# levels chosen on validation images (merging) and on stains of the real cells (cut)
CHOSEN = {"merge_above": 0.28, "lowest_cut": 0.18}
Image = NDArray[np.float32]
Sample = tuple[Image, NDArray[np.int32], bool, bool]


@dataclass(frozen=True, slots=True)
class Sources:
    """Clean or recorded images with labels."""

    physeg: list[tuple[Image, NDArray[np.int32]]]
    scenes: list[tuple[Image, NDArray[np.int32]]]
    simulated: list[tuple[Image, Image, NDArray[np.int32]]]
    virtual: list[tuple[Image, NDArray[np.int32]]]


def read_sources(
    data: Path,
    scenes: int,
    simulated: int,
    virtual: int,
    real: list[tuple[Image, NDArray[np.int32]]],
) -> Sources:
    """Return all training images; simulation takes about a quarter second each."""
    paths = sorted((data / "physeg_sim" / "image").glob("*.png"))[:FIRST_HELD_OUT]
    physeg = [
        (io.imread(p).astype(np.float32), (io.imread(data / "physeg_sim/mask" / p.name) > 0) * 1)
        for p in paths
    ]
    varied = [draw_scene(np.random.default_rng([1, k]))[:2] for k in range(scenes)]
    varied += [
        draw_scene(np.random.default_rng([3, k]), swollen=True)[:2] for k in range(scenes // 10)
    ]
    crowds, stained = [], []
    for number in range(simulated):
        count = int(np.exp(np.random.default_rng([2, number]).uniform(np.log(10), np.log(100))))
        scene = vs.simulate(frames=1, size=256, count=count, seed=100_000 + number)
        clean, noisy = scene.expected_fluorescence[0], scene.fluorescence[0]
        crowds.append((clean.astype(np.float32), noisy.astype(np.float32), scene.labels[0]))
        if number < virtual:
            stain = vs.stain(scene.bright_field[0], "mito-simulated", pixel_size_um=0.08)
            stained.append((np.asarray(stain, np.float32), scene.labels[0]))
    # as many draws of the real cell as of the simulated ones
    stained += real * max(1, round(len(stained) / max(1, len(real))))
    return Sources(physeg, [(i, np.asarray(m, np.int32)) for i, m in varied], crowds, stained)


def read_real(data: Path, cells: list[str], model: Path) -> list[tuple[Image, NDArray[np.int32]]]:
    """Return the virtual stain of real cells with outlines of their real fluorescence.

    `cells` are ``CELL=GENERATOR``, the generator by name or file.
    """
    stained = []
    for cell, _, generator in (each.partition("=") for each in cells):
        for path in sorted((data / "h9c2_pairs/fluorescence").glob(f"*{cell}*")):
            light = io.imread(data / "h9c2_pairs/bright_field" / path.name)
            stain = vs.stain(light, generator, pixel_size_um=0.08)
            labels = vs.segment(io.imread(path), model, pixel_size_um=0.08)
            stained.append((np.asarray(stain, np.float32), labels))
    return stained


def record(clean: Image, rng: np.random.Generator) -> Image:
    """Return what some camera makes of a photon density with its bright end at one."""
    side = len(clean)
    image = clean ** rng.uniform(0.7, 1.4) if rng.random() < 0.5 else clean
    image = image + np.exp(rng.uniform(np.log(0.005), np.log(0.6)))
    if rng.random() < 0.5:
        glow = smooth_field(side, int(rng.integers(20, 90)), rng)
        image = image + glow * np.exp(rng.uniform(np.log(0.02), np.log(0.8)))
    if rng.random() < 0.35:
        image = ndimage.gaussian_filter(image, rng.uniform(0.4, 1.2))
    photons = np.exp(rng.uniform(np.log(12), np.log(3000)))
    counts = rng.poisson(np.maximum(image, 0) * photons) + rng.normal(
        0, 1, image.shape
    ) * rng.uniform(0, 4)
    if rng.random() < 0.15:
        counts = counts + rng.normal(0, rng.uniform(0, 4), (side, 1))
    if rng.random() < 0.3:  # the smoother look of virtual fluorescence
        counts = ndimage.gaussian_filter(counts, rng.uniform(0.5, 1.8))
    if rng.random() < 0.2:
        counts = np.round(
            (counts - counts.min()) / max(np.ptp(counts), 1e-6) * rng.uniform(20, 255)
        )
    return counts.astype(np.float32)


def smooth_field(side: int, scale: int, rng: np.random.Generator) -> Image:
    """Return slow variations in [0, 1]."""
    coarse = rng.normal(size=(max(2, side // scale + 2),) * 2)
    field = ndimage.zoom(coarse, side / (len(coarse) - 1), order=1)[:side, :side]
    return ((field - field.min()) / np.ptp(field)).astype(np.float32)


def draw_sample(sources: Sources, rng: np.random.Generator) -> Sample:
    """Return a normalised crop, its labels, whether they part what touches, and if virtual."""
    if not sources.physeg:
        source = 3
    elif sources.virtual:
        source = rng.choice(4, p=[0.3, 0.14, 0.38, 0.18])
    else:
        source = rng.choice(3, p=[0.3, 0.2, 0.5])
    if source == 0:
        image, labels = sources.physeg[rng.integers(len(sources.physeg))]
        if rng.random() < 0.35:
            image = image + rng.normal(0, rng.uniform(0, 6), image.shape)
    elif source == 1:
        clean, labels = sources.scenes[rng.integers(len(sources.scenes))]
        if rng.random() < 0.12:
            clean, labels = np.zeros_like(clean), np.zeros_like(labels)
        image = record(clean, rng)
    elif source == 3:
        image, labels = sources.virtual[rng.integers(len(sources.virtual))]
        if rng.random() < 0.25:
            image = image + rng.normal(0, rng.uniform(0, 0.05) * np.ptp(image), image.shape)
    else:
        clean, image, labels = sources.simulated[rng.integers(len(sources.simulated))]
        if rng.random() < 0.5:
            clean = np.maximum(clean - 5, 0)
            image = record(clean / max(float(np.percentile(clean, 99.9)), 1e-6), rng)
    low, high = np.percentile(image, [10, 99.8])
    scale = max(high - low, 1e-6) * (np.exp(rng.normal(0, 0.25)) if rng.random() < 0.5 else 1)
    y, x = rng.integers(0, 257 - CROP, 2)
    crop = np.s_[y : y + CROP, x : x + CROP]
    normal = np.arcsinh(5 * (image[crop] - low) / scale) / np.arcsinh(5)
    return (*turned(normal, labels[crop], rng), source > 0, source == 3)


def turned(
    image: Image, labels: NDArray[np.int32], rng: np.random.Generator
) -> tuple[Image, NDArray[np.int32]]:
    """Return both in one of the eight orientations."""
    turns, flipped = int(rng.integers(4)), rng.random() < 0.5
    pair = [
        np.rot90(part, turns)[:, ::-1] if flipped else np.rot90(part, turns)
        for part in (image, labels)
    ]
    return np.ascontiguousarray(pair[0], np.float32), np.ascontiguousarray(pair[1], np.int32)


def batch_loss(network: torch.nn.Module, samples: list[Sample], steps: list) -> torch.Tensor:
    """Return the loss of one batch; images whose masks do not part what touches count once."""
    images = torch.from_numpy(np.stack([s[0] for s in samples]))[:, None]
    labels = torch.from_numpy(np.stack([s[1] for s in samples]))
    parted = torch.tensor([s[2] for s in samples])
    virtual = torch.tensor([s[3] for s in samples])
    with torch.autocast("cpu", torch.bfloat16):
        outputs = network(images.contiguous(memory_format=torch.channels_last))
    known = torch.ones_like(labels, dtype=torch.bool)
    loss = segmentation_loss(outputs[:, :1], labels, known, steps, unsure=virtual)
    if parted.any():
        whole = segmentation_loss(outputs[parted], labels[parted], known[parted], steps)
        loss = (
            loss
            + whole
            - segmentation_loss(outputs[parted, :1], labels[parted], known[parted], steps)
        )
    return loss


def start(card: ModelCard, init: Path | None) -> torch.nn.Module:
    """Return a new network, or that of a model with its statistics frozen."""
    if init is None:
        network = build_network(card.architecture).train()
        with torch.no_grad():
            network.head.bias[:2] = -2.0
            network.head.bias[2:] = 1.0
        return network.to(memory_format=torch.channels_last)
    network = load_model(init).network.float().requires_grad_(True).train()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.eval()
    return network.to(memory_format=torch.channels_last)


def train(
    sources: Sources, minutes: float, seed: int, rate: float, init: Path | None
) -> tuple[torch.nn.Module, int]:
    """Return the running mean of the weights after that many minutes, and the steps made."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    card = new_card("mito-segment")
    steps = [tuple(step) for step in card.segmentation["steps"]]
    network = start(card, init)
    mean = torch.optim.swa_utils.AveragedModel(
        network, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.995), use_buffers=True
    )
    optimiser = torch.optim.AdamW(network.parameters(), rate, weight_decay=1e-3)
    begin, count = time.monotonic(), 0
    while (share := (time.monotonic() - begin) / (60 * minutes)) < 1:
        for group in optimiser.param_groups:
            group["lr"] = rate * min(1, (count + 1) / 50) * (0.5 + 0.5 * np.cos(np.pi * share))
        loss = batch_loss(network, [draw_sample(sources, rng) for _ in range(BATCH)], steps)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 2.0)
        optimiser.step()
        mean.update_parameters(network)
        count += 1
        if count % 50 == 0:
            print(f"step {count}, {100 * share:.0f} %, loss {float(loss):.3f}", flush=True)
    return mean.module.eval(), count


def main() -> None:
    """Train and write the model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--scenes", type=int, default=2000)
    parser.add_argument("--simulated", type=int, default=400)
    parser.add_argument("--virtual", type=int, default=150, help="of the simulated, stained")
    parser.add_argument(
        "--real",
        nargs="+",
        default=[],
        metavar="CELL=GENERATOR",
        help="also the stain of a cell by a generator that has not seen it; needs --init",
    )
    parser.add_argument("--only-real", action="store_true", help="nothing else")
    parser.add_argument("--init", type=Path, help="go on from this model, statistics frozen")
    parser.add_argument("--rate", type=float, help="at the start; 2.5e-3, with --init 8e-4")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    if arguments.real and arguments.init is None:
        parser.error("--real needs --init")
    real = read_real(arguments.data, arguments.real, arguments.init) if arguments.real else []
    if arguments.only_real:
        sources = Sources([], [], [], real)
    else:
        counts = (arguments.scenes, arguments.simulated, arguments.virtual)
        sources = read_sources(arguments.data, *counts, real)
    rate = arguments.rate or (8e-4 if arguments.init else 2.5e-3)
    options = (arguments.minutes, arguments.seed, rate, arguments.init)
    network, count = train(sources, *options)
    card = new_card("mito-segment").model_copy(update={"training": {"steps": count}})
    card.segmentation.update(CHOSEN)
    print(save_model(arguments.output, network, card))


if __name__ == "__main__":
    main()
