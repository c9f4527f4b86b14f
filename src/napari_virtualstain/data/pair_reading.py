"""Reading the two files of a pair, or the one that holds both channels, into pairs of planes."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .correlative_pairs import CorrelativePairs
from .name_matching import stem
from .stack_pairs import stack_pairs, usual_planes
from .stored_image import MemoryRoom, changed

if TYPE_CHECKING:
    from ..io import Stack

Channel: TypeAlias = int | str | None
_MIDDLE_NOTE = (
    "Bright-field stacks with one fluorescence image each: the middle plane counts as its plane."
)
_UNNAMED_NOTE = (
    "The files do not name their axes: the planes of a stack count as frames of a movie. For "
    "z-stacks give the axes (axes='zyx', --axes zyx)."
)


@dataclass(frozen=True, slots=True)
class PairFiles:
    """Two files that belong together, with a group when the list gave one."""

    bright_field: Path
    fluorescence: Path
    group: str | None = None


@dataclass(frozen=True, slots=True)
class PairReader:
    """Reader of one pair of files into pairs of planes.

    With `planes` None each bright-field stack is read with as many as is usual for its depth.
    Files for which there is no more `room` are read plane by plane when a plane is needed.
    """

    axes: str | None
    pixel_size_um: float | None
    bright_field_channel: Channel
    fluorescence_channel: Channel
    planes: int | None
    plane_axis: Literal["t", "z"]
    plane_step: int
    room: MemoryRoom = field(default_factory=MemoryRoom)

    def read(self, file: PairFiles) -> CorrelativePairs:
        """Return the pairs of two files, all of one group."""
        first, second = self._alike_named(*self._stacks(file))
        in_memory = self.room.holds(first.data.nbytes + second.data.nbytes)
        inputs, axes = _planes_first(first, in_memory)
        targets, target_axes = _planes_first(second, in_memory)
        is_one_of_stack = (
            axes == f"{target_axes}z"
            and inputs.shape[-2:] == targets.shape[-2:]
            and inputs.shape[:-3] == targets.shape[:-2]
        )
        if is_one_of_stack:
            targets, target_axes = _repeated(targets, inputs.shape), axes
        if inputs.shape != targets.shape or axes != target_axes:
            raise InputError(
                f"The bright-field image {file.bright_field.name} has {_described(inputs, axes)}, "
                f"the fluorescence image {file.fluorescence.name} "
                f"{_described(targets, target_axes)}. Both images of a pair must have the same "
                "frames, planes and size."
            )
        pairs = stack_pairs(
            inputs,
            targets,
            axes,
            planes=self.planes or usual_planes(first.sizes.get(self.plane_axis, 1)),
            plane_axis=self.plane_axis,
            plane_step=self.plane_step,
            name=stem(file.bright_field.name),
            movie=str(file.bright_field),
            pixel_size_um=self.pixel_size_um or first.pixel_size_um,
            notes=(_MIDDLE_NOTE,) * is_one_of_stack + (_UNNAMED_NOTE,) * first.assumed_axes,
        )
        return _middle_ones(pairs, inputs.shape[:-2]) if is_one_of_stack else pairs

    def _alike_named(self, first: Stack, second: Stack) -> tuple[Stack, Stack]:
        """Return both stacks with the one axis that a file left unnamed called as asked."""
        for stack, other in ((first, second), (second, first)):
            if stack.assumed_axes and not other.assumed_axes and len(other.axes) == 3:
                renamed = replace(stack, axes=other.axes, assumed_axes=False)
                return (renamed, other) if stack is first else (other, renamed)
        if (self.planes or 1) > 1 and first.assumed_axes and second.assumed_axes:
            axes = f"{self.plane_axis}yx"
            return (
                replace(first, axes=axes, assumed_axes=False),
                replace(second, axes=axes, assumed_axes=False),
            )
        return first, second

    def _stacks(self, file: PairFiles) -> tuple[Stack, Stack]:
        from ..io import open_stack

        if file.bright_field == file.fluorescence:
            both = open_stack(file.bright_field, axes=self.axes)
            if "c" not in both.axes:
                raise InputError(
                    f"{file.bright_field.name} has one channel. Give the fluorescence images "
                    "too, or files with a bright-field and a fluorescence channel."
                )
            return (
                both.select_channel(_or(self.bright_field_channel, 0)),
                both.select_channel(_or(self.fluorescence_channel, 1)),
            )
        return (
            _one_channel(open_stack(file.bright_field, axes=self.axes), self.bright_field_channel),
            _one_channel(open_stack(file.fluorescence, axes=self.axes), self.fluorescence_channel),
        )


def _or(channel: Channel, default: int) -> int | str:
    return default if channel is None else channel


def _one_channel(stack: Stack, channel: Channel) -> Stack:
    if channel is not None:
        return stack.select_channel(channel)
    if "c" in stack.axes:
        raise InputError(
            f"{stack.name!r} has several channels ({', '.join(map(str, stack.channel_names))}). "
            "Say which one to use by its number or name (--bright-field-channel, "
            "--fluorescence-channel); if they are planes of a z-stack, name the axes (--axes zyx)."
        )
    return stack


def _planes_first(stack: Stack, in_memory: bool) -> tuple[Any, str]:
    """Return the images of a stack, lazy if not in memory, and its axes in front of y and x."""
    return np.asarray(stack.data) if in_memory else stack.data, stack.axes[:-2]


def _repeated(targets: Any, shape: tuple[int, ...]) -> Any:
    """Return one image (..., Y, X) for each plane of stacks of that shape."""
    if isinstance(targets, np.ndarray):
        return np.broadcast_to(targets[..., None, :, :], shape)
    import dask.array as da

    return da.broadcast_to(targets[..., None, :, :], shape)


def _described(images: NDArray[np.generic], axes: str) -> str:
    sizes = [f"{axis}={n}" for axis, n in zip(axes, images.shape, strict=False)]
    return " ".join([*sizes, f"{images.shape[-2]} x {images.shape[-1]} pixels"])


def _middle_ones(pairs: CorrelativePairs, leading: tuple[int, ...]) -> CorrelativePairs:
    """Return the pair of the middle plane of each stack; the planes not needed are let go."""
    middle = leading[-1] // 2
    chosen = pairs.subset(
        number for number, index in enumerate(np.ndindex(leading)) if index[-1] == middle
    )
    return replace(
        chosen, bright_field=tuple(changed(image, np.copy) for image in chosen.bright_field)
    )
