"""Validation of a network on held-out images."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ..data import PreparedPair, inside_only, middle_part
from ..metrics import bandpass_pearson, pearson
from ..progress import CancelToken
from .device import Compute
from .preparation import PreparedTraining
from .training_events import Preview

LARGEST_WHILE_TRAINING = 320


def predict(
    network: nn.Module,
    pair: PreparedPair,
    compute: Compute,
    *,
    largest: int | None = None,
) -> tuple[NDArray[np.float32], tuple[slice, slice]]:
    """Return the network's image of a frame, normalised, and the part that it covers.

    Parameters
    ----------
    network : torch.nn.Module
        In evaluation mode.
    pair : PreparedPair
        The frame.
    compute : Compute
        On what.
    largest : int, optional
        Only the middle of larger frames is looked at.
    """
    part = middle_part(pair.fluorescence.shape, largest)
    inputs = pair.normalised(*part)[0]
    stride = int(getattr(network, "stride", 1))
    height, width = inputs.shape[1:]
    margins = (-height % stride, -width % stride)
    padded = np.pad(inputs, [(0, 0), (0, margins[0]), (0, margins[1])], mode="symmetric")
    tensor = torch.from_numpy(padded)[None].to(compute.device, memory_format=compute.memory_format)
    with torch.no_grad(), compute.autocast():
        output = network(tensor)[0, 0]
    return output.float().cpu().numpy()[:height, :width], part


def image_of(network: nn.Module, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a network's image of normalised planes (P, Y, X), in evaluation mode on its device."""
    stride = int(getattr(network, "stride", 1))
    height, width = inputs.shape[1:]
    padded = np.pad(inputs, [(0, 0), (0, -height % stride), (0, -width % stride)], mode="symmetric")
    device = next(network.parameters()).device
    was_training = network.training
    network.eval()
    with torch.no_grad():
        output = network(torch.from_numpy(np.ascontiguousarray(padded))[None].to(device))[0, 0]
    network.train(was_training)
    image: NDArray[np.float32] = output.float().cpu().numpy()[:height, :width]
    return image


def quick_scores(
    network: nn.Module,
    pairs: Sequence[PreparedPair],
    compute: Compute,
    *,
    pixel_size_um: float,
    cancel: CancelToken | None = None,
) -> tuple[dict[str, float], list[NDArray[np.float32]]]:
    """Return mean L1, Pearson and band-pass Pearson on held-out frames, and the images."""
    rows: list[tuple[float, float, float]] = []
    images = []
    for pair in pairs:
        if cancel is not None:
            cancel.raise_if_cancelled()
        image, part = predict(network, pair, compute, largest=LARGEST_WHILE_TRAINING)
        mask = None if pair.mask is None else pair.mask[part]
        if mask is not None and not mask.any():
            mask = None
        image = inside_only(image, mask)
        target = inside_only(pair.normalised(*part)[1], mask)
        rows.append(
            (
                float(np.abs(image - target).mean()),
                pearson(image, target),
                bandpass_pearson(image, target, pixel_size_um=pixel_size_um),
            )
        )
        images.append(image)
    # a constant image has no correlation: it counts as none
    means = np.nan_to_num(np.array(rows, dtype=float)).mean(0)
    names = ("loss", "pearson", "bandpass_pearson")
    return {name: float(value) for name, value in zip(names, means, strict=True)}, images


def trivial_scores(
    pairs: Sequence[PreparedPair], *, pixel_size_um: float
) -> dict[str, dict[str, float]]:
    """Return the mean Pearson and band-pass Pearson of the bright-field image itself.

    Dark structures count as bright ones: what any stain should beat is their likeness.
    """
    if not pairs:
        return {}
    rows = []
    for pair in pairs:
        part = middle_part(pair.fluorescence.shape, LARGEST_WHILE_TRAINING)
        inputs, target, _ = pair.normalised(*part)
        image = inputs[len(inputs) // 2]
        fine = bandpass_pearson(image, target, pixel_size_um=pixel_size_um)
        rows.append((abs(pearson(image, target)), abs(fine)))
    whole, fine = np.nan_to_num(np.array(rows, dtype=float)).mean(0)
    return {"bright-field": {"pearson": float(whole), "bandpass_pearson": float(fine)}}


def preview(
    prepared: PreparedTraining,
    index: int,
    image: NDArray[np.float32],
    before: NDArray[np.float32] | None = None,
) -> Preview:
    """Return a held-out image beside its truth, in the units of the data.

    Parameters
    ----------
    prepared : PreparedTraining
        The data.
    index : int
        Which of its held-out pairs.
    image : ndarray of shape (Y, X)
        What the network made of the middle of it, normalised.
    before : ndarray of shape (Y, X), optional
        What the starting model made of it.
    """
    pair = prepared.validation[index]
    height, width = image.shape
    top = (pair.fluorescence.shape[0] - height) // 2
    left = (pair.fluorescence.shape[1] - width) // 2
    part = (slice(top, top + height), slice(left, left + width))
    centre = len(pair.bright_field) // 2
    return Preview(
        name=prepared.pairs.names[prepared.split.validation[index]],
        bright_field=pair.bright_field[centre][part].astype("float32"),
        fluorescence=pair.fluorescence[part].astype("float32"),
        virtual=prepared.typical_maps()[1].invert(image),
        before=None if before is None else prepared.typical_maps()[1].invert(before),
    )
