"""Scores of a trained network on held-out cells, and its card."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from torch import nn

from ..data import CorrelativePairs, PreparedPair, inside_only
from ..engine import TiledNetwork, activation_ranges
from ..losses import LossConfig
from ..metrics import compare, evaluate, summarise, write_report
from ..models import Architecture, CardNormalisation, ModelCard
from ..normalisation import spread_evenly
from ..progress import CancelToken
from .device import Compute
from .preparation import PreparedTraining
from .training_config import TrainingConfig
from .training_events import Preview
from .validation import predict

STARTING_MODEL = "starting model"
_WHOLE_FRAME = 1024
_MOST_NAMES = 2000
# as many as 64 frames of 512 x 512: minutes of judging, and enough for a mean
_MOST_JUDGED_PIXELS = 2**24
_SCORES = ("pearson", "bandpass_pearson", "ssim", "psnr", "kl", "nrmse", "mask_iou")


class HeldOut:
    """Held-out images in the target's units: true, virtual, bright-field.

    Virtual images come back to their units by the training set's typical offset and scale, as
    they will for a user who has no fluorescence at all.
    """

    def __init__(
        self,
        network: nn.Module,
        prepared: PreparedTraining,
        compute: Compute,
        cancel: CancelToken | None = None,
    ) -> None:
        self.fluorescence: list[NDArray[np.float32]] = []
        self.bright_field: list[NDArray[np.float32]] = []
        self.before: list[NDArray[np.float32]] = []
        self._prepared, self._compute = prepared, compute
        centre = prepared.pairs.planes // 2
        self._chosen = _judged(prepared)
        self.virtual = self.images_of(network, cancel)
        for index in self._chosen:
            pair = prepared.validation[index]
            for kept, image in (
                (self.fluorescence, pair.fluorescence),
                (self.bright_field, pair.bright_field[centre]),
            ):
                kept.append(inside_only(np.asarray(image, np.float32), pair.mask))
        held = prepared.pairs.subset(prepared.split.validation[i] for i in self._chosen)
        self.names, self.groups = held.names, held.groups
        self.data_range = _data_range(held.fluorescence[0].dtype)
        self.pixel_size_um = prepared.scale_um

    def images_of(
        self, network: nn.Module, cancel: CancelToken | None = None
    ) -> list[NDArray[np.float32]]:
        """Return what a network makes of the judged images, in the target's units."""
        typical = self._prepared.typical_maps()[1]
        images = []
        for index in self._chosen:
            if cancel is not None:
                cancel.raise_if_cancelled()
            pair = self._prepared.validation[index]
            image = typical.invert(_predicted(network, pair, self._compute))
            images.append(inside_only(image, pair.mask))
        return images

    def score(
        self, cancel: CancelToken | None = None, *, start: nn.Module | None = None
    ) -> pd.DataFrame:
        """Return one row for each image and method: trivial baselines, and the model at `start`."""
        settings: dict[str, Any] = {
            "data_range": self.data_range,
            "pixel_size_um": self.pixel_size_um,
            "names": self.names,
            "groups": self.groups,
            "cancel": cancel,
        }
        table = compare(self.virtual, self.fluorescence, self.bright_field, **settings)
        if start is None:
            return table
        self.before = self.images_of(start, cancel)
        before = evaluate(self.before, self.fluorescence, **settings)
        before.insert(0, "method", STARTING_MODEL)
        return pd.concat([table, before], ignore_index=True)

    def worst(self, table: pd.DataFrame, most: int = 3) -> tuple[Preview, ...]:
        """Return the images of a table of :meth:`score` that are stained worst, worst first."""
        own = table[table["method"] == "virtual stain"]["bandpass_pearson"].to_numpy(float)
        order = np.argsort(np.where(np.isnan(own), -np.inf, own), kind="stable")
        return tuple(
            Preview(
                name=f"{self.names[i]}: band-pass Pearson {own[i]:.2f}",
                bright_field=self.bright_field[i],
                fluorescence=self.fluorescence[i],
                virtual=self.virtual[i],
                before=self.before[i] if self.before else None,
            )
            for i in order[:most]
        )

    def report(
        self, folder: Path, title: str, warnings: Sequence[str], cancel: CancelToken | None = None
    ) -> Path:
        """Write a page of the judged images into `folder`, and return the folder."""
        write_report(
            folder,
            self.virtual,
            self.fluorescence,
            bright_field=self.bright_field,
            data_range=self.data_range,
            pixel_size_um=self.pixel_size_um,
            names=self.names,
            groups=self.groups,
            title=title,
            warnings=warnings,
            overwrite=True,
            cancel=cancel,
        )
        return folder


