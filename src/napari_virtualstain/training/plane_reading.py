"""Number of bright-field planes that pairs are read with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ..errors import InputError

if TYPE_CHECKING:
    from ..data import CorrelativePairs
    from .training_config import TrainingConfig


@dataclass(frozen=True, slots=True)
class PlaneReading:
    """Arguments of :func:`napari_virtualstain.data.match_pairs` about planes.

    Attributes
    ----------
    planes : int or None
        For one target; None is what is usual for the stacks.
    plane_axis : {"t", "z"}
        Where they lie.
    plane_step : int
        How far apart.
    """

    planes: int | None = None
    plane_axis: Literal["t", "z"] = "z"
    plane_step: int = 1


def plane_reading(
    config: TrainingConfig, planes: int | None = None, plane_axis: str = "z"
) -> PlaneReading:
    """Return how planes are read: as asked, as the model to start from does, or as is usual.

    Parameters
    ----------
    config : TrainingConfig
        Names the model to start from, if there is one.
    planes : int, optional
        As asked for.
    plane_axis : str
        Axis of the planes that were asked for, or that are usual.

    Raises
    ------
    InputError
        There is no such axis, or an even number of planes was asked for.
    ModelError
        There is no such model.

    Examples
    --------
    >>> from napari_virtualstain.training import TrainingConfig
    >>> plane_reading(TrainingConfig()).planes is None
    True
    >>> plane_reading(TrainingConfig(init="mito-h9c2")).planes
    1
    """
    if config.init and planes is None:
        from ..models import read_card

        inputs = read_card(config.init).inputs
        return PlaneReading(inputs.planes, inputs.axis, inputs.step)
    if plane_axis not in ("t", "z"):
        raise InputError(f"The plane axis {plane_axis!r} is unknown: expected z or t.")
    wanted = config.updated(inputs={"planes": planes or 1, "axis": plane_axis}).inputs
    return PlaneReading(planes, wanted.axis)


def with_planes_of(
    config: TrainingConfig, pairs: CorrelativePairs, reading: PlaneReading
) -> TrainingConfig:
    """Return the settings for a network that sees the planes that the pairs were read with.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_virtualstain.data import stack_pairs
    >>> from napari_virtualstain.training import TrainingConfig
    >>> stack, reading = np.zeros((5, 8, 8)), PlaneReading(3, "z")
    >>> pairs = stack_pairs(stack, stack, "z", planes=3, plane_axis="z")
    >>> with_planes_of(TrainingConfig(), pairs, reading).inputs
    Inputs(planes=3, axis='z', step=1)
    """
    if pairs.planes == config.inputs.planes == 1:
        return config
    inputs = {"planes": pairs.planes, "axis": reading.plane_axis, "step": reading.plane_step}
    return config.updated(inputs=inputs)
