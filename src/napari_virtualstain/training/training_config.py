"""Settings of a training, as one value that can be saved and shown."""

from __future__ import annotations

import math
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ..data import Augmentation
from ..errors import InputError
from ..losses import LossConfig
from ..models import Architecture, Inputs, unet_arguments
from ..normalisation import Normalisation
from ..settings import TrainSettings

Monitor: TypeAlias = Literal["correlations", "bandpass_pearson", "pearson", "loss"]

_FEWEST_STEPS, _MOST_STEPS = 500, 3000


class Optimisation(BaseModel):
    """Optimiser settings of the generator."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    optimizer: Literal["adam", "adamw", "rmsprop"] = Field(
        default="adamw", description="Method of the generator; the discriminator has Adam."
    )
    learning_rate: float | None = Field(
        default=None,
        gt=0,
        le=1,
        description="Peak learning rate; if empty 2e-3, and 3e-4 for a network without "
        "BatchNorm, which would diverge.",
    )
    beta1: float = Field(default=0.9, ge=0, lt=1, description="First moment's decay.")
    beta2: float = Field(default=0.98, ge=0, lt=1, description="Second moment's decay.")
    weight_decay: float = Field(default=1e-2, ge=0, description="Decoupled weight decay.")
    schedule: Literal["constant", "linear_decay", "cosine", "one_cycle"] = Field(
        default="one_cycle",
        description="constant; linear_decay: constant for half, then down to 0; cosine: half a "
        "cosine down; one_cycle: up for a tenth, then half a cosine down.",
    )
    gradient_clip: float = Field(
        default=1.0, ge=0, description="Largest norm of the gradient; 0 is off."
    )
    init_rate_factor: float = Field(
        default=0.2,
        gt=0,
        le=1,
        description="Factor on the learning rate when starting from a model, which would forget.",
    )
    ema_decay: float = Field(
        default=0.995, ge=0, lt=1, description="Decay of the averaged weights; 0 is off."
    )
    discriminator_learning_rate: float = Field(
        default=2e-5, gt=0, le=1, description="The paper's 2e-5."
    )


class TrainingConfig(TrainSettings):
    """Settings of one training; start from :func:`preset` and change what you need.

    Examples
    --------
    >>> TrainingConfig(steps=100).crop_size
    256
    """

    name: str = Field(
        default="my-model",
        pattern=r"^[^/\\\x00-\x1f\x7f]{0,99}[^/\\\x00-\x1f\x7f. ]$",
        description="Name of the model in lists, and of its file when none is given.",
    )
    preset: str = Field(default="", description="The preset that the settings started from.")
    description: str = Field(default="", description="Description on the model card.")
    licence: str = Field(default="", description="Licence of the model, for the model card.")
    data_source: str = Field(default="", description="Source of the pairs, for the model card.")

    architecture: Architecture = Field(
        default=Architecture(name="compact"), description="Network of the generator."
    )
    inputs: Inputs = Field(
        default=Inputs(), description="Bright-field planes that the model reads."
    )
    input_normalisation: Normalisation = Field(
        default=Normalisation(kind="median_mad"),
        description="Normalisation of the bright-field images.",
    )
    target_normalisation: Normalisation = Field(
        default=Normalisation(kind="percentile", low=5, high=99.5),
        description="Normalisation of the fluorescence images.",
    )
    loss: LossConfig = Field(
        default=LossConfig(l1=1.0, correlation=0.5, band_pass=1.0), description="See LossConfig."
    )
    augmentation: Augmentation = Field(
        default=Augmentation(), description="Variation of the crops; see Augmentation."
    )
    optimisation: Optimisation = Field(default=Optimisation(), description="See Optimisation.")

    frozen_statistics: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="Share of the steps, the last ones, in which BatchNorm keeps its statistics; "
        "if empty, all of them when starting from a model, and none otherwise.",
    )
    out_of_focus_share: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="Share of draws from frames out of focus; if empty, as they occur.",
    )
    group_balance: float = Field(
        default=0.5, ge=0, le=1, description="0: frames equally often; 1: cells equally often."
    )
    bad_pairs: Literal["stop", "drop"] = Field(
        default="stop", description="What to do about constant, empty or saturated pairs."
    )

    validation_groups: tuple[str, ...] | None = Field(
        default=None, description="Held-out groups; chosen automatically if empty."
    )
    validation_fraction: float = Field(
        default=0.2,
        gt=0,
        lt=1,
        description="Share of pairs to hold out when groups are chosen automatically.",
    )
    validate_every: int | None = Field(
        default=None,
        ge=1,
        description="Steps between validations; a fifteenth of all, at least 20, if empty.",
    )
    validation_images: int = Field(
        default=16, ge=1, description="Number of held-out images scored during training."
    )
    patience: int | None = Field(
        default=None, ge=1, description="Validations without improvement before stopping early."
    )
    keep_best: bool = Field(
        default=False,
        description="Whether the weights with the best held-out score are kept, not the last; "
        "with patience always.",
    )
    monitor: Monitor = Field(
        default="bandpass_pearson",
        description="What decides which weights are best; correlations is the mean of both.",
    )

    trainable: Literal["all", "first_blocks", "decoder", "head"] = Field(
        default="all",
        description="What is trained when starting from a model: everything, the first two blocks "
        "(another microscope), the decoder (another stain), or the last layer.",
    )
    teachers: tuple[str, ...] = Field(
        default=(), description="Models whose mean output is also a target (distillation)."
    )
    discriminator_width: int = Field(
        default=64, ge=1, le=256, description="Channels of the discriminator's first layer."
    )
    discriminator_sees_input: bool = Field(
        default=False, description="Whether the discriminator sees the bright-field image too."
    )

    device: str = Field(default="auto", description="auto, cpu, cuda, cuda:1, mps.")
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        default="auto",
        description="Arithmetic of the convolutions; auto is bfloat16 where it is fast.",
    )
    workers: int = Field(default=0, ge=0, le=64, description="Processes that prepare batches.")
    checkpoint_every: int = Field(
        default=500,
        ge=1,
        description="Steps between checkpoints; one is also written every two minutes.",
    )
    log_every: int = Field(default=10, ge=1, description="Steps between lines of history.csv.")
    report: bool = Field(
        default=True, description="Whether a page with the held-out scores is written."
    )
    pixel_size_um: float | None = Field(
        default=None, gt=0, description="Pixel size in µm, if the images do not state it."
    )
    sample_index: float = Field(
        default=1.33, ge=1, le=2, description="Refractive index of the sample, for the PSF."
    )
    psf_size: int = Field(default=5, ge=1, le=65, description="Side of the PSF kernel, pixels.")

    @model_validator(mode="after")
    def _settings_agree(self) -> TrainingConfig:
        if self.steps is not None and self.epochs is not None:
            raise ValueError("give steps or epochs, not both")
        if self.loss.distillation > 0 and not self.teachers:
            raise ValueError("a distillation loss needs teachers")
        if self.trainable != "all" and not self.init:
            raise ValueError(f"trainable={self.trainable!r} needs init, a model to start from")
        return self

    def updated(self, **changes: Any) -> TrainingConfig:
        """Return the settings with some changed, and checked again.

        Steps take the place of the epochs that were set before, and epochs that of steps.

        Raises
        ------
        InputError
            A setting is unknown or out of its range.

        Examples
        --------
        >>> TrainingConfig().updated(batch_size=4).batch_size
        4
        """
        for given, other in (("steps", "epochs"), ("epochs", "steps")):
            if changes.get(given) is not None:
                changes.setdefault(other, None)
        try:
            return TrainingConfig.model_validate({**self.model_dump(), **changes})
        except ValidationError as error:
            raise InputError(validation_text(error)) from error

    def step_count(self, pairs: int, pixels: int = 0) -> int:
        """Return the number of steps for so many training pairs, of so many pixels in all.

        Without steps and epochs it grows with the root of the data, from 500 to 3000: few
        sets overfit; larger sets merit more steps, but sub-linearly.
        A model that is fine-tuned needs half of that.
        """
        if self.steps is not None:
            return self.steps
        if self.epochs is not None:
            return max(1, round(self.epochs * pairs / self.batch_size))
        crops = pixels / self.crop_size**2
        steps = round(min(max(100 * math.sqrt(crops), _FEWEST_STEPS), _MOST_STEPS))
        return steps // 2 if self.init else steps

    @property
    def kept_share(self) -> float:
        """Share of the steps, the last ones, in which BatchNorm keeps its statistics."""
        if self.frozen_statistics is not None:
            return self.frozen_statistics
        return 1.0 if self.init else 0.0

    @property
    def keeps_best(self) -> bool:
        """Whether held-out images choose the weights."""
        return self.keep_best or self.patience is not None

    def psf(self, pixel_size_um: float) -> NDArray[np.float64]:
        """Return the kernel of the weight map for pixels of a size, sum 1.

        Raises
        ------
        InputError
            The optics are not physical, such as an aperture above the immersion's index.

        Examples
        --------
        >>> TrainingConfig(psf_size=3).psf(0.08).shape
        (3, 3)
        """
        from ..optics import GibsonLanni, gibson_lanni_psf

        optics = GibsonLanni(
            wavelength_um=self.wavelength_um,
            na=self.numerical_aperture,
            n_immersion=self.immersion_index,
            n_sample=self.sample_index,
            n_immersion_design=self.immersion_index,  # what the objective was made for
        )
        return gibson_lanni_psf(
            size=self.psf_size, pixel_size_um=pixel_size_um, depth_um=self.depth_um, optics=optics
        )

    def weight_map_settings(self, pixel_size_um: float) -> dict[str, Any]:
        """Return the keywords of :func:`optics.weight_map` for pixels of a size.

        Raises
        ------
        InputError
            The optics are not physical.

        Examples
        --------
        >>> TrainingConfig(loss=LossConfig(weight_map="binary")).weight_map_settings(0.08)
        {'kind': 'binary', 'iterations': 20}
        """
        loss = self.loss
        settings: dict[str, Any] = {"kind": loss.weight_map, "iterations": loss.weight_iterations}
        if loss.weight_map.startswith("psf"):
            settings["psf"] = self.psf(pixel_size_um)
        if loss.weight_background:
            settings["background"] = "percentile"
            settings["background_percentile"] = loss.weight_background
        return settings

    def network_architecture(self) -> dict[str, Any]:
        """Return the architecture with the channels that inputs and loss ask for."""
        arguments = {
            **self.architecture.arguments,
            "in_channels": self.inputs.planes,
            "out_channels": 2 if self.loss.is_heteroscedastic else 1,
        }
        architecture = {"name": self.architecture.name, "arguments": arguments}
        if self.architecture.name in ("unet", "paper", "compact"):
            unet_arguments(architecture)
        return architecture


def validation_text(error: ValidationError) -> str:
    """Return a pydantic error as one line for the user."""
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    given = f" (given: {first['input']!r})" if where else ""
    message = first["msg"].removeprefix("Value error, ")
    return f"Training setting {where}: {message}{given}." if where else f"Training: {message}."
