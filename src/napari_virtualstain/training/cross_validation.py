"""Cross-validation: settings judged on each cell in turn, then a model trained on all.

With few cells each one is worth training on, and a single held-out cell says little. Here
every group is judged by a model of the same settings that has not seen it; the model that is
kept has seen all of them and carries these scores.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

import pandas as pd

from ..data import CorrelativePairs
from ..errors import InputError, TrainingError
from ..models import load_model, read_card, save_model
from ..progress import CancelToken, ProgressCallback
from .finishing import listed_names, shared_settings, summarised
from .loop.parallel import processes
from .places import FOLDS, places_for
from .training import checked_settings, result_of, train_events
from .training_config import TrainingConfig
from .training_events import (
    FoldFinished,
    FoldStarted,
    TrainingEvent,
    TrainingFinished,
    TrainingResult,
)

Folds: TypeAlias = tuple[tuple[str, ...], ...]
_MEANING = (
    "cross-validation: each group was judged by a model of the same settings that had not seen "
    "it; the weights of this file were trained on all groups"
)


def cross_validate(
    pairs: CorrelativePairs,
    config: TrainingConfig | None = None,
    *,
    output: str | Path,
    folds: int | Sequence[Sequence[str]] = 5,
    overwrite: bool = False,
    resume: bool = False,
    progress: ProgressCallback | None = None,
    cancel: CancelToken | None = None,
) -> TrainingResult:
    """Train a model for each fold and one on all pairs; return the latter with the folds' scores.

    Parameters
    ----------
    pairs : CorrelativePairs
        Of :func:`match_pairs`, of two groups (cells, movies) or more.
    config : TrainingConfig, optional
        The ``recommended`` preset when not given. Held-out groups, early stopping and the
        choice of the best held-out weights are switched off: the folds only judge.
        `minutes` is the time of each training, of which there is one more than folds.
    output : path
        Model file ending in ``.safetensors``. Beside it, in ``<name>.training/folds/``, are the
        models, histories and reports of the folds, ``scores.csv`` of all of them, and the
        history of the training on all pairs.
    folds : int or sequence of sequences of str
        At most so many parts of about equally many pairs, or the groups held out together in
        each fold; groups that no fold names only train.
    overwrite, resume
        As for :func:`train`; finished folds of the same settings and pairs are not trained
        again when resuming.
    progress, cancel
        See :mod:`napari_virtualstain.progress`.

    Raises
    ------
    InputError
        There are fewer than two groups, or a fold names an unknown or no group.
    TrainingError
        Resuming, and a finished fold is of other settings or pairs.
    As :func:`train`.

    Examples
    --------
    >>> import numpy as np, tempfile, pathlib
    >>> images = np.random.default_rng(0).normal(size=(4, 32, 32))
    >>> pairs = CorrelativePairs.from_arrays(images, images, groups=["a", "a", "b", "b"])
    >>> config = TrainingConfig(steps=1, batch_size=2, crop_size=32, report=False,
    ...                         architecture={"name": "unet", "arguments": {"widths": [4]}})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     card = cross_validate(pairs, config, output=pathlib.Path(folder) / "m.safetensors").card
    >>> card.split["train_groups"], card.scores["judged_on"]
    (['a', 'b'], ['a', 'b'])
    """
    events = cross_validation_events(
        pairs,
        config,
        output=output,
        folds=folds,
        overwrite=overwrite,
        resume=resume,
        cancel=cancel,
    )
    return result_of(events, progress, config)


def cross_validation_events(
    pairs: CorrelativePairs,
    config: TrainingConfig | None = None,
    *,
    output: str | Path,
    folds: int | Sequence[Sequence[str]] = 5,
    overwrite: bool = False,
    resume: bool = False,
    cancel: CancelToken | None = None,
) -> Iterator[TrainingEvent]:
    """Yield what happens during :func:`cross_validate`, for a live display.

    Parameters
    ----------
    pairs, config, output, folds, overwrite, resume, cancel
        As for :func:`cross_validate`.

    Yields
    ------
    FoldStarted
        Before each training, the last one on all pairs.
    FoldFinished
        After each but the last, with the scores of the groups that were held out.
    TrainingFinished
        Once, at the end, with the result of the whole.
    TrainingEvent
        All others of each training, as :func:`train_events` yields them.

    Raises
    ------
    As :func:`cross_validate`.

    Examples
    --------
    >>> import numpy as np
    >>> one = CorrelativePairs.from_arrays(np.zeros((2, 32, 32)), np.zeros((2, 32, 32)))
    >>> next(cross_validation_events(one, output="m.safetensors"))
    Traceback (most recent call last):
    napari_virtualstain.errors.InputError: Cross-validation needs two groups ...
    """
    settings = checked_settings(pairs, config)
    parts = _folds(pairs, folds)
    places = places_for(settings, output, overwrite=overwrite, resume=resume)
    folder = places.checkpoint.parent / FOLDS
    if overwrite and not resume and processes().is_first:
        # a fold of other settings must not be met again when this run is stopped and resumed
        shutil.rmtree(folder, ignore_errors=True)
    judging = settings.updated(keep_best=False, patience=None)
    # a model of an unfinished cross-validation is no result yet
    how: dict[str, Any] = {"overwrite": overwrite or resume, "resume": resume, "cancel": cancel}
    tables, judged = [], []
    for number, groups in enumerate(parts, start=1):
        yield FoldStarted(groups, number, len(parts))
        fold = _Fold(folder / f"fold-{number}", judging.updated(validation_groups=groups), groups)
        if resume and fold.is_finished(pairs):
            table = pd.read_csv(fold.table)
        elif result := (yield from fold.train(pairs, how)):
            table = fold.keep(result)
        else:  # the first process judges
            continue
        tables.append(table)
        judged.append(fold)
        yield FoldFinished(groups, number, len(parts), table)
    yield FoldStarted((), len(parts) + 1, len(parts))
    last = _Fold(folder / "all", judging.updated(validation_groups=()), ())
    if result := (yield from last.train(pairs, how)):
        table = pd.concat(tables, ignore_index=True)
        table.to_csv(folder / "scores.csv", index=False)
        yield TrainingFinished(_scored(result, table, judged, places.model))


@dataclass(frozen=True, slots=True)
class _Fold:
    """One training that holds groups out, in a folder of its own."""

    folder: Path
    config: TrainingConfig
    groups: tuple[str, ...]

    @property
    def model(self) -> Path:
        return self.folder / "model.safetensors"

    @property
    def table(self) -> Path:
        return self.folder / "scores.csv"

    def train(
        self, pairs: CorrelativePairs, how: dict[str, Any]
    ) -> Generator[TrainingEvent, None, TrainingResult | None]:
        """Yield what happens, and return the result; none in a process that only helps."""
        result = None
        for event in train_events(pairs, self.config, output=self.model, **how):
            if isinstance(event, TrainingFinished):
                result = event.result
            else:
                yield event
        return result

    def is_finished(self, pairs: CorrelativePairs) -> bool:
        """Whether model and scores are there.

        Raises
        ------
        TrainingError
            They are, but of other settings or pairs.
        """
        if not (self.model.exists() and self.table.exists()):
            return False
        card = read_card(self.model)
        same = card.training.get("settings") == shared_settings(self.config)
        if not same or card.data.get("names") != listed_names(pairs):
            raise TrainingError(
                f"The fold in {str(self.folder)!r} was trained with other settings or pairs: "
                "choose another output, or ask for overwriting to train all folds again."
            )
        return True

    def keep(self, result: TrainingResult) -> pd.DataFrame:
        """Write the scores of the fold beside its model, whole or not at all, and return them."""
        if result.scores is None:
            raise TrainingError(
                f"The groups {', '.join(self.groups)} could not be judged: "
                f"{'; '.join(result.warnings)}"
            )
        partial = self.table.with_suffix(".part")
        result.scores.to_csv(partial, index=False)
        partial.replace(self.table)
        return result.scores


def _folds(pairs: CorrelativePairs, wanted: int | Sequence[Sequence[str]]) -> Folds:
    """Return the groups of each fold."""
    known = pairs.group_names
    if len(known) < 2:
        raise InputError(
            "Cross-validation needs two groups (cells or movies) at least, and these pairs are "
            "all of one. A grouping pattern tells cells apart (--group-by)."
        )
    if not isinstance(wanted, int):
        _check_named(wanted, known)
        return tuple(tuple(groups) for groups in wanted)
    if wanted < 2:
        raise InputError(f"{wanted} folds were asked for: expected two or more.")
    if wanted > max(len(known), _USUAL_FOLDS):
        raise InputError(
            f"{wanted} folds of {len(known)} groups (cells or movies) were asked for: expected at "
            f"most {len(known)}, one group a fold."
        )
    parts: list[list[str]] = [[] for _ in range(min(wanted, len(known)))]
    sizes = [0] * len(parts)
    for group, count in Counter(pairs.groups).most_common():
        lightest = sizes.index(min(sizes))
        parts[lightest].append(group)
        sizes[lightest] += count
    return tuple(tuple(sorted(part)) for part in parts)


_USUAL_FOLDS = 5


def _check_named(folds: Sequence[Sequence[str]], known: Sequence[str]) -> None:
    named = [group for groups in folds for group in groups]
    if not folds or not all(folds):
        raise InputError("A fold without groups was given: expected one or more in each.")
    unknown = sorted(set(named) - set(known))
    if unknown:
        raise InputError(
            f"There is no group {unknown[0]!r}. Groups of these pairs: {', '.join(known)}."
        )
    if len(set(named)) < len(named):
        raise InputError("A group is in two folds: each can be held out once only.")


def _scored(
    result: TrainingResult, table: pd.DataFrame, folds: Sequence[_Fold], output: Path
) -> TrainingResult:
    """Write the model of all pairs to its place, with the folds' scores on its card."""
    own: dict[str, Any] = {
        "judged_on": [group for fold in folds for group in fold.groups],
        # shared pixels may have been allowed
        "independent": all(read_card(fold.model).scores["independent"] for fold in folds),
        "chosen_on_the_same_images": False,
        "images": int((table["method"] == "virtual stain").sum()),
        "meaning": _MEANING,
    }
    model = load_model(result.path)
    card = model.card.model_copy(
        update={
            "scores": {**summarised(table), **own},
            "split": {**model.card.split, "folds": [list(fold.groups) for fold in folds]},
        }
    )
    save_model(output, model.network, card, overwrite=True)
    result.path.unlink()
    return replace(
        result,
        path=output,
        card=read_card(output),
        scores=table,
        report=result.path.parents[1],
    )
