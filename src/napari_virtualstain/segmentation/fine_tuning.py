"""Training a segmenter on a user's own labels, complete or painted here and there."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from .._version import __version__
from ..axes import USUAL_PIXEL_SIZE_UM
from ..data import middle_part
from ..io import check_output
from ..metrics import object_scores
from ..models import Architecture, ModelCard, build_network, save_model
from ..normalisation import spread_evenly
from ..progress import CancelToken, ProgressCallback, Reporter
from ..settings import SegmenterTraining as SegmenterTraining
from .affinities import step_directions
from .painted import (
    LabelledImage,
    draw_crop,
    hold_out,
    labelled_images,
    planes_by_image,
    unit_held_out,
)
from .segmenter import Segmenter, as_segmenter

if TYPE_CHECKING:
    from ..models import Model

SEGMENTATION_DEFAULTS: dict[str, Any] = {
    "steps": [list(step) for step in step_directions([3, 7, 12], [4, 8, 8])],
    "asinh_gain": 5.0,
    "pixel_size_range_um": [0.04, 0.11],
    "merge_above": 0.33,
}
NORMALISATION = {"input": {"kind": "percentile", "low": 10.0, "high": 99.8}}
_CHECKPOINT_EVERY = 50


@dataclass(frozen=True, slots=True)
class SegmenterResult:
    """A trained segmenter.

    Attributes
    ----------
    path : Path
        Its file.
    card : ModelCard
        What it is.
    before, after : dict
        Scores on the held-out part with the model as it was and as it is: ``iou`` of the
        foreground over known pixels, and ``f1`` of objects at IoU 0.5 where images are
        labelled completely, object by object. Empty where nothing was held out, `before`
        also for a new network.
    history : DataFrame
        ``step`` and ``loss``.
    """

    path: Path
    card: ModelCard
    before: dict[str, float]
    after: dict[str, float]
    history: pd.DataFrame

    @property
    def summary(self) -> str:
        """What came of it, for a person."""
        masks = self.card.training["masks"]
        if not masks:
            return self._scores_sentence
        return (
            f"{self._scores_sentence} One value for all mitochondria ({', '.join(masks[:3])}) "
            "teaches where they are, not how to part them: give each its own value for that."
        )

    @property
    def _scores_sentence(self) -> str:
        if not self.after:
            return "Trained on everything that was labelled; nothing was held out to score it on."
        parts = [
            f"{name} {self.before[name]:.3f} before, {value:.3f} after"
            if name in self.before
            else f"{name} {value:.3f}"
            for name, value in self.after.items()
            if math.isfinite(value)
        ]
        return "On held-out labels: " + "; ".join(parts) + "."


def train_segmenter(
    images: Sequence[ArrayLike],
    labels: Sequence[ArrayLike],
    out: str | Path,
    *,
    init: Model | str | Path | None = "mito-segment",
    painted: bool = False,
    settings: SegmenterTraining | None = None,
    pixel_size_um: float | None = None,
    name: str | None = None,
    names: Sequence[str] = (),
    checkpoint: str | Path | None = None,
    overwrite: bool = False,
    progress: ProgressCallback | None = None,
    cancel: CancelToken | None = None,
) -> SegmenterResult:
    """Train a segmenter on images and labels, write it, and return it with its scores.

    Parameters
    ----------
    images, labels : sequences of arrays, shape (Y, X) or (T, Y, X)
        Fluorescence and labels in pairs. See `painted` for the meaning of 0. A plane with
        one value for several objects is a mask: it teaches the foreground only.
    out : str or Path
        Model file to write, ``.safetensors``.
    init : Model, str, path or None
        The model to start from; None starts a new network, which needs many images.
    painted : bool
        False: 0 is background, all of it. True: 0 is not looked at and ignored, 1 is
        background, values from 2 on are one mitochondrion each.
    settings : SegmenterTraining, optional
        Steps, learning rate, held-out share, seed.
    pixel_size_um : float, optional
        Of the images, for the card.
    name : str, optional
        Under which the model is listed; the file's name if not given.
    names : sequence of str
        Of the images, for messages and the card; images of one name are held out together.
    checkpoint : str or Path, optional
        Written every 50 steps and when cancelled; where it exists, training goes on
        from it. It is removed when the model is written.
    overwrite : bool
        Whether `out` may be replaced.
    progress, cancel : callable, CancelToken, optional
        Reported to and looked at once a step.

    Raises
    ------
    InputError
        Images and labels do not fit, nothing is labelled, or a setting is impossible.
    ModelError, TrainingError, OutputError, CancelledError
        `init` is unusable; the loss is not finite; `out` cannot be written; cancelled.

    Examples
    --------
    >>> import napari_virtualstain as vs, tempfile, pathlib
    >>> scene = vs.simulate(frames=1, size=128, count=8, seed=0)
    >>> quick = SegmenterTraining(steps=2, batch_size=1, crop=64)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     out = pathlib.Path(folder, "mine.safetensors")
    ...     result = train_segmenter(scene.fluorescence, scene.labels, out, settings=quick)
    >>> sorted(result.after)
    ['iou']
    """
    settings = settings or SegmenterTraining()
    target = Path(out)
    check_output(target, overwrite=overwrite)
    model, card = _start(init, name or target.name.removesuffix(".safetensors"), pixel_size_um)
    segmenter = Segmenter(model)
    examples = labelled_images(
        list(images),
        list(labels),
        painted=painted,
        normalisation=card.normalisation.input,
        compress=segmenter.compressed,
        names=names,
    )
    rng = np.random.default_rng(settings.seed)
    train, test = hold_out(examples, settings.held_out, rng)
    before = _scores(segmenter, test) if init is not None else {}
    saved = None if checkpoint is None else Path(checkpoint)
    history = _learn(model, train, settings, rng, saved, progress, cancel)
    after = _scores(Segmenter(model), test)
    unit = unit_held_out(len(planes_by_image(examples)))
    card = _finished_card(card, model, settings, before, after, (train, test), unit, painted, names)
    save_model(target, model.network, card, overwrite=overwrite)
    if saved is not None:
        saved.unlink(missing_ok=True)
    return SegmenterResult(target, card, before, after, history)


def _start(
    init: Model | str | Path | None, name: str, pixel_size_um: float | None
) -> tuple[Model, ModelCard]:
    from ..models import Model

    if init is not None:
        given = as_segmenter(init)
        card = given.card.model_copy(update={"name": name})
        model = replace(given, network=copy.deepcopy(given.network), card=card)
    else:
        card = new_card(name)
        model = Model(build_network(card.architecture), card, "", Path())
    if pixel_size_um is not None:
        card = card.model_copy(update={"pixel_size_um": float(pixel_size_um)})
    return model, card


def new_card(name: str) -> ModelCard:
    """Return the card of an untrained segmenter with the usual outputs."""
    steps = SEGMENTATION_DEFAULTS["steps"]
    arguments = {"in_channels": 1, "out_channels": 2 + len(steps), "widths": [24, 48, 96, 192]}
    return ModelCard.model_validate(
        {
            "name": name,
            "kind": "segmenter",
            "architecture": Architecture(name="unet", arguments=arguments),
            "outputs": ["foreground", "contact", *(f"same at {dy},{dx}" for dy, dx in steps)],
            "normalisation": NORMALISATION,
            "pixel_size_um": USUAL_PIXEL_SIZE_UM,
            "segmentation": SEGMENTATION_DEFAULTS,
        }
    )


def _learn(
    model: Model,
    examples: Sequence[LabelledImage],
    settings: SegmenterTraining,
    rng: np.random.Generator,
    checkpoint: Path | None,
    progress: ProgressCallback | None,
    cancel: CancelToken | None,
) -> pd.DataFrame:
    from .learning import Learner, as_batch

    steps = [(int(y), int(x)) for y, x in Segmenter(model).settings.get("steps", ())]
    fresh = not model.sha256
    learner = Learner(
        model.network, steps, settings.learning_rate, settings.steps, keep_statistics=not fresh
    )
    if checkpoint is not None and checkpoint.exists():
        learner.resume(checkpoint, rng)
    reporter = Reporter(settings.steps, "step", "training", progress, cancel)
    reporter.done = learner.step
    losses = []
    try:
        for chosen in _draws(examples, settings, rng, settings.steps - learner.step):
            reporter.check()
            crops = [draw_crop(example, settings.crop, rng) for example in chosen]
            batch = as_batch(crops, parted=[example.parted for example in chosen])
            losses.append((learner.step, learner.learn(batch)))
            if checkpoint is not None and learner.step % _CHECKPOINT_EVERY == 0:
                learner.save(checkpoint, rng)
            reporter.advance()
    except BaseException:
        if checkpoint is not None and losses:
            learner.save(checkpoint, rng)
        model.network.requires_grad_(False).eval()
        raise
    learner.finish()
    return pd.DataFrame(losses, columns=["step", "loss"])


def _draws(
    examples: Sequence[LabelledImage],
    settings: SegmenterTraining,
    rng: np.random.Generator,
    batches: int,
) -> Iterator[list[LabelledImage]]:
    weight = np.array([float(e.known.sum()) for e in examples])
    for _ in range(batches):
        chosen = rng.choice(len(examples), settings.batch_size, p=weight / weight.sum())
        yield [examples[int(index)] for index in chosen]


def _scores(segmenter: Segmenter, examples: Sequence[LabelledImage]) -> dict[str, float]:
    """Return mean scores over held-out examples."""
    if not examples:
        return {}
    rows = [_score(segmenter, example) for example in examples]
    means = pd.DataFrame(rows).mean().dropna()
    return {str(name): float(value) for name, value in means.items()}


def _score(segmenter: Segmenter, example: LabelledImage) -> dict[str, float]:
    labels = segmenter.maps_of_normalised(example.image).labels()
    found, true = (labels > 0) & example.known, example.labels > 0
    union = int((found | true).sum())
    scores = {"iou": int((found & true).sum()) / union if union else math.nan}
    if example.complete and example.parted:
        scores["f1"] = object_scores(labels, example.labels)["f1"]
    return scores


def _finished_card(
    card: ModelCard,
    model: Model,
    settings: SegmenterTraining,
    before: dict[str, float],
    after: dict[str, float],
    parts: tuple[list[LabelledImage], list[LabelledImage]],
    unit: str,
    painted: bool,
    names: Sequence[str],
) -> ModelCard:
    from ..engine import activation_ranges

    train, test = parts
    return card.model_copy(
        update={
            "activation_ranges": activation_ranges(model.network, _typical(train)),
            "training": {
                "started_from": model.sha256,
                "painted": painted,
                "masks": sorted({e.name for e in (*train, *test) if not e.parted}),
                **{key: getattr(settings, key) for key in SegmenterTraining.__slots__},
            },
            "split": {
                "train": sorted({example.name for example in train}),
                "held_out": sorted({example.name for example in test}),
                "by": unit,
            },
            "scores": {"before": before, "after": after},
            "data": {"images": list(names)},
            "versions": {"napari-virtualstain": __version__},
        }
    )


def _typical(
    examples: Sequence[LabelledImage], most: int = 24, side: int = 512
) -> Iterator[NDArray[np.float32]]:
    """Yield what the network reads (1, Y, X) of some images, cut to their middle."""
    for index in spread_evenly(most, len(examples)):
        image = examples[index].image
        yield image[middle_part(image.shape, side)][None]