def _judged(prepared: PreparedTraining) -> list[int]:
    """Return which held-out images are judged: all, or an even choice of very many."""
    pixels = [pair.fluorescence.size for pair in prepared.validation]
    return spread_evenly(max(8, _MOST_JUDGED_PIXELS // max([1, *pixels])), len(pixels))


def _predicted(network: nn.Module, pair: PreparedPair, compute: Compute) -> NDArray[np.float32]:
    if max(pair.fluorescence.shape) <= _WHOLE_FRAME:
        return predict(network, pair, compute)[0]
    # large frames go tile by tile, as they will for the user
    tiled = TiledNetwork(network, device=compute.device)
    image: NDArray[np.float32] = tiled.predict(pair.normalised()[0][None])[0, 0]
    return image


def summarised(table: pd.DataFrame) -> dict[str, Any]:
    """Return mean and interval of each score and method, as plain values for a card.

    The model that a fine-tuning started from is no baseline: it stands under ``before``.
    """
    result: dict[str, Any] = {}
    for method, rows in table.groupby("method", sort=False):
        summary = summarise(rows, generator=np.random.default_rng(0))
        result[str(method)] = {
            name: {key: _plain(summary.loc[name, key]) for key in ("mean", "low", "high", "median")}
            for name in _SCORES
            if name in summary.index
        }
    if STARTING_MODEL in result:
        result["before"] = {STARTING_MODEL: result.pop(STARTING_MODEL)}
    return result


def make_card(
    config: TrainingConfig,
    prepared: PreparedTraining,
    architecture: dict[str, Any],
    scores: dict[str, Any],
    training: dict[str, Any],
    network: nn.Module,
) -> ModelCard:
    """Return the complete card of a trained generator."""
    pairs = prepared.pairs
    return ModelCard(
        name=config.name,
        kind="generator",
        description=config.description,
        architecture=Architecture.model_validate(architecture),
        inputs=config.inputs,
        outputs=["mean", "log_scale"] if config.loss.is_heteroscedastic else ["mean"],
        normalisation=_card_normalisation(config, prepared),
        pixel_size_um=prepared.pixel_size_um,
        activation_ranges=activation_ranges(network, prepared.typical_inputs()),
        optics={
            "numerical_aperture": config.numerical_aperture,
            "wavelength_um": config.wavelength_um,
            "immersion_index": config.immersion_index,
            "sample_index": config.sample_index,
            "depth_um": config.depth_um,
            "psf_size": config.psf_size,
        },
        loss=_loss(config.loss),
        training={**training, "settings": shared_settings(config)},
        split=prepared.split.describe(),
        scores=scores,
        data={
            "source": config.data_source,
            "pairs": len(pairs),
            "groups": {group: pairs.groups.count(group) for group in pairs.group_names},
            "names": listed_names(pairs),
            "number_type": str(pairs.fluorescence[0].dtype),
            "foreground": prepared.foreground,
            "reached": prepared.sampler.reached,
            "notes": list(pairs.notes),
        },
        licence=config.licence,
        versions=_versions(),
        statistics=prepared.input_statistics(),
    )


def listed_names(pairs: CorrelativePairs) -> list[str]:
    """Return the names of the pairs that a card lists: the first ones of very many."""
    return list(pairs.names[:_MOST_NAMES])


def shared_settings(config: TrainingConfig) -> dict[str, Any]:
    """Return the settings for a card that goes to others: models by name, not by their path."""
    settings = config.model_dump(mode="json")
    settings["init"] = Path(config.init).name
    settings["teachers"] = [Path(teacher).name for teacher in config.teachers]
    return settings


def _card_normalisation(config: TrainingConfig, prepared: PreparedTraining) -> CardNormalisation:
    inputs, targets = prepared.typical_maps()
    return CardNormalisation(
        input=config.input_normalisation.model_copy(
            update={"offset": inputs.offset, "scale": inputs.scale}
        ),
        output=config.target_normalisation.model_copy(
            update={"offset": targets.offset, "scale": targets.scale}
        ),
    )


def _loss(loss: LossConfig) -> dict[str, Any]:
    """Return the terms in use and the settings beside them."""
    values = loss.model_dump(mode="json")
    return {name: value for name, value in values.items() if value not in (0.0, False)}


def _data_range(dtype: np.dtype[Any]) -> float | None:
    return 255.0 if dtype == np.uint8 else None


def _plain(value: Any) -> float | None:
    number = float(value)
    return round(number, 5) if np.isfinite(number) else None


def _versions() -> dict[str, str]:
    versions = {"python": platform.python_version()}
    for package in ("napari-virtualstain", "torch", "numpy"):
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            from .._version import __version__

            versions[package] = __version__
    return versions
