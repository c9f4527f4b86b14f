"""Settings of a training that every front end asks for."""

from __future__ import annotations

from typing import Literal

from .fields import Display, Settings, setting


class OpticsSettings(Settings):
    """Optics of the fluorescence channel, for the kernel of the weight map.

    Examples
    --------
    >>> OpticsSettings().wavelength_um
    0.608
    """

    numerical_aperture: float = setting(
        1.42,
        "NA",
        "Numerical aperture of the objective.",
        step=0.05,
        display=Display(decimals=2),
        ge=0.05,
        le=1.7,
    )
    immersion_index: float = setting(
        1.515,
        "Immersion",
        "Refractive index of the immersion: oil 1.515, glycerol 1.47, water 1.33, air 1.",
        step=0.01,
        ge=1,
        le=2,
    )
    wavelength_um: float = setting(
        0.608,
        "Emission",
        "Emission wavelength of the fluorescence.",
        unit="µm",
        step=0.01,
        display=Display("nm", 1000, decimals=0),
        ge=0.05,
        le=5,
    )
    depth_um: float = setting(
        0.0,
        "Depth",
        "Depth below the cover glass.",
        unit="µm",
        step=0.5,
        display=Display("µm", decimals=1),
        ge=0,
        le=200,
    )


class TrainSettings(OpticsSettings):
    """Settings of a training; ``training.TrainingConfig`` adds those of the method.

    Examples
    --------
    >>> TrainSettings(steps=100).batch_size
    8
    """

    preset: str = setting(
        "recommended", "Method", "Preset: recommended, or A to H of the paper's Table 1."
    )
    init: str = setting("", "Model", "Model to start from: its name or path.")
    minutes: float | None = setting(
        None,
        "Time",
        "Time limit of the training; steps and schedule are fitted to it.",
        unit="min",
        none="no limit",
        step=5,
        display=Display("min", decimals=1),
        gt=0,
        le=1e5,
    )
    steps: int | None = setting(
        None,
        "Steps",
        "Steps of training; by default as many as the data is worth, within the time limit.",
        none="automatic",
        ge=1,
        le=10_000_000,
    )
    epochs: float | None = setting(
        None,
        "Epochs",
        "Number of times that each training pair is drawn, on average, instead of steps.",
        none="automatic",
        gt=0,
        le=1e6,
    )
    crop_size: int = setting(
        256, "Crop", "Side of the training crops.", unit="px", step=1, ge=16, le=2048
    )
    batch_size: int = setting(8, "Batch", "Crops per step; fewer need less memory.", ge=1, le=1024)
    min_foreground: float = setting(
        0.0,
        "Foreground",
        "Smallest share of bright pixels in a crop; 0 accepts every crop, the paper has 14 %.",
        step=0.01,
        display=Display("%", 100, decimals=0),
        ge=0,
        le=0.99,
    )
    correct_registration: bool = setting(
        False,
        "Correct registration",
        "Undo shift, turn and magnification between the channels where they are certain.",
    )
    allow_leakage: bool = setting(
        False,
        "Allow shared pixels",
        "Judge even where a held-out image shares cells or pixels with those that train; card and "
        "report then say that the score says nothing about new cells.",
    )
    seed: int = setting(0, "Seed", "Random seed.", ge=0, le=2**32 - 1)


class PairSettings(Settings):
    """Settings of the pairs that a training learns from and is judged on.

    Examples
    --------
    >>> PairSettings(planes=3).plane_axis
    'z'
    """

    planes: int | None = setting(
        None,
        "Planes",
        "Bright-field planes that the model reads for each one: contrast turns over in focus, and "
        "neighbours show on which side a structure lies.",
        none="3 for z-stacks, else 1",
        ge=1,
    )
    plane_axis: Literal["z", "t"] = setting(
        "z", "Axis of the planes", "Axis of these planes: z (above, below) or t (before, after)."
    )
    folds: int | None = setting(
        None,
        "Folds",
        "Number of cross-validation folds; one model is trained without each, and the final model "
        "on all pairs.",
        none="one part is held out",
        ge=2,
        le=99,
    )
    simulated_pairs: int = setting(
        200,
        "Simulated pairs",
        "Pairs to simulate where there is no fluorescence; a tenth of them judges.",
        ge=10,
        le=10_000,
    )


class SegmenterTraining(Settings):
    """Settings of :func:`napari_virtualstain.segmentation.train_segmenter`.

    Examples
    --------
    >>> SegmenterTraining().crop
    128
    """

    steps: int = setting(
        150, "Steps", "Optimiser steps; 150 take a few minutes on two cores.", ge=1, le=1_000_000
    )
    learning_rate: float = setting(
        1e-3, "Learning rate", "Learning rate at the start.", step=1e-4, ge=1e-8, le=1
    )
    batch_size: int = setting(6, "Batch", "Crops per step.", ge=1, le=256)
    crop: int = setting(
        128,
        "Crop",
        "Side of the training crops, a multiple of 32.",
        unit="px",
        step=32,
        ge=32,
        le=1024,
        multiple_of=32,
    )
    held_out: float = setting(
        0.25,
        "Hold out",
        "Share of the labelled images, or of the labelled blocks of fewer than four images, that "
        "never trains and is scored.",
        step=0.05,
        ge=0,
        le=0.9,
    )
    seed: int = setting(0, "Seed", "Random seed.", ge=0, le=2**32 - 1)
