"""Model card: architecture, training data, settings and scores.

The card travels as JSON in the metadata of the ``.safetensors`` file, so that a model
can never be parted from its normalisation and pixel size. Fields that a later version
adds are kept when an older one reads and writes the card.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, model_validator

from ..normalisation import Normalisation

ModelKind: TypeAlias = Literal["generator", "segmenter"]
Ranges: TypeAlias = dict[str, tuple[FiniteFloat, FiniteFloat]]
SCHEMA_VERSION = 1


class Architecture(BaseModel):
    """Name and arguments of a network; see :func:`build_network`.

    Examples
    --------
    >>> Architecture(name="unet", arguments={"widths": [8, 16]}).name
    'unet'
    """

    model_config = ConfigDict(frozen=True)

    name: str = "unet"
    arguments: dict[str, Any] = Field(default_factory=dict)


class Inputs(BaseModel):
    """Input planes that the network reads for one output plane.

    Parameters
    ----------
    planes : int
        Odd number of planes, the wanted one in the middle. 1 is the paper's choice.
    axis : {"t", "z"}
        The axis along which the neighbours lie: frames before and after, or planes
        above and below. Without meaning for one plane.
    step : int
        Distance of neighbours, in frames or planes.

    Examples
    --------
    >>> Inputs(planes=3, axis="t").offsets
    (-1, 0, 1)
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    planes: int = Field(default=1, ge=1, le=31)
    axis: Literal["t", "z"] = "t"
    step: int = Field(default=1, ge=1)

    @model_validator(mode="after")
    def _planes_are_odd(self) -> Inputs:
        if self.planes % 2 == 0:
            raise ValueError(f"planes={self.planes}: give an odd number, the middle one is stained")
        return self

    @property
    def offsets(self) -> tuple[int, ...]:
        """Distance of each channel's plane from the stained one, in input order."""
        half = self.planes // 2
        return tuple(self.step * k for k in range(-half, half + 1))

    def indices(self, index: int, count: int) -> tuple[int, ...]:
        """Return the planes to read for plane `index` of `count`; the ends are repeated.

        Examples
        --------
        >>> Inputs(planes=3).indices(0, 10)
        (0, 0, 1)
        """
        return tuple(min(max(index + offset, 0), count - 1) for offset in self.offsets)


class CardNormalisation(BaseModel):
    """Normalisation of the input, and of the target with its typical units."""

    model_config = ConfigDict(frozen=True, extra="allow")

    input: Normalisation = Normalisation()
    output: Normalisation = Normalisation(kind="none")


class ModelCard(BaseModel):
    """Everything that is known about a model, besides its weights.

    Parameters
    ----------
    name : str
        Under which it is listed.
    kind : {"generator", "segmenter"}
        What it does.
    architecture : Architecture
        From which :func:`build_network` makes the network.
    inputs : Inputs
        Planes read.
    outputs : list of str
        Channels written; a generator's are ``["mean"]`` or ``["mean", "log_scale"]``.
    normalisation : CardNormalisation
        Of input and output.
    pixel_size_um : float or None
        Of the training images, micrometres.
    activation_ranges : dict of str to (float, float)
        Between which values lies what each convolution reads, for int8; empty where they
        were not measured.
    optics, loss, training, split, scores, data, versions, statistics : dict
        How it came about and how good it is; see the model page of the documentation.
    description, licence : str
        For people.

    Examples
    --------
    >>> ModelCard(name="mine", architecture={"name": "compact"}).kind
    'generator'
    """

    model_config = ConfigDict(extra="allow", frozen=True)

    schema_version: int = SCHEMA_VERSION
    name: str = Field(min_length=1, max_length=200)
    kind: ModelKind = "generator"
    description: str = ""
    architecture: Architecture = Architecture()
    inputs: Inputs = Inputs()
    outputs: list[str] = Field(default_factory=lambda: ["mean"], min_length=1)
    normalisation: CardNormalisation = CardNormalisation()
    pixel_size_um: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    activation_ranges: Ranges = Field(default_factory=dict)
    optics: dict[str, Any] = Field(default_factory=dict)
    loss: dict[str, Any] = Field(default_factory=dict)
    training: dict[str, Any] = Field(default_factory=dict)
    split: dict[str, Any] = Field(default_factory=dict)
    scores: dict[str, Any] = Field(default_factory=dict)
    data: dict[str, Any] = Field(default_factory=dict)
    licence: str = ""
    versions: dict[str, str] = Field(default_factory=dict)
    statistics: dict[str, Any] = Field(default_factory=dict)
    weights_sha256: str = ""

    @property
    def predicts_uncertainty(self) -> bool:
        """Whether the network also returns the log scale of its error."""
        return "log_scale" in self.outputs
