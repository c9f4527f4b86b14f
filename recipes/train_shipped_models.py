"""Train the shipped generators again: simulated pairs first, then real ones.

    python -m recipes.train_shipped_models OUT --data h9c2_pairs [--init MODEL]

OUT gets ``mito-simulated`` (simulated pairs only) and ``mito-h9c2`` (the former, fine-tuned
on every real cell), whose card has the scores of three folds: the same fine-tuning without
one of the cells TL_010, TL_011 and TL_012, judged on that cell. The real pairs have few
cells: a network that starts from simulated ones, with the optics varied, sees more of the
mitochondria of a cell that it does not know. ``--init`` skips the simulated part;
``--held-out`` trains one model without the named cells instead, and ``--held-out-frames`` one
without each third frame of those cells, which tells how much it matters that a cell is new.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from napari_virtualstain.data import CorrelativePairs
from napari_virtualstain.simulation import simulate_frames
from napari_virtualstain.training import TrainingConfig, cross_validate, preset, train
from recipes.h9c2 import frame_of, h9c2_pairs
from recipes.simulation_likeness import likeness_shares, table_of

JUDGED = ("TL_010", "TL_011", "TL_012")
# Cells that simulated pairs are to be like; they train in every fold
LIKE = ("TL_009", "v_002")


def simulated_pairs(number: int, seed: int) -> CorrelativePairs:
    """Return `number` simulated pairs; each tenth is its own held-out cell."""
    stills = list(simulate_frames(number, seed=seed, density=(3.0, 20.0)))
    return CorrelativePairs.from_arrays(
        [still.bright_field for still in stills],
        [still.fluorescence for still in stills],
        groups=["held-out" if index % 10 == 0 else "simulated" for index in range(number)],
        pixel_size_um=0.08,
    )


def drawn_by_likeness(
    simulated: CorrelativePairs, real: CorrelativePairs, seed: int
) -> CorrelativePairs:
    """Return as many pairs, three of four drawn by how like the real ones they are."""
    known = real.subset(i for i, group in enumerate(real.groups) if group in LIKE)
    shares = likeness_shares(
        table_of(known.bright_field, known.fluorescence),
        table_of(simulated.bright_field, simulated.fluorescence),
    )
    rng = np.random.default_rng(seed)
    number = len(simulated)
    drawn = rng.choice(number, number, p=0.75 * shares + 0.25 / number)
    return simulated.subset(np.sort(drawn).tolist())


def with_frames_apart(pairs: CorrelativePairs, cells: Sequence[str]) -> CorrelativePairs:
    """Return the pairs, each third frame of `cells` in the group ``<cell> apart``."""
    groups = list(pairs.groups)
    for cell in cells:
        members = [i for i, group in enumerate(pairs.groups) if group == cell]
        apart = sorted({frame_of(pairs.names[i]) for i in members})[1::3]
        for i in members:
            groups[i] += " apart" * (frame_of(pairs.names[i]) in apart)
    return replace(pairs, groups=tuple(groups))


def simulated_config(steps: int) -> TrainingConfig:
    """Return the settings of the training on simulated pairs."""
    return preset().updated(
        name="mito-simulated",
        description="Mitochondria of simulated correlative movies; for demo, tests, and as a "
        "start for fine-tuning.",
        licence="BSD-3-Clause",
        data_source="the simulator of napari-virtualstain",
        validation_groups=["held-out"],
        keep_best=False,
        patience=None,
        seed=3,
        steps=steps,
    )


def real_config(init: Path, steps: int, held_out: Sequence[str] = ()) -> TrainingConfig:
    """Return the settings of the fine-tuning on real pairs."""
    recommended = preset()
    return recommended.updated(
        name="mito-h9c2",
        description="Mitochondria of H9c2 cells (mCherry-EGFP-OMP25) from single-plane "
        "bright-field, 60x 1.42 NA, 80 nm pixels.",
        licence="Weights BSD-3-Clause; trained on GPL-3.0 images: cite Somani et al. 2022",
        data_source="AyushSomani001/VirtualStain_I2I at 0738c87, public sample",
        init=str(init),
        optimisation=recommended.optimisation.model_copy(
            update={"learning_rate": 1.2e-3, "init_rate_factor": 1.0}
        ),
        frozen_statistics=0.0,
        keep_best=False,  # held-out cells judge only
        patience=None,
        loss=recommended.loss.model_copy(update={"l1": 3.0}),
        validation_groups=list(held_out),
        validation_images=64,
        # Nearly the whole picture: where mitochondria can be depends on the cell round them.
        crop_size=224,
        batch_size=2,
        seed=1,
        steps=steps,
    )


def main() -> None:
    """Train both models."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--data", type=Path, help="folder h9c2_pairs; without it only simulated")
    parser.add_argument("--init", type=Path, help="model to fine-tune, instead of simulating")
    parser.add_argument("--simulated-pairs", type=int, default=7500)
    parser.add_argument("--simulated-steps", type=int, default=25000)
    parser.add_argument("--steps", type=int, default=1200)
    parser.add_argument("--held-out", nargs="+", help="cells that test one model")
    parser.add_argument("--held-out-frames", nargs="+", help="cells of which each third frame does")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    start = arguments.init
    if start is None:
        pairs = simulated_pairs(arguments.simulated_pairs, seed=2)
        if arguments.data is not None:
            pairs = drawn_by_likeness(pairs, h9c2_pairs(arguments.data), seed=2)
        config = simulated_config(arguments.simulated_steps)
        start = arguments.out / "mito-simulated.safetensors"
        train(pairs, config, output=start, resume=True)
    if arguments.data is not None:
        pairs = h9c2_pairs(arguments.data)
        output = arguments.out / "mito-h9c2.safetensors"
        held_out = arguments.held_out
        if arguments.held_out_frames:
            pairs = with_frames_apart(pairs, arguments.held_out_frames)
            held_out = [f"{cell} apart" for cell in arguments.held_out_frames]
        if held_out:
            config = real_config(start, arguments.steps, held_out)
            result = train(pairs, config, output=output, resume=True)
        else:
            config = real_config(start, arguments.steps)
            folds = [[cell] for cell in JUDGED]
            result = cross_validate(pairs, config, output=output, folds=folds, resume=True)
        scores = result.card.scores["virtual stain"]
        print({name: round(float(values["mean"]), 3) for name, values in scores.items()})


if __name__ == "__main__":
    main()
