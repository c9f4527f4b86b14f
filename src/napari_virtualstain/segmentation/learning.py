"""Training loop of the segmenter, the one file with torch here.

The network has 2 + K output maps: foreground, contact (a pixel of one mitochondrion
with another within two pixels), and for each of K steps whether the pixel there
belongs to the same mitochondrion. Only known pixels count. For contacts and pairs a
mitochondrion reaches two pixels beyond its outline: a found outline is a little too wide
here and there, and what the network says in the gap between two must part them too.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn
from torch.nn import functional

from ..errors import TrainingError
from ..io import write_bytes_atomically
from .affinities import Step

_NEAR = sorted(
    ((y, x) for y in range(-2, 3) for x in range(-2, 3) if 0 < y * y + x * x < 8),
    key=lambda step: step[0] ** 2 + step[1] ** 2,
)
_USUAL_AREA_PX = 80.0


class Batch(NamedTuple):
    """N crops to learn from.

    Attributes
    ----------
    images : Tensor of float, shape (N, 1, Y, X)
        Normalised.
    labels, known : Tensor of int and bool, shape (N, Y, X)
        0 is background; pixels that are not known teach nothing.
    parted, unsure : Tensor of bool, shape (N,), or None
        See :func:`segmentation_loss`.
    """

    images: Tensor
    labels: Tensor
    known: Tensor
    parted: Tensor | None = None
    unsure: Tensor | None = None


def shifted(image: Tensor, step: Step, fill: int) -> Tensor:
    """Return `image` (..., Y, X) as seen from pixels `step` away; `fill` beyond the border."""
    result = torch.full_like(image, fill)
    height, width = image.shape[-2:]
    (dy, dx) = step
    seen = image[..., max(0, dy) : height + min(0, dy), max(0, dx) : width + min(0, dx)]
    result[..., max(0, -dy) : height - max(0, dy), max(0, -dx) : width - max(0, dx)] = seen
    return result


def pair_targets(labels: Tensor, steps: Iterable[Step]) -> tuple[Tensor, Tensor]:
    """Return for each step whether both pixels belong together, and whether it is known.

    Parameters
    ----------
    labels : Tensor of int, shape (N, Y, X)
        0 is background or unknown.

    Returns
    -------
    same, valid : Tensor of bool, shape (N, K, Y, X)
    """
    same, valid = [], []
    for step in steps:
        other = shifted(labels, step, 0)
        valid.append((labels > 0) & (other > 0))
        same.append(labels == other)
    return torch.stack(same, 1), torch.stack(valid, 1)


def widened(labels: Tensor) -> Tensor:
    """Return labels (N, Y, X) where background within two pixels has the nearest label.

    Examples
    --------
    >>> widened(torch.tensor([[[0, 0, 0, 4, 0, 0, 0, 9]]])).tolist()
    [[[0, 4, 4, 4, 4, 4, 9, 9]]]
    """
    wide = labels.clone()
    for step in _NEAR:
        wide = torch.where(wide > 0, wide, shifted(labels, step, 0))
    return wide


def contact_target(labels: Tensor, wide: Tensor | None = None) -> Tensor:
    """Return where another label lies within two pixels, bool (N, Y, X).

    `wide` are the labels whose pixels ask, `labels` themselves if not given.
    """
    own = labels if wide is None else wide
    contact = torch.zeros_like(labels, dtype=torch.bool)
    for step in _NEAR:
        other = shifted(labels, step, 0)
        contact |= (other > 0) & (other != own)
    return contact & (own > 0)


def segmentation_loss(
    outputs: Tensor,
    labels: Tensor,
    known: Tensor,
    steps: list[Step],
    *,
    parted: Tensor | None = None,
    unsure: Tensor | None = None,
) -> Tensor:
    """Return the loss of network outputs (N, 2 + K, Y, X) against labels (N, Y, X).

    Cross-entropy, twice, and soft Dice of the foreground on known pixels, cross-entropy of
    contacts, half, and of pairs in and up to two pixels around it. Pairs that do not belong
    together are rare and count 2.5 times, contacts three times, small mitochondria up to
    twice and large ones down to half as much a pixel, and pixels outside half. Dice leaves
    out images of which `unsure`, bool (N,), is true: it drives a probability to nought or
    one, also where the image does not decide. Labels of images of which `parted`, bool (N,),
    is false do not part what touches: they teach the foreground only.
    """
    outputs = outputs.float()
    weight = known.float()
    target = (labels > 0).float()
    loss = functional.binary_cross_entropy_with_logits(outputs[:, 0], target, reduction="none")
    loss = 2 * (loss * weight).sum() / weight.sum().clamp(min=1)
    sure = weight if unsure is None else weight * (~unsure[:, None, None])
    probability = torch.sigmoid(outputs[:, 0]) * sure
    overlap = 2 * (probability * target).sum() + 1
    loss = loss + 1 - overlap / (probability.sum() + (target * sure).sum() + 1)
    if outputs.shape[1] == 1:
        return loss
    wide = widened(labels) * known
    contact = contact_target(labels, wide)
    share = weight * _object_weight(labels, wide) * (0.5 + 0.5 * target)
    if parted is not None:
        share = share * parted[:, None, None]
    inside = share * (wide > 0) * (1 + 2 * contact.float())
    loss = loss + 0.5 * _mean_cross_entropy(outputs[:, 1], contact, inside)
    if not steps:
        return loss
    same, valid = pair_targets(wide, steps)
    pairs = valid * share[:, None] * (1 + 1.5 * (~same).float())
    return loss + _mean_cross_entropy(outputs[:, 2:], same, pairs)


def _object_weight(labels: Tensor, wide: Tensor) -> Tensor:
    """Return for each pixel of `wide` how much its object counts, by its area in `labels`."""
    weight = torch.ones(labels.shape, device=labels.device)
    for number, (plane, around) in enumerate(zip(labels.long(), wide.long(), strict=True)):
        _, plane_index = torch.unique(torch.stack([plane, around]), return_inverse=True)
        area = torch.bincount(plane_index[0].flatten(), minlength=int(plane_index.max()) + 1)
        each = (_USUAL_AREA_PX / area).sqrt().clamp(0.5, 2.0)
        weight[number] = each[plane_index[1]]
    return weight


def _mean_cross_entropy(logits: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    each = functional.binary_cross_entropy_with_logits(logits, target.float(), reduction="none")
    return (each * weight).sum() / (weight.sum() + 1)


@dataclass(slots=True)
class Learner:
    """A network, its optimiser and the running mean of its weights.

    Parameters
    ----------
    network : torch.nn.Module
        Trained in place.
    steps : list of (dy, dx)
        Pairs that the outputs speak of.
    learning_rate : float
        At the start, after ten steps of rising; falls to nought along half a cosine.
    total_steps : int
        Optimiser steps.
    keep_statistics : bool
        Leave the means and variances of BatchNorm as they are: a handful of regions
        cannot tell those of a data set.
    weight_decay : float
        Of AdamW.
    newest_share : float
        How much a step counts in the running mean, once it has run for a while.
    """

    network: nn.Module
    steps: list[Step]
    learning_rate: float
    total_steps: int
    keep_statistics: bool = True
    weight_decay: float = 1e-4
    newest_share: float = 0.05
    step: int = 0
    optimiser: Any = None
    mean: Any = None

    def __post_init__(self) -> None:
        self.network.requires_grad_(True).train()
        for module in self.network.modules():
            if self.keep_statistics and isinstance(module, nn.BatchNorm2d):
                module.eval()
        self.optimiser = torch.optim.AdamW(
            self.network.parameters(), self.learning_rate, weight_decay=self.weight_decay
        )
        self.mean = {k: v.detach().clone() for k, v in self.network.state_dict().items()}

    def learn(self, batch: Batch) -> float:
        """Make one step and return the loss."""
        progress = self.step / max(1, self.total_steps)
        rate = self.learning_rate * min(1.0, (self.step + 1) / 10)
        for group in self.optimiser.param_groups:
            group["lr"] = rate * 0.5 * (1 + np.cos(np.pi * progress))
        with _fast_arithmetic(batch.images):
            outputs = self.network(batch.images)
        labels, known = batch.labels, batch.known
        loss = segmentation_loss(
            outputs, labels, known, self.steps, parted=batch.parted, unsure=batch.unsure
        )
        value = float(loss.detach())
        if not np.isfinite(value):
            raise TrainingError(
                f"The loss is {value} at step {self.step}: lower the learning rate, now "
                f"{self.learning_rate:g}, and check the images for absurd values."
            )
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.network.parameters(), 2.0)
        self.optimiser.step()
        self.step += 1
        self._update_mean()
        return value

    def _update_mean(self) -> None:
        share = max(self.newest_share, 1 / (self.step + 1))
        for name, value in self.network.state_dict().items():
            if value.is_floating_point():
                self.mean[name].lerp_(value.detach(), share)

    def finish(self) -> nn.Module:
        """Return the network with the running mean of its weights, ready for use."""
        self.network.load_state_dict(self.mean)
        return self.network.requires_grad_(False).eval()

    def save(self, path: Path, rng: np.random.Generator) -> None:
        """Write a checkpoint, atomically."""
        tensors = {f"network.{k}": v for k, v in self.network.state_dict().items()}
        tensors |= {f"mean.{k}": v for k, v in self.mean.items()}
        for index, state in self.optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser.{index}.{k}": v for k, v in state.items()}
        note = json.dumps({"step": self.step, "rng": rng.bit_generator.state})
        copies = {k: v.detach().cpu().contiguous().clone() for k, v in tensors.items()}
        write_bytes_atomically(path, safetensors.torch.save(copies, metadata={"note": note}))

    def resume(self, path: Path, rng: np.random.Generator) -> None:
        """Go on from a checkpoint.

        Raises
        ------
        TrainingError
            It is damaged or of another network.
        """
        try:
            with safetensors.safe_open(path, "pt") as file:
                note = json.loads(file.metadata()["note"])
                tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
            self._restore(tensors)
            rng.bit_generator.state = note["rng"]
            self.step = int(note["step"])
        except Exception as error:
            raise TrainingError(
                f"The checkpoint {path.name} cannot be used ({error}). Delete it to start over."
            ) from error

    def _restore(self, tensors: dict[str, Tensor]) -> None:
        self.network.load_state_dict(_part(tensors, "network."))
        self.mean = _part(tensors, "mean.")
        optimiser = self.optimiser.state_dict()
        for key, value in _part(tensors, "optimiser.").items():
            index, name = key.split(".", 1)
            optimiser["state"].setdefault(int(index), {})[name] = value
        self.optimiser.load_state_dict(optimiser)


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def _fast_arithmetic(images: Tensor) -> Any:
    """Return bfloat16 arithmetic where the CPU has units for it, else none."""
    amx = getattr(torch.cpu, "_is_amx_tile_supported", None)
    usable = images.device.type == "cpu" and amx is not None and bool(amx())
    return torch.autocast("cpu", torch.bfloat16, enabled=usable)


def as_batch(
    crops: Sequence[tuple[Any, Any, Any]],
    *,
    parted: Sequence[bool] | None = None,
    unsure: Sequence[bool] | None = None,
    device: torch.device | str | None = "cpu",
) -> Batch:
    """Return crops of image, labels and known pixels as one batch."""
    images, labels, known = (np.stack(part) for part in zip(*crops, strict=True))
    return Batch(
        torch.from_numpy(images)[:, None].to(device, memory_format=torch.channels_last),
        torch.from_numpy(labels.astype(np.int32)).to(device),
        torch.from_numpy(known).to(device),
        None if parted is None else torch.tensor(parted, device=device),
        None if unsure is None else torch.tensor(unsure, device=device),
    )


def seeded(seed: int) -> Callable[[], None]:
    """Seed torch, and return what puts its generator back as it was."""
    before = torch.random.get_rng_state()
    torch.manual_seed(seed)
    return lambda: torch.random.set_rng_state(before)
