"""Masks, measures and maps of fixed images are those of the last version."""

from __future__ import annotations

import numpy as np
import torch
from scipy import ndimage
from stored_figures import check_figures, of_array, of_table

import napari_virtualstain as vs
from napari_virtualstain.segmentation import measure, split_instances, summarise_frames
from napari_virtualstain.segmentation.affinities import step_directions
from napari_virtualstain.segmentation.learning import Learner, as_batch, segmentation_loss
from napari_virtualstain.segmentation.painted import LabelledImage, draw_crop
from napari_virtualstain.segmentation.typical_width import measure_width


def worms() -> np.ndarray:
    """Return bright curved lines of several widths that touch and cross, shape (2, 128, 144)."""
    rng = np.random.default_rng(1)
    frames = []
    for _ in range(2):
        shine = np.zeros((128, 144))
        for y, x, angle, bend in rng.uniform((16, 16, 0, -0.08), (112, 128, 6.3, 0.08), (16, 4)):
            turn = angle + bend * np.arange(rng.integers(8, 34))
            rows = np.clip(y + np.cumsum(np.sin(turn)), 4, 123).astype(int)
            columns = np.clip(x + np.cumsum(np.cos(turn)), 4, 139).astype(int)
            line = np.zeros_like(shine)
            line[rows, columns] = rng.uniform(0.6, 1.0)
            shine += ndimage.gaussian_filter(line, rng.uniform(1.4, 2.4))
        frames.append(rng.poisson(20 + 900 * shine / shine.max()))
    return np.stack(frames).astype(np.uint16)


def probability() -> np.ndarray:
    """Return what stands for a network's foreground of these lines."""
    smooth = ndimage.gaussian_filter(worms().astype(float), (0, 1, 1))
    return (1 / (1 + np.exp((150 - smooth) / 30))).astype(np.float32)


def test_instances_and_measures() -> None:
    found = {}
    for split in ("skeleton", "log", "none"):
        labels = split_instances(probability(), pixel_size_um=0.08, split=split)
        table = measure(labels, worms(), pixel_size_um=0.08)
        found |= of_table(split, table) | of_table(f"{split} frames", summarise_frames(table))
    check_figures("segmentation_measures", found, tolerance=2e-3)


def test_widths() -> None:
    found = {}
    for pixel_size_um in (0.08, 0.16):
        width = measure_width(worms()[0], pixel_size_um)
        assert width is not None
        names = ("median_um", "lower_um", "upper_um", "contrast")
        found |= {f"{name} at {pixel_size_um}": getattr(width, name) for name in names}
    check_figures("segmentation_widths", found)


def test_the_usual_model() -> None:
    labels = vs.segment(worms(), pixel_size_um=0.1, device="cpu")
    found = of_table("labels", measure(labels, worms(), pixel_size_um=0.1))
    check_figures("segmentation_model", found, tolerance=1e-2)


def test_learning() -> None:
    torch.manual_seed(0)
    labels = split_instances(probability(), pixel_size_um=0.08)
    steps = list(step_directions((1, 3), (4, 4)))
    example = LabelledImage(
        worms()[0].astype(np.float32) / 500, labels[0], np.ones(labels[0].shape, bool)
    )
    rng = np.random.default_rng(0)
    batch = as_batch([draw_crop(example, 64, rng) for _ in range(3)])
    weights = torch.from_numpy(rng.normal(size=(2 + len(steps), 1, 3, 3)) / 3).float()
    network = torch.nn.Conv2d(1, 2 + len(steps), 3, padding=1)
    network.load_state_dict({"weight": weights, "bias": torch.zeros(2 + len(steps))})
    outputs = network(batch.images)
    loss = segmentation_loss(outputs, batch.labels, batch.known, steps)
    found = {"loss": loss.item()} | of_array("images", batch.images)
    learner = Learner(network, steps, 0.01, 20)
    found |= {f"step {k}": learner.learn(batch) for k in range(12)}
    found |= of_array("mean weights", learner.mean["weight"])
    check_figures("segmentation_learning", found, tolerance=2e-3)
