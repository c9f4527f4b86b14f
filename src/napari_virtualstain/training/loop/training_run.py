"""One training from its first step to its model file."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader

from ...data import CropBatches, PreparedPair, TensorBatch
from ...errors import CancelledError, TrainingError
from ...io import write_table
from ...models import ModelCard, read_card, save_model
from ...normalisation import spread_evenly
from ...progress import CancelToken
from ..augment import augment
from ..checkpoint import fingerprint, leave_checkpoint, load_checkpoint, save_checkpoint
from ..device import Compute
from ..finishing import HeldOut, make_card, summarised
from ..places import Places
from ..preparation import PreparedTraining
from ..training_config import TrainingConfig
from ..training_events import (
    Preview,
    StepFinished,
    TrainingEvent,
    TrainingFinished,
    TrainingPrepared,
    TrainingResult,
    TrainingWarning,
    Validated,
)
from ..validation import LARGEST_WHILE_TRAINING, predict, preview, quick_scores, trivial_scores
from .best_weights import BestWeights, monitored
from .parallel import Processes, cancelled_anywhere
from .trainer import Trainer

# about what a killed training loses at most
CHECKPOINT_SECONDS = 120.0
# steps after the first when the plan of their number is made, and between its renewals
_FIRST_PLAN, _EVERY = 4, 20
_NO_SCORE = (
    "No score for new cells is given: the held-out images are not independent of those that "
    "trained. Hold out a cell or movie of its own."
)


class Session:
    """Training from its first step to its files: steps, validation, checkpoints, model.

    Parameters
    ----------
    prepared : PreparedTraining
        The data.
    trainer : Trainer
        The networks.
    architecture : dict
        Of the generator, for the card.
    config : TrainingConfig
        The settings.
    places : Places
        Where to write.
    cancel : CancelToken, optional
        Looked at in every layer.
    stop : CancelToken, optional
        Looked at after each step: ends the training early, with its model.
    """

    def __init__(
        self,
        prepared: PreparedTraining,
        trainer: Trainer,
        architecture: dict[str, Any],
        config: TrainingConfig,
        places: Places,
        cancel: CancelToken | None,
        stop: CancelToken | None = None,
    ) -> None:
        self.prepared, self.trainer, self.architecture = prepared, trainer, architecture
        self.config, self.places, self.cancel, self.stop = config, places, cancel, stop
        self.compute: Compute = trainer.compute
        self.group: Processes = trainer.group
        self.history = History(places.history)
        self.warnings: list[str] = []
        self._data = fingerprint(prepared.pairs)
        self._start_model = deepcopy(trainer.averaged) if config.init else None
        self._shown_before: tuple[PreparedPair, NDArray[np.float32]] | None = None
        self._best = BestWeights()
        self._seconds_before = 0.0
        self._planned = trainer.steps
        self._pacing = None if config.minutes is None else Pacing(60 * config.minutes)
        self._start = self._kept_at = time.perf_counter()

    def resume(self) -> bool:
        """Go on from the checkpoint, if there is one."""
        state = load_checkpoint(self.places.checkpoint, self.config, self._data)
        if state is None:
            return False
        self.trainer.load_state_dict(state["trainer"])
        self.history.rows = list(state["history"])
        self._best = BestWeights(**state["best"])
        self._seconds_before = float(state["seconds"])
        return True

    def run(self) -> Iterator[TrainingEvent]:
        """Yield what happens until the model is written.

        Raises
        ------
        CancelledError
            Cancelled; a checkpoint holds what was reached.
        TrainingError
            The numbers became meaningless; the last good weights are saved.
        """
        self._start = self._kept_at = time.perf_counter()
        yield self._prepared_event()
        for message in self.prepared.warnings:
            yield self._warn(message)
        try:
            yield from self._steps()
        except (CancelledError, GeneratorExit):
            # both come between whole steps, so the state is one that can be resumed
            self._keep(leave_checkpoint)
            raise
        except TrainingError as error:
            raise self._diverged(error) from error
        if self.group.is_first:
            self._keep()  # judging takes its time, and may be stopped
            yield from self._finish()

    @property
    def seconds(self) -> float:
        """Seconds of training, earlier parts included."""
        return self._seconds_before + time.perf_counter() - self._start

    def _prepared_event(self) -> TrainingPrepared:
        parameters = sum(p.numel() for p in self.trainer.generator.parameters())
        return TrainingPrepared(
            steps=self.trainer.steps,
            first_step=self.trainer.step,
            train_pairs=len(self.prepared.train),
            validation_pairs=len(self.prepared.validation),
            split=self.prepared.split.describe(),
            parameters=parameters,
            device=str(self.compute.device),
            precision=self.compute.precision,
            crop_size=self.prepared.crop_size,
            reached=dict(self.prepared.sampler.reached),
            baselines=trivial_scores(self._looked_at(), pixel_size_um=self.prepared.scale_um),
        )

    def _looked_at(self) -> list[PreparedPair]:
        """Return the held-out pairs that are scored during training."""
        chosen = spread_evenly(self.config.validation_images, len(self.prepared.validation))
        return [self.prepared.validation[i] for i in chosen]

    def _steps(self) -> Iterator[TrainingEvent]:
        if self._is_validation_due():
            yield from self._validate(self.trainer.step)
        if self.trainer.step and (self.trainer.step >= self.trainer.steps or self._is_exhausted()):
            return  # stopped while it was judged
        for batch in self._batches():
            if cancelled_anywhere(self.cancel, self.group, self.compute.device):
                raise CancelledError("Cancelled. Training can be resumed where it stopped.")
            rate = self.trainer.learning_rate()
            losses = self.trainer.train_step(batch)
            step = self.trainer.step
            yield from self._fit_to_time()
            yield self._log(step, losses, rate)
            stopped = self.stop is not None and self.stop.cancelled
            if self._is_validation_due() or (stopped and self._best.looked != step):
                yield from self._validate(step)
            if stopped:
                yield self._warn(f"Stopped after {step} of {self.trainer.steps} steps, as asked.")
                return
            if self._is_checkpoint_due(step):
                self._keep()
            if step >= self.trainer.steps or self._is_exhausted():
                return

    def _is_checkpoint_due(self, step: int) -> bool:
        if step >= self.trainer.steps:
            return False
        waited = time.perf_counter() - self._kept_at
        return step % self.config.checkpoint_every == 0 or waited >= CHECKPOINT_SECONDS

    def _fit_to_time(self) -> Iterator[TrainingEvent]:
        """Plan as many steps as the time allows at the pace so far."""
        if self._pacing is None:
            return
        # every process must come to the same number
        now = float(self.group.average(torch.tensor([self.seconds], device=self.compute.device)))
        allowed = self._pacing.allowed(self.trainer.step, now)
        if allowed is None:
            return
        self.trainer.steps = min(self._planned, allowed)
        if self._pacing.is_first_plan and allowed < self._planned:
            yield self._warn(
                f"The time given ({self.config.minutes:g} min) allows about {allowed} of "
                f"{self._planned} steps; the learning rate is planned for that."
            )

    def _is_validation_due(self) -> bool:
        """Whether held-out images are due for scoring; also after a cancelled scoring."""
        step, steps = self.trainer.step, self.trainer.steps
        if self._best.looked == step:
            return False
        if step == 0:
            return bool(self.config.init) and self.config.keeps_best
        every = self.config.validate_every or usual_validation_interval(steps)
        return step % every == 0 or step == steps

    def _batches(self) -> Iterator[TensorBatch]:
        first = self.trainer.step
        batches = CropBatches(
            self.prepared.sampler, self.config.batch_size, self._planned, self.config.seed
        )
        loader: DataLoader[TensorBatch] = DataLoader(
            batches,
            batch_size=None,
            sampler=range(first, self._planned),
            num_workers=self.config.workers,
        )
        for step, batch in enumerate(loader, start=first):
            generator = torch.Generator().manual_seed(self.config.seed * 1_000_003 + step)
            varied = augment(
                batch.to(self.compute.device),
                self.config.augmentation,
                generator,
                size=self.prepared.crop_size,
            )
            mine = varied.part(self.group.rank, self.group.count)
            yield mine.to(self.compute.device, self.compute.memory_format)

    def _log(self, step: int, losses: dict[str, float], rate: float) -> StepFinished:
        terms = dict(losses)
        total = terms.pop("loss")
        if step % self.config.log_every == 0 or step == 1:
            self.history.add(
                step, loss=total, learning_rate=rate, seconds=round(self.seconds, 3), **terms
            )
        return StepFinished(step, self.trainer.steps, total, terms, rate, self.seconds)

    def _validate(self, step: int) -> Iterator[TrainingEvent]:
        chosen = spread_evenly(self.config.validation_images, len(self.prepared.validation))
        if not chosen or not self.group.is_first:
            return
        pairs = self._looked_at()
        scores, images = quick_scores(
            self.trainer.averaged,
            pairs,
            self.compute,
            pixel_size_um=self.prepared.scale_um,
            cancel=self.cancel,
        )
        self.history.add(step, **{f"validation_{name}": v for name, v in scores.items()})
        self.history.write()
        kept = self.trainer.averaged if self.config.keeps_best else None
        best = self._best.note(step, monitored(self.config.monitor, scores), kept)
        middle = len(chosen) // 2
        shown = preview(self.prepared, chosen[middle], images[middle], self._before(pairs[middle]))
        yield Validated(step, scores, best, shown)
        if all(float(image.std()) < 1e-6 for image in images):
            yield self._warn(
                f"At step {step} the network answers every image with one constant. If this "
                "lasts, lower the learning rate or change the loss."
            )

    def _before(self, pair: PreparedPair) -> NDArray[np.float32] | None:
        """Return what the starting model makes of a pair, computed once."""
        if self._start_model is None:
            return None
        if self._shown_before is None or self._shown_before[0] is not pair:
            image, _ = predict(
                self._start_model, pair, self.compute, largest=LARGEST_WHILE_TRAINING
            )
            self._shown_before = (pair, image)
        return self._shown_before[1]

    def _is_exhausted(self) -> bool:
        patience = self.config.patience
        done = patience is not None and self._best.waited >= patience
        return self.group.agree(done, self.compute.device)

    def _keep(self, write: Callable[[Path, dict[str, Any]], None] = save_checkpoint) -> None:
        """Write a checkpoint and the history."""
        self._kept_at = time.perf_counter()
        if not self.group.is_first:
            return
        write(
            self.places.checkpoint,
            {
                "config": self.config.model_dump(mode="json"),
                "data": self._data,
                "trainer": self.trainer.state_dict(),
                "history": self.history.rows,
                "best": self._best.state(),
                "seconds": self.seconds,
            },
        )
        self.history.write()

    def _warn(self, message: str) -> TrainingWarning:
        self.warnings.append(message)
        return TrainingWarning(message)

    def _finish(self) -> Iterator[TrainingEvent]:
        early = self.trainer.step < self.trainer.steps
        if self._best.weights is not None:
            self.trainer.averaged.load_state_dict(self._best.weights)
            if self._best.step == 0:
                start = Path(self.config.init or "").stem
                yield self._warn(
                    f"Fine-tuning made nothing better on the held-out images: the weights are "
                    f"those of {start!r}. More pairs or fewer trainable parts may help."
                )
        table, scores, held = None, {}, None
        worst: tuple[Preview, ...] = ()
        if self._may_be_scored():
            held = HeldOut(self.trainer.averaged, self.prepared, self.compute, self.cancel)
            table = held.score(self.cancel, start=self._start_model)
            scores = {**summarised(table), **self._score_terms(held)}
            worst = held.worst(table)
        elif self.prepared.validation:
            scores = {"refused": _NO_SCORE}
            yield self._warn(_NO_SCORE)
        card = self._card(scores, self._training_notes(early))
        self.history.write()
        report = None
        try:
            # before the model: where that is, nothing is left to resume
            if held is not None and self.config.report:
                held_out = (
                    "cells" if self.prepared.split.independent else "images of the same cells"
                )
                title = f"{self.config.name}: held-out {held_out}"
                report = held.report(self.places.report, title, self.warnings, self.cancel)
        except CancelledError:
            raise
        except Exception:
            save_model(self.places.model, self.trainer.averaged, card, overwrite=True)
            raise
        path = save_model(self.places.model, self.trainer.averaged, card, overwrite=True)
        self.places.checkpoint.unlink(missing_ok=True)
        yield TrainingFinished(
            TrainingResult(
                path=path,
                card=read_card(path),
                scores=table,
                history=self.places.history,
                report=report,
                steps=self.trainer.step,
                stopped_early=early,
                warnings=tuple(self.warnings),
                worst=worst,
            )
        )

    def _may_be_scored(self) -> bool:
        scorable = self.prepared.split.scorable or self.config.allow_leakage
        return bool(self.prepared.validation) and scorable

    def _score_terms(self, held: HeldOut) -> dict[str, Any]:
        """Return what a reader must know to trust the scores."""
        return {
            "judged_on": list(self.prepared.split.validation_groups),
            "independent": self.prepared.split.independent,
            "chosen_on_the_same_images": self._best.weights is not None,
            "images": len(held.names),
        }

    def _training_notes(self, early: bool) -> dict[str, Any]:
        return {
            "preset": self.config.preset,
            "seed": self.config.seed,
            "steps": self.trainer.step,
            "steps_planned": self.trainer.steps,
            "learning_rate": self.trainer.largest_rate,
            "stopped_early": early,
            "best_step": self._best.step if self._best.weights is not None else None,
            "seconds": round(self.seconds, 1),
            "device": str(self.compute.device),
            "precision": self.compute.precision,
            "processes": self.group.count,
            "crop_size": self.prepared.crop_size,
            "warnings": list(self.warnings),
        }

    def _card(self, scores: dict[str, Any], notes: dict[str, Any]) -> ModelCard:
        network = self.trainer.averaged
        return make_card(self.config, self.prepared, self.architecture, scores, notes, network)

    def _diverged(self, error: TrainingError) -> TrainingError:
        """Save the best weights, or the averaged ones of the good steps, and say so."""
        if not self.group.is_first or self.trainer.step == 0:
            return error
        if self._best.weights is not None:
            self.trainer.averaged.load_state_dict(self._best.weights)
        path = self.places.model.with_name(f"{self.places.model.stem}-last-good.safetensors")
        notes = {**self._training_notes(True), "stopped": str(error)}
        card = self._card({}, notes)
        save_model(path, self.trainer.averaged, card, overwrite=True)
        self.history.write()
        return TrainingError(f"{error} The last good weights are in {str(path)!r}.")


def usual_validation_interval(steps: int) -> int:
    """Return every how many steps held-out images are scored: fifteen times, but not below 20.

    Scoring takes as long as some steps do, and a curve of fifteen points shows how it goes.

    Examples
    --------
    >>> usual_validation_interval(200), usual_validation_interval(3000)
    (20, 200)
    """
    return max(20, steps // 15)


class History:
    """Rows of ``history.csv``, rewritten as a whole so that a torn line cannot happen.

    Parameters
    ----------
    path : Path
        The CSV file.
    rows : list of dict, optional
        From a checkpoint.
    """

    def __init__(self, path: Path, rows: list[dict[str, Any]] | None = None) -> None:
        self.path = path
        self.rows: list[dict[str, Any]] = list(rows or [])

    def add(self, step: int, **values: float) -> None:
        """Add values of a step; several calls for one step fill one row."""
        if not self.rows or self.rows[-1]["step"] != step:
            self.rows.append({"step": step})
        self.rows[-1] |= values

    def write(self) -> None:
        """Write the table to disk."""
        write_table(self.path, pd.DataFrame(self.rows), overwrite=True)


class Pacing:
    """Plan of the number of steps, renewed now and then at the pace so far.

    Parameters
    ----------
    seconds : float
        Time for the steps, those of an earlier part of a resumed training included.

    Examples
    --------
    >>> pacing = Pacing(100.0)
    >>> [pacing.allowed(step, 10.0 + step) for step in (1, 2, 5)]
    [None, None, 90]
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._start: tuple[int, float] | None = None
        self.is_first_plan = False

    def allowed(self, step: int, seconds: float) -> int | None:
        """Return the steps that the time allows in all, or None while the plan stays.

        Parameters
        ----------
        step : int
            Steps made.
        seconds : float
            That have passed.
        """
        left = self._seconds - seconds
        if self._start is None:
            self._start = (step, seconds)  # the first step also builds and loads
        done = step - self._start[0]
        self.is_first_plan = done == _FIRST_PLAN
        if left > 0 and not self.is_first_plan and (done < _FIRST_PLAN or done % _EVERY):
            return None
        a_step = (seconds - self._start[1]) / max(1, done)
        return step + (int(left / a_step) if left > 0 and a_step > 0 else 0)
