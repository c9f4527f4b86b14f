"""Measure what int8 needs for a model that was trained before cards had it.

    python -m recipes.activation_ranges MODEL OUT --data h9c2_pairs
    python -m recipes.activation_ranges mito-simulated OUT
    python -m recipes.activation_ranges mito-segment OUT

The ranges of the values that convolutions read are taken from images of the cells that trained
the model, or from simulated ones; those of a segmenter from simulated fluorescence and from its
virtual stains. Weights and the rest of the card stay as they are. A training measures them by
itself.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import napari_virtualstain as vs
from napari_virtualstain.engine import activation_ranges, with_activation_ranges
from napari_virtualstain.models import Model, load_model, save_model
from napari_virtualstain.normalisation import spread_evenly
from napari_virtualstain.segmentation import Segmenter
from napari_virtualstain.simulation import simulate_frames
from recipes.h9c2 import h9c2_pairs


def measured_generator(model: Model, data: Path | None, images: int) -> Model:
    """Return a generator with the ranges on bright-field images."""
    if data is not None:
        light = h9c2_pairs(data).of_groups(model.card.split["train_groups"]).bright_field
        chosen = [np.asarray(light[i]).squeeze() for i in spread_evenly(images, len(light))]
    else:
        chosen = [one.bright_field for one in simulate_frames(images, seed=0)]
    return with_activation_ranges(model, [image[None] for image in chosen])


def fluorescence(images: int) -> Iterator[NDArray[np.float32]]:
    """Yield simulated fluorescence and as many virtual stains of the same scenes."""
    for scene in simulate_frames(images // 2, seed=0):
        yield np.asarray(scene.fluorescence, np.float32)
        yield vs.stain(scene.bright_field, "mito-simulated", pixel_size_um=0.08, device="cpu")


def measured_segmenter(model: Model, images: int) -> Model:
    """Return a segmenter with the ranges on fluorescence images."""
    segmenter, normalisation = Segmenter(model, device="cpu"), model.card.normalisation.input
    normal = (
        segmenter.compressed(normalisation.fit(image[None]).apply(image[None]))
        for image in fluorescence(images)
    )
    ranges = activation_ranges(model.network, normal)
    card = model.card.model_copy(update={"activation_ranges": ranges})
    return replace(model, card=card)


def main() -> None:
    """Measure and save the model anew."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("model")
    parser.add_argument("out", type=Path)
    parser.add_argument("--data", type=Path, help="folder h9c2_pairs; simulated without it")
    parser.add_argument("--images", type=int, default=24)
    given = parser.parse_args()
    model = load_model(given.model)
    if model.card.kind == "segmenter":
        measured = measured_segmenter(model, given.images)
    else:
        measured = measured_generator(model, given.data, given.images)
    for name, (low, high) in measured.card.activation_ranges.items():
        print(f"{name:12s} {low:8.2f} to {high:8.2f}")
    save_model(given.out, measured.network, measured.card)


if __name__ == "__main__":
    main()
