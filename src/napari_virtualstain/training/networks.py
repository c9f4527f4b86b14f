"""The networks of a training: new, or from a model that is fine-tuned."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..axes import USUAL_PIXEL_SIZE_UM, are_unlike_sizes
from ..data import CorrelativePairs, changed, later
from ..engine import free_memory, resample, resampled_shape
from ..errors import InputError, ModelError
from ..models import (
    Architecture,
    Discriminator,
    Inputs,
    Model,
    ModelCard,
    UNet,
    build_network,
    load_model,
)
from ..normalisation import Normalisation, spread_evenly
from .preparation import PreparedTraining
from .training_config import TrainingConfig

_LARGEST_RESAMPLING = 4.0
_Number = TypeVar("_Number", bound=np.generic)


def generator_for(config: TrainingConfig) -> tuple[nn.Module, dict[str, Any]]:
    """Return the generator to train, and the architecture for its card.

    Raises
    ------
    ModelError, InputError
        The model to start from is not usable, or has other inputs.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        if not config.init:
            architecture = config.network_architecture()
            network = build_network(architecture)
            _start_alive(network)
            return network, architecture
    model = load_model(config.init, kind="generator")
    network, described = model.network, model.card.architecture
    if model.card.inputs.planes != config.inputs.planes:
        network, described = reading_planes(model, config.inputs.planes)
    network.train().requires_grad_(True)
    _freeze(network, config)
    return network, described.model_dump()


