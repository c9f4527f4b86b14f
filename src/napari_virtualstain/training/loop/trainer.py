"""One training step: forward, losses, gradients, guards, update.

Generator and discriminator are both differentiated at the same point and then both
updated. A step therefore either happens as a whole or not at all, which is what makes
cancelling, guarding against NaN and resuming exact.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn

from ...data import TensorBatch
from ...losses import discriminator_loss, generator_loss
from ...progress import CancelToken
from ..device import Compute
from ..networks import Teachers, frozen_modules
from ..training_config import Optimisation, TrainingConfig
from .divergence import DivergenceGuard
from .parallel import Processes

# BatchNorm bears a larger rate. 150 steps of `paper` at half its width, TL_011 held out: band-pass
# Pearson 0.23 at 5e-4, 0.22 at 2e-4, 0.12 at 1e-3, lost at 2e-3; at full width keep a distance.
_RATE, _RATE_WITHOUT_BATCH_NORM = 2e-3, 3e-4


class Trainer:
    """Networks, optimisers and averaged weights of one training.

    Parameters
    ----------
    generator, discriminator : torch.nn.Module
        What is trained; the discriminator may be None.
    config : TrainingConfig
        How.
    steps : int
        In all, for the schedule.
    compute : Compute
        On what.
    group : Processes
        With whom.
    cancel : CancelToken, optional
        Looked at in every layer, since one step of a large network takes seconds.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module | None,
        config: TrainingConfig,
        steps: int,
        compute: Compute,
        group: Processes,
        cancel: CancelToken | None = None,
    ) -> None:
        self.config, self.steps, self.compute, self.group = config, steps, compute, group
        self.generator = _placed(generator, compute)
        self.discriminator = None if discriminator is None else _placed(discriminator, compute)
        group.same_weights(self.generator)
        self.averaged = deepcopy(self.generator).eval().requires_grad_(False)
        self.largest_rate = _largest_rate(self.generator, config)
        self.optimizer = _optimizer(self.generator, config.optimisation, self.largest_rate)
        self.adversary = self._adversary()
        self.teachers = Teachers(config, compute.device)
        self.step = 0
        self._guard = DivergenceGuard(self.largest_rate)
        self._cancel = cancel
        self._watch_for_cancel()

    def learning_rate(self) -> float:
        """Return the generator's learning rate of the coming step."""
        kind = self.config.optimisation.schedule
        return self.largest_rate * schedule(kind, self.step, self.steps)

    def train_step(self, batch: TensorBatch) -> dict[str, float]:
        """Make one step and return its losses, averaged over the processes.

        Raises
        ------
        TrainingError
            The numbers have been meaningless for several steps.
        CancelledError
            Cancelled; nothing of this step has happened.
        """
        self._set_learning_rates()
        self.generator.train()
        # in evaluation mode they normalise by their statistics, as they will for the user
        keeps_all = self.step >= self.steps * (1 - self.config.kept_share)
        for module in frozen_modules(self.generator, all_of_them=keeps_all):
            module.eval()
        with self._undone_on_error(), self._seeded():
            total, terms, error = self._differentiate(batch)
        losses = self._averaged_losses({"loss": total, **terms, "error": error})
        error_now = losses.pop("error")
        norm = self._gradient_norm()
        if self._guard.allows(self.step + 1, losses, float(norm), error_now):
            self._update(norm)
        self.step += 1
        return losses

    def state_dict(self) -> dict[str, Any]:
        """Return everything that a resumed training needs."""
        return {
            "step": self.step,
            "steps": self.steps,
            "generator": self.generator.state_dict(),
            "averaged": self.averaged.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "discriminator": self.discriminator.state_dict() if self.discriminator else None,
            "adversary": self.adversary.state_dict() if self.adversary else None,
            "guard": self._guard.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a state."""
        self.step, self.steps = int(state["step"]), int(state["steps"])
        self.generator.load_state_dict(state["generator"])
        self.averaged.load_state_dict(state["averaged"])
        self.optimizer.load_state_dict(state["optimizer"])
        self._guard.load_state_dict(state["guard"])
        if self.discriminator is not None and self.adversary is not None:
            self.discriminator.load_state_dict(state["discriminator"])
            self.adversary.load_state_dict(state["adversary"])

    def _adversary(self) -> torch.optim.Optimizer | None:
        if self.discriminator is None:
            return None
        rate = self.config.optimisation.discriminator_learning_rate
        return torch.optim.Adam(self.discriminator.parameters(), lr=rate, betas=(0.5, 0.999))

    def _differentiate(self, batch: TensorBatch) -> tuple[Tensor, dict[str, Tensor], Tensor]:
        with self.compute.autocast():
            output = self.generator(batch.inputs)
        output = output.float()
        self.optimizer.zero_grad(set_to_none=True)
        fake_logits = None
        if self.discriminator is not None:
            # the generator's gradient passes through, the discriminator's own is not wanted here
            self.discriminator.requires_grad_(False)
            fake_logits = self._judge(output[:, :1], batch)
        total, terms = generator_loss(
            output,
            batch.targets,
            batch.weights,
            self.config.loss,
            fake_logits=fake_logits,
            taught=self.teachers(batch.inputs),
        )
        total.backward()  # type: ignore[no-untyped-call]
        self.group.average_gradients(self.generator.parameters())
        if self.discriminator is not None:
            terms["discriminator"] = self._differentiate_discriminator(output, batch)
        error = (output[:, :1].detach() - batch.targets).abs().mean()
        return total.detach(), {name: term.detach() for name, term in terms.items()}, error

    def _differentiate_discriminator(self, output: Tensor, batch: TensorBatch) -> Tensor:
        if self.discriminator is None or self.adversary is None:
            return output.new_zeros(())
        self.discriminator.requires_grad_(True)
        self.adversary.zero_grad(set_to_none=True)
        real = self._judge(batch.targets, batch)
        fake = self._judge(output[:, :1].detach(), batch)
        loss = discriminator_loss(real, fake, self.config.loss.adversarial_kind)
        loss.backward()  # type: ignore[no-untyped-call]
        self.group.average_gradients(self.discriminator.parameters())
        return loss

    def _judge(self, images: Tensor, batch: TensorBatch) -> Tensor:
        if self.discriminator is None:
            return images.new_zeros((len(images), 1))
        seen = torch.cat([images, batch.inputs], 1) if self._sees_input else images
        with self.compute.autocast():
            logits: Tensor = self.discriminator(seen)
        return logits.float()

    @property
    def _sees_input(self) -> bool:
        return self.config.discriminator_sees_input

    def _gradient_norm(self) -> Tensor:
        gradients = [p.grad for p in self.generator.parameters() if p.grad is not None]
        return nn.utils.get_total_norm(gradients)

    def _update(self, norm: Tensor) -> None:
        limit = self.config.optimisation.gradient_clip
        if limit:
            nn.utils.clip_grads_with_norm_(self.generator.parameters(), limit, norm)
        self.optimizer.step()
        if self.adversary is not None:
            self.adversary.step()
        if not self._guard.is_far:
            self._average_weights()

    def _average_weights(self) -> None:
        wanted = self.config.optimisation.ema_decay
        decay = min(wanted, (self.step + 1) / (self.step + 10))
        with torch.no_grad():
            for kept, new in zip(
                self.averaged.state_dict().values(),
                self.generator.state_dict().values(),
                strict=True,
            ):
                if wanted and kept.is_floating_point():
                    kept.lerp_(new, 1 - decay)
                else:
                    kept.copy_(new)

    def _averaged_losses(self, losses: dict[str, Tensor]) -> dict[str, float]:
        together = self.group.average(torch.stack([value.float() for value in losses.values()]))
        return dict(zip(losses, (float(v) for v in together), strict=True))

    def _set_learning_rates(self) -> None:
        factor = schedule(self.config.optimisation.schedule, self.step, self.steps)
        rates = self.config.optimisation
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate()
        if self.adversary is not None:
            for group in self.adversary.param_groups:
                group["lr"] = rates.discriminator_learning_rate * factor

    @contextmanager
    def _undone_on_error(self) -> Iterator[None]:
        """Put running statistics back if a step does not come to its end."""
        before = [buffer.clone() for buffer in self.generator.buffers()]
        try:
            yield
        except BaseException:
            with torch.no_grad():
                for buffer, value in zip(self.generator.buffers(), before, strict=True):
                    buffer.copy_(value)
            raise

    @contextmanager
    def _seeded(self) -> Iterator[None]:
        """Make dropout a function of seed, step and process, so that resuming is exact."""
        devices = [self.compute.device] if self.compute.device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices):
            torch.manual_seed((self.config.seed * 1_000_003 + self.step) * 64 + self.group.rank)
            yield

    def _watch_for_cancel(self) -> None:
        cancel = self._cancel
        # with several processes a lone exception would leave the others waiting
        if cancel is None or self.group.count > 1:
            return

        def look(module: nn.Module, inputs: Any) -> None:
            cancel.raise_if_cancelled()

        def look_back(module: nn.Module, inputs: Any, output: Tensor) -> None:
            cancel.raise_if_cancelled()
            if output.requires_grad:
                output.register_hook(  # type: ignore[no-untyped-call]
                    lambda gradient: cancel.raise_if_cancelled()
                )

        for network in (self.generator, self.discriminator, self.averaged):
            for module in network.modules() if network is not None else ():
                if isinstance(module, nn.Conv2d):
                    module.register_forward_pre_hook(look)
                    module.register_forward_hook(look_back)


def schedule(kind: str, step: int, steps: int) -> float:
    """Return the factor of the learning rate at a step, counted from 0.

    Examples
    --------
    >>> [round(schedule("linear_decay", step, 4), 2) for step in range(4)]
    [1.0, 1.0, 1.0, 0.5]
    """
    share = step / max(1, steps)
    if kind == "linear_decay":
        return min(1.0, 2 * (1 - share))
    if kind == "cosine":
        return 0.5 * (1 + math.cos(math.pi * share)) + 0.01
    if kind == "one_cycle":
        rise = 0.1
        if share < rise:
            return 0.04 + 0.96 * share / rise
        return 0.5 * (1 + math.cos(math.pi * (share - rise) / (1 - rise))) + 0.001
    return 1.0


def _placed(network: nn.Module, compute: Compute) -> nn.Module:
    return network.to(compute.device, memory_format=compute.memory_format)  # type: ignore[call-overload,no-any-return]


def _largest_rate(network: nn.Module, config: TrainingConfig) -> float:
    rates = config.optimisation
    has_batch_norm = any(isinstance(module, nn.BatchNorm2d) for module in network.modules())
    usual = _RATE if has_batch_norm else _RATE_WITHOUT_BATCH_NORM
    rate = usual if rates.learning_rate is None else rates.learning_rate
    return rate * rates.init_rate_factor if config.init else rate


def _optimizer(
    network: nn.Module, settings: Optimisation, learning_rate: float
) -> torch.optim.Optimizer:
    parameters = [p for p in network.parameters() if p.requires_grad]
    # decay shrinks filters; biases and BatchNorm's scales are not filters
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": settings.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    betas = (settings.beta1, settings.beta2)
    if settings.optimizer == "adam":
        return torch.optim.Adam(groups, lr=learning_rate, betas=betas)
    if settings.optimizer == "rmsprop":
        return torch.optim.RMSprop(groups, lr=learning_rate)
    return torch.optim.AdamW(groups, lr=learning_rate, betas=betas)
