"""Measure what int8 needs for a generator that was trained before cards had it.

    python -m recipes.activation_ranges MODEL OUT --data h9c2_pairs
    python -m recipes.activation_ranges mito-simulated OUT

The ranges of the values that convolutions read are taken from images of the cells that trained
the model, or from simulated ones; weights and the rest of the card stay as they are. A training
measures them by itself.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from napari_virtualstain.engine import with_activation_ranges
from napari_virtualstain.models import load_model, save_model
from napari_virtualstain.normalisation import spread_evenly
from napari_virtualstain.simulation import simulate_frames
from recipes.h9c2 import h9c2_pairs


def main() -> None:
    """Measure and save the model anew."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("model")
    parser.add_argument("out", type=Path)
    parser.add_argument("--data", type=Path, help="folder h9c2_pairs; simulated without it")
    parser.add_argument("--images", type=int, default=24)
    given = parser.parse_args()
    model = load_model(given.model, kind="generator")
    if given.data:
        pairs = h9c2_pairs(given.data).of_groups(model.card.split["train_groups"])
        light = pairs.bright_field
        images = [np.asarray(light[i]).squeeze() for i in spread_evenly(given.images, len(light))]
    else:
        images = [one.bright_field for one in simulate_frames(given.images, seed=0)]
    measured = with_activation_ranges(model, [image[None] for image in images])
    for name, (low, high) in measured.card.activation_ranges.items():
        print(f"{name:12s} {low:8.2f} to {high:8.2f}")
    save_model(given.out, measured.network, measured.card)


if __name__ == "__main__":
    main()
