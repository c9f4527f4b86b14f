"""The common part of two layers in space and time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ...errors import InputError
from ..layers.description import axes_of

_SAME_SCALE = 0.01
_SAME_PLACE_PX = 0.3


@dataclass(frozen=True, slots=True)
class CommonPart:
    """Frames and pixels of two layers that show the same.

    Attributes
    ----------
    axes : str
        Of both parts.
    first, second : tuple
        Index into the data of each layer.
    frames : tuple of int
        Frames of the first layer, empty without time.
    times : tuple of float
        Their times, in the units of the layer.
    is_whole : bool
        Whether both layers are the same size and all of them is common.
    """

    axes: str
    first: tuple[Any, ...]
    second: tuple[Any, ...]
    frames: tuple[int, ...]
    times: tuple[float, ...]
    is_whole: bool

    def of_first(self, data: Any) -> Any:
        """Return the common part of the first layer's data."""
        return _taken(data, self.first)

    def of_second(self, data: Any) -> Any:
        """Return the common part of the second layer's data."""
        return _taken(data, self.second)

    def plane_of_first(self, data: Any, place: int) -> tuple[int, ...]:
        """Return the index into the first layer's leading axes of a plane of the common part."""
        leading = zip(data.shape[:-2], self.first, strict=False)
        known = [np.arange(size)[part] for size, part in leading]
        index = np.unravel_index(place, [len(places) for places in known])
        return tuple(int(places[i]) for places, i in zip(known, index, strict=True))


def common_part(first: Any, second: Any) -> CommonPart:
    """Return what two layers have in common.

    A stained region or a single frame is compared where it lies; fluorescence of every tenth
    frame is compared with the frames of the same times.

    Parameters
    ----------
    first, second : napari.layers.Image
        With one letter for each axis, in the same order.

    Raises
    ------
    InputError
        They have other axes or another pixel size, or nothing in common.
    """
    axes = axes_of(first)
    if axes != axes_of(second):
        raise InputError(
            f"The layers have unlike axes, {axes} and {axes_of(second)}. Choose layers of the same "
            "kind; a single plane needs a time axis to be compared with a movie."
        )
    parts = [_along(first, second, place, axis) for place, axis in enumerate(axes)]
    frames: tuple[int, ...] = ()
    times: tuple[float, ...] = ()
    if "t" in axes:
        along = axes.index("t")
        frames = tuple(int(i) for i in parts[along][0])
        scale, start = float(first.scale[along]), float(first.translate[along])
        times = tuple(start + scale * frame for frame in frames)
    return CommonPart(
        axes,
        tuple(one for one, _ in parts),
        tuple(other for _, other in parts),
        frames,
        times,
        first.data.shape == second.data.shape
        and all(_is_all(one, n) for (one, _), n in zip(parts, first.data.shape, strict=True)),
    )


def _along(first: Any, second: Any, place: int, axis: str) -> tuple[Any, Any]:
    """Return the common indices along one axis."""
    sizes = int(first.data.shape[place]), int(second.data.shape[place])
    scales = float(first.scale[place]), float(second.scale[place])
    starts = float(first.translate[place]), float(second.translate[place])
    if first.data.shape == second.data.shape and not np.isclose(*scales):
        # one of them states no scale: frames and pixels go together in order
        return _all(axis, sizes[0]), _all(axis, sizes[0])
    if axis == "t":
        if sizes[0] == sizes[1] and np.isclose(starts[0], starts[1]):
            return np.arange(sizes[0]), np.arange(sizes[0])
        times = [s + k * np.arange(n) for s, k, n in zip(starts, scales, sizes, strict=True)]
        nearest = np.abs(times[0][:, None] - times[1][None]).argmin(axis=0)
        near = np.abs(times[0][nearest] - times[1]) <= abs(scales[0]) / 2
        if not near.any():
            raise InputError(
                f"{first.name!r} and {second.name!r} have no frame of the same time. Correct scale "
                "and translate of the layers along t."
            )
        return nearest[near], np.flatnonzero(near)
    if abs(scales[0] / scales[1] - 1) > _SAME_SCALE:
        raise InputError(
            f"The layers have unlike pixel sizes along {axis}, {scales[0]:g} and {scales[1]:g}. "
            "Choose layers of one pixel size."
        )
    shift = (starts[1] - starts[0]) / scales[0]
    if abs(shift - round(shift)) > _SAME_PLACE_PX:
        raise InputError(
            f"The layers are displaced by {shift:.2f} pixels along {axis}: expected whole pixels. "
            "Correct translate of one layer."
        )
    begin = max(0, round(shift))
    end = min(sizes[0], round(shift) + sizes[1])
    if end <= begin:
        raise InputError(f"{first.name!r} and {second.name!r} lie beside each other along {axis}.")
    return slice(begin, end), slice(begin - round(shift), end - round(shift))


def _taken(data: Any, index: tuple[Any, ...]) -> Any:
    """Return data at an index of slices and at most one array, lazily where the data is lazy."""
    for place, part in enumerate(index):
        data = data[(slice(None),) * place + (part,)]
    return data


def _all(axis: str, count: int) -> Any:
    return np.arange(count) if axis == "t" else slice(0, count)


def _is_all(part: Any, count: int) -> bool:
    if isinstance(part, slice):
        return bool(part == slice(0, count))
    return len(part) == count
