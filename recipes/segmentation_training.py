r"""Train `mito-segment` anew, without any manual annotation.

    python -m recipes.segmentation_training --data FOLDER -o mito-segment.safetensors \
        [--real TL_010=GENERATOR] [--init MODEL] [--steps 5600 2800]
        [--stained 150] [--virtual-share 0.18] [--stains-decide]

Two rounds on the images of `segmentation_sources.py`: a new network, whose BatchNorm learns
its statistics, then more steps at a lower rate with these frozen, since batches of eight are
too small to tell them. With `--real` the second round also learns from stains of real cells by
generators that have not seen them (`train_shipped_models.py --held-out TL_010 TL_011`),
outlined in the real fluorescence by the first round's model. With `--stains-decide` Dice counts
on stains too, which drives their probabilities to nought or one. `--init` makes the second round
only, from a given model; `--mean-with` averages its weights with those of models that it
went on from, which outlines better. What was simulated and learnt lies in
``OUTPUT.training``: the same command goes on where it stopped. About 0.6 s a step on one
core with bfloat16.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from napari_virtualstain.models import ModelCard, build_network, load_model, save_model
from napari_virtualstain.segmentation.fine_tuning import new_card
from napari_virtualstain.segmentation.learning import Batch, Learner, as_batch, seeded
from recipes.segmentation_sources import (
    SHARES,
    Sample,
    Sources,
    draw_sample,
    read_real,
    read_sources,
)

BATCH = 8
CHECKPOINT_EVERY = 50
# levels chosen on validation images (merging) and on stains of the real cells (cut)
CHOSEN = {"merge_above": 0.25, "lowest_cut": 0.12}


@dataclass(frozen=True, slots=True)
class Round:
    """Optimiser steps from a model, or from a new network, kept under a name."""

    name: str
    steps: int
    learning_rate: float
    seed: int
    virtual_share: float
    stains_decide: bool
    init: Path | None = None


def make_round(turn: Round, sources: Sources, folder: Path) -> Path:
    """Return the file of the trained model; goes on from its checkpoint if there is one."""
    target, checkpoint = (folder / f"{turn.name}.{end}" for end in ("safetensors", "checkpoint"))
    if target.exists():
        return target
    put_back = seeded(turn.seed)
    learner, card = start(turn)
    put_back()
    rng = np.random.default_rng(turn.seed)
    if checkpoint.exists():
        learner.resume(checkpoint, rng)
    while learner.step < turn.steps:
        samples = [draw_sample(sources, rng, turn.virtual_share) for _ in range(BATCH)]
        loss = learner.learn(as_samples(samples, stains_decide=turn.stains_decide))
        if learner.step % CHECKPOINT_EVERY == 0:
            learner.save(checkpoint, rng)
            print(f"{turn.name}: step {learner.step} of {turn.steps}, loss {loss:.3f}", flush=True)
    save_model(target, learner.finish(), card)
    return target


def start(turn: Round) -> tuple[Learner, ModelCard]:
    """Return a learner of a new network, or of that of a model with its statistics frozen."""
    card = new_card("mito-segment")
    if turn.init is not None:
        network = load_model(turn.init, kind="segmenter").network
    else:
        network = build_network(card.architecture)
        with torch.no_grad():
            network.head.bias[:2] = -2.0
            network.head.bias[2:] = 1.0
    learner = Learner(
        network.float().to(memory_format=torch.channels_last),
        [tuple(step) for step in card.segmentation["steps"]],
        turn.learning_rate,
        turn.steps,
        keep_statistics=turn.init is not None,
        weight_decay=1e-3,
        newest_share=0.005,
    )
    return learner, card


def as_samples(samples: list[Sample], *, stains_decide: bool = False) -> Batch:
    """Return samples as one batch, all pixels known."""
    crops = [(s.image, s.labels, np.ones(s.labels.shape, bool)) for s in samples]
    unsure = [s.virtual and not stains_decide for s in samples]
    return as_batch(crops, parted=[s.parted for s in samples], unsure=unsure)


def finished(model: Path, rounds: list[Round], arguments: argparse.Namespace) -> ModelCard:
    """Return the card of the model of the last round."""
    card = load_model(model).card
    card.segmentation.update(CHOSEN)
    done = [
        {
            "steps": r.steps,
            "learning_rate": r.learning_rate,
            "seed": r.seed,
            "batch": BATCH,
            "virtual_share": r.virtual_share,
            "stains_decide": r.stains_decide,
        }
        for r in rounds
    ]
    data = {
        "simulated": arguments.simulated,
        "stained": arguments.stained,
        "real": [r.partition("=")[0] for r in arguments.real],
    }
    return card.model_copy(update={"training": {"rounds": done}, "data": data})


def main() -> None:
    """Train and write the model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--steps", type=int, nargs=2, default=[5600, 2800], help="of each round")
    parser.add_argument("--rates", type=float, nargs=2, default=[2.5e-3, 8e-4])
    parser.add_argument("--simulated", type=int, default=600, help="fields of the simulator")
    parser.add_argument("--stained", type=int, help="fields [a quarter of --simulated]")
    parser.add_argument("--virtual-share", type=float, default=float(SHARES[3]))
    parser.add_argument("--stains-decide", action="store_true", help="Dice on stains too")
    parser.add_argument("--real", nargs="+", default=[], metavar="CELL=GENERATOR")
    parser.add_argument("--only-real", action="store_true", help="nothing else in round two")
    parser.add_argument("--init", type=Path, help="in place of the first round's model")
    parser.add_argument("--mean-with", type=Path, nargs="+", default=[], metavar="MODEL")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    if arguments.stained is None:
        arguments.stained = arguments.simulated // 4
    if arguments.only_real and not arguments.real:
        parser.error("--only-real needs --real")
    print(save_trained(arguments))


