"""The methods A to H of Table 1 as data, and ``recommended``, ours.

A dash in the table means "as in A"; here every row is written out. What the paper
leaves open is decided once, below the table, and is the same for all rows:

* the weights of pixel loss and adversarial loss: 50 and 1 (the authors' recorded run);
* "Activation" is that of the generator's last layer, the hidden ones being leaky ReLU as
  section 2.3 says; while it trains, a ReLU there passes a tenth of the gradient where it is 0;
* "modified minimax" (H) is Goodfellow's non-saturating form, without a pixel loss;
* targets are scaled to [0, 1] a movie, which a sigmoid can reach;
* learning rate 2e-4, beta1 0.5 and beta2 0.999, constant for half of the training and then
  linearly down to 0, as in the authors' code; 200 epochs, as in section 4.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..data import Augmentation
from ..errors import InputError
from ..losses import LossConfig
from ..models import Architecture
from ..normalisation import Normalisation
from .training_config import Optimisation, TrainingConfig

PixelLoss = Literal["PSF", "L1", "TN", "Minimax"]
# Beside an L1 of weight 3. The map has mean 1, so that a quarter of the absolute error is
# distributed as the deconvolved target, its background (the darkest quarter) subtracted.
PSF_WEIGHT = 1.0
RECOMMENDED = "recommended"
USUAL_START = "mito-h9c2"
AUTOMATIC, FROM_NOTHING = "auto", "none"


@dataclass(frozen=True, slots=True)
class Method:
    """One column of Table 1 of the paper."""

    name: str
    input_channels: int
    batch_size: int
    dropout: float
    optimizer: Literal["adam", "rmsprop"]
    generator_loss: PixelLoss
    activation: Literal["relu", "sigmoid"]


# name, input channels, batch size, dropout, optimizer, generator loss, activation
TABLE_1 = (
    Method("A", 3, 1, 0.0, "adam", "PSF", "relu"),
    Method("B", 1, 1, 0.5, "adam", "PSF", "relu"),
    Method("C", 3, 16, 0.5, "rmsprop", "PSF", "sigmoid"),
    Method("D", 3, 16, 0.5, "adam", "PSF", "relu"),
    Method("E", 3, 1, 0.0, "adam", "L1", "relu"),
    Method("F", 3, 16, 0.5, "adam", "L1", "relu"),
    Method("G", 3, 1, 0.0, "adam", "TN", "relu"),
    Method("H", 3, 1, 0.0, "adam", "Minimax", "relu"),
)

_PIXEL_WEIGHT = 50.0
_LOSSES: dict[PixelLoss, LossConfig] = {
    "PSF": LossConfig(
        l1=0, weighted_l1=_PIXEL_WEIGHT, weight_map="psf_deconvolution", adversarial=1
    ),
    "L1": LossConfig(l1=_PIXEL_WEIGHT, adversarial=1),
    "TN": LossConfig(l1=0, threshold_normalised=_PIXEL_WEIGHT, adversarial=1),
    "Minimax": LossConfig(l1=0, adversarial=1, adversarial_kind="modified_minimax"),
}


def preset_names() -> tuple[str, ...]:
    """Return the names that :func:`preset` knows, ours first.

    Examples
    --------
    >>> preset_names()[:3]
    ('recommended', 'A', 'B')
    """
    return (RECOMMENDED, *(method.name for method in TABLE_1))


_IN_WORDS: dict[PixelLoss, str] = {
    "PSF": "PSF-weighted L1 and a discriminator",
    "L1": "plain L1 and a discriminator",
    "TN": "threshold-normalised L1 and a discriminator",
    "Minimax": "a discriminator alone",
}


def preset_sentence(name: str) -> str:
    """Return one sentence that says what a preset trains with.

    Raises
    ------
    InputError
        There is no such preset.

    Examples
    --------
    >>> preset_sentence("H")
    'Table 1, method H: a discriminator alone, batches of 1, Adam, ReLU output.'
    """
    config = preset(name)
    for method in TABLE_1:
        if method.name == config.preset:
            dropout = f", dropout {method.dropout:g}" if method.dropout else ""
            optimizer = {"adam": "Adam", "rmsprop": "RMSprop"}[method.optimizer]
            activation = {"relu": "ReLU", "sigmoid": "sigmoid"}[method.activation]
            return (
                f"Table 1, method {method.name}: {_IN_WORDS[method.generator_loss]}, batches of "
                f"{method.batch_size}{dropout}, {optimizer}, {activation} output."
            )
    return (
        f"PSF-weighted L1 (weight {config.loss.weighted_l1:g}) with plain L1, correlation and "
        "band-pass terms, no discriminator, and strong augmentation."
    )


def preset(name: str = RECOMMENDED) -> TrainingConfig:
    """Return the settings of a method of Table 1, or ours.

    Parameters
    ----------
    name : str
        ``recommended``, or ``A`` to ``H``.

    Raises
    ------
    InputError
        There is no such preset.

    Examples
    --------
    >>> preset("A").loss.weight_map
    'psf_deconvolution'
    """
    if name.lower() == RECOMMENDED:
        return _recommended()
    for method in TABLE_1:
        if method.name == name.upper():
            return _of_the_paper(method)
    raise InputError(f"There is no preset {name!r}. Presets: {', '.join(preset_names())}.")


def with_start(config: TrainingConfig, init: str = AUTOMATIC) -> TrainingConfig:
    """Return the settings with a model to start from.

    Parameters
    ----------
    config : TrainingConfig
        Its own ``init`` is replaced.
    init : str
        Name or path of a model; ``none`` starts from random weights; ``auto`` starts the
        ``recommended`` preset from :data:`USUAL_START`, unless another network was chosen,
        and the methods of the paper from random weights.

    Examples
    --------
    >>> with_start(preset()).init, with_start(preset(), "none").init, with_start(preset("A")).init
    ('mito-h9c2', '', '')
    """
    if init == AUTOMATIC:
        usual = preset().architecture
        fits = config.preset == RECOMMENDED and config.architecture == usual
        init = USUAL_START if fits else FROM_NOTHING
    return config.updated(init="" if init == FROM_NOTHING else init)


def _of_the_paper(method: Method) -> TrainingConfig:
    arguments = {
        "replicate": method.input_channels,
        "dropout": method.dropout,
        "output_activation": method.activation,
    }
    return TrainingConfig(
        preset=method.name,
        name=f"method-{method.name}",
        architecture=Architecture(name="paper", arguments=arguments),
        input_normalisation=Normalisation(kind="mean_sd"),
        target_normalisation=Normalisation(kind="percentile", low=0, high=100),
        loss=_LOSSES[method.generator_loss],
        augmentation=Augmentation(flips=True),
        optimisation=Optimisation(
            optimizer=method.optimizer,
            learning_rate=2e-4,
            beta1=0.5,
            beta2=0.999,
            weight_decay=0,
            schedule="linear_decay",
            gradient_clip=0,
            ema_decay=0,
            discriminator_learning_rate=2e-5,
        ),
        batch_size=method.batch_size,
        crop_size=256,
        min_foreground=0.14,
        group_balance=0,
        epochs=200,
    )


def _recommended() -> TrainingConfig:
    return TrainingConfig(
        preset=RECOMMENDED,
        architecture=Architecture(
            name="unet",
            arguments={"widths": [16, 64, 128, 256, 256], "narrow_upsampling": True},
        ),
        input_normalisation=Normalisation(kind="median_mad"),
        target_normalisation=Normalisation(kind="percentile", low=5, high=99.5),
        loss=LossConfig(
            l1=3.0,
            weighted_l1=PSF_WEIGHT,
            weight_map="psf_deconvolution",
            weight_background=25.0,
            weight_mean_one=True,
            correlation=0.5,
            band_pass=1.0,
        ),
        augmentation=Augmentation.strong(),
        optimisation=Optimisation(),
        crop_size=160,
        batch_size=4,
        group_balance=0.5,
        monitor="correlations",
        keep_best=True,
        patience=6,
    )
