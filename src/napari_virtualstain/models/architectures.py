"""The networks that a model card can name.

Arguments come from a file, so they are checked against limits before anything is
allocated: a card that asks for a billion channels is refused, not tried.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from ..errors import ModelError
from .card import Architecture

if TYPE_CHECKING:
    from torch import nn

_LARGEST_WIDTH = 2048


class UNetArguments(BaseModel):
    """Arguments of :class:`UNet`, within the limits of what a file may ask for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    in_channels: int = Field(default=1, ge=1, le=64)
    out_channels: int = Field(default=1, ge=1, le=64)
    widths: tuple[int, ...] = Field(default=(32, 64, 128, 256), min_length=1, max_length=8)
    kernel: int = Field(default=3, ge=1, le=15)
    convolutions: int = Field(default=2, ge=1, le=6)
    batch_norm: bool = True
    dropout: float = Field(default=0.0, ge=0, lt=1)
    replicate: int = Field(default=1, ge=1, le=16)
    output_activation: Literal["none", "relu", "sigmoid"] = "none"
    narrow_upsampling: bool = False
    half_resolution: bool = False

    @field_validator("widths")
    @classmethod
    def _widths_are_sane(cls, widths: tuple[int, ...]) -> tuple[int, ...]:
        if not all(1 <= width <= _LARGEST_WIDTH for width in widths):
            raise ValueError(f"each width must lie between 1 and {_LARGEST_WIDTH}")
        return widths

    @field_validator("kernel")
    @classmethod
    def _kernel_is_odd(cls, kernel: int) -> int:
        if kernel % 2 == 0:
            raise ValueError(f"kernel {kernel} is even; give an odd one such as 3 or 7")
        return kernel


# Section 2.3 of the paper: C32-C64-C128-C256, in-scale kernel 7, three convolutions a
# block, no normalisation layer mentioned. 15.9 M parameters.
_PAPER = {
    "widths": (32, 64, 128, 256),
    "kernel": 7,
    "convolutions": 3,
    "batch_norm": False,
}
# The same levels with 3x3 kernels and two convolutions: 2.0 M parameters, eight times
# fewer operations.
_COMPACT = {"widths": (32, 64, 128, 256), "kernel": 3, "convolutions": 2, "batch_norm": True}

_DEFAULTS: dict[str, dict[str, Any]] = {"unet": {}, "paper": _PAPER, "compact": _COMPACT}
Builder = Callable[[dict[str, Any]], "nn.Module"]
_BUILDERS: dict[str, Builder] = {}


def architecture_names() -> tuple[str, ...]:
    """Return the names that :func:`build_network` knows.

    Examples
    --------
    >>> architecture_names()[:3]
    ('compact', 'paper', 'unet')
    """
    return tuple(sorted({*_DEFAULTS, *_BUILDERS}))


def register_architecture(name: str, builder: Builder) -> None:
    """Make `builder` available to model cards as architecture `name`.

    Parameters
    ----------
    name : str
        New; the built-in names cannot be replaced.
    builder : callable
        Takes the arguments of the card and returns a network with an int ``stride``.

    Raises
    ------
    ModelError
        The name is taken by a built-in architecture.

    Examples
    --------
    >>> register_architecture("mine", lambda arguments: build_network({"name": "unet"}))
    """
    if name in _DEFAULTS:
        raise ModelError(f"Architecture {name!r} is built in: register yours under another name.")
    _BUILDERS[name] = builder


def build_network(architecture: Architecture | dict[str, Any]) -> nn.Module:
    """Return a new network with random weights.

    Parameters
    ----------
    architecture : Architecture or dict
        ``{"name": ..., "arguments": {...}}``. ``unet`` takes all arguments of
        :class:`UNet`; ``paper`` (7x7, 15.9 M parameters) and ``compact`` (3x3, 2.0 M)
        are presets of it whose arguments can still be changed.

    Raises
    ------
    ModelError
        Unknown name, unknown argument, or an argument beyond its limits.

    Examples
    --------
    >>> build_network({"name": "compact", "arguments": {"widths": [8, 16]}}).stride
    2
    """
    checked = _checked(architecture)
    if checked.name in _BUILDERS:
        return _BUILDERS[checked.name](checked.arguments)
    if checked.name not in _DEFAULTS:
        raise ModelError(
            f"Architecture {checked.name!r} is unknown; this version has "
            f"{', '.join(architecture_names())}. If a plugin provides it, install the plugin; "
            "otherwise the model needs a newer napari-virtualstain."
        )
    arguments = unet_arguments(checked)
    from .unet import UNet

    return UNet(**arguments.model_dump())


def unet_arguments(architecture: Architecture | dict[str, Any]) -> UNetArguments:
    """Return the complete, checked arguments of a U-Net architecture.

    Raises
    ------
    ModelError
        Unknown argument or one beyond its limits.

    Examples
    --------
    >>> unet_arguments({"name": "paper"}).kernel
    7
    """
    checked = _checked(architecture)
    try:
        return UNetArguments(**{**_DEFAULTS.get(checked.name, {}), **checked.arguments})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ModelError(
            f"Architecture {checked.name!r} cannot have {where}={first['input']!r}: {first['msg']}."
        ) from error


def _checked(architecture: Architecture | dict[str, Any]) -> Architecture:
    try:
        return Architecture.model_validate(architecture)
    except ValidationError as error:
        raise ModelError(
            f"{architecture!r} does not describe an architecture: expected "
            "{'name': ..., 'arguments': {...}}."
        ) from error