def check_settings(path: Path, arguments: argparse.Namespace) -> None:
    """Stop if the folder has what other settings made; else note these."""
    settings = json.dumps({name: str(value) for name, value in vars(arguments).items()}, indent=1)
    if path.exists() and path.read_text() != settings:
        raise SystemExit(f"{path.parent} was made with other settings: see {path.name} there")
    path.write_text(settings)


def save_trained(arguments: argparse.Namespace) -> Path:
    """Make what is missing of the rounds, and write the model."""
    folder = arguments.output.with_name(f"{arguments.output.name}.training")
    folder.mkdir(parents=True, exist_ok=True)
    check_settings(folder / "settings.json", arguments)
    (first_steps, steps), (first_rate, rate) = arguments.steps, arguments.rates
    rounds, init = [], arguments.init
    stains = {"virtual_share": arguments.virtual_share, "stains_decide": arguments.stains_decide}
    if init is None:
        rounds.append(Round("new", first_steps, first_rate, arguments.seed, **stains))
        sources = read_sources(arguments.data, folder, arguments.simulated, arguments.stained)
        init = make_round(rounds[0], sources, folder)
    rounds.append(Round("frozen", steps, rate, arguments.seed + 1, init=init, **stains))
    if arguments.only_real:
        recorded = read_real(arguments.data, folder, arguments.real, init)
        sources = Sources(([], []), ([], []), ([], [], []), recorded)
    else:
        options = (arguments.simulated, arguments.stained, arguments.real, init)
        sources = read_sources(arguments.data, folder, *options)
    trained = make_round(rounds[-1], sources, folder)
    card = finished(trained, rounds, arguments)
    return save_model(arguments.output, mean_network([trained, *arguments.mean_with]), card)


def mean_network(models: list[Path]) -> torch.nn.Module:
    """Return a network with the mean weights of models that went on from one another."""
    networks = [load_model(path, kind="segmenter").network for path in models]
    states = [network.state_dict() for network in networks]
    mean = {
        name: torch.stack([state[name].float() for state in states]).mean(0).to(value.dtype)
        for name, value in states[0].items()
    }
    networks[0].load_state_dict(mean)
    return networks[0]


if __name__ == "__main__":
    main()
