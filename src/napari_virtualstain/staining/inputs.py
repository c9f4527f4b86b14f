"""A bright-field image with what the caller knows about it, opened for a stainer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from numpy.typing import ArrayLike

from ..engine import Planes, as_stack, parse_frames, planes_of
from ..errors import AxesError
from ..io import Stack
from ..settings import StainSettings
from .model_opening import AnyStainer, open_stainer

Frames: TypeAlias = str | slice | int | Sequence[int] | None


@dataclass(frozen=True, slots=True)
class OpenedMovie:
    """Opened movie with the stainer that it is stained with.

    Attributes
    ----------
    stack : Stack
        The chosen frames with their units; its data may be a numpy array.
    planes : Planes
        Of the same, with their neighbours in the whole movie.
    stainer : Stainer or AddOnStainer
        Opened for its pixel size.
    """

    stack: Stack
    planes: Planes
    stainer: AnyStainer


def open_for_staining(
    image: ArrayLike | Stack,
    model: Any,
    settings: StainSettings,
    *,
    axes: str | None = None,
    pixel_size_um: float | None = None,
    frame_interval_s: float | None = None,
    frames: Frames = None,
    device: str | None = None,
    tile: int | None = None,
) -> OpenedMovie:
    """Return the planes of an image and what stains them; see :func:`stain`.

    Raises
    ------
    InputError, AxesError, ModelError, DeviceError
        See :func:`stain`.
    """
    whole = as_stack(image, axes, pixel_size_um, frame_interval_s)
    stack, positions = _chosen_frames(whole, settings.frames if frames is None else frames)
    stainer = open_stainer(
        model, settings, pixel_size_um=stack.pixel_size_um, device=device, tile=tile
    )
    planes = planes_of(whole.data, whole.axes, stainer.inputs, assumed=whole.assumed_axes)
    if positions:
        planes = Planes(stack.data, stack.axes, stainer.inputs, planes, positions)
    return OpenedMovie(stack, planes, stainer)


def _chosen_frames(stack: Stack, frames: Frames) -> tuple[Stack, tuple[int, ...]]:
    """Return the stack of some frames, and which they are; none if nothing was chosen.

    Raises
    ------
    InputError
        Not understood, or no such frame.
    AxesError
        Frames were chosen of an image without a time axis.
    """
    if frames is None:
        return stack, ()
    if "t" not in stack.axes:
        raise AxesError(
            f"Frames {frames!r} were chosen, but the image (axes {stack.axes!r}) has no time axis. "
            "Leave the choice out, or name the axes."
        )
    axis = stack.axes.index("t")
    wanted = parse_frames(frames, int(stack.data.shape[axis]))
    chosen = replace(stack, data=stack.data[(slice(None),) * axis + (wanted,)])
    return chosen, tuple(wanted)
