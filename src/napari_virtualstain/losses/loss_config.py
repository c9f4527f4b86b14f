"""Loss terms and their weights."""

from __future__ import annotations

from typing import Literal, TypeAlias

from pydantic import Field

from ..settings import Display, Settings, setting

AdversarialKind: TypeAlias = Literal["minimax", "modified_minimax", "least_squares"]
WeightMapKind: TypeAlias = Literal[
    "none", "binary", "logit", "gaussian", "psf_convolution", "psf_deconvolution"
]


def _weight(description: str, default: float = 0.0) -> float:
    value: float = Field(default=default, ge=0, description=description)
    return value


class LossConfig(Settings):
    """Weight of each term of the generator's loss; 0 leaves a term out.

    Examples
    --------
    >>> LossConfig(l1=0, weighted_l1=50, adversarial=1).has_adversary
    True
    """

    l1: float = _weight("Mean absolute error.", 1.0)
    weighted_l1: float = _weight("Mean absolute error times the weight map: eq. 3 of the paper.")
    mse: float = _weight("Mean squared error.")
    laplace: float = _weight(
        "Negative log likelihood of a Laplace error whose scale the network predicts too."
    )
    correlation: float = _weight("1 - Pearson correlation of each crop.")
    band_pass: float = _weight(
        "1 - Pearson correlation of each crop between Gaussian scales of 1 and 8 pixels."
    )
    gradient: float = _weight("Mean absolute error of the differences between neighbours.")
    multi_scale: float = _weight("Mean absolute error at half, quarter and eighth size.")
    threshold_normalised: float = _weight("TN of method G: error after a piecewise linear map.")
    spotlight: float = _weight("Foreground-masked error and soft Dice, after Spotlight.")
    adversarial: float = _weight("The discriminator's judgement.")
    distillation: float = _weight("Mean absolute error to the mean of the teachers.")

    weight_map: WeightMapKind = setting(
        "none",
        "Weight map",
        "Rule by which the weight of a pixel in weighted_l1 follows from the true fluorescence, "
        "see Fig. 6 of the paper.",
        choices={
            "psf_deconvolution": "PSF deconvolution",
            "psf_convolution": "PSF convolution",
            "gaussian": "Gaussian",
            "logit": "logit",
            "binary": "binary",
            "none": "none",
        },
    )
    weight_background: float = setting(
        0.0,
        "Background",
        "Percentile of the frame that is subtracted before the weight map, which decides how much "
        "mitochondria count beside their background; 0 is off.",
        step=5,
        display=Display("%", decimals=0, lowest="off"),
        ge=0,
        le=50,
    )
    weight_iterations: int = Field(
        default=20, ge=1, le=500, description="Richardson-Lucy iterations of the weight map."
    )
    weight_floor: float = Field(
        default=0.0, ge=0, le=1, description="Smallest weight, so that background is never free."
    )
    weight_mean_one: bool = Field(
        default=False,
        description="Whether weights are divided by their mean over the batch, so that the map "
        "redistributes the loss instead of shrinking it.",
    )
    adversarial_kind: AdversarialKind = Field(
        default="modified_minimax", description="Form of the adversarial loss."
    )
    spotlight_mse: float = Field(
        default=0.5, ge=0, le=1, description="Share of the masked error in the Spotlight term."
    )

    @property
    def has_adversary(self) -> bool:
        """Whether a discriminator is trained."""
        return self.adversarial > 0

    @property
    def is_heteroscedastic(self) -> bool:
        """Whether the network must also predict the log scale of its error."""
        return self.laplace > 0