def reading_planes(model: Model, planes: int) -> tuple[UNet, Architecture]:
    """Return a network that reads more planes than the model, and its architecture.

    At first it answers as the model does to the middle plane: the weights of the others are 0.

    Parameters
    ----------
    model : Model
        That reads one plane.
    planes : int
        Odd.

    Raises
    ------
    InputError
        The model reads several planes itself, or its network is no U-Net of this package.

    Examples
    --------
    >>> from napari_virtualstain.models import load_model
    >>> network, _ = reading_planes(load_model("mito-simulated"), 3)
    >>> network.in_channels
    3
    """
    old = model.network
    if model.card.inputs.planes != 1 or not isinstance(old, UNet):
        raise InputError(
            f"Model {model.name!r} reads {model.card.inputs.planes} bright-field planes, but "
            f"{planes} are given. Use as many planes, or train without it (--init none)."
        )
    card = model.card.architecture
    architecture = Architecture(name=card.name, arguments={**card.arguments, "in_channels": planes})
    network = build_network(architecture)
    assert isinstance(network, UNet)
    state = dict(old.state_dict())
    first = state["down.0.0.weight"]
    outputs, channels, *kernel = first.shape
    copies = channels // old.replicate
    wide = first.new_zeros(outputs, old.replicate, planes, copies, *kernel)
    wide[:, :, planes // 2] = first.view(outputs, old.replicate, copies, *kernel)
    state["down.0.0.weight"] = wide.view(outputs, -1, *kernel)
    network.load_state_dict(state)
    return network, architecture


def with_settings_of(config: TrainingConfig) -> TrainingConfig:
    """Return the settings with normalisation and outputs of the model to start from.

    A fine-tuned network keeps the inputs that it was trained with. If its output has fixed units,
    those of another camera, the targets are normalised again and :func:`match_units` follows.
    """
    if not config.init:
        return config
    from ..models import read_card

    card = read_card(config.init)
    wanted = card.normalisation
    target = wanted.output if _refits(wanted.output) else config.target_normalisation
    loss = config.loss
    if loss.is_heteroscedastic and not card.predicts_uncertainty:
        raise InputError(
            f"Model {card.name!r} does not predict its uncertainty, which the Laplace loss needs. "
            "Choose another loss, or train without it."
        )
    if card.predicts_uncertainty and not loss.is_heteroscedastic:
        loss = loss.model_copy(update={"laplace": 1.0, "l1": 0.0})
    return config.updated(
        input_normalisation=wanted.input.model_dump(),
        target_normalisation=target.model_dump(),
        inputs=_inputs(config, card).model_dump(),
        loss=loss.model_dump(),
    )


def _inputs(config: TrainingConfig, card: ModelCard) -> Inputs:
    """Return the planes to read: those of the model, or more where it reads one."""
    grows = card.inputs.planes == 1 < config.inputs.planes
    return config.inputs if grows else card.inputs


def match_units(network: nn.Module, prepared: PreparedTraining, config: TrainingConfig) -> None:
    """Fit gain and offset of the last layer to the targets, when a model's units are fixed.

    Without it fine-tuning on another camera would first have to undo a factor of ten or more.
    """
    if not config.init or not isinstance(network, UNet):
        return
    from ..models import read_card

    if _refits(read_card(config.init).normalisation.output):
        return
    gain, offset = _fitted_units(network, prepared)
    with torch.no_grad():
        weight, bias = network.head.weight, network.head.bias
        weight[0] *= gain
        if bias is not None:
            bias[0] = bias[0] * gain + offset
            if len(bias) > 1:
                bias[1] += math.log(gain)


def at_size_of_start(
    pairs: CorrelativePairs, config: TrainingConfig
) -> tuple[CorrelativePairs, TrainingConfig, tuple[str, ...]]:
    """Return pairs and settings at the pixel size of the model to start from.

    Its filters know structures by their size in pixels. Pairs of another size are interpolated to
    that of the model, as :func:`napari_virtualstain.stain` does with images.

    Parameters
    ----------
    pairs, config : CorrelativePairs and TrainingConfig
        What trains, and how.

    Returns
    -------
    pairs, config, notes
        As given where sizes agree or one is unknown, without a model to start from, and where
        pixels differ more than four times. Pairs that would not fit into half the free memory are
        interpolated at each use.

    Notes
    -----
    On 50 simulated pairs of 0.2 µm pixels, band-pass Pearson 0.59 instead of 0.56
    (``docs/evidence/training.md``).
    """
    given = config.pixel_size_um or pairs.pixel_size_um
    wanted = _size_of_start(config)
    if not given or not wanted or not are_unlike_sizes(given, wanted):
        return pairs, config, ()
    factor = given / wanted
    if max(factor, 1 / factor) > _LARGEST_RESAMPLING:
        return pairs, config, ()
    pixels = sum(light.size + dark.size for light, dark in _images(pairs)) * factor**2
    at_once = 4 * pixels <= free_memory(torch.device("cpu")) / 2
    shapes = [resampled_shape(_size(dark), given, wanted) for _, dark in _images(pairs)]
    interpolated = partial(_interpolated, at_once=at_once)
    resampled = replace(
        pairs,
        bright_field=tuple(map(interpolated, pairs.bright_field, shapes)),
        fluorescence=tuple(map(interpolated, pairs.fluorescence, shapes)),
        masks=tuple(
            None if mask is None else _resampled(mask, shape)
            for mask, shape in zip(pairs.masks, shapes, strict=False)  # there may be no masks
        ),
        pixel_size_um=wanted,
    )
    note = (
        f"The pairs have {given:g} µm/px, the model to start from {wanted:g} µm: they are "
        f"interpolated to {wanted:g} µm, and pixels in these messages are of that size."
    )
    size_um = wanted if config.pixel_size_um else None
    return resampled, config.updated(pixel_size_um=size_um), (note,)


def _images(pairs: CorrelativePairs) -> Iterable[tuple[NDArray[Any], NDArray[Any]]]:
    return zip(pairs.bright_field, pairs.fluorescence, strict=True)


def _size(image: NDArray[Any]) -> tuple[int, int]:
    height, width = image.shape[-2:]
    return int(height), int(width)


def _interpolated(image: NDArray[Any], shape: tuple[int, int], *, at_once: bool) -> NDArray[Any]:
    whole = (*image.shape[:-2], *shape)
    if at_once:
        return changed(image, partial(_resampled, shape=shape), whole)
    return later(partial(_resampled, image, shape), whole, image.dtype)


def _resampled(image: NDArray[_Number], shape: tuple[int, int]) -> NDArray[_Number]:
    """Return an image interpolated to `shape`, in its own type: saturation stays visible."""
    values = resample(np.asarray(image, np.float32), shape)
    if image.dtype == bool:
        return np.asarray(values > 0.5, dtype=image.dtype)
    if np.issubdtype(image.dtype, np.integer):
        limits = np.iinfo(image.dtype)  # type: ignore[type-var]
        values = np.clip(np.rint(values), limits.min, limits.max)
    return values.astype(image.dtype)


def _size_of_start(config: TrainingConfig) -> float | None:
    from ..models import read_card

    return read_card(config.init).pixel_size_um if config.init else None


def pixel_size_notes(prepared: PreparedTraining, config: TrainingConfig) -> tuple[str, ...]:
    """Return what a user should know about the pixel size of images and starting model."""
    given = prepared.pixel_size_um
    if given is None:
        return (
            f"The pixel size of the images is not known. The model will stain every image as it "
            f"is, and where a size is needed, {USUAL_PIXEL_SIZE_UM:g} µm is assumed: give it "
            "(pixel_size_um, --pixel-size-um).",
        )
    wanted = _size_of_start(config)
    if wanted is None or not are_unlike_sizes(given, wanted):
        return ()
    return (
        f"The model to start from was trained at {wanted:g} µm/px, these images have {given:g} µm "
        "and were not interpolated (more than four times): it has more to learn. Resampled "
        "images, or training without it, may do better.",
    )


def acquaintance_notes(prepared: PreparedTraining, config: TrainingConfig) -> tuple[str, ...]:
    """Return a warning if the model to start from, or a teacher, trained on held-out images."""
    from ..models import read_card

    pairs = prepared.pairs
    held_out = {(pairs.names[i], pairs.groups[i]) for i in prepared.split.validation}
    notes = []
    for model in filter(None, (config.init, *config.teachers)):
        card = read_card(model)
        names, groups = card.data.get("names", ()), card.split.get("train_groups", ())
        seen = sum(name in names and group in groups for name, group in held_out)
        if seen:
            notes.append(
                f"{seen} of the {len(held_out)} held-out images bear the names of images that "
                f"trained {card.name!r}: if they are the same, the scores flatter. Judge on cells "
                "that it has not seen."
            )
    return tuple(notes)


def _refits(rule: Normalisation) -> bool:
    return rule.kind not in ("none", "fixed")


def _fitted_units(network: nn.Module, prepared: PreparedTraining) -> tuple[float, float]:
    """Return gain and offset by which mean and spread of outputs become those of targets."""
    stride = int(getattr(network, "stride", 1))
    outputs, targets = [], []
    network.eval()
    for index in spread_evenly(8, len(prepared.train)):
        pair = prepared.train[index]
        part = [slice(0, min(n, 256) // stride * stride) for n in pair.fluorescence.shape]
        inputs, target, _ = pair.normalised(part[0], part[1])
        with torch.no_grad():
            outputs.append(network(torch.from_numpy(inputs)[None])[0, 0].numpy().ravel())
        targets.append(target.ravel())
    network.train()
    made, wanted = np.concatenate(outputs), np.concatenate(targets)
    gain = float(wanted.std() / max(float(made.std()), 1e-6))
    gain = min(max(gain, 1e-3), 1e3)
    return gain, float(wanted.mean() - gain * made.mean())


def discriminator_for(config: TrainingConfig) -> nn.Module | None:
    """Return the discriminator, or None when no adversarial loss is asked for."""
    if not config.loss.has_adversary:
        return None
    channels = 1 + (config.inputs.planes if config.discriminator_sees_input else 0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed + 1)
        return Discriminator(channels, width=config.discriminator_width)


class Teachers:
    """Models whose mean output is an additional target (distillation).

    Parameters
    ----------
    names : tuple of str
        Models with the same inputs and the same normalisation as the training.
    device : torch.device
        Where they run.
    """

    def __init__(self, config: TrainingConfig, device: torch.device) -> None:
        self._models: list[Model] = [load_model(name, kind="generator") for name in config.teachers]
        for model in self._models:
            if model.card.normalisation.input.kind != config.input_normalisation.kind:
                raise ModelError(
                    f"Teacher {model.name!r} normalises its input by "
                    f"{model.card.normalisation.input.kind}, the training by "
                    f"{config.input_normalisation.kind}. They must agree."
                )
            model.network.to(device)

    def __call__(self, inputs: Tensor) -> Tensor | None:
        """Return the mean of the teachers' images, (N, 1, Y, X), or None without teachers."""
        if not self._models:
            return None
        with torch.no_grad():
            return torch.stack([m.network(inputs)[:, :1] for m in self._models]).mean(0)


def frozen_modules(network: nn.Module, *, all_of_them: bool = False) -> list[nn.Module]:
    """Return the BatchNorm layers whose weights are frozen; they must not adapt either."""
    return [
        module
        for module in network.modules()
        if isinstance(module, nn.BatchNorm2d)
        and (all_of_them or not any(p.requires_grad for p in module.parameters()))
    ]


def _start_alive(network: nn.Module) -> None:
    """Lift the bias of a ReLU output, which could otherwise be dead from the start."""
    if isinstance(network, UNet) and network.output_activation == "relu":
        nn.init.constant_(network.head.bias, 0.2)  # type: ignore[arg-type]


def _freeze(network: nn.Module, config: TrainingConfig) -> None:
    if config.trainable == "all":
        return
    if not isinstance(network, UNet):
        raise InputError(
            "Parts can be frozen in U-Nets only; train all of this network (trainable='all')."
        )
    network.requires_grad_(False)
    parts: dict[str, list[nn.Module]] = {
        "first_blocks": list(network.down[:2]),
        "decoder": [network.narrow, *network.up, network.head],
        "head": [network.head],
    }
    for part in parts[config.trainable]:
        part.requires_grad_(True)
