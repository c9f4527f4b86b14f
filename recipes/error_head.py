"""Give a generator that states no uncertainty a second output: how far off it may be.

    python -m recipes.error_head MODEL OUT --data h9c2_pairs
    python -m recipes.error_head mito-start.safetensors OUT --simulated simulated/

The network stays as it is. One 1x1 convolution on its last features learns the logarithm of
the scale of a Laplace error on the training cells; held-out cells set the factor that
calibrates it (``calibrate``). A model that was cross-validated has none: its folds, beside
it, get such an output too, and the geometric mean of their factors is taken.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from napari_virtualstain.data import CorrelativePairs
from napari_virtualstain.models import Model, build_network, load_model, save_model
from napari_virtualstain.staining import calibrate
from recipes.h9c2 import h9c2_pairs
from recipes.train_shipped_models import simulated_pairs


def with_second_output(model: Model) -> tuple[nn.Module, dict[str, Any]]:
    """Return the U-Net with a log scale beside its mean, and its architecture."""
    architecture = model.card.architecture.model_dump()
    architecture["arguments"]["out_channels"] = 2
    network = build_network(architecture)
    state = dict(model.network.state_dict())
    for name, start in (("head.weight", 0.0), ("head.bias", -1.0)):
        grown = torch.full_like(network.state_dict()[name], start)
        grown[:1] = state[name]
        state[name] = grown
    network.load_state_dict(state)
    return network.eval(), architecture


def normalised(model: Model, pairs: CorrelativePairs) -> list[tuple[Tensor, Tensor]]:
    """Return input and target (1, 1, Y, X) of each pair, normalised as the card says."""
    card = model.card
    return [
        (
            torch.from_numpy(card.normalisation.input.fit(light).apply(light))[None, None],
            torch.from_numpy(card.normalisation.output.fit(dark).apply(dark))[None, None],
        )
        for light, dark in (
            (np.asarray(one).squeeze(), np.asarray(other).squeeze())
            for one, other in zip(pairs.bright_field, pairs.fluorescence, strict=True)
        )
    ]


def learn(network: nn.Module, pairs: list[tuple[Tensor, Tensor]], steps: int) -> None:
    """Fit the second output by the likelihood of a Laplace error, in place."""
    features: list[Tensor] = []
    hook = network.head.register_forward_pre_hook(lambda _, given: features.append(given[0]))
    with torch.no_grad():
        means = [network(light)[:, :1] for light, _ in pairs]
    hook.remove()
    scale = nn.Conv2d(features[0].shape[1], 1, 1)
    nn.init.zeros_(scale.weight)
    nn.init.constant_(scale.bias, -1.0)
    optimiser = torch.optim.Adam(scale.parameters(), lr=0.02)
    rng = np.random.default_rng(0)
    for _ in range(steps):
        chosen = rng.integers(0, len(pairs), 4)
        error = torch.cat([(pairs[index][1] - means[index]).abs() for index in chosen])
        fine = network.left(scale(torch.cat([features[index] for index in chosen])))
        log_scale = fine.clamp(-6, 3)
        loss = (error * torch.exp(-log_scale) + log_scale).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    with torch.no_grad():
        network.head.weight[1:] = scale.weight
        network.head.bias[1:] = scale.bias


def calibration_factor(network: nn.Module, model: Model, pairs: CorrelativePairs) -> float:
    """Return by what the stated deviation is to be multiplied, in grey levels, held-out cells."""
    output = model.card.normalisation.output.typical
    with torch.no_grad():
        stated = [network(light)[0].numpy() for light, _ in normalised(model, pairs)]
    return calibrate(
        np.stack([output.invert(mean) for mean, _ in stated]),
        np.stack([np.asarray(dark, dtype=np.float32).squeeze() for dark in pairs.fluorescence]),
        np.stack([2**0.5 * output.scale * np.exp(log_scale) for _, log_scale in stated]),
    ).factor


def grown(
    model: Model, pairs: CorrelativePairs, steps: int
) -> tuple[nn.Module, dict[str, Any], list[float]]:
    """Return network and architecture with the new output, and the factor of held-out cells."""
    split = model.card.split
    network, architecture = with_second_output(model)
    learn(network, normalised(model, pairs.of_groups(split["train_groups"])), steps)
    held_out = split["validation_groups"]
    if not held_out:
        return network, architecture, []
    factor = calibration_factor(network, model, pairs.of_groups(held_out))
    print(f"uncertainty factor {factor:.3f} on {', '.join(held_out)}")
    return network, architecture, [factor]


def main() -> None:
    """Add the output and save the model anew."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("out", type=Path)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--data", type=Path, help="folder h9c2_pairs")
    source.add_argument("--simulated", type=Path, help="folder of train_shipped_models")
    parser.add_argument("--number", type=int, default=400, help="of simulated pairs")
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--pretraining", help="how the start was trained, for the card")
    arguments = parser.parse_args()
    model = load_model(arguments.model)
    pairs = (
        h9c2_pairs(arguments.data)
        if arguments.data
        else simulated_pairs(arguments.simulated, arguments.number)
    )
    network, architecture, factors = grown(model, pairs, arguments.steps)
    folds = arguments.model.with_suffix(".training") / "folds"
    for path in sorted(folds.glob("fold-*/model.safetensors")):
        factors += grown(load_model(path), pairs, arguments.steps)[2]
    factor = float(np.exp(np.mean(np.log(factors))))
    facts = model.card.model_dump()
    facts["architecture"] = architecture
    facts["outputs"] = ["mean", "log_scale"]
    facts["inference"] = {"uncertainty_factor": factor, "test_time_augmentation": False}
    if arguments.pretraining:
        facts["training"]["pretraining"] = arguments.pretraining
    save_model(arguments.out, network, type(model.card)(**facts))
    print(f"uncertainty factor {factor:.3f}")


if __name__ == "__main__":
    main()
